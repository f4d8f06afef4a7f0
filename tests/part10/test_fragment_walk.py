"""The kernel that follows fragments, against the Python that it saves: same items and errors."""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec import convert_bytes, open_image
from dicodec._kernels import COMPILED
from dicodec.errors import DicodecError, ReadError
from dicodec.model.limits import Limits
from dicodec.part10 import fragment_walk, source
from dicodec.part10.elements import Walker
from dicodec.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE
from dicodec.part10.fragment_walk import match_beginnings
from dicodec.part10.source import ByteSource, BytesSource, OpenSource
from helpers.made import make_file

if COMPILED is None:
    pytest.skip("the package was built without a compiler", allow_module_level=True)
KERNEL: Any = COMPILED

ITEM = b"\xfe\xff\x00\xe0"
DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


@contextmanager
def without_kernel() -> Iterator[None]:
    with patch.object(fragment_walk, "COMPILED", None):
        yield


def walk(content: ByteSource, end: int, limits: Limits, order: Any = EXPLICIT_LITTLE) -> Any:
    """Return all that a walk over fragments finds, or its error."""
    walker = Walker(content, limits)
    outcome: Any
    try:
        outcome = walker._find_fragments_end(0, end, order)
    except DicodecError as error:
        outcome = type(error), error.message, error.offset
    found = walker.fragment_starts.tolist(), walker.fragment_lengths.tolist()
    return outcome, found, walker.missing, walker.oddities


@st.composite
def drawn_items(draw: Any) -> bytes:
    """Draw items, short and long, some of them damaged, and what follows them."""
    sizes = st.integers(0, 40) | st.sampled_from([1000, 1024, 4096, 5000, 70000])
    parts: list[bytes] = []
    for size in draw(st.lists(sizes, max_size=14)):
        stated = size
        if draw(st.integers(0, 15)) == 0:
            stated = draw(st.sampled_from([size - 1, size + 1, 0xFFFFFFFF, 0xFFFFFFFE, 1 << 31]))
        tag = draw(st.sampled_from([ITEM] * 30 + [b"\xfe\xff\x0d\xe0", bytes(4), ITEM[::-1]]))
        head = draw(st.sampled_from([b"\xff\xd8\xff", b"\x01\0\0\0", b""]))
        parts.append(tag + struct.pack("<I", stated & 0xFFFFFFFF) + (head + bytes(size))[:size])
    tail = draw(st.sampled_from([DELIMITER, DELIMITER[:5], b"", bytes(8), DELIMITER + bytes(20)]))
    joined: bytes = b"".join(parts) + tail
    return joined


@given(drawn_items(), st.data())
def test_both_find_the_same_items(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: Any
) -> None:
    end = data.draw(st.sampled_from([len(content), len(content) // 2, max(len(content) - 1, 0)]))
    limits = Limits(fragments=data.draw(st.sampled_from([1, 6, 7, 10_000])))
    order = data.draw(st.sampled_from([EXPLICIT_LITTLE] * 4 + [EXPLICIT_BIG]))
    path = tmp_path_factory.mktemp("items") / "items"
    path.write_bytes(content)
    with patch.object(fragment_walk, "FRAGMENTS_AT_ONCE", data.draw(st.sampled_from([1, 2, 4096]))):
        found = walk(BytesSource(content), end, limits, order)
        with without_kernel():
            assert walk(BytesSource(content), end, limits, order) == found
        if content:
            with OpenSource(path) as file:
                assert walk(file, end, limits, order) == found


@given(drawn_items(), st.data())
def test_both_find_the_same_beginnings(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: Any
) -> None:
    _, (starts, lengths), *_ = walk(BytesSource(content), len(content), Limits())
    begins = data.draw(
        st.sampled_from([(b"\xff\xd8\xff",), (b"\xff\xd8", b"\x01\0\0\0", b"\0"), (b"",)])
    )
    headers = data.draw(st.sampled_from([b"", b"\xff\xd8\xff", b"\xff\xd8\xff" + bytes(30)]))
    given_ = array("Q", starts), array("Q", lengths), begins, headers
    path = tmp_path_factory.mktemp("beginnings") / "items"
    path.write_bytes(content or b"\0")
    with patch.object(fragment_walk, "FRAGMENTS_AT_ONCE", data.draw(st.sampled_from([1, 2, 4096]))):
        found = match_beginnings(BytesSource(content), *given_)
        with OpenSource(path) as file:
            assert match_beginnings(file, *given_) == found
    with without_kernel():
        assert match_beginnings(BytesSource(content), *given_) == found


def test_items_of_a_file_are_not_read_one_by_one_in_python(tmp_path: Path) -> None:
    """A call of Python for each takes 4 us."""
    content, _ = make_file(4, 4, 1, 8, 8)
    path = tmp_path / "many.dcm"
    path.write_bytes(many_fragments(content, 3000))
    calls = []

    def count(descriptor: int, length: int, offset: int) -> bytes:
        calls.append(offset)
        return os.pread(descriptor, length, offset)

    with patch.object(source, "read_at", count), open_image(path) as image:
        assert len(image) == 3000
    assert len(calls) < 60


def many_fragments(native: bytes, count: int) -> bytes:
    """Return a file of RLE frames of one row each, all alike, without an offset table."""
    packed = convert_bytes(native, to="rle", offset_table="empty")
    with open_image(packed) as image:
        stream = image.frame_bytes(0)
    start = packed.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OB"))
    number = f"{count}".encode()
    frames = struct.pack("<HH2sH", 0x0028, 0x0008, b"IS", len(number)) + number
    at = packed.index(struct.pack("<HH2s", 0x0028, 0x0010, b"US"))
    item = ITEM + struct.pack("<I", len(stream)) + stream
    items = ITEM + bytes(4) + item * count + DELIMITER
    return packed[:at] + frames + packed[at:start] + packed[start : start + 12] + items


def test_a_file_that_becomes_shorter_ends_there(tmp_path: Path) -> None:
    content = (ITEM + struct.pack("<I", 5000) + bytes(5000)) * 40 + DELIMITER
    path = tmp_path / "items"
    path.write_bytes(content)
    found = []
    for compiled in (True, False):
        path.write_bytes(content)
        with OpenSource(path) as file:
            file.read(0, 100)
            os.truncate(path, 5008 * 20 + 3)
            if compiled:
                found.append(walk(file, len(content), Limits()))
            else:
                with without_kernel():
                    found.append(walk(file, len(content), Limits()))
    assert found[0] == found[1]
    assert len(found[0][1][0]) == 20


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """The kernel stops there, and Python says why."""
    path = tmp_path / "items"
    path.write_bytes((ITEM + struct.pack("<I", 70000) + bytes(70000)) * 9 + DELIMITER)
    with OpenSource(path) as file:
        file.read(0, 100)
        assert isinstance(file, source.FileSource)
        file.raw = file._descriptor = os.open(tmp_path, os.O_RDONLY)  # a folder
        try:
            with pytest.raises(ReadError, match="directory"):
                match_beginnings(file, array("Q", [100000]), array("Q", [9]), (b"\1",), b"")
            outcome, (starts, _), *_ = walk(file, file.size, Limits())
            assert outcome[0] is ReadError
            assert len(starts) == 1
        finally:
            os.close(file._descriptor)


@pytest.mark.parametrize(
    "arguments",
    [(-1, 0, 9, 1), (b"", -1, 9, 1), (b"", 9, 0, 1), (b"", 0, 9, -1), (b"", 0, 9, 1 << 20),
     (1 << 40, 0, 9, 1)],
)  # fmt: skip
def test_arguments_outside_their_range_are_refused(arguments: Any) -> None:
    with pytest.raises(ValueError, match=r"range|open file"):
        KERNEL.walk_fragments(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [(bytes(16), bytes(8), (b"",), b""), (bytes(7), bytes(7), (b"",), b""),
     (b"", b"", (b"",) * 17, b""), (b"", b"", (bytes(5000),), b""), (b"", b"", (), bytes(5000))],
)  # fmt: skip
def test_beginnings_that_do_not_fit_are_refused(arguments: Any) -> None:
    with pytest.raises(ValueError, match=r"fragments|beginnings"):
        KERNEL.match_fragments(b"abc", *arguments)
    with pytest.raises(TypeError):
        KERNEL.match_fragments(b"abc", b"", b"", ("text",), b"")
