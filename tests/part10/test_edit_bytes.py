"""Elements that edits set: as pydicom reads them, in every encoding."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from dicodec.errors import ConversionError
from dicodec.model.edits import SetAttribute, SetSequence
from dicodec.part10.edit_bytes import encode_element
from dicodec.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, DataSetEncoding
from dicodec.part10.vr import VALUE_REPRESENTATIONS
from helpers.data_set_bytes import element, item, sequence

ENCODINGS = pytest.mark.parametrize(
    "encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE], ids=str
)


def as_read(content: bytes, encoding: DataSetEncoding) -> Dataset:
    return read_dataset(io.BytesIO(content), not encoding.explicit_vr, encoding.little_endian)


@ENCODINGS
@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (SetAttribute(0x00080060, "CS", "CT"), "CT"),
        (SetAttribute(0x00100010, "PN", "A^B^C"), "A^B^C"),
        (SetAttribute(0x00080018, "UI", "1.2.3"), "1.2.3"),
        (SetAttribute(0x00080008, "CS", "DERIVED\\PRIMARY"), ["DERIVED", "PRIMARY"]),
        (SetAttribute(0x00280010, "US", (65535,)), 65535),
        (SetAttribute(0x00189219, "SS", (-1,)), -1),
        (SetAttribute(0x00189073, "FD", (1.5,)), 1.5),
        (SetAttribute(0x00186028, "FD", (1.5, -2.5)), [1.5, -2.5]),
        (SetAttribute(0x00186018, "UL", (70000,)), 70000),
        (SetAttribute(0x7FE00001, "OV", bytes(range(16))), bytes(range(16))),
        (SetAttribute(0x00081190, "UR", "http://a"), "http://a"),
        (SetAttribute(0x00100020, "LO", ""), ""),
    ],
)
def test_values_are_read_as_they_were_meant(
    edit: SetAttribute, expected: Any, encoding: DataSetEncoding
) -> None:
    data_set = as_read(encode_element(edit, encoding), encoding)

    (found,) = data_set
    assert found.tag == edit.tag
    assert (found.value or expected) == expected


@pytest.mark.parametrize("vr", sorted(set(VALUE_REPRESENTATIONS) - {"SQ"}))
def test_odd_values_get_the_padding_of_their_vr(vr: str) -> None:
    padding = b" " if VALUE_REPRESENTATIONS[vr].padding == b" " else b"\0"
    edit = SetAttribute(0x00091001, vr, b"abc")

    assert encode_element(edit, EXPLICIT_LITTLE) == element(0x00091001, vr, b"abc" + padding)


def test_bytes_above_ascii_are_written_as_they_were_read() -> None:
    latin = "M\u00fcller  ".encode("latin-1")
    edit = SetAttribute(0x00100010, "PN", latin.decode("latin-1"))

    assert encode_element(edit, EXPLICIT_LITTLE).endswith(latin)


@ENCODINGS
def test_sequences_have_items_of_defined_length(encoding: DataSetEncoding) -> None:
    code = (SetAttribute(0x00080100, "SH", "113040"), SetAttribute(0x00080102, "SH", "DCM"))
    ready = item(element(0x00080100, "SH", b"121320", encoding), encoding)
    edit = SetSequence(0x00089215, (code, ready, (SetSequence(0x00089215, ()),)))

    content = encode_element(edit, encoding)

    plain = b"".join(
        element(tag, "SH", value, encoding)
        for tag, value in ((0x00080100, b"113040"), (0x00080102, b"DCM "))
    )
    inner = sequence(0x00089215, encoding=encoding)
    assert content == sequence(
        0x00089215, item(plain, encoding), ready, item(inner, encoding), encoding=encoding
    )
    items = as_read(content, encoding).DerivationCodeSequence
    assert [one.get("CodeValue") for one in items] == ["113040", "121320", None]


def test_values_too_long_for_their_vr_are_refused() -> None:
    longest = SetAttribute(0x00100020, "LO", "x" * 0xFFFE)
    assert len(encode_element(longest, EXPLICIT_LITTLE)) == 8 + 0xFFFE
    too_long = SetAttribute(0x00100020, "LO", "x" * 0xFFFF)

    with pytest.raises(ConversionError, match="too many for the VR LO") as raised:
        encode_element(too_long, EXPLICIT_LITTLE)
    assert raised.value.attribute == "(0010,0020)"
    assert len(encode_element(too_long, IMPLICIT_LITTLE)) == 8 + 0x10000
