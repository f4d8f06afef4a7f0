"""Walk a result once more by the rules of PS3.5 7 alone, which forgive nothing.

A parser of its own: the one that reads sources is tolerant, and would not find in a result the
faults that it forgives in a source. It goes into every sequence, of defined length too.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

from dicodec.model import tags
from dicodec.model.findings import OddityId
from dicodec.model.records import NamedTuple
from dicodec.part10.dictionary import find_vr
from dicodec.part10.encoding import (
    DELIMITER_GROUP,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
    format_tag,
)
from dicodec.part10.source import ByteSource
from dicodec.part10.vr import VALUE_REPRESENTATIONS

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import NoReturn

_WINDOW = 1 << 16
_LONGEST_HEADER = 12
_ITEM, _ITEM_END, _SEQUENCE_END = 0xE000, 0xE00D, 0xE0DD
_DEEPEST = 128
_MOST_FAULTS = 1000
_UNPACK = {
    order: tuple(struct.Struct(order + form).unpack_from for form in ("HH2sH", "HHI"))
    for order in "<>"
}
_FORMS = {name.encode(): (name, row.long_form) for name, row in VALUE_REPRESENTATIONS.items()}


class Fault(NamedTuple):
    """One departure of a result from the standard.

    Attributes:
        id: of the oddity that it is.
        tag: of the top level element it is in.
        path: to the element, for people.
        text: the rule that is broken.
        offset: in the result's data set.
    """

    id: OddityId
    tag: int
    path: str
    text: str
    offset: int


class _BrokenError(Exception):
    """An element cannot be walked any further."""


class _Place(NamedTuple):
    """An element around others, or an item of it: written out as a path only for a fault."""

    around: _Place | None
    tag: int
    item: int
    depth: int

    @property
    def top(self) -> int:
        """The top level element that this is, or is in."""
        place = self
        while place.around is not None and place.around.tag:
            place = place.around
        return place.tag

    @property
    def path(self) -> str:
        """The path for people: "(0040,0275)[0].(0040,0007)"; "" for the top level itself."""
        if not self.tag:
            return ""
        before = self.around.path if self.around is not None else ""
        if self.item >= 0:
            return f"{before}[{self.item}]"
        return f"{before}.{format_tag(self.tag)}" if before else format_tag(self.tag)


def find_faults(
    source: ByteSource,
    start: int,
    encoding: DataSetEncoding,
    starts: Sequence[int],
    *,
    encapsulated: bool,
) -> list[Fault]:
    """Return everything in which a data set departs from PS3.5 7, and A.4.

    Args:
        source: the bytes of the data set, inflated.
        start: of its first element.
        encoding: that its transfer syntax has.
        starts: offsets of top level elements, one of which the walk goes on at behind a fault that
            leaves it without an end.
        encapsulated: whether its transfer syntax allows fragments.
    """
    walk = _Walk(source, encapsulated=encapsulated)
    place = _Place(None, 0, 0, 0)
    while start < source.size:
        try:
            walk.walk_elements(start, source.size, encoding, place)
        except _BrokenError:
            behind = max(start, walk.faults[-1].offset)
            start = next((one for one in starts if one > behind), source.size)
        else:
            break
    return walk.faults


class _Walk:
    def __init__(self, source: ByteSource, *, encapsulated: bool) -> None:
        self.faults: list[Fault] = []
        self._source = source
        self._encapsulated = encapsulated
        self._window = b""
        self._held = 0
        self._base = 0

    def walk_elements(
        self, position: int, end: int, encoding: DataSetEncoding, place: _Place
    ) -> int:
        """Walk the elements up to an offset, or up to an Item Delimitation Item if it is -1.

        Returns:
            The offset behind the last one.
        """
        head, numbers = _UNPACK[encoding.order]
        explicit = encoding.explicit_vr
        limit = self._source.size if end < 0 else end
        previous = -1
        while position != end:
            if limit - position < 8:
                self._note_fault(
                    OddityId.WRONG_ITEM_LENGTH, place, "elements go on behind their end", position
                )
                raise _BrokenError
            index = self._index(position, _LONGEST_HEADER)
            window = self._window
            group, number, letters, length = head(window, index)
            if group == DELIMITER_GROUP:
                if number == _ITEM_END and end < 0:
                    return position
                self._note_fault(
                    OddityId.STRAY_DELIMITER, place, "a delimiter between elements", position
                )
                position += 8
                continue
            tag = group << 16 | number
            value = position + 8
            if explicit:
                form = _FORMS.get(letters)
                if form is None:
                    self._break_off(
                        OddityId.ILLEGAL_VR, tag, place, f"states {letters!r} as VR", position
                    )
                vr, long_form = form
                if long_form:
                    if limit - position < 12:
                        self._break_off(OddityId.ODD_LENGTH, tag, place, "has no length", position)
                    length = int.from_bytes(
                        window[index + 8 : index + 12],
                        "little" if encoding.little_endian else "big",
                    )
                    value += 4
            else:
                length = numbers(window, index)[2]
                vr = ""
            if tag <= previous or not number:
                self._order(tag, previous, place, position)
            previous = tag
            if length == UNDEFINED_LENGTH:
                position = self._walk_undefined(tag, vr, value, limit, encoding, place)
                continue
            after = value + length
            if after > limit:
                text = f"has length {length}, but only {limit - value} bytes remain"
                self._break_off(OddityId.WRONG_ITEM_LENGTH, tag, place, text, position)
            if length & 1:
                self._note_fault(
                    OddityId.ODD_LENGTH, _enter(tag, place), f"has {length} bytes", position
                )
            if length and (vr == "SQ" or (not vr and _is_sequence(tag))):
                self._walk_bounded(tag, value, after, encoding, place)
            position = after
        return position

    def _walk_bounded(
        self,
        tag: int,
        value: int,
        end: int,
        encoding: DataSetEncoding,
        place: _Place,
    ) -> None:
        """Walk a sequence of defined length; a fault inside does not touch the elements behind."""
        with suppress(_BrokenError):
            self._walk_items(tag, value, end, encoding, place)

    def _walk_items(
        self, tag: int, position: int, end: int, encoding: DataSetEncoding, place: _Place
    ) -> int:
        """Walk items up to an offset, or up to the delimiter if it is -1; return the end."""
        inside = _enter(tag, place)
        if inside.depth > _DEEPEST:
            self._break_off(OddityId.WRONG_ITEM_LENGTH, tag, place, "is nested too deep", position)
        limit = self._source.size if end < 0 else end
        number = 0
        while position != end:
            found, length = self._read_item_header(position, limit, encoding, inside)
            if found == _SEQUENCE_END and end < 0:
                return position + 8
            if found != _ITEM:
                id_ = OddityId.STRAY_DELIMITER if found else OddityId.SEQUENCE_KEPT_AS_UN
                self._note_fault(id_, inside, "holds something else than items", position)
                raise _BrokenError
            item = _Place(inside, tag, number, inside.depth)
            position += 8
            if length == UNDEFINED_LENGTH:
                position = self.walk_elements(position, -1, encoding, item) + 8
            else:
                if position + length > limit:
                    text = f"has length {length}, but only {limit - position} bytes remain"
                    self._note_fault(OddityId.WRONG_ITEM_LENGTH, item, text, position)
                    raise _BrokenError
                position = self.walk_elements(position, position + length, encoding, item)
            number += 1
        return position

    def _walk_undefined(
        self,
        tag: int,
        vr: str,
        value: int,
        limit: int,
        encoding: DataSetEncoding,
        place: _Place,
    ) -> int:
        """Walk an element of undefined length; return the offset behind its delimiter."""
        if tag == tags.PIXEL_DATA:
            if not self._encapsulated:
                text = "is encapsulated in a transfer syntax without fragments"
                self._note_fault(
                    OddityId.ENCAPSULATED_OUTSIDE_EXPLICIT_LE, _enter(tag, place), text, value
                )
            return self._walk_fragments(tag, value, limit, encoding, place)
        if vr not in {"SQ", "UN", ""}:
            self._break_off(
                OddityId.UNDEFINED_LENGTH, tag, place, f"is {vr}, of undefined length", value
            )
        inner = encoding
        if vr == "UN":
            inner = IMPLICIT_LITTLE
            first = self._source.read(value + 12, 2)
            if first in _FORMS:
                text = "is UN, and its items state their VRs"
                self._note_fault(OddityId.EXPLICIT_IN_UN, _enter(tag, place), text, value)
                inner = EXPLICIT_LITTLE
        return self._walk_items(tag, value, -1, inner, place)

    def _walk_fragments(
        self, tag: int, position: int, limit: int, encoding: DataSetEncoding, place: _Place
    ) -> int:
        inside = _enter(tag, place)
        while True:
            found, length = self._read_item_header(position, limit, encoding, inside)
            if found == _SEQUENCE_END:
                return position + 8
            if found != _ITEM or length == UNDEFINED_LENGTH or position + 8 + length > limit:
                text = "holds something else than fragments"
                self._note_fault(OddityId.NO_DELIMITER, inside, text, position)
                raise _BrokenError
            if length & 1:
                self._note_fault(
                    OddityId.ODD_FRAGMENT, inside, f"has a fragment of {length} bytes", position
                )
            position += 8 + length

    def _read_item_header(
        self, position: int, limit: int, encoding: DataSetEncoding, place: _Place
    ) -> tuple[int, int]:
        """Return the element number of an item or delimiter, 0 if it is neither; and its length."""
        if limit - position < 8:
            self._note_fault(OddityId.NO_SEQUENCE_DELIMITER, place, "has no end", position)
            raise _BrokenError
        index = self._index(position, 8)
        group, number, length = _UNPACK[encoding.order][1](self._window, index)
        if group != DELIMITER_GROUP:
            return 0, length
        if number == _SEQUENCE_END and length:
            self._note_fault(
                OddityId.STRAY_DELIMITER, place, "has a delimiter with a length", position
            )
        return number, length

    def _order(self, tag: int, previous: int, place: _Place, position: int) -> None:
        if not tag & 0xFFFF:
            self._note_fault(
                OddityId.GROUP_LENGTH, _enter(tag, place), "is a group length", position
            )
        elif tag == previous:
            self._note_fault(
                OddityId.DUPLICATE_ELEMENT, _enter(tag, place), "is there again", position
            )
        else:
            self._note_fault(
                OddityId.UNORDERED_ELEMENT, _enter(tag, place), "is out of order", position
            )

    def _index(self, position: int, size: int) -> int:
        index = position - self._base
        if index < 0 or index + size > self._held:
            content = self._source.read(position, _WINDOW)
            self._held = len(content)
            self._window = content + bytes(_LONGEST_HEADER)  # the last header may be shorter
            self._base = position
            return 0
        return index

    def _note_fault(self, id_: OddityId, place: _Place, text: str, offset: int) -> None:
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(Fault(id_, place.top, place.path, text, offset))

    def _break_off(
        self, id_: OddityId, tag: int, place: _Place, text: str, offset: int
    ) -> NoReturn:
        self._note_fault(id_, _enter(tag, place), text, offset)
        raise _BrokenError


def _enter(tag: int, place: _Place) -> _Place:
    return _Place(place, tag, -1, place.depth + 1)


@lru_cache(maxsize=1 << 14)
def _is_sequence(tag: int) -> bool:
    return find_vr(tag) == "SQ"
