"""A right file taken apart, and put together again wrongly: one way for each oddity."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
)
from dicodec.part10.implicit_vr import ReencodingContext
from dicodec.part10.reencode import reencode_elements
from helpers.data_set_bytes import data_set_of, element, header, item, marker, sequence
from helpers.made import DEFLATED, EXPLICIT_LE, IMPLICIT_LE, make_file

SOP_CLASS, SOP_INSTANCE = 0x00080016, 0x00080018
IMAGES, SOURCES = 0x00081140, 0x00082112
REGIONS = 0x00186011
PRIVATE = 0x00091001
NAME, IDENTITY, COMMENT = 0x00100010, 0x00100020, 0x00204000
STUDY_ID, ROWS, PIXELS = 0x00200010, 0x00280010, 0x7FE00010
LAST = 0x7FE11001
ITEM_END, SEQUENCE_END = marker(0xFFFEE00D), marker(0xFFFEE0DD)

type Parts = dict[int, bytes]
"""The bytes of each element of a data set, in order."""


def reference(number: int) -> bytes:
    """Return the elements of an item that refers to an image."""
    uid = b"1.2.%d" % number
    uid += b"\0" * (len(uid) % 2)
    return element(0x00081150, "UI", b"1.2.840.10008.5.1.4.1.1.7\0") + element(
        0x00081155, "UI", uid
    )


def region() -> bytes:
    """Return the elements of an item of the Sequence of Ultrasound Regions."""
    return b"".join(
        element(tag, vr, value)
        for tag, vr, value in (
            (0x00186012, "US", b"\1\0"), (0x00186014, "US", b"\1\0"), (0x00186016, "UL", bytes(4)),
            (0x00186018, "UL", bytes(4)), (0x0018601A, "UL", bytes(4)),
            (0x0018601C, "UL", bytes(4)),
            (0x0018601E, "UL", bytes(4)), (0x00186024, "US", b"\3\0"), (0x00186026, "US", b"\3\0"),
            (0x0018602C, "FD", bytes(8)), (0x0018602E, "FD", bytes(8)),
        )
    )  # fmt: skip


ITEMS = (item(reference(1)), item(reference(22)))
OPEN_ITEMS = (item(reference(3), undefined=True), item(reference(44), undefined=True))


@cache
def right_file() -> bytes:
    """Return a right file with sequences of both kinds of length and elements of many VRs."""
    return make_file(
        6, 5,
        extra=[
            (IMAGES, "SQ", b"".join(ITEMS)),
            (REGIONS, "SQ", item(region())),
            (COMMENT, "LT", b"commented"),
            (STUDY_ID, "SH", b"study"),
            (0x7FE10010, "LO", b"DICODEC TESTS"),
            (LAST, "OB", b"\1\2\3\4"),
        ],
    )[0]  # fmt: skip


def parts() -> Parts:
    """Return the elements of the right file; one sequence gets an undefined length."""
    content = right_file()
    with open_dicom(content) as file:
        found = {span.tag: file.data_set.read_raw(span) for span in file.data_set.elements}
    found[SOURCES] = sequence(SOURCES, *OPEN_ITEMS, undefined=True)
    return dict(sorted(found.items()))


def together(elements: Parts, syntax: str = EXPLICIT_LE) -> bytes:
    """Return a file of these elements, in this order."""
    content = right_file()
    head = content[: len(content) - len(data_set_of(content))]
    if syntax != EXPLICIT_LE:
        head = make_file(6, 5, transfer_syntax=syntax)[0]
        head = head[: len(head) - len(data_set_of(head))]
    return head + b"".join(elements.values())


def whole(syntax: str = EXPLICIT_LE) -> bytes:
    """Return the right file that each of the wrong ones should be."""
    encoding = IMPLICIT_LITTLE if syntax == IMPLICIT_LE else EXPLICIT_LITTLE
    return together({tag: in_encoding(raw, encoding) for tag, raw in parts().items()}, syntax)


def meta_parts() -> Parts:
    """Return the elements of the right file's File Meta Information."""
    with open_dicom(right_file()) as file:
        return {one.tag: element(one.tag, one.vr, one.value) for one in file.head.elements}


def with_meta(*elements: bytes) -> bytes:
    """Return the file with other elements of File Meta Information, in this order."""
    group = b"".join(elements)
    start = element(0x00020000, "UL", len(group).to_bytes(4, "little"))
    return bytes(128) + b"DICM" + start + group + data_set_of(whole())


def with_meta_part(tag: int, raw: bytes) -> bytes:
    """Return the file with the bytes of one element of File Meta Information changed."""
    return with_meta(*dict(sorted({**meta_parts(), tag: raw}.items())).values())


def in_encoding(raw: bytes, encoding: DataSetEncoding) -> bytes:
    """Return an element in another encoding."""
    context = ReencodingContext(creators={0x00090010: "DICODEC TESTS"})
    return reencode_elements(raw, EXPLICIT_LITTLE, encoding, context)


def value_of(raw: bytes) -> bytes:
    """Return the value of an element with a 16-bit length."""
    return raw[8:]


def with_part(tag: int, raw: bytes) -> bytes:
    """Return the file with one element's bytes changed."""
    return together(dict(sorted({**parts(), tag: raw}.items())))


def with_letters(tag: int, letters: bytes) -> bytes:
    raw = parts()[tag]
    return with_part(tag, raw[:4] + letters + raw[6:])


def with_implicit(tag: int) -> bytes:
    return with_part(tag, in_encoding(parts()[tag], IMPLICIT_LITTLE))


def implicit_in_item() -> bytes:
    first = in_encoding(element(0x00081150, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"), IMPLICIT_LITTLE)
    rest = reference(1)[len(first) :]
    return with_part(IMAGES, sequence(IMAGES, item(first + rest), ITEMS[1]))


def illegal_in_item() -> bytes:
    first = long_form(0x00081150, "XX", b"1.2.840.10008.5.1.4.1.1.7\0")
    rest = reference(1)[len(first) - 4 :]
    return with_part(IMAGES, sequence(IMAGES, item(first + rest), ITEMS[1]))


def explicit_among_implicit(*tags: int) -> bytes:
    """Return an implicit file in which these elements state their VRs."""
    return together(
        {
            tag: raw if tag in tags else in_encoding(raw, IMPLICIT_LITTLE)
            for tag, raw in parts().items()
        },
        IMPLICIT_LE,
    )


def explicit_in_implicit_item() -> bytes:
    implicit = IMPLICIT_LITTLE
    first = element(0x00081150, "UI", b"1.2.840.10008.5.1.4.1.1.7\0")
    rest = in_encoding(reference(1)[len(first) :], implicit)
    elements = {tag: in_encoding(raw, implicit) for tag, raw in parts().items()}
    second = item(in_encoding(reference(22), implicit))
    elements[IMAGES] = sequence(IMAGES, item(first + rest), second, encoding=implicit)
    return together(elements, IMPLICIT_LE)


def other_order_from(tag: int) -> bytes:
    """Return the file with everything from an element on, but Pixel Data, in big endian."""
    return together(
        {
            one: in_encoding(raw, EXPLICIT_BIG) if tag <= one < PIXELS else raw
            for one, raw in parts().items()
        }
    )


def long_form(tag: int, vr: str, value: bytes) -> bytes:
    """Return an element of a VR with a 16-bit length that has a 32-bit one."""
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, len(value)) + value


def short_form(tag: int, vr: str, value: bytes) -> bytes:
    """Return an element of a VR with a 32-bit length that has a 16-bit one."""
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def sequence_claiming(length: int) -> bytes:
    content = b"".join(ITEMS)
    return with_part(IMAGES, header(IMAGES, "SQ", len(content) + length) + content)


def items_claiming(first: int, second: int) -> bytes:
    one, two = reference(1), reference(22)
    content = marker(0xFFFEE000, len(one) + first) + one + marker(0xFFFEE000, len(two) + second)
    content += two
    return with_part(IMAGES, header(IMAGES, "SQ", len(content)) + content)


def open_sequence(*content: bytes) -> bytes:
    return with_part(SOURCES, header(SOURCES, "SQ", UNDEFINED_LENGTH) + b"".join(content))


def open_item(elements: bytes) -> bytes:
    return marker(0xFFFEE000, UNDEFINED_LENGTH) + elements


def unknown(tag: int, *, undefined: bool, explicit: bool = False) -> bytes:
    """Return the file with a sequence as UN; of implicit VR inside, as it should be, or not."""
    encoding = EXPLICIT_LITTLE if explicit else IMPLICIT_LITTLE
    numbers = (3, 44) if undefined else (1, 22)
    items = [item(in_encoding(reference(n), encoding), undefined=undefined) for n in numbers]
    return with_part(tag, sequence(tag, *items, undefined=undefined, vr="UN"))


def unordered() -> bytes:
    elements = parts()
    early = {STUDY_ID: elements.pop(STUDY_ID)}
    return together({**early, **elements})


def damaged_meta() -> bytes:
    """Return the file with Transfer Syntax UID, of another one, behind damage in group 2."""
    content = right_file()
    rest = data_set_of(whole())
    head = content[: len(content) - len(data_set_of(content))]
    at = head.index(b"\2\0\x10\0UI")
    return head[:at] + b"\xff\xff\xff" + element(0x00020010, "UI", b"1.2.840.10008.1.2.5\0") + rest


def without_head(content: bytes) -> bytes:
    return data_set_of(content)


def deflated(after: bytes) -> bytes:
    made = make_file(6, 5, transfer_syntax=DEFLATED)[0]
    head = made[: len(made) - len(data_set_of(made))]
    deflater = zlib.compressobj(wbits=-15)
    return head + deflater.compress(data_set_of(whole())) + deflater.flush() + after


class Oddness(NamedTuple):
    """A wrong file.

    Attributes:
        ids: what has to be found, in any order and number.
        make: makes the file.
        same: whether its standard form is that of the right file, byte for byte.
    """

    ids: tuple[str, ...]
    make: Callable[[], bytes]
    same: bool = True


CASES: dict[str, Oddness] = {
    "implicit element": Oddness(("implicit-element",), lambda: with_implicit(NAME)),
    "implicit sequence": Oddness(("implicit-element",), lambda: with_implicit(SOURCES)),
    "implicit element in an item": Oddness(("implicit-element",), implicit_in_item),
    "explicit elements": Oddness(
        ("explicit-element",), lambda: explicit_among_implicit(NAME, ROWS, IMAGES), same=False
    ),
    "explicit Pixel Data": Oddness(
        ("explicit-element",), lambda: explicit_among_implicit(PIXELS), same=False
    ),
    "explicit element in an item": Oddness(
        ("explicit-element",), explicit_in_implicit_item, same=False
    ),
    "question marks for VR": Oddness(("illegal-vr",), lambda: with_letters(NAME, b"??")),
    "zeros for VR": Oddness(("illegal-vr",), lambda: with_letters(ROWS, b"\0\0")),
    "small letters for VR": Oddness(("illegal-vr",), lambda: with_letters(STUDY_ID, b"sh")),
    "letters of no VR": Oddness(
        ("illegal-vr",), lambda: with_part(COMMENT, long_form(COMMENT, "ZZ", b"commented "))
    ),
    "letters of no VR, short": Oddness(("illegal-vr",), lambda: with_letters(NAME, b"ZZ")),
    "letters of no VR, a number": Oddness(
        ("illegal-vr",), lambda: with_part(ROWS, long_form(ROWS, "XX", value_of(parts()[ROWS])))
    ),
    "letters of no VR, a sequence": Oddness(("illegal-vr",), lambda: with_letters(IMAGES, b"OX")),
    "letters of no VR, an open sequence": Oddness(
        ("illegal-vr",), lambda: with_letters(SOURCES, b"SX")
    ),
    "letters of no VR in an item": Oddness(("illegal-vr",), illegal_in_item),
    "letters of no VR at the end": Oddness(
        ("illegal-vr",), lambda: with_letters(LAST, b"OX"), same=False
    ),
    "no VR for Pixel Data": Oddness(("illegal-vr",), lambda: with_letters(PIXELS, b"??")),
    "short OB": Oddness(
        ("wrong-length-field",),
        lambda: with_part(PRIVATE, short_form(PRIVATE, "UN", parts()[PRIVATE][12:])),
    ),
    "long PN": Oddness(
        ("wrong-length-field",),
        lambda: with_part(NAME, long_form(NAME, "PN", value_of(parts()[NAME]))),
    ),
    "odd length": Oddness(
        ("odd-length",), lambda: with_part(COMMENT, element(COMMENT, "LT", b"commented"))
    ),
    "odd length of binary data": Oddness(
        ("odd-length",), lambda: with_part(LAST, element(LAST, "OB", b"\1\2\3")), same=False
    ),
    "a pad byte that is not counted": Oddness(
        ("uncounted-pad-byte",),
        lambda: with_part(COMMENT, element(COMMENT, "LT", b"commented") + b" "),
    ),
    "sequence too long": Oddness(("wrong-sequence-length",), lambda: sequence_claiming(20)),
    "sequence past the end": Oddness(
        ("wrong-sequence-length",), lambda: sequence_claiming(1 << 20)
    ),
    "sequence too short": Oddness(("wrong-sequence-length",), lambda: sequence_claiming(-10)),
    "last item too long": Oddness(("wrong-item-length",), lambda: items_claiming(0, 24)),
    "first item too long": Oddness(("wrong-item-length",), lambda: items_claiming(24, 0)),
    "item too short": Oddness(("wrong-item-length",), lambda: items_claiming(-8, 0)),
    "no item delimiters": Oddness(
        ("no-item-delimiter",),
        lambda: open_sequence(open_item(reference(3)), open_item(reference(44)), SEQUENCE_END),
    ),
    "no sequence delimiter": Oddness(
        ("no-sequence-delimiter",), lambda: open_sequence(*OPEN_ITEMS)
    ),
    "sequence of VR OW": Oddness(
        ("undefined-length",),
        lambda: with_part(
            SOURCES, header(SOURCES, "OW", UNDEFINED_LENGTH) + b"".join(OPEN_ITEMS) + SEQUENCE_END
        ),
    ),
    "no sequence": Oddness(("no-sequence-header",), lambda: with_part(REGIONS, item(region()))),
    "sequence as UN": Oddness(("sequence-as-un",), lambda: unknown(IMAGES, undefined=False)),
    "open sequence as UN": Oddness(("sequence-as-un",), lambda: unknown(SOURCES, undefined=True)),
    "sequence as UN, explicit": Oddness(
        ("explicit-in-un", "sequence-as-un"),
        lambda: unknown(SOURCES, undefined=True, explicit=True),
    ),
    "UN where the VR is known": Oddness(
        ("known-un",),
        lambda: with_part(NAME, element(NAME, "UN", value_of(parts()[NAME]))),
    ),
    "big endian from the middle on": Oddness(
        ("other-byte-order",), lambda: other_order_from(0x00200000)
    ),
    "big endian element": Oddness(
        ("other-byte-order",), lambda: with_part(ROWS, in_encoding(parts()[ROWS], EXPLICIT_BIG))
    ),
    "bytes before the data set": Oddness(
        ("stray-bytes",),
        lambda: whole()[: -len(data_set_of(whole()))] + b"\xff\xff\xff" + data_set_of(whole()),
    ),
    "bytes before a data set alone": Oddness(
        ("no-preamble", "stray-bytes", "no-file-meta", "no-transfer-syntax"),
        lambda: b"\x20" + data_set_of(whole()),
    ),
    "short preamble": Oddness(("misplaced-prefix",), lambda: whole()[28:]),
    "group lengths": Oddness(
        ("group-length",), lambda: with_part(0x00100000, element(0x00100000, "UL", b"\1\0\0\0"))
    ),
    "command elements": Oddness(
        ("reserved-group",), lambda: with_part(0x00000002, element(0x00000002, "UI", b"1.2.3\0"))
    ),
    "element of the delimiters' group": Oddness(
        ("reserved-group",),
        lambda: with_part(NAME, parts()[NAME] + element(0xFFFEE0FF, "LO", b"abcd")),
    ),
    "file meta behind a group length": Oddness(
        ("no-file-meta", "no-transfer-syntax", "group-length", "reserved-group"),
        lambda: whole()[:132] + b"\x4a" + whole()[133:],
    ),
    "file meta behind an element": Oddness(
        ("reserved-group",),
        lambda: with_part(
            SOP_CLASS, parts()[SOP_CLASS] + element(0x00020010, "UI", b"1.2.840.10008.1.2.5\0")
        ),
    ),
    "damage within file meta": Oddness(
        (
            "wrong-file-meta-length",
            "stray-bytes",
            "no-transfer-syntax",
            "incomplete-file-meta",
            "reserved-group",
        ),
        damaged_meta,
    ),
    "two transfer syntaxes": Oddness(
        ("duplicate-element",),
        lambda: with_meta(
            *meta_parts().values(), element(0x00020010, "UI", b"1.2.840.10008.1.2\0")
        ),
    ),
    "file meta out of order": Oddness(
        ("unordered-element",), lambda: with_meta(*reversed(meta_parts().values()))
    ),
    "transfer syntax as LO": Oddness(
        ("wrong-vr",),
        lambda: with_meta_part(0x00020010, element(0x00020010, "LO", b"1.2.840.10008.1.2.1\0")),
    ),
    "odd transfer syntax": Oddness(
        ("odd-length",),
        lambda: with_meta_part(0x00020010, element(0x00020010, "UI", b"1.2.840.10008.1.2.1")),
    ),
    "UID of file meta padded with space": Oddness(
        ("wrong-padding",),
        lambda: with_meta_part(0x00020012, element(0x00020012, "UI", b"1.2.3 ")),
    ),
    "title padded beyond its length": Oddness(
        ("wrong-padding",),
        lambda: with_meta_part(0x00020016, element(0x00020016, "AE", b"ARCHIVE" + b" " * 11)),
    ),
    "title too long": Oddness(
        ("illegal-value",),
        lambda: with_meta_part(0x00020016, element(0x00020016, "AE", b"A" * 18)),
    ),
    "version of one byte": Oddness(
        ("odd-length",), lambda: with_meta_part(0x00020001, element(0x00020001, "OB", b"\1"))
    ),
    "out of order": Oddness(("unordered-element",), unordered),
    "twice": Oddness(
        ("duplicate-element",),
        lambda: with_part(NAME, parts()[NAME] + element(NAME, "PN", b"No^One")),
    ),
    "stray delimiter": Oddness(
        ("stray-delimiter",), lambda: with_part(NAME, parts()[NAME] + SEQUENCE_END)
    ),
    "stray delimiter in an item": Oddness(
        ("stray-delimiter",),
        lambda: with_part(IMAGES, sequence(IMAGES, item(reference(1) + ITEM_END), ITEMS[1])),
    ),
    "zeros at the end": Oddness(("trailing-zeros",), lambda: whole() + bytes(700)),
    "fill at the end": Oddness(("trailing-garbage",), lambda: whole() + b"\xff" * 700),
    "line end at the end": Oddness(("trailing-garbage",), lambda: whole() + b"\r\n"),
    "Pixel Data as UN": Oddness(("wrong-pixel-data-vr",), lambda: with_letters(PIXELS, b"UN")),
    "Pixel Data as OB": Oddness(("wrong-pixel-data-vr",), lambda: with_letters(PIXELS, b"OB")),
    "text padded with NUL": Oddness(
        ("wrong-padding",), lambda: with_part(STUDY_ID, element(STUDY_ID, "SH", b"study\0"))
    ),
    "UID padded with space": Oddness(
        ("wrong-padding",),
        lambda: with_part(SOP_CLASS, parts()[SOP_CLASS].removesuffix(b"\0") + b" "),
    ),
    "another VR": Oddness(("wrong-vr",), lambda: with_letters(STUDY_ID, b"LO")),
    "a VR that does not fit": Oddness(
        ("other-vr",),
        lambda: with_part(ROWS + 0x20, element(ROWS + 0x20, "FD", bytes(8))),
        same=False,
    ),
    "text of no form": Oddness(
        ("illegal-value",),
        lambda: with_part(0x00080020, element(0x00080020, "DA", b"1997.04.24")),
        same=False,
    ),
    "bytes after the deflate stream": Oddness(
        ("bytes-after-deflate",), lambda: deflated(b"\0" * 40), same=False
    ),
}
"""By what is wrong."""
