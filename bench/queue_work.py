"""Files, requests and findings that the trials of queues share."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers.worker_fleet import Fleet
from made_file import write_file
from measure import FailedError
from workloads import WORKLOADS

ENDURING = [
    "--jobs", "1", "--retry-after", "1", "--lease", "5", "--silence", "6", "--attempts", "8",
]  # fmt: skip
SLOW, FAST = "jpeg2000-lossless", "htj2k-lossless"


@dataclass
class Result:
    """What was found at one broker; `wrong` is empty where all is well.

    Attributes:
        cuts: how often a host was cut off.
        far: jobs that workers of that host have done.
        taken_over: jobs that one worker ended when another had taken them.
        told_again: messages of jobs that were known already.
        away: seconds for which the workers missed the broker, as their log says.
    """

    broker: str
    requests: int = 0
    done: int = 0
    dead: int = 0
    kills: int = 0
    stops: int = 0
    restarts: int = 0
    cuts: int = 0
    far: int = 0
    told_again: int = 0
    taken_over: int = 0
    away: list[float] = field(default_factory=list)
    seconds: float = 0.0
    disk_retries: int = 0
    batch_rate: float = 0.0
    queue_rate: float = 0.0
    backlog: int = 0
    backlog_done: int = 0
    memory_before: int = 0
    memory_after: int = 0
    wrong: list[str] = field(default_factory=list)


def check_jobs(
    fleet: Fleet, good: list[Path], out: Path, wanted: dict[str, str], result: Result
) -> None:
    """Enter what is wrong with the jobs of good requests, and with their results."""
    states, successes = fleet.states(), fleet.successes()
    result.done = sum(state == "done" for state in states.values())
    result.dead = sum(state == "dead" for state in states.values())
    for path in good:
        if states.get(path.stem) != "done":
            result.wrong.append(f"{path.stem} is {states.get(path.stem)}")
        elif successes[path.stem] != 1:
            result.wrong.append(f"{path.stem} was done {successes[path.stem]} times")
        elif read_digest(out / path.name) != wanted[path.name]:
            result.wrong.append(f"{path.stem} is not what the batch command makes of it")
    if left := [path.name for path in out.iterdir() if path.suffix != ".dcm"]:
        result.wrong.append(f"left behind: {left}")


def make_folders(folder: Path) -> tuple[Path, Path]:
    """Make the folder for sources, and return it and that for results, which the workers make."""
    sources = folder / "files" / "in"
    sources.mkdir(parents=True)
    return sources, sources.with_name("out")


def make_sources(folder: Path, count: int) -> list[Path]:
    """Make CT-like files that differ."""
    first = folder / "f00000.dcm"
    write_file(first, WORKLOADS["ct"])
    data = first.read_bytes()
    paths = [folder / f"f{number:05}.dcm" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(data[:-2000] + number.to_bytes(2, "little") * 1000)
    return paths


def make_request(job: str, source: Path, out: Path, to: str) -> bytes:
    """Return a message that asks for a conversion."""
    fields = {"id": job, "source": str(source), "target_folder": str(out), "to": to}
    return json.dumps(fields).encode()


def convert_batch(sources: Path, out: Path, syntax: str) -> tuple[float, dict[str, str]]:
    """Convert a folder by the batch command; return files a second, and digests by name."""
    out.mkdir()
    command = [sys.executable, "-m", "dicodec.cli.main", "convert", str(sources), "-o", str(out),
               "--to", syntax, "--jobs", "2", "-q"]  # fmt: skip
    started = time.monotonic()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    seconds = time.monotonic() - started
    if done.returncode:
        raise FailedError(f"the batch command failed: {done.stderr[-500:]}")
    digests = {path.name: read_digest(path) for path in out.glob("*.dcm")}
    return len(digests) / seconds, digests


def read_digest(path: Path) -> str:
    """Return the digest of a file; of none, a word."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "absent"


def read_lines(fleet: Fleet) -> Iterator[dict[str, Any]]:
    """Yield the lines of the workers' log."""
    with fleet.log.open() as lines:
        for text in lines:
            if text.startswith("{") and text.endswith("}\n"):  # others: its worker was killed
                yield json.loads(text)


def read_log(fleet: Fleet, result: Result) -> None:
    """Enter what the workers' log says of messages that came again, and of the broker."""
    for line in read_lines(fleet):
        result.told_again += line["event"] == "known already"
        result.taken_over += line["event"] == "another worker has the job"
        if "away" in line:
            result.away.append(line["away"])


def check_shared_store(fleet: Fleet, result: Result) -> None:
    """Enter which jobs have an event behind that of their success."""
    orders = fleet.query("SELECT number, job, json FROM event ORDER BY number")
    if wrong := _find_out_of_order(orders):
        result.wrong.append(f"events out of order: {wrong[:5]}")


def _find_out_of_order(events: list[tuple[Any, ...]]) -> list[str]:
    """Return the jobs with an event behind that of their success."""
    over: set[str] = set()
    wrong = []
    for _, job, text in events:
        if job in over:
            wrong.append(job)
        if json.loads(text)["kind"] == "succeeded":
            over.add(job)
    return wrong
