"""Single frames found by an offset table: only their own bytes, and those that a walk finds."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import convert_bytes, open_image
from dicodec.errors import DicodecError, MalformedFileError
from dicodec.images.image import Image
from dicodec.repair import tabled_frames
from helpers.made import make_file
from helpers.ranges import RangedSource, read_or_refuse

COUNT = 40
SYNTAXES = ("encapsulated-uncompressed", "deflated-frame", "rle", "jpeg", "jpeg-lossless",
            "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless", "jpegxl-lossless")  # fmt: skip
DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
ITEM = b"\xfe\xff\x00\xe0"


@cache
def coded(syntax: str, table: str = "basic", samples: int = 1) -> tuple[bytes, Any]:
    """Return a file of COUNT frames, no two of them alike, and their samples."""
    photometric = "RGB" if samples == 3 else "MONOCHROME2"
    content, _ = make_file(24, 32, samples, 8, 8, frames=COUNT, photometric=photometric)
    packed = convert_bytes(content, to=syntax, offset_table=table, lossy=True)
    return packed, [*open_image(packed, trust_table=False)]


@cache
def streams_of(syntax: str) -> tuple[bytes, ...]:
    with open_image(coded(syntax)[0], trust_table=False) as image:
        return tuple(image.frame_bytes(frame) for frame in range(COUNT))


def items(*values: bytes) -> bytes:
    return b"".join(ITEM + struct.pack("<I", len(one)) + one for one in values)


def rebuilt(
    syntax: str, fragments: Sequence[bytes], offsets: Sequence[int], number: int, tail: bytes = b""
) -> bytes:
    """Return the file with other fragments, another Basic Offset Table and Number of Frames."""
    packed, _ = coded(syntax)
    start = packed.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OB"))
    head = packed[:start].replace(
        struct.pack("<HH2sH", 0x0028, 0x0008, b"IS", 2) + b"40",
        struct.pack("<HH2sH", 0x0028, 0x0008, b"IS", 2) + f"{number}".encode(),
    )
    table = struct.pack(f"<{len(offsets)}I", *offsets)
    return head + packed[start : start + 12] + items(table, *fragments) + DELIMITER + tail


def offsets_of(fragments: Sequence[bytes]) -> list[int]:
    return [0, *np.cumsum([8 + len(one) for one in fragments]).tolist()][:-1]


def cut(stream: bytes, pieces: int = 3) -> list[bytes]:
    size = max(len(stream) // pieces // 2 * 2, 2)
    ends = [*range(size, size * pieces, size), len(stream)]
    return [stream[start:end] for start, end in pairwise([0, *ends])]


@pytest.mark.parametrize("table", ["basic", "extended"])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_frame_is_read_without_the_items_of_others(syntax: str, table: str) -> None:
    packed, samples = coded(syntax, table)
    source = RangedSource(packed)
    with Image(source) as image:
        assert image.file.frames.tabled is not None
        first, own, after, last = (
            packed.index(image.frame_bytes(frame)) for frame in (0, 21, 22, COUNT - 1)
        )
        source.ranges.clear()
        assert np.array_equal(image.read_frame(21), samples[21])
        assert all(own - 8 <= start < after + 12 for start, _ in source.ranges)
    source.ranges.clear()
    with Image(source, trust_table=True) as image:
        touched = [start for start, _ in source.ranges if first <= start < last - 8]
        assert all(start < first + len(image.frame_bytes(0)) + 8 for start in touched)
    with Image(RangedSource(packed), trust_table=False) as image:
        assert image.file.frames.tabled is None
        assert np.array_equal(image.read_frame(21), samples[21])


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_each_frame_alone_is_what_iterating_gives(syntax: str) -> None:
    for samples in (1, 3):
        packed, expected = coded(syntax, samples=samples)
        with open_image(packed) as image:
            alone = [image.read_frame(frame) for frame in range(COUNT)]
            assert image.file.frames.tabled is not None
            some = [*image.read_frames([30, 2])]
            assert image.file.frames.tabled is not None
            assert np.array_equal([*image], expected)
            assert image.file.frames.tabled is None
        assert np.array_equal(alone, expected)
        assert np.array_equal(some, [expected[30], expected[2]])


@pytest.mark.parametrize("syntax", ["rle", "jpeg-ls", "jpeg2000-lossless", "jpegxl-lossless"])
def test_only_the_fragments_of_a_frame_are_followed(syntax: str) -> None:
    parts = [cut(stream) for stream in streams_of(syntax)]
    flat = [part for frame in parts for part in frame]
    places = offsets_of(flat)
    firsts = np.cumsum([0, *map(len, parts)])[:-1]
    content = rebuilt(syntax, flat, [places[first] for first in firsts], COUNT)
    source = RangedSource(content)
    with Image(source) as image:
        assert image.file.frames.tabled is not None
        source.ranges.clear()
        assert np.array_equal(image.read_frame(7), coded(syntax)[1][7])
        assert len(source.ranges) < 12
        assert image.frame_bytes(8) == b"".join(parts[8])
        assert image.file.frames.tabled is not None


def lying(syntax: str, lie: str) -> bytes:
    """Return a file whose table lies on borders of fragments, and is wrong."""
    streams = list(streams_of(syntax))
    if lie in {"every frame split", "one frame split"}:
        split = range(COUNT) if lie == "every frame split" else [2]
        flat = [
            part
            for frame, stream in enumerate(streams)
            for part in (cut(stream, 2) if frame in split else [stream])
        ]
        return rebuilt(syntax, flat, offsets_of(flat), len(flat))
    places = offsets_of(streams)
    if lie == "two frames joined":
        return rebuilt(syntax, streams, places[:5] + places[6:], COUNT - 1)
    if lie == "shifted":
        return rebuilt(syntax, streams, places[1:], COUNT - 1)
    if lie == "falling":
        return rebuilt(syntax, streams, [*places[:9], places[8], *places[10:]], COUNT)
    if lie == "past the end":
        return rebuilt(syntax, streams, [*places[:-1], places[-1] + (1 << 30)], COUNT)
    if lie == "within a stream":
        return rebuilt(syntax, streams, [one + 2 * (one > 0) for one in places], COUNT)
    if lie == "other number":
        return rebuilt(syntax, streams, places, COUNT + 1)
    assert lie == "cut off"
    return rebuilt(syntax, streams, places, COUNT)[: -len(DELIMITER) - len(streams[-1]) // 2]


@pytest.mark.parametrize("lie", ["every frame split", "one frame split", "two frames joined",
                                 "shifted", "falling", "past the end", "within a stream",
                                 "other number", "cut off"])  # fmt: skip
@pytest.mark.parametrize("syntax", ["rle", "jpeg-ls", "jpeg2000-lossless", "jpeg-lossless"])
def test_a_table_that_lies_is_noticed_at_any_frame(syntax: str, lie: str) -> None:
    content = lying(syntax, lie)
    for frame in (0, 2, 3, 4, 5, 20, COUNT - 2):
        assert read_or_refuse(content, frame) == read_or_refuse(content, frame, trust_table=False)


def test_what_shows_only_later_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many frames only some beginnings are looked at, so another frame may show the lie."""
    monkeypatch.setattr(tabled_frames, "MOST_FOLLOWED", 8)
    content = lying("jpeg-ls", "one frame split")
    for frame in (2, 3):  # the lie is at these
        assert read_or_refuse(content, frame) == read_or_refuse(content, frame, trust_table=False)
    with open_image(content) as image:
        assert len([*image]) == COUNT
    with open_image(content) as image:
        image.read_frame(20)
        with pytest.raises(MalformedFileError, match="frames were read by it") as raised:
            image.read_frames()
        assert "trust_table false" in (raised.value.hint or "")


def test_a_damaged_frame_is_the_error_that_it_was() -> None:
    packed = bytearray(coded("jpeg-ls")[0])
    start = packed.index(streams_of("jpeg-ls")[21])
    packed[start + 30 : start + 60] = bytes(30)
    for trust_table in (True, False):
        with open_image(bytes(packed), trust_table=trust_table) as image:
            with pytest.raises(DicodecError) as raised:
                image.read_frame(21)
            assert raised.value.frame == 21
            assert np.array_equal(image.read_frame(22), coded("jpeg-ls")[1][22])


def test_elements_behind_the_pixels_are_walked() -> None:
    streams = streams_of("rle")
    padding = struct.pack("<HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, 4) + bytes(4)
    for tail, tabled in ((padding, True), (padding[:-2], False)):
        content = rebuilt("rle", streams, offsets_of(streams), COUNT, tail)
        with suppress(DicodecError), open_image(content) as image:
            assert (image.file.frames.tabled is not None) == tabled
            assert pydicom.dcmread(io.BytesIO(content)).DataSetTrailingPadding


@settings(max_examples=60)
@given(st.data())
def test_any_entry_may_be_wrong(data: Any) -> None:
    syntax = data.draw(st.sampled_from(["rle", "jpeg-ls", "deflated-frame"]))
    streams = streams_of(syntax)
    places = offsets_of(streams)
    entry = data.draw(st.integers(0, COUNT - 1))
    wrong = data.draw(st.sampled_from(places) | st.integers(0, places[-1] + 100))
    frame = data.draw(st.sampled_from([max(entry - 1, 0), entry, min(entry + 1, COUNT - 1), 17]))
    content = rebuilt(syntax, streams, [*places[:entry], wrong, *places[entry + 1 :]], COUNT)
    with Image(RangedSource(content)) as image:
        assert np.array_equal(image.read_frame(frame), coded(syntax)[1][frame])


@settings(max_examples=60)
@given(st.data())
def test_any_byte_may_be_wrong(data: Any) -> None:
    packed = bytearray(coded("jpeg2000-lossless")[0])
    place = data.draw(st.integers(packed.index(b"\xe0\x7f\x10\x00"), len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    frame = data.draw(st.integers(0, COUNT - 1))
    assert read_or_refuse(bytes(packed), frame) == read_or_refuse(
        bytes(packed), frame, trust_table=False
    )
