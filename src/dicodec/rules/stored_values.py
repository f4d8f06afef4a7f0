"""Images whose stored values stand for something: names of things, or quantities (PS3.3).

C.8.20.2 (Segmentation), C.7.6.16.2.11 (Real World Value Mapping), C.8.23 (Parametric Map), C.8.8.3
(RT Dose), C.8.17.12 (Ophthalmic Thickness Map), C.8.24 (Corneal Topography Map).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

DOSE_GRID_SCALING = 0x3004000E
PIXEL_VALUE_MAPPING_TO_CODED_CONCEPT_SEQUENCE = 0x00221450
REAL_WORLD_VALUE_MAPPING_SEQUENCE = 0x00409096
SEGMENTATION_TYPE = 0x00620001
SEGMENT_SEQUENCE = 0x00620002

MEANINGFUL_TAGS = frozenset(
    {
        DOSE_GRID_SCALING,
        PIXEL_VALUE_MAPPING_TO_CODED_CONCEPT_SEQUENCE,
        REAL_WORLD_VALUE_MAPPING_SEQUENCE,
        SEGMENT_SEQUENCE,
    }
)
"""Attributes that say of stored values what they stand for."""

_ROOT = "1.2.840.10008.5.1.4.1.1."
_SEGMENTATIONS = frozenset({"66.4", "66.7"})
_QUANTITIES = {
    "30": "a Parametric Map",
    "481.2": "an RT Dose",
    "81.1": "an Ophthalmic Thickness Map",
    "82.1": "a Corneal Topography Map",
}


class Meaning(NamedTuple):
    """What the stored values of an image stand for.

    Attributes:
        text: in words: the values, and what says so.
        labels: whether each value is a name, so that one that is a little off names another thing;
            else values are quantities, and one that is a little off is a little wrong.
    """

    text: str
    labels: bool


def meaning_of(
    sop_class: str, segmentation_type: str, photometric: str, present: Collection[int]
) -> Meaning | None:
    """Return what stored values stand for, or None if they are gray levels or colors.

    Args:
        sop_class: SOP Class UID.
        segmentation_type: Segmentation Type; "" if absent.
        photometric: Photometric Interpretation.
        present: those of `MEANINGFUL_TAGS` that have a value or an item, at the top level or in
            functional groups.
    """
    kind = sop_class.removeprefix(_ROOT) if sop_class.startswith(_ROOT) else ""
    if kind in _SEGMENTATIONS or SEGMENT_SEQUENCE in present:
        if segmentation_type == "FRACTIONAL":
            return Meaning("fractions of segments (Segmentation Type FRACTIONAL)", labels=False)
        says = f"Segmentation Type {segmentation_type}" if segmentation_type else "Segment Sequence"
        return Meaning(f"labels of segments ({says})", labels=True)
    if PIXEL_VALUE_MAPPING_TO_CODED_CONCEPT_SEQUENCE in present:
        return Meaning("codes (Pixel Value Mapping to Coded Concept Sequence)", labels=True)
    if kind in _QUANTITIES:
        return Meaning(f"the quantities of {_QUANTITIES[kind]}", labels=False)
    if DOSE_GRID_SCALING in present:
        return Meaning("doses (Dose Grid Scaling)", labels=False)
    if REAL_WORLD_VALUE_MAPPING_SEQUENCE in present:
        labels = photometric == "PALETTE COLOR"
        return Meaning("real world values (Real World Value Mapping Sequence)", labels=labels)
    return None
