"""Values longer than their 16-bit length field can state: the upper half of the length is lost."""

from __future__ import annotations

import io

import pydicom
import pytest

from dicodec import compare, convert_bytes, inspect
from dicodec.conversion.calls import convert
from dicodec.errors import DicodecError
from helpers.data_set_bytes import element, header, item, sequence
from helpers.icons import with_elements
from helpers.made import EXPLICIT_BE, make_file

COMMENTS, CURVE = 0x00400280, 0x00409211
TARGETS = ("explicit-le", "implicit-le", "explicit-be", "deflated", "rle")
AFTER = element(0x00400555, "SQ", b"") + element(0x00540011, "US", b"\1\0") + element(
    0x00540021, "US", b"\2\0"
)  # fmt: skip


def cut(tag: int, vr: str, value: bytes) -> bytes:
    return header(tag, vr, len(value) & 0xFFFF) + value


@pytest.mark.parametrize("size", [65536, 70_000, 400_000])
@pytest.mark.parametrize("vr", ["LT", "US", "ST"])
@pytest.mark.parametrize("nested", [True, False])
def test_the_whole_value_is_read(size: int, vr: str, *, nested: bool) -> None:
    text = b"Long text that somebody pasted, "
    value = (text * (size // len(text) + 1))[:size]
    wrong, right = cut(COMMENTS, vr, value), element(COMMENTS, "UN", value)
    if nested:
        wrong = sequence(0x00400275, item(wrong + AFTER), undefined=True)
        right = sequence(0x00400275, item(right + AFTER), undefined=True)
    base = make_file(4, 4)[0]

    for to in ("implicit-le", "explicit-be") if nested else TARGETS:
        out = io.BytesIO()
        report = convert(with_elements(base, wrong + AFTER), out, to=to, verify=True)
        assert {one.id for one in report.oddities} == {"cut-length"}
        assert compare(with_elements(base, right + AFTER), out.getvalue()).equal
        assert pydicom.dcmread(io.BytesIO(out.getvalue())).NumberOfEnergyWindows == 1


def test_inspection_names_it() -> None:
    content = with_elements(make_file(4, 4)[0], cut(COMMENTS, "LT", b"text" * 20_000) + AFTER)

    assert any("lacks the upper 16 bits" in one.text for one in inspect(content).oddities)


def test_it_is_read_in_big_endian() -> None:
    right = make_file(4, 4, extra=[(COMMENTS, "LT", b"text" * 5)], transfer_syntax=EXPLICIT_BE)[0]
    value = b"text" * 20_000
    place = right.index(b"\x00\x40\x02\x80LT")
    content = right[: place + 6] + (len(value) & 0xFFFF).to_bytes(2, "big") + value
    content += right[place + 8 + 20 :]

    result = convert_bytes(content, to="implicit-le", verify=True)

    assert element(COMMENTS, "UN", value)[12:] in result


def test_what_nothing_proves_stays_an_error() -> None:
    content = with_elements(make_file(4, 4)[0], cut(COMMENTS, "LT", b"text" * 20_001)[:-2])
    with pytest.raises(DicodecError):
        convert_bytes(content, to="rle")
