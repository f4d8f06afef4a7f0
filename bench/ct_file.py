"""Makes CT-like files to measure with, frame by frame, so that their size is bound by the disk.

Each frame is a body of smooth tissue in air, under noise as a scanner's: 16 bits signed, so that
lossless codecs do the work they do on real slices. Nothing here comes from a real image, and
nothing here uses dicodec. Run as a program, so that its memory is not taken for a converter's:

    python bench/ct_file.py FILE --frames 300
"""

from __future__ import annotations

import argparse
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = COLUMNS = 512
FRAME_SIZE = ROWS * COLUMNS * 2
EXPLICIT_LE = "1.2.840.10008.1.2.1"

_DISTINCT = 24
_UID_ROOT = "2.25.31415926535897932384626433832795028841"
_LONG = {"OB", "OW", "SQ", "UN", "UT"}


def main() -> None:
    """Write one file."""
    parser = argparse.ArgumentParser(description="Make a CT-like DICOM file.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--frames", type=int, default=1)
    given = parser.parse_args()
    write_ct(given.file, given.frames)


def write_ct(path: Path, frames: int) -> None:
    """Write a file in explicit VR little endian; Pixel Data is its last element."""
    with path.open("wb") as out:
        out.write(head(frames))
        for frame in ct_frames(frames):
            out.write(frame.tobytes())


def ct_frames(frames: int) -> Iterator[NDArray[np.int16]]:
    """Yield frames, no two of them equal: a few are made, the others are shifted ones."""
    made = [_ct_frame(seed) for seed in range(min(frames, _DISTINCT))]
    for frame in range(frames):
        shifts = frame // _DISTINCT
        yield np.roll(made[frame % _DISTINCT], (3 * shifts, 7 * shifts), (0, 1))


def _ct_frame(seed: int) -> NDArray[np.int16]:
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : ROWS * 1j, -1 : 1 : COLUMNS * 1j]
    values = np.full((ROWS, COLUMNS), -1000.0)
    values[(x / 0.85) ** 2 + (y / 0.65) ** 2 < 1] = 40  # the body
    for _ in range(12):  # organs, vessels, bones
        center_x, center_y = random.uniform(-0.6, 0.6), random.uniform(-0.45, 0.45)
        radius_x, radius_y = random.uniform(0.03, 0.22, 2)
        inside = ((x - center_x) / radius_x) ** 2 + ((y - center_y) / radius_y) ** 2 < 1
        values[inside] = random.choice([-750, -90, 20, 60, 110, 180, 700])
    values += 15 * np.sin(3 * x + seed) * np.cos(2 * y)
    noise = random.normal(0, 12, (ROWS, COLUMNS))
    noise = (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)) / 1.7  # neighbors go together
    values += noise
    outside = x**2 + y**2 > 1  # what the scanner does not reconstruct
    values[outside] = -2000
    return np.rint(values).astype("<i2")


def head(frames: int) -> bytes:
    """Return all bytes up to the samples: 258 elements, most of them private as in real files."""
    sop_class = "1.2.840.10008.5.1.4.1.1.2" if frames == 1 else "1.2.840.10008.5.1.4.1.1.7.3"
    instance = f"{_UID_ROOT}.{frames}"
    meta = b"".join(
        (
            _element(0x00020001, "OB", b"\0\1"),
            _element(0x00020002, "UI", sop_class),
            _element(0x00020003, "UI", instance),
            _element(0x00020010, "UI", EXPLICIT_LE),
            _element(0x00020012, "UI", f"{_UID_ROOT}.3"),
        )
    )
    length = _element(0x00020000, "UL", struct.pack("<I", len(meta)))
    public: list[tuple[int, str, Any]] = [
        (0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        (0x00080016, "UI", sop_class),
        (0x00080018, "UI", instance),
        (0x00080020, "DA", "20260102"),
        (0x00080030, "TM", "101112"),
        (0x00080050, "SH", "1"),
        (0x00080060, "CS", "CT"),
        (0x00080070, "LO", "MADE FOR MEASURING"),
        (0x00081030, "LO", "Abdomen"),
        (0x00081140, "SQ", _references(6)),
        (0x00100010, "PN", "Made^Image"),
        (0x00100020, "LO", "0"),
        (0x00180050, "DS", "5.000000"),
        (0x00180060, "DS", "120"),
        (0x00181210, "SH", "STANDARD"),
        (0x0020000D, "UI", f"{_UID_ROOT}.1"),
        (0x0020000E, "UI", f"{_UID_ROOT}.2"),
        (0x00200013, "IS", "1"),
        (0x00200032, "DS", "-158.135803\\-179.035797\\-75.699997"),
        (0x00200037, "DS", "1.000000\\0.000000\\0.000000\\0.000000\\1.000000\\0.000000"),
        (0x00280002, "US", 1),
        (0x00280004, "CS", "MONOCHROME2"),
        (0x00280010, "US", ROWS),
        (0x00280011, "US", COLUMNS),
        (0x00280030, "DS", "0.661468\\0.661468"),
        (0x00280100, "US", 16),
        (0x00280101, "US", 16),
        (0x00280102, "US", 15),
        (0x00280103, "US", 1),
        (0x00281052, "DS", "0"),
        (0x00281053, "DS", "1"),
    ]
    if frames > 1:
        public.append((0x00280008, "IS", str(frames)))
    private: list[tuple[int, str, Any]] = []
    kinds = (("DS", "1.25000"), ("SH", "abc"), ("US", 7), ("LO", "text of a vendor"), ("SL", -5))
    for group in (0x0019, 0x0021, 0x0027, 0x0043):
        private.append((group << 16 | 0x0010, "LO", "DICODEC BENCH"))
        for index in range(55 + (group == 0x0019)):
            vr, value = kinds[index % len(kinds)]
            private.append((group << 16 | 0x1000 + index, vr, value))
    elements = b"".join(_element(*element) for element in sorted(public + private))
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, frames * FRAME_SIZE)
    return bytes(128) + b"DICM" + length + meta + elements + pixels


def _references(items: int) -> bytes:
    item = _element(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2")
    item += _element(0x00081155, "UI", f"{_UID_ROOT}.4")
    return (struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item) * items


def _element(tag: int, vr: str, value: str | int | bytes) -> bytes:
    if isinstance(value, str):
        value = value.encode("ascii")
        value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    elif isinstance(value, int):
        value = struct.pack({"US": "<H", "SL": "<i"}[vr], value)
    start = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in _LONG:
        return start + struct.pack("<HI", 0, len(value)) + value
    return start + struct.pack("<H", len(value)) + value


if __name__ == "__main__":
    main()
