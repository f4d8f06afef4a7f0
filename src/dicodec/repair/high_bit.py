"""A High Bit that contradicts the bits that samples are in (PS3.5 8.1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dicodec.codecs.table import find_decoder
from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.limits import Limits
from dicodec.model.records import replace
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.fragments import EncapsulatedFrames
from dicodec.part10.source import ByteSource
from dicodec.repair.image_attributes import Known
from dicodec.rules.claimed_sizes import check_decoded_size

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
else:
    np = import_late("numpy")

OF_WORDS = frozenset({"rle", "deflated-frame", "encapsulated-uncompressed"})
"""Families of encapsulated transfer syntaxes whose streams hold whole words, unused bits too."""

_PIECE = 1 << 22


def deduce_from_bits(words: Iterable[NDArray[Any]], image: ImagePixelDescription) -> Known:
    """Return High Bit as Bits Stored - 1 if it is stated higher and all samples show it.

    They do if bits below the stated position of samples are set, which would be lost, and every
    word, taken from its lowest bit, is a number of Bits Stored. Files with a High Bit above
    Bits Stored - 1 are rare; only theirs are read for it.

    Args:
        words: of the pixels, with the image's sign and all their bits.
        image: as it is described.
    """
    below = (1 << image.high_bit + 1 - image.bits_stored) - 1 & ~image.overlay_bits
    if not below or image.floating or image.bits_allocated not in {8, 16, 32}:
        return {}
    low, high = image.sample_range
    lost = False
    for some in words:
        if not some.size:
            continue
        if some.min() < low or some.max() > high:
            return {}
        lost = lost or bool((some & below).any())
    return {tags.HIGH_BIT: image.bits_stored - 1} if lost else {}


def holds_words(words: Iterable[NDArray[Any]], image: ImagePixelDescription) -> bool:
    """Whether all words hold no more than a sample of Bits Stored, its sign above it aside."""
    from dicodec.pixels.bits import count_words_with_more

    return not any(
        count_words_with_more(
            some.astype(f"<u{some.dtype.itemsize}"), image.bits_stored, 0, signed=image.signed
        )
        for some in words
    )


def read_native_words(
    source: ByteSource, span: ElementSpan, image: ImagePixelDescription, *, big_endian: bool
) -> Iterator[NDArray[Any]]:
    """Yield the words of native Pixel Data, in pieces of bounded size."""
    words = np.dtype(image.dtype).newbyteorder(">" if big_endian else "<")
    for start in range(0, span.length, _PIECE):
        piece = source.read(span.value + start, min(_PIECE, span.length - start))
        yield np.frombuffer(piece[: len(piece) // words.itemsize * words.itemsize], words)


def read_frame_words(
    source: ByteSource,
    frames: EncapsulatedFrames,
    syntax: TransferSyntax,
    image: ImagePixelDescription,
    limits: Limits,
) -> Iterator[NDArray[Any]]:
    """Yield the words of each frame.

    Raises:
        DicodecError: a frame cannot be decoded, or is too large.
    """
    decoder = find_decoder(syntax)
    whole = replace(image, bits_stored=image.bits_allocated, high_bit=image.bits_allocated - 1)
    for frame in range(len(frames)):
        stream = frames.read(source, frame)
        check_decoded_size(image, limits)
        yield decoder.decode(stream, whole)
