"""Fragments in other elements than Pixel Data: bytes that every reader can pass over."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest

from dicodec import compare, convert, inspect
from dicodec.conversion.calls import convert as call
from dicodec.errors import ContradictionError, DicodecError
from dicodec.part10.encoding import EXPLICIT_BIG, IMPLICIT_LITTLE, UNDEFINED_LENGTH
from helpers.data_set_bytes import element, file_of, header, item, marker, sequence
from helpers.icons import host, with_elements
from helpers.made import IMPLICIT_LE, make_file

CREATOR, PRIVATE, OVERLAY = 0x00E10010, 0x00E11010, 0x60003000
TARGETS = ("explicit-le", "implicit-le", "explicit-be", "deflated", "rle", "htj2k-lossless")
ITEMS = marker(0xFFFEE000) + item(b"\xff\xd8\xff\xe0ABCD\xff\xd9")
END = marker(0xFFFEE0DD)


def stray(tag: int, vr: str, items: bytes = ITEMS) -> bytes:
    creator = element(CREATOR, "LO", b"GEIIS ") if tag == PRIVATE else b""
    return creator + header(tag, vr, UNDEFINED_LENGTH) + items + END


@pytest.mark.parametrize("vr", ["OB", "OW", "OF", "UN"])
@pytest.mark.parametrize("tag", [PRIVATE, OVERLAY])
@pytest.mark.parametrize("nested", ["no", "defined", "undefined", "deep"])
def test_they_are_kept_as_a_value_of_defined_length(
    vr: str, tag: int, nested: str, tmp_path: Path
) -> None:
    made = stray(tag, vr)
    if nested != "no":
        made = sequence(0x00400275, item(made), undefined=nested == "undefined")
    if nested == "deep":
        made = sequence(0x00400275, item(made))
    content = with_elements(host("explicit-le")[0], made)

    for to in TARGETS:
        out = io.BytesIO()
        report = call(content, out, to=to, verify=True)
        assert {one.id for one in report.oddities} == {"fragments-outside-pixel-data"}
        (warning,) = report.warnings
        assert f"({tag >> 16:04X},{tag & 0xFFFF:04X}) holds fragments" in warning
        level = pydicom.dcmread(io.BytesIO(out.getvalue()))
        for _ in range({"no": 0, "deep": 2}.get(nested, 1)):
            level = level.RequestAttributesSequence[0]
        assert not level[tag].is_undefined_length
        assert level[tag].value == ITEMS
        assert compare(content, out.getvalue()).equal
        found = compare(host("explicit-le")[0], out.getvalue())
        assert found.pixels is not None
        assert found.pixels.equal
    path = tmp_path / "file.dcm"
    path.write_bytes(content)
    assert convert(path, path, to="implicit-le", overwrite=True).verified
    with pytest.raises(ContradictionError, match="holds fragments"):
        call(content, io.BytesIO(), to="rle", strict=True)


def test_inspection_names_them() -> None:
    content = with_elements(host("explicit-le")[0], stray(PRIVATE, "OB"))

    (found,) = (one for one in inspect(content).oddities if "fragments" in one.id)
    assert "(00E1,1010)" in found.text


def test_they_are_found_in_a_file_without_vrs() -> None:
    made = b"".join(
        [
            element(CREATOR, "LO", b"GEIIS ", IMPLICIT_LITTLE),
            header(PRIVATE, "OB", UNDEFINED_LENGTH, IMPLICIT_LITTLE) + ITEMS + END,
        ]
    )
    content = with_elements(make_file(4, 4, transfer_syntax=IMPLICIT_LE)[0], made)

    for to in TARGETS:
        out = io.BytesIO()
        report = call(content, out, to=to, verify=True)
        assert "fragments-outside-pixel-data" in {one.id for one in report.oddities}
        assert pydicom.dcmread(io.BytesIO(out.getvalue()))[PRIVATE].value == ITEMS


@pytest.mark.parametrize("vr", ["UN", "OB"])
def test_items_of_elements_are_a_sequence_still(vr: str) -> None:
    explicit = element(0x00080060, "CS", b"OT")
    inner = explicit if vr == "OB" else explicit[:4] + b"\2\0\0\0OT"
    content = with_elements(
        host("explicit-le")[0],
        header(0x00400275, vr, UNDEFINED_LENGTH) + item(b"") + item(inner) + END,
    )

    for to in TARGETS:
        out = io.BytesIO()
        call(content, out, to=to, verify=True)
        if (to, vr) == ("explicit-be", "UN"):
            continue  # UN is in little endian there (PS3.5 6.2.2), which pydicom does not know
        found = pydicom.dcmread(io.BytesIO(out.getvalue())).RequestAttributesSequence
        assert [one.get("Modality") for one in found] == [None, "OT"]


def test_fragments_without_an_end_stay_an_error() -> None:
    for made in (stray(PRIVATE, "OB")[:-8], stray(PRIVATE, "OB", ITEMS[:-3])[:-8]):
        with pytest.raises(DicodecError):
            call(file_of(made), None, to="rle")


def test_in_big_endian_too() -> None:
    native = make_file(4, 4, transfer_syntax="1.2.840.10008.1.2.2")[0]
    place = native.index(b"\x7f\xe0\0\x10")
    items = b"".join(
        [marker(0xFFFEE000, 0, EXPLICIT_BIG), item(b"\xff\xd8\xff\xe0AB", EXPLICIT_BIG)]
    )
    made = header(PRIVATE, "OB", UNDEFINED_LENGTH, EXPLICIT_BIG) + items
    made += marker(0xFFFEE0DD, 0, EXPLICIT_BIG)
    content = native[:place] + made + native[place:]

    for to in ("explicit-le", "explicit-be", "rle"):
        out = io.BytesIO()
        call(content, out, to=to, verify=True)
        assert pydicom.dcmread(io.BytesIO(out.getvalue()))[PRIVATE].value == items
