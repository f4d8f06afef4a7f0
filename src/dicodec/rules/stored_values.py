"""Images whose stored values stand for something: names of things, or quantities (PS3.3).

C.8.20.2 (Segmentation), C.7.6.16.2.11 (Real World Value Mapping), C.8.23 (Parametric Map), C.8.8.3
(RT Dose), C.8.17.12 (Ophthalmic Thickness Map), C.8.24 (Corneal Topography Map).
"""

from __future__ import annotations

from collections.abc import Collection

from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import NamedTuple

MEANINGFUL_TAGS = frozenset(
    {
        tags.DOSE_GRID_SCALING,
        tags.PIXEL_VALUE_MAPPING_TO_CODED_CONCEPT_SEQUENCE,
        tags.REAL_WORLD_VALUE_MAPPING_SEQUENCE,
        tags.SEGMENT_SEQUENCE,
    }
)
"""Attributes that give stored values a meaning."""

_ROOT = "1.2.840.10008.5.1.4.1.1."
_SEGMENTATIONS = frozenset({"66.4", "66.7"})
_QUANTITIES = {
    "30": "a Parametric Map",
    "481.2": "an RT Dose",
    "81.1": "an Ophthalmic Thickness Map",
    "82.1": "a Corneal Topography Map",
}


class Meaning(NamedTuple):
    """The meaning of an image's stored values.

    Attributes:
        text: in words: the values, and the attribute that gives their meaning.
        labels: whether each value is a name, so that one that is a little off names another thing;
            else values are quantities, and one that is a little off is a little wrong.
    """

    text: str
    labels: bool


def find_meaning(
    sop_class: str, segmentation_type: str, photometric: str, present: Collection[int]
) -> Meaning | None:
    """Return the meaning of stored values, or None if they are gray levels or colors.

    Args:
        sop_class: SOP Class UID.
        segmentation_type: Segmentation Type; "" if absent.
        photometric: Photometric Interpretation.
        present: those of `MEANINGFUL_TAGS` that have a value or an item, at the top level or in
            functional groups.
    """
    kind = sop_class.removeprefix(_ROOT) if sop_class.startswith(_ROOT) else ""
    if kind in _SEGMENTATIONS or tags.SEGMENT_SEQUENCE in present:
        if segmentation_type == "FRACTIONAL":
            return Meaning("fractions of segments (Segmentation Type FRACTIONAL)", labels=False)
        says = f"Segmentation Type {segmentation_type}" if segmentation_type else "Segment Sequence"
        return Meaning(f"labels of segments ({says})", labels=True)
    if tags.PIXEL_VALUE_MAPPING_TO_CODED_CONCEPT_SEQUENCE in present:
        return Meaning("codes (Pixel Value Mapping to Coded Concept Sequence)", labels=True)
    if kind in _QUANTITIES:
        return Meaning(f"the quantities of {_QUANTITIES[kind]}", labels=False)
    if tags.DOSE_GRID_SCALING in present:
        return Meaning("doses (Dose Grid Scaling)", labels=False)
    if tags.REAL_WORLD_VALUE_MAPPING_SEQUENCE in present:
        labels = photometric == "PALETTE COLOR"
        return Meaning("real world values (Real World Value Mapping Sequence)", labels=labels)
    return None


def choose_fill_values(image: ImagePixelDescription, padding: float | None) -> tuple[float, ...]:
    """Return the samples of a pixel of a lost frame.

    Pixel Padding Value, if there is one. If not, the darkest gray: the largest value in
    MONOCHROME1, else the smallest, because 0 of signed samples would be a density like others.
    Black in colors; index 0 of a palette (PS3.3 C.7.5.1.1.2, C.7.6.3).

    Args:
        image: the decoded image.
        padding: Pixel Padding Value, or that of floating point samples; None without one.
    """
    low, high = (0, 0) if image.floating else image.sample_range
    if image.samples_per_pixel == 1:
        if padding is not None and (image.floating or low <= padding <= high):
            return (padding,)
        if image.photometric_interpretation == "PALETTE COLOR":
            return (0,)
        return (high if image.photometric_interpretation == "MONOCHROME1" else low,)
    middle = 1 << image.bits_stored - 1
    match image.photometric_interpretation:
        case "YBR_FULL" | "YBR_FULL_422":
            return 0, middle, middle
        case "YBR_PARTIAL":  # black is 16 of 8 bits (CCIR 601-2)
            return 16 << image.bits_stored >> 8, middle, middle
        case _:
            return (0,) * image.samples_per_pixel
