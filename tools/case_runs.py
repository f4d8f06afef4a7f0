"""Run numbered cases in processes that may crash or hang, and count what became of them.

A script has a class of cases and gives two functions to `main`: one that makes a case of a seed and
a number, one that returns its outcomes: words to count. An outcome that begins with "!" is a
finding: its file is kept, and the command that runs it again is printed. One that begins with "?"
is counted, and its number is printed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Timer
from typing import Protocol

ROOT = Path(__file__).resolve().parent.parent
MEMORY = 3 << 30
"""Address space of a process; a part of it is what is mapped and never used."""


class Case(Protocol):
    """A file and what is asked of it."""

    @property
    def data(self) -> bytes:
        """The file, which is kept if the case is a finding."""

    def describe(self) -> str:
        """Return what was done to the file and what is asked, in one line."""


type MakeCase[C: Case] = Callable[[int], C]


def main[C: Case](
    script: Path,
    about: str,
    cases_of_seed: Callable[[int], MakeCase[C]],
    outcomes_of: Callable[[C], list[str]],
    *,
    cases: int,
    case_seconds: float,
) -> int:
    """Run what the command line asks for; the exit status is 1 if a case is a finding.

    Args:
        script: the command's own file, which is started again in each process.
        about: its description.
        cases_of_seed: gives the function that makes a case from its number.
        outcomes_of: runs a case.
        cases: how many are run by default.
        case_seconds: how long one may take by default.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--cases", type=int, default=cases, help=f"how many (default {cases})")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (default 0)")
    parser.add_argument("--seed", type=int, default=1, help="of the cases (default 1)")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no case after that long")
    parser.add_argument(
        "--case-seconds",
        type=float,
        default=case_seconds,
        help=f"a case may take (default {case_seconds:g})",
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--keep", type=Path, default=ROOT / "build" / "fuzz", help="for findings")
    parser.add_argument("--only", type=int, help="run this case alone, in this process")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    make = cases_of_seed(asked.seed)
    if asked.work:
        return _work(make, outcomes_of)
    if asked.only is not None:
        case = make(asked.only)
        print(case.describe())
        print("\n".join(outcomes_of(case)))
        return 0
    return 1 if _run(script, asked, make) else 0


def _work[C: Case](make: MakeCase[C], outcomes_of: Callable[[C], list[str]]) -> int:
    """Run the cases whose numbers come on standard input, one a line; report each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        try:
            outcomes = outcomes_of(make(int(line)))
        except BaseException as error:  # whatever it is, it is a finding
            outcomes = [f"!{error!r}\n{traceback.format_exc()}"]
        print(json.dumps(outcomes), flush=True)
    return 0


class _Worker:
    """A process that runs cases, started anew if it crashed or was stopped."""

    def __init__(self, script: Path, seed: int, seconds: float) -> None:
        self._command = [sys.executable, str(script), "--work", "--seed", str(seed)]
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def outcomes(self, number: int) -> list[str]:
        """Return what became of a case."""
        process = self._process
        if process is None:
            process = self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
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
            outcomes: list[str] = json.loads(line)
            return outcomes
        self._process = None
        said = process.communicate()[1].decode(errors="replace").strip()[-2000:]
        if late.is_set():
            return [f"!took more than {self._seconds} s"]
        return [f"!crashed with status {process.returncode}: {said}"]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()


def _run[C: Case](script: Path, asked: argparse.Namespace, make: MakeCase[C]) -> int:
    """Run cases in several processes; return how many are findings."""
    end = time.monotonic() + asked.seconds
    free: SimpleQueue[_Worker] = SimpleQueue()
    processes = [_Worker(script, asked.seed, asked.case_seconds) for _ in range(asked.workers)]
    for process in processes:
        free.put(process)

    def one(number: int) -> tuple[int, list[str]]:
        if time.monotonic() > end:
            return number, []
        worker = free.get()
        try:
            return number, worker.outcomes(number)
        finally:
            free.put(worker)

    counts: Counter[str] = Counter()
    run = failed = 0
    with ThreadPoolExecutor(asked.workers) as pool:
        for number, outcomes in pool.map(one, range(asked.first, asked.first + asked.cases)):
            run += bool(outcomes)
            findings = [outcome[1:] for outcome in outcomes if outcome.startswith("!")]
            if findings:
                failed += 1
                counts["FAILED"] += 1
                _keep(make(number), script, asked, number, findings)
            for outcome in outcomes:
                if outcome.startswith("?"):
                    print(f"case {number}: {outcome[1:]}")
            counts.update(outcome.lstrip("?") for outcome in outcomes if outcome[0] != "!")
    for process in processes:
        process.close()
    print(f"{run} cases of seed {asked.seed}:")
    for outcome, count in counts.most_common():
        print(f"  {count:6} {outcome}")
    return failed


def _keep(
    case: Case, script: Path, asked: argparse.Namespace, number: int, findings: list[str]
) -> None:
    asked.keep.mkdir(parents=True, exist_ok=True)
    path = asked.keep / f"{script.stem}-{asked.seed}-{number}.dcm"
    path.write_bytes(case.data)
    print(f"case {number}: {case.describe()}")
    for finding in findings:
        print(f"  {finding.strip()[-1500:]}")
    again = f"python tools/{script.name} --seed {asked.seed} --only {number}"
    print(f"  kept as {path}; again: {again}", flush=True)
