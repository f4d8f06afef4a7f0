"""Nested Pixel Data: native whatever it was coded in, and never in the way of a sound image."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dicodec import compare, convert, convert_bytes
from dicodec.conversion.calls import convert as call
from dicodec.errors import DicodecError
from helpers.data_set_bytes import element, item, sequence
from helpers.icons import (
    FAMILIES,
    ICON,
    encapsulated_icon,
    host,
    icon_elements,
    icon_samples,
    icon_stream,
    nested_in_references,
    short_icon,
    with_elements,
)
from helpers.made import encapsulated

NATIVE = ("explicit-le", "implicit-le", "explicit-be", "deflated")
HOSTS = ("explicit-le", "rle", "jpeg-ls", "jpeg2000-lossless")
TARGETS = (*NATIVE, "rle", "htj2k-lossless")


def read(content: bytes) -> pydicom.Dataset:
    data_set = pydicom.dcmread(io.BytesIO(content))
    for one in data_set.iterall():  # reads all that is nested
        assert one.tag
    return data_set


def check_pixels(result: bytes, host_syntax: str) -> None:
    """Hold the result's own pixels against those of the file without an icon."""
    found = compare(host(host_syntax)[0], result)
    assert found.pixels is not None
    assert found.pixels.equal


def converted(content: bytes, to: str, **options: Any) -> tuple[bytes, list[str]]:
    out = io.BytesIO()
    report = call(content, out, to=to, verify=True, **options)
    return out.getvalue(), report.warnings


@pytest.mark.parametrize("host_syntax", HOSTS)
@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_icon_in_fragments_is_whole_with_a_table_or_without(
    family: str, pieces: int, table: bool, host_syntax: str
) -> None:
    """The first fragment may end within the headers of its stream."""
    stream = icon_stream(family)
    parts = [stream] if pieces == 1 else [stream[:18], stream[18:]]
    pixel_data = encapsulated([parts], offset_table=False)
    empty = bytes.fromhex("feff00e0 00000000")
    assert empty in pixel_data
    icon = icon_elements(pixel_data if table else pixel_data.replace(empty, b"", 1))
    result, warnings = converted(
        with_elements(host(host_syntax)[0], sequence(ICON, item(icon))), "explicit-le"
    )
    assert not warnings
    check_pixels(result, host_syntax)
    assert read(result).IconImageSequence[0].PixelData == icon_samples(family)


@pytest.mark.parametrize("host_syntax", HOSTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_icon_of_any_family_becomes_native(family: str, host_syntax: str) -> None:
    content = with_elements(host(host_syntax)[0], sequence(ICON, item(encapsulated_icon(family))))

    for to in TARGETS:
        result, warnings = converted(content, to)
        icon = read(result).IconImageSequence[0]
        assert not warnings
        check_pixels(result, host_syntax)
        if family == host_syntax == to:
            assert icon["PixelData"].is_undefined_length  # its streams are the file's own
            continue
        assert not icon["PixelData"].is_undefined_length
        assert icon.PixelData == icon_samples(family)
        assert compare(content, result).equal


@pytest.mark.parametrize("undefined", [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize("to", ["explicit-be", "rle"])
def test_icons_are_found_wherever_they_are(
    to: str, undefined: tuple[bool, bool], tmp_path: Path, *, deep: bool
) -> None:
    of_sequence, of_item = undefined
    icon = sequence(ICON, item(encapsulated_icon("jpeg"), undefined=of_item), undefined=of_sequence)
    content = with_elements(host("jpeg-ls")[0], nested_in_references(icon) if deep else icon)
    path = tmp_path / "file.dcm"
    path.write_bytes(content)

    report = convert(path, path, to=to, overwrite=True)

    data_set = read(path.read_bytes())
    found = (data_set.ReferencedImageSequence[1] if deep else data_set).IconImageSequence[0]
    assert found.PixelData == icon_samples("jpeg")
    assert report.verified
    assert compare(content, path).equal


@pytest.mark.parametrize("stored", ["items", "bare"])
def test_a_stream_in_a_value_of_defined_length_is_one(stored: str) -> None:
    stream = icon_stream("jpeg2000-lossless")
    value = encapsulated([[stream]])[12:-8] if stored == "items" else stream
    pixel_data = element(0x7FE00010, "OB", value + b"\0" * (len(value) % 2))
    content = with_elements(host("explicit-le")[0], sequence(ICON, item(icon_elements(pixel_data))))

    for to in TARGETS:
        result, warnings = converted(content, to)
        assert not warnings
        assert read(result).IconImageSequence[0].PixelData == icon_samples("jpeg2000-lossless")


def test_native_icons_are_left_as_they_lie() -> None:
    pixel_data = element(0x7FE00010, "OB", bytes(range(0xD0, 0x100)))
    icon = sequence(ICON, item(icon_elements(pixel_data)))

    for host_syntax in HOSTS:
        result, warnings = converted(with_elements(host(host_syntax)[0], icon), "rle")
        assert icon in result
        assert not warnings


NO_TABLE = bytes.fromhex("e07f1000 4f420000 ffffffff")
END = bytes.fromhex("feffdde0 00000000")
DAMAGED = {
    "garbage": icon_elements(encapsulated([[b"this is no stream of any kind."]])),
    "empty": icon_elements(NO_TABLE + END),
    "a table alone": icon_elements(encapsulated([])),
    "an empty fragment": icon_elements(encapsulated([[b""]])),
    "cut": icon_elements(encapsulated([[icon_stream("jpeg2000-lossless")[:40]]])),
    "of another size": icon_elements(encapsulated([[icon_stream("jpeg-ls")]]), rows=60),
    "without Rows": icon_elements(encapsulated([[icon_stream("jpeg")]]), rows=0),
}


@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("host_syntax", ["explicit-le", "jpeg2000-lossless"])
def test_what_cannot_be_decoded_is_named_and_in_nobodys_way(
    damage: str, host_syntax: str, *, deep: bool
) -> None:
    icon = sequence(ICON, item(DAMAGED[damage]))
    content = with_elements(host(host_syntax)[0], nested_in_references(icon) if deep else icon)
    path = f"{'(0008,1140)[1].' if deep else ''}(0088,0200)[0].(7FE0,0010)"

    for to in TARGETS:
        result, warnings = converted(content, to)
        (warning,) = warnings
        data_set = read(result)
        level = data_set.ReferencedImageSequence[1] if deep else data_set
        check_pixels(result, host_syntax)
        if to in NATIVE:
            assert warning.startswith(f"{path} is left out, because")
            assert "IconImageSequence" not in level
        else:
            assert warning.startswith(f"{path} is kept as it is, because")
            assert icon in result
        if deep:
            assert level.ReferencedSOPInstanceUID == "1.2.3"


def test_in_place_a_damaged_icon_is_left_out_too(tmp_path: Path) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(with_elements(host("rle")[0], sequence(ICON, item(DAMAGED["garbage"]))))

    report = convert(path, path, to="implicit-le", overwrite=True)

    assert len(report.warnings) == 1
    check_pixels(path.read_bytes(), "rle")


def test_other_items_keep_all_but_the_pixels_that_nobody_can_read() -> None:
    content = with_elements(
        host("rle")[0],
        sequence(0x00091001, item(DAMAGED["garbage"]), item(encapsulated_icon("jpeg"))),
    )

    result, warnings = converted(content, "implicit-le")

    assert [warning.partition(" ")[0] for warning in warnings] == ["(0009,1001)[0].(7FE0,0010)"]
    assert icon_samples("jpeg") in result
    assert result.count(b"MONOCHROME2 ") == 3


# Lengths that are short: the writer did not count delimiters, or the items that are fragments.


@pytest.mark.parametrize("short", [(8, 0), (8, 8), (16, 8), (24, 8), (16, 16), (24, 0), (0, 8)])
@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize("host_syntax", ["jpeg", "explicit-le"])
def test_lengths_are_those_that_the_fragments_have(
    short: tuple[int, int], host_syntax: str, tmp_path: Path, *, deep: bool
) -> None:
    base = host("explicit-le")[0]
    if host_syntax == "jpeg":
        base = convert_bytes(base, to="jpeg", lossy=True, keep_uid=True)
    icon = short_icon("jpeg", short[0], short[0] + short[1])
    right = sequence(ICON, item(encapsulated_icon("jpeg")))
    if deep:
        icon, right = nested_in_references(icon), nested_in_references(right)
    wrong, whole = with_elements(base, icon), with_elements(base, right)

    for to in TARGETS:
        result, _ = converted(wrong, to)
        assert compare(whole, result).equal
        data_set = read(result)
        level = data_set.ReferencedImageSequence[1] if deep else data_set
        assert level.IconImageSequence[0].PixelData == icon_samples("jpeg")
    path = tmp_path / "file.dcm"
    path.write_bytes(wrong)
    assert convert(path, path, to="rle", overwrite=True).verified
    assert compare(whole, path).equal


@pytest.mark.parametrize("cut", [1, 8, 9, 30])
def test_fragments_that_are_cut_off_are_never_taken_for_whole(cut: int) -> None:
    content = with_elements(host("explicit-le")[0], short_icon("jpeg", 16, 16))
    end = content.index(b"\xfe\xff\xdd\xe0") + 8

    with pytest.raises(DicodecError):
        convert_bytes(content[: end - cut], to="rle")


def test_an_icon_behind_much_else_is_found_without_holding_it_all() -> None:
    filler = [
        item(element(0x00081155, "UI", b"1.2.840.10008.5.1.4.1.1.7.1%05d" % n))
        for n in range(30000)
    ]
    icon = sequence(ICON, item(encapsulated_icon("jpeg")))
    last = item(element(0x00081155, "UI", b"1.2.3\0") + icon)
    content = with_elements(host("explicit-le")[0], sequence(0x00081140, *filler, last))

    result, _ = converted(content, "rle")

    assert read(result).ReferencedImageSequence[-1].IconImageSequence[0].PixelData == icon_samples(
        "jpeg"
    )
