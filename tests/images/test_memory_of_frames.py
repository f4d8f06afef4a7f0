"""Iterating over 10,000 frames takes the memory of a few, whatever the file's size."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.made import encapsulated, make_file

FRAMES = 10_000
ROWS, COLUMNS = 128, 200
MOST = 150e6

ITERATED = """
import re, sys
import dicodec
count = total = 0
with dicodec.open_image(sys.argv[1]) as image:
    for samples in image:
        count += 1
        total += int(samples[0, 0])
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
print(count, total, int(peak) * 1024)
"""


def write_native(path: Path) -> None:
    """Write a file of 512 MB, which takes no room on the disk: all samples are 0."""
    head, _ = make_file(ROWS, COLUMNS, 1, 16, 16, frames=2)
    start = head.rindex(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))
    size = FRAMES * ROWS * COLUMNS * 2
    with path.open("wb") as file:
        file.write(with_number(head[:start]))
        file.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, size))
        file.truncate(file.tell() + size)


def write_packed(path: Path) -> None:
    """Write as many frames in RLE, each of a run of 1 in either byte."""
    row = b"\x81\1" * (COLUMNS // 128) + bytes([257 - COLUMNS % 128, 1])
    runs = row * ROWS
    stream = struct.pack("<16I", 2, 64, 64 + len(runs), *[0] * 13) + runs * 2
    head, _ = make_file(
        ROWS, COLUMNS, 1, 16, 16, frames=2, streams=[[b""], [b""]],
        transfer_syntax="1.2.840.10008.1.2.5",
    )  # fmt: skip
    start = head.rindex(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OB"))
    with path.open("wb") as file:
        file.write(with_number(head[:start]))
        file.write(encapsulated([[stream]] * FRAMES))


def with_number(head: bytes) -> bytes:
    stated = struct.pack("<HH2sH", 0x0028, 0x0008, b"IS", 2) + b"2 "
    number = f"{FRAMES} ".encode()
    assert stated in head
    return head.replace(stated, struct.pack("<HH2sH", 0x0028, 0x0008, b"IS", 6) + number)


@pytest.mark.parametrize(("write", "value"), [(write_native, 0), (write_packed, 257)])
def test_ten_thousand_frames_are_iterated_in_bounded_memory(
    write: object, value: int, tmp_path: Path
) -> None:
    path = tmp_path / "long.dcm"
    assert callable(write)
    write(path)
    run = subprocess.run(
        [sys.executable, "-c", ITERATED, str(path)], capture_output=True, text=True, check=True
    )
    count, total, peak = map(int, run.stdout.split())
    assert (count, total) == (FRAMES, FRAMES * value)
    assert peak < MOST
