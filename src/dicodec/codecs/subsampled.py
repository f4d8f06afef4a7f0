"""Native frames whose chroma has half the columns (PS3.3 C.7.6.3.1.2), brought to full."""

from __future__ import annotations

import numpy as np

from dicodec.codecs.base import Samples
from dicodec.model.image import ImagePixelDescription


def upsampled(words: Samples, image: ImagePixelDescription) -> Samples:
    """Return YBR_FULL samples by pixel of a YBR_FULL_422 or YBR_PARTIAL_422 frame.

    Two pixels are stored as Y1 Y2 Cb Cr, their chroma sited on the first; both get it. In a row
    of odd length the last pixel's pair is stored and left out here.

    Args:
        words: the samples in the order of the frame.
        image: the frame's description.
    """
    pairs = (image.columns + 1) // 2
    quads = words[: image.rows * pairs * 4].reshape(image.rows, pairs, 4)
    full = np.empty((image.rows, 2 * pairs, 3), words.dtype)
    full[:, 0::2, 0] = quads[:, :, 0]
    full[:, 1::2, 0] = quads[:, :, 1]
    for column in (0, 1):
        full[:, column::2, 1:] = quads[:, :, 2:]
    full = full[:, : image.columns]
    if image.photometric_interpretation == "YBR_PARTIAL_422":
        full = _full_range(full, image.bits_stored)
    return np.ascontiguousarray(full)


def _full_range(samples: Samples, bits_stored: int) -> Samples:
    """Stretch video range to full range: Y 16 to 235 and Cb, Cr 16 to 240, of 8 bits."""
    unit = 1 << (bits_stored - 8)
    top = (1 << bits_stored) - 1
    middle = 128 * unit
    wide = samples.astype(np.float64)
    wide[..., 0] = (wide[..., 0] - 16 * unit) * (top / (219 * unit))
    wide[..., 1:] = (wide[..., 1:] - middle) * (top / (224 * unit)) + middle
    return np.clip(np.rint(wide), 0, top).astype(samples.dtype)
