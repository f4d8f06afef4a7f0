"""Words: a frame's samples without NumPy, as kernels read and write them; see `codecs.base`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicodec.codecs.base import Buffer, Samples
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late

if TYPE_CHECKING:
    import numpy as np
else:
    np = import_late("numpy")


def has_words(image: ImagePixelDescription) -> bool:
    """Return whether an image's samples may be words: integers in containers of 8 or 16 bits."""
    return image.bits_allocated in {8, 16} and not image.floating


def view_words(samples: Samples) -> memoryview:
    """Return the bytes of samples, which are contiguous, without a copy."""
    return samples.reshape(-1).view(np.uint8).data


def view_samples(words: Buffer, image: ImagePixelDescription) -> Samples:
    """Return the samples of a frame's words without a copy."""
    return np.frombuffer(words, image.dtype).reshape(image.shape)
