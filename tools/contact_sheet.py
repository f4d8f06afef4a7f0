"""Show every color and palette file of a folder before and after conversions, as PNGs to look at.

    python tools/contact_sheet.py FOLDER OUTPUT_FOLDER

A row is a file: its first frame, then the same after conversion to jpeg, jpeg2000, jpeg-ls and
rle, each brought back to explicit-le; more than 8 bits are rescaled for jpeg. Gray: the transfer
syntax cannot hold it. What is in which row, and by how much red, green and blue are off on the
average, is printed; more than 2 of 255 is marked.
"""

from __future__ import annotations

import sys
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from dicodec import convert_bytes
from dicodec.comparison.image_pair import open_side
from dicodec.comparison.picture import join_panes, prepare, render
from dicodec.errors import DicodecError
from dicodec.model.image import MONOCHROME
from dicodec.repair.opening import open_tolerantly

TARGETS = ("jpeg", "jpeg2000", "jpeg-ls", "rle")
SIDE = 192
"""Rows and columns of a cell."""

ROWS = 6
"""Files on a sheet."""

LARGEST_SHIFT = 2.0
"""Of 255: how far the mean of a color may move before it is marked."""

type Picture = NDArray[np.uint8]


def picture(source: Path | bytes) -> Picture | None:
    """Return the first frame of a color image as RGB; None of anything else."""
    with open_tolerantly(source) as file:
        if not file.frames.present or not file.syntax.reads:
            return None
        if file.frames.image.photometric_interpretation in MONOCHROME:
            return None
        side = open_side(file, None)
        return render(prepare(side, 0, side.read(0)))


def converted(source: Path, target: str) -> Picture | None:
    """Return the first frame after a conversion and back; None where it cannot be made."""
    fewer = target == "jpeg"
    try:
        there = convert_bytes(source.read_bytes(), to=target, lossy=True, rescale_to_8bit=fewer)
        return picture(convert_bytes(there, to="explicit-le"))
    except DicodecError:
        return None


def cell(image: Picture | None) -> Picture:
    """Return a picture in the size of a cell: made smaller by means, as dither would alias."""
    filled = np.full((SIDE, SIDE, 3), 128, np.uint8)
    if image is None:
        return filled
    step = -(-max(image.shape[:2]) // SIDE)
    starts = [np.arange(0, size, step) for size in image.shape[:2]]
    sums = np.add.reduceat(image.astype(np.float64), starts[0], axis=0)
    sums = np.add.reduceat(sums, starts[1], axis=1)
    counts = [np.diff([*start, size]) for start, size in zip(starts, image.shape, strict=False)]
    small = np.rint(sums / np.multiply.outer(*counts)[..., np.newaxis]).astype(np.uint8)
    times = max(SIDE // max(small.shape[:2]), 1)
    large = small.repeat(times, axis=0).repeat(times, axis=1)
    filled[: large.shape[0], : large.shape[1]] = large
    return filled


def shift(before: Picture, after: Picture | None) -> str:
    """Say how far the means of red, green and blue are off."""
    if after is None:
        return "-"
    means = after.mean(axis=(0, 1)) - before.mean(axis=(0, 1))
    mark = " SHIFTED" if np.abs(means).max() > LARGEST_SHIFT else ""
    return ",".join(f"{mean:+.1f}" for mean in means) + mark


def main(folder: Path, output: Path) -> None:
    """Make the sheets of a folder."""
    output.mkdir(parents=True, exist_ok=True)
    rows: list[Picture] = []
    sheets = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            before = picture(path)
        except DicodecError:
            continue
        if before is None:
            continue
        after = [converted(path, target) for target in TARGETS]
        rows.append(join_panes([cell(one) for one in (before, *after)]))
        shifts = [f"{name} {shift(before, one)}" for name, one in zip(TARGETS, after, strict=True)]
        print(f"sheet {sheets + 1:02} row {len(rows)}: {path.relative_to(folder)}:", *shifts)
        if len(rows) == ROWS:
            sheets += 1
            write(output, sheets, rows)
            rows = []
    if rows:
        write(output, sheets + 1, rows)


def write(output: Path, sheet: int, rows: list[Picture]) -> None:
    """Write a sheet."""
    content = imagecodecs.png_encode(np.concatenate(rows))
    (output / f"sheet-{sheet:02}.png").write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
