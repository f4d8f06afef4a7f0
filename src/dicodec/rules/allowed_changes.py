"""Which attributes a conversion may change, and in which circumstances, as a table."""

from __future__ import annotations

from enum import Enum, auto

from dicodec.model import tags
from dicodec.model.image import MONOCHROME


class Circumstance(Enum):
    """What else has to be so for a change to be one that a conversion makes."""

    ALWAYS = auto()
    LOSSY = auto()
    NEW_VALUES = auto()
    INVERTED = auto()
    PALETTE = auto()


_ROWS = (
    # attribute, circumstance, what the change follows from; sections are of PS3.3
    # PS3.5 A.4, PS3.3 C.7.6.3.1.10: where frames begin
    (tags.EXTENDED_OFFSET_TABLE, Circumstance.ALWAYS, "where frames begin"),
    (tags.EXTENDED_OFFSET_TABLE_LENGTHS, Circumstance.ALWAYS, "where frames begin"),
    (tags.ENCAPSULATED_PIXEL_DATA_TOTAL_LENGTH, Circumstance.ALWAYS, "where frames begin"),
    (tags.DATA_SET_TRAILING_PADDING, Circumstance.ALWAYS, "padding"),  # PS3.10 7.2
    # C.7.6.3.1.2, C.7.6.3.1.3
    (tags.PHOTOMETRIC_INTERPRETATION, Circumstance.ALWAYS, "how colors are stored"),
    (tags.PLANAR_CONFIGURATION, Circumstance.ALWAYS, "how colors are stored"),
    # C.7.6.1.1.5
    (tags.LOSSY_IMAGE_COMPRESSION, Circumstance.ALWAYS, "record of lossy compression"),
    (tags.LOSSY_IMAGE_COMPRESSION_RATIO, Circumstance.ALWAYS, "record of lossy compression"),
    (tags.LOSSY_IMAGE_COMPRESSION_METHOD, Circumstance.ALWAYS, "record of lossy compression"),
    # C.7.6.1.1.2, C.7.6.1.1.3, C.12.1.1.1: a lossy result is another image
    (tags.SOP_INSTANCE_UID, Circumstance.LOSSY, "lossy: another image"),
    (tags.IMAGE_TYPE, Circumstance.LOSSY, "lossy: another image"),
    (tags.DERIVATION_DESCRIPTION, Circumstance.LOSSY, "lossy: another image"),
    (tags.DERIVATION_CODE_SEQUENCE, Circumstance.LOSSY, "lossy: another image"),
    (tags.SOURCE_IMAGE_SEQUENCE, Circumstance.LOSSY, "lossy: another image"),
    # C.7.6.3.1.7 and before: no longer true of other values
    (tags.SMALLEST_IMAGE_PIXEL_VALUE, Circumstance.NEW_VALUES, "sample values changed"),
    (tags.LARGEST_IMAGE_PIXEL_VALUE, Circumstance.NEW_VALUES, "sample values changed"),
    (tags.SMALLEST_PIXEL_VALUE_IN_SERIES, Circumstance.NEW_VALUES, "sample values changed"),
    (tags.LARGEST_PIXEL_VALUE_IN_SERIES, Circumstance.NEW_VALUES, "sample values changed"),
    # MONOCHROME1 against MONOCHROME2: what is counted in stored values follows them
    (0x00280120, Circumstance.INVERTED, "stored values inverted"),  # Pixel Padding Value
    (0x00280121, Circumstance.INVERTED, "stored values inverted"),  # Pixel Padding Range Limit
    (0x00281050, Circumstance.INVERTED, "stored values inverted"),  # Window Center
    (0x20500020, Circumstance.INVERTED, "stored values inverted"),  # Presentation LUT Shape
    # PALETTE COLOR against RGB (C.7.6.3.1.5, C.7.6.3.1.6)
    (tags.SAMPLES_PER_PIXEL, Circumstance.PALETTE, "palette applied"),
    (tags.BITS_ALLOCATED, Circumstance.PALETTE, "palette applied"),
    (tags.BITS_STORED, Circumstance.PALETTE, "palette applied"),
    (tags.HIGH_BIT, Circumstance.PALETTE, "palette applied"),
    (tags.PIXEL_REPRESENTATION, Circumstance.PALETTE, "palette applied"),
    *(
        (0x00281000 + element, Circumstance.PALETTE, "palette applied")
        for element in (0x101, 0x102, 0x103, 0x201, 0x202, 0x203, 0x221, 0x222, 0x223)
    ),
)


def allowed_changes(photometric: tuple[str, str], lossy_methods: tuple[int, int]) -> dict[int, str]:
    """Return the attributes that may differ between a file and what it was converted to.

    Args:
        photometric: Photometric Interpretation of both data sets.
        lossy_methods: how many lossy compressions each data set records.

    Returns:
        By tag, what the change follows from. File Meta Information, group lengths and the VR of
        Pixel Data, which have no business in a data set's meaning, are not among them.
    """
    circumstances = {Circumstance.ALWAYS}
    if lossy_methods[0] != lossy_methods[1]:
        circumstances |= {Circumstance.LOSSY, Circumstance.NEW_VALUES}
    if photometric[0] != photometric[1]:
        circumstances.add(Circumstance.NEW_VALUES)
        if MONOCHROME.issuperset(photometric):
            circumstances.add(Circumstance.INVERTED)
        if "PALETTE COLOR" in photometric:
            circumstances.add(Circumstance.PALETTE)
    return {tag: reason for tag, needed, reason in _ROWS if needed in circumstances}
