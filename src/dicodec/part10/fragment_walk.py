"""Follow items of encapsulated Pixel Data, and look at how each begins, by a kernel if possible.

The items of a file lie far apart, so each takes a read of its own: 4 us in Python, 0.5 in C.
"""

from __future__ import annotations

from array import array

from dicodec._kernels import COMPILED
from dicodec.part10.source import ByteSource, BytesSource, FileSource

HEAD = 0 if COMPILED is None else COMPILED.FRAGMENT_HEAD
"""First bytes of fragments that come with their items."""

FRAGMENTS_AT_ONCE = 1 << 12
"""Items after which a signal such as that of Ctrl-C is heard."""


def follow_items(
    source: ByteSource,
    start: int,
    end: int,
    most: int,
    starts: array[int],
    lengths: array[int],
    heads: bytearray | None = None,
) -> int:
    """Add plain items that follow each other, as far as the kernel finds them.

    Plain is an item of defined length that ends at `end` or before, in little endian.

    Args:
        source: holds them.
        start: offset of the tag of the first item.
        end: offset at which the last one ends at the latest.
        most: items at most.
        starts: offsets of the items' values are added.
        lengths: their lengths are added.
        heads: the first HEAD bytes of each value are added, zeros behind a short one.

    Returns:
        The offset behind the last one. What is there is for the caller to look at; it may be an
        item, too.
    """
    raw = _find_raw(source)
    if raw is None or COMPILED is None:
        return start
    while most > 0:
        asked = min(most, FRAGMENTS_AT_ONCE)
        found, sizes, begun, start = COMPILED.walk_fragments(raw, start, end, asked)
        starts.frombytes(found)
        lengths.frombytes(sizes)
        if heads is not None:
            heads += begun
        count = len(found) // starts.itemsize
        most -= count
        if count < asked:
            break
    return start


def match_beginnings(
    source: ByteSource,
    starts: array[int],
    lengths: array[int],
    begins: tuple[bytes, ...],
    headers: bytes,
) -> tuple[bool, bool]:
    """Return whether each fragment begins with one of some beginnings, and all with some headers.

    Args:
        source: holds them.
        starts: offsets of the fragments.
        lengths: their lengths.
        begins: the beginnings.
        headers: if empty, fragments are not compared with them.
    """
    raw, size = _find_raw(source), max(len(headers), *map(len, begins))
    if raw is not None and COMPILED is not None and size <= COMPILED.LONGEST_BEGINNING:
        alike = bool(headers)
        for first in range(0, len(starts), FRAGMENTS_AT_ONCE):
            some = slice(first, first + FRAGMENTS_AT_ONCE)
            found = COMPILED.match_fragments(raw, starts[some], lengths[some], begins, headers)
            count = len(starts[some])
            if found[0] < count:
                source.read(starts[first + found[0]], size)  # raises if that is the reason
                return False, False
            alike = alike and found[1] == count
        return True, alike
    alike = bool(headers)
    for start, length in zip(starts, lengths, strict=True):
        head = source.read(start, size)
        if not head.startswith(begins):
            return False, False
        alike = alike and length >= size and head.startswith(headers)
    return True, alike


def _find_raw(source: ByteSource) -> int | memoryview | None:
    """Return what the kernel reads of a source: a descriptor or a buffer; None of other sources."""
    return source.raw if isinstance(source, BytesSource | FileSource) else None
