"""Measures what one small file costs: starting, reading its header, converting it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from measure import CONVERT, MAKE, converted, run, table

HELP = (sys.executable, "-m", "dicodec.cli.main", "--help")
HEADER = (sys.executable, str(Path(__file__).with_name("header.py")))


@dataclass(frozen=True, slots=True)
class StartUpRow:
    """One thing that is done to one small file.

    Attributes:
        what: what is done.
        best, median: milliseconds.
        limit: milliseconds to stay under; 0 where the row is only there to compare with.
    """

    what: str
    best: float
    median: float
    limit: float = 0

    @property
    def met(self) -> bool:
        """Whether the best run is fast enough: others may share the machine with us."""
        return not self.limit or self.best < self.limit

    def cells(self) -> tuple[str, ...]:
        """Return what a line of the table shows."""
        limit = f"< {self.limit:g}: {'met' if self.met else 'missed'}" if self.limit else ""
        return self.what, f"{self.best:.3g}", f"{self.median:.3g}", limit


def start_up_rows(folder: Path, repeats: int) -> list[StartUpRow]:
    """Return rows for `dicodec --help`, whole conversions of one CT slice, and its header."""
    run([*MAKE, "ct", folder])
    source = folder / "0000.dcm"
    rle = folder / "ct-rle.dcm"
    converted(source, rle, "rle")
    target = folder / "converted.dcm"
    whole = {
        f"one CT, {name}, whole process": (*CONVERT, path, "--to", syntax, "-o", target)
        for name, path, syntax in (
            ("explicit-le to implicit-le", source, "implicit-le"),
            ("explicit-le to explicit-be", source, "explicit-be"),
            ("explicit-le to jpeg-ls", source, "jpeg-ls"),
            ("explicit-le to htj2k-lossless", source, "htj2k-lossless"),
            ("explicit-le to rle", source, "rle"),
            ("rle to explicit-le", rle, "explicit-le"),
        )
    }
    commands: dict[str, tuple[Sequence[str | Path], float]] = {
        "python, doing nothing": ((sys.executable, "-c", ""), 0),
        "python, importing numpy": ((sys.executable, "-c", "import numpy"), 0),
        "dicodec --help": (HELP, 150),
        **{what: (command, 300) for what, command in whole.items()},
        "gdcmconv --jpegls, the same CT": (("gdcmconv", "--jpegls", source, target), 0),
        "dcmcjpls, the same CT": (("dcmcjpls", source, target), 0),
    }
    for command, _ in commands.values():
        run(command)  # the first run compiles modules and fills caches
    walls: dict[str, list[float]] = {what: [] for what in commands}
    for _ in range(repeats):  # in turn, so that a busy moment hits all of them
        for what, (command, _) in commands.items():
            walls[what].append(1000 * run(command).wall)
    rows = [
        StartUpRow(what, min(walls[what]), median(walls[what]), limit)
        for what, (_, limit) in commands.items()
    ]
    return [*rows, *_header_rows(source)]


def shown(rows: Sequence[StartUpRow]) -> str:
    """Return a table for a terminal."""
    return table([("what", "best ms", "median ms", "to reach"), *(row.cells() for row in rows)])


def _header_rows(source: Path) -> list[StartUpRow]:
    said = subprocess.run([*HEADER, source], check=True, stdout=subprocess.PIPE).stdout
    return [StartUpRow(row["what"], row["best"], row["median"], 1) for row in json.loads(said)]
