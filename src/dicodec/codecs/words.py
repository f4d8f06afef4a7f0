"""Words: a frame's samples without NumPy, as kernels read and write them; see `codecs.base`."""

from __future__ import annotations

from dicodec import _kernels
from dicodec.codecs.base import Buffer, Samples
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import numpy as np
else:
    np = import_late("numpy")


def has_words(image: ImagePixelDescription) -> bool:
    """Return whether there are kernels, and an image's samples are integers of 8 or 16 bits."""
    return (
        _kernels.COMPILED is not None
        and image.bits_allocated in {8, 16}
        and 1 <= image.bits_stored <= image.bits_allocated
        and not image.floating
    )


def stores_words(image: ImagePixelDescription) -> bool:
    """Return whether stored containers are words, if no bit is set above Bits Stored."""
    return has_words(image) and image.high_bit == image.bits_stored - 1 and not image.overlay_bits


def fit_words(words: Buffer, image: ImagePixelDescription) -> bool:
    """Return whether all words of an image that has them lie within Bits Stored."""
    assert _kernels.COMPILED is not None, "`has_words` was asked"
    size = image.bits_allocated // 8
    return bool(_kernels.COMPILED.fit_words(words, size, image.bits_stored, image.signed))


def swap_words(words: Buffer, image: ImagePixelDescription) -> Buffer:
    """Return the words of an image that has them in the other byte order."""
    assert _kernels.COMPILED is not None, "`has_words` was asked"
    if image.bits_allocated == 8:
        return words
    swapped: bytearray = _kernels.COMPILED.swap_words(words, 2)
    return swapped


def view_words(samples: Samples) -> memoryview:
    """Return the bytes of samples, which are contiguous, without a copy."""
    return samples.reshape(-1).view(np.uint8).data


def view_samples(words: Buffer, image: ImagePixelDescription) -> Samples:
    """Return the samples of a frame's words without a copy."""
    return np.frombuffer(words, image.dtype).reshape(image.shape)
