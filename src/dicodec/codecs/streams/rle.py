"""The header of an RLE frame (PS3.5 G.5): read and written."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate

from dicodec.codecs.streams.jpeg_markers import Buffer
from dicodec.errors import CorruptFrameError, TruncatedFrameError
from dicodec.model.stream import StreamDescription

HEADER_SIZE = 64
MAX_SEGMENTS = 15


def read_header(head: Buffer) -> tuple[int, list[int]]:
    """Return how many segments there are, and all fifteen offsets, those of no segment too.

    Args:
        head: a frame, or its first 64 bytes.
    """
    count, *offsets = struct.unpack_from("<16I", head)
    return count, offsets


def join_segments(segments: Sequence[bytes]) -> bytes:
    """Return a frame: its header, and its segments, each padded to even length (PS3.5 G.3, G.5)."""
    padded = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    starts = accumulate(map(len, padded[:-1]), initial=HEADER_SIZE)
    unused = [0] * (MAX_SEGMENTS - len(padded))
    return struct.pack("<16I", len(padded), *starts, *unused) + b"".join(padded)


def segments(stream: Buffer) -> list[tuple[int, int]]:
    """Return where each RLE segment starts and ends.

    Offsets that count from the end of the header are taken for what they are, as none can point
    into it; so are segments that lie in another order than that of their numbers.

    Raises:
        TruncatedFrameError: the stream ends before its last segment starts.
        CorruptFrameError: the number of segments or their offsets make no sense.
    """
    if len(stream) < HEADER_SIZE:
        raise TruncatedFrameError("the RLE frame is shorter than its header")
    count, offsets = read_header(stream)
    if not 1 <= count <= MAX_SEGMENTS:
        raise CorruptFrameError(f"the RLE header claims {count} segments")
    starts = offsets[:count]
    if min(starts) == 0:
        starts = [start + HEADER_SIZE for start in starts]
    order = sorted(starts)
    if order[0] < HEADER_SIZE or len(set(order)) < count:
        raise CorruptFrameError("the offsets of the RLE segments make no sense")
    if order[-1] >= len(stream):
        raise TruncatedFrameError("the RLE frame ends before its last segment")
    ends = dict(zip(order, [*order[1:], len(stream)], strict=True))
    return [(start, ends[start]) for start in starts]


def describe(stream: Buffer) -> StreamDescription:
    """Return what the RLE header says: how many segments there are.

    Raises:
        TruncatedFrameError, CorruptFrameError: as `segments`.
    """
    count = len(segments(stream))
    return StreamDescription(
        kind="rle", process="PackBits of byte planes", lossless=True, details={"segments": count}
    )
