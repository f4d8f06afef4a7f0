"""Damage done to DICOM files on purpose: to their structure, to their bytes, to their streams.

The same random numbers make the same damage.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from dicodec.errors import DicodecError
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import Walker
from dicodec.part10.encoding import DataSetEncoding
from dicodec.part10.source import ByteSource
from dicodec.part10.vr import LONG_FORM, SHORT_FORM

_VRS = sorted(LONG_FORM | SHORT_FORM)
_HOSTILE_LENGTHS = (0, 1, 2, 7, 0x7FFF, 0xFFFF, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_HOSTILE_NUMBERS = (b"0", b"1", b"2", b"-1", b"1A", b"", b"65537", b"2147483647", b"9" * 12)
_ITEM = b"\xfe\xff\x00\xe0"
_ITEM_END = b"\xfe\xff\x0d\xe0\0\0\0\0"
_SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
_SYNTAXES = (
    "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.100",
    "1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.111", "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.203", "1.2.840.113619.5.2", "1.3.46.670589.33.1.4.1", "1.2.3.4",
)  # fmt: skip
_MOST_NESTED = 400
"""Nested elements of a file that damage is done to."""


@dataclass(slots=True)
class Anatomy:
    """Where the parts of a whole file lie.

    Attributes:
        data: the file.
        encoding: of its data set.
        elements: all elements, nested ones too; of a deflated file none.
        fragments: start and length of the values of the items of Pixel Data, the Basic Offset
            Table's first.
        meta_end: where File Meta Information ends.
    """

    data: bytes
    encoding: DataSetEncoding
    elements: list[ElementSpan] = field(default_factory=list)
    fragments: list[tuple[int, int]] = field(default_factory=list)
    meta_end: int = 0


def anatomy_of(data: bytes) -> Anatomy:
    """Return where the parts of a file lie; what cannot be walked has none.

    Args:
        data: of the file.
    """
    found = Anatomy(data, DataSetEncoding(explicit_vr=True, little_endian=True))
    try:
        with open_dicom(data) as file:
            found.meta_end = file.head.data_set_start
            if file.data_set.source is not file.source:
                return found
            found.encoding = file.data_set.encoding
            for span in file.data_set.elements:
                found.elements.append(span)
                _add_nested(found, file.source, span, 1)
            _add_fragments(found, file.source)
    except DicodecError:
        pass
    return found


def _add_nested(found: Anatomy, source: ByteSource, span: ElementSpan, depth: int) -> None:
    if span.vr != "SQ" or len(found.elements) > _MOST_NESTED:
        return
    walker = Walker(source)
    end = span.end if span.undefined else span.value + span.length
    for item in walker.walk_items(span.value, end, found.encoding, undefined=span.undefined):
        inner = Walker(source).walk_elements(
            item.value, item.value + item.length, found.encoding, depth=depth
        )
        for one in inner:
            found.elements.append(one)
            _add_nested(found, source, one, depth + 1)


def _add_fragments(found: Anatomy, source: ByteSource) -> None:
    for span in found.elements:
        if span.tag != 0x7FE00010 or not span.undefined:
            continue
        at = span.value
        while at + 8 <= span.value + span.length:
            (length,) = struct.unpack("<I", source.read(at + 4, 4))
            found.fragments.append((at + 8, length))
            at += 8 + length


type Mutation = Callable[[bytearray, Anatomy, Random], None]
"""Damages a copy of a file, whose anatomy is that of the file before any damage."""


def mutated(anatomy: Anatomy, other: Anatomy, random: Random) -> tuple[bytes, list[str]]:
    """Return a damaged copy of a file, and the names of what was done.

    Args:
        anatomy: of the file.
        other: of another file, of which a part may be taken.
        random: decides.
    """
    data = bytearray(anatomy.data)
    done: list[str] = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if random.random() < 0.05:
            _splice(data, other, random)
            done.append("splice")
            continue
        mutation = random.choice(_MUTATIONS)
        before = bytes(data)
        mutation(data, anatomy, random)
        if before != data:
            done.append(mutation.__name__.strip("_"))
    return bytes(data), done


def _splice(data: bytearray, other: Anatomy, random: Random) -> None:
    start = random.randrange(len(other.data))
    part = other.data[start : start + random.choice((8, 64, 1024, len(other.data)))]
    at = random.randrange(len(data) + 1)
    data[at : at + random.choice((0, len(part)))] = part


def _length_at(span: ElementSpan, encoding: DataSetEncoding) -> tuple[int, str]:
    """Return where an element's length is written, and how."""
    if encoding.explicit_vr and span.vr.encode() in SHORT_FORM:
        return span.start + 6, encoding.order + "H"
    return span.value - 4, encoding.order + "I"


def _put(data: bytearray, at: int, form: str, number: int) -> None:
    size = struct.calcsize(form)
    if 0 <= at <= len(data) - size:
        data[at : at + size] = struct.pack(form, number & (1 << 8 * size) - 1)


def _element_length(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    if anatomy.elements:
        span = random.choice(anatomy.elements)
        at, form = _length_at(span, anatomy.encoding)
        near = span.length + random.choice((-8, -2, -1, 1, 2, 8))
        _put(data, at, form, random.choice((near, *_HOSTILE_LENGTHS)))


def _element_vr(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    if anatomy.elements and anatomy.encoding.explicit_vr:
        at = random.choice(anatomy.elements).start + 4
        data[at : at + 2] = random.choice((*_VRS, b"??", b"\0\0", b"ZZ"))


def _element_tag(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    if anatomy.elements:
        at = random.choice(anatomy.elements).start
        tag = random.choice(anatomy.elements).tag
        number = random.choice((tag, tag ^ 1 << random.randrange(32), 0xFFFEE000, 0x7FE00010, 0))
        _put(data, at, anatomy.encoding.order + "H", number >> 16)
        _put(data, at + 2, anatomy.encoding.order + "H", number)


def _remove_element(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    if anatomy.elements:
        span = random.choice(anatomy.elements)
        del data[span.start : span.end]


def _repeat_element(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    if anatomy.elements:
        span = random.choice(anatomy.elements)
        at = random.choice(anatomy.elements).start
        data[at:at] = anatomy.data[span.start : span.end]


def _delimiter(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    if anatomy.elements:
        span = random.choice(anatomy.elements)
        length = random.choice((0, 8, span.length, 0xFFFFFFFF)) & 0xFFFFFFFF
        item = _ITEM + struct.pack("<I", length)
        at = random.choice((span.start, span.value, span.end))
        data[at:at] = random.choice((item, item * 70, _ITEM_END, _SEQUENCE_END))


def _image_attribute(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    spans = [one for one in anatomy.elements if one.tag >> 16 == 0x28 and 0 < one.length < 64]
    if not spans:
        return
    span = random.choice(spans)
    if span.length == 2:
        number = random.choice((0, 1, 3, 7, 8, 9, 12, 15, 16, 31, 32, 64, 65535, 32768))
        _put(data, span.value, anatomy.encoding.order + "H", number)
    else:
        text = random.choice(_HOSTILE_NUMBERS).ljust(span.length)[: span.length]
        data[span.value : span.value + span.length] = text


def _value(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    spans = [one for one in anatomy.elements if 0 < one.length < 4096 and not one.undefined]
    if spans:
        span = random.choice(spans)
        data[span.value : span.value + span.length] = random.randbytes(span.length)


def _offset_table(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    if not anatomy.fragments:
        return
    start, length = anatomy.fragments[0]
    entries = random.choice((length // 4, 1, 2, 1000))
    numbers = [random.choice((0, 8, len(data), 0xFFFFFFFF)) for _ in range(entries)]
    table = struct.pack(f"<{entries}I", *numbers)
    data[start - 4 : start + length] = struct.pack("<I", len(table)) + table


def _fragment_length(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    if anatomy.fragments:
        start, length = random.choice(anatomy.fragments)
        near = length + random.choice((-8, -2, -1, 1, 2, 8))
        _put(data, start - 4, "<I", random.choice((near, *_HOSTILE_LENGTHS)))


def _cut_fragment(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    """Cut a stream, and have its item tell the truth."""
    if anatomy.fragments:
        start, length = random.choice(anatomy.fragments)
        left = random.randrange(length + 1)
        data[start - 4 : start + length] = struct.pack("<I", left) + data[start : start + left]


def _split_fragment(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    if anatomy.fragments:
        start, length = random.choice(anatomy.fragments)
        left = random.randrange(length + 1)
        parts = data[start : start + left], data[start + left : start + length]
        one, two = (_ITEM + struct.pack("<I", len(part)) + part for part in parts)
        data[start - 8 : start + length] = one + two


def _remove_fragment(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    if anatomy.fragments:
        start, length = random.choice(anatomy.fragments)
        del data[start - 8 : start + length]


def _in_stream(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    """Change bytes of a stream, of its headers by preference."""
    if anatomy.fragments:
        start, length = random.choice(anatomy.fragments)
        reach = random.choice((16, 64, 512, length)) or 1
        for _ in range(random.choice((1, 2, 8))):
            at = start + random.randrange(min(reach, length) or 1)
            if at < len(data):
                data[at] = random.choice((0, 1, 0x7F, 0xFF, random.randrange(256)))


def _transfer_syntax(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    at = anatomy.data.find(b"\x02\x00\x10\x00UI")
    if at > 0:
        length = int.from_bytes(anatomy.data[at + 6 : at + 8], "little")
        uid = random.choice(_SYNTAXES).encode()
        uid += b"\0" * (len(uid) % 2)
        data[at + 6 : at + 8 + length] = len(uid).to_bytes(2, "little") + uid


def _flip(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    del anatomy
    for _ in range(random.choice((1, 1, 4, 32))):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _flip_in_header(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    pixels = [span.value for span in anatomy.elements if span.tag == 0x7FE00010]
    reach = min(pixels[0] + 64 if pixels else len(data), len(data))
    for _ in range(random.choice((1, 1, 4))):
        if reach > 132:
            data[random.randrange(132, reach)] ^= 1 << random.randrange(8)


def _cut(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    del anatomy
    del data[random.randrange(len(data) + 1) :]


def _insert(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    del anatomy
    at = random.randrange(len(data) + 1)
    data[at:at] = random.choice((b"\0", b"\xff", random.randbytes(3), bytes(64), b"\xff" * 64))


def _delete(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    del anatomy
    at = random.randrange(len(data) + 1)
    del data[at : at + random.choice((1, 2, 8, 100))]


def _move(data: bytearray, anatomy: Anatomy, random: Random) -> None:
    del anatomy
    start = random.randrange(len(data) + 1)
    part = data[start : start + random.choice((4, 16, 256))]
    at = random.randrange(len(data) + 1)
    data[at : at + len(part)] = part


_MUTATIONS: tuple[Mutation, ...] = (
    _element_length, _element_length, _element_vr, _element_tag, _remove_element, _repeat_element,
    _delimiter, _image_attribute, _image_attribute, _value, _offset_table, _fragment_length,
    _cut_fragment, _split_fragment, _remove_fragment, _in_stream, _in_stream, _transfer_syntax,
    _flip, _flip_in_header, _cut, _insert, _delete, _move,
)  # fmt: skip
