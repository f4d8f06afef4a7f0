"""Has all tools do the same work, and says what each took: a row for each conversion.

The tools take turns, so that a busy moment of the machine hits all of them. Each result is
decoded by another tool than its maker before its time counts (check.py).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from measure import MAKE, FailedError, Run, TooLongError, run
from peers import Command, Tool, Work, tools
from syntaxes import NATIVE, SYNTAXES
from workloads import Workload

HERE = Path(__file__).parent
MEMORY = Path("/dev/shm")
LONG = 4.0
"""Seconds that a tool is given in all before it is not run again."""
NEAR = 2.0
"""How many times as long as the fastest peer another one may take to be run again."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one tool took for one conversion: medians of its runs, ratios of paired runs.

    Attributes:
        tool: its name.
        wall, cpu: seconds.
        peak: bytes of memory, of the process that took most.
        size: bytes of the result.
        wall_ratio, cpu_ratio: how many times as long as dicodec it took.
        runs: how many.
        error: the largest error of a sample.
        lost: how many top-level elements the result lacks.
        note: what is odd in a result whose pixels are right.
        failure: why there are no figures, else "".
    """

    tool: str
    wall: float = 0
    cpu: float = 0
    peak: int = 0
    size: int = 0
    wall_ratio: float = 0
    cpu_ratio: float = 0
    runs: int = 0
    error: int = 0
    lost: int = 0
    note: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One conversion of one workload.

    Attributes:
        workload: its name.
        made_of, made_to: transfer syntaxes.
        figures: of dicodec first, then the peers that can do it at all.
        codec: seconds of the codec alone, 0 where the row has none.
        copied, synced: seconds of `cp` of the native files, the larger side of the row, and of `cp`
            that also reaches the disk.
    """

    workload: str
    made_of: str
    made_to: str
    figures: list[Figure]
    codec: float
    copied: float
    synced: float

    @property
    def name(self) -> str:
        """From what to what."""
        return f"{self.made_of} to {self.made_to}"

    @property
    def own(self) -> Figure:
        """What dicodec took."""
        return self.figures[0]


@dataclass(slots=True)
class Trial:
    """The place where files are, and how often and how long things are tried.

    Attributes:
        folder: where there is room.
        repeats: runs of what does not take long.
        timeout: seconds that one run of a peer may take.
        peers: dicodec and its peers.
    """

    folder: Path
    repeats: int
    timeout: float
    peers: list[Tool] = field(default_factory=tools)

    def rows(self, workload: Workload, only: str = "") -> Iterator[Row]:
        """Convert a workload to each of its transfer syntaxes and back.

        Args:
            workload: what is converted.
            only: a part of the names of the conversions to try.
        """
        if workload.in_memory and self.folder.parent != MEMORY:
            with tempfile.TemporaryDirectory(prefix="dicodec-bench-", dir=MEMORY) as folder:
                yield from replace(self, folder=Path(folder)).rows(workload, only)
            return
        native = self._made(workload)
        names = tuple(sorted(path.name for path in native.iterdir()))
        compressed = self.folder / "compressed"
        for syntax in workload.syntaxes:
            result, durability = self.folder / "result", workload.durability
            there = Work(native, result, names, NATIVE, syntax, durability)
            back = Work(compressed, result, names, syntax, NATIVE, durability)
            wanted = [way for way in (there, back) if only in f"{way.made_of} to {way.made_to}"]
            if not wanted:
                continue
            try:
                self._compress(there, compressed)
            except FailedError as error:
                nothing = [Figure("dicodec", failure=str(error))]
                for way in wanted:
                    yield Row(workload.name, way.made_of, way.made_to, nothing, 0, 0, 0)
            else:
                codec = _codec_alone(native, compressed, syntax)
                for way in wanted:
                    yield self._row(workload, way, native, codec)
            shutil.rmtree(compressed)
        shutil.rmtree(native)

    def _made(self, workload: Workload) -> Path:
        _show_progress(f"making {workload.name}")
        folder = self.folder / "native"
        counts = ("--frames", str(workload.frames), "--files", str(workload.files))
        run([*MAKE, workload.name, folder, *counts])
        return folder

    def _compress(self, there: Work, compressed: Path) -> None:
        """Have dicodec make what the way back begins with."""
        compressed.mkdir()
        work = Work(there.source, compressed, there.names, NATIVE, there.made_to)
        command = self.peers[0].command(work)
        assert command is not None
        run(command)
        for path in compressed.iterdir():  # a ledger lies there too
            if path.name not in there.names:
                path.unlink()

    def _row(self, workload: Workload, work: Work, native: Path, codec: dict[str, float]) -> Row:
        doers = [
            tool
            for tool in self.peers
            if tool.version and (tool.ours or not workload.peers or tool.name in workload.peers)
        ]
        said = {tool.name: tool.command(work) for tool in doers}
        commands = {name: command for name, command in said.items() if command is not None}
        copies = {"cp": _copy(native, work), "cp + sync": _copy(native, work, sync=True)}
        runs: dict[str, list[Run]] = {name: [] for name in (*commands, *copies)}
        found: dict[str, dict[str, Any]] = {name: {} for name in commands}
        for repeat in range(self.repeats):
            for name, command in (commands | copies).items():
                if repeat and not _again(name, runs, found):
                    continue
                _show_progress(f"{workload.name}: {work.made_of} to {work.made_to}, {name}")
                try:
                    runs[name].append(self._timed(command, work))
                except TooLongError as error:
                    found[name]["problem"] = str(error)
                except FailedError as error:
                    found[name]["problem"] = f"refuses: {error}"
                if not repeat and name in commands:
                    shutil.move(work.target, self.folder / f"result of {name}")
            if not repeat:
                self._check(workload, work, native, found)
        shutil.rmtree(work.target)
        _show_progress("")
        figures = [
            Figure(name, failure=found[name]["problem"])
            if found[name]["problem"]
            else _figure(name, runs[name], runs["dicodec"], found[name])
            for name in commands
        ]
        copied, synced = (median(one.wall for one in runs[name]) for name in copies)
        bound = codec["encode" if work.made_of == NATIVE else "decode"] if codec else 0
        return Row(workload.name, work.made_of, work.made_to, figures, bound, copied, synced)

    def _timed(self, command: Command, work: Work) -> Run:
        shutil.rmtree(work.target, ignore_errors=True)
        work.target.mkdir()
        names = self.folder / "names"
        names.write_text("".join(f"{name}\n" for name in work.names))
        os.sync()  # what others left to write is not to be waited for
        return run(command, names=names, timeout=self.timeout)

    def _check(
        self, workload: Workload, work: Work, native: Path, found: dict[str, dict[str, Any]]
    ) -> None:
        """Enter what is wrong with the results of the first round, and their sizes."""
        _show_progress(f"{workload.name}: {work.made_of} to {work.made_to}, checking")
        made = {name: self.folder / f"result of {name}" for name in found}
        largest, typical = SYNTAXES[work.compressed].bounds(workload.stored)
        done = subprocess.run(
            [
                *(sys.executable, HERE / "check.py", native),
                *("--to", work.made_to, "--bounds", f"{largest},{typical}"),
                *(f"{name}={made[name]}" for name in found if not found[name].get("problem")),
            ],
            stdout=subprocess.PIPE,
            check=True,
        )
        for name, what in json.loads(done.stdout).items():
            found[name].update(what)
        for name, folder in made.items():
            found[name]["size"] = sum(path.stat().st_size for path in folder.glob("*.dcm"))
            shutil.rmtree(folder)


def _again(name: str, runs: dict[str, list[Run]], found: dict[str, dict[str, Any]]) -> bool:
    """Return whether another run of a tool would tell more than the time it takes."""
    if found.get(name, {}).get("problem") or sum(one.wall for one in runs[name]) > LONG:
        return False
    peers = [runs[one][0].wall for one in found if one != "dicodec" and not found[one]["problem"]]
    return name not in found or name == "dicodec" or runs[name][0].wall < NEAR * min(peers)


def _copy(native: Path, work: Work, *, sync: bool = False) -> Command:
    if not sync:
        return ["cp", "-r", native / ".", work.target]
    told = 'cp -r "$0"/. "$1" && cd "$1" && sync *'
    return ["sh", "-c", told, native, work.target]


def _codec_alone(native: Path, compressed: Path, syntax: str) -> dict[str, float]:
    if not SYNTAXES[syntax].codec:
        return {}
    _show_progress(f"{syntax} alone")
    done = subprocess.run(
        [sys.executable, HERE / "codec_alone.py", native, compressed, syntax],
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def _figure(name: str, runs: Sequence[Run], own: Sequence[Run], found: dict[str, Any]) -> Figure:
    pairs = list(zip(runs, own, strict=False))
    return Figure(
        tool=name,
        wall=median(one.wall for one in runs),
        cpu=median(one.cpu for one in runs),
        peak=max(one.peak for one in runs),
        size=found["size"],
        wall_ratio=median(one.wall / other.wall for one, other in pairs) if pairs else 0,
        cpu_ratio=median(one.cpu / other.cpu for one, other in pairs) if pairs else 0,
        runs=len(runs),
        error=found["error"],
        lost=found["lost"],
        note=found["note"],
    )


def _show_progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
