"""Read the items of a sequence whose lengths and delimiters may be wrong (PS3.5 7.5).

A length is believed if something that can follow is just behind it. If not, an item
ends before the next item or delimiter, and a sequence before the next element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dicodec.errors import LimitExceededError, MalformedFileError, TruncatedFileError
from dicodec.model import tags
from dicodec.model.findings import OddityId
from dicodec.model.limits import Limits, make_limit_hint
from dicodec.model.records import NamedTuple
from dicodec.part10.elements import ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER
from dicodec.part10.encoding import UNDEFINED_LENGTH, DataSetEncoding, format_tag
from dicodec.part10.source import ByteSource
from dicodec.part10.spliced_source import Piece, SourceRange, join_pieces
from dicodec.repair.element_forms import ReadableForm
from dicodec.repair.element_headers import DELIMITERS, ElementHeader, HeaderReader
from dicodec.repair.level_facts import TreeLevel
from dicodec.repair.oddity_notes import Notes
from dicodec.repair.placed_values import DELIMITER_LENGTH, Entry, Place, make_item_pieces

type ReadElement = Callable[[int, int, Place, int], Entry]
"""Reads the element at an offset: position, end, place, tag of the element before it."""

_SEQUENCE_OF_ITEMS = {
    tags.REGION_SPATIAL_FORMAT: (
        tags.SEQUENCE_OF_ULTRASOUND_REGIONS,
        "PS3.3 C.8.5.5",
    ),  # Region Spatial Format: Sequence of US Regions
}
"""Attributes that begin the items of one sequence only: its tag, and its section."""


class Items(NamedTuple):
    """The items of a sequence.

    Attributes:
        pieces: all of them, without a delimiter; None if they are right at their offsets.
        content_end: offset of their end in the source.
        end: offset of the sequence's end, behind a delimiter.
    """

    pieces: list[Piece] | None
    content_end: int
    end: int


class ItemReader:
    """Reads the items of sequences.

    Args:
        source: holds the bytes.
        headers: reads headers there.
        limits: bounds on depth and count.
        notes: takes the oddities.
        form: gives elements their form.
        read_element: reads one element with all its content.
    """

    def __init__(
        self,
        source: ByteSource,
        headers: HeaderReader,
        limits: Limits,
        notes: Notes,
        form: ReadableForm,
        read_element: ReadElement,
    ) -> None:
        self._source = source
        self._headers = headers
        self._limits = limits
        self._notes = notes
        self._note = notes.add
        self._form = form
        self._read_element = read_element
        self._cut_off = source.size  # a sequence that ends only here may go on

    def read_items(self, header: ElementHeader, end: int, place: Place, *, bounded: bool) -> Items:
        """Read the items of a sequence.

        Args:
            header: of the sequence.
            end: its sure end, or an offset that it cannot reach beyond.
            place: the level of its items.
            bounded: whether it surely ends at `end`.

        Raises:
            MalformedFileError, TruncatedFileError: no reading of them is sure.
            LimitExceededError: sequences are nested too deep.
        """
        if place.depth >= self._limits.nesting_depth:
            raise LimitExceededError("sequences are nested too deep", offset=header.start)
        cut_off = self._cut_off
        if bounded:  # a length that is right proves that nothing was cut off
            self._cut_off = -1
        try:
            return self._read_items(header, end, place, bounded=bounded)
        finally:
            self._cut_off = cut_off

    def _read_items(self, header: ElementHeader, end: int, place: Place, *, bounded: bool) -> Items:
        parts: list[Piece] = []
        changed = False
        position = header.value
        while not (bounded and position == end):
            tag, length = self._headers.read_delimiter(position, place.encoding)
            if position + DELIMITER_LENGTH > end:
                tag = 0
            if tag == SEQUENCE_DELIMITER and not bounded:
                return Items(parts if changed else None, position, position + DELIMITER_LENGTH)
            if tag in {ITEM_DELIMITER, SEQUENCE_DELIMITER} and (bounded or not place.depth):
                self._note(OddityId.STRAY_DELIMITER, "a delimiter between items", position)
                changed = True
                position += DELIMITER_LENGTH
                continue
            if tag != ITEM:
                self._check_end(header, position, end, bounded=bounded)
                return Items(parts, position, position)
            item, after = self._read_item(position, length, end, place, bounded=bounded)
            changed = changed or item is not None
            parts += [SourceRange(self._source, position, after)] if item is None else item
            position = after
        return Items(parts if changed else None, position, position)

    def _check_end(self, header: ElementHeader, position: int, end: int, *, bounded: bool) -> None:
        """Check that a sequence without a delimiter ends before something that is not an item."""
        longer = not header.undefined and header.end < position  # so it does not claim to go on
        if position == self._cut_off and not longer:
            raise TruncatedFileError("a sequence has no delimiter", offset=position)
        tag, _ = self._headers.read_delimiter(position, header.encoding)
        ended = position == end or tag == ITEM_DELIMITER
        if bounded or not (
            ended or self._headers.follows(position, end, header.encoding, header.tag)
        ):
            raise MalformedFileError("there is no item of a sequence here", offset=position)
        if header.undefined:
            self._note(
                OddityId.NO_SEQUENCE_DELIMITER,
                f"{format_tag(header.tag)} has no delimiter",
                position,
            )

    def _read_item(
        self, position: int, length: int, end: int, place: Place, *, bounded: bool
    ) -> tuple[list[Piece] | None, int]:
        """Read an item; return its bytes if they were rewritten, and the offset of its end."""
        value = position + DELIMITER_LENGTH
        level = TreeLevel(self._source, value, end, place.encoding, place.level)
        inside = place._replace(level=level, depth=place.depth + 1)
        undefined = length == UNDEFINED_LENGTH
        stop = value + length
        right = True
        whole = None if undefined else self._read_whole(value, stop, end, inside, bounded=bounded)
        if whole is not None:
            entries, after = whole
            right = after == stop
            if not right:
                self._note_length(position, length, after - value)
            stop = after
        else:
            entries, stop = self._read_elements_up_to_delimiter(value, end, inside)
            closed = self._headers.read_delimiter(stop, place.encoding)[0] == ITEM_DELIMITER
            closed = closed and stop + DELIMITER_LENGTH <= end
            after = stop + DELIMITER_LENGTH * closed
            if undefined and not closed:
                if stop == self._cut_off:
                    raise TruncatedFileError("an item has no delimiter", offset=stop)
                self._note(OddityId.NO_ITEM_DELIMITER, "an item has no delimiter", stop)
                right = False
            elif not undefined:
                # Before another delimiter it might have taken up elements behind its sequence.
                next_tag, _ = self._headers.read_delimiter(after, place.encoding)
                if not bounded and next_tag != ITEM:
                    raise TruncatedFileError(
                        f"an item has length {length}, but only {end - value} bytes remain",
                        offset=position,
                    )
                self._note_length(position, length, stop - value)
                right = False
        content = self._join(entries, value, stop)
        if content is None:
            if right and place.encoding == place.target:
                return None, after
            content = [SourceRange(self._source, value, stop)]
        return make_item_pieces(content, place.target, undefined=undefined), after

    def _read_whole(
        self, value: int, stop: int, end: int, place: Place, *, bounded: bool
    ) -> tuple[list[Entry], int] | None:
        """Read the elements of an item by its stated length, or by the fragments at its end.

        Returns:
            The elements and the end of the item; None if its length tells neither.
        """
        mark = self._notes.mark()
        failed: MalformedFileError | TruncatedFileError | None = None
        if self._ends_at(stop, end, place.encoding, bounded=bounded):
            try:
                return self._read_elements(value, stop, place), stop
            except (MalformedFileError, TruncatedFileError) as error:
                failed = error
                self._notes.back_to(mark)
        try:
            found = self._read_elements_past(value, stop, end, place) if stop < end else None
        except (MalformedFileError, TruncatedFileError):
            found = None
        if found is None:
            self._notes.back_to(mark)
            if failed is not None:
                raise failed
        return found

    def _read_elements_past(
        self, value: int, stop: int, end: int, place: Place
    ) -> tuple[list[Entry], int] | None:
        """Read the elements of an item that is longer than it says: its last one ends behind it.

        Some writers do not count delimiters, or the items that are fragments. An item is believed
        only if it ends with a delimiter of its own.
        """
        entries: list[Entry] = []
        previous, position = 0, value
        while position < stop:
            self._check_count(entries, position)
            entry = self._read_element(position, end, place, previous)
            entries.append(entry)
            previous, position = entry.tag, entry.end
        last, _ = self._headers.read_delimiter(position - DELIMITER_LENGTH, place.encoding)
        follows, _ = self._headers.read_delimiter(position, place.encoding)
        sure = (
            position == end
            or follows in DELIMITERS
            or self._headers.follows(position, end, place.encoding, 0)
        )
        if position == stop or last != SEQUENCE_DELIMITER or not sure:
            return None
        return entries, position

    def _note_length(self, position: int, claimed: int, found: int) -> None:
        text = f"an item claims {claimed} bytes and has {found}"
        self._notes.add(OddityId.WRONG_ITEM_LENGTH, text, position)

    def _ends_at(self, stop: int, end: int, encoding: DataSetEncoding, *, bounded: bool) -> bool:
        """Whether an item's stated end is one: another item, a delimiter or the end is there."""
        if stop >= end:
            return stop == end
        if self._headers.read_delimiter(stop, encoding)[0] in DELIMITERS:
            return True
        return not bounded and self._headers.follows(stop, end, encoding, 0)

    def _read_elements(self, position: int, end: int, place: Place) -> list[Entry]:
        """Read the elements of an item that surely ends at `end`."""
        entries: list[Entry] = []
        previous = 0
        while position < end:
            self._check_count(entries, position)
            tag, _ = self._headers.read_delimiter(position, place.encoding)
            if tag == ITEM and position + DELIMITER_LENGTH <= end:
                raise MalformedFileError("an item outside of a sequence", offset=position)
            if tag in DELIMITERS and position + DELIMITER_LENGTH <= end:
                self._note(OddityId.STRAY_DELIMITER, "a delimiter outside of a sequence", position)
                position += DELIMITER_LENGTH
                continue
            entry = self._read_element(position, end, place, previous)
            entries.append(entry)
            previous, position = entry.tag, entry.end
        return entries

    def _read_elements_up_to_delimiter(
        self, position: int, end: int, place: Place
    ) -> tuple[list[Entry], int]:
        """Read the elements up to an item, a delimiter or the end, and return its offset."""
        entries: list[Entry] = []
        previous = 0
        while position < end:
            self._check_count(entries, position)
            tag, _ = self._headers.read_delimiter(position, place.encoding)
            if tag in DELIMITERS and position + DELIMITER_LENGTH <= end:
                break
            entry = self._read_element(position, end, place, previous)
            entries.append(entry)
            previous, position = entry.tag, entry.end
        return entries, position

    def _check_count(self, entries: Sequence[Entry], position: int) -> None:
        if len(entries) >= self._limits.elements:
            raise LimitExceededError(
                "an item has too many elements",
                offset=position,
                hint=make_limit_hint("elements=NUMBER"),
            )

    def _join(self, entries: Sequence[Entry], start: int, stop: int) -> list[Piece] | None:
        """Return the bytes of a level; None if all are right at their offsets."""
        position = start
        changed = False
        parts: list[Piece] = []
        for entry in self._form.order(entries):
            changed = changed or entry.pieces is not None or entry.start != position
            position = entry.end
            if entry.pieces is None:
                parts.append(SourceRange(self._source, entry.start, entry.end))
            else:
                parts += entry.pieces
        return join_pieces(parts) if changed or position != stop else None

    def read_orphans(
        self, position: int, end: int, place: Place, previous: int
    ) -> tuple[ElementHeader, Items] | None:
        """Read items whose sequence is missing, if their first attribute identifies it.

        Returns:
            The header that the sequence would have, and its items; None if it cannot be known.
        """
        first, _ = self._headers.read_delimiter(position + DELIMITER_LENGTH, place.encoding)
        sequence, section = _SEQUENCE_OF_ITEMS.get(first, (0, ""))
        if not previous < sequence:
            return None
        text = f"items without their sequence: {format_tag(sequence)} by {section}"
        self._note(OddityId.NO_SEQUENCE_HEADER, text, position)
        header = ElementHeader(sequence, "", position, position, 0, False, place.encoding)
        items = self.read_items(header, end, place, bounded=False)
        if items.pieces is None:
            items = items._replace(pieces=[SourceRange(self._source, position, items.content_end)])
        return header, items
