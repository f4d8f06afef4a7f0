"""Measure which branches of some rooms their own tests take, and hold the share to a floor.

The tests run once more, because measuring the whole suite would double its time. Programs that they
start are not measured. Property tests try few examples, always the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "src/dicodec/"

FLOORS = {
    "part10/": 85,
    "conversion/planning/": 84,
    "conversion/verification/": 90,
    "conversion/output/": 82,
    "service/worker/settlement.py": 90,
}
"""Percent of the branches: what was measured, rounded down. Whoever lowers one says why."""

TESTS = (
    "tests/part10",
    "tests/conversion/planning",
    "tests/conversion/frames/test_mixed_streams.py",
    "tests/repair/test_empty_frames.py",
    "tests/whole/test_limits.py",
    "tests/whole/test_photometric_gray.py",
    "tests/whole/test_rescaling.py",
    "tests/conversion/verification",
    "tests/conversion/output",
    "tests/conversion/test_conversion.py",
    "tests/conversion/test_directories.py",
    "tests/conversion/test_in_place.py",
    "tests/batch/test_kept_originals.py",
    "tests/batch/test_restoring.py",
    "tests/service/worker/test_settlement.py",
)


class Branches(NamedTuple):
    """Branches of one room, and how many of them were taken."""

    taken: int
    there: int

    @property
    def percent(self) -> float:
        """The share that was taken."""
        return 100 * self.taken / self.there if self.there else 100.0


def measured(folder: Path) -> dict[str, Branches]:
    """Run the tests and return the branches of each room; coverage's data stays in `folder`."""
    report = folder / "coverage.json"
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--numprocesses", "auto"]
    pytest += ["--hypothesis-profile", "few", "--cov", f"--cov-report=json:{report}", *TESTS]
    environment = {
        **os.environ,
        "DICODEC_CORPUS": str(folder),  # none: the same tests run everywhere
        "DICODEC_TESTS_MUST_RUN": "",
        "COVERAGE_FILE": str(folder / "coverage"),
    }
    subprocess.run(pytest, cwd=ROOT, env=environment, check=True)
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    rooms = {}
    for room in FLOORS:
        summaries = [one["summary"] for name, one in files.items() if SOURCE + room in name]
        rooms[room] = Branches(
            sum(one["covered_branches"] for one in summaries),
            sum(one["num_branches"] for one in summaries),
        )
    return rooms


def too_few(rooms: dict[str, Branches]) -> list[str]:
    """Return the rooms that are below their floor, or of which nothing was measured."""
    return [
        room
        for room, branches in rooms.items()
        if not branches.there or branches.percent < FLOORS[room]
    ]


def main() -> int:
    """Print a line for each room; return 1 if one is below its floor."""
    with tempfile.TemporaryDirectory() as folder:
        rooms = measured(Path(folder))
    for room, branches in rooms.items():
        print(
            f"{room:30} {branches.taken:5} of {branches.there:5} branches,"
            f" {branches.percent:5.1f} %, floor {FLOORS[room]} %"
        )
    for room in (below := too_few(rooms)):
        print(f"{room} is below its floor", file=sys.stderr)
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
