"""Find overlays that lie in unused bits of Pixel Data (retired; PS3.5 8.1.2, PS3.3 C.9.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dicodec.model.overlays import (
    OVERLAY_BIT_POSITION,
    OVERLAY_BITS_ALLOCATED,
    OVERLAY_DATA,
    OVERLAY_GROUPS,
)


def embedded_overlays(
    number: Callable[[int], int | None], find: Callable[[int], object | None]
) -> Iterator[tuple[int, int]]:
    """Yield the group of each overlay without data of its own, and its bit position.

    Args:
        number: returns the number that a data set has under a tag.
        find: returns an element of the data set, or None.
    """
    for group in OVERLAY_GROUPS:
        high = group << 16
        allocated = number(high | OVERLAY_BITS_ALLOCATED)
        if allocated is None or find(high | OVERLAY_DATA) is not None:
            continue
        position = number(high | OVERLAY_BIT_POSITION) or 0
        if allocated != 1 or position:
            yield group, position


def is_within_samples(position: int, bits_stored: int, high_bit: int) -> bool:
    """Return whether a bit, counted from the lowest of a word, belongs to the sample."""
    return high_bit - bits_stored < position <= high_bit
