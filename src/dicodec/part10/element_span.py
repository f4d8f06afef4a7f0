"""The spans of elements: one as an object, and those of a level in few bytes.

A CT file has hundreds of elements, and a conversion looks at thirty of them: kernels find those,
and objects are made of them alone.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence

from dicodec._kernels import COMPILED
from dicodec.model.records import NamedTuple

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import overload

_LETTERS = "" if COMPILED is None else COMPILED.VALUE_REPRESENTATIONS
_NUMBERS = {_LETTERS[at : at + 2]: at // 2 for at in range(0, len(_LETTERS), 2)} | {"": 0xFF}
_RECORD = struct.Struct("=QQQIBBBx")
"""As element_record of _kernels/elements.h."""

RECORD_SIZE = _RECORD.size


class ElementSpan(NamedTuple):
    """The offsets of one element.

    Attributes:
        tag: group and element as one number, 0xggggeeee.
        vr: as stated; "" if the element states none (implicit VR).
        start: offset of the tag.
        value: offset of the value's first byte.
        length: bytes of the value, without a delimiter.
        end: offset after the whole element, its delimiter included.
        undefined: whether the length field says FFFFFFFF.
    """

    tag: int
    vr: str
    start: int
    value: int
    length: int
    end: int
    undefined: bool


def pack_span(span: ElementSpan) -> bytes | None:
    """Return the record of a span; None if kernels have no number for its VR."""
    number = _NUMBERS.get(span.vr)
    if number is None:
        return None
    tag, _, start, value, length, end, undefined = span
    return _RECORD.pack(start, length, end, tag, number, value - start, undefined)


class PackedSpans(Sequence[ElementSpan]):
    """The spans of one level, in file order.

    Args:
        records: of the kernels, one after the other.

    Attributes:
        records: the same.
    """

    __slots__ = ("_all", "_made", "records")

    def __init__(self, records: bytes) -> None:
        self.records = records
        self._made: dict[int, ElementSpan] = {}
        self._all: list[ElementSpan] | None = None

    def __len__(self) -> int:
        return len(self.records) // RECORD_SIZE

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, index: int) -> ElementSpan: ...

        @overload
        def __getitem__(self, index: slice) -> list[ElementSpan]: ...

    def __getitem__(self, index: int | slice) -> ElementSpan | list[ElementSpan]:
        if isinstance(index, slice) or self._all is not None:
            return self._list_all()[index]
        count = len(self.records) // RECORD_SIZE
        place = index + count if index < 0 else index
        span = self._made.get(place)
        if span is None:
            assert COMPILED is not None
            if not 0 <= place < count:
                raise IndexError(index)
            (span,) = COMPILED.unpack_elements(self.records, place, place + 1, ElementSpan)
            span = self._made.setdefault(place, span)
        return span

    def __iter__(self) -> Iterator[ElementSpan]:
        return iter(self._list_all())

    def __reversed__(self) -> Iterator[ElementSpan]:
        return reversed(self._list_all())

    def find_all(self, wanted: Collection[int]) -> list[int]:
        """Return the indices of all elements of some tags, in file order."""
        assert COMPILED is not None
        found = []
        for tag in wanted:
            place = -1
            while (place := COMPILED.find_element(self.records, tag, place + 1)) >= 0:
                found.append(place)
        return sorted(found)

    def list_possible_sequences(self, least: int) -> Iterator[ElementSpan]:
        """Yield the elements of VR SQ, or of none, whose values have a number of bytes at least."""
        assert COMPILED is not None
        return map(self.__getitem__, COMPILED.list_sequences(self.records, least))

    def count_adjacent(self, index: int, end: int, edited: bytes, limit: int) -> int:
        """Return how many elements follow each other without a gap and are treated alike.

        Args:
            index: of the first one, which counts whatever it is.
            end: index behind the last one.
            edited: tags that do not count, as packed numbers of 32 bits of the machine.
            limit: a tag; it and those above do not count.
        """
        assert COMPILED is not None
        count: int = COMPILED.count_adjacent(self.records, index, end, edited, limit)
        return count

    def _list_all(self) -> list[ElementSpan]:
        if self._all is None:
            assert COMPILED is not None
            spans = COMPILED.unpack_elements(self.records, 0, len(self), ElementSpan)
            for place, span in self._made.items():  # who has a span finds it again, not its twin
                spans[place] = span
            self._all = spans
        return self._all


class FoundSpans(dict[int, "ElementSpan | None"]):
    """Spans by tag, found when they are asked for, once; None for tags that are absent.

    Args:
        elements: in which they are found; of duplicates the first.
    """

    __slots__ = ("_elements",)

    def __init__(self, elements: PackedSpans) -> None:
        super().__init__()
        self._elements = elements

    def __missing__(self, tag: int) -> ElementSpan | None:
        assert COMPILED is not None, "spans are packed"
        elements = self._elements
        place = COMPILED.find_element(elements.records, tag, 0)
        span = self[tag] = None if place < 0 else elements[place]
        return span
