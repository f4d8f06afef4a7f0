"""Warnings where an IOD does not know what was asked for."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicodec import compare, convert, convert_bytes
from dicodec.errors import UnsupportedImageError
from dicodec.model.image import ImagePixelDescription
from dicodec.rules.iod_limits import _ROWS as ROWS
from dicodec.rules.iod_limits import find_iod_departures
from helpers.made import make_file
from helpers.photometric_files import stated
from helpers.samples import native_samples
from helpers.witnesses import iod_errors

CT, MR_ENHANCED, US = (f"1.2.840.10008.5.1.4.1.1.{last}" for last in ("2", "4.1", "6.1"))
GRAY = ImagePixelDescription(4, 4, 1, "MONOCHROME2", 16, 12, 11, 0)
COLOR = ImagePixelDescription(4, 4, 3, "YBR_FULL_422", 8, 8, 7, 0)


@pytest.mark.parametrize(
    ("sop_class", "source", "changes", "target", "found"),
    [
        (CT, GRAY, {}, "rle", 0),
        (CT, GRAY, {"bits_allocated": 8}, "rle", 1),
        (CT, replace(GRAY, bits_allocated=8), {}, "rle", 0),  # was so before
        (CT, GRAY, {"photometric_interpretation": "MONOCHROME1"}, "rle", 0),
        (MR_ENHANCED, GRAY, {"photometric_interpretation": "MONOCHROME1"}, "rle", 1),
        (US, COLOR, {"photometric_interpretation": "YBR_FULL"}, "explicit-le", 1),
        (US, COLOR, {"photometric_interpretation": "YBR_FULL"}, "rle", 0),
        (US, COLOR, {"photometric_interpretation": "RGB"}, "explicit-le", 0),
        ("1.2.840.10008.5.1.4.1.1.7", GRAY, {"bits_allocated": 8}, "rle", 0),
        ("2", GRAY, {"bits_allocated": 8}, "rle", 0),
        ("", GRAY, {"bits_allocated": 8}, "rle", 0),
    ],
)
def test_rows(
    sop_class: str, source: ImagePixelDescription, changes: dict[str, Any], target: str, found: int
) -> None:
    result = replace(source, **changes)

    assert len(find_iod_departures(sop_class, source, result, ("explicit-le", target))) == found


def test_a_ct_of_8_bits_is_made_and_warned_of() -> None:
    data, _ = make_file(4, 4, 1, 16, 12, extra=[(0x00080016, "UI", CT.encode())])
    report = convert(data, None, to="rle", rescale_to_8bit=True)

    assert report.warnings == [
        "Bits Allocated 8 is not among the values that PS3.3 C.8.2.1 allows for CT Image Storage"
    ]


@pytest.mark.parametrize("last", sorted(ROWS))
def test_the_table_is_that_of_another_judge(last: str, tmp_path: Path) -> None:
    """dciodvfy, on native images; what it lets pass although PS3.3 does not is listed here."""
    extra = [(0x00080016, "UI", f"1.2.840.10008.5.1.4.1.1.{last}".encode())]
    passed = set()
    for color, samples in (
        ("MONOCHROME1", 1), ("MONOCHROME2", 1), ("PALETTE COLOR", 1), ("RGB", 3), ("YBR_FULL", 3),
    ):  # fmt: skip
        path = tmp_path / f"{color}.dcm"
        path.write_bytes(make_file(4, 4, samples, 8, 8, photometric=color, extra=extra)[0])
        errors = iod_errors(path)
        assert errors is not None
        assert "Information Object Not found" not in errors or last in UNKNOWN_TO_IT
        if not any("Photometric" in error for error in errors):
            passed.add(color)
    if last in UNKNOWN_TO_IT:
        return
    allowed = ROWS[last].photometric & {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB"}
    assert passed - LENIENT.get(last, set()) == allowed - STRICTER.get(last, set())


LENIENT = {
    "3.1": {"MONOCHROME1"}, "6.1": {"MONOCHROME1"}, "7.4": {"MONOCHROME2"},
}  # fmt: skip
STRICTER = {"66.7": {"PALETTE COLOR"}}
UNKNOWN_TO_IT = {"4.4", "77.1.5.5", "77.1.5.6", "77.1.8", "77.1.9"}


SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


def in_jpeg(sop_class: str, frames: int = 2) -> bytes:
    """Return a file of JPEG with halved chroma."""
    data, _ = make_file(
        16, 16, 3, 8, 8, photometric="RGB", frames=frames,
        extra=[(0x00080016, "UI", sop_class.encode())],
    )  # fmt: skip
    return convert_bytes(data, to="jpeg", lossy=True)


@pytest.mark.parametrize("sop_class", [SLIDE, US, "1.2.840.10008.5.1.4.1.1.77.1.4"])
@pytest.mark.parametrize(
    ("to", "color"),
    [
        ("explicit-le", "RGB"), ("implicit-le", "RGB"), ("explicit-be", "RGB"), ("jpeg-ls", "RGB"),
        ("deflated-frame", "RGB"), ("encapsulated-uncompressed", "RGB"), ("jpeg-lossless", "RGB"),
        ("jpeg2000-lossless", "YBR_RCT"), ("htj2k-lossless", "YBR_RCT"), ("rle", "RGB"),
    ],
)  # fmt: skip
def test_the_default_is_what_the_class_allows(
    sop_class: str, to: str, color: str, tmp_path: Path
) -> None:
    """Readers of slides open no native YBR_FULL."""
    path = tmp_path / "image.dcm"
    path.write_bytes(in_jpeg(sop_class))

    report = convert(path, path, to=to, overwrite=True)

    if (sop_class, to) == (US, "rle"):
        color = "YBR_FULL"
    assert stated(path.read_bytes()) == color
    assert not any("is not among the values that" in warning for warning in report.warnings)
    assert compare(in_jpeg(sop_class), path.read_bytes(), tolerance=1).pixels is not None


def test_what_was_asked_for_is_made_in_any_class() -> None:
    for wanted in ("YBR_FULL", "YBR_FULL_422"):
        result = convert_bytes(in_jpeg(SLIDE), to="explicit-le", photometric=wanted)
        assert stated(result) == wanted
    # Secondary Capture has no list of its own.
    assert stated(convert_bytes(in_jpeg("1.2.840.10008.5.1.4.1.1.7"), to="rle")) == "YBR_FULL"


def test_samples_that_lost_nothing_are_not_rounded_for_their_class() -> None:
    data, samples = make_file(
        16, 16, 3, 8, 8, photometric="YBR_FULL", extra=[(0x00080016, "UI", US.encode())]
    )
    out = io.BytesIO()

    report = convert(convert_bytes(data, to="rle"), out, to="explicit-le", verify=True)

    assert stated(out.getvalue()) == "YBR_FULL"
    assert np.array_equal(native_samples(out.getvalue()), samples)
    assert "YBR_FULL is not among the values that PS3.3 C.8.5.6" in report.warnings[0]
    with pytest.raises(UnsupportedImageError, match="rounds samples"):
        convert_bytes(in_jpeg(SLIDE), to="jpegxl-lossless")


@pytest.mark.parametrize("last", ["4.1", "12.1", "128", "30", "77.1.6", "6.2"])
def test_monochrome1_is_warned_of_where_the_class_has_none(last: str) -> None:
    extra = [(0x00080016, "UI", f"1.2.840.10008.5.1.4.1.1.{last}".encode())]
    data, _ = make_file(4, 4, 1, 16, 12, extra=extra)

    report = convert(data, None, to="explicit-le", photometric="MONOCHROME1")

    assert any("MONOCHROME1 is not among the values that" in warning for warning in report.warnings)
