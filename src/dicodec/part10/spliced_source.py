"""A source made of others: existing runs of bytes, and new bytes between them.

It makes a repaired data set a view: only new bytes are in memory, however large the rest is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from dicodec.model.records import NamedTuple
from dicodec.part10.source import ByteSource


class SourceRange(NamedTuple):
    """Bytes of a source from `start` to `end`."""

    source: ByteSource
    start: int
    end: int


type Piece = bytes | SourceRange


class SplicedSource:
    """Pieces that follow each other, read as one source; by any thread.

    Args:
        pieces: in order; none of them may change.

    Attributes:
        size: bytes of all pieces.
    """

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces: Sequence[Piece] = [piece for piece in pieces if measure_piece(piece)]
        ends = list(accumulate(map(measure_piece, self._pieces)))
        self.size = ends[-1] if ends else 0
        self._starts = [0, *ends]

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end of the source."""
        end = min(offset + length, self.size)
        parts: list[bytes] = []
        index = bisect_right(self._starts, offset) - 1
        while offset < end:
            start = self._starts[index]
            stop = min(end, self._starts[index + 1])
            part = _read(self._pieces[index], offset - start, stop - offset)
            parts.append(part)
            if len(part) < stop - offset:  # a source became shorter
                break
            offset = stop
            index += 1
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def find_piece(self, offset: int) -> tuple[Piece, int] | None:
        """Return the piece that has a byte, and the byte's offset in it; None behind the end."""
        if not 0 <= offset < self.size:
            return None
        index = bisect_right(self._starts, offset) - 1
        return self._pieces[index], offset - self._starts[index]


def find_origin(source: ByteSource, offset: int, original: ByteSource) -> int | None:
    """Return where a byte of a source lies in the one it was made of; None if it is a new one."""
    while source is not original:
        found = source.find_piece(offset) if isinstance(source, SplicedSource) else None
        if found is None:
            return None
        piece, within = found
        if isinstance(piece, bytes):
            return None
        source, offset = piece.source, piece.start + within
    return offset


def measure_piece(piece: Piece) -> int:
    """Return the bytes of a piece."""
    return len(piece) if isinstance(piece, bytes) else piece.end - piece.start


def _read(piece: Piece, offset: int, length: int) -> bytes:
    if isinstance(piece, bytes):
        return piece[offset : offset + length]
    return piece.source.read(piece.start + offset, length)


def join_pieces(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the same bytes in fewer pieces, with neighbors joined."""
    joined: list[Piece] = []
    new: list[bytes] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if isinstance(piece, bytes):
            new.append(piece)
            continue
        if new:
            joined.append(b"".join(new))
            new.clear()
            last = None
        if isinstance(last, SourceRange) and (last.source, last.end) == (piece.source, piece.start):
            joined[-1] = last._replace(end=piece.end)
        else:
            joined.append(piece)
    if new:
        joined.append(b"".join(new))
    return joined
