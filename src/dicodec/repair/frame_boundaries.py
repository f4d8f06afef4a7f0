"""Frame boundaries: which fragments begin a frame, told by the streams themselves.

An offset table or a Number of Frames can be wrong and fall on borders of fragments all the same. A
boundary is believed if a stream begins there, or if one ends before; streams show it by their
markers, RLE frames by header and segments, others by their size (PS3.5 A.4).
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable

from dicodec.codecs.streams import rle
from dicodec.errors import FrameError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.stream import (
    JP2_START,
    JPEG_2000_START,
    JPEG_START,
    JPEG_XL_BOXES_START,
    JPEG_XL_START,
)
from dicodec.part10.fragments import EncapsulatedFrames
from dicodec.part10.source import ByteSource
from dicodec.repair.stream_kinds import END, is_rle_header, planes_of

_CODESTREAMS = (JPEG_2000_START, JP2_START)
_SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "jpeg": (JPEG_START,),
    "jpeg-ls": (JPEG_START,),
    "jpeg2000": _CODESTREAMS,
    "htj2k": _CODESTREAMS,
    "jpegxl": (JPEG_XL_START, JPEG_XL_BOXES_START),
}
"""The first bytes of a stream, by the family of its transfer syntax."""

_LONGEST_SIGNATURE = max(len(one) for group in _SIGNATURES.values() for one in group)
_ENDS = (END, END + b"\0")
_PIECE = 1 << 20


def find_boundaries(
    source: ByteSource,
    frames: EncapsulatedFrames,
    family: str | None,
    image: ImagePixelDescription,
) -> list[int] | None:
    """Return each frame's first fragment if the streams say otherwise than `frames` does.

    Args:
        source: the bytes that the fragments are in.
        frames: the fragments, and their assignment by table or by counting.
        family: of the transfer syntax that the streams are in.
        image: as it is described.

    Returns:
        None if the assignment is right, or if the streams do not show a better one.
    """
    given = list(frames.first_fragments[:-1])
    if len(given) == len(frames.starts) and _all_begin(source, frames, family, image):
        return None
    fragments = _Fragments(source, frames.starts, frames.lengths)
    found: list[int] | None
    if family == "jpegxl":
        found = _of_jpeg_xl(fragments, image.number_of_frames)
    elif family in _SIGNATURES:
        signatures = _SIGNATURES[family]
        found = _by_streams(
            fragments,
            given,
            lambda index: fragments.head(index, _LONGEST_SIGNATURE).startswith(signatures),
            lambda _, index: fragments.tail(index).endswith(_ENDS),
        )
    elif family == "rle":
        found = _by_streams(
            fragments,
            given,
            lambda index: _begins_rle(fragments, index, image),
            lambda first, index: is_whole_rle(fragments.joined(first, index), image),
        )
    elif family == "encapsulated-uncompressed":
        found = _by_size(fragments, image.native_frame_size)
    elif family == "deflated-frame":
        found = _by_inflating(fragments, given, image.native_frame_size)
    else:
        return None
    return None if found == given else found


def _all_begin(
    source: ByteSource,
    frames: EncapsulatedFrames,
    family: str | None,
    image: ImagePixelDescription,
) -> bool:
    """Whether each fragment begins as a stream does: the usual case, found out in few calls."""
    starts = _SIGNATURES.get(family or "", ())
    if family == "rle":
        starts = (planes_of(image).to_bytes(4, "little"),)
    if not starts:
        return False
    size = max(map(len, starts))
    return all(source.read(start, size).startswith(starts) for start in frames.starts)


class _Fragments:
    """The fragments of Pixel Data, of which bytes are read across their borders."""

    def __init__(self, source: ByteSource, starts: array[int], lengths: array[int]) -> None:
        self._source = source
        self.starts = starts
        self.lengths = lengths
        self.size = sum(lengths)

    def __len__(self) -> int:
        return len(self.starts)

    def head(self, index: int, size: int) -> bytes:
        """Return the first bytes from a fragment on, those of its followers if it is short."""
        head = self._source.read(self.starts[index], min(size, self.lengths[index]))
        while len(head) < size and (index := index + 1) < len(self.starts):
            left = min(size - len(head), self.lengths[index])
            head += self._source.read(self.starts[index], left)
        return head

    def tail(self, index: int) -> bytes:
        """Return the last three bytes before a fragment."""
        tail = b""
        while len(tail) < len(END) + 1 and (index := index - 1) >= 0:
            size = min(len(END) + 1 - len(tail), self.lengths[index])
            tail = self._source.read(self.starts[index] + self.lengths[index] - size, size) + tail
        return tail

    def joined(self, first: int, end: int) -> bytes:
        """Return the bytes of some fragments."""
        return b"".join(
            self._source.read(self.starts[index], self.lengths[index])
            for index in range(first, end)
        )


def _by_streams(
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


def _of_jpeg_xl(fragments: _Fragments, number_of_frames: int) -> list[int] | None:
    """Return the fragments that JPEG XL streams begin in, if there are as many as frames.

    Such a stream has no marker at its end, and its first two bytes may stand in any data.
    """
    signatures = _SIGNATURES["jpegxl"]
    found = [
        index
        for index in range(len(fragments))
        if fragments.head(index, _LONGEST_SIGNATURE).startswith(signatures)
    ]
    return found if len(found) == number_of_frames and found[:1] == [0] else None


def _begins_rle(fragments: _Fragments, index: int, image: ImagePixelDescription) -> bool:
    return is_rle_header(fragments.head(index, rle.HEADER_SIZE), fragments.size, image)


def is_whole_rle(stream: bytes, image: ImagePixelDescription) -> bool:
    """Whether bytes are an RLE frame of an image, with no plane missing or too many (PS3.5 G)."""
    pixels = image.rows * image.columns
    size = (pixels + 7) // 8 if image.bits_allocated == 1 else pixels
    try:
        for plane in rle.find_planes(stream, planes_of(image), size):
            rle.find_end_of_runs(plane, size)
    except FrameError:
        return False
    return True


def _by_size(fragments: _Fragments, size: int) -> list[int] | None:
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


def _by_inflating(fragments: _Fragments, given: list[int], size: int) -> list[int] | None:
    """Return the first fragment of each deflated frame, None if some stream is not one of them.

    If the first frame and the last one, as they are given, are whole, all are believed.
    """
    ends = [*given, len(fragments)]
    if _is_whole_deflated(fragments, ends[0], ends[1], size) and _is_whole_deflated(
        fragments, ends[-2], ends[-1], size
    ):
        return given
    found = [0]
    frame = _DeflatedFrame(size)
    for index in range(len(fragments)):
        if frame.ended:
            found.append(index)
            frame = _DeflatedFrame(size)
        if not frame.takes(fragments.joined(index, index + 1)):
            return None
    return found if frame.ended else None


def _is_whole_deflated(fragments: _Fragments, first: int, end: int, size: int) -> bool:
    frame = _DeflatedFrame(size)
    return all(frame.takes(fragments.joined(one, one + 1)) for one in range(first, end)) and (
        frame.ended
    )


class _DeflatedFrame:
    """One deflate stream that is fed in fragments; no more than a piece of it is inflated at once.

    Args:
        size: bytes of the native frame (PS3.5 A.4.13).
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._inflated = 0

    @property
    def ended(self) -> bool:
        """Whether the stream has ended and held the whole frame."""
        whole = self._inflated in {self._size, self._size + self._size % 2}
        return self._inflater.eof and whole

    def takes(self, data: bytes) -> bool:
        """Inflate a fragment; return False if it is not of such a frame."""
        if self._inflater.eof:
            return False
        try:
            while data and not self._inflater.eof:
                self._inflated += len(self._inflater.decompress(data, _PIECE))
                if self._inflated > self._size + 1:
                    return False
                data = self._inflater.unconsumed_tail
        except zlib.error:
            return False
        return True
