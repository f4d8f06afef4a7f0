"""Photometric Interpretations that samples, streams or transfer syntaxes contradict."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from dicodec import compare, convert, convert_bytes, inspect
from dicodec.errors import ContradictionError, DicodecError, UnsupportedImageError
from dicodec.model.option_table import INDEPENDENT
from helpers.made import make_file, uid_of
from helpers.odd_files import found, relabelled, samples_of
from helpers.photometric_files import shades, stated, to_partial, to_rgb, to_ybr
from helpers.samples import native_samples

type Pixels = NDArray[Any]

ROWS, COLUMNS = 19, 26
COLORS = shades()[:, :ROWS, :COLUMNS]
GRAY = COLORS[..., 0]

NATIVE = ["explicit-le", "implicit-le", "explicit-be", "deflated"]
FRAMED = [
    "rle", "jpeg-ls", "jpeg-lossless", "jpeg2000-lossless", "htj2k-lossless", "jpegxl-lossless",
    "deflated-frame", "encapsulated-uncompressed",
]  # fmt: skip
JPEG_2000 = {"jpeg2000-lossless", "htj2k-lossless"}


def saying(content: bytes, photometric: str, samples: int | None = None) -> bytes:
    """Return a file that says something else of its colors than it did."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    dataset.PhotometricInterpretation = photometric
    dataset.SamplesPerPixel = samples or dataset.SamplesPerPixel
    return saved(dataset)


def saved(dataset: pydicom.Dataset) -> bytes:
    """Return a file, of a transfer syntax that pydicom does not know either."""
    uid = dataset.file_meta.TransferSyntaxUID
    if dataset["PixelData"].is_undefined_length:
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    out = io.BytesIO()
    dataset.save_as(out)
    content = out.getvalue()
    return relabelled(content, uid) if dataset["PixelData"].is_undefined_length else content


def of_samples(pixels: Pixels, syntax: str, photometric: str = "") -> bytes:
    """Return a right file of gray or three samples per pixel."""
    samples = pixels.shape[3] if pixels.ndim == 4 else 1
    content = make_file(
        ROWS, COLUMNS, samples, 8, 8, pixels=pixels, frames=len(pixels),
        photometric=photometric or ("RGB" if samples == 3 else "MONOCHROME2"),
    )[0]  # fmt: skip
    return convert_bytes(content, to=syntax)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("syntax", [*NATIVE, *FRAMED])
@pytest.mark.parametrize(
    ("pixels", "photometric", "samples", "right"),
    [
        (GRAY, "RGB", 1, "MONOCHROME2"), (GRAY, "YBR_FULL_422", 1, "MONOCHROME2"),
        (GRAY, "YBR_RCT", 1, "MONOCHROME2"), (GRAY, "XYB", 1, "MONOCHROME2"),
        (GRAY, "ARGB", 1, "MONOCHROME2"), (GRAY, "MONOCHROME2", 3, "MONOCHROME2"),
        (GRAY, "MONOCHROME1", 3, "MONOCHROME1"), (COLORS, "MONOCHROME2", 3, "RGB"),
        (COLORS, "PALETTE COLOR", 3, "RGB"), (COLORS, "RGB", 1, "RGB"), (COLORS, "CMYK", 3, "RGB"),
        (COLORS, "YBR_ICT", 1, "RGB"),
    ],
)  # fmt: skip
def test_samples_per_pixel_and_colors_contradict(
    pixels: Pixels, photometric: str, samples: int, right: str, syntax: str, frames: int
) -> None:
    """The length of Pixel Data, or the streams, say which of the two is right."""
    pixels = np.repeat(pixels, frames, axis=0)
    content = saying(of_samples(pixels, syntax), photometric, samples)

    assert "wrong-attribute" in found(content)
    for to in ("explicit-le", "rle", syntax):
        result = convert_bytes(content, to=to, verify=True)
        dataset = pydicom.dcmread(io.BytesIO(result), stop_before_pixels=True)
        assert dataset.SamplesPerPixel == (3 if right == "RGB" else 1)
        if to not in JPEG_2000:  # where the streams say for themselves which colors they have
            assert dataset.PhotometricInterpretation == right
        assert np.array_equal(samples_of(result), pixels)
        assert compare(content, result).pixels == compare(content, content).pixels
    with pytest.raises(ContradictionError):
        convert_bytes(content, to=syntax, strict=True)


@pytest.mark.parametrize("syntax", ["explicit-le", "rle", "jpeg-ls"])
def test_an_image_that_contradicts_itself_is_replaced_by_a_right_one(
    syntax: str, tmp_path: Path
) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(saying(of_samples(GRAY, syntax), "RGB"))

    report = convert(path, path, to="explicit-le", overwrite=True)

    assert [one.id for one in report.oddities] == ["wrong-attribute"]
    assert stated(path.read_bytes()) == "MONOCHROME2"
    assert np.array_equal(native_samples(path.read_bytes()), GRAY)
    assert found(path.read_bytes()) == []


def test_one_sample_with_tables_of_colors_is_an_index() -> None:
    indices = of_samples(GRAY, "explicit-le", "PALETTE COLOR")

    for syntax in ("explicit-le", "rle", "jpeg-ls"):
        content = saying(convert_bytes(indices, to=syntax), "RGB")
        assert stated(convert_bytes(content, to="implicit-le")) == "PALETTE COLOR"


@pytest.mark.parametrize("syntax", ["explicit-le", "rle", "htj2k-lossless"])
@pytest.mark.parametrize("label", ["RGB", "YBR_FULL", "YBR_RCT"])
@pytest.mark.parametrize("to", ["jpeg", "htj2k", "jpeg-ls-near", "jpegxl-lossless", "explicit-be"])
def test_tables_leave_with_the_indices_under_a_wrong_label_too(
    to: str, label: str, syntax: str, tmp_path: Path
) -> None:
    indices = of_samples(GRAY, "explicit-le", "PALETTE COLOR")
    content = saying(convert_bytes(indices, to=syntax), label)
    path = tmp_path / "image.dcm"
    path.write_bytes(content)

    rgb: Any = {"photometric": "RGB"} if to == "explicit-be" else {"lossy": to != "jpegxl-lossless"}
    convert(path, path, to=to, overwrite=True, **rgb)

    assert "RedPaletteColorLookupTableData" not in pydicom.dcmread(path)
    assert compare(indices, path, tolerance=255).equal
    assert compare(content, path, tolerance=255).equal


@pytest.mark.parametrize("syntax", [*NATIVE, "encapsulated-uncompressed", "deflated-frame"])
@pytest.mark.parametrize("samples", [1, 3, 4])
def test_what_neither_fits_is_refused(syntax: str, samples: int) -> None:
    """Two samples per pixel are neither gray nor a color."""
    pairs = make_file(ROWS, 2 * COLUMNS, 1, 8, 8, pixels=np.tile(GRAY, (1, 1, 2)))[0]
    dataset = pydicom.dcmread(io.BytesIO(convert_bytes(pairs, to=syntax)))
    dataset.Columns = COLUMNS
    dataset.PhotometricInterpretation = "RGB" if samples != 3 else "MONOCHROME2"
    dataset.SamplesPerPixel = samples
    content = saved(dataset)

    with pytest.raises(DicodecError, match=f"SamplesPerPixel is {samples}; neither fits") as caught:
        convert_bytes(content, to="rle")
    assert caught.value.attribute == "PhotometricInterpretation"
    assert any("neither fits" in problem for problem in inspect(content).problems)


@pytest.mark.parametrize("photometric", ["ARGB", "CMYK", "HSV"])
def test_retired_colors_are_not_rescaled(photometric: str) -> None:
    samples = 3 if photometric == "HSV" else 4
    content = make_file(ROWS, COLUMNS, samples, 16, 12, photometric=photometric)[0]

    with pytest.raises(UnsupportedImageError, match=f"not applied to {photometric}"):
        convert_bytes(content, to="explicit-le", rescale_to_8bit=True)
    assert convert_bytes(content, to="explicit-le")


# Transforms of JPEG 2000 and JPEG XL, which their codecs undo.


@pytest.mark.parametrize("photometric", ["YBR_RCT", "YBR_ICT", "XYB"])
@pytest.mark.parametrize("syntax", [*NATIVE, *FRAMED])
def test_transforms_of_other_codecs_are_rgb(photometric: str, syntax: str) -> None:
    if photometric == "XYB" and syntax == "jpegxl-lossless":
        return
    content = saying(of_samples(COLORS, syntax), photometric)
    if syntax not in JPEG_2000 or photometric == "XYB":
        assert found(content) == ["wrong-attribute"]
        with pytest.raises(ContradictionError, match=f"is {photometric}; in this transfer syntax"):
            convert_bytes(content, to="rle", strict=True)

    for to in ("explicit-le", "explicit-be", "rle", "jpeg2000-lossless", syntax):
        result = convert_bytes(content, to=to, verify=True)
        if to not in JPEG_2000:
            assert stated(result) == "RGB"
        assert np.array_equal(samples_of(result), COLORS)


@pytest.mark.parametrize("photometric", ["YBR_RCT", "YBR_ICT"])
@pytest.mark.parametrize(
    ("color", "right"), [("RGB", "RGB"), ("YCBCR", "YBR_FULL"), ("halved", "YBR_FULL_422")]
)
def test_a_jpeg_stream_says_which_colors_it_has(photometric: str, color: str, right: str) -> None:
    stream = imagecodecs.jpeg8_encode(
        COLORS[0], 98, colorspace="RGB", outcolorspace="RGB" if color == "RGB" else "YCBCR",
        subsampling="422" if color == "halved" else "444",
    )  # fmt: skip
    content = make_file(
        ROWS, COLUMNS, 3, 8, 8, photometric=photometric, streams=[[bytes(stream)]],
        transfer_syntax="1.2.840.10008.1.2.4.50",
    )[0]  # fmt: skip

    assert stated(convert_bytes(content, to="jpeg")) == right
    shown = samples_of(content, photometric="RGB")
    assert np.abs(shown.astype(int) - COLORS).max() <= 12


# Y, Cb and Cr of the range of video.


PARTIAL = to_partial(COLORS)


@pytest.mark.parametrize("photometric", ["YBR_PARTIAL_422", "YBR_PARTIAL_420"])
@pytest.mark.parametrize("syntax", FRAMED[:6])
def test_the_range_of_video_is_kept_in_streams(photometric: str, syntax: str) -> None:
    middle = "RGB" if syntax == "jpegxl-lossless" else "YBR_FULL"
    content = saying(of_samples(PARTIAL, syntax, middle), photometric)

    for to in (*NATIVE, "encapsulated-uncompressed", "deflated-frame"):
        if to == syntax:
            continue
        out = io.BytesIO()
        report = convert(content, out, to=to, verify=True)
        assert stated(out.getvalue()) == "RGB"
        assert report.photometric_interpretation == (photometric, "RGB")
        assert any("samples are rounded" in warning for warning in report.warnings)
        assert np.abs(samples_of(out.getvalue()).astype(int) - COLORS).max() <= 2
    for to in ("rle", "jpeg-ls", "jpeg2000-lossless", "jpegxl-lossless"):
        if to == syntax:
            assert convert_bytes(content, to=to) == content
            continue
        with pytest.raises(UnsupportedImageError, match="which rounds samples"):
            convert_bytes(content, to=to)
        result = convert_bytes(content, to=to, photometric="RGB", verify=INDEPENDENT
                               if to in {"rle", "jpeg-ls"} else True)  # fmt: skip
        assert np.abs(samples_of(result).astype(int) - COLORS).max() <= 2
    lossy = convert_bytes(content, to="jpeg", quality=98)
    assert np.abs(samples_of(lossy, photometric="RGB").astype(int) - COLORS).max() <= 16


@pytest.mark.parametrize("photometric", ["YBR_PARTIAL_422", "YBR_PARTIAL_420"])
def test_the_ycbcr_of_jfif_has_the_full_range(photometric: str) -> None:
    stream = bytes(imagecodecs.jpeg8_encode(COLORS[0], 98, subsampling="444"))
    assert b"JFIF" in stream
    bare = stream[:2] + stream[20:]  # without the APP0 segment
    for one, expected in ((stream, to_rgb(to_ybr(COLORS))), (bare, None)):
        content = make_file(
            ROWS, COLUMNS, 3, 8, 8, photometric=photometric, streams=[[one]],
            transfer_syntax="1.2.840.10008.1.2.4.50",
        )[0]  # fmt: skip
        out = io.BytesIO()
        report = convert(content, out, to="explicit-le", verify=True)
        if expected is None:
            assert not report.decisions[0].startswith("taken as")
            assert stated(out.getvalue()) == "RGB"
            continue
        assert report.decisions[0].startswith("taken as YBR_FULL: YCbCr of JFIF")
        assert stated(out.getvalue()) == "YBR_FULL"
        shown = to_rgb(native_samples(out.getvalue()))
        assert np.abs(shown - expected).max() <= 12
        with pytest.raises(ContradictionError):
            convert_bytes(content, to="explicit-le", strict=True)


@pytest.mark.parametrize(
    ("photometric", "frames"), [("YBR_PARTIAL_422", 1), ("YBR_PARTIAL_422", 3),
                                ("YBR_PARTIAL_420", 1), ("YBR_FULL_422", 2)],
)  # fmt: skip
@pytest.mark.parametrize("syntax", [*NATIVE, "encapsulated-uncompressed", "deflated-frame"])
def test_the_length_says_whether_chroma_is_halved(
    photometric: str, frames: int, syntax: str, tmp_path: Path
) -> None:
    """Full-size samples under a label of halved chroma lost a third, or half of them."""
    partial = photometric != "YBR_FULL_422"
    pixels = np.repeat(PARTIAL if partial else to_ybr(COLORS), frames, axis=0)
    content = saying(of_samples(pixels, syntax, "YBR_FULL"), photometric)
    assert "wrong-attribute" in found(content)

    for to, quality in (("jpeg", 98), ("rle", None), ("explicit-be", None)):
        result = convert_bytes(content, to=to, photometric="RGB", verify=True, quality=quality)
        error = np.abs(samples_of(result).astype(int) - COLORS).max()
        assert error <= (16 if to == "jpeg" else 2)
    moved = convert_bytes(content, to="implicit-le" if syntax != "implicit-le" else "explicit-le",
                          verify=True)  # fmt: skip
    if syntax in NATIVE:
        assert stated(moved) == (photometric if partial else "YBR_FULL")
        assert pixels.tobytes() in convert_bytes(moved, to="explicit-le")
    if syntax in NATIVE and partial:
        with pytest.raises(UnsupportedImageError, match="which rounds samples"):
            convert_bytes(content, to="deflated-frame")
    path = tmp_path / "image.dcm"
    path.write_bytes(content)
    convert(path, path, to="explicit-le", overwrite=True)
    shown = samples_of(path.read_bytes(), photometric="RGB")
    assert np.abs(shown.astype(int) - COLORS).max() <= 2
    with pytest.raises(ContradictionError):
        convert_bytes(content, to="explicit-le", strict=True)


def relabelled_color(stream: bytes, syntax: str, photometric: str, frames: int = 1) -> bytes:
    """Return a file of frames that are one stream, with a Photometric Interpretation."""
    return make_file(
        ROWS, COLUMNS, 3, 8, 8, pixels=COLORS[:1].repeat(frames, 0), frames=frames,
        transfer_syntax=uid_of(syntax), streams=[[stream]] * frames, photometric=photometric,
    )[0]  # fmt: skip


def in_jpeg_2000(*, transform: bool, exact: bool = True) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            COLORS[0], level=0 if exact else 20, codecformat="j2k", mct=transform, reversible=exact
        )
    )


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(
    ("syntax", "stream", "wrong", "right"),
    [
        ("jpeg2000-lossless", in_jpeg_2000(transform=True), "RGB", "YBR_RCT"),
        ("jpeg2000-lossless", in_jpeg_2000(transform=True), "YBR_ICT", "YBR_RCT"),
        ("jpeg2000-lossless", in_jpeg_2000(transform=False), "YBR_RCT", "RGB"),
        ("jpeg2000", in_jpeg_2000(transform=True, exact=False), "RGB", "YBR_ICT"),
        ("jpeg2000", in_jpeg_2000(transform=False, exact=False), "YBR_ICT", "RGB"),
        ("jpeg", bytes(imagecodecs.jpeg8_encode(COLORS[0], 90, subsampling="422")), "RGB",
         "YBR_FULL_422"),
    ],
)  # fmt: skip
def test_a_standard_file_says_the_colors_of_its_streams(
    syntax: str, stream: bytes, wrong: str, right: str, frames: int
) -> None:
    content = relabelled_color(stream, syntax, wrong, frames)
    out = io.BytesIO()

    report = convert(content, out, to=syntax, standardize=True, verify=True)

    result = out.getvalue()
    assert stated(result) == right
    assert any(f"taken as {right}" in one.text for one in report.oddities)
    assert np.array_equal(samples_of(result), samples_of(content))
    assert convert_bytes(result, to=syntax, strict=True) == result
    assert convert_bytes(result, to=syntax, standardize=True) == result
    assert stated(convert_bytes(content, to=syntax)) == wrong
    native = convert_bytes(content, to="explicit-le", standardize=True, verify=True)
    assert native == convert_bytes(content, to="explicit-le")


def test_streams_that_differ_leave_the_label_as_it_is() -> None:
    one, other = in_jpeg_2000(transform=True), in_jpeg_2000(transform=False)
    content = make_file(
        ROWS, COLUMNS, 3, 8, 8, pixels=COLORS[:1].repeat(2, 0), frames=2, photometric="RGB",
        transfer_syntax=uid_of("jpeg2000-lossless"), streams=[[one], [other]],
    )[0]  # fmt: skip

    assert convert_bytes(content, to="jpeg2000-lossless", standardize=True) == content
