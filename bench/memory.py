"""Measures that peak memory does not depend on a file's size, in either direction.

Makes a multi-frame file of 1 GB, converts it to compressed and to other native transfer syntaxes
and each result back, every conversion a process of its own, and checks that the samples came back
as they were. Exits with 1 where a process took 200 MB or more.

    python bench/memory.py --folder /var/tmp
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from measure import MAKE_CT, FailedError, Run, converted, own_peak, run, samples_digest, table

MB = 1000 * 1000
FRAME_SIZE = 512 * 512 * 2
SYNTAXES = (
    "jpeg-ls",
    "rle",
    "htj2k-lossless",
    "jpeg-lossless",
    "deflated-frame",
    "encapsulated-uncompressed",
    "implicit-le",
    "explicit-be",
    "deflated",
)


def main() -> int:
    """Run the command; return 0, or 1 where a peak is too high or samples differ."""
    given = _arguments()
    frames = max(2, round(given.size_mb * MB / FRAME_SIZE))
    rows = []
    with tempfile.TemporaryDirectory(prefix="dicodec-bench-", dir=given.folder) as name:
        folder = Path(name)
        source = folder / "source.dcm"
        run([*MAKE_CT, source, "--frames", str(frames)])
        digest = samples_digest(source, frames * FRAME_SIZE)
        for syntax in given.syntaxes.split(","):
            try:
                rows.append(_there_and_back(source, syntax, frames * FRAME_SIZE, digest))
            except FailedError as error:
                print(f"{syntax}: {error}", file=sys.stderr)
                return 1
    limit = int(given.limit_mb * MB)
    print(f"{frames} frames of 512x512x16, {frames * FRAME_SIZE // MB} MB; samples identical")
    print(_shown(rows))
    highest = max(row.peak for row in rows)
    print(f"highest peak {highest / MB:.0f} MB, to stay under {limit // MB} MB")
    if given.json is not None:
        figures = {"frames": frames, "rows": [asdict(row) for row in rows]}
        given.json.write_text(json.dumps(figures, indent=1) + "\n")
    assert highest > own_peak(), "what measures is larger than what is measured"
    return int(highest >= limit)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--folder", type=Path, help="where there is room for three times the file")
    add(
        "--size-mb", type=float, default=1074, help="of the file that is made (default 2048 frames)"
    )
    add("--limit-mb", type=float, default=200, help="what no process may reach (default 200)")
    add("--syntaxes", default=",".join(SYNTAXES), metavar="A,B,C", help="to convert to and from")
    add("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class _Row:
    """One syntax: what the way there and the way back took, and the size of the file between."""

    syntax: str
    size: int
    there: Run
    back: Run

    @property
    def peak(self) -> int:
        return max(self.there.peak, self.back.peak)


def _there_and_back(source: Path, syntax: str, size: int, digest: str) -> _Row:
    made, result = source.with_name("made.dcm"), source.with_name("back.dcm")
    there = converted(source, made, syntax)
    made_size = made.stat().st_size
    back = converted(made, result, "explicit-le")
    if samples_digest(result, size) != digest:
        raise FailedError("the samples are not those of the source")
    made.unlink()
    result.unlink()
    return _Row(syntax, made_size, there, back)


def _shown(rows: list[_Row]) -> str:
    head = ("explicit-le to", "MB", "peak MB", "s", "CPU s", "back: peak MB", "s", "CPU s")
    cells = [(row.syntax, _mb(row.size), *_cells(row.there), *_cells(row.back)) for row in rows]
    return table([head, *cells])


def _cells(run: Run) -> tuple[str, str, str]:
    return _mb(run.peak), f"{run.wall:.1f}", f"{run.cpu:.1f}"


def _mb(size: int) -> str:
    return f"{size / MB:.0f}"


if __name__ == "__main__":
    sys.exit(main())
