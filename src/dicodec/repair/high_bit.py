"""A High Bit that says otherwise than the bits which native samples are in (PS3.5 8.1.1)."""

from __future__ import annotations

from dataclasses import replace

from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.part10.elements import ElementSpan
from dicodec.part10.source import ByteSource
from dicodec.repair.image_attributes import Known

_PIECE = 1 << 22


def known_from_bits(
    source: ByteSource, span: ElementSpan, image: ImagePixelDescription, *, big_endian: bool
) -> Known:
    """Return High Bit as Bits Stored - 1, where it is said to be higher and all samples show it.

    They do where bits below the stated place of samples are set, which would be lost, and every
    word, taken from its lowest bit, is a number of Bits Stored. Files with a High Bit above
    Bits Stored - 1 are rare; only theirs are read for it, in pieces.

    Args:
        source: of the element.
        span: Pixel Data, native.
        image: as it is described.
        big_endian: byte order of the samples.
    """
    below = (1 << image.high_bit + 1 - image.bits_stored) - 1 & ~image.overlay_bits
    if not below or image.floating or image.bits_allocated not in {8, 16, 32}:
        return {}
    import numpy as np  # 80 ms, for few files

    low, high = replace(image, high_bit=image.bits_stored - 1).sample_range
    size = image.bits_allocated // 8
    type_of_words = f"{'>' if big_endian else '<'}{'i' if image.signed else 'u'}{size}"
    lost = False
    for start in range(0, span.length, _PIECE):
        piece = source.read(span.value + start, min(_PIECE, span.length - start))
        words = np.frombuffer(piece[: len(piece) // size * size], type_of_words)
        if not words.size:
            break
        if words.min() < low or words.max() > high:
            return {}
        lost = lost or bool((words & words.dtype.type(below)).any())
    return {tags.HIGH_BIT: image.bits_stored - 1} if lost else {}
