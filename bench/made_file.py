"""Writes the files of a workload, frame by frame, so that their size is bound by the disk.

Nothing here uses dicodec. Run as a program, so that its memory is not taken for a converter's:

    python bench/made_file.py ct-300 FOLDER --frames 300
"""

from __future__ import annotations

import argparse
import struct
from pathlib import Path
from typing import Any

import numpy as np

from images import frames
from workloads import WORKLOADS, Workload

EXPLICIT_LE = "1.2.840.10008.1.2.1"

_UID_ROOT = "2.25.31415926535897932384626433832795028841"
_LONG = {"OB", "OW", "SQ", "UN", "UT"}
_NUMBERS = {"US": "<H", "SL": "<i", "UL": "<I", "FD": "<d"}

type Element = tuple[int, str, Any]


def main() -> None:
    """Write the files of one workload."""
    parser = argparse.ArgumentParser(description="Make the files of a workload.")
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--files", type=int)
    given = parser.parse_args()
    workload = WORKLOADS[given.workload]
    write_files(
        given.folder,
        workload.sized(given.frames or workload.frames, given.files or workload.files),
    )


def write_files(folder: Path, workload: Workload) -> None:
    """Write 0000.dcm and so on, in explicit VR little endian, Pixel Data being the last element."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(workload.files):
        write_file(folder / f"{number:04}.dcm", workload, number)


def write_file(path: Path, workload: Workload, number: int = 0) -> None:
    """Write the file of a workload that has this number; no two have a frame in common."""
    made = frames(
        workload.image, workload.rows, workload.columns, workload.frames, number * workload.frames
    )
    with path.open("wb") as out:
        out.write(head(workload, number))
        for frame in made:
            if workload.allocated == 1:
                out.write(np.packbits(frame, bitorder="little").tobytes())
            else:
                out.write(frame.tobytes())
        if workload.file_bytes % 2:
            out.write(b"\0")


def head(workload: Workload, number: int = 0) -> bytes:
    """Return all bytes up to the samples: most elements are private, as in real files."""
    instance = f"{_UID_ROOT}.{workload.frames}.{number + 1}"
    meta = b"".join(
        (
            _element(0x00020001, "OB", b"\0\1"),
            _element(0x00020002, "UI", workload.sop_class),
            _element(0x00020003, "UI", instance),
            _element(0x00020010, "UI", EXPLICIT_LE),
            _element(0x00020012, "UI", f"{_UID_ROOT}.3"),
        )
    )
    length = _element(0x00020000, "UL", len(meta))
    elements = [*_public(workload, instance), *_pixel_module(workload), *_private()]
    if workload.functional_groups:
        groups = [_functional_groups(workload, frame) for frame in range(workload.frames)]
        elements.append((0x52009230, "SQ", _items(groups)))
    written = b"".join(_element(*element) for element in sorted(elements))
    vr = b"OB" if workload.allocated == 8 else b"OW"
    size = workload.file_bytes + workload.file_bytes % 2
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, vr, 0, size)
    return bytes(128) + b"DICM" + length + meta + written + pixels


def _public(workload: Workload, instance: str) -> list[Element]:
    reference = [
        (0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2"),
        (0x00081155, "UI", f"{_UID_ROOT}.4"),
    ]
    return [
        (0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        (0x00080016, "UI", workload.sop_class),
        (0x00080018, "UI", instance),
        (0x00080020, "DA", "20260102"),
        (0x00080030, "TM", "101112"),
        (0x00080050, "SH", "1"),
        (0x00080060, "CS", workload.modality),
        (0x00080070, "LO", "MADE FOR MEASURING"),
        (0x00081030, "LO", "Abdomen"),
        (0x00081140, "SQ", _items([reference] * 6)),
        (0x00100010, "PN", "Made^Image"),
        (0x00100020, "LO", "0"),
        (0x00180050, "DS", "5.000000"),
        (0x00180060, "DS", "120"),
        (0x00181210, "SH", "STANDARD"),
        (0x0020000D, "UI", f"{_UID_ROOT}.1"),
        (0x0020000E, "UI", f"{_UID_ROOT}.2"),
        (0x00200013, "IS", instance.rpartition(".")[2]),
        (0x00200032, "DS", "-158.135803\\-179.035797\\-75.699997"),
        (0x00200037, "DS", "1.000000\\0.000000\\0.000000\\0.000000\\1.000000\\0.000000"),
    ]


def _pixel_module(workload: Workload) -> list[Element]:
    module: list[Element] = [
        (0x00280002, "US", workload.samples),
        (0x00280004, "CS", workload.photometric),
        (0x00280010, "US", workload.rows),
        (0x00280011, "US", workload.columns),
        (0x00280030, "DS", "0.661468\\0.661468"),
        (0x00280100, "US", workload.allocated),
        (0x00280101, "US", workload.stored),
        (0x00280102, "US", workload.stored - 1),
        (0x00280103, "US", int(workload.signed)),
    ]
    if workload.samples > 1:
        module.append((0x00280006, "US", 0))
    if workload.image == "ct":
        module += [(0x00281052, "DS", "0"), (0x00281053, "DS", "1")]
    if workload.frames > 1:
        module.append((0x00280008, "IS", str(workload.frames)))
    return module


def _private() -> list[Element]:
    private: list[Element] = []
    kinds = (("DS", "1.25000"), ("SH", "abc"), ("US", 7), ("LO", "text of a vendor"), ("SL", -5))
    for group in (0x0019, 0x0021, 0x0027, 0x0043):
        private.append((group << 16 | 0x0010, "LO", "DICODEC BENCH"))
        for index in range(55 + (group == 0x0019)):
            vr, value = kinds[index % len(kinds)]
            private.append((group << 16 | 0x1000 + index, vr, value))
    return private


def _functional_groups(workload: Workload, frame: int) -> list[Element]:
    """Return the functional groups of one frame; a private one makes them as large as asked."""
    position = [(0x00200032, "DS", f"-158.135803\\-179.035797\\{-75 + frame * 0.5:.6f}")]
    content = [
        (0x00189074, "DT", f"20260102101112.{frame:06}"),
        (0x00189220, "FD", 25.0),
        (0x00200105, "SL", frame),
        (0x00209057, "UL", frame + 1),
        (0x00209128, "UL", 1),
    ]
    groups: list[Element] = [
        (0x00189314, "SQ", _items([[(0x00189315, "CS", "FILTER_BACK_PROJ")]])),
        (0x00209111, "SQ", _items([content])),
        (0x00209113, "SQ", _items([position])),
        (0x00289145, "SQ", _items([[(0x00281052, "DS", "0"), (0x00281053, "DS", "1")]])),
        (0x00210010, "LO", "DICODEC BENCH"),
    ]
    size = sum(len(_element(*element)) for element in groups)
    each = _items([[(0x00210010, "LO", "DICODEC BENCH"), (0x00211001, "FD", frame / 7)]])
    count = max(1, (workload.functional_groups - size) // (len(each) + 12))
    groups += [(0x00211010 + index, "SQ", each) for index in range(count)]
    return sorted(groups)


def _items(items: list[list[Element]]) -> bytes:
    written = []
    for item in items:
        value = b"".join(_element(*element) for element in item)
        written.append(struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value)
    return b"".join(written)


def _element(tag: int, vr: str, value: str | float | bytes) -> bytes:
    if isinstance(value, str):
        value = value.encode("ascii")
        value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    elif not isinstance(value, bytes):
        value = struct.pack(_NUMBERS[vr], value)
    start = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in _LONG:
        return start + struct.pack("<HI", 0, len(value)) + value
    return start + struct.pack("<H", len(value)) + value


if __name__ == "__main__":
    main()
