"""Each broker, for real: nothing lost, nothing done twice, what cannot be is a dead letter."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from dicodec.service.brokers.broker import BrokerOptions, Delivery, Queue
from dicodec.service.brokers.connecting import make_broker
from helpers.brokers import KINDS, RunningBroker, running_broker
from helpers.made import make_file
from helpers.patience import give_up_at
from helpers.plain_clients import QUEUE, Letter, dead_letters, history, produce
from helpers.worker_fleet import Fleet

GOOD = 20
OPTIONS = [
    "--jobs", "1", "--retry-after", "0.3", "--lease", "2", "--silence", "2", "--attempts", "3",
]  # fmt: skip


DOCUMENTED = {
    "redis": ("Redis", "redis://localhost:6379"),
    "nats": ("NATS JetStream", "nats://localhost:4222"),
    "rabbitmq": ("RabbitMQ", "amqp://guest:guest@localhost"),
    "kafka": ("Kafka", "localhost:9092"),
}
"""Headings of docs/queues.md, and the servers that they name."""


@pytest.fixture(scope="module")
def starting(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[RunningBroker]]]:
    """Yield brokers that are being started, side by side as the slowest takes long."""
    folder = tmp_path_factory.mktemp("brokers")
    with ExitStack() as stack, ThreadPoolExecutor(len(KINDS)) as pool:
        try:
            yield {
                kind: pool.submit(stack.enter_context, running_broker(kind, folder / kind))
                for kind in KINDS
            }
        finally:
            pool.shutdown()


@pytest.fixture(params=KINDS)
def broker(
    request: pytest.FixtureRequest, starting: dict[str, Future[RunningBroker]]
) -> RunningBroker:
    return starting[request.param].result()


def made_source(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(make_file(rows=128, columns=128, bits_stored=12)[0])
    return path


def body(job: str, source: Path, out: Path, **more: object) -> bytes:
    fields = {"id": job, "source": str(source), "target_folder": str(out)}
    return json.dumps({**fields, "to": "jpeg2000-lossless", **more}).encode()


def of(letters: list[Letter], job: str) -> Letter:
    return about(letters, job)[0]


def about(letters: list[Letter], job: str) -> list[Letter]:
    """Return the letters of a job; whoever was killed before it acknowledged leaves a second."""
    return [one for one in letters if f'"{job}"'.encode() in one[0]]


def counts_of_failures(broker: RunningBroker, job: str) -> list[int]:
    """Return how often a job has failed, by each of its letters."""
    letters = about(dead_letters(broker.kind, broker.url), job)
    return [len(history(letter)) for letter in letters]


def produce_as_documented(broker: RunningBroker, source: Path, out: Path) -> None:
    """Run the producer that docs/queues.md has for a broker."""
    heading, url = DOCUMENTED[broker.kind]
    text = (Path(__file__).parents[3] / "docs" / "queues.md").read_text(encoding="utf-8")
    part = text[text.index(f"### {heading}\n") :]
    program = part.partition("```python\n")[2].partition("```\n")[0]
    ours = broker.url if "://" in url else broker.url.partition("://")[2]
    for there, here in ((url, ours), ("/data/in/ct.dcm", str(source)), ("/data/out", str(out))):
        assert there in program
        program = program.replace(there, here)
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def ages_of_letters(broker: RunningBroker) -> list[float | None]:
    """Return how many seconds ago dead letters were sent, as the age of the queue is measured."""

    async def fetch() -> list[float | None]:
        # That of `jobs retry`: JetStream gives a queue to one group. In Kafka it has read them all.
        group = "look" if broker.kind == "kafka" else "dicodec-dead"
        options = BrokerOptions(source=Queue.DEAD, group=group, silence=6.0)
        reader = make_broker(broker.url, options)
        await reader.open()
        try:
            letters: list[Delivery] = []
            until = give_up_at(10)
            while not letters and time.monotonic() < until:
                letters = await reader.fetch(5, 1.0)
            await reader.give_back(letters)
        finally:
            await reader.close()
        return [None if one.sent is None else time.time() - one.sent for one in letters]

    return asyncio.run(fetch())


def test_nothing_is_lost_and_nothing_done_twice(broker: RunningBroker, tmp_path: Path) -> None:
    files, out = tmp_path / "files" / "in", tmp_path / "files" / "out"
    good = [made_source(files / f"g{number}.dcm") for number in range(GOOD)]
    (files / "text.dcm").write_text("no DICOM at all\n")
    (files / "link.dcm").symlink_to("/etc/hostname")
    bodies = [body(path.stem, path, out, tenant="t", trace_id="1") for path in good]
    bodies += bodies[:4]  # twice
    poison = b"\xff\xfe\x00 no message"
    bodies[3:3] = [
        poison,
        body("text", files / "text.dcm", out),
        body("outside", files / "link.dcm", out),
        body("no-syntax", good[0], out, to="morse"),
        body("never", files / "never.dcm", out),
        body("late", files / "late.dcm", out),
    ]
    with Fleet(broker.url, tmp_path, OPTIONS) as fleet:

        def done() -> int:
            return Counter(fleet.states().values())["done"]

        fleet.prepare()
        fleet.start(2)
        # Who is still connecting when the broker is killed does not know how long it was away.
        fleet.wait_for(lambda: fleet.log.read_text().count('"connected to the broker"') == 2, 60)
        produce(broker.kind, broker.url, bodies)
        fleet.wait_for(lambda: done() >= 3, 60)
        fleet.kill(0)
        made_source(files / "late.dcm")
        fleet.wait_for(lambda: done() >= 8, 60)
        broker.restart(signal.SIGKILL)
        fleet.wait_for(lambda: '"away": ' in fleet.log.read_text(), 60)
        fleet.start()
        fleet.wait_for(lambda: done() >= GOOD + 1, 90)
        fleet.wait_for(lambda: fleet.states().get("never") == "dead", 30)
        produce_as_documented(broker, good[0], tmp_path / "files" / "docs")
        fleet.wait_for(lambda: fleet.states().get("2") == "done", 30)
        # The store knows of an end first, the letter is sent then.
        fleet.wait_for(lambda: bool(about(dead_letters(broker.kind, broker.url), "never")), 30)
        letters = dead_letters(broker.kind, broker.url)

        (files / "text.dcm").write_bytes(good[0].read_bytes())
        retried = subprocess.run(
            [sys.executable, "-m", "dicodec.cli.main", "jobs", "retry", "--cause", "not-dicom"],
            env={**os.environ, "DICODEC_BROKER": broker.url},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert retried.returncode == 0, retried.stderr
        back = len(about(letters, "text"))
        told = re.fullmatch(r"(\d+) sent back, (\d+) left for other causes\n", retried.stderr)
        assert told is not None, retried.stderr
        # A message that comes again after a kill may have one more letter by now.
        assert int(told[1]) >= back >= 1
        assert int(told[2]) >= len(letters) - back
        fleet.wait_for(lambda: done() == GOOD + 3, 30)

        again = subprocess.run(  # the worker buries it at once, while this goes on
            [
                sys.executable, "-m", "dicodec.cli.main",
                "jobs", "retry", "--cause", "path-not-allowed",
            ],
            env={**os.environ, "DICODEC_BROKER": broker.url},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert again.stderr.startswith(f"{len(about(letters, 'outside'))} sent back")
        fleet.wait_for(lambda: 2 in counts_of_failures(broker, "outside"), 30)
        assert fleet.stop() == [0, 0]
        states, successes = fleet.states(), fleet.successes()
        still = dead_letters(broker.kind, broker.url)
        log = fleet.log.read_text()
        ages = ages_of_letters(broker)
    assert ages
    assert all(age is not None and -5 < age < 600 for age in ages), ages

    jobs = {*(path.stem for path in good), "late", "text"}
    assert [path.name for path in (tmp_path / "files" / "docs").iterdir()] == ["ct-rle.dcm"]
    jobs.add("2")
    assert states == {**dict.fromkeys(jobs, "done"), "outside": "dead", "never": "dead"}
    assert successes == Counter(jobs)
    assert {path.stem for path in out.iterdir()} == jobs - {"2"}  # and nothing besides

    causes = {
        "text": "not-dicom", "outside": "path-not-allowed", "no-syntax": "invalid-request",
        "never": "source-unavailable",
    }  # fmt: skip
    assert {one[1]["dicodec-error"] for one in letters} == set(causes.values())
    assert poison in {letter for letter, _ in letters}
    for job, cause in causes.items():
        letter = of(letters, job)
        assert letter[1]["dicodec-error"] == cause
        attempts = range(1, 4) if job == "never" else [1]
        notes = [(note["attempt"], note["code"]) for note in history(letter)]
        assert notes == [(attempt, cause) for attempt in attempts]
    if broker.kind != "kafka":  # a topic keeps what was read
        others = {letter for letter, _ in letters} - {of(letters, "text")[0]}
        assert {letter for letter, _ in still} == others

    lines = [json.loads(line) for line in log.splitlines()]
    assert {"g0", "late"} <= {line.get("job") for line in lines}
    assert str(files) not in log  # paths can name patients
    returns = [line for line in lines if "away" in line]
    assert {line["event"] for line in returns} == {"connected to the broker"}
    assert all(0 <= line["away"] < 600 for line in returns)
    said: set[tuple[object, ...]] = set()  # Kafka's client repeats itself 100 times a second
    for line in lines:
        if line["event"] == "the broker's client says":
            key = line["worker"], line["client"], line["message"]
            assert key not in said or "omitted" in line
            said.add(key)


def test_queue_is_the_default_of_the_command() -> None:
    from dicodec.cli.service_arguments import QUEUE as ARGUMENT
    from dicodec.service.brokers.broker import QueueNames

    assert QueueNames().requests == ARGUMENT == QUEUE
