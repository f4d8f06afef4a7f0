"""Reading elements with everything in them tolerantly, and writing anew what has to be.

One pass over an element, however deep: what is right stays where it lies, what is not becomes new
bytes around the parts that are. In the readable form just enough is changed for a plain reader to
understand every byte; the standard form is what a strict reader takes (standard_form.py).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from dicodec.errors import LimitExceededError, MalformedFileError, TruncatedFileError
from dicodec.model import tags
from dicodec.model.limits import Limits
from dicodec.part10.dictionary import vr_of
from dicodec.part10.edit_bytes import element_header
from dicodec.part10.elements import ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER
from dicodec.part10.encoding import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
    tag_bytes,
    tag_text,
)
from dicodec.part10.reencode import swap_bytes
from dicodec.part10.source import ByteSource
from dicodec.part10.spliced_source import (
    Piece,
    SourceRange,
    SplicedSource,
    joined_pieces,
    piece_length,
)
from dicodec.part10.vr import (
    LONG_FORM,
    SHORT_FORM,
    SHORT_FORM_LIMIT,
    VALUE_REPRESENTATIONS,
)
from dicodec.repair.element_headers import DELIMITERS, ElementHeader, HeaderReader
from dicodec.repair.forms import ReadableForm
from dicodec.repair.levels import TreeLevel
from dicodec.repair.notes import Notes

_SEQUENCE_OF_ITEMS = {
    0x00186012: (0x00186011, "PS3.3 C.8.5.5"),  # Region Spatial Format: Sequence of US Regions
}
"""Attributes that begin the items of one sequence only: its tag, and where that is said."""


class Entry(NamedTuple):
    """One element as the result has it.

    Attributes:
        tag: 0xggggeeee.
        vr: as it is stated there; "" where none is.
        start, end: where the element lies in the source.
        pieces: its bytes where they had to be written anew; None where they are right.
        header, trailer: bytes before and after the value in `pieces`.
        undefined: whether `pieces` states an undefined length.
    """

    tag: int
    vr: str
    start: int
    end: int
    pieces: list[Piece] | None
    header: int = 0
    trailer: int = 0
    undefined: bool = False


class _Items(NamedTuple):
    """The items of a sequence: pieces of the whole content, None where all are right."""

    pieces: list[Piece] | None
    end: int
    closed: bool


class ElementTree:
    """Reads elements of one data set and all that is in them.

    Args:
        source: where the bytes are.
        limits: bounds on depth and count.
        notes: takes what is odd.
        form: what is made of single elements.

    Attributes:
        states_vrs: whether an element was met that states its VR among others that do not.
    """

    def __init__(
        self, source: ByteSource, limits: Limits, notes: Notes, form: ReadableForm
    ) -> None:
        self.states_vrs = False
        self._source = source
        self._limits = limits
        self._file_end = source.size
        self._headers = HeaderReader(source)
        self._notes = notes
        self._form = form

    def element(
        self,
        position: int,
        end: int,
        encoding: DataSetEncoding,
        target: DataSetEncoding,
        level: TreeLevel,
        previous: int = 0,
        depth: int = 0,
    ) -> Entry:
        """Read the element at an offset, whatever it holds.

        Args:
            position: where it begins.
            end: what it cannot reach beyond.
            encoding: that it should be in.
            target: that it shall be in.
            level: what the elements before it said.
            previous: tag of the element before it.
            depth: of sequences around it.

        Raises:
            MalformedFileError: no reading of it is sure.
            TruncatedFileError: it ends too early.
            LimitExceededError: sequences are nested too deep, or there are too many elements.
        """
        header = self._headers.at(position, end, encoding, previous)
        if header.oddity:
            self._note(header.oddity, _TEXTS[header.oddity].format(tag_text(header.tag)), position)
            self.states_vrs |= header.oddity == "explicit-element"
        if header.undefined:
            if self._fragmented(header, depth):
                return self._fragments(header, end, target)
            return self._undefined(header, end, target, level, depth)
        if header.vr == "SQ" or (header.vr == "" and self._sequence_by_tag(header)):
            return self._defined(header, end, target, level, depth)
        if header.vr == "UN" and self._form.parses_unknown:
            entry = self._unknown_sequence(header, target, level, depth)
            if entry is not None:
                return entry
        return self._leaf(header, target, level)

    def _leaf(self, header: ElementHeader, target: DataSetEncoding, level: TreeLevel) -> Entry:
        level.note(header, self._headers.bytes_at(header.value, min(header.length, 64)))
        vr, mended = self._form.leaf(header, level)
        right = mended is None and not header.oddity and header.encoding == target
        if right and (vr == header.vr or not target.explicit_vr):
            return Entry(header.tag, header.vr, header.start, header.end, None)
        value = mended or [SourceRange(self._source, header.value, header.end)]
        if header.encoding.little_endian != target.little_endian:
            value = [self._swapped(value, vr)]
        size = sum(map(piece_length, value))
        if size > SHORT_FORM_LIMIT and not VALUE_REPRESENTATIONS[vr].long_form:
            vr = "UN"  # PS3.5 6.2.2: too long for a 16-bit length field
        head = element_header(header.tag, vr, size, target)
        stated = vr if target.explicit_vr else ""
        return Entry(header.tag, stated, header.start, header.end, [head, *value], len(head))

    def _swapped(self, value: list[Piece], vr: str) -> bytes:
        size = sum(map(piece_length, value))
        if size > self._limits.element_size:
            raise LimitExceededError(
                f"an element of {size} bytes in the other byte order cannot be held in memory"
            )
        return swap_bytes(SplicedSource(value).read(0, size), VALUE_REPRESENTATIONS[vr].swap_unit)

    def _undefined(
        self, header: ElementHeader, end: int, target: DataSetEncoding, level: TreeLevel, depth: int
    ) -> Entry:
        inner, stated = header.encoding, header.vr
        if stated not in {"SQ", "UN", ""}:
            self._note("undefined-length", f"{tag_text(header.tag)} is {stated} and has an "
                       "undefined length", header.start)  # fmt: skip
        vr = "SQ" if target.explicit_vr else ""
        kept_unknown = (
            stated == "UN" and not self._form.parses_unknown and header.encoding == target
        )
        if stated == "UN":
            # PS3.5 6.2.2 note 4: UN of undefined length holds implicit VR little endian.
            inner = EXPLICIT_LITTLE if self._explicit_inside(header.value) else IMPLICIT_LITTLE
            if kept_unknown:
                vr, target = "UN", inner
            else:
                self._note("sequence-as-un", f"{tag_text(header.tag)} is a sequence and stated as "
                           "UN", header.start)  # fmt: skip
        items = self._items(header, end, inner, target, level, depth, bounded=False)
        right = items.pieces is None and items.closed and not header.oddity
        if right and (kept_unknown or (header.encoding == target and stated in {"SQ", ""})):
            return Entry(header.tag, stated, header.start, items.end, None)
        content = items.pieces
        if content is None:
            content = [SourceRange(self._source, header.value, items.end - 8 * items.closed)]
        written = header.encoding if kept_unknown else target
        return _sequence_entry(header, vr, content, items.end, written, undefined=True)

    def _defined(
        self, header: ElementHeader, end: int, target: DataSetEncoding, level: TreeLevel, depth: int
    ) -> Entry:
        inner = header.encoding
        if self._bounded(header, end):
            items = self._items(header, header.end, inner, target, level, depth, bounded=True)
        else:
            self._note("wrong-sequence-length", f"{tag_text(header.tag)} claims {header.length} "
                       "bytes, which is not where its items end", header.start)  # fmt: skip
            items = self._items(header, end, inner, target, level, depth, bounded=False)
            items = items._replace(
                pieces=[SourceRange(self._source, header.value, items.end - 8 * items.closed)]
                if items.pieces is None
                else items.pieces
            )
        vr = "SQ" if target.explicit_vr else ""
        right = header.encoding == target and header.vr == (vr if inner.explicit_vr else "")
        if items.pieces is None and right and not header.oddity:
            return Entry(header.tag, header.vr, header.start, items.end, None)
        content = items.pieces
        if content is None:
            content = [SourceRange(self._source, header.value, items.end)]
        return _sequence_entry(header, vr, content, items.end, target, undefined=False)

    def _unknown_sequence(
        self, header: ElementHeader, target: DataSetEncoding, level: TreeLevel, depth: int
    ) -> Entry | None:
        """Return a UN of defined length that is a sequence as one, None if it is none."""
        end = header.value + header.length
        if not self._headers.holds_items(header.value, end, IMPLICIT_LITTLE):
            return None
        inner = EXPLICIT_LITTLE if self._explicit_inside(header.value) else IMPLICIT_LITTLE
        noted = self._notes.mark()
        try:
            items = self._items(header, end, inner, target, level, depth, bounded=True)
        except (MalformedFileError, TruncatedFileError):
            self._notes.back_to(noted)
            return None
        self._note("sequence-as-un", f"{tag_text(header.tag)} is a sequence and stated as UN",
                   header.start)  # fmt: skip
        content = items.pieces
        if content is None:
            content = [SourceRange(self._source, header.value, end)]
        vr = "SQ" if target.explicit_vr else ""
        return _sequence_entry(header, vr, content, header.end, target, undefined=False)

    def _items(
        self,
        header: ElementHeader,
        end: int,
        encoding: DataSetEncoding,
        target: DataSetEncoding,
        level: TreeLevel,
        depth: int,
        *,
        bounded: bool,
    ) -> _Items:
        """Read the items of a sequence that surely ends at `end`, or somewhere before it.

        The delimiter of a sequence that has one is read and not among the pieces.
        """
        if depth >= self._limits.nesting_depth:
            raise LimitExceededError("sequences are nested too deep", offset=header.start)
        file_end = self._file_end
        if bounded:  # a length that is right proves that nothing was cut off
            self._file_end = -1
        try:
            return self._items_inside(header, end, encoding, target, level, depth, bounded=bounded)
        finally:
            self._file_end = file_end

    def _items_inside(
        self,
        header: ElementHeader,
        end: int,
        encoding: DataSetEncoding,
        target: DataSetEncoding,
        level: TreeLevel,
        depth: int,
        *,
        bounded: bool,
    ) -> _Items:
        parts: list[Piece] = []
        changed = False
        position = header.value
        while not (bounded and position == end):
            tag, length = self._headers.delimiter_at(position, encoding)
            if tag == SEQUENCE_DELIMITER and position + 8 <= end:
                if not bounded:
                    return _Items(parts if changed else None, position + 8, closed=True)
                tag = ITEM_DELIMITER
            if tag == ITEM_DELIMITER and position + 8 <= end and (bounded or not depth):
                self._note("stray-delimiter", "a delimiter between items", position)
                changed = True
                position += 8
                continue
            if tag != ITEM or position + 8 > end:
                self._check_end_of_sequence(header, position, end, bounded=bounded)
                return _Items(parts, position, closed=False)
            item, after = self._item(
                position, length, end, encoding, target, level, depth, bounded=bounded
            )
            changed = changed or item is not None
            parts += [SourceRange(self._source, position, after)] if item is None else item
            position = after
        return _Items(parts if changed else None, position, closed=False)

    def _check_end_of_sequence(
        self, header: ElementHeader, position: int, end: int, *, bounded: bool
    ) -> None:
        """A sequence without delimiter ends where something else surely begins."""
        if not bounded:
            if position == self._file_end:
                raise TruncatedFileError("a sequence has no delimiter", offset=position)
            tag = self._headers.delimiter_at(position, header.encoding)[0]
            if position == end or tag == ITEM_DELIMITER or self._headers.follows(
                position, end, header.encoding, header.tag
            ):  # fmt: skip
                if header.undefined:
                    self._note("no-sequence-delimiter", f"{tag_text(header.tag)} has no delimiter",
                               position)  # fmt: skip
                return
        raise MalformedFileError(
            "something else where an item of a sequence should be", offset=position
        )

    def _item(
        self,
        position: int,
        length: int,
        end: int,
        encoding: DataSetEncoding,
        target: DataSetEncoding,
        level: TreeLevel,
        depth: int,
        *,
        bounded: bool,
    ) -> tuple[list[Piece] | None, int]:
        """Read an item; return its bytes if they had to be written anew, and where it ends."""
        value = position + 8
        inside = TreeLevel(self._source, value, end, encoding, level)
        undefined = length == UNDEFINED_LENGTH
        stop = value + length
        if undefined:
            entries, stop, closed = self._level(
                value, end, encoding, target, inside, depth + 1, open_end=True
            )
            if not closed:
                if stop == self._file_end:
                    raise TruncatedFileError("an item has no delimiter", offset=stop)
                self._note("no-item-delimiter", "an item has no delimiter", stop)
            right, after = closed, stop + 8 * closed
        elif self._item_ends(stop, end, encoding, level, bounded=bounded):
            entries, _, _ = self._level(
                value, stop, encoding, target, inside, depth + 1, open_end=False
            )
            right, after = True, stop
        else:
            entries, stop, closed = self._level(
                value, end, encoding, target, inside, depth + 1, open_end=True
            )
            if not bounded and not self._more_items(stop, encoding):
                raise TruncatedFileError(
                    f"an item claims {length} bytes where {end - value} are left", offset=position
                )
            self._note("wrong-item-length", f"an item claims {length} bytes and has "
                       f"{stop - value}", position)  # fmt: skip
            right, after = False, stop + 8 * closed
        content = self.joined(entries, value, stop)
        if content is None:
            if right and encoding == target:
                return None, after
            content = [SourceRange(self._source, value, stop)]
        size = UNDEFINED_LENGTH if undefined else sum(map(piece_length, content))
        head = tag_bytes(ITEM, target) + struct.pack(target.order + "I", size)
        tail = [_delimiter(ITEM_DELIMITER, target)] if undefined else []
        return [head, *content, *tail], after

    def _item_ends(
        self, stop: int, end: int, encoding: DataSetEncoding, level: TreeLevel, *, bounded: bool
    ) -> bool:
        """Whether an item's stated end is one: another item, a delimiter or the end is there."""
        if stop >= end:
            return stop == end
        if self._headers.delimiter_at(stop, encoding)[0] in DELIMITERS:
            return True
        return not bounded and self._headers.follows(stop, end, encoding, 0)

    def _more_items(self, stop: int, encoding: DataSetEncoding) -> bool:
        """Whether an item ends before another one of its own sequence, with or without delimiter.

        Before any other delimiter it might have taken up elements that follow its sequence.
        """
        tag = self._headers.delimiter_at(stop, encoding)[0]
        if tag == ITEM_DELIMITER:
            tag = self._headers.delimiter_at(stop + 8, encoding)[0]
        return tag == ITEM

    def _level(
        self,
        position: int,
        end: int,
        encoding: DataSetEncoding,
        target: DataSetEncoding,
        level: TreeLevel,
        depth: int,
        *,
        open_end: bool,
    ) -> tuple[list[Entry], int, bool]:
        """Read the elements of an item.

        Returns:
            The elements, where they end, and whether an Item Delimitation Item is there.
        """
        entries: list[Entry] = []
        previous = 0
        while position < end:
            if len(entries) > self._limits.elements:
                raise LimitExceededError("an item has too many elements", offset=position)
            tag, length = self._headers.delimiter_at(position, encoding)
            if tag in DELIMITERS and position + 8 <= end:
                if open_end:
                    return entries, position, tag == ITEM_DELIMITER
                if tag == ITEM:
                    raise MalformedFileError("an item outside of a sequence", offset=position)
                self._note("stray-delimiter", "a delimiter outside of a sequence", position)
                position += 8
                continue
            entry = self.element(position, end, encoding, target, level, previous, depth)
            entries.append(entry)
            previous, position = entry.tag, entry.end
        return entries, position, False

    def joined(self, entries: Sequence[Entry], start: int, stop: int) -> list[Piece] | None:
        """Return the bytes of a level; None where they are all right as they lie."""
        entries = self._form.ordered(entries)
        position = start
        changed = False
        parts: list[Piece] = []
        for entry in entries:
            changed = changed or entry.pieces is not None or entry.start != position
            position = entry.end
            if entry.pieces is None:
                parts.append(SourceRange(self._source, entry.start, entry.end))
            else:
                parts += entry.pieces
        return joined_pieces(parts) if changed or position != stop else None

    def orphan_item(
        self,
        position: int,
        end: int,
        encoding: DataSetEncoding,
        target: DataSetEncoding,
        level: TreeLevel,
        previous: int,
        depth: int = 0,
    ) -> Entry | None:
        """Read items whose sequence is missing, where their first attribute tells which it is.

        Returns:
            The sequence; None where nobody can know it.
        """
        first = self._headers.delimiter_at(position + 8, encoding)[0]
        sequence, section = _SEQUENCE_OF_ITEMS.get(first, (0, ""))
        if not previous < sequence:
            return None
        self._note("no-sequence-header", f"items without their sequence: {tag_text(sequence)} by "
                   f"{section}", position)  # fmt: skip
        header = ElementHeader(sequence, "", position, position, 0, True, encoding)
        parts: list[Piece] = []
        while (found := self._headers.delimiter_at(position, encoding))[0] == ITEM:
            item, after = self._item(
                position, found[1], end, encoding, target, level, depth, bounded=False
            )
            parts += [SourceRange(self._source, position, after)] if item is None else item
            position = after
        if not self._headers.follows(position, end, encoding, sequence):
            return None
        vr = "SQ" if target.explicit_vr else ""
        return _sequence_entry(header, vr, parts, position, target, undefined=False)

    def _fragments(self, header: ElementHeader, end: int, target: DataSetEncoding) -> Entry:
        """Jump over encapsulated Pixel Data that is no frame's of the file, such as an icon's."""
        position = header.value
        while True:
            tag, length = self._headers.delimiter_at(position, header.encoding)
            if tag == SEQUENCE_DELIMITER and position + 8 <= end:
                break
            if tag != ITEM or length == UNDEFINED_LENGTH or position + 8 + length > end:
                raise MalformedFileError(
                    "something else where a fragment should be", offset=position
                )
            position += 8 + length
        if not header.oddity and header.encoding == target:
            return Entry(header.tag, header.vr, header.start, position + 8, None)
        content: list[Piece] = [SourceRange(self._source, header.value, position)]
        vr = "OB" if target.explicit_vr else ""
        return _sequence_entry(header, vr, content, position + 8, target, undefined=True)

    def _fragmented(self, header: ElementHeader, depth: int) -> bool:
        """Whether an element of undefined length holds fragments, not items of elements."""
        if header.tag == tags.PIXEL_DATA:
            return True
        return header.vr in {"OB", "OW"} and self.holds_no_elements(header)

    def holds_no_elements(self, header: ElementHeader) -> bool:
        """Whether the first item that is not empty begins with something else than an element."""
        position = header.value
        while True:
            tag, length = self._headers.delimiter_at(position, header.encoding)
            if tag != ITEM:
                return True
            if length:
                stop = position + 8 + (0 if length == UNDEFINED_LENGTH else length)
                return length != UNDEFINED_LENGTH and not self._headers.follows(
                    position + 8, stop, header.encoding, 0
                )
            position += 8

    def _bounded(self, header: ElementHeader, end: int) -> bool:
        """Whether the length of a sequence is right: its items end there, or an element begins."""
        if header.end > end:
            return False
        if header.end == end or self._headers.holds_items(
            header.value, header.end, header.encoding
        ):
            return True
        return not header.length or self._headers.follows(
            header.end, end, header.encoding, header.tag
        )

    def _sequence_by_tag(self, header: ElementHeader) -> bool:
        """Whether an element that states no VR is a sequence."""
        return vr_of(header.tag) == "SQ" and (
            not header.length
            or self._headers.delimiter_at(header.value, header.encoding)[0] in DELIMITERS
        )

    def _explicit_inside(self, value: int) -> bool:
        """Whether the first element of the first item states a VR."""
        letters = self._headers.bytes_at(value, 16)[12:14]
        return letters in SHORT_FORM or letters in LONG_FORM

    def _note(self, oddity: str, text: str, offset: int) -> None:
        self._notes.add(oddity, text, offset)


_TEXTS = {
    "explicit-element": "{} states its VR among elements that do not",
    "implicit-element": "{} has no VR among elements that have",
    "illegal-vr": "{} has a VR that there is not",
    "wrong-length-field": "{} has a length field of another size than its VR's",
    "other-byte-order": "{} is in the other byte order",
    "uncounted-pad-byte": "{} is followed by a pad byte that its length does not count",
}


def _delimiter(tag: int, encoding: DataSetEncoding) -> bytes:
    return tag_bytes(tag, encoding) + bytes(4)


def _sequence_entry(
    header: ElementHeader,
    vr: str,
    content: list[Piece],
    end: int,
    target: DataSetEncoding,
    *,
    undefined: bool,
) -> Entry:
    size = UNDEFINED_LENGTH if undefined else sum(map(piece_length, content))
    head = element_header(header.tag, vr, size, target)
    tail = [_delimiter(SEQUENCE_DELIMITER, target)] if undefined else []
    return Entry(
        header.tag, vr, header.start, end, [head, *content, *tail], len(head), 8 * len(tail),
        undefined,
    )  # fmt: skip
