"""Gray levels of 8 bits: windows that cannot be used, padding, and what is not rescaled."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from dicodec import convert, convert_bytes
from dicodec.errors import UnsupportedImageError
from dicodec.report import ConversionReport
from helpers.made import Element, make_file
from helpers.samples import native_samples

ROWS, COLUMNS = 8, 8
RAMP = (np.arange(ROWS * COLUMNS) * 60).astype("<u2").reshape(1, ROWS, COLUMNS)


def text(tag: int, vr: str, value: str) -> Element:
    return (tag, vr, value.encode())


def window(
    center: str, width: str, *, slope: str = "", intercept: str = "0", function: str = ""
) -> list[Element]:
    found = [text(0x00281050, "DS", center), text(0x00281051, "DS", width)]
    if slope:
        found += [text(0x00281052, "DS", intercept), text(0x00281053, "DS", slope)]
    if function:
        found.append(text(0x00281056, "CS", function))
    return found


def gray(pixels: NDArray[Any] = RAMP, extra: list[Element] | None = None, **fields: Any) -> bytes:
    fields = {"bits_stored": 12, "signed": pixels.dtype.kind == "i", **fields}
    return make_file(ROWS, COLUMNS, pixels=pixels, extra=extra or [], frames=len(pixels), **fields)[
        0
    ]


def rescaled(data: bytes, to: str = "explicit-le") -> tuple[Any, ConversionReport]:
    out = io.BytesIO()
    report = convert(data, out, to=to, rescale_to_8bit=True, verify=True)
    native = convert_bytes(out.getvalue(), to="explicit-le")
    return pydicom.dcmread(io.BytesIO(native)), report


WHOLE = np.rint(RAMP[0] / RAMP.max() * 255)


@pytest.mark.parametrize("to", ["explicit-le", "rle", "jpeg-ls"])
@pytest.mark.parametrize(
    ("extra", "why"),
    [
        (window("40", "0"), "the window 40, 0 is not used"),
        (window("40", "-400"), "the window 40, -400 is not used"),
        (window("40", "0", function="LINEAR_EXACT"), "the window 40, 0 is not used"),
        (window("40", "0", function="SIGMOID"), "the window 40, 0 is not used"),
        (window("2000", "1"), "the window 2000, 1 is not used"),
        (window("900000", "400"), "the window 900000, 400 is not used"),
        (window("40", "400", slope="0"), "Rescale Slope is 0"),
        (window("40", "400", slope="0.0", intercept="-1024"), "Rescale Slope is 0"),
        (window("40", "400", slope="1e-20"), "the window 40, 400 is not used"),
        (window("2000", "3000", function="SQUARE"), "VOI LUT Function SQUARE is unknown"),
    ],
)  # fmt: skip
def test_a_window_that_shows_nothing_is_not_used(extra: list[Element], why: str, to: str) -> None:
    for photometric in ("MONOCHROME2", "MONOCHROME1"):
        after, report = rescaled(gray(extra=extra, photometric=photometric), to)

        expected = WHOLE if photometric == "MONOCHROME2" else 255 - WHOLE
        assert np.abs(after.pixel_array - expected).max() <= 1
        assert any(why in warning for warning in report.warnings)
        assert "VOILUTFunction" not in after
        assert (after.WindowCenter, after.WindowWidth) == (128, 256)


def test_the_first_window_that_can_be_used_is() -> None:
    after, report = rescaled(gray(extra=window("40\\1000\\5", "0\\2000\\10")))

    expected = np.clip((RAMP[0] - 999.5) / 1999 + 0.5, 0, 1) * 255
    assert np.abs(after.pixel_array - expected).max() <= 0.51
    assert any("40, 0 is not used" in warning for warning in report.warnings)


@pytest.mark.parametrize("bits", [12, 16, 32])
def test_a_linear_window_below_one_is_exact(bits: int) -> None:
    """LINEAR takes 1 from Window Width, and is not defined below that (PS3.3 C.11.2.1.2.1)."""
    extra = window("0.02", "0.04", slope="0.00001")
    pixels = RAMP.astype("<u4") if bits == 32 else RAMP
    data = gray(pixels, extra, bits_stored=bits, bits_allocated=max(16, bits))

    after, report = rescaled(data)

    assert np.abs(after.pixel_array - RAMP[0] * 0.00001 / 0.04 * 255).max() <= 0.51
    assert any("below 1" in warning for warning in report.warnings)


def test_in_place_a_window_that_shows_nothing_costs_no_gray_levels(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(gray(extra=window("40", "0")))

    convert(path, path, to="explicit-le", rescale_to_8bit=True, overwrite=True)

    assert np.array_equal(pydicom.dcmread(path).pixel_array, WHOLE)


@pytest.mark.parametrize(
    ("padding", "limit", "signed"),
    [(-32768, None, True), (-2000, None, True), (30000, None, True), (63536, None, False),
     (60000, 65535, False), (-32768, -30000, True)],
)  # fmt: skip
@pytest.mark.parametrize("frames", [1, 3])
def test_padding_is_not_in_the_range(
    padding: int, limit: int | None, signed: bool, frames: int
) -> None:
    kind = "<i2" if signed else "<u2"
    pixels = np.repeat(RAMP.astype(kind), frames, axis=0)
    pixels[:, :2] = padding
    pixels[0, 0, 0] = padding if limit is None else limit
    vr = "SS" if signed else "US"
    extra = [(0x00280120, vr, struct.pack("<H", padding & 0xFFFF))]
    if limit is not None:
        extra.append((0x00280121, vr, struct.pack("<H", limit & 0xFFFF)))

    after, _ = rescaled(gray(pixels, extra, bits_stored=16))

    found = after.pixel_array.reshape(frames, ROWS, COLUMNS)[:, 2:]
    low, high = int(RAMP[0, 2, 0]), int(RAMP.max())
    assert np.abs(found - (RAMP[:, 2:] - low) / (high - low) * 255).max() <= 0.51
    assert "PixelPaddingValue" not in after
    assert "PixelPaddingRangeLimit" not in after


def test_nothing_but_padding() -> None:
    pixels = np.full((1, ROWS, COLUMNS), -2000, "<i2")
    after, _ = rescaled(
        gray(pixels, [(0x00280120, "SS", struct.pack("<h", -2000))], bits_stored=16)
    )
    assert len(np.unique(after.pixel_array)) == 1


def test_a_unit_that_is_gone_leaves_no_kind_of_uptake() -> None:
    extra = [text(0x00541001, "CS", "BQML"), text(0x00541006, "CS", "BW")]

    after, _ = rescaled(gray(extra=extra))

    assert after.Units == "NONE"
    assert "SUVType" not in after


def test_floating_point_samples_are_refused() -> None:
    pixels = np.linspace(0, 1, ROWS * COLUMNS, dtype="<f4").reshape(1, ROWS, COLUMNS)
    content = make_file(ROWS, COLUMNS, 1, 32, 32)[0]
    dataset = pydicom.dcmread(io.BytesIO(content))
    del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
    dataset.FloatPixelData = pixels.tobytes()
    out = io.BytesIO()
    dataset.save_as(out)

    for to in ("explicit-le", "implicit-le", "explicit-be"):
        with pytest.raises(UnsupportedImageError, match="floating point samples"):
            convert_bytes(out.getvalue(), to=to, rescale_to_8bit=True)


def palette(bits: int, allocated: int) -> bytes:
    entries = np.linspace(0, 65535, 256).astype("<u2") ^ 3
    tables: list[Element] = []
    for n in range(3):
        tables += [
            (0x00281101 + n, "US", struct.pack("<3H", 256, 0, bits)),
            (0x00281201 + n, "OW", (entries if bits == 16 else entries >> 8).tobytes()),
        ]
    pixels = np.arange(ROWS * COLUMNS).astype(f"<u{allocated // 8}").reshape(1, ROWS, COLUMNS)
    return make_file(
        ROWS, COLUMNS, 1, allocated, allocated, photometric="PALETTE COLOR", pixels=pixels,
        extra=tables,
    )[0]  # fmt: skip


@pytest.mark.parametrize(("bits", "allocated"), [(16, 8), (16, 16), (8, 16)])
@pytest.mark.parametrize("to", ["explicit-le", "rle"])
def test_indices_into_a_palette_are_not_rescaled(bits: int, allocated: int, to: str) -> None:
    data = palette(bits, allocated)
    out = io.BytesIO()

    report = convert(data, out, to=to, rescale_to_8bit=True, verify=True)

    assert any("indices into a palette are not rescaled" in one for one in report.warnings)
    after = pydicom.dcmread(io.BytesIO(convert_bytes(out.getvalue(), to="explicit-le")))
    assert after.PhotometricInterpretation == "PALETTE COLOR"
    assert after.SOPInstanceUID == pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID
    assert not convert(palette(8, 8), io.BytesIO(), to=to, rescale_to_8bit=True).warnings


@pytest.mark.parametrize("to", ["explicit-le", "rle", "jpegxl-lossless"])
def test_colors_that_lost_their_lower_bits_are_another_image(to: str) -> None:
    before = pydicom.dcmread(io.BytesIO(palette(16, 16)))
    out = io.BytesIO()

    report = convert(
        palette(16, 16), out, to=to, photometric="RGB", rescale_to_8bit=True, verify=True
    )

    native = convert_bytes(out.getvalue(), to="explicit-le")
    after = pydicom.dcmread(io.BytesIO(native))
    assert (after.BitsStored, after.PhotometricInterpretation) == (8, "RGB")
    assert after.ImageType[0] == "DERIVED"
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert "upper half" in after.DerivationDescription
    assert report.lossy


def test_neutral_colors_stay_neutral_with_fewer_bits() -> None:
    pixels = np.zeros((1, ROWS, COLUMNS, 3), "<u2")
    pixels[..., 0] = RAMP * 17
    pixels[..., 1:] = 1 << 15
    data = make_file(ROWS, COLUMNS, 3, 16, 16, photometric="YBR_FULL", pixels=pixels)[0]

    found = native_samples(
        convert_bytes(convert_bytes(data, to="rle", rescale_to_8bit=True), to="explicit-le")
    )

    assert (found[..., 1:] == 128).all()
    assert np.abs(found[..., 0] - pixels[..., 0] / 257).max() <= 1.01
