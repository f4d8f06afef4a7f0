"""Frame boundaries: which fragments begin a frame, told by the streams themselves.

An offset table or a Number of Frames can be wrong and fall on borders of fragments all the same. A
boundary is believed if a stream begins there, or if one ends before; streams show it by their
markers, RLE frames by header and segments, others by their size (PS3.5 A.4).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from itertools import accumulate, pairwise

from dicodec.codecs.streams import rle
from dicodec.errors import FrameError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import replace
from dicodec.model.stream import PADDED_ENDS, STREAM_STARTS
from dicodec.part10.fragment_walk import match_beginnings
from dicodec.part10.fragments import EncapsulatedFrames
from dicodec.part10.source import ByteSource
from dicodec.repair.deflated_frames import DeflatedFrame
from dicodec.repair.stream_kinds import (
    CHECK_WHOLE,
    HEAD_SIZE,
    count_planes,
    describe_stream_at,
    find_headers,
    is_rle_header,
    measure_rle_frame,
)

_TAIL = max(map(len, PADDED_ENDS))


def judge_boundaries(
    source: ByteSource,
    frames: EncapsulatedFrames,
    family: str | None,
    image: ImagePixelDescription,
    *,
    compares_headers: bool = True,
) -> EncapsulatedFrames:
    """Return frames that begin in other fragments if the streams say so, else the same ones.

    Args:
        source: the bytes that the fragments are in.
        frames: the fragments, and their assignment by table or by counting.
        family: of the transfer syntax that the streams are in.
        image: as it is described.
        compares_headers: whether to find out if all streams have the headers of the first one.
    """
    if empty := frames.find_empty():
        return _judge_around_empty(source, frames, family, image, empty)
    given = list(frames.first_fragments[:-1])
    if len(given) == len(frames.starts):
        begin, alike = _begin_streams(source, frames, family, image, compares_headers)
        if begin:
            return replace(frames, alike=alike) if alike else frames
    found = _find_boundaries(
        _Fragments(source, frames.starts, frames.lengths), given, family, image
    )
    if found is None or found == given:
        return frames
    bounds = array("Q", [*found, len(frames.starts)])
    return replace(frames, first_fragments=bounds, told_apart=True, by_streams=True)


def _judge_around_empty(
    source: ByteSource,
    frames: EncapsulatedFrames,
    family: str | None,
    image: ImagePixelDescription,
    empty: list[int],
) -> EncapsulatedFrames:
    """Judge the frames that have bytes; those that have none are believed as they are given."""
    left_out = set(empty)
    bounds = list(pairwise(frames.first_fragments))
    kept = [one for frame, one in enumerate(bounds) if frame not in left_out]
    indices = [index for first, end in kept for index in range(first, end)]
    if not indices:
        return frames
    parts = replace(
        frames,
        starts=array("Q", [frames.starts[index] for index in indices]),
        lengths=array("Q", [frames.lengths[index] for index in indices]),
        first_fragments=array("Q", [0, *accumulate(end - first for first, end in kept)]),
    )
    number = image.number_of_frames - len(empty)
    judged = judge_boundaries(source, parts, family, replace(image, number_of_frames=number))
    if judged.first_fragments == parts.first_fragments:
        return replace(frames, alike=judged.alike)
    firsts = {indices[index] for index in judged.first_fragments[:-1]}
    firsts |= {bounds[frame][0] for frame in empty}
    found = array("Q", [*sorted(firsts), len(frames.starts)])
    return replace(frames, first_fragments=found, told_apart=True, by_streams=True)


def _begin_streams(
    source: ByteSource,
    frames: EncapsulatedFrames,
    family: str | None,
    image: ImagePixelDescription,
    compares_headers: bool,
) -> tuple[bool, bool]:
    """Return whether each fragment begins as a stream does, and with the headers of the first.

    The usual case, found out in few calls.
    """
    starts = STREAM_STARTS.get(family or "", ())
    if family == "rle":
        starts = (count_planes(image).to_bytes(4, "little"),)
    if not starts:
        return False, False
    headers = b""
    if compares_headers and family != "rle":
        headers = _read_first_headers(source, frames)
    return match_beginnings(source, frames.starts, frames.lengths, starts, headers)


def _read_first_headers(source: ByteSource, frames: EncapsulatedFrames) -> bytes:
    start, length = frames.starts[0], frames.lengths[0]
    stream = describe_stream_at(source, start, length)
    return (
        b"" if stream is None else find_headers(source.read(start, min(length, HEAD_SIZE)), stream)
    )


def _find_boundaries(
    fragments: _Fragments, given: list[int], family: str | None, image: ImagePixelDescription
) -> list[int] | None:
    """Return each frame's first fragment by the streams; None if they do not show it."""
    if family == "jpegxl":
        return _find_by_jpeg_xl(fragments, image.number_of_frames)
    if family is not None and (starts := STREAM_STARTS.get(family)):
        return _find_by_streams(
            fragments,
            given,
            lambda index: fragments.begins(index, starts),
            lambda first, index: _is_whole(fragments, first, index, family),
        )
    if family == "rle":
        return _find_by_streams(
            fragments,
            given,
            lambda index: _begins_rle(fragments, index, image),
            lambda first, index: measure_rle_frame(fragments.join(first, index), image) > 0,
        )
    if family == "encapsulated-uncompressed":
        return _find_by_size(fragments, image.native_frame_size)
    if family == "deflated-frame":
        return _find_by_inflating(fragments, given, image.native_frame_size)
    return None


def _is_whole(fragments: _Fragments, first: int, end: int, family: str) -> bool:
    """Whether a stream with markers ends in some fragments, whatever bytes pad it."""
    if fragments.read_tail(end).endswith(PADDED_ENDS):
        return True
    try:
        CHECK_WHOLE[family](fragments.join(first, end))
    except FrameError:
        return False
    return True


class _Fragments:
    """The fragments of Pixel Data, of which bytes are read across their borders."""

    def __init__(self, source: ByteSource, starts: array[int], lengths: array[int]) -> None:
        self._source = source
        self.starts = starts
        self.lengths = lengths
        self.size = sum(lengths)

    def __len__(self) -> int:
        return len(self.starts)

    def read_head(self, index: int, size: int) -> bytes:
        """Return the first bytes from a fragment on, those of its followers if it is short."""
        head = self._source.read(self.starts[index], min(size, self.lengths[index]))
        while len(head) < size and (index := index + 1) < len(self.starts):
            left = min(size - len(head), self.lengths[index])
            head += self._source.read(self.starts[index], left)
        return head

    def begins(self, index: int, starts: tuple[bytes, ...]) -> bool:
        """Whether one of some starts is at the start of a fragment."""
        return self.read_head(index, max(map(len, starts))).startswith(starts)

    def read_tail(self, index: int) -> bytes:
        """Return the last three bytes before a fragment."""
        tail = b""
        while len(tail) < _TAIL and (index := index - 1) >= 0:
            size = min(_TAIL - len(tail), self.lengths[index])
            tail = self._source.read(self.starts[index] + self.lengths[index] - size, size) + tail
        return tail

    def join(self, first: int, end: int) -> bytes:
        """Return the bytes of some fragments."""
        return b"".join(
            self._source.read(self.starts[index], self.lengths[index])
            for index in range(first, end)
        )


def _find_by_streams(
    fragments: _Fragments,
    given: list[int],
    begins: Callable[[int], bool],
    ended: Callable[[int, int], bool],
) -> list[int] | None:
    """Return the fragments that a stream begins in.

    A damaged stream has no right beginning, or no right end; so a boundary that is given is refused
    only if neither is there, and another one is taken only if both are.

    Args:
        fragments: of all frames.
        given: the first fragment of each frame, by table or by counting.
        begins: whether a stream begins in a fragment.
        ended: whether the stream that begins in the first fragment ends before the second one.
    """
    boundaries = set(given)
    if not begins(0):
        return None
    found = [0]
    for index in range(1, len(fragments)):
        stated, begun = index in boundaries, begins(index)
        if (stated and begun) or ((stated or begun) and ended(found[-1], index)):
            found.append(index)
    return found


def _find_by_jpeg_xl(fragments: _Fragments, number_of_frames: int) -> list[int] | None:
    """Return the fragments that JPEG XL streams begin in, if there are as many as frames.

    Such a stream has no marker at its end, and its first two bytes may stand in any data.
    """
    starts = STREAM_STARTS["jpegxl"]
    found = [index for index in range(len(fragments)) if fragments.begins(index, starts)]
    return found if len(found) == number_of_frames and found[:1] == [0] else None


def _begins_rle(fragments: _Fragments, index: int, image: ImagePixelDescription) -> bool:
    return is_rle_header(fragments.read_head(index, rle.HEADER_SIZE), fragments.size, image)


def _find_by_size(fragments: _Fragments, size: int) -> list[int] | None:
    """Return the first fragment of each native frame, None if some frame has another size."""
    found, filled = [0], 0
    for index, length in enumerate(fragments.lengths):
        if filled in {size, size + size % 2} and filled:
            found.append(index)
            filled = 0
        filled += length
        if filled > size + size % 2:
            return None
    return found if filled in {size, size + size % 2} else None


def _find_by_inflating(fragments: _Fragments, given: list[int], size: int) -> list[int] | None:
    """Return the first fragment of each deflated frame, None if some stream is not one of them.

    If the first frame and the last one, as they are given, are whole, all are believed.
    """
    ends = [*given, len(fragments)]
    if _is_whole_deflated(fragments, ends[0], ends[1], size) and _is_whole_deflated(
        fragments, ends[-2], ends[-1], size
    ):
        return given
    found = [0]
    frame = DeflatedFrame(size)
    for index in range(len(fragments)):
        if frame.ended:
            found.append(index)
            frame = DeflatedFrame(size)
        if not frame.takes(fragments.join(index, index + 1)):
            return None
        if frame.goes_on and index > found[-1]:
            return None  # a damaged frame ran on into the next one
    return found if frame.ended else None


def _is_whole_deflated(fragments: _Fragments, first: int, end: int, size: int) -> bool:
    frame = DeflatedFrame(size)
    return all(frame.takes(fragments.join(one, one + 1)) for one in range(first, end)) and (
        frame.ended
    )
