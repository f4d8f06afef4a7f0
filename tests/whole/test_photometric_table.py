"""Photometric Interpretations from and to every transfer syntax: the tables of docs/photometric.md.

Samples are held against formulas written down here, in floating point.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pydicom
import pytest

from dicodec import convert_bytes
from dicodec.errors import ContradictionError, DicodecError, UnsupportedImageError
from helpers.made import make_file
from helpers.photometric_files import (
    BY_TARGET,
    BY_WISH,
    COLUMNS,
    NO_COLORS,
    ROWS,
    TARGETS,
    check_colors,
    made,
    native_value,
    pairs,
    run,
    shades,
    shown,
    source,
    stated,
    subsampled,
    to_ybr,
    unpaired,
)
from helpers.samples import native_samples, psnr


@pytest.mark.parametrize(("column", "target"), TARGETS, ids=lambda value: str(value))
@pytest.mark.parametrize("row", BY_TARGET[1:], ids=lambda row: row[0])
def test_each_cell_of_the_table_of_targets(row: list[str], column: int, target: str) -> None:
    data, expected = source(row[0])
    if row[column] == "-":
        with pytest.raises(DicodecError) as caught:
            run(data, to=target, lossy=True)
        assert caught.value.code.startswith("unsupported")
        return

    result, report = run(data, to=target, lossy=True)

    assert stated(result) == row[column]
    assert report.photometric_interpretation is not None
    assert report.photometric_interpretation[1] == row[column]
    if row[0].startswith(NO_COLORS) and row[column] == stated(data):
        assert native_value(result) == native_value(data)
    else:
        check_colors(row[0], row[column], target, shown(result), expected)


@pytest.mark.parametrize("row", BY_WISH[1:], ids=lambda row: row[0])
@pytest.mark.parametrize(("column", "wanted"), [*enumerate(BY_WISH[0][1:], 1)])
@pytest.mark.parametrize("target", ["explicit-le", "explicit-be"])
def test_each_cell_of_the_table_of_wishes(
    row: list[str], column: int, wanted: str, target: str
) -> None:
    data, expected = source(row[0])
    if row[column] == "-":
        with pytest.raises(DicodecError) as caught:
            run(data, to=target, photometric=wanted)
        assert caught.value.code.startswith("unsupported")
        return

    result, _ = run(data, to=target, photometric=wanted)

    assert stated(result) == row[column]
    if row[0].startswith(NO_COLORS) and row[column] == stated(data):
        assert native_value(result) == native_value(data)
        return
    if wanted.startswith("MONOCHROME") and wanted != row[0]:
        expected = 255 - expected
    found = shown(result)
    if wanted == "YBR_FULL_422" or "YBR_ICT" in row[0] or "JPEG" in row[0]:
        assert psnr(found, expected, 8) > (18 if "PALETTE" in row[0] else 30)
    else:
        assert np.abs(found.astype(float) - expected).max() <= (
            2 if "YBR" in wanted + row[0] else 0
        )


@pytest.mark.parametrize("columns", [COLUMNS, COLUMNS - 1])
def test_native_422_of_even_and_odd_width_is_read(columns: int) -> None:
    """An odd row keeps the pair of its last pixel, as some writers have it."""
    ybr = to_ybr(shades())
    data = subsampled("YBR_FULL_422", pairs(ybr).tobytes(), columns)

    back = native_samples(convert_bytes(data, to="rle", photometric="YBR_FULL"))

    assert np.array_equal(back, unpaired(pairs(ybr))[:, :, :columns])


def test_native_422_of_odd_width_is_not_written() -> None:
    data = made("RGB", shades()[:, :, :-1])

    for to in ("explicit-le", "deflated-frame", "encapsulated-uncompressed"):
        with pytest.raises(UnsupportedImageError, match="47 columns are odd") as caught:
            convert_bytes(data, to=to, photometric="YBR_FULL_422")
        assert caught.value.hint == (
            "YBR_FULL and RGB hold any width, and so does jpeg as YBR_FULL_422"
        )
    for name, to in (("YBR_FULL", "explicit-le"), ("RGB", "rle"), ("YBR_FULL_422", "jpeg")):
        assert stated(convert_bytes(data, to=to, photometric=name, lossy=True)) == name


def test_what_is_refused_is_what_was_asked_for() -> None:
    with pytest.raises(UnsupportedImageError, match=r"cannot hold .* YBR_FULL_422, only"):
        convert_bytes(source("RGB")[0], to="jpegxl", lossy=True, photometric="YBR_FULL_422")


def test_native_422_is_written_where_the_standard_has_it_sampled() -> None:
    result = convert_bytes(source("YBR_FULL")[0], to="explicit-le", photometric="YBR_FULL_422")

    dataset = pydicom.dcmread(io.BytesIO(result))
    assert dataset.PixelData == pairs(to_ybr(shades())).tobytes()
    assert dataset.PlanarConfiguration == 0
    back = convert_bytes(result, to="deflated-frame")
    assert stated(back) == "YBR_FULL_422"
    assert convert_bytes(back, to="explicit-le", photometric="keep") == result


@pytest.mark.parametrize("target", ["jpeg2000-lossless", "jpeg2000", "htj2k-lossless", "htj2k"])
def test_rgb_in_jpeg_2000_without_a_transform_on_request(target: str) -> None:
    result, report = run(source("RGB")[0], to=target, lossy=True, photometric="RGB")

    assert stated(result) == "RGB"
    assert "RGB is coded without a component transform, as asked for" in report.decisions


def test_the_report_says_what_a_codec_makes_of_rgb() -> None:
    _, report = run(source("RGB")[0], to="jpeg2000-lossless")

    assert "RGB is stored as YBR_RCT by the codec" in report.decisions


def test_rounding_on_the_way_to_a_lossless_syntax_is_a_warning() -> None:
    _, report = run(source("RGB")[0], to="rle", photometric="YBR_FULL")

    assert report.warnings == ["RGB is converted to YBR_FULL: samples are rounded"]


def test_retired_interpretations_are_refused_with_a_way_out() -> None:
    for name in ("HSV", "ARGB", "CMYK"):
        for to, photometric in (("rle", "auto"), ("explicit-le", "RGB")):
            with pytest.raises(UnsupportedImageError) as caught:
                convert_bytes(source(name)[0], to=to, photometric=photometric)
            assert caught.value.hint == "native transfer syntaxes hold it as it is"


# Palettes.


def tables_of(entries: list[int], first: int, bits: int, code: str = "H") -> list[Any]:
    data = struct.pack(f"<{len(entries)}{code}", *entries)
    descriptor = struct.pack("<HhH", len(entries) & 0xFFFF, first, bits)
    return [
        *((0x00281101 + n, "SS" if first < 0 else "US", descriptor) for n in range(3)),
        *((0x00281201 + n, "OW", data) for n in range(3)),
    ]


def test_a_palette_of_sixteen_bits() -> None:
    indices = np.arange(ROWS * COLUMNS, dtype=np.uint8).reshape(1, ROWS, COLUMNS)
    entries = [(index * 251) & 0xFFFF for index in range(256)]
    data = made("PALETTE COLOR", indices, extra=tables_of(entries, 0, 16))

    wide, report = run(data, to="jpegxl-lossless")
    narrow, _ = run(data, to="jpeg", quality=100)

    expected = np.array(entries)[indices]
    assert np.array_equal(native_samples(convert_bytes(wide, to="explicit-le"))[..., 1], expected)
    assert "PALETTE COLOR is converted to RGB of 16 bits" in report.decisions
    dataset = pydicom.dcmread(io.BytesIO(narrow))
    assert (dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit) == (8, 8, 7)
    assert dataset.SamplesPerPixel == 3
    assert "RedPaletteColorLookupTableDescriptor" not in dataset
    assert "BluePaletteColorLookupTableData" not in dataset
    assert np.abs(shown(narrow)[..., 0] - (expected >> 8)).max() <= 3


def test_a_palette_of_signed_samples() -> None:
    samples = np.arange(-20, ROWS * COLUMNS - 20, dtype="<i2").reshape(1, ROWS, COLUMNS)
    data, _ = make_file(
        ROWS, COLUMNS, 1, 16, 16, signed=True, photometric="PALETTE COLOR", pixels=samples,
        extra=tables_of([7, 50, 90, 200], -2, 8, "B"),
    )  # fmt: skip

    result = pydicom.dcmread(io.BytesIO(convert_bytes(data, to="explicit-le", photometric="RGB")))

    expected = np.array([7, 50, 90, 200])[np.clip(samples + 2, 0, 3)]
    assert np.array_equal(result.pixel_array[..., 2], expected[0])
    assert (result.PixelRepresentation, result.BitsAllocated, result.PlanarConfiguration) == (
        0,
        8,
        0,
    )


def test_a_palette_in_big_endian() -> None:
    data = source("PALETTE COLOR")[0]
    big = convert_bytes(data, to="explicit-be")

    assert np.array_equal(
        native_samples(convert_bytes(big, to="explicit-le", photometric="RGB")),
        source("PALETTE COLOR")[1],
    )


def test_an_odd_palette_is_reported_and_refused_where_strict() -> None:
    indices = np.zeros((1, ROWS, COLUMNS), np.uint8)
    data = made("PALETTE COLOR", indices, extra=tables_of([7, 50, 255], 0, 16))

    _, report = run(data, to="explicit-le", photometric="RGB")

    assert any("16 bits and have 8" in decision for decision in report.decisions)
    with pytest.raises(ContradictionError):
        run(data, to="explicit-le", photometric="RGB", strict=True)
    run(data, to="rle", strict=True)  # nobody looks at the tables


def test_supplemental_tables_stay() -> None:
    gray = shades()[..., 0]
    data = made("MONOCHROME2", gray, extra=tables_of([7, 50, 255], 250, 8, "B"))

    result, report = run(data, to="jpeg", lossy=True)

    assert pydicom.dcmread(io.BytesIO(result)).RedPaletteColorLookupTableData == b"\x07\x32\xff\0"
    assert any("stand for colors" in warning for warning in report.warnings)
    assert not run(data, to="rle")[1].warnings
