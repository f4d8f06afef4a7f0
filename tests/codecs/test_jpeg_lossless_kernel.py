"""The kernel of lossless JPEG: held against libjpeg both ways, and against independent readers."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import _kernels
from dicodec.model.image import ImagePixelDescription

type Pixels = np.ndarray[Any, Any]

KERNELS: Any = _kernels.COMPILED
MONO, RGB, YBR = "MONOCHROME2", "RGB", "YBR_FULL"


def test_there_are_kernels_to_test() -> None:
    assert KERNELS is not None, "build them: python setup.py build_ext --inplace"


def describe(
    pixels: Pixels, stored: int, photometric: str = MONO, signed: int = 0
) -> ImagePixelDescription:
    rows, columns = pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else 3
    allocated = 8 * pixels.itemsize
    return ImagePixelDescription(
        rows, columns, samples, photometric, allocated, stored, stored - 1, signed
    )


def encode_by_library(
    pixels: Pixels, precision: int, predictor: int, photometric: str = MONO
) -> bytes:
    space = {MONO: "GRAYSCALE", RGB: "RGB", YBR: "UNKNOWN"}[photometric]
    return bytes(
        imagecodecs.jpeg8_encode(
            pixels.astype(np.uint8 if precision <= 8 else np.uint16), lossless=True,
            predictor=predictor, bitspersample=precision, colorspace=space, outcolorspace=space,
        )
    )  # fmt: skip


def encode_by_kernel(
    pixels: Pixels, precision: int, predictor: int, photometric: str = MONO
) -> bytes:
    image = describe(pixels, precision, photometric)
    stream = KERNELS.encode_jpeg_lossless(
        pixels.tobytes(), image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
        image.bits_stored, False, precision, predictor, photometric == RGB,
    )  # fmt: skip
    return bytes(stream)


def decode_by_kernel(stream: bytes, image: ImagePixelDescription) -> Pixels | None:
    words = KERNELS.decode_jpeg_lossless(
        stream, image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
        image.bits_stored, image.signed,
    )  # fmt: skip
    return None if words is None else np.frombuffer(words, image.dtype).reshape(image.shape)


def draw_pixels(data: st.DataObject, precision: int, samples: int) -> Pixels:
    """Draw an image of noise, of a smooth surface, of few values or of steps that wrap around."""
    rows, columns = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 40))
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    top = (1 << precision) - 1
    kind = data.draw(st.sampled_from(["noise", "smooth", "few", "edges", "flat"]))
    if kind == "noise":
        values = random.integers(0, top, shape, endpoint=True)
    elif kind == "smooth":
        values = random.integers(-1, 1, shape, endpoint=True).cumsum(axis=1) + top // 2
    elif kind == "few":
        values = random.integers(0, min(top, 2), shape, endpoint=True)
    elif kind == "edges":
        values = random.choice([0, top, top // 2, top // 2 + 1], shape)
    else:
        values = np.full(shape, data.draw(st.integers(0, top)))
    wide = precision > 8 or data.draw(st.booleans())
    return values.clip(0, top).astype("<u2" if wide else "u1")


PHOTOMETRIC = st.sampled_from([MONO, RGB, YBR])


@settings(deadline=None, max_examples=400)
@given(
    precision=st.integers(2, 16), predictor=st.integers(1, 7), photometric=PHOTOMETRIC,
    data=st.data(),
)  # fmt: skip
def test_streams_are_those_of_libjpeg_and_are_read_back(
    precision: int, predictor: int, photometric: str, data: st.DataObject
) -> None:
    pixels = draw_pixels(data, precision, 1 if photometric == MONO else 3)
    expected = encode_by_library(pixels, precision, predictor, photometric)
    assert encode_by_kernel(pixels, precision, predictor, photometric) == expected
    decoded = decode_by_kernel(expected, describe(pixels, precision, photometric))
    assert decoded is not None
    assert decoded.dtype == pixels.dtype
    assert np.array_equal(decoded, pixels)
