"""An overlay that is stated to lie in a bit of the samples themselves (PS3.5 8.1.2, retired)."""

from __future__ import annotations

from collections.abc import Iterable

from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.part10.data_set import DataSet
from dicodec.part10.image_attributes import find_embedded_overlays, is_within_samples
from dicodec.repair.image_attributes import Known

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
else:
    np = import_late("numpy")


def deduce_overlay_position(
    data_set: DataSet, image: ImagePixelDescription, words: Iterable[NDArray[Any]]
) -> Known:
    """Return the bit that an overlay is in, if it cannot be the one that is stated.

    It is the one bit beside the samples, and beside other overlays, that is set in any word. If
    If no bit is, or more than one, its position is unknown.

    Args:
        data_set: the data set as it is.
        image: as it is described.
        words: of the pixels, with all their bits.
    """
    misplaced = [
        group
        for group, position in find_embedded_overlays(data_set.read_number, data_set.find)
        if is_within_samples(position, image.bits_stored, image.high_bit)
    ]
    if len(misplaced) != 1:
        return {}
    samples = (1 << image.bits_stored) - 1 << image.high_bit + 1 - image.bits_stored
    found = 0
    for some in words:
        if some.size:
            found |= _combine_bits(some) & ~samples & ~image.overlay_bits
    if found.bit_count() != 1:
        return {}
    return {misplaced[0] << 16 | tags.OVERLAY_BIT_POSITION: found.bit_length() - 1}


def _combine_bits(words: NDArray[Any]) -> int:

    return int(np.bitwise_or.reduce(words.reshape(-1).astype(f"<u{words.dtype.itemsize}")))
