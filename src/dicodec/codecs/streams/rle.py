"""The header of an RLE frame (PS3.5 G.5): read and written."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate

from dicodec.codecs.streams.jpeg_markers import Buffer
from dicodec.errors import CorruptFrameError, FrameMismatchError, TruncatedFrameError
from dicodec.model.stream import StreamDescription

HEADER_SIZE = 64
MAX_SEGMENTS = 15
_NOTHING = 128
"""A code that stands for no byte (G.3.2)."""

_LIKE_HEADER = 8
"""Bytes of a header that frames of the same image share: segments, and the first one's offset."""


def read_header(head: Buffer) -> tuple[int, list[int]]:
    """Return the number of segments and all fifteen offsets, also those without a segment.

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


def find_segments(stream: Buffer, needed: int = MAX_SEGMENTS) -> list[tuple[int, int]]:
    """Return the start and end of each RLE segment.

    Args:
        stream: of one frame.
        needed: number of segments of the image.

    Offsets that count from the end of the header are accepted, because none can point into it; so
    are segments in another order than that of their numbers. Surplus segments are left out if they
    have no data: if their offset is 0, as that of an unused one, or equals that of the segment
    before, or lies behind the stream.

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
    while len(starts) > needed and (starts[-1] in {0, starts[-2]} or starts[-1] >= len(stream)):
        starts.pop()
    if min(starts) == 0:
        starts = [start + HEADER_SIZE for start in starts]
    order = sorted(starts)
    if order[0] < HEADER_SIZE or len(set(order)) < len(order):
        raise CorruptFrameError("the offsets of the RLE segments make no sense")
    if order[-1] >= len(stream):
        raise TruncatedFrameError("the RLE frame ends before its last segment")
    ends = dict(zip(order, [*order[1:], len(stream)], strict=True))
    return [(start, ends[start]) for start in starts]


def find_planes(stream: Buffer, needed: int, size: int) -> list[memoryview]:
    """Return the segments of an image's planes, each with any bytes that follow its runs.

    Surplus segments may not hold a plane, because a frame with more planes is of another image. If
    offsets count from the end of the header, only zeros may follow the runs, because damaged
    offsets look like that, too.

    Args:
        stream: of one frame.
        needed: number of planes of the image.
        size: bytes of a plane.

    Raises:
        TruncatedFrameError, CorruptFrameError: as `find_segments`.
        FrameMismatchError: there are too few or too many planes.
    """
    view = memoryview(stream)
    found = [view[start:end] for start, end in find_segments(stream, needed)]
    spare = found[needed:]
    if len(found) < needed or (spare and any(_holds_plane(one, size) for one in spare)):
        raise FrameMismatchError(
            f"the RLE frame has {len(found)} segments, the image needs {needed}"
        )
    relative = 0 in struct.unpack_from(f"<{needed}I", stream, 4)
    if relative and any(any(one[find_end_of_runs(one, size) :]) for one in found[:needed]):
        raise CorruptFrameError("the offsets of the RLE segments make no sense")
    return found[:needed]


def find_end_of_runs(segment: Buffer, size: int) -> int:
    """Return the end of the run that completes a plane of a size (PS3.5 G.3.1).

    Raises:
        TruncatedFrameError: there are fewer runs, or the last one is cut.
    """
    data = bytes(segment)
    at = filled = 0
    while filled < size and at < len(data):
        code = data[at]
        if code < _NOTHING:  # a literal run
            filled += code + 1
            at += code + 2
        elif code > _NOTHING:  # a replicate run
            filled += 257 - code
            at += 2
        else:
            at += 1
    if at > len(data):
        raise TruncatedFrameError("an RLE segment ends within a run")
    if filled < size:
        raise TruncatedFrameError(f"an RLE segment holds {filled} of {size} bytes")
    return at


def begins_another(stream: Buffer, needed: int, size: int) -> bool:
    """Return whether another frame, with a header like this one's, begins behind the last plane.

    Runs are counted only if such a header is found, because that takes as long as decoding.

    Args:
        stream: of one frame.
        needed: number of planes of the image.
        size: bytes of a plane.
    """
    data = bytes(stream)
    start, end = max(find_segments(stream, needed)[:needed])
    # The zeros that a header ends in are rare in runs, and found in a sixth of the time.
    unused = bytes(4 * (MAX_SEGMENTS - needed))
    if data.find(unused, start, end) < 0:
        return False
    at = data.find(data[:_LIKE_HEADER], start, end)
    while at >= 0 and at + HEADER_SIZE <= end:
        if data[at : at + HEADER_SIZE].endswith(unused):
            behind = start + find_end_of_runs(memoryview(data)[start:end], size)
            return behind <= at and not any(data[behind:at])
        at = data.find(data[:_LIKE_HEADER], at + 1, end)
    return False


def _holds_plane(segment: Buffer, size: int) -> bool:
    try:
        find_end_of_runs(segment, size)
    except TruncatedFrameError:
        return False
    return True


def describe(stream: Buffer) -> StreamDescription:
    """Describe the stream by its RLE header: the number of segments.

    Raises:
        TruncatedFrameError, CorruptFrameError: as `find_segments`.
    """
    find_segments(stream, needed=1)
    count, _ = read_header(stream)
    return StreamDescription(
        kind="rle", process="PackBits of byte planes", lossless=True, details={"segments": count}
    )
