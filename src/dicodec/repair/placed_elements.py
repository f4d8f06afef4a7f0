"""Elements of one level, some at their offsets in the source and some rewritten."""

from __future__ import annotations

from dicodec.part10.element_span import ElementSpan
from dicodec.part10.source import ByteSource
from dicodec.part10.spliced_source import Piece, SourceRange, SplicedSource, measure_piece
from dicodec.repair.placed_values import Entry


class PlacedElements:
    """Elements, and the source they lie in: the given one with new bytes behind its end."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._pieces: list[Piece] = [SourceRange(source, 0, source.size)]
        self._size = source.size
        self.elements: list[ElementSpan] = []

    def add(self, entry: Entry) -> None:
        """Give an element that was written anew its place."""
        assert entry.pieces is not None
        size = sum(map(measure_piece, entry.pieces))
        start = self._size
        value, end = start + entry.header, start + size
        self._pieces += entry.pieces
        self._size = end
        self.elements.append(
            ElementSpan(
                entry.tag, entry.vr, start, value, end - entry.trailer - value, end, entry.undefined
            )
        )

    def keep(self, span: ElementSpan) -> None:
        """Take on an element that is right at its offset."""
        self.elements.append(span)

    def splice(self, head: bytes, start: int, end: int) -> int:
        """Put new bytes before a range of the source and return the offsets of both."""
        place = self._size
        self._pieces += [head, SourceRange(self._source, start, end)]
        self._size += len(head) + end - start
        return place

    def make_source(self) -> ByteSource:
        """Return the offsets of all elements."""
        return SplicedSource(self._pieces) if len(self._pieces) > 1 else self._source
