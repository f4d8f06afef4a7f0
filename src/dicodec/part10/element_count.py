"""Count the elements and items of an inflated data set, which may be many for few bytes."""

from __future__ import annotations

from dicodec.errors import LimitExceededError, MalformedFileError, TruncatedFileError
from dicodec.model.limits import RAISES_EXPANSION
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_vr
from dicodec.part10.elements import PIXEL_DATA_TAGS

_LEAST = 8
"""Bytes of an element or an item at least: tag and length (PS3.5 7.1, 7.5)."""


def check_element_count(data_set: DataSet, most: int) -> None:
    """Check how many elements and items a data set has on all levels together.

    A data set of zeros deflates by a factor of 1032, so 1 MB may hold a hundred million items.
    They are counted only if the bytes besides Pixel Data may be too many.

    Args:
        data_set: the top level.
        most: the largest number.

    Raises:
        LimitExceededError: it has more.
    """
    elements = data_set.elements
    pixels = sum(elements[index].length for index in data_set.find_pixel_data())
    if (data_set.source.size - pixels) // _LEAST > most:
        _Count(most).add(data_set)


class _Count:
    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def add(self, data_set: DataSet, depth: int = 0) -> None:
        """Count the elements of a level, and those within; depth is bounded by `read_items`."""
        self._spend(len(data_set.elements))
        if depth > data_set.limits.nesting_depth:
            return  # whoever reads so deep reports it
        for span in data_set.elements:
            if span.tag in PIXEL_DATA_TAGS or not span.length:
                continue
            if span.vr in {"SQ", "UN"} or (span.vr == "" and find_vr(span.tag) == "SQ"):
                try:
                    for item in data_set.read_items(span.tag):
                        self._spend(1)
                        self.add(item, depth + 1)
                except (MalformedFileError, TruncatedFileError):
                    continue  # it is no sequence, or a repair has to read it

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise LimitExceededError(
                f"the inflated data set has more than {self._most} elements and items",
                hint=RAISES_EXPANSION,
            )
