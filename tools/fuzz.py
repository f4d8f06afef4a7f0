"""Damages real files in many ways, and demands of each a result or an error that says why not.

Every case runs in a process that may take only so much memory and time; one that crashes or hangs
is replaced. The same seed makes the same cases. A case that fails is kept, and printed with how to
run it again.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from random import Random
from threading import Event, Timer
from typing import Any

import pydicom

from dicodec import inspect
from dicodec.conversion.convert import convert_with
from dicodec.errors import DicodecError, InternalError
from dicodec.options import ConversionOptions
from mutations import Anatomy, anatomy_of, mutated

ROOT = Path(__file__).resolve().parent.parent
CASES, SEED = 3000, 1
LARGEST = 80_000
"""Bytes of a file that is damaged; smaller ones make more cases a minute."""
CASE_SECONDS = 20.0
MEMORY = 3 << 30
"""Address space of a process; a part of it is what is mapped and never used."""

_TARGETS = (
    "explicit-le", "implicit-le", "explicit-be", "deflated", "rle", "jpeg-lossless", "jpeg",
    "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless", "jpegxl-lossless", "jpegxl-jpeg",
    "encapsulated-uncompressed", "deflated-frame", "as it is",
)  # fmt: skip


def files() -> list[Path]:
    """Return the small files of the corpus, or those that pydicom ships."""
    corpus = ROOT.parent / "shared" / "corpus"
    folder = corpus if corpus.is_dir() else Path(pydicom.__file__).parent / "data" / "test_files"
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in {"", ".dcm"} and 0 < path.stat().st_size <= LARGEST
    ]


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged file and what is asked of it.

    Attributes:
        data: the damaged file.
        source: the file that was damaged.
        done: what was done to it.
        options: of its conversion.
    """

    data: bytes
    source: Path
    done: list[str]
    options: dict[str, Any]


class Cases:
    """All cases of a seed, by number."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._files = files()
        self._anatomies: dict[Path, Anatomy] = {}

    def case(self, number: int) -> Case:
        """Return a case; the same one for the same files, seed and number."""
        random = Random(f"{self._seed}/{number}")  # noqa: S311 - nobody must not guess it
        source, other = random.choice(self._files), random.choice(self._files)
        data, done = mutated(self._anatomy(source), self._anatomy(other), random)
        options: dict[str, Any] = {
            "to": random.choice(_TARGETS),
            "lossy": random.random() < 0.5,
            "verify": random.random() < 0.2,
            "standardize": random.random() < 0.3,
        }
        if random.random() < 0.3:
            options["salvage"] = random.choice(("fill", "drop"))
        return Case(data, source, done, options)

    def _anatomy(self, path: Path) -> Anatomy:
        if path not in self._anatomies:
            self._anatomies[path] = anatomy_of(path.read_bytes())
        return self._anatomies[path]


def outcome(case: Case) -> str:
    """Return what became of a case: "result", or the code of an error.

    Raises:
        Exception: anything but a DicodecError is a finding; so is InternalError.
    """
    try:
        found = inspect(case.data)
        settings = dict(case.options)
        if settings["to"] == "as it is":
            settings["to"] = found.transfer_syntax
        options = ConversionOptions(**{**settings, "to": (settings["to"],), "workers": 1})
        convert_with(case.data, io.BytesIO(), options)
    except InternalError:
        raise
    except DicodecError as error:
        str(error)
        json.dumps(error.as_dict())
        return error.code
    return "result"


def work(seed: int) -> int:
    """Run the cases whose numbers come on standard input, one a line; tell of each."""
    cases = Cases(seed)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        try:
            told = outcome(cases.case(int(line)))
        except BaseException as error:  # whatever it is, it is a finding
            told = f"!{error!r}\n{traceback.format_exc()}"
        print(json.dumps(told), flush=True)
    return 0


class _Worker:
    """A process that runs cases, started anew where it crashed or was stopped."""

    def __init__(self, seed: int, seconds: float) -> None:
        self._seed = seed
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def outcome(self, number: int) -> str:
        """Return what became of a case; what begins with "!" is a finding."""
        process = self._process
        if process is None:
            command = [sys.executable, __file__, "--work", "--seed", str(self._seed)]
            process = self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        assert process.stdin is not None
        assert process.stdout is not None
        late = Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = Timer(self._seconds, stop)
        timer.start()
        try:
            process.stdin.write(b"%d\n" % number)
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        timer.cancel()
        if line:
            told: str = json.loads(line)
            return told
        self._process = None
        said = process.communicate()[1].decode(errors="replace").strip()[-2000:]
        if late.is_set():
            return f"!took more than {self._seconds} s"
        return f"!crashed with status {process.returncode}: {said}"

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()


def run(asked: argparse.Namespace) -> int:
    """Run cases in several processes; return how many failed."""
    seed, workers = asked.seed, asked.workers
    end = time.monotonic() + asked.seconds
    free: SimpleQueue[_Worker] = SimpleQueue()
    processes = [_Worker(seed, asked.case_seconds) for _ in range(workers)]
    for process in processes:
        free.put(process)

    def one(number: int) -> tuple[int, str]:
        if time.monotonic() > end:
            return number, ""
        worker = free.get()
        try:
            return number, worker.outcome(number)
        finally:
            free.put(worker)

    outcomes: Counter[str] = Counter()
    failed = 0
    cases = Cases(seed)
    with ThreadPoolExecutor(workers) as pool:
        for number, told in pool.map(one, range(asked.first, asked.first + asked.cases)):
            if not told:
                continue
            if told.startswith("!"):
                failed += 1
                outcomes["FAILED"] += 1
                _keep(cases.case(number), seed, number, told, asked.keep)
            else:
                outcomes[told] += 1
    for process in processes:
        process.close()
    print(f"{sum(outcomes.values())} cases of seed {seed}:")
    for code, count in outcomes.most_common():
        print(f"  {count:6} {code}")
    return failed


def _keep(case: Case, seed: int, number: int, told: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{seed}-{number}.dcm"
    path.write_bytes(case.data)
    print(f"case {number}: {case.source.name}, {', '.join(case.done)}, {case.options}")
    print(f"  {told.strip()[-1500:]}")
    print(f"  kept as {path}; again: python tools/fuzz.py --seed {seed} --only {number}")


def main() -> int:
    """Run what the command line asks for; the exit status is 1 if a case failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES, help=f"how many (default {CASES})")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (default 0)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the cases (default {SEED})")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no case after that long")
    parser.add_argument(
        "--case-seconds", type=float, default=CASE_SECONDS, help="a case may take (default 20)"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--keep", type=Path, default=ROOT / "build" / "fuzz", help="for failures")
    parser.add_argument("--only", type=int, help="run this case alone, in this process")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        return work(asked.seed)
    if asked.only is not None:
        case = Cases(asked.seed).case(asked.only)
        print(f"{case.source}, {', '.join(case.done)}, {case.options}")
        print(outcome(case))
        return 0
    return 1 if run(asked) else 0


if __name__ == "__main__":
    sys.exit(main())
