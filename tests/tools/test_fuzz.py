"""A few of the cases of `make fuzz`, always the same ones; and what more of them have found."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from dicodec import convert, inspect
from dicodec.errors import FrameError, LimitExceededError
from helpers import hostile_files as hostile
from helpers.made import make_file

ROOT = Path(__file__).resolve().parents[2]


def test_damaged_files_give_results_or_errors(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "fuzz.py"), "--cases", "150", "--seed", "7"]
    done = subprocess.run(
        [*command, "--keep", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("150 cases of seed 7:")
    assert " result" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_finding_is_kept_and_told(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "fuzz.py"), "--cases", "2", "--seed", "7"]
    done = subprocess.run(
        [*command, "--keep", str(tmp_path), "--case-seconds", "0.001"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "took more than 0.001 s" in done.stdout
    assert "--seed 7 --only 0" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"fuzz-7-0.dcm", "fuzz-7-1.dcm"}


def test_an_rle_frame_takes_no_memory_for_what_it_cannot_hold() -> None:
    """Rows of 60 000 and more, in a stream of a few hundred bytes, took 3 GB."""
    data, _ = make_file(4, 4, 3, bits_allocated=16, bits_stored=16, photometric="RGB")
    out = io.BytesIO()
    convert(data, out, to="rle")
    damaged = out.getvalue().replace(b"\x28\0\x10\0US\2\0\4\0", b"\x28\0\x10\0US\2\0\xff\xff")
    damaged = damaged.replace(b"\x28\0\x11\0US\2\0\4\0", b"\x28\0\x11\0US\2\0\xa0\x0f")
    for salvage in (None, "fill"):
        with pytest.raises((FrameError, LimitExceededError)):
            convert(damaged, io.BytesIO(), to="htj2k-lossless", salvage=salvage)


def test_pixel_data_of_an_item_without_fragments() -> None:
    """The error named frame -1."""
    data = hostile.claiming_fragment(16)
    at = data.index(b"\xfe\xff\x00\xe0")
    cut = data[: at + 4] + struct.pack("<I", 0xFFFFFFF0) + data[at + 8 :]
    with pytest.raises(FrameError) as caught:
        convert(cut, io.BytesIO(), to="explicit-le")
    assert caught.value.frame == 0


@pytest.mark.parametrize("depth", [60, 70, 3000])
@pytest.mark.parametrize("undefined", [True, False])
def test_nested_sequences_end_in_no_recursion(depth: int, undefined: bool) -> None:
    content = b""
    for _ in range(depth):
        content = hostile.sequence(
            0x00081140, hostile.item(content, undefined=undefined), undefined=undefined
        )
    data = hostile.file_with(content)
    for to in ("implicit-le", "explicit-be", "explicit-le"):
        try:
            inspect(data)
            convert(data, io.BytesIO(), to=to, standardize=to == "explicit-le")
        except LimitExceededError:
            assert depth > 64
