"""An element without VR among elements that have one: in the order of all, or in little endian."""

from __future__ import annotations

import io
import struct
from itertools import product

import pydicom
import pytest

from dicodec import compare, convert
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_BIG,
    IMPLICIT_LITTLE,
    DataSetEncoding,
)
from helpers.data_set_bytes import element, item, sequence
from helpers.made import EXPLICIT_BE, EXPLICIT_LE, make_file

WITHOUT_VR = [
    (EXPLICIT_LE, IMPLICIT_LITTLE), (EXPLICIT_BE, IMPLICIT_BIG), (EXPLICIT_BE, IMPLICIT_LITTLE),
]  # fmt: skip
TARGETS = ("implicit-le", "explicit-le", "explicit-be", "deflated", "rle")
KINDS = ("text", "words", "a sequence", "an open sequence", "in an item", "in an open item")


def part(kind: str, encoding: DataSetEncoding, around: DataSetEncoding) -> bytes:
    """Return an element of group 0018, itself or an element in it without VR."""

    def words(own: DataSetEncoding) -> bytes:
        return element(0x00181310, "US", struct.pack(own.order + "4H", 0, 6, 5, 0), own)

    def code(own: DataSetEncoding) -> bytes:
        return element(0x00080100, "SH", b"C1", own) + words(own)

    if kind == "text":
        return element(0x00180015, "CS", b"CHEST ", encoding)
    if kind == "words":
        return words(encoding)
    opened = "open" in kind
    if kind.startswith("in"):
        content = words(encoding) + element(0x00181315, "CS", b"N ", around)
        content = element(0x00080100, "SH", b"C1", around) + content
        items = item(content, around, undefined=opened)
        return sequence(0x00180012, items, encoding=around, undefined=opened)
    items = item(code(encoding), encoding, undefined=opened)
    return sequence(0x00180012, items, encoding=encoding, undefined=opened)


@pytest.mark.parametrize(("syntax", "encoding"), WITHOUT_VR)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_read_as_it_is_written(kind: str, syntax: str, encoding: DataSetEncoding) -> None:
    around = EXPLICIT_BIG if syntax == EXPLICIT_BE else EXPLICIT_LITTLE
    content = make_file(6, 5, transfer_syntax=syntax)[0]
    at = content.index(element(0x0020000D, "UI", b"", around)[:6])
    wrong = content[:at] + part(kind, encoding, around) + content[at:]
    right = content[:at] + part(kind, around, around) + content[at:]
    for to, standardize in product(TARGETS, (False, True)):
        out = io.BytesIO()
        report = convert(wrong, out, to=to, verify=True, standardize=standardize)
        if (
            standardize
            or (to == "implicit-le")
            or (to == "explicit-be") == (around != EXPLICIT_BIG)
        ):
            assert compare(right, out.getvalue()).equal, to
            assert values_in(out.getvalue()) == values_in(right)
        if not kind.startswith("in "):
            found = {one.id for one in (*report.oddities, *report.repairs)}
            assert "implicit-element" in found


def values_in(content: bytes) -> list[str]:
    """Return the values of group 0018 as pydicom reads them."""
    data_set = pydicom.dcmread(io.BytesIO(content))
    assert data_set.Rows == 6
    return [str(one.value) for one in data_set.group_dataset(0x18)]
