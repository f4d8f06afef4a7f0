"""Read the header of one element, even if it is not written as it should be.

An element is read in the data set's own encoding if that is possible. If it is not, or looks odd,
the other forms are tried. A form is believed only if the bytes behind it prove it, that is, if
further elements, a delimiter or the end are just at the offset that it gives.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dicodec.errors import LimitExceededError, MalformedFileError, TruncatedFileError
from dicodec.model.findings import OddityId
from dicodec.model.records import NamedTuple
from dicodec.part10.elements import (
    ITEM,
    ITEM_DELIMITER,
    PIXEL_DATA_TAGS,
    SEQUENCE_DELIMITER,
    is_possible,
    reads_better_swapped,
)
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
    format_tag,
)
from dicodec.part10.source import ByteSource
from dicodec.part10.vr import VALUE_REPRESENTATIONS

DELIMITERS = frozenset({ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER})

_OTHER_ORDER = {EXPLICIT_LITTLE: EXPLICIT_BIG, EXPLICIT_BIG: EXPLICIT_LITTLE}
_WINDOW = 1 << 16
_STEPS = 2
"""Headers that must follow to prove a reading that is not the stated one."""
_UNORDERED_STEPS = 3
"""The same number if their tags do not rise."""
_LONGEST_CUT_VALUE = 1 << 24
_LEAST_WORK = 10_000
"""Steps that any source may take, and 16 for each of its bytes: far more than real files need."""


class ElementHeader(NamedTuple):
    """How one element's header was read.

    Attributes:
        tag: 0xggggeeee.
        vr: as stated; "" if none is, or an unknown one.
        start: offset of the tag.
        value: offset of the value.
        length: bytes of the value; 0 if it is undefined.
        undefined: whether the length field says FFFFFFFF.
        encoding: that the header is in.
        oddity: the header's oddity; None if the plain reader takes it too.
        padding: bytes after the value that its length does not count.
    """

    tag: int
    vr: str
    start: int
    value: int
    length: int
    undefined: bool
    encoding: DataSetEncoding
    oddity: OddityId | None = None
    padding: int = 0

    @property
    def end(self) -> int:
        """Offset after the value; of undefined length, its start."""
        return self.value + self.length + self.padding


class _Reading(NamedTuple):
    """One way to read the headers that follow; with letters that are not a VR, their like only."""

    encoding: DataSetEncoding
    letters: bytes = b""
    long_form: bool = False


class HeaderReader:
    """Reads headers at any offset of a source.

    Args:
        source: holds the bytes. The work that reading may take stays in proportion to its size.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._file_end = source.size
        self._window = b""
        self._base = 0
        self._work = _LEAST_WORK + 16 * source.size

    def read_bytes(self, position: int, length: int) -> bytes:
        """Return a few bytes; fewer at the end of the source."""
        index = position - self._base
        if index < 0 or index + length > len(self._window):
            self._window = self._source.read(position, max(length, _WINDOW))
            self._base = position
            index = 0
        return self._window[index : index + length]

    def read_delimiter(self, position: int, encoding: DataSetEncoding) -> tuple[int, int]:
        """Return tag and length of an item or delimiter, or of other bytes there; 0 at the end."""
        raw = self.read_bytes(position, 8)
        if len(raw) < 8:
            return 0, 0
        group, number, length = struct.unpack(encoding.order + "HHI", raw)
        return group << 16 | number, length

    def read_header(
        self, position: int, end: int, encoding: DataSetEncoding, previous: int
    ) -> ElementHeader:
        """Return the header of the element at an offset.

        Args:
            position: offset of the element.
            end: offset that it cannot reach beyond.
            encoding: that it should be in.
            previous: tag of the element before it; 0 for the first.

        Returns:
            The header. Only an element that holds items may claim to reach beyond `end`.

        Raises:
            TruncatedFileError: the element ends behind `end` in every reading.
            MalformedFileError: there is no element, or there might be more than one.
        """
        self._count()
        direct = self._read(position, end, encoding)
        if direct is not None and _fits(direct, end):
            swapped = self._read_swapped(direct, end, encoding)
            if swapped is not None:
                return swapped
            suspicious = self._is_suspicious(direct, previous)
            doubtful = suspicious or self._stops_short(direct, end)
            if not doubtful or self._is_proved(direct, end, encoding):
                return direct
            if not suspicious and self._odd_one_follows(direct, end, encoding):
                return direct
            if direct.length % 2 and self._is_proved(
                padded := direct._replace(padding=1, oddity=OddityId.UNCOUNTED_PAD_BYTE),
                end,
                encoding,
            ):
                return padded
        others = [
            other
            for other in self._list_other_readings(position, end, encoding)
            if other != direct and _fits(other, end)
        ]
        for ordered in (True, False):
            for other in others:
                if self._is_proved(other, end, encoding, ordered=ordered):
                    return other
            if direct is not None:
                break  # in its own encoding it can be read, if nothing proves another reading
        if direct is not None and self._stops_short(direct, end):
            longer = self._lengthen(direct, end, encoding)
            if longer is not None:
                return longer
        if direct is not None and (_fits(direct, end) or self._begins_with_item(direct, end)):
            return direct
        raise self._make_unreadable_error(direct, position, end)

    def follows(
        self,
        position: int,
        end: int,
        encoding: DataSetEncoding,
        previous: int,
        *,
        steps: int = _STEPS,
    ) -> bool:
        """Whether elements with rising tags, a delimiter or the end are at an offset."""
        return self._headers_follow(position, end, (_Reading(encoding),), previous, steps)

    def elements_follow(self, position: int, end: int, encoding: DataSetEncoding) -> bool:
        """Whether elements are at an offset, with rising tags or, if more of them are, without."""
        readings = (_Reading(encoding),)
        return self._headers_follow(position, end, readings, 0, _STEPS) or self._headers_follow(
            position, end, readings, None, _UNORDERED_STEPS
        )

    def find_items_end(self, value: int, end: int, encoding: DataSetEncoding) -> int | None:
        """Return the end of items by their own lengths: `end`, or the first that is not an item.

        None if an item has an undefined length, because its content has to be read.
        """
        position = value
        while position < end:
            self._count()
            tag, length = self.read_delimiter(position, encoding)
            if tag != ITEM:
                break
            if length == UNDEFINED_LENGTH:
                return None
            position += 8 + length
        return position

    def _count(self) -> None:
        self._work -= 1
        if self._work < 0:
            raise LimitExceededError("repairing the data set takes too many steps")

    def _read(self, position: int, end: int, encoding: DataSetEncoding) -> ElementHeader | None:
        """Read a header as an encoding has it; None if the VR it states is unknown."""
        raw = self.read_bytes(position, 12)[: end - position]
        if len(raw) < 8:
            return None
        group, number = struct.unpack_from(encoding.order + "HH", raw)
        if not encoding.explicit_vr:
            (length,) = struct.unpack_from(encoding.order + "I", raw, 4)
            return _make_header(group << 16 | number, "", position, 8, length, encoding)
        row = VALUE_REPRESENTATIONS.get(raw[4:6].decode("latin-1"))
        if row is None or (row.long_form and len(raw) < 12):
            return None
        return self._make_explicit(raw, row.name, position, encoding, long_form=row.long_form)

    def _make_explicit(
        self, raw: bytes, vr: str, position: int, encoding: DataSetEncoding, *, long_form: bool
    ) -> ElementHeader:
        group, number = struct.unpack_from(encoding.order + "HH", raw)
        if long_form:
            (length,) = struct.unpack_from(encoding.order + "I", raw, 8)
        else:
            (length,) = struct.unpack_from(encoding.order + "H", raw, 6)
        tag = group << 16 | number
        return _make_header(tag, vr, position, 12 if long_form else 8, length, encoding)

    def _read_swapped(
        self, header: ElementHeader, end: int, encoding: DataSetEncoding
    ) -> ElementHeader | None:
        """Return the header in the other byte order, if its tag and the bytes behind agree."""
        if not header.encoding.explicit_vr or not reads_better_swapped(header.tag, header.vr):
            return None  # as nearly all
        swapped = self._read(header.start, end, _OTHER_ORDER[encoding])
        if swapped is None or not _fits(swapped, end):
            return None
        swapped = swapped._replace(oddity=OddityId.OTHER_BYTE_ORDER)
        return swapped if self._is_proved(swapped, end, encoding) else None

    def _is_suspicious(self, header: ElementHeader, previous: int) -> bool:
        """Whether a header that can be read might be another's, or in another form."""
        if header.length % 2 or header.tag <= previous or not header.tag >> 16 & 0xFF:
            return True
        raw = self.read_bytes(header.start, 8)
        if not header.encoding.explicit_vr:
            return raw[4:6].decode("latin-1") in VALUE_REPRESENTATIONS
        # A length field of the other size would show zeros there, or something else.
        return (header.value - header.start == 12) == (raw[6:8] != b"\0\0")

    def _stops_short(self, header: ElementHeader, end: int) -> bool:
        """Whether a 16-bit length leads to bytes that are neither a VR nor a delimiter."""
        if not header.encoding.explicit_vr or header.value - header.start != 8:
            return False
        if (
            end - header.end < 8
            or self.read_delimiter(header.end, header.encoding)[0] in DELIMITERS
        ):
            return False
        return self._read(header.end, end, header.encoding) is None

    def _odd_one_follows(self, header: ElementHeader, end: int, encoding: DataSetEncoding) -> bool:
        """Whether an element in another form follows, and elements as they should be after it."""
        return any(
            other.tag > header.tag
            and is_possible(other.tag)
            and not other.undefined
            and _fits(other, end)
            and self._headers_follow(other.end, end, (_Reading(encoding),), other.tag, _STEPS)
            for other in self._list_other_readings(header.end, end, encoding)
        )

    def _lengthen(
        self, header: ElementHeader, end: int, encoding: DataSetEncoding
    ) -> ElementHeader | None:
        """Return an element with the upper half of its length, which 16 bits cannot hold.

        Some writers leave it out. The length is believed that several elements, in order, follow.
        """
        for length in range(header.length + 0x10000, end - header.value + 1, 0x10000):
            if length > _LONGEST_CUT_VALUE:
                break
            longer = header._replace(length=length, oddity=OddityId.CUT_LENGTH)
            if self._headers_follow(longer.end, end, (_Reading(encoding),), header.tag, _STEPS):
                return longer
        return None

    def _list_other_readings(
        self, position: int, end: int, encoding: DataSetEncoding
    ) -> Iterator[ElementHeader]:
        """Yield the readings that are not the stated one, the likelier first."""
        raw = self.read_bytes(position, 12)[: end - position]
        if len(raw) < 8:
            return
        letters = raw[4:6].decode("latin-1")
        row = VALUE_REPRESENTATIONS.get(letters)
        stated = encoding if encoding.explicit_vr else EXPLICIT_LITTLE
        if row is not None:
            forms = [form for form in (row.long_form, not row.long_form) if not form or raw[11:]]
            for long_form in forms:
                header = self._make_explicit(raw, letters, position, stated, long_form=long_form)
                yield header._replace(
                    oddity=_find_oddity(header, encoding, wrong=not row.long_form)
                )
            swapped = self._read(position, end, _OTHER_ORDER[stated])
            if swapped is not None and not reads_better_swapped(swapped.tag, letters):
                yield swapped._replace(oddity=OddityId.OTHER_BYTE_ORDER)
        elif encoding.explicit_vr:
            for long_form in (True, False) if letters.isalpha() else (False, True):
                if not long_form or raw[11:]:
                    header = self._make_explicit(raw, "", position, stated, long_form=long_form)
                    yield header._replace(oddity=OddityId.ILLEGAL_VR)
        if encoding.explicit_vr:
            own = encoding._replace(explicit_vr=False)
            for order in dict.fromkeys([own, IMPLICIT_LITTLE]):
                implicit = self._read(position, end, order)
                if implicit is not None:
                    yield implicit._replace(oddity=OddityId.IMPLICIT_ELEMENT)

    def _is_proved(
        self,
        header: ElementHeader,
        end: int,
        encoding: DataSetEncoding,
        *,
        ordered: bool = True,
    ) -> bool:
        """Whether the bytes behind an element show that its header was read as it was meant.

        If its tags need not rise, more elements have to follow, and each of a tag that there is.
        """
        if header.undefined:
            return self.read_delimiter(header.value, header.encoding)[0] in {
                ITEM,
                SEQUENCE_DELIMITER,
            }
        last = header.tag in PIXEL_DATA_TAGS or header.oddity == OddityId.ILLEGAL_VR
        if last and header.length and header.end == end:
            return True  # no other length would end with the file
        readings = [_Reading(encoding)]
        if header.encoding != encoding:
            readings.append(_Reading(header.encoding))
        if header.oddity == OddityId.ILLEGAL_VR:  # one such element may be followed by another
            letters = self.read_bytes(header.start + 4, 2)
            long_form = header.value - header.start == 12
            readings.append(_Reading(header.encoding, letters, long_form))
        if ordered:
            return self._headers_follow(header.end, end, tuple(readings), header.tag, _STEPS)
        return self._headers_follow(header.end, end, tuple(readings), None, _UNORDERED_STEPS)

    def _begins_with_item(self, header: ElementHeader, end: int) -> bool:
        return (
            header.vr in {"SQ", ""}
            and header.value + 8 <= end
            and self.read_delimiter(header.value, header.encoding)[0] == ITEM
        )

    def _headers_follow(
        self,
        position: int,
        end: int,
        readings: tuple[_Reading, ...],
        previous: int | None,
        steps: int,
    ) -> bool:
        """Whether as many headers follow each other; with rising tags unless `previous` is None."""
        ordered = previous is not None
        if steps == 0:
            return True
        if position == end:  # the file may have been cut off here
            return end != self._file_end or steps < (_STEPS if ordered else _UNORDERED_STEPS)
        self._count()
        for reading in readings:
            if self.read_delimiter(position, reading.encoding)[0] in DELIMITERS:
                return True
            header = self._read_as(position, end, reading)
            if header is None or not _fits(header, end):
                continue
            if previous is not None and header.tag <= previous:
                continue
            if not (ordered and reading.encoding.explicit_vr) and not is_possible(header.tag):
                continue
            if reading.encoding.explicit_vr and reads_better_swapped(header.tag, header.vr):
                continue
            if header.undefined:
                return self._is_proved(header, end, reading.encoding)
            if self._headers_follow(
                header.end, end, readings, header.tag if ordered else None, steps - 1
            ):
                return True
        return False

    def _read_as(self, position: int, end: int, reading: _Reading) -> ElementHeader | None:
        if not reading.letters:
            return self._read(position, end, reading.encoding)
        raw = self.read_bytes(position, 12)[: end - position]
        alike = raw[4:6] == reading.letters or (
            _looks_like_vr(raw[4:6]) and _looks_like_vr(reading.letters)
        )
        if not alike or len(raw) < (12 if reading.long_form else 8):
            return None
        return self._make_explicit(raw, "", position, reading.encoding, long_form=reading.long_form)

    def _make_unreadable_error(
        self, direct: ElementHeader | None, position: int, end: int
    ) -> MalformedFileError | TruncatedFileError:
        if end - position < 8:
            return TruncatedFileError("the data set ends inside an element", offset=position)
        if direct is None:
            return MalformedFileError("there is no element here", offset=position)
        return TruncatedFileError(
            f"element {format_tag(direct.tag)} has length {direct.length}, but only "
            f"{end - direct.value} bytes remain",
            offset=position,
            attribute=format_tag(direct.tag),
        )


def _make_header(
    tag: int, vr: str, position: int, size: int, length: int, encoding: DataSetEncoding
) -> ElementHeader:
    undefined = length == UNDEFINED_LENGTH
    return ElementHeader(
        tag, vr, position, position + size, 0 if undefined else length, undefined, encoding
    )


def _find_oddity(
    header: ElementHeader, encoding: DataSetEncoding, *, wrong: bool
) -> OddityId | None:
    if not encoding.explicit_vr:
        return OddityId.EXPLICIT_ELEMENT
    size = header.value - header.start
    return OddityId.WRONG_LENGTH_FIELD if (size == 12) == wrong else None


def _fits(header: ElementHeader, end: int) -> bool:
    return header.value <= end if header.undefined else header.end <= end


def _looks_like_vr(letters: bytes) -> bool:
    """Whether letters look as a VR does, and are none."""
    text = letters.decode("latin-1")
    return (
        text.isascii() and text.isalpha() and text.isupper() and text not in VALUE_REPRESENTATIONS
    )
