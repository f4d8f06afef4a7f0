"""What dciodvfy says of headers: a conversion brings no error that the source did not have.

dciodvfy holds a data set against its IOD (PS3.3). PITFALLS of others: 13, 35, 36, 37, 38, 41.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dicodec import convert
from dicodec.errors import SampleRangeError, UnsupportedImageError
from helpers.matrix import LOSSY
from helpers.real_files import real_files
from helpers.witnesses import iod_errors

FILES = {
    # gray: MR, CT, CR inverted, SC, overlay, lossy before
    "MR_small.dcm", "CT_small.dcm", "RG3_JPLY.dcm", "CR-MONO1-10-chest", "JPEG2000.dcm",
    "693_J2KI.dcm", "JPEG-lossy.dcm", "examples_overlay.dcm", "GH610.dcm",
    # color: SC, US, with JPEG and JPEG 2000 before
    "SC_rgb.dcm", "SC_rgb_small_odd.dcm", "examples_rgb_color.dcm", "US1_J2KI.dcm",
    "SC_rgb_dcmtk_+eb+cr.dcm", "JPEGExtended_3s_1f_u_08_08.dcm", "JLSL_RGB_ILV0.dcm",
    # palette
    "examples_palette.dcm", "OBXXXX1A_rle.dcm", "TestPattern_Palette.dcm",
    # multi-frame and enhanced
    "examples_ybr_color.dcm", "emri_small.dcm", "CT0012.not_fragmented_bot_rle.dcm", "sm_image.dcm",
    "sample-op.dcm", "siemens_xa10_enhanced.dcm",
}  # fmt: skip
"""One of each sort that is small, by its name without the folder; those that are there are used."""

REAL = {path.name: path for path in real_files().values() if path.name in FILES}

MR_ENHANCED = "1.2.840.10008.5.1.4.1.1.4.1"
OPHTHALMIC = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
ULTRASOUND = {"1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1"}

UNSATISFIED = (
    r"Attribute present when condition unsatisfied \(which may not be present otherwise\) Type 1C "
    "Conditional"
)
KNOWN = (
    # error, target, SOP Classes: PS3.3 says otherwise now, or has no way to say it right
    # XYB came with JPEG XL (C.7.6.3.1.2), which dciodvfy reads and whose colors it does not know
    (r"Unrecognized enumerated value <XYB> for value 1 of attribute <Photometric Interpretation>",
     "jpegxl", None),
    # C.8.13.4: "Required if Image Type Value 1 is ORIGINAL or MIXED. May be present otherwise."
    (rf"{UNSATISFIED} Element=<\w+> Module=<(MRPulseSequence|BulkMotionSynchronization)>",
     None, {MR_ENHANCED}),
    # C.8.17.2.1.4 has no term for a photograph that is DERIVED because it was compressed
    (r"A value for Value 3 is required for DERIVED images - attribute <ImageType>",
     None, {OPHTHALMIC}),
    # C.8.5.6 has YBR_FULL in RLE only, and by plane; PS3.5 8.2.3 lets JPEG-LS hold it
    (r"Unrecognized enumerated value <YBR_FULL> for value 1 of attribute <Photometric \w+>",
     "jpeg-ls-near", ULTRASOUND),
    (r"Unrecognized enumerated value <0> for value 1 of attribute <Planar Configuration>",
     "jpeg-ls-near", ULTRASOUND),
)  # fmt: skip
"""Errors that are none, each for the least number of files."""


@cache
def header(path: Path) -> Any:
    return pydicom.dcmread(path, force=True, stop_before_pixels=True)


def new_errors(source: Path, result: Path, target: str) -> list[str]:
    before, after = iod_errors(source), iod_errors(result)
    assert before is not None
    assert after is not None
    sop_class = header(source).SOPClassUID
    # A reference to a UID that is invalid is no less valid than that UID is.
    uid = str(header(source).get("SOPInstanceUID", ""))
    told = {error for error in before if uid and uid in error}
    return [
        error
        for error in after - before
        if not (told and uid in error)
        and not any(
            re.fullmatch(pattern, error)
            and where in {None, target}
            and (classes is None or sop_class in classes)
            for pattern, where, classes in KNOWN
        )
    ]


def converted(source: Path, folder: Path, target: str, **options: Any) -> Path | None:
    """Return the result; None where the target cannot hold the image, or is what the source is."""
    result = folder / f"{target}.dcm"
    try:
        report = convert(source, result, to=target, lossy=True, **options)
    except (UnsupportedImageError, SampleRangeError):
        return None
    return result if report.action == "transcoded" else None


def test_dciodvfy_finds_what_is_wrong(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(REAL["MR_small.dcm"])
    dataset.LossyImageCompression = "2"
    dataset.save_as(tmp_path / "wrong.dcm")

    (error,) = new_errors(REAL["MR_small.dcm"], tmp_path / "wrong.dcm", "jpeg")
    assert "Lossy Image Compression" in error


@pytest.mark.parametrize("name", sorted(REAL))
def test_a_lossy_conversion_brings_no_error(name: str, tmp_path: Path) -> None:
    before = header(REAL[name]).file_meta.get("MediaStorageSOPInstanceUID")
    results = [(target, converted(REAL[name], tmp_path, target)) for target in LOSSY]
    made = [(target, result) for target, result in results if result is not None]
    assert len(made) >= 2
    for target, result in made:
        assert new_errors(REAL[name], result, target) == [], target
        after = header(result)
        assert after.LossyImageCompression == "01"
        assert after.file_meta.MediaStorageSOPInstanceUID not in {before, ""}
        assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID


@pytest.mark.parametrize("name", sorted(REAL))
def test_other_gray_levels_and_colors_bring_no_error(name: str, tmp_path: Path) -> None:
    source = REAL[name]
    image = header(source)
    wishes: list[dict[str, Any]] = []
    if image.SamplesPerPixel == 3 or image.PhotometricInterpretation == "PALETTE COLOR":
        wishes.append({"photometric": "RGB"})
    elif image.SOPClassUID not in {MR_ENHANCED, OPHTHALMIC}:  # MONOCHROME2 only, as is warned of
        wishes += [{"photometric": f"MONOCHROME{n}"} for n in (1, 2)]
    if image.BitsStored > 8 and image.Modality not in {"CT", "MR", "PT"}:  # 16 bits only, likewise
        wishes.append({"rescale_to_8bit": True})
    for number, wish in enumerate(wishes):
        folder = tmp_path / str(number)
        folder.mkdir()
        for target in ("explicit-le", "jpeg" if "rescale_to_8bit" in wish else "rle"):
            result = converted(source, folder, target, **wish)
            if result is not None:
                assert new_errors(source, result, target) == [], wish
