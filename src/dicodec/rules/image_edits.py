"""Edits that follow from a new image description, and the VR of Pixel Data."""

from __future__ import annotations

from collections.abc import Mapping

from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetAttribute
from dicodec.model.image import ImagePixelDescription

_ROWS = (
    # attribute, VR, field
    (tags.SAMPLES_PER_PIXEL, "US", "samples_per_pixel"),
    (tags.PHOTOMETRIC_INTERPRETATION, "CS", "photometric_interpretation"),
    (tags.BITS_ALLOCATED, "US", "bits_allocated"),
)
_COLOR_ROWS = ((tags.PLANAR_CONFIGURATION, "US", "planar_configuration"),)
_BIT_ROWS = (
    (tags.BITS_STORED, "US", "bits_stored"),
    (tags.HIGH_BIT, "US", "high_bit"),
    (tags.PIXEL_REPRESENTATION, "US", "pixel_representation"),
)
"""Floating point samples have no bits to speak of (C.7.6.24)."""

_SAMPLE_STATISTICS = (
    tags.SMALLEST_IMAGE_PIXEL_VALUE,
    tags.LARGEST_IMAGE_PIXEL_VALUE,
    tags.SMALLEST_PIXEL_VALUE_IN_SERIES,
    tags.LARGEST_PIXEL_VALUE_IN_SERIES,
)


def make_image_edits(
    said: Mapping[int, int | str | None], result: ImagePixelDescription
) -> tuple[Edit, ...]:
    """Return the edits that make the Image Pixel Module describe the result (C.7.6.3).

    Args:
        said: the data set's values, by tag. A value that was assumed, or read as another than the
            stated one, is written as it was read.
        result: the image that is stored.
    """
    edits: list[Edit] = []
    for tag, vr, field in _list_rows(result):
        value = getattr(result, field)
        if said.get(tag) != value:
            edits.append(SetAttribute(tag, vr, value if isinstance(value, str) else (value,)))
    # One that was gray already keeps what it has.
    turned_gray = result.samples_per_pixel == 1 != said.get(tags.SAMPLES_PER_PIXEL)
    if turned_gray and said.get(tags.PLANAR_CONFIGURATION) is not None:
        edits.append(RemoveAttribute(tags.PLANAR_CONFIGURATION))
    return tuple(edits)


def _list_rows(image: ImagePixelDescription) -> tuple[tuple[int, str, str], ...]:
    color = _COLOR_ROWS if image.samples_per_pixel > 1 else ()
    return (*_ROWS, *color, *(() if image.floating else _BIT_ROWS))


def make_statistics_edits() -> tuple[Edit, ...]:
    """Remove the statistics of samples whose values have changed (C.7.6.3)."""
    return tuple(RemoveAttribute(tag) for tag in _SAMPLE_STATISTICS)


def choose_native_vr(image: ImagePixelDescription, stated_vr: str) -> str:
    """Return the VR of native Pixel Data (PS3.5 A.1, A.2): OW above 8 bits, else OB or OW.

    Args:
        image: the stored image.
        stated_vr: as the source has it; "" in implicit VR.
    """
    if image.floating:
        return "OF" if image.bits_allocated == 32 else "OD"
    if image.bits_allocated > 8:
        return "OW"
    return stated_vr if stated_vr in {"OB", "OW"} else "OB"


def choose_swap_unit(image: ImagePixelDescription, vr: str) -> int:
    """Return the bytes whose order changes with byte order in native Pixel Data (PS3.5 7.3, 8.1.1).

    Samples of more than 8 bits change by sample, even under a wrong VR; 8-bit and
    1-bit samples change by 16-bit word in OW, and not at all in OB.
    """
    if image.bits_allocated > 8:
        return image.bits_allocated // 8
    return 2 if vr == "OW" else 1
