"""The attributes that a conversion may change, and in which circumstances, as a table."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum, auto

from dicodec.model import tags
from dicodec.model.image import MONOCHROME
from dicodec.rules.per_frame_attributes import PER_FRAME
from dicodec.rules.photometric_edits import ROI_MEAN, ROI_STANDARD_DEVIATION


class Circumstance(Enum):
    """A condition under which a conversion makes a change."""

    ALWAYS = auto()
    LOSSY = auto()
    NEW_VALUES = auto()
    INVERTED = auto()
    PALETTE = auto()
    RESCALED = auto()
    CORRECTED = auto()
    SALVAGED = auto()


_ROWS = (
    # attribute, circumstance, cause of the change; sections are of PS3.3
    # PS3.5 A.4, PS3.3 C.7.6.3.1.10: positions of frames
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
    (tags.REFERENCED_SERIES_SEQUENCE, Circumstance.LOSSY, "lossy: another image"),  # C.12.2
    # PS3.5 8.2.1: decoded samples of a JPEG stream may take all of its 8 or 12 bits
    (tags.BITS_ALLOCATED, Circumstance.LOSSY, "lossy: as wide as its streams"),
    (tags.BITS_STORED, Circumstance.LOSSY, "lossy: as wide as its streams"),
    # C.7.6.3.1.4: High Bit is Bits Stored - 1; samples are compared, whatever bits hold them
    (tags.HIGH_BIT, Circumstance.ALWAYS, "where the bits of a sample lie"),
    # C.7.6.3.1.7 and before: no longer true of other values
    (tags.SMALLEST_IMAGE_PIXEL_VALUE, Circumstance.NEW_VALUES, "sample values changed"),
    (tags.LARGEST_IMAGE_PIXEL_VALUE, Circumstance.NEW_VALUES, "sample values changed"),
    (tags.SMALLEST_PIXEL_VALUE_IN_SERIES, Circumstance.NEW_VALUES, "sample values changed"),
    (tags.LARGEST_PIXEL_VALUE_IN_SERIES, Circumstance.NEW_VALUES, "sample values changed"),
    # MONOCHROME1 against MONOCHROME2: attributes in stored values follow them
    (tags.PIXEL_PADDING_VALUE, Circumstance.INVERTED, "stored values inverted"),
    (tags.PIXEL_PADDING_RANGE_LIMIT, Circumstance.INVERTED, "stored values inverted"),
    (tags.WINDOW_CENTER, Circumstance.INVERTED, "stored values inverted"),  # Window Center
    (tags.PIXEL_INTENSITY_RELATIONSHIP_SIGN, Circumstance.INVERTED, "stored values inverted"),
    (tags.PRESENTATION_LUT_SHAPE, Circumstance.INVERTED, "stored values inverted"),
    (tags.VOI_LUT_SEQUENCE, Circumstance.INVERTED, "stored values inverted"),  # VOI LUT Sequence
    *(
        (group << 16 | ROI_MEAN, Circumstance.INVERTED, "stored values inverted")
        for group in tags.OVERLAY_GROUPS
    ),
    # PALETTE COLOR against RGB (C.7.6.3.1.5, C.7.6.3.1.6)
    (tags.SAMPLES_PER_PIXEL, Circumstance.PALETTE, "palette applied"),
    (tags.BITS_ALLOCATED, Circumstance.PALETTE, "palette applied"),
    (tags.BITS_STORED, Circumstance.PALETTE, "palette applied"),
    (tags.PIXEL_REPRESENTATION, Circumstance.PALETTE, "palette applied"),
    *(
        (0x00281000 + element, Circumstance.PALETTE, "palette applied")
        for element in (
            0x101,
            0x102,
            0x103,
            0x104,
            0x199,
            0x201,
            0x202,
            0x203,
            0x204,
            0x221,
            0x222,
            0x223,
            0x224,
        )
    ),
    (tags.PIXEL_PADDING_VALUE, Circumstance.PALETTE, "palette applied"),
    (tags.PIXEL_PADDING_RANGE_LIMIT, Circumstance.PALETTE, "palette applied"),
    # gray levels mapped to 8 bits: attributes of the old values go (C.11.1, C.11.2)
    *(
        (tag, Circumstance.RESCALED, "rescaled to 8 bits")
        for tag in (
            tags.BITS_ALLOCATED,
            tags.BITS_STORED,
            tags.HIGH_BIT,
            tags.PIXEL_REPRESENTATION,
            tags.SOP_INSTANCE_UID,
            tags.IMAGE_TYPE,
            tags.DERIVATION_DESCRIPTION,
            tags.DERIVATION_CODE_SEQUENCE,
            tags.SOURCE_IMAGE_SEQUENCE,
            tags.REFERENCED_SERIES_SEQUENCE,
            tags.SMALLEST_IMAGE_PIXEL_VALUE,
            tags.LARGEST_IMAGE_PIXEL_VALUE,
            tags.SMALLEST_PIXEL_VALUE_IN_SERIES,
            tags.LARGEST_PIXEL_VALUE_IN_SERIES,
            tags.PIXEL_PADDING_VALUE,
            tags.PIXEL_PADDING_RANGE_LIMIT,
            *range(tags.WINDOW_CENTER, 0x00281057),  # window, rescaling, VOI LUT Function
            tags.MODALITY_LUT_SEQUENCE,
            tags.VOI_LUT_SEQUENCE,
            tags.PRESENTATION_LUT_SEQUENCE,
            tags.PRESENTATION_LUT_SHAPE,
            tags.RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags.GRAY_LOOKUP_TABLE_DATA,
            tags.REAL_WORLD_VALUE_MAPPING_SEQUENCE,
            tags.PIXEL_INTENSITY_RELATIONSHIP,
            tags.PIXEL_INTENSITY_RELATIONSHIP_SIGN,
            tags.UNITS,
            tags.SUV_TYPE,  # Units, SUV Type
            *(group << 16 | ROI_MEAN for group in tags.OVERLAY_GROUPS),
            *(group << 16 | ROI_STANDARD_DEVIATION for group in tags.OVERLAY_GROUPS),
        )
    ),
    # a salvaged result is another image; frames may be missing from it
    *(
        (tag, Circumstance.SALVAGED, "salvaged")
        for tag in (
            tags.IMAGE_COMMENTS,
            tags.NUMBER_OF_FRAMES,
            *PER_FRAME,
            *(group << 16 | tags.IMAGE_FRAME_ORIGIN for group in tags.OVERLAY_GROUPS),
            tags.SOP_INSTANCE_UID,
            tags.IMAGE_TYPE,
            tags.DERIVATION_DESCRIPTION,
            tags.DERIVATION_CODE_SEQUENCE,
            tags.SOURCE_IMAGE_SEQUENCE,
            tags.REFERENCED_SERIES_SEQUENCE,
            tags.SMALLEST_IMAGE_PIXEL_VALUE,
            tags.LARGEST_IMAGE_PIXEL_VALUE,
            tags.SMALLEST_PIXEL_VALUE_IN_SERIES,
            tags.LARGEST_PIXEL_VALUE_IN_SERIES,
        )
    ),
    # the data set contradicted its streams, which are right; or the target's streams have more
    # bits (PS3.5 8.2)
    *(
        (tag, Circumstance.CORRECTED, "as the streams say")
        for tag in (
            tags.SAMPLES_PER_PIXEL,
            tags.ROWS,
            tags.COLUMNS,
            tags.NUMBER_OF_FRAMES,
            tags.BITS_ALLOCATED,
            tags.BITS_STORED,
            tags.HIGH_BIT,
            tags.PIXEL_REPRESENTATION,
            *(group << 16 | tags.OVERLAY_BIT_POSITION for group in tags.OVERLAY_GROUPS),
        )
    ),
)


def list_allowed_changes(
    photometric: tuple[str, str],
    lossy_methods: tuple[int, int],
    further: Collection[Circumstance] = (),
) -> dict[int, str]:
    """Return the attributes that may differ between a file and the result of its conversion.

    Args:
        photometric: Photometric Interpretation of both data sets.
        lossy_methods: how many lossy compressions each data set records.
        further: circumstances that the data sets do not tell.

    Returns:
        By tag, the cause of the change. File Meta Information, group lengths and the VR of Pixel
        Data are not among them, because they are not part of a data set's meaning.
    """
    circumstances = {Circumstance.ALWAYS, *further}
    if lossy_methods[0] != lossy_methods[1]:
        circumstances |= {Circumstance.LOSSY, Circumstance.NEW_VALUES}
    if photometric[0] != photometric[1]:
        circumstances.add(Circumstance.NEW_VALUES)
        if MONOCHROME.issuperset(photometric):
            circumstances.add(Circumstance.INVERTED)
        if "PALETTE COLOR" in photometric:
            circumstances.add(Circumstance.PALETTE)
    return {tag: reason for tag, needed, reason in _ROWS if needed in circumstances}


def count_lossy_methods(recorded: str, methods: str) -> int:
    """Return how many lossy compressions a data set records (PS3.3 C.7.6.1.1.5).

    Args:
        recorded: Lossy Image Compression.
        methods: Lossy Image Compression Method.
    """
    return methods.count("\\") + 1 if recorded == "01" else 0
