"""JPEG 2000 and HTJ2K decoded with and without the kernel, and what came of it compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from dicodec.codecs.jpeg2000 import Jpeg2000Decoder
from dicodec.errors import DicodecError
from dicodec.model.image import ImagePixelDescription
from helpers.kernels import without_kernels

type Pixels = np.ndarray[Any, Any]
type Outcome = Pixels | tuple[type[DicodecError], str]

DECODER = Jpeg2000Decoder()


def describe(
    pixels: Pixels, stored: int, *, rgb: str = "RGB", lossy: bool = False
) -> ImagePixelDescription:
    """Describe an image by its pixels; one of three samples has the interpretation given."""
    rows, columns = pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else 3
    return ImagePixelDescription(
        rows, columns, samples, "MONOCHROME2" if samples == 1 else rgb, 8 * pixels.itemsize,
        stored, stored - 1, int(pixels.dtype.kind == "i"), lossy=lossy,
    )  # fmt: skip


def decode(stream: bytes, image: ImagePixelDescription) -> Outcome:
    """Return the samples of a stream, or the error."""
    try:
        return DECODER.decode(stream, image)
    except DicodecError as error:
        return type(error), str(error)


def decode_by_library(stream: bytes, image: ImagePixelDescription) -> Outcome:
    """Return what `decode` returns without the kernel."""
    with without_kernels():
        return decode(stream, image)


def same(one: Outcome, other: Outcome, most: int = 0) -> bool:
    """Return whether two outcomes are the same error, or samples that differ by `most` at most."""
    if isinstance(one, tuple) or isinstance(other, tuple):
        return isinstance(one, tuple) and isinstance(other, tuple) and one == other
    return one.dtype == other.dtype and bool((abs(one.astype(int) - other) <= most).all())
