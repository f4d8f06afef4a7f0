"""Measures that peak memory does not depend on a file's size, in either direction.

Makes multi-frame files from 100 MB to 2 GB, converts them to compressed and to other native
transfer syntaxes and each result back, every conversion a process of its own, and checks that the
samples came back as they were. Two peers convert to implicit-le, to compare with. Exits with 1
where a process of dicodec took 200 MB or more.

    python bench/memory.py --folder /var/tmp
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from measure import MAKE, FailedError, converted, own_peak, run, samples_digest, table
from peers import Work, tools
from syntaxes import NATIVE
from workloads import MB, WORKLOADS

SIZES = (100.0, 500.0, 2000.0)
SYNTAXES = (
    "jpeg-ls",
    "rle",
    "htj2k-lossless",
    "jpeg-lossless",
    "implicit-le",
    "deflated",
)
PEERS = ("gdcmconv", "DCMTK")
LIMIT = 200.0


@dataclass(frozen=True, slots=True)
class Peak:
    """What one conversion took.

    Attributes:
        tool: who converted.
        made_of, made_to: transfer syntaxes.
        native: bytes of all samples.
        peak: bytes of memory.
        wall: seconds.
    """

    tool: str
    made_of: str
    made_to: str
    native: int
    peak: int
    wall: float


def main() -> int:
    """Run the command; return 0, or 1 where a peak is too high or samples differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--folder", type=Path, help="where there is room for three times the largest file")
    add("--sizes-mb", default=",".join(f"{size:g}" for size in SIZES), metavar="A,B,C")
    add("--limit-mb", type=float, default=LIMIT, help="what no process may reach (default 200)")
    add("--syntaxes", default=",".join(SYNTAXES), metavar="A,B,C", help="to convert to and from")
    add("--json", type=Path, metavar="FILE", help="write the figures there too")
    given = parser.parse_args()
    sizes = [float(size) for size in given.sizes_mb.split(",")]
    with tempfile.TemporaryDirectory(prefix="dicodec-bench-", dir=given.folder) as folder:
        try:
            peaks = list(memory(Path(folder), sizes, given.syntaxes.split(",")))
        except FailedError as error:
            print(error, file=sys.stderr)
            return 1
    print(shown(peaks))
    highest = highest_own(peaks)
    print(f"highest peak {highest / MB:.0f} MB, to stay under {given.limit_mb:g} MB")
    if given.json is not None:
        figures = [asdict(peak) for peak in peaks]
        given.json.write_text(json.dumps({"rows": figures}, indent=1) + "\n")
    assert highest > own_peak(), "what measures is larger than what is measured"
    return int(highest >= given.limit_mb * MB)


def memory(folder: Path, sizes_mb: Sequence[float], syntaxes: Sequence[str]) -> Iterator[Peak]:
    """Convert files of these sizes there and back.

    Raises:
        FailedError: a conversion failed, or the samples did not come back as they were.
    """
    frame = WORKLOADS["ct-300"].frame_bits // 8
    for size_mb in sizes_mb:
        frames = max(2, round(size_mb * MB / frame))
        size = frames * frame
        run([*MAKE, "ct-300", folder, "--frames", str(frames)])
        source, made, result = (folder / name for name in ("0000.dcm", "made.dcm", "back.dcm"))
        digest = samples_digest(source, size)
        for syntax in syntaxes:
            there = converted(source, made, syntax)
            back = converted(made, result, NATIVE)
            if samples_digest(result, size) != digest:
                raise FailedError(f"{syntax}: the samples are not those of the source")
            yield Peak("dicodec", NATIVE, syntax, size, there.peak, there.wall)
            yield Peak("dicodec", syntax, NATIVE, size, back.peak, back.wall)
            made.unlink()
            result.unlink()
        yield from _peers(source, size)
        source.unlink()


def _peers(source: Path, size: int) -> Iterator[Peak]:
    """Have peers do what takes them least: no frame is decoded."""
    result = source.parent / "peer"
    result.mkdir()
    work = Work(source.parent, result, (source.name,), NATIVE, "implicit-le")
    for tool in tools():
        command = tool.command(work)
        if tool.name in PEERS and tool.version and command:
            took = run(command)
            yield Peak(tool.name, NATIVE, "implicit-le", size, took.peak, took.wall)
            (result / source.name).unlink()
    result.rmdir()


def highest_own(peaks: Sequence[Peak]) -> int:
    """Return the highest peak of dicodec, in bytes."""
    return max(peak.peak for peak in peaks if peak.tool == "dicodec")


def shown(peaks: Sequence[Peak]) -> str:
    """Return a table: peaks in MB by conversion, a column for each size of file."""
    sizes = sorted({peak.native for peak in peaks})
    cells = [("peak MB", *(f"{size / MB:.0f} MB" for size in sizes))]
    ways = dict.fromkeys((peak.tool, peak.made_of, peak.made_to) for peak in peaks)
    for tool, made_of, made_to in ways:
        by_size = {
            peak.native: f"{peak.peak / MB:.0f}"
            for peak in peaks
            if (peak.tool, peak.made_of, peak.made_to) == (tool, made_of, made_to)
        }
        name = f"{tool}, {made_of} to {made_to}"
        cells.append((name, *(by_size.get(size, "") for size in sizes)))
    return table(cells)


if __name__ == "__main__":
    sys.exit(main())
