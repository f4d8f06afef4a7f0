"""What the header of an RLE frame says (PS3.5 Annex G.5)."""

from __future__ import annotations

import struct

from dicodec.codecs.streams.jpeg_markers import Buffer
from dicodec.errors import CorruptFrameError, TruncatedFrameError
from dicodec.model.stream import StreamDescription

HEADER_SIZE = 64
MAX_SEGMENTS = 15


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
    count, *offsets = struct.unpack_from("<16I", stream)
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
