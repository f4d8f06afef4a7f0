"""JPEG streams whose entropy-coded data ends early although their markers are all there."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
import pytest

from dicodec.codecs.jpeg import JpegDecoder
from dicodec.codecs.streams.jpeg_markers import SOS, walk
from dicodec.errors import TruncatedFrameError
from dicodec.model.image import ImagePixelDescription

ROWS, COLUMNS = 61, 83
RANDOM = np.random.default_rng(4)


def image(samples: int, bits: int, photometric: str) -> ImagePixelDescription:
    return ImagePixelDescription(
        ROWS, COLUMNS, samples, photometric, 8 if bits <= 8 else 16, bits, bits - 1, 0
    )


GRAY, COLOR = image(1, 8, "MONOCHROME2"), image(3, 8, "YBR_FULL_422")
GRAY_12, GRAY_16 = image(1, 12, "MONOCHROME2"), image(1, 16, "MONOCHROME2")


def samples_of(kind: ImagePixelDescription, border: int | None) -> Any:
    """Return noise; within a border of one value, where one is given."""
    samples = RANDOM.integers(0, 1 << kind.bits_stored, kind.shape, dtype=kind.dtype)
    if border is not None:
        samples[-20:], samples[:, -20:] = border, border
    return samples


def encoded(kind: ImagePixelDescription, samples: Any, lossless: bool) -> bytes:
    if lossless:
        options: dict[str, Any] = {"lossless": True, "predictor": 1}
    else:
        options = {"level": 90}
    colors = "YCBCR" if kind.samples_per_pixel == 3 else "GRAYSCALE"
    return bytes(
        imagecodecs.jpeg8_encode(
            samples, colorspace=colors, outcolorspace=colors, bitspersample=kind.bits_stored,
            **options,
        )
    )  # fmt: skip


KINDS = [
    pytest.param(GRAY, False, id="baseline"),
    pytest.param(COLOR, False, id="baseline-color"),
    pytest.param(GRAY_12, False, id="extended"),
    pytest.param(GRAY_16, True, id="lossless"),
]


def scan_of(stream: bytes) -> tuple[int, int]:
    (start,) = (one.end for one in walk(stream, 0) if one.marker == SOS)
    return start, len(stream) - 2


@pytest.mark.parametrize("border", [None, 0, 128])
@pytest.mark.parametrize(("kind", "lossless"), KINDS)
def test_data_that_is_missing_is_missed(
    kind: ImagePixelDescription, lossless: bool, border: int | None
) -> None:
    stream = encoded(kind, samples_of(kind, border), lossless)
    decoder = JpegDecoder()
    whole = decoder.decode(stream, kind)
    assert whole.shape == kind.shape
    start, end = scan_of(stream)
    for share in (0.1, 0.4, 0.7, 0.95):
        cut = start + int((end - start) * share)
        if stream[cut - 1] == 0xFF:
            cut -= 1
        with pytest.raises(TruncatedFrameError, match="ends before its last pixel"):
            decoder.decode(stream[:cut] + stream[end:], kind)


@pytest.mark.parametrize(("kind", "lossless"), KINDS)
def test_flat_images_are_whole(kind: ImagePixelDescription, lossless: bool) -> None:
    for value in (0, 1 << kind.bits_stored - 1):
        flat = np.full(kind.shape, value, kind.dtype)
        decoded = JpegDecoder().decode(encoded(kind, flat, lossless), kind)
        assert np.ptp(decoded) == 0
