"""Measures speed beside gdcmconv and DCMTK's tools, in the same run, each a process of its own.

300 frames of 512x512x16 bit go to JPEG lossless (.70), JPEG-LS (.80), JPEG 2000 (.90) and RLE and
back, and from each native transfer syntax to the others. All tools convert the same file in turn;
the result of each is checked before its time counts: those of others are decoded by dicodec, those
of dicodec by the others. Ratios are of times taken one after the other, so that a busy machine
slows both; above 1 dicodec is the faster one. dicodec syncs what it wrote, the others do not.

    python bench/speed.py --repeats 5 --json speed.json
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from measure import CONVERT, MAKE_CT, FailedError, Run, converted, run, samples_digest, table
from start_up import start_up_rows

FRAME_SIZE = 512 * 512 * 2
MB = 1000 * 1000

type Command = tuple[str | Path, ...]
type Tool = Callable[[Path, Path], Command]


def _dicodec(syntax: str) -> Tool:
    return lambda source, target: (*CONVERT, source, "--to", syntax, "-o", target)


def _with(*command: str) -> Tool:
    return lambda source, target: (*command, source, target)


@dataclass(frozen=True, slots=True)
class Conversion:
    """One way to convert, and what goes it.

    Attributes:
        source: the transfer syntax it starts from: made by dicodec from the explicit-le file.
        target: the transfer syntax it leads to.
        tools: by name; dicodec is the first.
    """

    source: str
    target: str
    tools: dict[str, Tool]

    @property
    def name(self) -> str:
        """From what to what."""
        return f"{self.source} to {self.target}"


def _conversions() -> list[Conversion]:
    native, found = "explicit-le", []
    for syntax, flag, encoder, decoder in (
        ("jpeg-lossless", "--jpeg", "dcmcjpeg", "dcmdjpeg"),
        ("jpeg-ls", "--jpegls", "dcmcjpls", "dcmdjpls"),
        ("jpeg2000-lossless", "--j2k", None, None),
        ("rle", "--rle", "dcmcrle", "dcmdrle"),
    ):
        there = {"dicodec": _dicodec(syntax), "gdcmconv": _with("gdcmconv", flag)}
        back = {"dicodec": _dicodec(native), "gdcmconv": _with("gdcmconv", "--raw")}
        if encoder and decoder:
            there[encoder], back[decoder] = _with(encoder), _with(decoder)
        found += [Conversion(native, syntax, there), Conversion(syntax, native, back)]
    moves: tuple[tuple[str, str, str | None, str], ...] = (
        (native, "implicit-le", "--implicit", "+ti"),
        ("implicit-le", native, "--explicit", "+te"),
        (native, "explicit-be", None, "+tb"),
        ("explicit-be", native, "--explicit", "+te"),
    )
    for source, target, form, option in moves:
        tools = {"dicodec": _dicodec(target)}
        if form:
            tools["gdcmconv"] = _with("gdcmconv", "--raw", form)
        tools["dcmconv"] = _with("dcmconv", option)
        tools["cp"] = _with("cp")
        tools["cp, sync"] = lambda source, target: ("sh", "-c", 'cp "$0" "$1" && sync "$1"',
                                                    source, target)  # fmt: skip
        found.append(Conversion(source, target, tools))
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """What one tool took for one conversion: medians of the runs, and ratios of paired runs.

    Attributes:
        conversion, tool: names.
        wall, cpu: seconds.
        peak: bytes of memory.
        size: bytes of the result.
        wall_ratio, cpu_ratio: how many times as long as dicodec it took.
        failure: why there are no figures, else "".
    """

    conversion: str
    tool: str
    wall: float = 0
    cpu: float = 0
    peak: int = 0
    size: int = 0
    wall_ratio: float = 0
    cpu_ratio: float = 0
    failure: str = ""


def main() -> int:
    """Run the command; return 0, or 1 where dicodec fails or misses a measure of start-up."""
    given = _arguments()
    frames = 20 if given.short else given.frames
    with tempfile.TemporaryDirectory(prefix="dicodec-bench-", dir=given.folder) as name:
        folder = Path(name)
        bench = _Bench(folder, frames, given.repeats)
        rows = [
            row
            for conversion in _conversions()
            if given.only in conversion.name
            for row in bench.rows(conversion)
        ]
        cores = len(os.sched_getaffinity(0))
        size = frames * FRAME_SIZE // MB
        print(f"{frames} frames of 512x512x16, {size} MB; {given.repeats} runs on {cores} cores")
        print(_shown(rows), flush=True)
        starts = start_up_rows(folder, 5 if given.short else 15)
        print(f"\n{table([row.cells() for row in starts])}")
    if given.json is not None:
        figures = {
            "frames": frames,
            "conversions": [asdict(row) for row in rows],
            "start_up": [asdict(row) for row in starts],
        }
        given.json.write_text(json.dumps(figures, indent=1) + "\n")
    failed = any(row.tool == "dicodec" and row.failure for row in rows)
    return int(failed or not all(row.met for row in starts))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--folder", type=Path, help="where there is room for the files")
    add("--frames", type=int, default=300)
    add("--repeats", type=int, default=3, help="runs of each tool and conversion (default 3)")
    add("--only", default="", metavar="TEXT", help="conversions whose names have it")
    add("--short", action="store_true", help="20 frames: to see that it works")
    add("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


class _Bench:
    """The files that are converted, one a source syntax, and the digest of their samples."""

    def __init__(self, folder: Path, frames: int, repeats: int) -> None:
        self._folder = folder
        self._size = frames * FRAME_SIZE
        self._repeats = repeats
        self._sources = {"explicit-le": folder / "explicit-le.dcm"}
        run([*MAKE_CT, self._sources["explicit-le"], "--frames", str(frames)])
        self._digest = samples_digest(self._sources["explicit-le"], self._size)

    def rows(self, conversion: Conversion) -> list[Row]:
        """Run all tools in turn, several times, and return a row for each."""
        source = self._source(conversion.source)
        tools = {name: tool for name, tool in conversion.tools.items() if _installed(tool)}
        runs: dict[str, list[Run]] = {name: [] for name in tools}
        failures: dict[str, str] = {}
        sizes: dict[str, int] = {}
        for repeat in range(self._repeats):
            for name, tool in tools.items():
                if name in failures:
                    continue
                _show_progress(f"{conversion.name}, {name}")
                target = self._folder / "result.dcm"
                try:
                    runs[name].append(_timed(tool(source, target)))
                    sizes[name] = target.stat().st_size
                    if not repeat:
                        self._check(target, conversion, name)
                except FailedError as error:
                    failures[name] = str(error)
                target.unlink(missing_ok=True)
        _show_progress("")
        return [
            Row(conversion.name, name, failure=failures[name])
            if name in failures
            else _row(conversion.name, name, runs[name], runs["dicodec"], sizes[name])
            for name in tools
        ]

    def _source(self, syntax: str) -> Path:
        if syntax not in self._sources:
            path = self._folder / f"{syntax}.dcm"
            converted(self._sources["explicit-le"], path, syntax)
            self._sources[syntax] = path
        return self._sources[syntax]

    def _check(self, result: Path, conversion: Conversion, tool: str) -> None:
        """Decode a compressed result with another tool than its own; compare the samples."""
        if tool.startswith("cp"):
            return
        target, native = conversion.target, result
        if target not in {"explicit-le", "implicit-le", "explicit-be"}:
            native = result.with_name("checked.dcm")
            back = next(way for way in _conversions() if way.source == target)
            others = [other for name, other in back.tools.items() if name != "dicodec"]
            other = next(filter(_installed, others), back.tools["dicodec"])
            decode = other if tool == "dicodec" else back.tools["dicodec"]
            run(decode(result, native))
        digest = samples_digest(native, self._size, big_endian=target == "explicit-be")
        if digest != self._digest:
            raise FailedError("wrong samples")


def _show_progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _installed(tool: Tool) -> bool:
    return shutil.which(tool(Path(), Path())[0]) is not None


def _timed(command: Command) -> Run:
    os.sync()  # what others left to write is not to be waited for
    return run(command)


def _row(conversion: str, tool: str, runs: Sequence[Run], own: Sequence[Run], size: int) -> Row:
    pairs = list(zip(runs, own, strict=False))
    return Row(
        conversion,
        tool,
        median(one.wall for one in runs),
        median(one.cpu for one in runs),
        max(one.peak for one in runs),
        size,
        median(one.wall / other.wall for one, other in pairs),
        median(one.cpu / other.cpu for one, other in pairs),
    )


def _shown(rows: Sequence[Row]) -> str:
    cells: list[tuple[str, ...]] = [
        ("conversion", "tool", "s", "CPU s", "peak MB", "result MB", "times s", "times CPU")
    ]
    for row in rows:
        name = row.conversion if row.tool == "dicodec" else ""
        if row.failure:
            cells.append((name, row.tool, row.failure[:40], "", "", "", "", ""))
            continue
        ratios = ("", "") if row.tool == "dicodec" else (row.wall_ratio, row.cpu_ratio)
        cells.append(
            (
                name,
                row.tool,
                f"{row.wall:.2f}",
                f"{row.cpu:.2f}",
                f"{row.peak / MB:.0f}",
                f"{row.size / MB:.1f}",
                *(f"{ratio:.2f}" if ratio else "" for ratio in ratios),
            )
        )
    return table(cells)


if __name__ == "__main__":
    sys.exit(main())
