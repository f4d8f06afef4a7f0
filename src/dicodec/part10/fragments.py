"""Assign fragments to frames: Basic and Extended Offset Table, counting, markers (PS3.5 A.4).

An offset table is believed only if it agrees with the fragments; if it does not, frames are found
by counting fragments, and at last by the markers that streams begin with.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise

from dicodec.errors import MalformedFileError, MissingFrameError
from dicodec.model.findings import Oddity, OddityId, join_runs
from dicodec.model.records import dataclass, replace
from dicodec.model.stream import PADDED_ENDS, STREAM_STARTS
from dicodec.part10.source import ByteSource

_STARTS = tuple({start for starts in STREAM_STARTS.values() for start in starts})
LONGEST_START = max(map(len, _STARTS))
"""Bytes that the longest marker of a stream's start takes."""
_ITEM_HEADER = 8


@dataclass(frozen=True, slots=True)
class EncapsulatedFrames:
    """The fragments that make up each frame.

    Attributes:
        starts, lengths: of each fragment's bytes, in file order, without item headers.
        first_fragments: index of each frame's first fragment, and the number of fragments at last.
        offset_table: the file's: "empty", "basic" or "extended".
        oddities: its departures from the standard.
        told_apart: whether fragments could be assigned to frames; else each is taken for one.
        alike: whether all frames' streams surely begin with the headers of the first one.
        by_streams: whether they were told apart by their streams only, which few readers do.
        mend: repairs a frame's stream, if the streams themselves are odd.
    """

    starts: array[int]
    lengths: array[int]
    first_fragments: array[int]
    offset_table: str
    oddities: tuple[Oddity, ...]
    mend: Callable[[bytes], bytes] | None = None
    told_apart: bool = True
    alike: bool = False
    by_streams: bool = False

    def __len__(self) -> int:
        return len(self.first_fragments) - 1

    def find_fragments(self, frame: int) -> range:
        """Return the indices of a frame's fragments."""
        return range(self.first_fragments[frame], self.first_fragments[frame + 1])

    def measure_frame(self, frame: int) -> int:
        """Return the bytes of a frame, all fragments together, padding included."""
        return sum(self.lengths[index] for index in self.find_fragments(frame))

    def measure_all(self) -> int:
        """Return the bytes of all fragments that belong to frames."""
        last = self.first_fragments[-1]
        return sum(self.lengths[:last])

    def find_empty(self) -> list[int]:
        """Return the frames that have not a byte."""
        if 0 not in self.lengths:
            return []
        return [frame for frame in range(len(self)) if not self.measure_frame(frame)]

    def read(self, source: ByteSource, frame: int) -> bytes:
        """Return one frame's stream, its fragments joined, and mended if it has to be.

        Raises:
            MissingFrameError: the file does not have the frame.
            FrameError: its stream cannot be mended.
        """
        stream = self.read_stored(source, frame)
        return stream if self.mend is None or not stream else self.mend(stream)

    def read_stored(self, source: ByteSource, frame: int) -> bytes:
        """Return one frame's stream as it is, its fragments joined.

        Raises:
            MissingFrameError: the file does not have the frame.
        """
        firsts = self.first_fragments
        if not 0 <= frame < len(firsts) - 1:
            raise MissingFrameError(f"Pixel Data holds {len(self)} frames", frame=frame)
        first, end = firsts[frame], firsts[frame + 1]
        if end - first == 1:
            return source.read(self.starts[first], self.lengths[first])
        return b"".join(
            source.read(self.starts[index], self.lengths[index]) for index in range(first, end)
        )


def assign_fragments(
    source: ByteSource,
    starts: array[int],
    lengths: array[int],
    number_of_frames: int,
    fragments_per_frame: int,
    extended: tuple[bytes, bytes] | None,
) -> EncapsulatedFrames:
    """Assign fragments to frames.

    Args:
        source: the bytes that hold the fragments.
        starts: offsets of the items' values; the first item is the Basic Offset Table.
        lengths: their lengths.
        number_of_frames: as the data set says.
        fragments_per_frame: 1 if the transfer syntax allows one only, else 0.
        extended: values of Extended Offset Table and Extended Offset Table Lengths.

    Raises:
        MalformedFileError: the Basic Offset Table item is missing.
    """
    if not starts:
        raise MalformedFileError("encapsulated Pixel Data has no items", attribute="PixelData")
    table = source.read(starts[0], lengths[0])
    starts, lengths = starts[1:], lengths[1:]
    kind = "basic" if table else "extended" if extended else "empty"
    oddities: list[Oddity] = []
    firsts = None
    if table:
        firsts = _assign_by_offsets(_parse_offsets("I", table), starts, number_of_frames)
    elif extended:
        firsts = _assign_by_extended(extended, starts, lengths, number_of_frames, oddities)
    if firsts is None and kind != "empty":
        oddities.append(
            Oddity(
                OddityId.WRONG_OFFSET_TABLE, f"the {kind} offset table does not fit the fragments"
            )
        )
    if 0 in lengths:
        if firsts is None:
            firsts = _assign_with_empty(source, starts, lengths, number_of_frames)
        starts, lengths, firsts = _drop_empty(starts, lengths, firsts, oddities)
    if firsts is None:
        firsts = _assign_by_counting(source, starts, lengths, number_of_frames, fragments_per_frame)
    told_apart = firsts is not None
    if firsts is None:
        firsts = list(range(len(starts)))
    if len(firsts) != number_of_frames:
        oddities.append(
            Oddity(
                OddityId.WRONG_NUMBER_OF_FRAMES,
                f"NumberOfFrames is {number_of_frames}, Pixel Data holds {len(firsts)}",
            )
        )
    bounds = array("Q", [*firsts, len(starts)])
    frames = EncapsulatedFrames(starts, lengths, bounds, kind, (), told_apart=told_apart)
    if empty := frames.find_empty():
        text = f"frames without bytes: {join_runs(empty)} (of {len(frames)}, counted from 0)"
        oddities.append(Oddity(OddityId.EMPTY_FRAME, text))
    return replace(frames, oddities=tuple(oddities))


def begins_stream(head: bytes) -> bool:
    """Return whether a fragment that begins with these LONGEST_START bytes begins a stream."""
    return head.startswith(_STARTS)


def _parse_offsets(code: str, table: bytes) -> list[int]:
    size = struct.calcsize("<" + code)
    return list(struct.unpack(f"<{len(table) // size}{code}", table[: len(table) // size * size]))


def _assign_by_offsets(
    offsets: Sequence[int], starts: Sequence[int], number_of_frames: int
) -> list[int] | None:
    """Return each frame's first fragment, or None if the table contradicts the fragments.

    Offsets count from the first byte after the Basic Offset Table's item, which is the first
    fragment's tag, to each frame's first item tag (PS3.5 A.4).
    """
    if not offsets or not starts or offsets[0] != 0 or len(offsets) != number_of_frames:
        return None
    origin = starts[0]
    firsts: list[int] = []
    for offset in offsets:
        index = bisect_left(starts, origin + offset)
        if index == len(starts) or starts[index] != origin + offset:
            return None
        if firsts and index <= firsts[-1]:
            return None
        firsts.append(index)
    return firsts


def _assign_by_extended(
    extended: tuple[bytes, bytes],
    starts: Sequence[int],
    lengths: Sequence[int],
    number_of_frames: int,
    oddities: list[Oddity],
) -> list[int] | None:
    """Return each frame's first fragment by an Extended Offset Table and its lengths.

    None if the table contradicts the fragments. It is to have one fragment a frame (PS3.3
    C.7.6.3.1.8).
    """
    firsts = _assign_by_offsets(_parse_offsets("Q", extended[0]), starts, number_of_frames)
    if firsts is None:
        return None
    if firsts != list(range(len(starts))):
        text = "an Extended Offset Table comes with several fragments a frame"
        oddities.append(Oddity(OddityId.EXTENDED_OFFSET_TABLE_FRAGMENTS, text))
    elif not _lengths_fit(_parse_offsets("Q", extended[1]), lengths):
        text = "Extended Offset Table Lengths does not fit the fragments"
        oddities.append(Oddity(OddityId.WRONG_OFFSET_TABLE_LENGTHS, text))
    return firsts


def _assign_with_empty(
    source: ByteSource, starts: Sequence[int], lengths: Sequence[int], number_of_frames: int
) -> list[int] | None:
    """Return each frame's first fragment if some frames have no bytes, else None.

    There are as many as fragments, or as fragments that begin a stream or have no bytes.
    """
    if not any(lengths):
        return None
    if len(starts) == number_of_frames:
        return list(range(len(starts)))
    firsts = set(_find_stream_starts(source, starts, lengths)) if lengths[0] else set[int]()
    firsts |= {index for index, length in enumerate(lengths) if not length}
    return sorted(firsts) if len(firsts) == number_of_frames and 0 in firsts else None


def _drop_empty(
    starts: array[int], lengths: array[int], firsts: list[int] | None, oddities: list[Oddity]
) -> tuple[array[int], array[int], list[int] | None]:
    """Leave out fragments without bytes, but the first one of a frame that has no others."""
    kept = {index for index, length in enumerate(lengths) if length}
    if not kept:
        return starts, lengths, firsts
    if firsts is not None:
        for first, after in pairwise((*firsts, len(starts))):
            if not any(lengths[first:after]):
                kept.add(first)
    indices = sorted(kept)
    if len(indices) < len(lengths):
        oddities.append(Oddity(OddityId.EMPTY_FRAGMENT, "a fragment has no bytes"))
    if firsts is not None:
        firsts = [bisect_left(indices, first) for first in firsts]
    return (
        array("Q", [starts[index] for index in indices]),
        array("Q", [lengths[index] for index in indices]),
        firsts,
    )


def _lengths_fit(stated: Sequence[int], lengths: Sequence[int]) -> bool:
    """Return whether the lengths of frames of one fragment each fit, pad byte counted or not."""
    return len(stated) == len(lengths) and all(
        length - one in {0, 1} for one, length in zip(stated, lengths, strict=True)
    )


def _assign_by_counting(
    source: ByteSource,
    starts: Sequence[int],
    lengths: Sequence[int],
    number_of_frames: int,
    fragments_per_frame: int,
) -> list[int] | None:
    count = len(starts)
    if count == number_of_frames:
        return list(range(count))
    firsts = _find_stream_starts(source, starts, lengths)
    if len(firsts) == number_of_frames:
        return firsts
    if len(firsts) > 1 and (len(firsts) == count or _end_before(source, starts, lengths, firsts)):
        return firsts  # each is a stream of its own, so Number of Frames is wrong
    if number_of_frames == 1 and count > 1:
        return [0]  # in several fragments, even if the transfer syntax allows one
    if fragments_per_frame == 1 or count < number_of_frames:
        return list(range(count))  # too many or too few: the caller notes the number
    return None


def _find_stream_starts(
    source: ByteSource, starts: Sequence[int], lengths: Sequence[int]
) -> list[int]:
    """Return the fragments that begin as streams do; the first one always counts."""
    return [
        index
        for index, start in enumerate(starts)
        if index == 0 or begins_stream(source.read(start, min(LONGEST_START, lengths[index])))
    ]


def _end_before(
    source: ByteSource, starts: Sequence[int], lengths: Sequence[int], firsts: Sequence[int]
) -> bool:
    """Return whether a stream ends before each fragment, but the first, that begins one."""
    for first in firsts[1:]:
        length = lengths[first - 1]
        tail = source.read(starts[first - 1] + max(length - 3, 0), min(length, 3))
        if not tail.endswith(PADDED_ENDS):
            return False
    return True


def make_basic_offset_table(frame_lengths: Sequence[int]) -> bytes | None:
    """Return the value of a Basic Offset Table, or None if 32 bits do not suffice.

    Args:
        frame_lengths: even length of each frame's only fragment, without its item header.
    """
    offsets = make_offsets(frame_lengths)
    if offsets and offsets[-1] > 0xFFFFFFFF:
        return None
    return struct.pack(f"<{len(offsets)}I", *offsets)


def make_offsets(frame_lengths: Sequence[int]) -> list[int]:
    """Return the offset of each frame's item tag from the first fragment's item tag."""
    offsets: list[int] = []
    position = 0
    for length in frame_lengths:
        offsets.append(position)
        position += _ITEM_HEADER + length
    return offsets
