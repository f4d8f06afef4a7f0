"""Trials of a queue with faults of their own: many kills, and hosts that are cut off."""

from __future__ import annotations

import argparse
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from helpers.brokers import RunningBroker
from helpers.made import make_file
from helpers.plain_clients import dead_letters, produce
from helpers.postgres import running_postgres
from helpers.worker_fleet import Fleet
from hosts import Hosts
from queue_work import (
    ENDURING,
    SLOW,
    Result,
    check_jobs,
    check_shared_store,
    convert_batch,
    make_folders,
    make_request,
    make_sources,
    read_lines,
    read_log,
)

_KILLS = 10
_AWAY_SECONDS = 5.0
_CUT_SECONDS = 9.0
"""Longer than a lease, and than the silence after which a broker gives messages to others."""


def try_kills(
    broker: RunningBroker, folder: Path, given: argparse.Namespace, result: Result
) -> None:
    """Kill ten workers among many small files, and the broker, which stays away for a while."""
    sources, out = make_folders(folder)
    good = make_small_sources(sources, given.messages)
    wanted = convert_batch(sources, folder / "reference", SLOW)[1]
    result.requests = len(good)
    chance = random.Random(given.seed)
    queue = "bench.kills"
    with Fleet(broker.url, folder, [*ENDURING, "--queue", queue]) as fleet:
        fleet.prepare()
        bodies = [make_request(path.stem, path, out, SLOW) for path in good]
        produce(broker.kind, broker.url, bodies, queue)
        started = time.monotonic()
        fleet.start(3)
        while (done := count_done(fleet)) < len(good):
            if time.monotonic() - started > given.patience:
                states = Counter(fleet.states().values())
                result.wrong.append(f"not over after {given.patience} s: {states}")
                break
            if result.kills < _KILLS and done > len(good) * (result.kills + 1) // (_KILLS + 2):
                fleet.kill(chance.randrange(len(fleet.workers)))
                fleet.start()
                result.kills += 1
            if not result.restarts and done > len(good) // 2:
                broker.down(signal.SIGKILL)
                time.sleep(_AWAY_SECONDS)
                broker.up()
                result.restarts += 1
            time.sleep(0.1)
        result.seconds = round(time.monotonic() - started, 1)
        time.sleep(6)  # what is redelivered finds that it is done
        fleet.stop()
        check_jobs(fleet, good, out, wanted, result)
        read_log(fleet, result)
    if letters := dead_letters(broker.kind, broker.url, queue):
        result.wrong.append(f"in the dead letters: {letters[:5]}")


def try_hosts(
    broker: RunningBroker, folder: Path, given: argparse.Namespace, result: Result
) -> None:
    """Kill workers of two hosts in turn, and cut off that without the servers for a while."""
    hosts: Hosts = given.hosts
    sources, out = make_folders(folder)
    good = make_sources(sources, given.requests)
    wanted = convert_batch(sources, folder / "reference", SLOW)[1]
    result.requests = len(good)
    chance = random.Random(given.seed)
    queue = "bench.hosts"
    with (
        running_postgres(hosts.address) as database,
        Fleet(
            broker.url, folder, [*ENDURING, "--queue", queue], store=database.name_store()
        ) as fleet,
    ):
        fleet.prepare()
        bodies = [make_request(path.stem, path, out, SLOW) for path in good]
        produce(broker.kind, broker.url, bodies, queue)
        started = time.monotonic()
        places: list[Sequence[str]] = [(), hosts.far]
        far = set()
        for place in places:
            fleet.start(by=place)
        far.add(fleet.workers[-1].pid)
        next_fault, mend_at = 0.0, 0.0
        while count_done(fleet) < len(good):
            now = time.monotonic()
            if now - started > given.patience:
                states = Counter(fleet.states().values())
                result.wrong.append(f"not over after {given.patience} s: {states}")
                break
            if any(worker.poll() is not None for worker in fleet.workers):
                result.wrong.append("a worker ended by itself")
                break
            if mend_at and now > mend_at:
                hosts.mend()
                mend_at, next_fault = 0.0, now + chance.uniform(4, 8)
            elif (
                not mend_at and now > next_fault and all(map(_count_jobs(fleet).get, _pids(fleet)))
            ):
                if result.cuts <= result.kills:
                    hosts.cut()
                    result.cuts += 1
                    mend_at = now + _CUT_SECONDS
                else:
                    fleet.kill(0)  # the older one
                    places.append(places.pop(0))
                    fleet.start(by=places[-1])
                    if places[-1]:
                        far.add(fleet.workers[-1].pid)
                    result.kills += 1
                    next_fault = now + chance.uniform(2, 6)
            time.sleep(0.1)
        hosts.mend()
        result.seconds = round(time.monotonic() - started, 1)
        time.sleep(10)  # what is redelivered finds that it is done
        fleet.stop()
        check_jobs(fleet, good, out, wanted, result)
        check_shared_store(fleet, result)
        jobs = _count_jobs(fleet)
        result.far = sum(jobs[process] for process in far)
        read_log(fleet, result)
    if letters := dead_letters(broker.kind, broker.url, queue):
        result.wrong.append(f"in the dead letters: {letters[:5]}")


def _pids(fleet: Fleet) -> list[int]:
    return [worker.pid for worker in fleet.workers]


def _count_jobs(fleet: Fleet) -> Counter[int]:
    """Return how many jobs each worker has done, as the log says, by the number of its process."""
    return Counter(line["worker"] for line in read_lines(fleet) if line["event"] == "done")


def make_small_sources(folder: Path, count: int) -> list[Path]:
    """Make small files that differ."""
    data = make_file(rows=64, columns=64, bits_stored=12)[0]
    paths = [folder / f"f{number:06}.dcm" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(data[:-400] + (number % 4096).to_bytes(2, "little") * 200)
    return paths


def count_done(fleet: Fleet) -> int:
    """Return how many jobs are done."""
    rows = fleet.query("SELECT count(*) FROM job WHERE state = 'done'")
    return int(rows[0][0]) if rows else 0
