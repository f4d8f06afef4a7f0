"""Single frames of files without an offset table: a quick walk makes a table."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import convert_bytes, open_image
from dicodec._kernels import COMPILED
from dicodec.part10 import fragment_walk
from helpers.made import make_file
from helpers.ranges import read_or_refuse

COUNT = 40
SYNTAXES = ("encapsulated-uncompressed", "deflated-frame", "rle", "jpeg", "jpeg-lossless",
            "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless", "jpegxl-lossless")  # fmt: skip
DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
ITEM = b"\xfe\xff\x00\xe0"
PADDING = struct.pack("<HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, 4) + bytes(4)
SIGNATURES = struct.pack("<HH2sHI", 0xFFFA, 0xFFFA, b"SQ", 0, 0xFFFFFFFF) + DELIMITER


@cache
def coded(syntax: str, samples: int = 1) -> tuple[bytes, Any]:
    """Return a file of COUNT frames, no two of them alike, and their samples."""
    photometric = "RGB" if samples == 3 else "MONOCHROME2"
    content, _ = make_file(24, 32, samples, 8, 8, frames=COUNT, photometric=photometric)
    packed = convert_bytes(content, to=syntax, offset_table="empty", lossy=True)
    return packed, [*open_image(packed, trust_table=False)]


@cache
def streams_of(syntax: str) -> tuple[bytes, ...]:
    with open_image(coded(syntax)[0], trust_table=False) as image:
        return tuple(image.frame_bytes(frame) for frame in range(COUNT))


def rebuilt(syntax: str, fragments: Sequence[bytes], number: int, tail: bytes = DELIMITER) -> bytes:
    """Return the file with other fragments and another Number of Frames."""
    packed, _ = coded(syntax)
    start = packed.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OB"))
    text = f"{number} "[: len(str(number)) + len(str(number)) % 2].encode()
    head = packed[:start].replace(
        struct.pack("<HH2sH", 0x0028, 0x0008, b"IS", 2) + b"40",
        struct.pack("<HH2sH", 0x0028, 0x0008, b"IS", len(text)) + text,
    )
    items = b"".join(ITEM + struct.pack("<I", len(one)) + one for one in (b"", *fragments))
    return head + packed[start : start + 12] + items + tail


@pytest.mark.skipif(COMPILED is None, reason="the package was built without a compiler")
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_frame_is_found_by_a_table_that_is_made(
    syntax: str, samples: int, tmp_path: Path
) -> None:
    packed, expected = coded(syntax, samples)
    path = tmp_path / "cine.dcm"
    path.write_bytes(packed)
    for source in (packed, path):
        with open_image(source) as image:
            assert len(image) == image.description.number_of_frames == COUNT
            alone = [image.read_frame(frame) for frame in reversed(range(COUNT))]
            assert np.array_equal(alone[::-1], expected)
            tabled = image.file.frames.tabled
            assert tabled is not None
            assert tabled.lone
            assert not tabled.heads
            assert np.array_equal([*image], expected)
            assert image.file.frames.tabled is None
    with patch.object(fragment_walk, "COMPILED", None), open_image(path) as image:
        assert image.file.frames.tabled is None
        assert np.array_equal(image.read_frame(21), expected[21])


def halved(stream: bytes) -> list[bytes]:
    middle = len(stream) // 4 * 2
    return [stream[:middle], stream[middle:]]


def damaged(syntax: str, damage: str) -> bytes:
    streams = list(streams_of(syntax))
    match damage:
        case "a frame is split":
            return rebuilt(syntax, [*streams[:9], *halved(streams[9]), *streams[10:]], COUNT)
        case "all frames are split":
            return rebuilt(syntax, [part for one in streams for part in halved(one)], COUNT)
        case "all are split and counted so":
            return rebuilt(syntax, [part for one in streams for part in halved(one)], 2 * COUNT)
        case "an empty fragment":
            return rebuilt(syntax, [*streams[:9], b"", *streams[9:]], COUNT)
        case "an empty frame":
            return rebuilt(syntax, [*streams[:9], b"", *streams[10:]], COUNT)
        case "too few are stated":
            return rebuilt(syntax, streams, COUNT - 7)
        case "too many are stated":
            return rebuilt(syntax, streams, COUNT + 7)
        case "no delimiter":
            return rebuilt(syntax, streams, COUNT, b"")
        case "cut off":
            return rebuilt(syntax, streams, COUNT, b"")[: -len(streams[-1]) // 2]
        case "a fragment is a byte longer than it says":
            content = bytearray(rebuilt(syntax, streams, COUNT))
            at = content.index(streams[9]) - 4
            content[at : at + 4] = struct.pack("<I", len(streams[9]) - 1)
            return bytes(content)
        case "elements behind":
            return rebuilt(syntax, streams, COUNT, DELIMITER + PADDING)
    assert damage == "a sequence behind"
    return rebuilt(syntax, streams, COUNT, DELIMITER + SIGNATURES)


@pytest.mark.parametrize("damage", ["a frame is split", "all frames are split",
                                    "all are split and counted so", "an empty fragment",
                                    "an empty frame", "too few are stated", "too many are stated",
                                    "no delimiter", "cut off",
                                    "a fragment is a byte longer than it says", "elements behind",
                                    "a sequence behind"])  # fmt: skip
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_damaged_file_is_read_as_if_all_items_were_walked(syntax: str, damage: str) -> None:
    content = damaged(syntax, damage)
    for frame in (0, 5, 8, 9, 10, 20, COUNT - 8, COUNT - 7, COUNT - 1, COUNT, COUNT + 6):
        assert read_or_refuse(content, frame) == read_or_refuse(content, frame, trust_table=False)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_split_frame_beside_a_lost_one_is_noticed_at_any_frame(syntax: str) -> None:
    """There are as many fragments as frames, but they are not the frames."""
    streams = list(streams_of(syntax))
    content = rebuilt(syntax, [*streams[:9], *halved(streams[9]), *streams[11:]], COUNT)
    for frame in (0, 8, 9, 10, 11, 30):
        found = read_or_refuse(content, frame)
        assert found == read_or_refuse(content, frame, trust_table=False)


@settings(max_examples=60)
@given(st.data())
def test_any_byte_may_be_wrong(data: Any) -> None:
    syntax = data.draw(st.sampled_from(SYNTAXES))
    content, right = coded(syntax)
    packed = bytearray(content)
    place = data.draw(st.integers(packed.index(b"\xe0\x7f\x10\x00"), len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    frame = data.draw(st.integers(0, COUNT - 1))
    found = read_or_refuse(bytes(packed), frame)
    whole = read_or_refuse(bytes(packed), frame, trust_table=False)
    assert found in (whole, right[frame].tolist())
