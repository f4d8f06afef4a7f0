"""Bits of samples: packing 1-bit samples, sign extension, masking, and the check of Bits Stored."""

from __future__ import annotations

from dicodec import _kernels
from dicodec.errors import SampleRangeError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
else:
    np = import_late("numpy")

type Buffer = bytes | bytearray | memoryview
type Array = NDArray[Any]


def unpack(data: Buffer, count: int, first_bit: int = 0) -> NDArray[np.uint8]:
    """Return `count` 1-bit samples, a byte each; the first sample is the lowest bit (PS3.5 8.1.1).

    Args:
        data: packed samples; bits past the last sample are ignored.
        count: number of samples.
        first_bit: bit of the first byte at which the samples begin, 0 to 7: native frames of Bits
            Allocated 1 follow each other without padding, so one may begin inside a byte.

    Raises:
        ValueError: `data` holds fewer samples.
    """
    packed = np.frombuffer(data, np.uint8, count=(first_bit + count + 7) // 8)
    bits = np.unpackbits(packed, count=first_bit + count, bitorder="little")
    return bits[first_bit:]


def pack(samples: Array, first_bit: int = 0) -> bytes:
    """Return 1-bit samples packed as by `unpack`; bits before and after the samples are 0."""
    bits = samples.reshape(-1).astype(np.uint8, copy=False)
    if first_bit:
        bits = np.concatenate([np.zeros(first_bit, np.uint8), bits])
    return np.packbits(bits, bitorder="little").tobytes()


def find_coded_size(bits: int) -> int:
    """Return the bytes of the smallest NumPy integer of at least `bits` bits."""
    return next(size for size in (1, 2, 4, 8) if bits <= 8 * size)


def mask(samples: Array, bits: int) -> Array:
    """Return the lowest `bits` bits of each sample, unsigned, in the smallest integer they fit.

    Codecs that know no sign see signed samples so: with 12 bits, -1 (0xFFFF in 16 bits) becomes
    0x0FFF. If nothing has to change, the result is a view of `samples`.
    """
    unsigned = samples.view(f"u{samples.itemsize}") if samples.dtype.kind == "i" else samples
    if samples.dtype.kind == "i" and bits < 8 * samples.itemsize:
        unsigned = unsigned & unsigned.dtype.type((1 << bits) - 1)
    return unsigned.astype(f"<u{find_coded_size(bits)}", copy=False)


def narrow(samples: Array, bits: int) -> Array:
    """Return samples in the smallest integer of at least `bits` bits, their sign kept."""
    return samples.astype(f"<{samples.dtype.kind}{find_coded_size(bits)}", copy=False)


def extend_sign(samples: Array, bits: int, dtype: str) -> Array:
    """Return the lowest `bits` bits of unsigned samples read as two's complement.

    With 12 bits 0x0FFF becomes -1: shifted to the top of the container, 0xFFF0, then back with the
    sign drawn along.
    """
    wanted = np.dtype(dtype)
    unsigned = samples.astype(f"<u{wanted.itemsize}", copy=False)
    signed = unsigned.view(wanted)
    unused = 8 * wanted.itemsize - bits
    if not unused:
        return signed
    shift = wanted.type(unused)
    raised: Array = np.left_shift(signed, shift)
    np.right_shift(raised, shift, out=raised)
    return raised


def count_words_with_more(words: Array, stored: int, overlay_bits: int, *, signed: bool) -> int:
    """Return how many words have bits set above a sample's that are neither sign nor overlay.

    Args:
        words: unsigned; samples begin at bit 0.
        stored: bits of a sample.
        overlay_bits: mask of the bits of a word that hold overlays.
        signed: whether the bits above may all repeat the sample's sign.
    """
    kind = words.dtype.type
    unused = kind(((1 << 8 * words.itemsize) - 1) & ~((1 << stored) - 1) & ~overlay_bits)
    if not overlay_bits and words.size and int(words.max()) < 1 << stored:
        return 0
    above = words & unused
    if not signed:
        return int(np.count_nonzero(above))
    negative = (words & kind(1 << stored - 1)) != 0
    return int(np.count_nonzero((above != 0) & ((above != unused) | ~negative)))


def find_outside_range(samples: Array, image: ImagePixelDescription) -> tuple[int, int] | None:
    """Return the smallest and largest sample if either is outside Bits Stored, else None."""
    if image.floating or not samples.size:
        return None
    low, high = image.sample_range
    container = np.iinfo(samples.dtype)
    if low <= container.min and container.max <= high:
        return None
    if _are_known_to_fit(samples, image):
        return None
    smallest, largest = int(samples.min()), int(samples.max())
    return (smallest, largest) if smallest < low or largest > high else None


def _are_known_to_fit(samples: Array, image: ImagePixelDescription) -> bool:
    """Return whether a kernel says that samples of an image's own type lie within Bits Stored."""
    return (
        _kernels.COMPILED is not None
        and samples.dtype == image.dtype
        and samples.flags.c_contiguous
        and _kernels.COMPILED.fit_words(samples, samples.itemsize, image.bits_stored, image.signed)
    )


def check_range(samples: Array, image: ImagePixelDescription) -> None:
    """Check that all samples lie within Bits Stored.

    Called before every encoder, because codec libraries clip or wrap other samples silently.

    Raises:
        SampleRangeError: a sample is outside.
    """
    if found := find_outside_range(samples, image):
        low, high = image.sample_range
        raise SampleRangeError(
            f"samples reach from {found[0]} to {found[1]}, but Bits Stored {image.bits_stored} "
            f"holds {low} to {high}",
            attribute="BitsStored",
        )
