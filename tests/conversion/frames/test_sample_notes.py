"""Words that hold more than their sample, samples that overshoot: told, and never lost in place."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec import convert, convert_bytes
from dicodec.errors import ContradictionError
from dicodec.model.transfer_syntax import find_by_name
from dicodec.pixels import bits
from helpers.made import IMAGE_KINDS, make_file
from helpers.real_files import real_files
from helpers.samples import native_samples


def words(signed: bool, odd: dict[tuple[int, int], int]) -> bytes:
    """Return a file of 12 bits in 16 whose words are all right but for some."""
    kind = IMAGE_KINDS["signed-12-in-16" if signed else "gray-12-in-16"]
    _, samples = kind.make()
    pixels = samples.copy()
    for (row, column), word in odd.items():
        pixels[0, row, column] = np.array(word, np.uint16).view(pixels.dtype)
    return kind.make(pixels=pixels)[0]


@pytest.mark.parametrize("source", ["explicit-le", "implicit-le", "explicit-be", "rle"])
@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_high_bit_are_left_out_and_told(signed: bool, source: str) -> None:
    content = words(signed, {(3, 4): 0x1388, (5, 6): 0x9123})
    if source == "rle":
        whole = words(signed, {})
        coded = imagecodecs.packbits_encode  # planes of the words as they are, high byte first
        samples = np.frombuffer(content[-64 * 48 * 2 :], "<u2").reshape(-1, 64)
        content = _in_rle(whole, samples, coded)
    elif source != "explicit-le":
        content = convert_bytes(content, to=source)
    out = io.BytesIO()

    report = convert(content, out, to="jpeg-ls")

    assert len(report.warnings) == 1
    assert report.warnings[0].startswith("2 sample(s) have bits set above their High Bit")
    found = native_samples(convert_bytes(out.getvalue(), to="explicit-le"))
    assert (int(found[0, 3, 4]) & 0xFFF, int(found[0, 5, 6]) & 0xFFF) == (0x388, 0x123)
    with pytest.raises(ContradictionError, match="bits set above"):
        convert(content, io.BytesIO(), to="jpeg-ls", strict=True)


def _in_rle(native: bytes, samples: Any, coded: Any) -> bytes:
    planes = [bytes(coded(np.ascontiguousarray(samples >> shift & 255).astype(np.uint8), axis=1))
              for shift in (8, 0)]  # fmt: skip
    planes = [plane + b"\0" * (len(plane) % 2) for plane in planes]
    offsets = np.zeros(16, "<u4")
    offsets[:3] = 2, 64, 64 + len(planes[0])
    rle = find_by_name("rle")
    assert rle is not None
    rows, columns = samples.shape
    with_signs = native.find(b"US\2\0\1\0", native.find(b"\x28\0\3\1")) > 0
    content, _ = make_file(
        rows, columns, bits_stored=12, signed=with_signs, transfer_syntax=rle.uid,
        streams=[[offsets.tobytes() + b"".join(planes)]],
    )  # fmt: skip
    return content


def test_signs_zeros_and_overlays_above_high_bit_are_nothing_to_tell() -> None:
    for content in (
        words(True, {(0, 0): 0x0FFF, (0, 1): 0xFFFF, (0, 2): 0x0800, (0, 3): 0xF800}),
        words(False, {}),
    ):
        report = convert(content, io.BytesIO(), to="jpeg-ls", strict=True)
        assert report.warnings == []


def test_no_bit_is_lost_in_place(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    content = words(False, {(3, 4): 0x1388})
    path.write_bytes(content)
    with pytest.raises(ContradictionError):
        convert(path, path, to="jpeg-ls", overwrite=True)
    assert path.read_bytes() == content
    assert [one.name for one in tmp_path.iterdir()] == ["x.dcm"]
    convert(path, path, to="deflated", overwrite=True)  # words move whole
    again = convert_bytes(path.read_bytes(), to="explicit-le")
    assert np.array_equal(native_samples(again), native_samples(content))


def test_what_a_lossy_process_overshot_is_told() -> None:
    name = "multiframe/jpeg2000-multiframe-multifragments.dcm"
    files = real_files()
    if name in files:
        report = convert(files[name], io.BytesIO(), to="explicit-le")
        (told,) = (one for one in report.warnings if "overshoot" in one)
        assert told.startswith("196 sample(s) are past Bits Stored 12")
    edges = np.zeros((48, 64), np.uint16)
    edges[:, ::7] = 1023
    stream = imagecodecs.jpeg8_encode(edges, 60, bitspersample=12)
    content, _ = make_file(
        48, 64, bits_stored=10, transfer_syntax="1.2.840.10008.1.2.4.51", streams=[[bytes(stream)]]
    )
    report = convert(content, io.BytesIO(), to="explicit-le")
    assert any("they are clipped to 0 to 1023" in one for one in report.warnings)


@given(
    st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=40), st.integers(1, 15), st.booleans(),
    st.integers(0, 0xFFFF),
)  # fmt: skip
def test_words_with_more_are_counted(
    values: list[int], stored: int, signed: bool, overlays: int
) -> None:
    overlays &= 0xFFFF << stored & 0xFFFF
    expected = 0
    for value in values:
        above = {value >> bit & 1 for bit in range(stored, 16) if not overlays >> bit & 1}
        negative = signed and value >> stored - 1 & 1
        expected += above not in ({0}, set()) and not (negative and above == {1})
    found = bits.count_words_with_more(np.array(values, "<u2"), stored, overlays, signed=signed)
    assert found == expected
