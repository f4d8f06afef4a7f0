"""Shows that nothing is lost at a broker, and how fast a queue is drained.

Real brokers are started for it, and messages come from producers that know nothing of dicodec.
For each broker:

- endurance: requests, some twice, some that cannot be, some whose source appears late; workers are
  killed with SIGKILL at random, and the broker is restarted. Every file has to be there, as the
  batch command makes it, and to have been done once in the ledger's eyes; every bad request has
  to be in the dead letters with its cause.
- disk: the results' disk is full for a while (a small tmpfs, where one can be mounted).
- speed: the same files by `dicodec convert` and through the queue.
- machines, if it is named: as endurance, but the workers share the broker, the files, a store in
  PostgreSQL, and nothing else; some are stopped past their lease, and the database is restarted.
- kills, if it is named: ten workers among many small files are killed, and the broker too.
- hosts, if it is named: two workers on two hosts (network namespaces) with one folder; broker and
  PostgreSQL are on one of them, and the other is cut off for longer than its lease. For root only.
- backlog, if it is named: very many small files that wait at once, and a worker's memory.

    python bench/queues.py --folder /var/tmp --brokers redis,nats
    python bench/queues.py --brokers redis --parts backlog --backlog 100000 --patience 3000
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.brokers import KINDS, LOOPBACK, RunningBroker, running_broker
from helpers.made import make_file
from helpers.plain_clients import dead_letters, history, produce
from helpers.postgres import running_postgres
from helpers.worker_fleet import Fleet
from hosts import Hosts, why_none
from machine import list_processes_below, read_memory
from measure import table
from queue_faults import try_hosts, try_kills
from queue_work import (
    ENDURING,
    FAST,
    SLOW,
    Result,
    check_jobs,
    check_shared_store,
    convert_batch,
    make_folders,
    make_request,
    make_sources,
)  # fmt: skip

FILLED = ["--jobs", "2", "--retry-after", "1", "--attempts", "8"]
_LINKS = 30_000
"""Names of one file; file systems have a bound for them, such as 65,000."""


def main() -> int:
    """Run the command; return 0, or 1 where anything was lost, done twice or too slow."""
    given = _arguments()
    parts = given.parts.split(",")
    if "hosts" in parts and (why := why_none()):
        print(f"left out: the part hosts, because {why}", file=sys.stderr)
        parts.remove("hosts")
    with ExitStack() as stack:
        given.hosts, address = None, LOOPBACK
        if "hosts" in parts:
            given.hosts = stack.enter_context(Hosts())
            address = given.hosts.address
        results = _try_all(parts, address, given)
    print(_shown(results))
    return 1 if any(result.wrong for result in results) else 0


def _try_all(parts: list[str], address: str, given: argparse.Namespace) -> list[Result]:
    results = []
    with tempfile.TemporaryDirectory(prefix="dicodec-bench-", dir=given.folder) as name:
        for kind in given.brokers.split(","):
            result = Result(kind)
            results.append(result)
            folder = Path(name) / kind
            with running_broker(kind, folder / "broker", address) as broker:
                for part in parts:
                    _PARTS[part](broker, folder / part, given, result)
            print(json.dumps(asdict(result)), flush=True)
    return results


def _endurance(
    broker: RunningBroker, folder: Path, given: argparse.Namespace, result: Result
) -> None:
    sources, out = make_folders(folder)
    good = make_sources(sources, given.requests)
    wanted = convert_batch(sources, folder / "reference", SLOW)[1]
    late = random.Random(1).sample(good, max(1, given.requests // 25))
    hidden = {path: path.with_suffix(".later") for path in late}
    for path, kept in hidden.items():
        path.rename(kept)
    bad, causes = _bad_requests(sources, out, max(5, given.requests // 20))
    bodies = [make_request(path.stem, path, out, SLOW) for path in good] + bad
    bodies += random.Random(2).sample(bodies[: len(good)], len(good) // 10)  # sent twice
    random.Random(3).shuffle(bodies)
    result.requests = len(bodies)
    chance = random.Random(given.seed)
    queue = "bench.endurance"
    with Fleet(broker.url, folder, [*ENDURING, "--queue", queue]) as fleet:
        fleet.prepare()
        produce(broker.kind, broker.url, bodies, queue)
        started = time.monotonic()
        fleet.start(3)
        restart_at: int | None = len(good) // 3
        next_kill = time.monotonic() + 4
        while True:
            states = fleet.states()
            done = sum(state == "done" for state in states.values())
            if done == len(good) and sum(one == "dead" for one in states.values()) == len(causes):
                break
            now = time.monotonic()
            if now - started > given.patience:
                result.wrong.append(
                    f"not over after {given.patience} s: {Counter(states.values())}"
                )
                break
            if hidden and done > len(good) // 4:
                for path, kept in hidden.items():
                    kept.rename(path)
                hidden = {}
            if restart_at is not None and done >= restart_at:
                restart_at = None
                broker.restart()
                result.restarts += 1
            if now > next_kill:
                fleet.kill(chance.randrange(len(fleet.workers)))
                fleet.start()
                result.kills += 1
                next_kill = time.monotonic() + chance.uniform(2, 6)
            time.sleep(0.1)
        result.seconds = round(time.monotonic() - started, 1)
        time.sleep(6)  # what is redelivered finds that it is done
        fleet.stop()
        check_jobs(fleet, good, out, wanted, result)
    _check_dead(dead_letters(broker.kind, broker.url, queue), bad, causes, result)


def _machines(
    broker: RunningBroker, folder: Path, given: argparse.Namespace, result: Result
) -> None:
    sources, out = make_folders(folder)
    good = make_sources(sources, given.requests)
    wanted = convert_batch(sources, folder / "reference", SLOW)[1]
    bodies = [make_request(path.stem, path, out, SLOW) for path in good]
    bodies += random.Random(2).sample(bodies, len(good) // 10)  # sent twice
    random.Random(3).shuffle(bodies)
    result.requests = len(bodies)
    chance = random.Random(given.seed)
    options = [*ENDURING, "--queue", "bench.machines"]
    with (
        running_postgres() as database,
        Fleet(broker.url, folder, options, store=database.name_store()) as fleet,
    ):
        fleet.prepare()
        produce(broker.kind, broker.url, bodies, "bench.machines")
        started = time.monotonic()
        fleet.start(3)
        restarts: list[Callable[[], None]] = [
            partial(database.restart, signal.SIGQUIT), broker.restart,
        ]  # fmt: skip
        next_fault = time.monotonic() + 4
        stopped: tuple[int, float] | None = None
        while True:
            states = fleet.states()
            done = sum(state == "done" for state in states.values())
            now = time.monotonic()
            if done == len(good):
                break
            if now - started > given.patience:
                result.wrong.append(
                    f"not over after {given.patience} s: {Counter(states.values())}"
                )
                break
            if restarts and done > len(good) // (len(restarts) + 1):
                restarts.pop()()
                result.restarts += 1
            if stopped is not None and now > stopped[1]:
                os.kill(stopped[0], signal.SIGCONT)
                stopped = None
            if now > next_fault:
                if stopped is None and chance.random() < 0.5:
                    process = chance.choice(fleet.workers).pid
                    os.kill(process, signal.SIGSTOP)
                    stopped = process, now + 8  # a lease is 5 s
                    result.stops += 1
                else:
                    index = chance.randrange(len(fleet.workers))
                    if stopped is not None and fleet.workers[index].pid == stopped[0]:
                        stopped = None
                    fleet.kill(index)
                    fleet.start()
                    result.kills += 1
                next_fault = now + chance.uniform(2, 6)
            time.sleep(0.1)
        result.seconds = round(time.monotonic() - started, 1)
        if stopped is not None:
            os.kill(stopped[0], signal.SIGCONT)
        time.sleep(6)  # what is redelivered finds that it is done
        fleet.stop()
        check_jobs(fleet, good, out, wanted, result)
        check_shared_store(fleet, result)
    if letters := dead_letters(broker.kind, broker.url, "bench.machines"):
        result.wrong.append(f"in the dead letters: {letters[:5]}")


def _check_dead(
    letters: list[tuple[bytes, dict[str, str]]],
    bad: list[bytes],
    causes: dict[bytes, str],
    result: Result,
) -> None:
    found = dict(letters)
    for body in bad:
        if body not in found:
            result.wrong.append(f"not in the dead letters: {body!r}")
        elif found[body]["dicodec-error"] != causes.get(body, "invalid-request"):
            result.wrong.append(f"{found[body]['dicodec-error']} is not the cause of {body!r}")
        elif not history((body, found[body])):
            result.wrong.append(f"no history: {body!r}")
    if others := [body for body in found if body not in bad]:
        result.wrong.append(f"in the dead letters: {others}")


def _bad_requests(sources: Path, out: Path, count: int) -> tuple[list[bytes], dict[bytes, str]]:
    """Return requests that cannot be, and the causes of those that have a job."""
    text = sources / "text.txt"
    text.write_text("no DICOM\n")
    bodies, causes = [], {}
    for number in range(count):
        match number % 4:
            case 0:
                bodies.append(b"\xff\xfe garbage %d" % number)
                continue
            case 1:
                body, cause = make_request(f"bad{number}", text, out, SLOW), "not-dicom"
            case 2:
                body = make_request(f"bad{number}", Path("/etc/hostname"), out, SLOW)
                cause = "path-not-allowed"
            case _:
                bodies.append(make_request(f"bad{number}", text, out, "no-such-syntax"))
                continue
        bodies.append(body)
        causes[body] = cause
    return bodies, causes


def _disk(broker: RunningBroker, folder: Path, given: argparse.Namespace, result: Result) -> None:
    sources, out = make_folders(folder)
    out.mkdir()
    good = make_sources(sources, 12)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(out)]
    if subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode:
        print("no tmpfs can be mounted: the full disk is left to the tests", file=sys.stderr)
        return
    try:
        queue = "bench.disk"
        with Fleet(broker.url, folder, [*FILLED, "--queue", queue]) as fleet:
            fleet.prepare()
            bodies = [make_request(path.stem, path, out, "explicit-be") for path in good]
            produce(broker.kind, broker.url, bodies, queue)
            fleet.start(1)
            retried = "SELECT count(*) FROM job WHERE history LIKE '%disk-full%'"
            fleet.wait_for(lambda: fleet.query(retried) not in ([], [(0,)]), given.patience)
            room = ["mount", "-o", "remount,size=64m", str(out)]
            subprocess.run(room, check=True)
            over = len(good)
            fleet.wait_for(
                lambda: sum(one == "done" for one in fleet.states().values()) == over,
                given.patience,
            )
            result.disk_retries = fleet.query(retried)[0][0]
            if set(fleet.successes().values()) != {1}:
                result.wrong.append(f"full disk: {fleet.successes()}")
            fleet.stop()
        if letters := dead_letters(broker.kind, broker.url, queue):
            result.wrong.append(f"full disk: dead letters {letters}")
    finally:
        subprocess.run(["umount", str(out)], check=True)


def _speed(broker: RunningBroker, folder: Path, given: argparse.Namespace, result: Result) -> None:
    sources, out = make_folders(folder)
    good = make_sources(sources, given.files)
    queue = "bench.speed"
    rates = []
    with Fleet(broker.url, folder, ["--queue", queue, "--jobs", "2"]) as fleet:
        fleet.prepare()
        produce(
            broker.kind,
            broker.url,
            [make_request(path.stem, path, out, FAST) for path in good],
            queue,
        )
        rates.append(convert_batch(sources, folder / "reference", FAST)[0])
        fleet.start(1)
        fleet.wait_for(
            lambda: fleet.query("SELECT count(*) FROM job WHERE state = 'done'") == [(len(good),)],
            given.patience,
        )
        fleet.stop()
        seconds = fleet.query("SELECT max(finished) - min(started) FROM job")[0][0]
        rates.append(convert_batch(sources, folder / "again", FAST)[0])
    result.batch_rate = round(sum(rates) / len(rates), 1)
    result.queue_rate = round(len(good) / seconds, 1)
    if result.queue_rate < 0.9 * result.batch_rate:
        result.wrong.append(f"drained at {result.queue_rate / result.batch_rate:.0%} of the batch")


def _backlog(
    broker: RunningBroker, folder: Path, given: argparse.Namespace, result: Result
) -> None:
    """Drain a backlog as far as the time goes; memory is compared once a tenth of it is done."""
    sources, out = make_folders(folder)
    out.mkdir()
    content = make_file(16, 16)[0]
    paths = [sources / f"f{number:06}.dcm" for number in range(given.backlog)]
    for number, path in enumerate(paths):
        if number % _LINKS:
            path.hardlink_to(paths[number - number % _LINKS])
        else:
            path.write_bytes(content)
    queue = "bench.backlog"
    with Fleet(broker.url, folder, ["--queue", queue, "--jobs", "2"]) as fleet:
        fleet.prepare()
        bodies = [make_request(path.stem, path, out, "rle") for path in paths]
        produce(broker.kind, broker.url, bodies, queue)
        fleet.start(1)
        started = time.monotonic()
        result.backlog = given.backlog
        while result.backlog_done < given.backlog:
            if time.monotonic() - started > given.patience:
                break
            time.sleep(2)
            done = fleet.query("SELECT count(*) FROM job WHERE state = 'done'")
            result.backlog_done = done[0][0] if done else 0
            memory = sum(map(read_memory, list_processes_below(fleet.workers[0].pid))) >> 20
            if result.backlog_done >= given.backlog // 10:
                result.memory_before = result.memory_before or memory
                result.memory_after = memory
        result.queue_rate = round(result.backlog_done / (time.monotonic() - started), 1)
        fleet.stop()
    if result.memory_after > 1.2 * result.memory_before + 16:
        grown = f"from {result.memory_before} to {result.memory_after} MB"
        result.wrong.append(f"the worker's memory grew {grown}")


_PARTS = {
    "endurance": _endurance,
    "machines": _machines,
    "kills": try_kills,
    "hosts": try_hosts,
    "disk": _disk,
    "speed": _speed,
    "backlog": _backlog,
}
_USUAL_PARTS = "endurance,disk,speed"


def _shown(results: list[Result]) -> str:
    """Return a table of what was found; it has no column for what no part has tried."""
    rows = []
    for one in results:
        ratio = round(one.queue_rate / one.batch_rate, 2) if one.batch_rate else 0
        away = ", ".join(map(str, one.away))
        rows.append({**asdict(one), "away": away, "ratio": ratio, "wrong": len(one.wrong)})
    names = [name for name in rows[0] if name == "wrong" or any(row[name] for row in rows)]
    header = [name.replace("_", " ") for name in names]
    return table([header, *([str(row[name]) for name in names] for row in rows)])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Queues: nothing lost, and how fast.")
    parser.add_argument("--folder", type=Path, help="where files are made")
    parser.add_argument("--brokers", default=",".join(KINDS))
    parser.add_argument("--parts", default=_USUAL_PARTS)
    parser.add_argument("--requests", type=int, default=500, help="good ones, for endurance")
    parser.add_argument("--messages", type=int, default=4000, help="for kills")
    parser.add_argument("--files", type=int, default=1000, help="for speed")
    parser.add_argument("--backlog", type=int, default=100_000, help="messages, for backlog")
    parser.add_argument("--patience", type=float, default=400.0, help="seconds")
    parser.add_argument("--seed", type=int, default=1, help="of what is killed when")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
