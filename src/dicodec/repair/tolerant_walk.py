"""The top level of a data set that a plain reader cannot walk: every byte explained, or none.

A file that was cut off stays an error, because missing bytes may have held anything.
"""

from __future__ import annotations

from dicodec.errors import LimitExceededError, MalformedFileError, TruncatedFileError
from dicodec.model.findings import OddityId
from dicodec.model.limits import Limits, make_limit_hint
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.edit_bytes import encode_element_header
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import (
    ITEM,
    ITEM_DELIMITER,
    PIXEL_DATA_TAGS,
    SEQUENCE_DELIMITER,
    Walker,
)
from dicodec.part10.encoding import (
    DELIMITER_GROUP,
    EXPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
    format_tag,
)
from dicodec.part10.file_meta import guess_encoding
from dicodec.part10.image_attributes import describe_image
from dicodec.part10.source import ByteSource, read_chunks
from dicodec.part10.vr import LONG_FORM, SHORT_FORM
from dicodec.repair.element_forms import ReadableForm
from dicodec.repair.element_headers import ElementHeader, HeaderReader
from dicodec.repair.element_tree import ElementTree
from dicodec.repair.level_facts import TreeLevel
from dicodec.repair.oddity_notes import Notes
from dicodec.repair.placed_elements import PlacedElements
from dicodec.repair.placed_values import Entry, Place
from dicodec.repair.value_extents import UndelimitedValue, UndelimitedValueError

_PIXEL_GROUP = 0x7FE0
_LATE_GROUPS = frozenset({0x7FE0, 0xFFFA, 0xFFFC, DELIMITER_GROUP})
_LOW_BYTES = frozenset(group & 0xFF for group in _LATE_GROUPS)
_ALL_VRS = LONG_FORM | SHORT_FORM
_SWAPPED_ITEM_GROUP = b"\xff\xfe"
"""FEFF in little endian, which no element has: a sequence that was not read as one goes on here."""
_MOST_STRAY_BYTES = 256
_SURE_ELEMENTS = 6
"""Elements with rising tags that show the start of a data set."""


def walk_tolerantly(
    source: ByteSource, start: int, encoding: DataSetEncoding, limits: Limits
) -> WalkedDataSet | None:
    """Return a data set that plain walking cannot read; None if no reading of it is sure.

    Right parts stay at their offsets; rewritten ones lie behind the source's end.

    Args:
        source: holds the bytes.
        start: of the data set.
        encoding: of its first element.
        limits: bounds on its claims.

    Raises:
        LimitExceededError: a number is past its limit.
        UndelimitedValueError: Pixel Data of undefined length has no sure end.
    """
    walk = _Walk(source, start, encoding, limits)
    try:
        try:
            walk.run()
        except _OtherEncodingError as other:
            walk = _Walk(source, start, other.encoding, limits)
            walk.run()
    except UndelimitedValueError:
        raise
    except (MalformedFileError, TruncatedFileError, _OtherEncodingError):
        return None
    return walk.make_data_set()


class _OtherEncodingError(Exception):
    """The data set has to be walked from its start in another encoding."""

    def __init__(self, encoding: DataSetEncoding) -> None:
        self.encoding = encoding


class _Walk:
    def __init__(
        self, source: ByteSource, start: int, encoding: DataSetEncoding, limits: Limits
    ) -> None:
        self._source = source
        self._start = self._position = start
        self._encoding = encoding
        self._limits = limits
        self._notes = Notes()
        self._headers = HeaderReader(source)
        self._tree = ElementTree(source, limits, self._notes, ReadableForm(source, self._notes))
        level = TreeLevel(source, start, source.size, encoding, None)
        self._place = Place(encoding, encoding, level)
        self._placed = PlacedElements(source)
        self._pixels: Walker | None = None
        self._states_vrs = encoding.explicit_vr
        self._previous = 0

    def run(self) -> None:
        """Walk to the end.

        Raises:
            MalformedFileError, TruncatedFileError: no reading is sure.
        """
        found = 0  # with those that are left out, which take as long
        while self._position < self._source.size:
            if found > self._limits.elements:
                raise LimitExceededError(
                    "the data set has too many elements", hint=make_limit_hint("elements=NUMBER")
                )
            found += 1
            if self._is_zeros_to_the_end():
                return
            tag, _ = self._headers.read_delimiter(self._position, self._encoding)
            if tag in {ITEM_DELIMITER, SEQUENCE_DELIMITER}:
                self._note(OddityId.STRAY_DELIMITER, "a delimiter outside of a sequence")
                self._position += 8
            elif tag == ITEM:
                self._take_orphans()
            elif (
                self._encoding.little_endian
                and self._source.read(self._position, 2) == _SWAPPED_ITEM_GROUP
            ):
                raise MalformedFileError(
                    "an item's tag in the other byte order", offset=self._position
                )
            else:
                self._take_element()

    def make_data_set(self) -> WalkedDataSet:
        """Return the data set."""
        walker = self._pixels or Walker(self._source, self._limits)
        encoding = self._encoding
        if self._states_vrs and not encoding.explicit_vr:
            encoding = EXPLICIT_LITTLE  # elements without VR may stand among others
        return WalkedDataSet(
            DataSet(self._placed.make_source(), encoding, self._placed.elements, self._limits),
            walker.fragment_starts,
            walker.fragment_lengths,
            walker.missing,
            (*self._notes.list_oddities(), *walker.oddities),
        )

    def _take_element(self) -> None:
        end = self._source.size
        try:
            header = self._headers.read_header(self._position, end, self._encoding, self._previous)
        except (MalformedFileError, TruncatedFileError):
            if self._skip_stray_start() or self._is_garbage_to_the_end():
                return
            raise
        if header.tag in PIXEL_DATA_TAGS:
            self._take_pixel_data(header)
            return
        entry = self._tree.read_element(self._position, end, self._place, self._previous)
        self._states_vrs |= bool(entry.vr)
        if entry.tag >> 16 == DELIMITER_GROUP:
            # A reader of the result would take it for the end of a sequence, or for no element.
            self._note(OddityId.RESERVED_GROUP, f"{format_tag(entry.tag)} is in the data set")
            self._position = entry.end
        else:
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        if entry.pieces is not None:
            self._placed.add(entry)
        else:
            self._placed.keep(self._make_plain_span(entry))
        self._previous = max(self._previous, entry.tag)
        self._position = entry.end

    def _make_plain_span(self, entry: Entry) -> ElementSpan:
        """Return the span of an element that is right as it lies."""
        header = self._headers.read_header(entry.start, entry.end, self._encoding, 0)
        length = entry.end - header.value - 8 * header.undefined
        return ElementSpan(
            entry.tag, entry.vr, entry.start, header.value, length, entry.end, header.undefined
        )

    def _take_pixel_data(self, header: ElementHeader) -> None:
        """Take Pixel Data on as a plain reader would, behind a header that it understands."""
        if self._pixels is not None:
            raise MalformedFileError("Pixel Data is there again", offset=header.start)
        if header.encoding.little_endian != self._encoding.little_endian:
            raise _OtherEncodingError(header.encoding)
        start, source, moved = header.start, self._source, 0
        if header.oddity:
            self._note(header.oddity, f"Pixel Data: {header.oddity}")
            self._states_vrs |= bool(header.vr)
        if header.oddity in {OddityId.ILLEGAL_VR, OddityId.WRONG_LENGTH_FIELD}:
            length = UNDEFINED_LENGTH if header.undefined else header.length
            head = encode_element_header(header.tag, header.vr or "OW", length, header.encoding)
            start = self._placed.splice(head, header.value, self._source.size)
            source, moved = self._placed.make_source(), start + len(head) - header.value
        walker = self._pixels = Walker(source, self._limits)
        try:
            span = next(walker.walk_elements(start, source.size, header.encoding))
        except MalformedFileError:
            if not header.undefined:
                raise
            span = self._find_extent(header, start, source)
        self._placed.keep(span)
        self._previous = max(self._previous, header.tag)
        self._position = span.end - moved + header.padding

    def _find_extent(self, header: ElementHeader, start: int, source: ByteSource) -> ElementSpan:
        """Return the span of Pixel Data that is not fragments up to their delimiter.

        Raises:
            UndelimitedValueError: no reading is sure.
        """
        level = DataSet(source, self._encoding, self._placed.elements, self._limits)
        moved = start - header.start
        if moved:
            header = header._replace(start=start, value=header.value + moved)
        extent = UndelimitedValue(
            source,
            HeaderReader(source),
            self._limits,
            header,
            source.size,
            lambda: describe_image(level, header.tag),
            nested=False,
        ).find_extent()
        walker = self._pixels = Walker(source, self._limits)
        for value, length in extent.fragments:
            walker.fragment_starts.append(value)
            walker.fragment_lengths.append(length)
        for oddity, text in extent.oddities:
            self._note(oddity, text)
        return ElementSpan(
            header.tag,
            header.vr,
            start,
            header.value,
            extent.content_end - header.value,
            extent.end,
            extent.items,
        )

    def _take_orphans(self) -> None:
        entry = self._tree.read_orphans(
            self._position, self._source.size, self._place, self._previous
        )
        if entry is None:
            raise MalformedFileError("an item outside of a sequence", offset=self._position)
        self._take(entry)

    def _is_zeros_to_the_end(self) -> bool:
        if any(self._headers.read_bytes(self._position, 8)):
            return False
        if self._fill(0) and not self._placed.elements:
            return False
        if not self._fill(0):
            raise MalformedFileError("there are zeros instead of an element", offset=self._position)
        self._note(OddityId.TRAILING_ZEROS, "zero bytes after the last element")
        self._position = self._source.size
        return True

    def _is_garbage_to_the_end(self) -> bool:
        """Whether the rest is fill, or comes after Pixel Data and cannot be an element."""
        first = self._headers.read_bytes(self._position, 8)
        pixels = self._pixels
        if not self._placed.elements or not (
            (len(first) == 8 and self._fill(first[0]))
            or (pixels is not None and not pixels.missing and not self._might_be_element(first))
        ):
            return False
        size = self._source.size - self._position
        self._note(OddityId.TRAILING_GARBAGE, f"{size} bytes after the last element that are none")
        self._position = self._source.size
        return True

    def _fill(self, byte: int) -> bool:
        chunks = read_chunks(self._source, self._position, self._source.size)
        return all(chunk.count(byte) == len(chunk) for chunk in chunks)

    def _might_be_element(self, first: bytes) -> bool:
        """Whether bytes can begin an element that follows Pixel Data, even if it was cut off."""
        order = 1 if self._encoding.little_endian else -1
        if len(first) == 1:
            return not self._encoding.little_endian or bool(first[0] & 1 or first[0] in _LOW_BYTES)
        group = int.from_bytes(first[:2][::order], "little")
        letters = first[4:6]
        if self._encoding.explicit_vr and len(letters) == 2 and letters not in _ALL_VRS:
            return False
        return group in _LATE_GROUPS or (group > _PIXEL_GROUP and bool(group & 1))

    def _skip_stray_start(self) -> bool:
        """Whether a data set surely begins a few bytes behind its start; go there."""
        if self._position != self._start:
            return False
        for stray in range(1, _MOST_STRAY_BYTES + 1):
            first = self._headers.read_bytes(self._start + stray, 16)
            encoding = guess_encoding(first)
            if encoding is not None and self._headers.follows(
                self._start + stray, self._source.size, encoding, 0, steps=_SURE_ELEMENTS
            ):
                if encoding != self._encoding:
                    raise _OtherEncodingError(encoding)
                self._note(OddityId.STRAY_BYTES, f"{stray} bytes before the data set")
                self._position += stray
                return True
        return False

    def _note(self, oddity: OddityId, text: str) -> None:
        self._notes.add(oddity, text, self._position)
