"""Boxes of the ISO base media kind: JP2 and JPH (ISO/IEC 15444-1 Annex I), JPEG XL (18181-2)."""

from __future__ import annotations

from collections.abc import Iterator

from dicodec.errors import CorruptFrameError, LimitExceededError, TruncatedFrameError
from dicodec.model.records import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its type, and the start and end of its contents.

    Attributes:
        kind: four bytes.
        start: offset of the contents.
        end: offset behind them; past the end of the data if the box is cut off.
    """

    kind: bytes
    start: int
    end: int


_MOST_BOXES = 4096


def walk_boxes(data: bytes) -> Iterator[Box]:
    """Yield the top-level boxes; a last one that is cut off is yielded too.

    Raises:
        TruncatedFrameError: the data ends within a box header.
        CorruptFrameError: a box claims to be smaller than its header.
        LimitExceededError: there are too many boxes.
    """
    at = count = 0
    while at < len(data):
        count += 1
        if count > _MOST_BOXES:
            raise LimitExceededError(
                f"the stream has more than {_MOST_BOXES} boxes",
                offset=at,
                hint="this limit is fixed; a stream needs a few",
            )
        if not any(data[at : at + 8]):
            return  # padding
        if at + 8 > len(data):
            raise TruncatedFrameError("the stream ends within a box header", offset=at)
        length = int.from_bytes(data[at : at + 4])
        header = 8
        if length == 1:
            header = 16
            if at + header > len(data):
                raise TruncatedFrameError("the stream ends within a box header", offset=at)
            length = int.from_bytes(data[at + 8 : at + 16])
        elif length == 0:  # to the end
            length = len(data) - at
        if length < header:
            raise CorruptFrameError("a box is smaller than its header", offset=at)
        yield Box(data[at + 4 : at + 8], at + header, at + length)
        at += length
