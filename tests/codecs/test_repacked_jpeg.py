"""JPEG within JPEG XL (.111): bytes in, the same bytes out, and the same samples and colors."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import ImageCms

from dicodec import convert, convert_bytes
from dicodec.codecs.jpeg import JpegDecoder
from dicodec.codecs.jpeg_repacking import repack_jpeg, unpack_jpeg
from dicodec.codecs.jpegxl import JpegXlDecoder
from dicodec.codecs.streams import jpegxl
from dicodec.errors import (
    CorruptFrameError,
    DicodecError,
    EncodeError,
    FrameMismatchError,
    UnsupportedImageError,
)
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.late_import import import_late
from helpers.codec_images import KINDS, Samples, codec_for, describe_image, smooth
from helpers.made import make_file

JPEG, JPEG_XL_JPEG = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.111"
ROWS, COLUMNS = 40, 75


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def exif(orientation: int) -> bytes:
    """Return an APP1 segment that states an orientation (Exif 2.3, 4.6)."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return segment(0xE1, b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4))


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ICC = segment(0xE2, b"ICC_PROFILE\0\1\1" + PROFILE)
ICC_IN_TWO = segment(0xE2, b"ICC_PROFILE\0\1\2" + PROFILE[:300]) + segment(
    0xE2, b"ICC_PROFILE\0\2\2" + PROFILE[300:]
)
CARRIED = {
    "a profile": ICC,
    "a profile in two segments": ICC_IN_TWO,
    **{f"orientation {value}": exif(value) for value in range(1, 9)},
    "both": exif(6) + ICC,
    "something unknown": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>") + segment(0xEB, b"J"),
}


def coded(kind: str, carried: bytes = b"", seed: int = 0, **chosen: str) -> tuple[bytes, Samples]:
    """Return a JPEG stream, with more segments behind SOI, and what libjpeg decodes it to."""
    image = describe_image(**KINDS[kind], rows=ROWS, columns=COLUMNS)
    encoder, decoder = codec_for("jpeg", EncoderSettings(**chosen))  # type: ignore[arg-type]
    samples = np.roll(smooth(image), seed, 0)
    stream = bytes(encoder.encode(samples, image))
    stored = encoder.describe_encoded(image)
    return stream[:2] + carried + stream[2:], decoder.decode(stream, stored)


def colors(stream: bytes) -> Samples:
    """Return what libjpeg shows of a stream of YCbCr, or of gray."""
    return np.asarray(imagecodecs.jpeg8_decode(stream))


def block_means(samples: Samples) -> Samples:
    rows, columns = (side // 8 * 8 for side in samples.shape[:2])
    blocks = samples[:rows, :columns].reshape(rows // 8, 8, columns // 8, 8, -1)
    means: Samples = blocks.mean((1, 3))
    return means


@pytest.mark.parametrize("kind", ["8", "rgb 8"])
@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_the_same_bytes_and_samples_come_back(kind: str, subsampling: str) -> None:
    image = describe_image(**KINDS[kind], rows=64, columns=75)
    encoder, decoder = codec_for("jpeg", EncoderSettings(subsampling=subsampling))
    stored = encoder.describe_encoded(image)
    stream = encoder.encode(smooth(image), image)
    packed = repack_jpeg(b"junk" + bytes(stream) + b"\0", stored)

    assert unpack_jpeg(packed) == stream
    assert unpack_jpeg(packed + b"\0") == stream
    described = JpegXlDecoder().describe(packed)
    assert described.lossless is False
    assert described.details["jpeg_reconstruction"] == 1
    expected = decoder.describe_decoded(decoder.describe(stream), stored)
    assert JpegXlDecoder().describe_decoded(described, stored) == expected
    assert np.array_equal(JpegXlDecoder().decode(packed, stored), decoder.decode(stream, stored))


def test_rgb_components_stay_rgb() -> None:
    image = describe_image(**KINDS["rgb 8"], rows=64, columns=75)
    encoder, decoder = codec_for("jpeg", EncoderSettings(photometric="RGB"))
    stream = encoder.encode(smooth(image), image)
    packed = repack_jpeg(stream, image)

    assert unpack_jpeg(packed) == stream
    assert not jpegxl.describe(packed).component_transform
    assert np.array_equal(JpegXlDecoder().decode(packed, image), decoder.decode(stream, image))


@pytest.mark.parametrize("carried", CARRIED)
@pytest.mark.parametrize("kind", ["8", "rgb 8"])
def test_libjxl_shows_what_libjpeg_does(carried: str, kind: str) -> None:
    stream, _ = coded(kind, CARRIED[carried])
    image = describe_image(**KINDS[kind], rows=ROWS, columns=COLUMNS)
    image = codec_for("jpeg")[0].describe_encoded(image)
    packed = repack_jpeg(stream, image)

    assert unpack_jpeg(packed) == stream
    shown = np.asarray(imagecodecs.jpegxl_decode(packed))
    assert shown.shape == colors(stream).shape
    assert np.abs(block_means(shown) - block_means(colors(stream))).max() < 4


@pytest.mark.parametrize("carried", CARRIED)
@pytest.mark.parametrize("kind", ["8", "rgb 8"])
def test_what_others_repacked_is_decoded_as_its_jpeg(carried: str, kind: str) -> None:
    """libjxl applies what it finds: a turned image, three samples for gray, no word on YCbCr."""
    stream, expected = coded(kind, CARRIED[carried])
    packed = bytes(imagecodecs.jpegxl_encode_jpeg(stream))
    for stated in ("YBR_FULL_422", "YBR_FULL", "RGB") if kind != "8" else ("MONOCHROME2",):
        content, _ = make_file(
            ROWS, COLUMNS, expected[0, 0].size, bits_allocated=8, bits_stored=8, photometric=stated,
            transfer_syntax=JPEG_XL_JPEG, streams=[[packed], [packed]], frames=2,
        )  # fmt: skip
        out = io.BytesIO()
        report = convert(content, out, to="explicit-le", verify=True)
        made = np.frombuffer(out.getvalue()[-2 * expected.size :], np.uint8)

        assert np.array_equal(made.reshape(2, *expected.shape)[1], expected)
        shown = report.photometric_interpretation
        assert shown is not None
        assert shown[1] == ("MONOCHROME2" if kind == "8" else "YBR_FULL")
        assert b"ISO_10918_1" in out.getvalue()
        assert b"\x28\0\x10\x21CS\2\0" + b"01" in out.getvalue()


def test_any_frame_may_carry_a_profile(tmp_path: Path) -> None:
    frames = [coded("rgb 8", carried, seed) for seed, carried in enumerate((b"", ICC, exif(6)))]
    source = tmp_path / "source.dcm"
    content, _ = make_file(
        ROWS, COLUMNS, 3, bits_allocated=8, bits_stored=8, photometric="YBR_FULL_422", frames=3,
        transfer_syntax=JPEG, streams=[[stream] for stream, _ in frames],
    )  # fmt: skip
    source.write_bytes(content)
    convert(source, source, to="jpegxl-jpeg", overwrite=True)
    packed = source.read_bytes()
    for part, (stream, _) in zip(packed.split(b"\0\0\0\x0cJXL ")[1:], frames, strict=True):
        shown = np.asarray(imagecodecs.jpegxl_decode(b"\0\0\0\x0cJXL " + part))
        assert np.abs(block_means(shown) - block_means(colors(stream))).max() < 4
    back = convert_bytes(packed, to="jpeg", verify=True)
    for stream, _ in frames:
        assert stream in back
    native = convert_bytes(packed, to="explicit-le")
    assert native.endswith(b"".join(samples.tobytes() for _, samples in frames))


def test_each_frame_has_its_own_color_space() -> None:
    frames = [coded("rgb 8", photometric="RGB"), coded("rgb 8"), coded("rgb 8", ICC)]
    expected = [samples if at == 0 else colors(stream) for at, (stream, samples) in
                enumerate(frames)]  # fmt: skip
    for stated in ("RGB", "YBR_FULL_422"):
        content, _ = make_file(
            ROWS, COLUMNS, 3, bits_allocated=8, bits_stored=8, photometric=stated, frames=3,
            transfer_syntax=JPEG_XL_JPEG,
            streams=[[bytes(imagecodecs.jpegxl_encode_jpeg(stream))] for stream, _ in frames],
        )  # fmt: skip
        native = convert_bytes(content, to="explicit-le", photometric="RGB", verify=True)
        found = np.frombuffer(native[-3 * ROWS * COLUMNS * 3 :], np.uint8)
        error = found.reshape(3, ROWS, COLUMNS, 3).astype(int) - np.stack(expected)
        assert np.abs(error).max() <= 3, stated


def without_markers(stream: bytes) -> bytes:
    """Return a JPEG stream of components 1, 2, 3 that no JFIF or Adobe segment explains."""
    start = stream.index(b"\xff\xe0")
    length = int.from_bytes(stream[start + 2 : start + 4])
    return stream[:start] + stream[start + 2 + length :]


def test_what_libjxl_would_take_for_other_colors_is_refused() -> None:
    stream = without_markers(coded("rgb 8", subsampling="444")[0])
    image = describe_image(**KINDS["rgb 8"], rows=ROWS, columns=COLUMNS)
    ycbcr = replace(image, photometric_interpretation="YBR_FULL")

    assert unpack_jpeg(repack_jpeg(stream, ycbcr)) == stream
    with pytest.raises(EncodeError, match="YCbCr"):
        repack_jpeg(stream, image)
    partial = replace(image, photometric_interpretation="YBR_PARTIAL_422")
    with pytest.raises(UnsupportedImageError, match="other colors"):
        repack_jpeg(stream, partial)


def test_colors_that_come_out_otherwise_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, _ = coded("rgb 8")
    image = describe_image(**KINDS["rgb 8"], rows=ROWS, columns=COLUMNS)
    image = codec_for("jpeg")[0].describe_encoded(image)
    decode = imagecodecs.jpegxl_decode
    monkeypatch.setattr(
        import_late("imagecodecs"), "jpegxl_decode", lambda *a, **n: decode(*a, **n)[..., ::-1]
    )
    with pytest.raises(EncodeError, match="other colors"):
        repack_jpeg(stream, image)
    monkeypatch.setattr(
        import_late("imagecodecs"), "jpegxl_decode", lambda *a, **n: decode(*a, **n)[:-1]
    )
    with pytest.raises(EncodeError, match="39x75x3"):
        repack_jpeg(stream, image)


def test_a_disguise_that_is_not_found_again_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, _ = coded("8", ICC)
    monkeypatch.setattr(import_late("imagecodecs"), "brotli_decode", lambda _: b"")
    with pytest.raises(EncodeError, match="would be applied"):
        repack_jpeg(stream, describe_image(**KINDS["8"], rows=ROWS, columns=COLUMNS))


def with_factors(stream: bytes, factors: int) -> bytes:
    """Return a JPEG stream whose first component has other sampling factors."""
    frame_header = stream.index(b"\xff\xc0") + 11
    return stream[:frame_header] + bytes([factors]) + stream[frame_header + 1 :]


@pytest.mark.parametrize("factors", [0x41, 0x14, 0x42, 0x31])
def test_chroma_of_a_quarter_is_refused_with_a_way_out(factors: int) -> None:
    stream = with_factors(coded("rgb 8")[0], factors)
    content, _ = make_file(
        ROWS, COLUMNS, 3, bits_allocated=8, bits_stored=8, photometric="YBR_FULL_422",
        transfer_syntax=JPEG, streams=[[stream]],
    )  # fmt: skip
    with pytest.raises(UnsupportedImageError, match="sampling factors") as caught:
        convert_bytes(content, to="jpegxl-jpeg")
    assert "jpegxl-lossless" in str(caught.value.hint)


@pytest.mark.parametrize(("name", "kind"), [("jpeg-lossless", "8"), ("jpeg-extended", "16/12")])
def test_other_processes_are_refused(name: str, kind: str) -> None:
    image = describe_image(**KINDS[kind])
    with pytest.raises(UnsupportedImageError):
        repack_jpeg(codec_for(name)[0].encode(smooth(image), image), image)


def test_what_holds_no_jpeg_gives_none() -> None:
    image = describe_image(**KINDS["8"])
    with pytest.raises(CorruptFrameError):
        unpack_jpeg(codec_for("jpegxl-lossless")[0].encode(smooth(image), image))


def test_a_rebuilt_jpeg_of_another_size_is_refused() -> None:
    stream, _ = coded("8", exif(6))
    packed = imagecodecs.jpegxl_encode_jpeg(stream)
    for rows, columns in ((COLUMNS, ROWS), (ROWS, COLUMNS - 1)):
        image = describe_image(**KINDS["8"], rows=rows, columns=columns)
        with pytest.raises(FrameMismatchError):
            JpegXlDecoder().decode(packed, image)


def test_reconstruction_data_that_are_damaged_give_no_samples() -> None:
    stream, expected = coded("8")
    packed = bytearray(imagecodecs.jpegxl_encode_jpeg(stream))
    image = describe_image(**KINDS["8"], rows=ROWS, columns=COLUMNS)
    start = packed.index(b"jbrd") + 4
    for place in range(start, start + 60):
        damaged = bytes(packed[:place]) + bytes([packed[place] ^ 0x11]) + bytes(packed[place + 1 :])
        try:
            found = JpegXlDecoder().decode(damaged, image)
        except DicodecError:
            continue
        assert found.shape == expected.shape
    assert np.array_equal(JpegDecoder().decode(stream, image), expected)
