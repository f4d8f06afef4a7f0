"""An element in the other byte order whose length, read wrongly, leads to something readable."""

from __future__ import annotations

import io
from collections.abc import Callable

import pydicom
import pytest

from dicodec import compare, convert, convert_bytes, inspect
from dicodec.errors import MalformedFileError
from dicodec.part10.elements import reads_better_swapped
from dicodec.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, DataSetEncoding
from helpers.data_set_bytes import data_set_of, element, file_of, item, sequence
from helpers.made import EXPLICIT_BE, EXPLICIT_LE, make_file

ENCODINGS = {EXPLICIT_LE: EXPLICIT_LITTLE, EXPLICIT_BE: EXPLICIT_BIG}
OTHER = {EXPLICIT_LITTLE: EXPLICIT_BIG, EXPLICIT_BIG: EXPLICIT_LITTLE}
TWO_SWAPPED = 512
"""A length of 2 in the other byte order."""
SWAPPED = {
    "a number": (0x00200013, "IS", b"12"),
    "of a tag that there is in both orders": (0x00100020, "LO", b"ID"),
    "private": (0x00210010, "LO", b"ME"),
    "empty": (0x00100030, "DA", b""),
    "an empty sequence": (0x00101002, "SQ", b""),
    "empty and private": (0x00210010, "LO", b""),
}


def elements_behind(encoding: DataSetEncoding, landing: int) -> bytes:
    """Return elements, `landing` bytes behind the start of whose last a value of 512 bytes ends.

    At 4 bytes the rest of its header is one of an element without VR, whose value ends right.
    """
    first = element(0x00230010, "LO", b"SOMEBODY", encoding)
    filler = bytes(range(1, 251)) * 2
    filler = filler[: TWO_SWAPPED - 2 - len(first) - 12 - landing]
    return (
        first
        + element(0x00231001, "OB", filler, encoding)
        + element(0x00231002, "OB", bytes(range(64)), encoding)
    )


def file_with(elements: bytes, syntax: str, *, nested: bool) -> bytes:
    """Return a file with elements of groups 0010 to 0023, or with a sequence of them."""
    encoding = ENCODINGS[syntax]
    if nested:
        content = item(elements, encoding, undefined=True)
        elements = sequence(0x00081140, content, encoding=encoding, undefined=True)
    name = element(0x00100010, "PN", b"A^B^", encoding)
    made = data_set_of(make_file(6, 5, transfer_syntax=syntax)[0])
    image = made[made.index(element(0x00280002, "US", b"", encoding)[:6]) :]
    parts = [elements, name] if nested else [name, elements]
    return file_of(element(0x00080060, "CS", b"OT", encoding) + b"".join(parts) + image, syntax)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("landing", [0, 4])
@pytest.mark.parametrize("syntax", ENCODINGS)
@pytest.mark.parametrize("name", SWAPPED)
def test_it_is_read_in_its_own_order(name: str, syntax: str, landing: int, *, nested: bool) -> None:
    encoding = ENCODINGS[syntax]
    tag, vr, value = SWAPPED[name]
    behind = elements_behind(encoding, landing)
    right, wrong = (
        file_with(element(tag, vr, value, order) + behind, syntax, nested=nested)
        for order in (encoding, OTHER[encoding])
    )
    for to in ("implicit-le", "explicit-le", "explicit-be", "rle"):
        out = io.BytesIO()
        report = convert(wrong, out, to=to, verify=True)
        assert "other-byte-order" in {one.id for one in report.oddities}, to
        assert compare(right, out.getvalue()).equal, to
        read = pydicom.dcmread(io.BytesIO(out.getvalue()))
        assert (read.PatientName, read.Rows) == ("A^B^", 6), to
    assert "other-byte-order" in {one.id for one in inspect(wrong).oddities}


def without_vr(raw: bytes) -> bytes:
    return raw[:4] + (len(raw) - 8).to_bytes(4, "little") + raw[8:]


ODD: dict[str, Callable[[bytes], bytes]] = {
    "of a VR that there is not": lambda raw: raw[:4] + b"XX" + raw[6:],
    "of letters that are none": lambda raw: raw[:4] + b"??" + raw[6:],
    "without VR": without_vr,
}


@pytest.mark.parametrize("syntax", ENCODINGS)
@pytest.mark.parametrize("name", ODD)
def test_an_element_before_an_odd_one_is_in_the_order_of_all(name: str, syntax: str) -> None:
    encoding = ENCODINGS[syntax]
    odd_order = EXPLICIT_LITTLE if name == "without VR" else encoding
    odd = ODD[name](element(0x00211001, "LO", b"3 ", odd_order))
    # Each length of 2 would, in the other order, lead to the next element of that length.
    words = [fill(odd, 0x00230010, encoding)]
    words += [fill(b"", tag, encoding) for tag in (0x00250010, 0x00270010)]
    content = file_with(
        element(0x00210010, "LO", b"ME", encoding) + b"".join(words), syntax, nested=False
    )
    out = io.BytesIO()
    report = convert(content, out, to="explicit-le", standardize=True, verify=True)
    assert "other-byte-order" not in {one.id for one in report.oddities}
    read = pydicom.dcmread(io.BytesIO(out.getvalue()))
    assert read[0x00210010].value == "ME"
    tags = (0x00211001, 0x00231001, 0x00231002, 0x00251001, 0x00271002)
    assert [tag for tag in tags if tag not in read] == []


def fill(before: bytes, creator: int, encoding: DataSetEncoding) -> bytes:
    """Return 510 bytes of elements that begin with some, and an element of two bytes."""
    block = creator + ((creator & 0xFF) << 8) - (creator & 0xFF)
    first = before + element(creator, "LO", b"SOMEBODY", encoding)
    value = bytes(range(1, 251)) * 2
    filler = element(block + 1, "OB", value[: TWO_SWAPPED - 2 - len(first) - 12], encoding)
    return first + filler + element(block + 2, "LO", b"ME", encoding)


@pytest.mark.parametrize("tag", [0x10000020, 0x60000010, 0x54000100, 0x20000010, 0x01000410])
def test_groups_that_end_in_00_are_read_as_they_are(tag: int) -> None:
    vr = {0x10000020: "US", 0x60000010: "US", 0x54000100: "SQ", 0x20000010: "IS"}.get(tag, "CS")
    content = make_file(6, 5, extra=[(tag, vr, b"" if vr == "SQ" else b"1 ")])[0]

    assert not inspect(content).oddities
    assert not reads_better_swapped(tag, vr)


def test_an_unknown_element_stays_where_nothing_proves_another_order() -> None:
    # (0010,0030) in the other order, were it not for the bytes that follow its length there
    odd = element(0x10003000, "DA", b"20261130")
    content = make_file(6, 5)[0]
    image = content[content.index(element(0x7FE00010, "OW", b"")[:6]) :]
    made = convert_bytes(content.replace(image, odd + image), to="explicit-le", verify=True)
    assert odd in made


def test_an_element_without_vr_that_there_is_not_has_to_be_proved() -> None:
    island = bytes.fromhex("4e421000 08000000") + bytes(range(8))
    content = make_file(6, 5)[0]
    pixels = content.index(element(0x7FE00010, "OW", b"")[:6])
    made = convert_bytes(content[:pixels] + island + content[pixels:], to="explicit-le")
    assert element(0x424E0010, "UN", bytes(range(8))) in made
    # nothing behind it shows that its length is right
    stray = bytes.fromhex("4e421000 08000000") + bytes(range(8))
    with pytest.raises(MalformedFileError):
        convert_bytes(content[:pixels] + stray, to="implicit-le")
