"""Native frames whose chroma has half the columns (PS3.3 C.7.6.3.1.2), brought to full."""

from __future__ import annotations

from dicodec.codecs.base import Samples
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import numpy as np
else:
    np = import_late("numpy")

_HALVED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})


def is_subsampled(image: ImagePixelDescription) -> bool:
    """Return whether a native frame of the image has half the chroma."""
    return image.photometric_interpretation in _HALVED and image.samples_per_pixel == 3


def upsample(words: Samples, image: ImagePixelDescription) -> Samples:
    """Return the samples by pixel of a YBR_FULL_422 or YBR_PARTIAL_422 frame, in their range.

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
    return np.ascontiguousarray(full)


def subsample(samples: Samples) -> Samples:
    """Return a frame in the order Y1 Y2 Cb Cr; the chroma of each second pixel is left out.

    Args:
        samples: by pixel, with an even number of columns, chroma equal within each pair.
    """
    rows, columns, _ = samples.shape
    quads = np.empty((rows, columns // 2, 4), samples.dtype)
    quads[..., 0] = samples[:, 0::2, 0]
    quads[..., 1] = samples[:, 1::2, 0]
    quads[..., 2:] = samples[:, 0::2, 1:]
    return quads
