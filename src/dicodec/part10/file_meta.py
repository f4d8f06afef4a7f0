"""Read preamble and File Meta Information, and find the data set's start (PS3.10 section 7)."""

from __future__ import annotations

import codecs
import struct
from collections.abc import Sequence
from contextlib import suppress

from dicodec.errors import LimitExceededError, MalformedFileError, NotDicomError, TruncatedFileError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.records import dataclass
from dicodec.model.stream import JP2_START, JPEG_2000_START, JPEG_START
from dicodec.part10.dictionary import find_vr
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import Walker
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    DataSetEncoding,
    format_tag,
)
from dicodec.part10.source import ByteSource
from dicodec.part10.vr import VALUE_REPRESENTATIONS, states_vr

PREAMBLE_LENGTH = 128
_PREFIX = b"DICM"
_PREFIX_AND_GROUP = _PREFIX + b"\x02\x00"
_MOST_STRAY_BYTES = 1024
_SURE_ELEMENTS = 6
_GROUP_LENGTH_HEADER = b"\x02\x00\x00\x00UL\x04\x00"
"""Tag, VR and length of File Meta Information Group Length in explicit VR little endian."""
_LONGEST_GROUP = 1 << 16
"""Bytes of a group 2 that is read at once."""
_FIRST_GROUPS = (0x0002, 0x0004, 0x0008, 0x0010, 0x0018, 0x0020, 0x0028)
"""Groups that real data sets without a preamble begin with."""


@dataclass(frozen=True, slots=True)
class MetaElement:
    """One element of group 2; if it states no VR, with that of the dictionary.

    Attributes:
        tag: 0x0002eeee.
        vr: value representation.
        value: its bytes, padding included.
        start: offset of its tag.
    """

    tag: int
    vr: str
    value: bytes
    start: int


@dataclass(frozen=True, slots=True)
class FileHead:
    """The part of a file before its data set.

    Attributes:
        has_preamble: whether the 128 bytes and the prefix "DICM" are there.
        elements: group 2, in file order, without its group length.
        data_set_start: offset of the first element after group 2.
        oddities: departures from PS3.10.
    """

    has_preamble: bool
    elements: tuple[MetaElement, ...]
    data_set_start: int
    oddities: tuple[Oddity, ...]

    def read_text(self, tag: int) -> str:
        """Return a UID or text value without padding, "" if it is absent."""
        for element in self.elements:
            if element.tag == tag:
                return element.value.rstrip(b"\0 ").decode("latin-1")
        return ""


def read_head(source: ByteSource, limits: Limits = DEFAULT_LIMITS) -> FileHead:
    """Read preamble and File Meta Information; either may be missing.

    Raises:
        NotDicomError: the file has neither a preamble nor the start of a data set.
        LimitExceededError: an element of group 2 is larger than the limit.
    """
    first = source.read(0, PREAMBLE_LENGTH + 4)
    oddities: list[Oddity] = []
    has_preamble = first[PREAMBLE_LENGTH:] == _PREFIX
    if has_preamble:
        start = PREAMBLE_LENGTH + 4
    elif first[:4] == _PREFIX:
        start = 4
        oddities.append(Oddity(OddityId.NO_PREAMBLE, "the prefix DICM comes without its preamble"))
    elif guess_encoding(first) is not None:
        start = 0
        oddities.append(Oddity(OddityId.NO_PREAMBLE, "no preamble and no prefix DICM"))
    else:
        start = _find_start_behind_stray_bytes(source, first, oddities)
    elements, end = _read_group_2(source, start, oddities, limits)
    if not elements:
        oddities.append(Oddity(OddityId.NO_FILE_META, "no File Meta Information", start))
    elif len({element.tag for element in elements}) < len(elements):
        _note_repeated(elements, oddities)
    return FileHead(has_preamble, elements, end, tuple(oddities))


def _note_repeated(elements: Sequence[MetaElement], oddities: list[Oddity]) -> None:
    """Note elements that are there again: of two transfer syntaxes other readers take the last."""
    seen: set[int] = set()
    for element in elements:
        if element.tag in seen:
            text = f"{format_tag(element.tag)} is there again"
            oddities.append(Oddity(OddityId.DUPLICATE_ELEMENT, text, element.start))
        seen.add(element.tag)


def check_start(first: ByteSource) -> None:
    """Check that a file can begin with some bytes, before the rest of a stream is read.

    Raises:
        NotDicomError: it has neither a preamble nor the start of a data set.
    """
    with suppress(MalformedFileError, TruncatedFileError, LimitExceededError):
        read_head(first)


def _find_start_behind_stray_bytes(source: ByteSource, first: bytes, oddities: list[Oddity]) -> int:
    """Return the certain start of a file whose first bytes are not DICOM.

    Raises:
        NotDicomError: no start was found near them.
    """
    raw = source.read(0, _MOST_STRAY_BYTES + PREAMBLE_LENGTH + len(_PREFIX_AND_GROUP))
    place = raw.find(_PREFIX_AND_GROUP)
    if place >= 0:
        text = f"the prefix DICM is at byte {place}, not at byte {PREAMBLE_LENGTH}"
        oddities.append(Oddity(OddityId.MISPLACED_PREFIX, text, place))
        return place + len(_PREFIX)
    for stray in range(1, _MOST_STRAY_BYTES):
        encoding = guess_encoding(raw[stray : stray + 16])
        if encoding is not None and _begins_surely(source, stray, encoding):
            oddities.append(Oddity(OddityId.NO_PREAMBLE, "no preamble and no prefix DICM"))
            oddities.append(
                Oddity(OddityId.STRAY_BYTES, f"{stray} bytes before the first element", 0)
            )
            return stray
    raise NotDicomError(_name_format(first))


def _begins_surely(source: ByteSource, start: int, encoding: DataSetEncoding) -> bool:
    """Return whether elements with rising tags follow each other from an offset on."""
    previous = 0
    spans = Walker(source).walk_elements(start, source.size, encoding)
    try:
        for _ in range(_SURE_ELEMENTS):
            span = next(spans, None)
            if span is None or span.tag <= previous or (not span.vr and encoding.explicit_vr):
                return False
            previous = span.tag
    except (MalformedFileError, TruncatedFileError, LimitExceededError):
        return False
    return True


def _read_group_2(
    source: ByteSource, start: int, oddities: list[Oddity], limits: Limits
) -> tuple[tuple[MetaElement, ...], int]:
    head = source.read(start, 6)
    encoding = EXPLICIT_LITTLE
    if head[:2] == b"\x00\x02" and states_vr(head):
        encoding = EXPLICIT_BIG
        oddities.append(Oddity(OddityId.BIG_ENDIAN_FILE_META, "group 2 is in big endian", start))
    elif head[:2] != b"\x02\x00":
        return (), start
    elif not states_vr(head):
        encoding = IMPLICIT_LITTLE
        oddities.append(Oddity(OddityId.IMPLICIT_FILE_META, "group 2 is in implicit VR", start))
    if (
        encoding == EXPLICIT_LITTLE
        and (stated := _read_as_stated(source, start, limits)) is not None
    ):
        return stated
    elements: list[MetaElement] = []
    position = start
    stated_end: int | None = None
    for span in _walk_group_2(source, start, encoding):
        if span.length > limits.element_size:
            raise LimitExceededError(
                f"element {format_tag(span.tag)} has {span.length} bytes, more than may be held in "
                "memory",
                attribute=format_tag(span.tag),
                offset=span.start,
            )
        value = source.read(span.value, span.length)
        if span.tag == tags.FILE_META_GROUP_LENGTH and len(value) == 4:
            stated_end = span.end + int(struct.unpack(encoding.order + "I", value)[0])
        else:
            if not encoding.little_endian:
                value = _to_little_endian(value, span.vr)
            vr = span.vr or find_vr(span.tag) or "UN"
            elements.append(MetaElement(span.tag, vr, value, span.start))
        position = span.end
    if stated_end is None:
        oddities.append(Oddity(OddityId.NO_FILE_META_LENGTH, "(0002,0000) is missing", start))
    elif stated_end != position:
        oddities.append(
            Oddity(
                OddityId.WRONG_FILE_META_LENGTH,
                f"group 2 ends {position - stated_end:+d} bytes "
                "from the end that (0002,0000) states",
                start,
            )
        )
    return tuple(elements), position


def _walk_group_2(
    source: ByteSource, start: int, encoding: DataSetEncoding
) -> Sequence[ElementSpan]:
    # The walk goes on only within group 2, because elements after it may be in another encoding.
    spans: list[ElementSpan] = []
    position = start
    walk = Walker(source).walk_elements(start, source.size, encoding)
    group = b"\x02\x00" if encoding.little_endian else b"\x00\x02"
    while source.read(position, 2) == group:
        try:
            span = next(walk)
        except MalformedFileError:
            break
        except TruncatedFileError as error:
            raise TruncatedFileError(
                "the file ends inside its File Meta Information", offset=error.offset
            ) from error
        spans.append(span)
        position = span.end
    return spans


def _read_as_stated(
    source: ByteSource, start: int, limits: Limits
) -> tuple[tuple[MetaElement, ...], int] | None:
    """Return a group 2 that ends where its group length says, and its end; None of any other.

    So it is in almost all files, and takes one walk in place of a look behind each element.
    """
    first = source.read(start, 12)
    length = 12 + int.from_bytes(first[8:], "little")
    end = start + length
    if not first.startswith(_GROUP_LENGTH_HEADER) or length > _LONGEST_GROUP or end > source.size:
        return None
    raw = source.read(start, length + 2)
    if raw[length:] == b"\x02\x00":
        return None
    walker = Walker(source, until=end)
    try:
        spans = walker.list_elements(start, end, EXPLICIT_LITTLE)
    except (MalformedFileError, TruncatedFileError, LimitExceededError):
        return None
    elements = []
    for tag, vr, place, value, size, _, _ in spans:
        if tag >> 16 != 2 or size > limits.element_size:
            return None
        if tag != tags.FILE_META_GROUP_LENGTH:
            elements.append(MetaElement(tag, vr, raw[value - start : value - start + size], place))
    tidy = not walker.oddities and len(elements) + 1 == len(spans)
    return (tuple(elements), end) if tidy else None


def _to_little_endian(value: bytes, vr: str) -> bytes:
    row = VALUE_REPRESENTATIONS.get(vr)
    unit = row.swap_unit if row else 1
    return b"".join(value[i : i + unit][::-1] for i in range(0, len(value), unit))


def guess_encoding(first: bytes) -> DataSetEncoding | None:
    """Return the encoding that the first bytes of a data set show, or None if they show none.

    For files without File Meta Information: only groups that data sets begin with count.
    """
    if len(first) < 8:
        return None
    explicit = states_vr(first)
    little, big = (struct.unpack_from(order + "H", first)[0] for order in "<>")
    if explicit and (little in _FIRST_GROUPS or big in _FIRST_GROUPS):
        return EXPLICIT_LITTLE if little in _FIRST_GROUPS else EXPLICIT_BIG
    (length,) = struct.unpack_from("<I", first, 4)
    if little in _FIRST_GROUPS and length < 0x10000:
        return IMPLICIT_LITTLE
    return None


def find_encoding(first: bytes, stated: DataSetEncoding) -> DataSetEncoding:
    """Return the encoding of a data set that follows group 2: the stated one, if it fits.

    Stated VRs are plain to see. The other byte order is assumed only if it turns a group that no
    data set begins with into one that data sets begin with.
    """
    if len(first) < 8:
        return stated
    little_endian = stated.little_endian
    groups = {order: struct.unpack_from(order + "H", first)[0] for order in "<>"}
    other = ">" if little_endian else "<"
    if groups[other] in _FIRST_GROUPS and groups[stated.order] & 0xFF == 0:
        little_endian = not little_endian
    explicit = states_vr(first)
    if not explicit and not little_endian:
        return stated  # implicit VR has no big endian form
    return DataSetEncoding(explicit, little_endian)


def begins_data_set(first: bytes) -> bool:
    """Return whether a data set can begin so: with an element that states a VR, or a usual one."""
    return states_vr(first) or guess_encoding(first) is not None


_OTHER_FORMATS = (
    (b"\x89PNG", "a PNG image"),
    (JPEG_START, "a JPEG image"),
    (JPEG_2000_START, "a JPEG 2000 codestream"),
    (JP2_START, "a JPEG 2000 file"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"\x5c\x01\x00\x00", "a NIfTI image"),
)


def _name_format(first: bytes) -> str:
    for magic, name in _OTHER_FORMATS:
        if first.startswith(magic):
            return f"not a DICOM file but {name}"
    if first and _is_text(first):
        return "not a DICOM file but text"
    return "not a DICOM file: no prefix DICM and no data set at its start"


def _is_text(first: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(first)  # may end inside a character
    except UnicodeDecodeError:
        text = first.decode("latin-1")
    return all(character.isprintable() or character in "\t\n\r\f\ufeff" for character in text)
