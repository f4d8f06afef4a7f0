"""Find single frames by an offset table, without the items of the frames before them (PS3.5 A.4).

The table of a file with many frames is believed as far as it is used: each item that a frame needs
has to be where the table says, and to lead to the item where the next frame begins.
"""

from __future__ import annotations

import struct
import sys
from array import array

from dicodec.errors import ReadError
from dicodec.model import tags
from dicodec.model.records import dataclass, field
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import Walker
from dicodec.part10.encoding import DataSetEncoding
from dicodec.part10.fragment_walk import follow_items
from dicodec.part10.source import ByteSource

_LEAST_FRAMES = 9
"""Frames from which a table saves more than it costs; the items of fewer are all walked."""

_ITEM = b"\xfe\xff\x00\xe0"
_HEADER = struct.Struct("<4sI")
ITEM_HEADER = _HEADER.size
"""Bytes before the value of an item."""
_SAMPLED = 16

type Fragments = list[tuple[int, int]]
"""Offset and length of the value of each fragment of a frame."""


class UnsureTableError(Exception):
    """An offset table does not fit, or a frame found by it is not plain: walk all items."""


@dataclass(frozen=True, slots=True)
class TabledFrames:
    """Frames that are found by an offset table, each on its own.

    Attributes:
        table: of each frame, the distance of its first item's tag from that of the first frame; as
            it stands in the file, so it may not rise.
        origin: offset of that tag in the source.
        end: offset of the delimiter behind the last frame.
        begins: the first bytes that a frame's stream may have; () if they may be any.
        ends: the last bytes that it may have; () if they may be any.
        lengths: the bytes that it may have; () if they may be any.
        lone: whether a frame has to have one fragment, as nothing shows where others belong.
        heads: first bytes of each frame, HEAD of fragment_walk each, if all items were walked to
            make a table that the file does not have.
        head_size: the bytes of the longest beginning.
    """

    table: array[int]
    origin: int
    end: int
    begins: tuple[bytes, ...] = ()
    ends: tuple[bytes, ...] = ()
    lengths: tuple[int, ...] = ()
    lone: bool = False
    heads: bytes = b""
    head_size: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Measure each frame's size once, because it is asked for again."""
        object.__setattr__(self, "head_size", max(map(len, self.begins), default=0))

    def __len__(self) -> int:
        return len(self.table)

    def find_start(self, frame: int) -> int:
        """Return the offset of the tag of a frame's first item, or of the delimiter behind all."""
        return self.origin + self.table[frame] if frame < len(self.table) else self.end

    def find_fragments(self, source: ByteSource, frame: int) -> Fragments:
        """Return a frame's fragments, once they are sure as far as they can be seen alone.

        Raises:
            UnsureTableError: the items do not lead to those of the next frame, a stream does not
                begin or end where the frame does, or another one begins within it.
        """
        first, end = self.find_start(frame), self.find_start(frame + 1)
        fragments = [self._check_item(source, first, frame_begins=True)]
        while (position := sum(fragments[-1])) < end:
            fragments.append(self._check_item(source, position, frame_begins=False))
        if position != end or (self.lone and len(fragments) > 1):
            raise UnsureTableError
        if frame + 1 < len(self):
            self._check_item(source, end, frame_begins=True)
        self._check_end(source, fragments)
        return fragments

    def check_all(self, source: ByteSource) -> None:
        """Follow the items of all frames: each has to begin, and none else, where the table says.

        Raises:
            UnsureTableError: they do not.
        """
        size, begins = _HEADER.size + self.head_size, self.begins
        bounds = {self.origin + offset for offset in self.table}
        position, end = self.origin, self.end
        seen = 0
        while position < end:
            header = source.read(position, size)
            if len(header) < size:
                raise UnsureTableError
            tag, length = _HEADER.unpack_from(header)
            frame_begins = position in bounds
            if tag != _ITEM or not length:
                raise UnsureTableError
            if begins and header.startswith(begins, _HEADER.size) != frame_begins:
                raise UnsureTableError
            seen += frame_begins
            position += _HEADER.size + length
        if position != end or seen != len(self):
            raise UnsureTableError

    def check_some(self, source: ByteSource) -> None:
        """Look at some frames' beginnings all over the table.

        Raises:
            UnsureTableError: an item or a stream does not begin there.
        """
        for frame in range(0, len(self), max(1, len(self) // _SAMPLED)):
            self._check_item(source, self.find_start(frame), frame_begins=True)

    def read(self, source: ByteSource, frame: int) -> bytes:
        """Return one frame's stream, its fragments joined.

        Raises:
            UnsureTableError: as of `find_fragments`.
        """
        fragments = self.find_fragments(source, frame)
        if len(fragments) == 1:
            return source.read(*fragments[0])
        return b"".join(source.read(start, length) for start, length in fragments)

    def _check_item(
        self, source: ByteSource, position: int, *, frame_begins: bool
    ) -> tuple[int, int]:
        """Return offset and length of the value of an item, and check how it begins."""
        start, length, head = read_item(source, position, self.head_size)
        if self.begins and head.startswith(self.begins) != frame_begins:
            raise UnsureTableError
        return start, length

    def _check_end(self, source: ByteSource, fragments: Fragments) -> None:
        if self.lengths and sum(length for _, length in fragments) not in self.lengths:
            raise UnsureTableError
        if not self.ends:
            return
        start, length = fragments[-1]
        size = min(length, max(map(len, self.ends)))
        if not source.read(start + length - size, size).endswith(self.ends):
            raise UnsureTableError


def read_item(source: ByteSource, position: int, head_size: int = 0) -> tuple[int, int, bytes]:
    """Return offset, length and first bytes of the value of an item.

    Args:
        source: holds it.
        position: offset of its tag.
        head_size: how many first bytes.

    Raises:
        UnsureTableError: there is no item, or it has no bytes, or not all of them.
    """
    header = source.read(position, _HEADER.size + head_size)
    if len(header) < _HEADER.size:
        raise UnsureTableError
    tag, length = _HEADER.unpack_from(header)
    start: int = position + _HEADER.size
    if tag != _ITEM or not length or start + length > source.size:
        raise UnsureTableError
    return start, length, header[_HEADER.size : _HEADER.size + length]


class TableWalker(Walker):
    """Walks elements, and jumps over the fragments of Pixel Data that an offset table finds.

    Without a table one is made if the kernel can follow the items, and each may be a frame. Where
    neither goes all items are walked, as the class before does.

    If there is one, of the file or made, `table` has the frames, and `fragment_starts` and
    `fragment_lengths` have the Basic Offset Table and the fragments of the first and of the last
    frame.
    """

    _listed: list[ElementSpan]

    def list_elements(
        self, start: int, end: int, encoding: DataSetEncoding, *, depth: int = 0
    ) -> list[ElementSpan]:
        """Return the elements as the class before does; the table looks at those so far."""
        self._listed = []
        for span in self.walk_elements(start, end, encoding, depth=depth):
            self._listed.append(span)
        return self._listed

    def _find_fragments_end(
        self, value: int, end: int, encoding: DataSetEncoding
    ) -> tuple[int, int]:
        oddities = len(self.oddities)
        try:
            return self._find_end_by_table(value, end, encoding)
        except (UnsureTableError, ReadError):
            self.table = None
            self.missing = 0
            del self.oddities[oddities:]
            del self.fragment_starts[:], self.fragment_lengths[:]
        return super()._find_fragments_end(value, end, encoding)

    def _find_end_by_table(
        self, value: int, end: int, encoding: DataSetEncoding
    ) -> tuple[int, int]:
        """Walk the items of the first frame and of the last one."""
        oddities = len(self.oddities)
        table, origin = self._read_table(value)
        heads = b""
        if not table:
            table, heads = self._make_table(origin, end)
        starts, lengths = self.fragment_starts, self.fragment_lengths
        starts.append(value + _HEADER.size)
        lengths.append(origin - value - _HEADER.size)
        position = origin
        while position < origin + table[1]:
            start, length, _ = read_item(self._source, position)
            starts.append(start)
            lengths.append(length)
            position = start + length
        self.first_fragments = len(starts) - 1
        ends = super()._find_fragments_end(origin + table[-1], end, encoding)
        if position != origin + table[1] or len(self.oddities) > oddities or self.missing:
            raise UnsureTableError
        if len(starts) == self.first_fragments + 1:
            raise UnsureTableError
        self.table = TabledFrames(table, origin, ends[0], lone=bool(heads), heads=heads)
        return ends

    def _make_table(self, origin: int, end: int) -> tuple[array[int], bytes]:
        """Return the table of items that are frames each, and the first bytes of each frame.

        Raises:
            UnsureTableError: they are few, one is not plain, or the kernel does not find them.
        """
        starts, lengths, heads = array("Q"), array("Q"), bytearray()
        follow_items(self._source, origin, end, self._limits.fragments, starts, lengths, heads)
        if len(starts) < _LEAST_FRAMES or 0 in lengths:
            raise UnsureTableError
        first = origin + _HEADER.size
        return array("Q", [start - first for start in starts]), bytes(heads)

    def _read_table(self, value: int) -> tuple[array[int], int]:
        """Return the table, and the offset in the source that its entries count from.

        It is empty if the file has none.

        Raises:
            UnsureTableError: there is no table of many frames, or it does not begin at 0.
        """
        header = self._source.read(value, _HEADER.size)
        if len(header) < _HEADER.size:
            raise UnsureTableError
        tag, length = _HEADER.unpack(header)
        if tag != _ITEM or value + _HEADER.size + length > self._until:
            raise UnsureTableError
        origin = value + _HEADER.size + length
        code, span = ("I", None) if length else ("Q", self._find_extended())
        if not length and span is None:
            return array("Q"), origin
        if span is not None:
            value, length = span.value - _HEADER.size, span.length
        table: array[int] = array(code)
        count = length // table.itemsize
        if length % table.itemsize or not _LEAST_FRAMES <= count <= self._limits.fragments:
            raise UnsureTableError
        table.frombytes(self._source.read(value + _HEADER.size, length))
        if sys.byteorder == "big":
            table.byteswap()
        if table[0] or origin + table[-1] >= self._until:
            raise UnsureTableError
        return table, origin

    def _find_extended(self) -> ElementSpan | None:
        """Return the element of the Extended Offset Table; None if there is none.

        Raises:
            UnsureTableError: there is only a part of it.
        """
        found = {span.tag: span for span in reversed(self._listed)}
        span = found.get(tags.EXTENDED_OFFSET_TABLE)
        if (span is None) != (tags.EXTENDED_OFFSET_TABLE_LENGTHS not in found):
            raise UnsureTableError
        return span
