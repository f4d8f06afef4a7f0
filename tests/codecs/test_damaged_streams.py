"""Truncated and damaged streams end in our errors: never in made-up pixels, never in a crash."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from dicodec.codecs.base import Decoder
from dicodec.codecs.jpeg_repacking import repack_jpeg, unpack_jpeg
from dicodec.codecs.jpegxl import JpegXlDecoder
from dicodec.codecs.table import find_decoder
from dicodec.errors import CorruptFrameError, DicodecError, FrameError, TruncatedFrameError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import ImagePixelDescription
from helpers.codec_images import KINDS, Samples, codec_for, describe_image, smooth, syntax_named

COMPRESSED = {
    "deflated-frame": "16/12",
    "rle": "16 signed",
    "jpeg": "rgb 8",
    "jpeg-extended": "16/12",
    "jpeg-lossless": "16/12 signed",
    "jpeg-ls": "rgb 8",
    "jpeg-ls-near": "16/12",
    "jpeg2000-lossless": "rgb 8",
    "jpeg2000": "16/12",
    "htj2k-lossless": "16 signed",
    "htj2k": "rgb 8",
    "jpegxl-lossless": "16/12",
    "jpegxl": "rgb 8",
}


def _example(name: str) -> tuple[bytes, ImagePixelDescription, Decoder, Samples]:
    image = describe_image(**KINDS[COMPRESSED[name]], rows=40, columns=37)
    noise = np.random.default_rng(1).integers(0, 20, image.shape)
    samples = (smooth(image) + noise).astype(image.dtype)
    encoder, decoder = codec_for(name, EncoderSettings(quality=90))
    stored = encoder.describe_encoded(image)
    stream = bytes(encoder.encode(samples, image))
    return stream, stored, decoder, decoder.decode(stream, stored)


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_truncated_stream_is_said_to_be_truncated(name: str) -> None:
    stream, image, decoder, _ = _example(name)
    cuts = {*range(90), *range(len(stream) - 25, len(stream))}
    cuts |= set(range(0, len(stream), max(len(stream) // 60, 1)))
    for cut in sorted(cuts & set(range(len(stream)))):
        with pytest.raises(TruncatedFrameError):
            decoder.decode(stream[:cut], image)


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_truncated_stream_that_was_padded_is_an_error(name: str) -> None:
    stream, image, decoder, _ = _example(name)
    for cut in range(3, len(stream), max(len(stream) // 40, 1)):
        with pytest.raises(FrameError):
            decoder.decode(stream[:cut] + b"\0" * 2, image)


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("padding", [b"\0", b"\0\0", b"\0" * 9])
def test_padding_behind_the_stream_is_ignored(name: str, padding: bytes) -> None:
    stream, image, decoder, expected = _example(name)

    assert np.array_equal(decoder.decode(stream + padding, image), expected)
    assert np.array_equal(decoder.decode(memoryview(stream + padding), image), expected)
    assert np.array_equal(decoder.decode(bytearray(stream), image), expected)


@pytest.mark.parametrize("name", COMPRESSED)
def test_flipped_bits_give_samples_or_our_errors(name: str) -> None:
    stream, image, decoder, expected = _example(name)
    random = np.random.default_rng(7)
    for _ in range(150):
        damaged = bytearray(stream)
        for place in random.integers(0, len(stream) if random.random() < 0.5 else 80, 3):
            damaged[min(int(place), len(stream) - 1)] ^= 1 << int(random.integers(8))
        try:
            decoder.describe(bytes(damaged))
            samples = decoder.decode(bytes(damaged), image)
        except DicodecError:
            continue
        assert samples.shape == expected.shape
        assert samples.dtype == expected.dtype
        low, high = image.sample_range
        assert low <= samples.min()
        assert samples.max() <= high


@pytest.mark.parametrize("name", COMPRESSED)
def test_any_bytes_give_our_errors(name: str) -> None:
    stream, image, decoder, _ = _example(name)
    random = np.random.default_rng(11)
    for length in (0, 1, 2, 3, 8, 11, 12, 13, 63, 64, 65, 200):
        for head in (b"", stream[:2], stream[:4], stream[:12], stream[:60]):
            noise = head + random.bytes(length)
            with contextlib.suppress(FrameError):
                decoder.describe(noise)
            try:
                samples = decoder.decode(noise, image)
            except DicodecError:
                continue
            assert samples.shape == image.shape


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_stream_of_another_size_is_not_reshaped(name: str) -> None:
    stream, image, decoder, _ = _example(name)
    other = describe_image(
        allocated=image.bits_allocated,
        stored=image.bits_stored,
        signed=image.pixel_representation,
        samples=image.samples_per_pixel,
        pi=image.photometric_interpretation,
        rows=image.columns,
        columns=image.rows,
    )
    if name in {"deflated-frame", "rle"}:
        # Their streams do not tell the size, only the number of samples.
        other = describe_image(**KINDS[COMPRESSED[name]], rows=41, columns=37)
    with pytest.raises(FrameError):
        decoder.decode(stream, other)


def test_a_stream_of_another_kind_is_refused() -> None:
    jpeg_ls = _example("jpeg-ls")[0]
    for name in ("jpeg-lossless", "jpeg2000-lossless", "jpegxl-lossless"):
        with pytest.raises(FrameError):
            find_decoder(syntax_named(name)).describe(jpeg_ls)


def test_a_missing_end_of_jpeg_ls_is_found_at_once() -> None:
    """CharLS alone takes seconds to give up on this."""
    image = describe_image(rows=1024, columns=1024)
    encoder, decoder = codec_for("jpeg-ls")
    samples = np.random.default_rng(1).integers(0, 65536, image.shape).astype("<u2")
    stream = encoder.encode(samples, image)

    with pytest.raises(TruncatedFrameError):
        decoder.decode(stream[: len(stream) // 2], image)


def test_repacked_jpeg_that_is_truncated() -> None:
    stream, image, _, _ = _example("jpeg")
    packed = repack_jpeg(stream, image)
    for cut in range(0, len(packed), 13):
        with pytest.raises(FrameError):
            unpack_jpeg(packed[:cut])
        with pytest.raises(FrameError):
            JpegXlDecoder().decode(packed[:cut], image)
    with pytest.raises(TruncatedFrameError):
        repack_jpeg(stream[:-2], image)


def test_an_rle_header_that_lies() -> None:
    stream, image, decoder, _ = _example("rle")
    for place, value in ((0, 0), (0, 1), (0, 16), (4, 0), (4, 63), (8, 64), (8, 2**31)):
        damaged = bytearray(stream)
        damaged[place : place + 4] = value.to_bytes(4, "little")
        with pytest.raises(FrameError):
            decoder.decode(bytes(damaged), image)


def test_a_deflated_frame_never_grows_past_the_image() -> None:
    big = describe_image(rows=4000, columns=4000)
    encoder, decoder = codec_for("deflated-frame")
    bomb = encoder.encode(np.zeros(big.shape, "<u2"), big)

    with pytest.raises(FrameError, match="more than"):
        decoder.decode(bomb, describe_image(rows=10, columns=10))


def test_a_jpeg_without_soi_is_corrupt() -> None:
    _, image, decoder, _ = _example("jpeg")
    with pytest.raises(CorruptFrameError):
        decoder.decode(b"\0" * 400, image)
