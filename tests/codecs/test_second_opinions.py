"""Our streams decoded by other libraries, and real files (shipped with pydicom) decoded by us."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from dicodec.codecs.table import find_decoder
from dicodec.model.image import ImagePixelDescription
from dicodec.model.transfer_syntax import find_by_uid
from helpers.codec_images import ACCEPTED, KINDS, codec_for, describe_image, fill

pydicom: Any = import_module("pydicom")


@pytest.mark.parametrize("name", ["htj2k-lossless", "htj2k-rpcl"])
def test_openjpeg_reads_our_htj2k(name: str) -> None:
    for kind in ACCEPTED[name] - {"32", "32 signed", "rgb 32"}:  # OpenJPEG reads 28 bits
        image = describe_image(**KINDS[kind], rows=70, columns=65)
        for pattern in ("noise", "ramp", "extremes"):
            samples = fill(image, pattern)
            decoded = imagecodecs.jpeg2k_decode(
                codec_for(name)[0].encode(samples, image), planar=False, numthreads=1
            )
            assert np.array_equal(decoded, samples), kind


def test_another_decoder_reads_our_lossless_jpeg() -> None:
    for kind in ACCEPTED["jpeg-lossless"]:
        image = describe_image(**KINDS[kind], rows=30, columns=41)
        if image.signed:
            continue
        samples = fill(image, "noise")
        stream = codec_for("jpeg-lossless")[0].encode(samples, image)
        assert np.array_equal(imagecodecs.jpegsof3_decode(stream), samples), kind


def test_another_decoder_reads_our_rle() -> None:
    for kind in sorted(ACCEPTED["rle"] - {"1", "64"}):
        image = describe_image(**KINDS[kind], rows=30, columns=41)
        samples = fill(image, "runs")
        decode = pydicom.pixels.decoders.rle._rle_decode_frame
        planes = decode(
            codec_for("rle")[0].encode(samples, image),
            image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
        )  # fmt: skip
        decoded = np.frombuffer(planes, image.dtype).reshape(image.samples_per_pixel, 30, 41)
        assert np.array_equal(np.moveaxis(decoded, 0, -1).reshape(image.shape), samples), kind


def test_other_decoders_read_our_jpeg_ls_and_jpeg_2000() -> None:
    jpeg_ls: Any = import_module("jpeg_ls")
    openjpeg: Any = import_module("openjpeg")
    for kind in ("8", "16/10", "16/12", "16", "rgb 8"):
        image = describe_image(**KINDS[kind], rows=64, columns=65)
        samples = fill(image, "ramp")
        stream = codec_for("jpeg2000-lossless")[0].encode(samples, image)
        assert np.array_equal(openjpeg.decode(stream), samples), kind
        if image.samples_per_pixel == 1:
            stream = codec_for("jpeg-ls")[0].encode(samples, image)
            assert np.array_equal(jpeg_ls.decode(np.frombuffer(stream, "u1")), samples), kind


# Real files that pydicom ships, with the same samples in another syntax.
# fmt: off
PAIRS = [
    ("MR_small_RLE.dcm", "MR_small.dcm"),
    ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
    ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
    ("MR_small_expb.dcm", "MR_small.dcm"),
    ("rtdose_rle.dcm", "rtdose.dcm"),
    ("liver_expb_1frame.dcm", "liver_1frame.dcm"),
]
# fmt: on


def _find(name: str) -> Path:
    found = pydicom.data.get_testdata_file(name, download=False)
    assert found is not None, f"pydicom does not ship {name}"
    return Path(found)


def _decoded(path: Path) -> Iterator[np.ndarray]:
    dataset = pydicom.dcmread(path)
    image = ImagePixelDescription(
        dataset.Rows,
        dataset.Columns,
        dataset.SamplesPerPixel,
        dataset.PhotometricInterpretation,
        dataset.BitsAllocated,
        dataset.BitsStored,
        dataset.HighBit,
        dataset.PixelRepresentation,
        dataset.get("PlanarConfiguration", 0) or 0,
        int(dataset.get("NumberOfFrames", 1) or 1),
    )
    syntax = find_by_uid(dataset.file_meta.TransferSyntaxUID)
    assert syntax is not None
    decoder = find_decoder(syntax)
    if syntax.encapsulated:
        for stream in pydicom.encaps.generate_frames(
            dataset.PixelData, number_of_frames=image.number_of_frames
        ):
            described = decoder.describe(stream)
            assert described.rows in {None, image.rows}
            yield decoder.decode(stream, image)
        return
    native = dataset.PixelData
    if not syntax.little_endian and image.bits_allocated <= 8 and dataset["PixelData"].VR == "OW":
        native = np.frombuffer(native, ">u2").astype("<u2").tobytes()
    size = image.native_frame_bits // 8
    for frame in range(image.number_of_frames):
        yield decoder.decode(native[frame * size : (frame + 1) * size], image)


@pytest.mark.parametrize(("name", "pair"), PAIRS)
def test_real_files_decode_to_their_pairs(name: str, pair: str) -> None:
    for decoded, expected in zip(_decoded(_find(name)), _decoded(_find(pair)), strict=True):
        assert np.array_equal(decoded, expected)


# fmt: off
KNOWN = [
    ("J2K_pixelrep_mismatch.dcm", "<i2"), ("JPEG2000.dcm", "<i2"), ("JPEG-lossy.dcm", "<u2"),
    ("SC_rgb_jpeg_gdcm.dcm", "|u1"), ("SC_rgb_jpeg_dcmtk.dcm", "|u1"),
    ("SC_rgb_dcmtk_+eb+cr.dcm", "|u1"), ("SC_rgb_dcmtk_+eb+cy+np.dcm", "|u1"),
    ("SC_rgb_small_odd_jpeg.dcm", "|u1"), ("SC_jpeg_no_color_transform.dcm", "|u1"),
    ("SC_rgb_jls_lossy_line.dcm", "|u1"), ("SC_rgb_jls_lossy_sample.dcm", "|u1"),
    ("examples_ybr_color.dcm", "|u1"), ("examples_jpeg2k.dcm", "|u1"),
    ("GDCMJ2K_TextGBR.dcm", "|u1"), ("JPGExtended.dcm", "<u2"), ("693_J2KI.dcm", "<i2"),
    ("SC_rgb_dcmtk_+eb+cy+n1.dcm", "|u1"), ("SC_rgb_dcmtk_+eb+cy+s4.dcm", "|u1"),
    ("SC_rgb_jpeg_app14_dcmd.dcm", "|u1"), ("SC_rgb_gdcm_KY.dcm", "|u1"),
    ("JPEGLSNearLossless_08.dcm", "|u1"), ("JPEGLSNearLossless_16.dcm", "<u2"),
    ("SC_rgb_rle_16bit_2frame.dcm", "<u2"), ("SC_rgb_rle_32bit.dcm", "<u4"),
    ("SC_rgb_jpeg_lossy_gdcm.dcm", "|u1"), ("SC_jpeg_no_color_transform_2.dcm", "|u1"),
]
# fmt: on


TWELVE_BIT_JPEG = {"JPEG-lossy.dcm", "JPGExtended.dcm"}


@pytest.mark.parametrize(("name", "dtype"), KNOWN)
def test_real_files_decode_as_pydicom_decodes_them(name: str, dtype: str) -> None:
    path = _find(name)
    frames = list(_decoded(path))

    assert frames[0].dtype == np.dtype(dtype)
    try:
        witness = pydicom.pixels.pixel_array(path, raw=True)
    except RuntimeError:
        assert name in TWELVE_BIT_JPEG, "pydicom's plugins decode all others"
        return
    witness = witness.reshape(len(frames), *frames[0].shape).astype(np.int64)
    for frame, expected in zip(frames, witness, strict=True):
        # Decoders of the DCT may differ by one.
        assert np.abs(frame.astype(np.int64) - expected).max() <= 1
