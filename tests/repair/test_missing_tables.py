"""Fragments without the item of a Basic Offset Table before them."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest

from dicodec import convert, convert_bytes
from dicodec.errors import ContradictionError, DicodecError
from helpers.made import encapsulated, make_file
from helpers.odd_files import (
    PIXEL_DATA,
    check_streams,
    found,
    frames_of,
    relabelled,
    right,
    right_samples,
    same,
    samples_of,
    with_streams,
)

FAMILIES = (
    "rle", "jpeg", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless",
    "jpegxl-lossless", "deflated-frame", "encapsulated-uncompressed",
)  # fmt: skip


def without_table(content: bytes) -> bytes:
    """Return the file without the item of its empty offset table."""
    start = content.index(PIXEL_DATA) + 12
    assert content[start : start + 8] == b"\xfe\xff\x00\xe0\0\0\0\0"
    return content[:start] + content[start + 8 :]


def wrong(kind: str, syntax: str) -> bytes:
    content = right(kind, syntax)
    return without_table(with_streams(content, frames_of(content)))


@pytest.mark.parametrize("kind", ["odd-size", "odd-size-frames"])
@pytest.mark.parametrize("syntax", FAMILIES)
def test_the_first_item_is_a_fragment(kind: str, syntax: str) -> None:
    check_streams(wrong(kind, syntax), "no-offset-table-item", kind, syntax)


@pytest.mark.parametrize("syntax", ["jpeg-lossless", "jpeg2000-lossless"])
def test_a_frame_in_two_fragments(syntax: str) -> None:
    content = right("odd-size-frames", syntax)
    pieces = [part for one in frames_of(content) for part in (one[:20], one[20:])]
    content = without_table(with_streams(content, pieces))
    assert "no-offset-table-item" in found(content)
    assert same(samples_of(content), right_samples("odd-size-frames", syntax))


@pytest.mark.parametrize("syntax", ["jpeg-lossless", "rle"])
def test_in_place(syntax: str, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(wrong("odd-size", syntax))
    convert(path, path, to=syntax, overwrite=True, set_attributes={"PatientID": "1"})
    assert found(path.read_bytes()) == []
    assert same(samples_of(path.read_bytes()), right_samples("odd-size", syntax))


def test_under_a_native_syntax() -> None:
    content = relabelled(wrong("odd-size", "jpeg-lossless"), "1.2.840.10008.1.2.1")
    assert {"no-offset-table-item", "encapsulated-under-native"} <= set(found(content))
    assert same(samples_of(content), right_samples("odd-size", "jpeg-lossless"))


def test_a_wrong_table_is_no_fragment() -> None:
    """A table of offsets that fit nothing stays a table."""
    content = right("odd-size-frames", "jpeg-lossless")
    table = struct.pack("<3I", 0, 2, 4)
    start = content.index(PIXEL_DATA) + 12
    length = struct.unpack_from("<I", content, start + 4)[0]
    content = content[: start + 4] + struct.pack("<I", 12) + table + content[start + 8 + length :]
    assert found(content) == ["wrong-offset-table"]
    assert same(samples_of(content), right_samples("odd-size-frames", "jpeg-lossless"))


def test_strict_refuses_it() -> None:
    with pytest.raises(ContradictionError):
        convert(wrong("odd-size", "rle"), io.BytesIO(), to="explicit-le", strict=True)


def test_a_header_without_pixels_is_still_moved() -> None:
    """An empty table and no fragment hold no frame."""
    content = with_streams(right("odd-size", "rle"), [])
    assert convert_bytes(content, to="explicit-le")


def counted(content: bytes, number: int | None) -> bytes:
    """Return the file of three frames with another Number of Frames, or without it."""
    start = content.index(b"\x28\0\x08\0IS")
    element = content[start : start + 10]
    assert element.endswith(b"3 ")
    other = b"" if number is None else element[:8] + f"{number} ".encode()
    return content[:start] + other + content[start + 10 :]


@pytest.mark.parametrize("to", ["explicit-le", "rle", "encapsulated-uncompressed"])
@pytest.mark.parametrize("number", [1, 2, 3, None])
@pytest.mark.parametrize("syntax", FAMILIES)
def test_no_frame_is_lost_whatever_their_number_is_said_to_be(
    syntax: str, number: int | None, to: str
) -> None:
    kind = "odd-size-frames"
    content = counted(wrong(kind, syntax), number)
    assert "no-offset-table-item" in found(content)
    assert same(samples_of(convert_bytes(content, to=to, verify=True)), right_samples(kind, syntax))


@pytest.mark.parametrize("number", [1, 3, None])
@pytest.mark.parametrize("syntax", FAMILIES)
def test_a_damaged_first_frame_is_not_lost_either(syntax: str, number: int | None) -> None:
    """It is no table, so there are three frames, and one of them cannot be decoded."""
    content = right("odd-size-frames", syntax)
    first, *others = frames_of(content)
    damaged = (b"\x07\x05" + bytes(21)).ljust(len(first) // 4 * 4 - 10, b"\x01")
    content = counted(without_table(with_streams(content, [damaged, *others])), number)
    with pytest.raises(DicodecError):
        convert_bytes(content, to="explicit-le")


@pytest.mark.parametrize("number", [1, None])
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("syntax", FAMILIES)
def test_frames_that_a_damaged_one_would_take_in_are_not_lost(
    syntax: str, place: int, number: int | None, tmp_path: Path
) -> None:
    """Fragments are not all one frame if that ends before the last of them."""
    content = right("odd-size-frames", syntax)
    frames = frames_of(content)
    frames[place] = frames[place][: len(frames[place]) // 2 * 2 - 20]
    content = counted(with_streams(content, frames), number)
    with pytest.raises(DicodecError):
        convert_bytes(content, to="explicit-le")
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    with pytest.raises(DicodecError):
        convert(path, path, to="explicit-be", overwrite=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize("number", [1, 2, 3, None])
@pytest.mark.parametrize("size", [(1, 4), (2, 2), (2, 4), (3, 4), (4, 6)])
def test_samples_of_the_length_of_a_table_are_a_frame(
    size: tuple[int, int], number: int | None
) -> None:
    """The offsets that a table would have are not those of the items."""
    made, samples = make_file(*size, 1, 8, 8, frames=3)
    content = convert_bytes(made, to="encapsulated-uncompressed")
    content = counted(without_table(with_streams(content, frames_of(content))), number)
    assert same(samples_of(content), samples)


@pytest.mark.parametrize("frames", [2, 3])
def test_a_right_table_as_long_as_its_frames_is_a_table(frames: int) -> None:
    made, samples = make_file(1, 4 * frames, 1, 8, 8, frames=frames)
    content = convert_bytes(made, to="encapsulated-uncompressed", offset_table="basic")
    assert found(content) == []
    assert same(samples_of(content), samples)
    if frames == 3:
        assert same(samples_of(counted(content, 1)), samples)


@pytest.mark.parametrize("number", [1, 3, None])
@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize("syntax", ["jpeg-lossless", "jpeg-ls", "jpeg2000-lossless"])
def test_a_table_in_another_order_is_no_fragment(
    syntax: str, pieces: int, number: int | None
) -> None:
    """An empty fragment behind the others, and a wrong number, do not make it one."""
    kind = "odd-size-frames"
    content = right(kind, syntax)
    frames = [[one] if pieces == 1 else [one[:200], one[200:]] for one in frames_of(content)]
    made = encapsulated([*frames[:-1], [*frames[-1], b""]])
    at = made.index(struct.pack("<HHI", 0xFFFE, 0xE000, 12)) + 8
    table = struct.pack("<3I", *reversed(struct.unpack_from("<3I", made, at)))
    made = made[:at] + table + made[at + 12 :]
    content = counted(content[: content.index(PIXEL_DATA)] + made, number)
    assert same(samples_of(content), right_samples(kind, syntax))
