"""Write lossless JPEG as ISO/IEC 10918-1 Annex H has it, sample by sample, in its rare forms too.

It is slow and shares nothing with dicodec or libjpeg, so both can be held against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

type Pixels = np.ndarray[Any, Any]

EVEN = (5,) * 17
"""Lengths of the codes of categories 0 to 16: all the same."""
STEEP = (16, 16, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 16)
"""The longest codes for the smallest differences."""
FLAT = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 16, 16)


def write_lossless(
    pixels: Pixels,
    precision: int,
    predictor: int = 1,
    *,
    point_transform: int = 0,
    restart_lines: int = 0,
    apart: bool = False,
    tables: Sequence[Sequence[int]] = (EVEN,),
    fill: int = 0,
) -> bytes:
    """Return a stream of samples.

    Args:
        pixels: (rows, columns) or (rows, columns, components), unsigned.
        precision: bits of a sample.
        predictor: the selection value, 1 to 7.
        point_transform: lowest bits that are left out.
        restart_lines: lines between restart markers, or 0.
        apart: each component in a scan of its own.
        tables: lengths of codes by category; component n has table n, or the last one.
        fill: number of bytes FF before each marker that may have them.
    """
    planes = pixels[:, :, None] if pixels.ndim == 2 else pixels
    rows, columns, components = planes.shape
    numbers = [min(one, len(tables) - 1) for one in range(components)]
    codes = [_assign_codes(lengths) for lengths in tables]
    frame = bytes([precision]) + rows.to_bytes(2) + columns.to_bytes(2) + bytes([components])
    frame += b"".join(bytes([one + 1, 0x11, 0]) for one in range(components))
    parts = [b"\xff\xd8"]
    for number, lengths in enumerate(tables):
        parts.append(_segment(0xC4, bytes([number]) + _describe_table(lengths), fill))
    parts.append(_segment(0xC3, frame, fill))
    if restart_lines:
        parts.append(_segment(0xDD, (restart_lines * columns).to_bytes(2), fill))
    for scan in [[one] for one in range(components)] if apart else [[*range(components)]]:
        header = bytes([len(scan)])
        header += b"".join(bytes([one + 1, numbers[one] << 4]) for one in scan)
        parts.append(_segment(0xDA, header + bytes([predictor, 0, point_transform]), fill))
        samples = planes[:, :, scan].astype(int) >> point_transform
        middle = 1 << precision - point_transform - 1
        step = restart_lines or rows
        for interval, first in enumerate(range(0, rows, step)):
            if interval:
                parts.append(bytes([0xFF, 0xD0 + (interval - 1) % 8]))
            lines = samples[first : first + step]
            used = [codes[numbers[one]] for one in scan]
            parts.append(_code(lines, predictor, middle, used))
    return b"".join([*parts, b"\xff" * fill, b"\xff\xd9"])


def _segment(marker: int, body: bytes, fill: int) -> bytes:
    return b"\xff" * fill + bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body


def _describe_table(lengths: Sequence[int]) -> bytes:
    order = sorted(range(17), key=lambda category: (lengths[category], category))
    return bytes(lengths.count(length) for length in range(1, 17)) + bytes(order)


def _assign_codes(lengths: Sequence[int]) -> dict[int, str]:
    codes, code, before = {}, 0, 0
    for category in sorted(range(17), key=lambda one: (lengths[one], one)):
        code <<= lengths[category] - before
        codes[category] = f"{code:0{lengths[category]}b}"
        code, before = code + 1, lengths[category]
    return codes


def _code(lines: Pixels, predictor: int, middle: int, codes: Sequence[dict[int, str]]) -> bytes:
    joined = "".join(
        _code_sample(lines[:, :, one], y, x, predictor, middle, codes[one])
        for y, x, one in np.ndindex(lines.shape)
    )
    joined += "1" * (-len(joined) % 8)
    return int(joined, 2).to_bytes(len(joined) // 8).replace(b"\xff", b"\xff\0")


def _code_sample(
    plane: Pixels, y: int, x: int, predictor: int, middle: int, codes: dict[int, str]
) -> str:
    if y == 0:
        prediction = int(plane[0, x - 1]) if x else middle
    elif x == 0:
        prediction = int(plane[y - 1, 0])
    else:
        a, b, c = int(plane[y, x - 1]), int(plane[y - 1, x]), int(plane[y - 1, x - 1])
        prediction = [
            a, b, c, a + b - c, a + (b - c) // 2, b + (a - c) // 2, (a + b) // 2,
        ][predictor - 1]  # fmt: skip
    difference = (int(plane[y, x]) - prediction) % 65536
    if difference == 32768:
        return codes[16]
    if difference > 32768:
        difference -= 65536
    category = abs(difference).bit_length()
    if not category:
        return codes[0]
    value = difference if difference > 0 else difference + (1 << category) - 1
    return f"{codes[category]}{value:0{category}b}"
