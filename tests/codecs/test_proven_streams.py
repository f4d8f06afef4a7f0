"""Encoders that lose samples, or fail, with some settings: their streams are decoded at once."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec import convert
from dicodec.errors import EncodeError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.late_import import import_late
from helpers.codec_images import KINDS, Samples, codec_for, describe_image, fill
from helpers.made import make_file
from helpers.witnesses import same_samples

BLACK = (0, 0, 0)
LIKE_BLACK = ((7, 6, 66), (172, 181, 1), (33, 123, 2), (150, 64, 3), (11, 6, 4), (128, 203, 4))
"""Colors that libjxl's effort 1 finds in black's place of its palette."""


def painted(rows: int, columns: int, black: int, color: tuple[int, int, int]) -> Samples:
    """Return an image of so many black pixels, then of a color and of others."""
    palette = np.array([BLACK, color, (9, 200, 30), (255, 255, 255), (1, 1, 1)], np.uint8)
    chosen = np.random.default_rng(rows).integers(1, len(palette), rows * columns)
    chosen[:black] = 0
    chosen[black] = 1
    return palette[chosen].reshape(rows, columns, 3)


@pytest.mark.parametrize("color", LIKE_BLACK)
@pytest.mark.parametrize(("rows", "columns", "black"), [(1, 2, 1), (40, 50, 700), (270, 300, 9)])
def test_black_stays_black_in_jpeg_xl(
    color: tuple[int, int, int], rows: int, columns: int, black: int
) -> None:
    samples = painted(rows, columns, black, color)
    image = describe_image(**KINDS["rgb 8"], rows=rows, columns=columns)
    encoder, decoder = codec_for("jpegxl-lossless")
    assert np.array_equal(decoder.decode(encoder.encode(samples, image), image), samples)


@pytest.mark.parametrize("verify", [False, True])
def test_frames_with_black_are_converted(verify: bool) -> None:
    frames = np.stack([painted(8, 9, 5, color) for color in LIKE_BLACK])
    content, _ = make_file(
        8, 9, 3, bits_allocated=8, bits_stored=8, photometric="RGB", frames=len(frames),
        pixels=frames,
    )  # fmt: skip
    packed, back = io.BytesIO(), io.BytesIO()
    convert(content, packed, to="jpegxl-lossless", verify=verify)
    convert(packed.getvalue(), back, to="explicit-le")

    assert back.getvalue().endswith(frames.tobytes())


KINDS_OF_JPEG_XL = ("8", "8 signed", "rgb 8")


def losing(encode: Callable[..., Any], efforts: set[int]) -> Callable[..., Any]:
    """Return an encoder that changes a sample at some efforts."""

    def lose(samples: Samples, *arguments: Any, effort: int, **named: Any) -> Any:
        if effort in efforts:
            samples = samples.copy()
            samples.reshape(-1)[-1] ^= 1
        return encode(samples, *arguments, effort=effort, **named)

    return lose


@pytest.mark.parametrize("kind", KINDS_OF_JPEG_XL)
def test_a_stream_that_decodes_to_other_samples_is_not_used(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = describe_image(**KINDS[kind])
    samples = fill(image, "noise")
    encoder, decoder = codec_for("jpegxl-lossless")
    encode = imagecodecs.jpegxl_encode
    monkeypatch.setattr(import_late("imagecodecs"), "jpegxl_encode", losing(encode, {1}))
    assert same_samples(decoder.decode(encoder.encode(samples, image), image), samples)

    monkeypatch.setattr(import_late("imagecodecs"), "jpegxl_encode", losing(encode, {1, 2}))
    with pytest.raises(EncodeError, match="lost samples"):
        encoder.encode(samples, image)


@pytest.mark.parametrize(("kind", "effort"), [("rgb 8", 3), ("rgb 16", 1), ("16/12", 1)])
def test_what_has_no_fault_is_used_as_it_is(
    kind: str, effort: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = describe_image(**KINDS[kind])
    encoder, _ = codec_for("jpegxl-lossless", EncoderSettings(effort=effort))
    monkeypatch.delattr(imagecodecs, "jpegxl_decode")
    encoder.encode(fill(image, "noise"), image)


@given(st.integers(0, 2**32), st.integers(2, 40), st.sampled_from([1, 3]), st.booleans())
def test_few_colors_of_16_bits_are_exact(seed: int, count: int, samples: int, runs: bool) -> None:
    """Effort 1 has no palette for them, so such a stream is not decoded before it is used."""
    random = np.random.default_rng(seed)
    colors = random.integers(0, random.choice([8, 256, 65536]), (count, samples), np.uint16)
    colors[0] = 0
    chosen = random.integers(0, count, 20 * 30)
    frame = colors[np.sort(chosen) if runs else chosen].reshape(20, 30, samples)
    frame = frame if samples == 3 else frame[..., 0]
    image = describe_image(**KINDS["rgb 16" if samples == 3 else "16"], rows=20, columns=30)
    encoder, decoder = codec_for("jpegxl-lossless")
    assert same_samples(decoder.decode(encoder.encode(frame, image), image), frame)


def test_one_bit_color_in_jpeg_2000() -> None:
    """OpenJPEG fails with one such image in ten."""
    encoder, decoder = codec_for("jpeg2000-lossless")
    image = describe_image(
        allocated=8, stored=1, samples=3, pi="RGB", rows=76, columns=50
    )  # fmt: skip
    for seed in range(60):
        samples = fill(image, "noise", seed)
        assert np.array_equal(decoder.decode(encoder.encode(samples, image), image), samples)
