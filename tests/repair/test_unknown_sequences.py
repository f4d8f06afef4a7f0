"""Sequences stated as UN: implicit VR little endian inside, whatever the file is (PS3.5 6.2.2)."""

from __future__ import annotations

import io
import struct

import pydicom
import pytest

from dicodec import compare, convert_bytes
from dicodec.conversion.calls import convert as call
from dicodec.errors import MalformedFileError
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
)
from helpers.data_set_bytes import data_set_of, element, file_of, header, item, marker, sequence
from helpers.made import EXPLICIT_BE

KNOWN, PRIVATE = 0x00081140, 0x00291133
CREATOR = element(0x00290010, "LO", b"ACME", EXPLICIT_BIG)
IMPLICIT_BIG = DataSetEncoding(explicit_vr=False, little_endian=False)
TARGETS = ["explicit-le", "implicit-le", "explicit-be"]


def make_items(encoding: DataSetEncoding) -> bytes:
    """Return two items with text, numbers of several sizes, and a sequence."""
    rows = element(0x00280010, "US", struct.pack(encoding.order + "H", 258), encoding)
    content = (
        element(0x00080060, "CS", b"MR", encoding)
        + sequence(0x0008114A, item(rows, encoding), encoding=encoding)
        + element(0x00280106, "US", struct.pack(encoding.order + "H", 772), encoding)
        + element(0x00289001, "UL", struct.pack(encoding.order + "I", 0x01020304), encoding)
    )
    return item(content, encoding) + item(content, encoding, undefined=True)


def make_file(tag: int, vr: str, inner: DataSetEncoding, *, undefined: bool) -> bytes:
    """Return a file in big endian with a sequence whose items are in an encoding of their own."""
    made = header(tag, vr, UNDEFINED_LENGTH if undefined else len(make_items(inner)), EXPLICIT_BIG)
    made += make_items(inner) + (marker(0xFFFEE0DD, 0, inner) if undefined else b"")
    creator = b"" if tag == KNOWN else CREATOR
    name = element(0x00100010, "PN", b"A^B ", EXPLICIT_BIG)
    parts = sorted([creator + made, name], key=lambda part: part[:4])
    return file_of(b"".join(parts), EXPLICIT_BE)


def read_numbers(content: bytes, tag: int) -> list[tuple[object, ...]]:
    """Return what pydicom finds in the items."""
    return [
        (one.Modality, one[0x0008114A].value[0].Rows, one[0x00280106].value, one[0x00289001].value)
        for one in pydicom.dcmread(io.BytesIO(content))[tag].value
    ]


NUMBERS = [("MR", 258, 772, 0x01020304)] * 2


@pytest.mark.parametrize("tag", [KNOWN, PRIVATE])
@pytest.mark.parametrize("inner", [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG], ids=str)
@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("to", TARGETS)
def test_values_are_right_whatever_the_order_is(
    tag: int, inner: DataSetEncoding, undefined: bool, standardize: bool, to: str
) -> None:
    content = make_file(tag, "UN", inner, undefined=undefined)

    out = io.BytesIO()
    report = call(content, out, to=to, standardize=standardize, verify=True)

    result, items = out.getvalue(), make_items(inner)
    stated = {one.id for one in (*report.oddities, *report.repairs)}
    kept = not standardize and not undefined and (to != "implicit-le" or tag == PRIVATE)
    assert ("other-byte-order" in stated) == (inner == EXPLICIT_BIG and not kept)
    if kept:  # nobody has to know what it holds
        assert element(tag, "" if to == "implicit-le" else "UN", items, ENCODINGS[to]) in result
    else:
        readable = convert_bytes(result, to="explicit-le", standardize=True)
        assert read_numbers(readable, tag) == NUMBERS
        if to == "explicit-le" or (to == "implicit-le" and (tag == KNOWN or undefined)):
            assert read_numbers(result, tag) == NUMBERS
    right = make_file(tag, "SQ", EXPLICIT_BIG, undefined=undefined)
    assert compare(right, result).equal or (kept and inner == EXPLICIT_BIG)
    if kept:
        back = convert_bytes(result, to="explicit-be", verify=True)
        assert data_set_of(back) == data_set_of(content)


ENCODINGS = dict(zip(TARGETS, (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG), strict=True))


@pytest.mark.parametrize("tag", [KNOWN, PRIVATE])
@pytest.mark.parametrize("to", TARGETS)
def test_items_in_implicit_vr_big_endian_stay_bytes(tag: int, to: str) -> None:
    """Readers disagree on the order of their values, which nothing proves: pydicom, GDCM."""
    out = io.BytesIO()
    report = call(make_file(tag, "UN", IMPLICIT_BIG, undefined=False), out, to=to, verify=True)

    vr = "" if to == "implicit-le" else "UN"
    assert element(tag, vr, make_items(IMPLICIT_BIG), ENCODINGS[to]) in out.getvalue()
    lost = to == "implicit-le" and tag == KNOWN
    assert ("sequence-kept-as-un" in {one.id for one in report.oddities}) == lost
    with pytest.raises(MalformedFileError):
        convert_bytes(make_file(tag, "UN", IMPLICIT_BIG, undefined=True), to=to)


@pytest.mark.parametrize("value", [b"12345678", make_items(EXPLICIT_BIG)[:-9]])
def test_a_sequence_that_is_none_is_named_where_vrs_leave(value: bytes) -> None:
    for encoding, syntax in ((EXPLICIT_BIG, EXPLICIT_BE), (EXPLICIT_LITTLE, "1.2.840.10008.1.2.1")):
        content = file_of(element(KNOWN, "UN", value, encoding), syntax)
        out = io.BytesIO()
        report = call(content, out, to="implicit-le")
        assert element(KNOWN, "", value, IMPLICIT_LITTLE) in out.getvalue()
        assert [one.id for one in report.oddities] == ["sequence-kept-as-un"]


def test_items_in_big_endian_are_read_in_little_endian_files_too() -> None:
    """They came there as bytes."""
    content = make_file(KNOWN, "UN", EXPLICIT_BIG, undefined=False)
    moved = convert_bytes(content, to="explicit-le")
    assert make_items(EXPLICIT_BIG) in moved
    for to in TARGETS:
        assert read_numbers(
            convert_bytes(moved, to=to, standardize=True, verify=True), KNOWN
        ) == NUMBERS  # fmt: skip
    direct, later = (convert_bytes(one, to="implicit-le") for one in (content, moved))
    assert data_set_of(direct) == data_set_of(later)
