"""Colors that icons and other nested pixels are said to have, judged as those of a file are."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest

from dicodec import compare, convert, convert_bytes
from dicodec.errors import ContradictionError
from dicodec.part10.dicom_file import open_dicom
from helpers.data_set_bytes import element, item, sequence
from helpers.icons import ICON, host, icon_elements, nested_in_references, with_elements
from helpers.made import make_file
from helpers.odd_files import relabelled
from helpers.photometric_files import shades

COLORS = shades()[:, :19, :26]
GRAY = COLORS[..., 0]
FAMILIES = (
    "explicit-le", "rle", "jpeg-ls", "jpeg-lossless", "jpeg2000-lossless", "htj2k-lossless",
    "jpegxl-lossless", "deflated-frame", "encapsulated-uncompressed",
)  # fmt: skip
LABELS = ("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration")


def saying(pixels: np.ndarray[Any, Any], family: str, photometric: str, samples: int) -> bytes:
    """Return a file of a family whose data set says something else of its colors."""
    color = pixels.ndim == 4
    made = make_file(
        19, 26, 3 if color else 1, 8, 8, pixels=pixels,
        photometric="RGB" if color else "MONOCHROME2",
    )[0]  # fmt: skip
    made = convert_bytes(made, to=family)
    data_set = pydicom.dcmread(io.BytesIO(made))
    uid = data_set.file_meta.TransferSyntaxUID
    data_set.PhotometricInterpretation, data_set.SamplesPerPixel = photometric, samples
    data_set.PlanarConfiguration = 0
    if samples == 1:
        del data_set.PlanarConfiguration
    if data_set["PixelData"].is_undefined_length:
        data_set.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    out = io.BytesIO()
    data_set.save_as(out)
    content = out.getvalue()
    return relabelled(content, uid) if data_set["PixelData"].is_undefined_length else content


def icon_of(content: bytes) -> bytes:
    """Return the item that has the pixels of a file."""
    with open_dicom(content) as file:
        data_set = file.data_set
        wanted = [span for span in data_set.elements if span.tag >> 16 in {0x0028, 0x7FE0}]
        return item(b"".join(map(data_set.read_raw, wanted)))


def converted(content: bytes, to: str, **options: Any) -> tuple[pydicom.Dataset, list[str]]:
    out = io.BytesIO()
    report = convert(content, out, to=to, verify=True, **options)
    return pydicom.dcmread(io.BytesIO(out.getvalue())), report.warnings


def labels_of(level: pydicom.Dataset) -> list[Any]:
    return [level.get(name) for name in LABELS]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("pixels", "photometric", "samples"),
    [
        (GRAY, "RGB", 1), (GRAY, "YBR_RCT", 1), (GRAY, "ARGB", 1), (GRAY, "MONOCHROME1", 3),
        (COLORS, "MONOCHROME2", 3), (COLORS, "PALETTE COLOR", 3), (COLORS, "RGB", 1),
        (COLORS, "CMYK", 3), (COLORS, "YBR_ICT", 1), (COLORS, "YBR_RCT", 3),
        (COLORS, "YBR_FULL_422", 3), (COLORS, "YBR_PARTIAL_422", 3),
    ],
)  # fmt: skip
def test_an_icon_is_judged_as_a_file_is(
    family: str, pixels: np.ndarray[Any, Any], photometric: str, samples: int
) -> None:
    file = saying(pixels, family, photometric, samples)
    right, _ = converted(file, "explicit-le", photometric="auto")
    if family == "encapsulated-uncompressed" and photometric == "YBR_PARTIAL_422":
        right, _ = converted(file, "explicit-le", photometric="RGB")  # icons are not left so
    content = with_elements(host("explicit-le")[0], sequence(ICON, icon_of(file)))

    for to in ("explicit-le", "implicit-le", "explicit-be", "rle"):
        result, warnings = converted(content, to)
        icon = result.IconImageSequence[0]
        assert labels_of(icon) == labels_of(right)
        assert ("PlanarConfiguration" in icon) == (icon.SamplesPerPixel > 1)
        assert icon.PixelData == right.PixelData
        impossible = photometric not in {"YBR_FULL_422", "YBR_PARTIAL_422"} and not (
            photometric == "YBR_RCT" and family in {"jpeg2000-lossless", "htj2k-lossless"}
        )
        if impossible:
            assert warnings
            assert all(one.startswith("(0088,0200)[0].(7FE0,0010): ") for one in warnings)
    if family == "explicit-le" or impossible:
        with pytest.raises(ContradictionError, match="0088,0200"):
            converted(content, "explicit-le", strict=True)


@pytest.mark.parametrize("family", ["rle", "jpeg-ls", "jpeg2000-lossless", "explicit-le"])
@pytest.mark.parametrize("deep", [False, True])
def test_labels_of_pixels_that_stay_as_they_are(family: str, *, deep: bool) -> None:
    """The streams belong under the result's transfer syntax, and are not decoded."""
    file = saying(COLORS, family, "MONOCHROME2", 3)
    icon = icon_of(file)
    elements = sequence(ICON, icon)
    content = with_elements(host(family)[0], nested_in_references(elements) if deep else elements)
    result, (warning,) = converted(content, family)
    level = result.ReferencedImageSequence[1] if deep else result
    color = "YBR_RCT" if family == "jpeg2000-lossless" else "RGB"  # as its stream says
    assert labels_of(level.IconImageSequence[0])[:2] == [3, color]
    assert warning.startswith(f"{'(0008,1140)[1].' if deep else ''}(0088,0200)[0].(7FE0,0010): ")
    assert compare(content, host(family)[0]).pixels == compare(content, content).pixels
    with open_dicom(file) as one:
        stream = one.frames.read(0)
    out = convert_bytes(content, to=family)
    assert stream in out
    with pytest.raises(ContradictionError):
        convert_bytes(content, to=family, strict=True)


def test_right_labels_are_left_and_nothing_is_said() -> None:
    for family in FAMILIES:
        file = convert_bytes(make_file(19, 26, 3, 8, 8, photometric="RGB")[0], to=family)
        content = with_elements(host(family)[0], sequence(ICON, icon_of(file)))
        result, warnings = converted(content, family)
        assert not warnings
        assert icon_of(file) in convert_bytes(content, to=family)
        assert result.IconImageSequence


def test_a_native_icon_that_nothing_fits_stays_and_is_named() -> None:
    odd = icon_elements(element(0x7FE00010, "OB", bytes(50))).replace(b"MONOCHROME2 ", b"RGB ")
    odd = odd.replace(b"CS\x0c\0", b"CS\x04\0")
    content = with_elements(host("explicit-le")[0], sequence(ICON, item(odd)))
    result, (warning,) = converted(content, "implicit-le")
    assert warning == (
        "(0088,0200)[0].(7FE0,0010) is kept as it is: PhotometricInterpretation is RGB, and "
        "SamplesPerPixel is 1; neither fits"
    )
    assert result.IconImageSequence[0].PhotometricInterpretation == "RGB"


def test_two_files_are_equal_once_labels_are_put_right() -> None:
    file = saying(COLORS, "jpeg-ls", "CMYK", 3)
    content = with_elements(host("explicit-le")[0], sequence(ICON, icon_of(file)))
    assert not compare(content, convert_bytes(content, to="explicit-le")).unexpected
