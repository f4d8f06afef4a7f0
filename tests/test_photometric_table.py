"""Photometric Interpretations from and to every transfer syntax: the tables of docs/photometric.md.

Samples are held against formulas written down here, in floating point.
"""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from conftest import ROOT
from dicodec import convert, convert_bytes
from dicodec.errors import ContradictionError, DicodecError, UnsupportedImageError
from dicodec.report import ConversionReport
from made import make_file
from matrix import LOSSLESS
from test_matrix import colors, native_samples, psnr

ROWS, COLUMNS = 32, 48
Pixels = NDArray[Any]


def tables() -> list[list[list[str]]]:
    """Return the tables of docs/photometric.md, each as rows of cells."""
    lines = (ROOT / "docs" / "photometric.md").read_text(encoding="utf-8").splitlines()
    found: list[list[list[str]]] = []
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            if not line.startswith("|---"):
                found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
    return found


BY_TARGET, BY_WISH = tables()[:2]
LOSSY_SOURCES = {"YBR_FULL_422, in JPEG", "RGB, in JPEG", "YBR_ICT"}
NO_COLORS = ("HSV", "ARGB", "CMYK", "YBR_PARTIAL")
"""Of which no colors are computed here: they stay as they are, byte for byte, or become RGB."""

TARGETS = [
    (column, name if name != "native" else native)
    for column, names in enumerate(BY_TARGET[0][1:], 1)
    for name in names.split(", ")
    for native in (("implicit-le", "explicit-be", "deflated") if name == "native" else ("",))
]


def shades() -> Pixels:
    """Return smooth colors, one frame."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    waves = [np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 11)]
    return np.rint(128 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)[np.newaxis]


def made(photometric: str, pixels: Pixels, **fields: Any) -> bytes:
    samples = pixels.shape[3] if pixels.ndim == 4 else 1
    return make_file(
        pixels.shape[1], pixels.shape[2], samples, 8, 8, photometric=photometric, pixels=pixels,
        **fields,
    )[0]  # fmt: skip


def subsampled(photometric: str, quads: bytes, columns: int = COLUMNS) -> bytes:
    """Return a native file whose pairs of pixels share their chroma."""
    empty = np.zeros((1, ROWS, columns, 3), np.uint8)
    return made(photometric, empty, extra=[(0x7FE00010, "OB", quads)])


def to_ybr(rgb: Pixels) -> Pixels:
    """RGB to YBR_FULL as PS3.3 C.7.6.3.1.2 writes it, rounded."""
    red, green, blue = (rgb[..., plane].astype(float) for plane in range(3))
    y = 0.2990 * red + 0.5870 * green + 0.1140 * blue
    cb = -0.1687 * red - 0.3313 * green + 0.5000 * blue + 128
    cr = 0.5000 * red - 0.4187 * green - 0.0813 * blue + 128
    return np.clip(np.rint(np.stack([y, cb, cr], axis=-1)), 0, 255).astype(np.uint8)


def to_rgb(ybr: Pixels) -> Pixels:
    y, cb, cr = (ybr[..., plane].astype(float) for plane in range(3))
    cb, cr = cb - 128, cr - 128
    rgb = [y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb]
    return np.clip(np.stack(rgb, axis=-1), 0, 255)


def pairs(ybr: Pixels) -> Pixels:
    """Return Y1 Y2 Cb Cr of each pair, the chroma that of the first."""
    return np.stack(
        [ybr[:, :, 0::2, 0], ybr[:, :, 1::2, 0], ybr[:, :, 0::2, 1], ybr[:, :, 0::2, 2]], axis=-1
    )


def unpaired(quads: Pixels, columns: int = COLUMNS) -> Pixels:
    values = quads.reshape(1, ROWS, columns // 2, 4)
    full = np.empty((1, ROWS, columns, 3), np.uint8)
    full[:, :, 0::2, 0], full[:, :, 1::2, 0] = values[..., 0], values[..., 1]
    full[..., 1:] = np.repeat(values[..., 2:], 2, axis=2)
    return full


@cache
def source(name: str) -> tuple[bytes, Pixels]:
    """Return a file of a row of the tables, and its colors (or gray levels) as numbers."""
    rgb = shades()
    gray = rgb[..., 0]
    if name.startswith("MONOCHROME"):
        return made(name, gray), gray
    if name == "PALETTE COLOR":
        return made(name, gray), colors(gray)
    if name == "RGB":
        return made(name, rgb), rgb
    ybr = to_ybr(rgb)
    if name == "YBR_FULL":
        return made(name, ybr), to_rgb(ybr)
    if name == "YBR_FULL_422, native":
        return subsampled("YBR_FULL_422", pairs(ybr).tobytes()), to_rgb(unpaired(pairs(ybr)))
    if name == "YBR_PARTIAL_422, native":
        matrix = np.array(
            [[0.2568, 0.5041, 0.0979], [-0.1482, -0.2910, 0.4392], [0.4392, -0.3678, -0.0714]]
        )
        offset = np.array([16, 128, 128])
        partial = pairs(np.rint(rgb @ matrix.T + offset).astype(np.uint8))
        inverse = (unpaired(partial) - offset) @ np.linalg.inv(matrix).T
        return subsampled("YBR_PARTIAL_422", partial.tobytes()), np.clip(inverse, 0, 255)
    if name == "YBR_PARTIAL_420, native":
        return subsampled("YBR_PARTIAL_420", bytes(ROWS * COLUMNS * 3 // 2)), rgb
    if name in {"HSV", "ARGB", "CMYK"}:
        pixels = rgb if name == "HSV" else np.repeat(rgb[..., :1], 4, axis=-1)
        return made(name, pixels), pixels
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "YBR_FULL_422, in JPEG": ("jpeg", {"quality": 95}),
        "RGB, in JPEG": ("jpeg", {"quality": 95, "photometric": "RGB"}),
        "YBR_RCT": ("jpeg2000-lossless", {}),
        "YBR_ICT": ("jpeg2000", {"lossy": True}),
    }
    to, options = ways[name]
    return convert_bytes(source("RGB")[0], to=to, **options), rgb


def run(data: bytes, **options: Any) -> tuple[bytes, ConversionReport]:
    out = io.BytesIO()
    report = convert(data, out, verify=True, **options)
    return out.getvalue(), report


def shown(data: bytes) -> Pixels:
    """Return the colors or gray levels that a file holds; its own decoding is tested elsewhere."""
    native = convert_bytes(data, to="explicit-le")
    dataset = pydicom.dcmread(io.BytesIO(native))
    photometric = dataset.PhotometricInterpretation
    if photometric in {"YBR_FULL_422", "YBR_PARTIAL_422"}:
        full = unpaired(np.frombuffer(dataset.PixelData, np.uint8), dataset.Columns)
        return to_rgb(full) if photometric == "YBR_FULL_422" else full
    samples = native_samples(native)
    if photometric == "PALETTE COLOR":
        return colors(samples)
    return to_rgb(samples) if photometric == "YBR_FULL" else samples


def stated(data: bytes) -> str:
    dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    return str(dataset.PhotometricInterpretation)


def native_value(data: bytes) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(convert_bytes(data, to="explicit-le")))
    return bytes(dataset.PixelData)


def check_colors(source: str, result: str, target: str, found: Pixels, expected: Pixels) -> None:
    """Hold colors against those that went in: equal where no step on the way rounds."""
    assert found.shape == expected.shape
    if target in LOSSLESS and source not in LOSSY_SOURCES:
        # Formulas above are not rounded; the samples are.
        rounded = source.startswith("YBR") and source != "YBR_RCT" and result in {"RGB", "YBR_RCT"}
        assert np.abs(found.astype(float) - expected).max() <= (0.6 if rounded else 0)
    else:
        assert psnr(found, expected, 8) > (24 if source == "PALETTE COLOR" else 34)


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
        for options in ({"to": "rle"}, {"to": "explicit-le", "photometric": "RGB"}):
            with pytest.raises(UnsupportedImageError) as caught:
                convert_bytes(source(name)[0], **options)
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
