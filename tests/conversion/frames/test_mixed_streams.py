"""Frames whose streams differ: each says for itself whether it is lossy, and in what color."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest

from dicodec import compare, convert, convert_bytes, inspect
from dicodec.errors import ContradictionError, FrameMismatchError, UnsupportedImageError
from dicodec.model.option_table import INDEPENDENT
from helpers.made import IMAGE_KINDS, make_file
from helpers.photometric_files import COLUMNS, ROWS, shades, to_rgb
from helpers.samples import native_samples, psnr

GRAY = IMAGE_KINDS["gray-8"].make()[1][0]
COLOR = IMAGE_KINDS["rgb-8"].make()[1][0]


def file_of(uid: str, *streams: bytes, photometric: str = "MONOCHROME2") -> bytes:
    samples = 1 if photometric == "MONOCHROME2" else 3
    return make_file(
        48, 64, samples=samples, bits_allocated=8, bits_stored=8, frames=len(streams),
        photometric=photometric, transfer_syntax=uid, streams=[[one] for one in streams],
    )[0]  # fmt: skip


def j2k(pixels: Any, *, mct: bool = False, lossless: bool = True) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            pixels, None if lossless else 40, codecformat="J2K", reversible=lossless, mct=mct,
            planar=False,
        )
    )  # fmt: skip


def lossless_jpeg_of(pixels: Any) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1))


def ls(pixels: Any, near: int) -> bytes:
    return bytes(imagecodecs.jpegls_encode(pixels, near))


def high_throughput(pixels: Any, *, lossless: bool) -> bytes:
    return bytes(imagecodecs.htj2k_encode(pixels, None if lossless else 0.01, reversible=lossless))


def jpeg_xl(pixels: Any, *, lossless: bool) -> bytes:
    return bytes(
        imagecodecs.jpegxl_encode(
            pixels, lossless=lossless, distance=0.0 if lossless else 2.0, effort=3
        )
    )


LOSSLESS_AND_LOSSY = {
    "57": (lossless_jpeg_of(GRAY), bytes(imagecodecs.jpeg8_encode(GRAY, 90))),
    "70": (lossless_jpeg_of(GRAY), bytes(imagecodecs.jpeg8_encode(GRAY, 90))),
    "80": (ls(GRAY, 0), ls(GRAY, 3)),
    "81": (ls(GRAY, 0), ls(GRAY, 3)),
    "90": (j2k(GRAY), j2k(GRAY, lossless=False)),
    "91": (j2k(GRAY), j2k(GRAY, lossless=False)),
    "201": (high_throughput(GRAY, lossless=True), high_throughput(GRAY, lossless=False)),
    "203": (high_throughput(GRAY, lossless=True), high_throughput(GRAY, lossless=False)),
    "110": (jpeg_xl(GRAY, lossless=True), jpeg_xl(GRAY, lossless=False)),
    "112": (jpeg_xl(GRAY, lossless=True), jpeg_xl(GRAY, lossless=False)),
}
"""By the last part of a UID; those of lossless processes hold the others all the same."""

METHODS = {"5": "ISO_10918_1", "7": "ISO_10918_1", "8": "ISO_14495_1", "9": "ISO_15444_1",
           "2": "ISO_15444_15", "1": "ISO_18181_1"}  # fmt: skip


@pytest.mark.parametrize("syntax", LOSSLESS_AND_LOSSY)
@pytest.mark.parametrize("lossy_one", [0, 1, 2])
def test_one_lossy_frame_makes_a_lossy_image(syntax: str, lossy_one: int) -> None:
    both = LOSSLESS_AND_LOSSY[syntax]
    streams = [both[index == lossy_one] for index in range(3)]
    content = file_of(f"1.2.840.10008.1.2.4.{syntax}", *streams)
    for to in ("explicit-le", "rle"):
        result = pydicom.dcmread(io.BytesIO(convert_bytes(content, to=to, verify=True)))
        assert result.LossyImageCompression == "01"
        assert result.LossyImageCompressionMethod == METHODS[syntax[0]]
        assert float(result.LossyImageCompressionRatio) > 0
        assert result.NumberOfFrames == 3


@pytest.mark.parametrize("syntax", LOSSLESS_AND_LOSSY)
def test_lossless_frames_make_no_lossy_image(syntax: str) -> None:
    exact, _ = LOSSLESS_AND_LOSSY[syntax]
    content = file_of(f"1.2.840.10008.1.2.4.{syntax}", exact, exact)
    result = pydicom.dcmread(io.BytesIO(convert_bytes(content, to="explicit-le")))
    assert "LossyImageCompression" not in result


def test_frames_without_loss_are_not_rounded_unless_that_is_asked_for() -> None:
    plain, transformed = j2k(COLOR), j2k(COLOR, mct=True)
    uid = "1.2.840.10008.1.2.4.90"
    content = file_of(uid, plain, transformed, photometric="YBR_FULL")
    for photometric in ("auto", "keep"):
        with pytest.raises(UnsupportedImageError, match="rounds samples") as raised:
            convert_bytes(content, to="rle", photometric=photometric)
        assert raised.value.frame == 1
        assert raised.value.hint == '`photometric="RGB"` allows it'
    samples = native_samples(convert_bytes(content, to="explicit-le", photometric="RGB"))
    assert np.array_equal(samples[1], COLOR)
    assert np.abs(samples[0].astype(float) - to_rgb(COLOR[np.newaxis])[0]).max() <= 0.6
    # RGB is what both decode to here.
    mixed = file_of(uid, transformed, plain, transformed, photometric="RGB")
    samples = native_samples(convert_bytes(mixed, to="explicit-le"))
    assert np.array_equal(samples, np.stack([COLOR] * 3))


SHADES = shades()[0]


def jpeg(color: str, subsampling: str = "444") -> bytes:
    """Return a JPEG stream of the shades whose components are RGB, or YCbCr."""
    return bytes(
        imagecodecs.jpeg8_encode(
            SHADES, 95, colorspace="RGB", outcolorspace=color, subsampling=subsampling
        )
    )


def jpeg_file(colors: str, photometric: str, subsampling: str = "444") -> bytes:
    """Return a file of one JPEG frame a letter: r for RGB, y for YCbCr."""
    streams = [jpeg("RGB") if one == "r" else jpeg("YCBCR", subsampling) for one in colors]
    return make_file(
        ROWS, COLUMNS, 3, 8, 8, frames=len(streams),
        photometric=photometric, transfer_syntax="1.2.840.10008.1.2.4.50",
        streams=[[one[:700], one[700:]] for one in streams],
    )[0]  # fmt: skip


MIXED = [
    ("ry", "RGB", "444"), ("yr", "YBR_FULL", "444"), ("yyr", "YBR_FULL_422", "422"),
    ("rry", "RGB", "422"), ("y" * 12 + "r" + "y" * 12, "YBR_FULL_422", "422"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("colors", "photometric", "named"),
    [
        ("ry", "RGB", "frames 1 decode to YBR_FULL"),
        ("yrryryy", "YBR_FULL_422", "frames 1-2, 4 decode to RGB"),
        ("rrr", "RGB", ""), ("yyy", "YBR_FULL", ""), ("r", "RGB", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("offset_table", ["auto", "extended"])
def test_frames_of_other_colors_that_only_move_are_named(
    colors: str, photometric: str, named: str, offset_table: str, tmp_path: Path
) -> None:
    content = jpeg_file(colors, photometric)
    options: dict[str, Any] = {"offset_table": offset_table} if offset_table != "auto" else {}
    place = tmp_path / "image.dcm"
    place.write_bytes(content)
    for arguments in (
        {"to": "jpeg", **options},
        {"to": "jpeg", "set_attributes": {"PatientID": "X"}, **options},
    ):
        report = convert(place, tmp_path / "out.dcm", overwrite=True, **arguments)
        assert report.action != "transcoded"
        told = [one for one in report.warnings if "frame 0 does not" in one]
        assert [one.partition(",")[0] for one in told] == (
            [named.partition(",")[0]] if named else []
        )
        assert all(one.startswith(named) for one in told)
    report = convert(place, None, to="rle", photometric="RGB")
    assert not [one for one in report.warnings if "frame 0 does not" in one]  # brought together
    if named:
        with pytest.raises(ContradictionError):
            convert(place, None, to="jpeg", strict=True)
    report = convert(place, place, to="jpeg", overwrite=True, **options)
    assert bool([one for one in report.warnings if "frame 0 does not" in one]) is bool(named)


def test_frames_of_jpeg_2000_with_and_without_a_transform_decode_alike() -> None:
    plain, transformed = j2k(COLOR), j2k(COLOR, mct=True)
    for photometric, told in (("RGB", 0), ("YBR_FULL", 1)):
        content = file_of("1.2.840.10008.1.2.4.90", plain, transformed, photometric=photometric)
        report = convert(content, None, to="jpeg2000-lossless")
        assert len([one for one in report.warnings if "frame 0 does not" in one]) == told


@pytest.mark.parametrize(("colors", "photometric", "subsampling"), MIXED)
@pytest.mark.parametrize(
    ("to", "options"),
    [
        ("explicit-le", {}), ("implicit-le", {}), ("rle", {"verify": INDEPENDENT}),
        ("jpeg-ls", {"workers": 2}), ("jpeg2000", {"lossy": True, "quality": 98}),
        ("jpegxl-lossless", {}), ("explicit-be", {"photometric": "YBR_FULL"}),
        ("jpeg-ls-near", {"near": 1, "photometric": "YBR_FULL"}),
    ],
)  # fmt: skip
def test_each_jpeg_frame_has_a_color_space_of_its_own(
    colors: str, photometric: str, subsampling: str, to: str, options: dict[str, Any]
) -> None:
    data = jpeg_file(colors, photometric, subsampling)

    out = io.BytesIO()
    report = convert(data, out, to=to, **{"verify": True} | options)

    found = native_samples(convert_bytes(out.getvalue(), to="explicit-le", photometric="RGB"))
    assert found.shape == (len(colors), *SHADES.shape)
    assert all(psnr(frame, SHADES, 8) > 33 for frame in found)
    other = colors.replace(colors[0], " ")
    first = len(other) - len(other.lstrip())
    assert any(f"the first of them {first}," in warning for warning in report.warnings)
    if not report.lossy:
        comparison = compare(data, out.getvalue(), tolerance=2).pixels
        assert comparison is not None
        assert comparison.equal


@pytest.mark.parametrize(("colors", "photometric", "subsampling"), MIXED)
def test_a_frame_of_another_color_is_named(
    colors: str, photometric: str, subsampling: str, tmp_path: Path
) -> None:
    data = jpeg_file(colors, photometric, subsampling)
    frame = 12 if len(colors) > 12 else len(colors) - 1

    for to in ("rle", "jpeg"):  # decoded, and only moved
        with pytest.raises(ContradictionError) as raised:
            convert_bytes(data, to=to, strict=True)
        assert raised.value.frame == frame
    with pytest.raises(UnsupportedImageError) as refused:
        convert_bytes(data, to="rle", photometric="keep")
    assert refused.value.frame == frame
    with pytest.raises(FrameMismatchError) as mismatch:
        convert_bytes(data, to="jpegxl-jpeg")
    assert mismatch.value.frame == frame
    assert any(f"frame {frame} decodes to" in problem for problem in inspect(data).problems)

    path = tmp_path / "in_place.dcm"
    path.write_bytes(data)
    report = convert(path, path, to="explicit-le", overwrite=True)
    assert any(f"the first of them {frame}," in warning for warning in report.warnings)
    assert all(psnr(one, SHADES, 8) > 33 for one in native_samples(path.read_bytes()))


def test_compare_sees_a_frame_of_another_color() -> None:
    streams = jpeg_file("yy", "YBR_FULL"), jpeg_file("yr", "YBR_FULL")
    comparison = compare(*streams, tolerance=12).pixels
    assert comparison is not None
    assert comparison.equal
    wrong = native_samples(convert_bytes(streams[0], to="explicit-le"))
    wrong[1] = imagecodecs.jpeg8_decode(jpeg("RGB"), colorspace="RGB", outcolorspace="RGB")
    as_ybr = make_file(
        ROWS, COLUMNS, 3, 8, 8, frames=2, photometric="YBR_FULL", pixels=wrong
    )[0]  # fmt: skip
    comparison = compare(streams[1], as_ybr, tolerance=12).pixels
    assert comparison is not None
    assert not comparison.equal
    assert comparison.worst_frame == 1


@pytest.mark.parametrize("stated", ["RGB", "YBR_FULL", "YBR_FULL_422"])
def test_one_component_is_gray_whatever_is_said(stated: str) -> None:
    stream = bytes(imagecodecs.jpeg8_encode(GRAY, 90))
    content = file_of("1.2.840.10008.1.2.4.50", stream)
    wrong = content.replace(b"MONOCHROME2 ", stated.encode().ljust(12))
    assert wrong != content
    out = io.BytesIO()
    report = convert(wrong, out, to="explicit-le", verify=True)
    assert pydicom.dcmread(io.BytesIO(out.getvalue())).PhotometricInterpretation == "MONOCHROME2"
    assert [one.text for one in report.oddities] == [
        f"PhotometricInterpretation is {stated}; by its streams it is MONOCHROME2"
    ]
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to="explicit-le", strict=True)
