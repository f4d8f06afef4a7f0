"""Read elements with all their content tolerantly, and rewrite those that need it.

One pass over an element, however deep: right parts stay at their offsets, wrong ones become new
bytes around them. The readable form changes just enough for a plain reader to understand every
byte; the standard form is the one that a strict reader takes (element_forms.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dicodec.errors import LimitExceededError, MalformedFileError, TruncatedFileError
from dicodec.model import tags
from dicodec.model.findings import OddityId
from dicodec.model.image import ImagePixelDescription
from dicodec.model.limits import Limits, make_limit_hint
from dicodec.part10.dictionary import find_vr
from dicodec.part10.edit_bytes import encode_item_header
from dicodec.part10.elements import ITEM, find_encoding_of_explicit_items
from dicodec.part10.encoding import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
    format_tag,
)
from dicodec.part10.reencode import swap_bytes
from dicodec.part10.source import ByteSource
from dicodec.part10.spliced_source import Piece, SourceRange, SplicedSource
from dicodec.part10.vr import SHORT_FORM_LIMIT, VALUE_REPRESENTATIONS, states_vr
from dicodec.repair.element_forms import ReadableForm
from dicodec.repair.element_headers import DELIMITERS, ElementHeader, HeaderReader
from dicodec.repair.oddity_notes import Notes
from dicodec.repair.placed_values import (
    DELIMITER_LENGTH,
    Entry,
    Place,
    make_leaf_entry,
    make_sequence_entry,
    measure_pieces,
)
from dicodec.repair.sequence_items import ItemReader, Items
from dicodec.repair.value_extents import Extent, UndelimitedValue

_FIRST_BYTES = 64
"""As much of a value as a Private Creator or a character set would have."""

_TEXTS: Mapping[str, str] = {
    OddityId.EXPLICIT_ELEMENT: "{} states its VR among elements that do not",
    OddityId.IMPLICIT_ELEMENT: "{} has no VR among elements that have",
    OddityId.ILLEGAL_VR: "{} has a VR that there is not",
    OddityId.WRONG_LENGTH_FIELD: "{} has a length field of another size than its VR's",
    OddityId.OTHER_BYTE_ORDER: "{} is in the other byte order",
    OddityId.CUT_LENGTH: "{} is longer than 65,535 bytes, and its length lacks the upper 16 bits",
    OddityId.UNCOUNTED_PAD_BYTE: "{} is followed by a pad byte that its length does not count",
}


class ElementTree:
    """Reads elements of one data set and all that is in them.

    Args:
        source: holds the bytes.
        limits: bounds on depth and count.
        notes: takes the oddities.
        form: gives single elements their form.

    Attributes:
        knows_more: whether, in a target without VRs, a VR was met that would be lost there.
    """

    def __init__(
        self, source: ByteSource, limits: Limits, notes: Notes, form: ReadableForm
    ) -> None:
        self.knows_more = False
        self._source = source
        self._limits = limits
        self._notes = notes
        self._form = form
        self._headers = HeaderReader(source)
        self._items = ItemReader(source, self._headers, limits, notes, form, self._read_element)

    def read_element(self, position: int, end: int, place: Place, previous: int = 0) -> Entry:
        """Read the element at an offset, with all its content.

        If it has VRs that a target without them would lose, it is written with VRs.

        Args:
            position: offset of the element.
            end: offset that it cannot reach beyond.
            place: the level it belongs to.
            previous: tag of the element before it.

        Raises:
            MalformedFileError: no reading of it is sure.
            TruncatedFileError: it ends too early.
            LimitExceededError: sequences are nested too deep, or there are too many elements.
        """
        mark = self._notes.mark()
        self.knows_more = False
        entry = self._read_element(position, end, place, previous)
        if not self.knows_more or place.target.explicit_vr:
            return entry
        self._notes.back_to(mark)
        return self._read_element(position, end, place._replace(target=EXPLICIT_LITTLE), previous)

    def read_orphans(self, position: int, end: int, place: Place, previous: int) -> Entry | None:
        """Read items whose sequence is missing; None if the sequence cannot be known."""
        found = self._items.read_orphans(position, end, place, previous)
        if found is None:
            return None
        header, items = found
        return make_sequence_entry(
            header, "SQ", items.pieces or [], items.end, place.target, undefined=False
        )

    def _read_element(self, position: int, end: int, place: Place, previous: int) -> Entry:
        header = self._headers.read_header(position, end, place.encoding, previous)
        if header.oddity:
            text = _TEXTS[header.oddity].format(format_tag(header.tag))
            self._notes.add(header.oddity, text, position)
            self.knows_more |= header.oddity == OddityId.EXPLICIT_ELEMENT
        if header.undefined:
            if header.tag == tags.PIXEL_DATA:
                return self._read_pixel_data(header, end, place)
            if self._holds_fragments(header):
                return self._keep_as_bytes(header, end, place.target)
            return self._read_undefined(header, end, place)
        if header.vr == "SQ" or (header.vr == "" and self._is_sequence_by_tag(header)):
            return self._read_defined(header, end, place)
        if header.end > end:
            raise TruncatedFileError(
                f"element {format_tag(header.tag)} has length {header.length}, but only "
                f"{end - header.value} bytes remain",
                offset=position,
                attribute=format_tag(header.tag),
            )
        if self._form.parses_unknown and header.vr in {"UN", ""}:
            entry = self._read_unknown_sequence(header, place)
            if entry is not None:
                return entry
        return self._read_leaf(header, place)

    def _read_leaf(self, header: ElementHeader, place: Place) -> Entry:
        target = place.target
        first = self._headers.read_bytes(header.value, min(header.length, _FIRST_BYTES))
        place.level.note(header, first)
        vr, mended = self._form.make_leaf(header, place.level)
        right = mended is None and not header.oddity and header.encoding == target
        if right and (vr == header.vr or not target.explicit_vr):
            return Entry(header.tag, header.vr, header.start, header.end, None)
        value = mended or [SourceRange(self._source, header.value, header.end)]
        if measure_pieces(value) > SHORT_FORM_LIMIT and not VALUE_REPRESENTATIONS[vr].long_form:
            vr = "UN"  # PS3.5 6.2.2: too long for a 16-bit length field
        # UN is in little endian everywhere (6.2.2), also if its VR becomes known here.
        if (header.encoding.little_endian or header.vr == "UN") != target.little_endian:
            value = [self._swap(value, vr)]
        return make_leaf_entry(header, vr, value, target)

    def _swap(self, value: list[Piece], vr: str) -> bytes:
        size = measure_pieces(value)
        if size > self._limits.element_size:
            raise LimitExceededError(
                f"an element of {size} bytes in the other byte order cannot be held in memory",
                hint=make_limit_hint("element_size=SIZE"),
            )
        return swap_bytes(SplicedSource(value).read(0, size), VALUE_REPRESENTATIONS[vr].swap_unit)

    def _read_undefined(self, header: ElementHeader, end: int, place: Place) -> Entry:
        stated = header.vr
        if stated == "UN":
            return self._read_unknown_undefined(header, end, place)
        if stated not in {"SQ", ""}:
            self._notes.add(
                OddityId.UNDEFINED_LENGTH,
                f"{format_tag(header.tag)} is {stated} and has an undefined length",
                header.start,
            )
        if stated == "" and self._form.parses_unknown and find_vr(header.tag) != "SQ":
            self.knows_more = True  # that it is a sequence, which is in no dictionary
        items = self._items.read_items(
            header, end, place._replace(encoding=header.encoding), bounded=False
        )
        closed = items.end > items.content_end
        right = stated in {"SQ", ""} and header.encoding == place.target and not header.oddity
        if right and closed and items.pieces is None:
            return Entry(header.tag, stated, header.start, items.end, None)
        content = self._make_content(header, items)
        return make_sequence_entry(header, "SQ", content, items.end, place.target, undefined=True)

    def _read_unknown_undefined(self, header: ElementHeader, end: int, place: Place) -> Entry:
        """Read a UN of undefined length, which holds implicit VR little endian (PS3.5 6.2.2)."""
        inner = self._find_encoding_inside(header)
        self._note_order_inside(header, inner)
        vr, target, inside = "SQ", place.target, place.target
        if self._form.parses_unknown:
            self._note_unknown_sequence(header)
        elif header.encoding == target and inner.little_endian:
            vr, inside = "UN", inner
        items = self._items.read_items(
            header, end, place._replace(encoding=inner, target=inside), bounded=False
        )
        closed = items.end > items.content_end
        if vr == "UN" and closed and items.pieces is None and not header.oddity:
            return Entry(header.tag, vr, header.start, items.end, None)
        content = self._make_content(header, items)
        return make_sequence_entry(header, vr, content, items.end, target, undefined=True)

    def _read_defined(self, header: ElementHeader, end: int, place: Place) -> Entry:
        inside = place._replace(encoding=header.encoding)
        bounded = self._is_bounded(header, end)
        mark = self._notes.mark()
        try:
            items = self._items.read_items(
                header, header.end if bounded else end, inside, bounded=bounded
            )
        except (MalformedFileError, TruncatedFileError):
            if not bounded or header.end >= end:
                raise
            # Its content may be longer than its length: delimiters or fragments were not counted.
            self._notes.back_to(mark)
            bounded = False
            items = self._items.read_items(header, end, inside, bounded=False)
        if not bounded:
            self._notes.add(
                OddityId.WRONG_SEQUENCE_LENGTH,
                f"{format_tag(header.tag)} has length {header.length}, which does not end with its "
                "items",
                header.start,
            )
        right = bounded and header.encoding == place.target and not header.oddity
        if right and items.pieces is None:
            return Entry(header.tag, header.vr, header.start, items.end, None)
        content = self._make_content(header, items)
        return make_sequence_entry(header, "SQ", content, items.end, place.target, undefined=False)

    def _read_unknown_sequence(self, header: ElementHeader, place: Place) -> Entry | None:
        """Return an element of unknown VR that is a sequence as one, None if it is not."""
        end = header.value + header.length
        if header.vr == "" and find_vr(header.tag) is not None:
            return None
        inner = self._find_encoding_inside(header)
        if not header.length or self._headers.read_delimiter(header.value, inner)[0] != ITEM:
            return None
        if self._headers.find_items_end(header.value, end, inner) not in {end, None}:
            return None
        mark = self._notes.mark()
        try:
            items = self._items.read_items(
                header, end, place._replace(encoding=inner), bounded=True
            )
        except (MalformedFileError, TruncatedFileError):
            self._notes.back_to(mark)
            return None
        if header.vr:
            self._note_unknown_sequence(header)
        self._note_order_inside(header, inner)
        self.knows_more = True
        content = self._make_content(header, items)
        return make_sequence_entry(header, "SQ", content, header.end, place.target, undefined=False)

    def _make_content(self, header: ElementHeader, items: Items) -> list[Piece]:
        if items.pieces is not None:
            return items.pieces
        return [SourceRange(self._source, header.value, items.content_end)]

    def _read_pixel_data(self, header: ElementHeader, end: int, place: Place) -> Entry:
        """Read Pixel Data of undefined length that is not the file's own, such as an icon's."""
        extent = self._find_extent(header, end, lambda: place.level.describe_image(header))
        target = place.target
        if not extent.items:
            value: list[Piece] = [SourceRange(self._source, header.value, extent.content_end)]
            vr = header.vr or "OW"
            if header.encoding.little_endian != target.little_endian:
                value = [self._swap(value, vr)]
            return make_leaf_entry(header, vr, value, target)._replace(end=extent.end)
        if not (header.oddity or extent.oddities) and header.encoding == target:
            return Entry(header.tag, header.vr, header.start, extent.end, None)
        content: list[Piece] = []
        for start, length in extent.fragments:
            content.append(encode_item_header(length, target))
            content.append(SourceRange(self._source, start, start + length))
        return make_sequence_entry(header, "OB", content, extent.end, target, undefined=True)

    def _keep_as_bytes(self, header: ElementHeader, end: int, target: DataSetEncoding) -> Entry:
        """Return fragments that are not of Pixel Data as a value that readers can pass over.

        The value is all that lies before the delimiter, the fragments' headers included.
        """
        self._notes.add(
            OddityId.FRAGMENTS_OUTSIDE_PIXEL_DATA,
            f"{format_tag(header.tag)} holds fragments, which only Pixel Data may hold",
            header.start,
        )
        inside = header._replace(encoding=self._find_encoding_of_items(header))
        extent = self._find_extent(inside, end, None)
        value: list[Piece] = [SourceRange(self._source, header.value, extent.content_end)]
        vr = "OB" if header.vr.startswith("O") else "UN"
        return make_leaf_entry(header, vr, value, target)._replace(end=extent.end)

    def _find_extent(
        self,
        header: ElementHeader,
        end: int,
        describe: Callable[[], ImagePixelDescription | None] | None,
    ) -> Extent:
        value = UndelimitedValue(
            self._source, self._headers, self._limits, header, end, describe, nested=True
        )
        extent = value.find_extent()
        for oddity, text in extent.oddities:
            self._notes.add(oddity, text, header.start)
        return extent

    def _holds_fragments(self, header: ElementHeader) -> bool:
        """Whether an element of undefined length holds fragments, not items of elements.

        Items without bytes are fragments if the VR is that of bytes.
        """
        if header.vr == "SQ" or (header.vr == "" and find_vr(header.tag) == "SQ"):
            return False
        encoding = self._find_encoding_of_items(header)
        position = header.value
        while True:
            tag, length = self._headers.read_delimiter(position, encoding)
            if tag != ITEM:
                return header.vr.startswith("O")
            if length:
                value = position + DELIMITER_LENGTH
                return length != UNDEFINED_LENGTH and not self._headers.elements_follow(
                    value, value + length, encoding
                )
            position += DELIMITER_LENGTH

    def _find_encoding_of_items(self, header: ElementHeader) -> DataSetEncoding:
        return self._find_encoding_inside(header) if header.vr == "UN" else header.encoding

    def _is_bounded(self, header: ElementHeader, end: int) -> bool:
        """Whether the length of a sequence is right: its items end there, or an element begins."""
        if header.end >= end or not header.length:
            return header.end <= end
        items_end = self._headers.find_items_end(header.value, header.end, header.encoding)
        if items_end == header.end:
            return True
        if items_end is not None and self._follows(items_end, end, header):
            return False
        return self._follows(header.end, end, header)

    def _follows(self, position: int, end: int, header: ElementHeader) -> bool:
        return self._headers.follows(position, end, header.encoding, header.tag)

    def _is_sequence_by_tag(self, header: ElementHeader) -> bool:
        """Whether an element that states no VR is a sequence."""
        return find_vr(header.tag) == "SQ" and (
            not header.length
            or self._headers.read_delimiter(header.value, header.encoding)[0] in DELIMITERS
        )

    def _find_encoding_inside(self, header: ElementHeader) -> DataSetEncoding:
        """Return the encoding of the items of a UN, whose first element may state a VR."""
        first = self._headers.read_bytes(header.value, 16)
        return find_encoding_of_explicit_items(first) or (
            EXPLICIT_LITTLE if states_vr(first[8:]) else IMPLICIT_LITTLE
        )

    def _note_order_inside(self, header: ElementHeader, inner: DataSetEncoding) -> None:
        if not inner.little_endian:
            text = f"{format_tag(header.tag)} is UN and holds items in big endian"
            self._notes.add(OddityId.OTHER_BYTE_ORDER, text, header.start)

    def _note_unknown_sequence(self, header: ElementHeader) -> None:
        text = f"{format_tag(header.tag)} is a sequence and stated as UN"
        self._notes.add(OddityId.SEQUENCE_AS_UN, text, header.start)
