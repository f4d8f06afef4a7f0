"""Find the right Photometric Interpretation and Samples per Pixel if they contradict each other.

PS3.3 C.7.6.3.1.1, C.7.6.3.1.2. The streams show which of the two is right, or the length of native
Pixel Data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dicodec.errors import MalformedFileError
from dicodec.model import tags
from dicodec.model.image import SAMPLES_PER_PIXEL, WITH_ALL_CHROMA, ImagePixelDescription
from dicodec.model.records import replace
from dicodec.part10.data_set import DataSet
from dicodec.repair.image_attributes import Known
from dicodec.rules.color_space import exists_in

_PALETTES = (
    (tags.RED_PALETTE_COLOR_LOOKUP_TABLE_DATA, tags.SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA),
    (
        tags.GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags.SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ),
    (
        tags.BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags.SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ),
)
"""Data of red, green and blue Palette Color Lookup Tables, plain or segmented."""


def deduce_from_colors(
    data_set: DataSet,
    image: ImagePixelDescription,
    family: str | None,
    fits: Callable[[ImagePixelDescription], bool],
    color: str = "RGB",
) -> Known:
    """Return the right color attributes of an image whose own contradict each other.

    Args:
        data_set: the data set as it is.
        image: as described; `rules.color_space.colors_agree` says that it contradicts itself, or
            the transfer syntax.
        family: codec family of the transfer syntax.
        fits: whether Pixel Data may be that of an image that is described so.
        color: Photometric Interpretation of three samples if no other is known.

    Raises:
        MalformedFileError: no reading fits, or more than one.
    """
    stated, samples = image.photometric_interpretation, image.samples_per_pixel
    readings = [one for one in _list_readings(data_set, image, family, color) if fits(one)]
    if len(readings) != 1:
        raise MalformedFileError(
            f"PhotometricInterpretation is {stated}, and SamplesPerPixel is {samples}; "
            f"{'neither fits' if not readings else 'either may be right'}",
            attribute="PhotometricInterpretation",
        )
    (right,) = readings
    known: Known = {}
    if right.samples_per_pixel != samples:
        known[tags.SAMPLES_PER_PIXEL] = right.samples_per_pixel
    if right.photometric_interpretation != stated:
        known[tags.PHOTOMETRIC_INTERPRETATION] = right.photometric_interpretation
    return known


def _list_readings(
    data_set: DataSet, image: ImagePixelDescription, family: str | None, color: str
) -> Iterator[ImagePixelDescription]:
    """Yield possible images: with its Samples per Pixel, and with its colors."""
    stated, samples = image.photometric_interpretation, image.samples_per_pixel
    named = SAMPLES_PER_PIXEL[stated]
    if samples == 1:
        plain = "PALETTE COLOR" if _has_palette(data_set) else "MONOCHROME2"
        yield replace(image, photometric_interpretation=plain)
    elif samples == 3:
        yield replace(image, photometric_interpretation=color)
    if named == samples:
        return
    if not exists_in(stated, family):
        stated = color
    for one in (stated, WITH_ALL_CHROMA.get(stated)):
        if one is not None:
            yield replace(image, photometric_interpretation=one, samples_per_pixel=named)


def _has_palette(data_set: DataSet) -> bool:
    return all(any(map(data_set.find, one)) for one in _PALETTES)
