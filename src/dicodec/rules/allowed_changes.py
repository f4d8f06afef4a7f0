"""The attributes that a conversion may change, and in which circumstances, as a table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
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


_IDENTITY = (
    tags.SOP_INSTANCE_UID,
    tags.IMAGE_TYPE,
    tags.DERIVATION_DESCRIPTION,
    tags.DERIVATION_CODE_SEQUENCE,
    tags.SOURCE_IMAGE_SEQUENCE,
    tags.REFERENCED_SERIES_SEQUENCE,
)
"""Attributes that say that an image is another one (C.7.6.1.1.2, C.7.6.1.1.3, C.12)."""

_EXTREMES = (
    tags.SMALLEST_IMAGE_PIXEL_VALUE,
    tags.LARGEST_IMAGE_PIXEL_VALUE,
    tags.SMALLEST_PIXEL_VALUE_IN_SERIES,
    tags.LARGEST_PIXEL_VALUE_IN_SERIES,
)

_ROI_MEANS = tuple(group << 16 | ROI_MEAN for group in tags.OVERLAY_GROUPS)

# Circumstance, cause of the change, attributes; sections are of PS3.3.
_GROUPS: tuple[tuple[Circumstance, str, tuple[int, ...]], ...] = (
    (
        Circumstance.ALWAYS,
        "where frames begin",  # PS3.5 A.4, C.7.6.3.1.10
        (
            tags.EXTENDED_OFFSET_TABLE,
            tags.EXTENDED_OFFSET_TABLE_LENGTHS,
            tags.ENCAPSULATED_PIXEL_DATA_TOTAL_LENGTH,
        ),
    ),
    (Circumstance.ALWAYS, "padding", (tags.DATA_SET_TRAILING_PADDING,)),  # PS3.10 7.2
    (
        Circumstance.ALWAYS,
        "how colors are stored",  # C.7.6.3.1.2, C.7.6.3.1.3
        (tags.PHOTOMETRIC_INTERPRETATION, tags.PLANAR_CONFIGURATION),
    ),
    (
        Circumstance.ALWAYS,
        "record of lossy compression",  # C.7.6.1.1.5
        (
            tags.LOSSY_IMAGE_COMPRESSION,
            tags.LOSSY_IMAGE_COMPRESSION_RATIO,
            tags.LOSSY_IMAGE_COMPRESSION_METHOD,
        ),
    ),
    # High Bit is Bits Stored - 1 (C.7.6.3.1.4); samples are compared, whatever bits hold them.
    (Circumstance.ALWAYS, "where the bits of a sample lie", (tags.HIGH_BIT,)),
    (Circumstance.LOSSY, "lossy: another image", _IDENTITY),
    # Decoded samples of a JPEG stream may take all of its 8 or 12 bits (PS3.5 8.2.1).
    (
        Circumstance.LOSSY,
        "lossy: as wide as its streams",
        (tags.BITS_ALLOCATED, tags.BITS_STORED),
    ),
    (Circumstance.NEW_VALUES, "sample values changed", _EXTREMES),  # C.7.6.3.1.7
    (
        Circumstance.INVERTED,
        "stored values inverted",  # MONOCHROME1 against MONOCHROME2
        (
            tags.PIXEL_PADDING_VALUE,
            tags.PIXEL_PADDING_RANGE_LIMIT,
            tags.WINDOW_CENTER,
            tags.PIXEL_INTENSITY_RELATIONSHIP_SIGN,
            tags.PRESENTATION_LUT_SHAPE,
            tags.VOI_LUT_SEQUENCE,
            *_ROI_MEANS,
        ),
    ),
    (
        Circumstance.PALETTE,
        "palette applied",  # C.7.6.3.1.5, C.7.6.3.1.6
        (
            tags.SAMPLES_PER_PIXEL,
            tags.BITS_ALLOCATED,
            tags.BITS_STORED,
            tags.PIXEL_REPRESENTATION,
            *tags.PALETTE_TAGS,
            tags.PIXEL_PADDING_VALUE,
            tags.PIXEL_PADDING_RANGE_LIMIT,
        ),
    ),
    (
        Circumstance.RESCALED,
        "rescaled to 8 bits",  # attributes of the old gray levels go (C.11.1, C.11.2)
        (
            tags.BITS_ALLOCATED,
            tags.BITS_STORED,
            tags.HIGH_BIT,
            tags.PIXEL_REPRESENTATION,
            *_IDENTITY,
            *_EXTREMES,
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
            tags.SUV_TYPE,
            *_ROI_MEANS,
            *(group << 16 | ROI_STANDARD_DEVIATION for group in tags.OVERLAY_GROUPS),
        ),
    ),
    (
        Circumstance.SALVAGED,
        "salvaged",  # another image, and frames may be missing from it
        (
            tags.IMAGE_COMMENTS,
            tags.NUMBER_OF_FRAMES,
            *PER_FRAME,
            *(group << 16 | tags.IMAGE_FRAME_ORIGIN for group in tags.OVERLAY_GROUPS),
            *_IDENTITY,
            *_EXTREMES,
        ),
    ),
    # The data set contradicted its streams, or the target's streams have more bits (PS3.5 8.2).
    (
        Circumstance.CORRECTED,
        "as the streams say",
        (
            tags.SAMPLES_PER_PIXEL,
            tags.ROWS,
            tags.COLUMNS,
            tags.NUMBER_OF_FRAMES,
            tags.BITS_ALLOCATED,
            tags.BITS_STORED,
            tags.HIGH_BIT,
            tags.PIXEL_REPRESENTATION,
            *(group << 16 | tags.OVERLAY_BIT_POSITION for group in tags.OVERLAY_GROUPS),
        ),
    ),
)


def list_allowed_changes(
    photometric: Iterable[tuple[str, str]],
    lossy_methods: tuple[int, int],
    further: Collection[Circumstance] = (),
) -> dict[int, str]:
    """Return the attributes that may differ between a file and the result of its conversion.

    Args:
        photometric: pairs of Photometric Interpretations of both data sets: those that they state,
            and those that their samples are read in.
        lossy_methods: how many lossy compressions each data set records.
        further: circumstances that the data sets do not tell.

    Returns:
        By tag, the cause of the change. File Meta Information, group lengths and the VR of Pixel
        Data are not among them, because they are not part of a data set's meaning.
    """
    circumstances = {Circumstance.ALWAYS, *further}
    if lossy_methods[0] != lossy_methods[1]:
        circumstances |= {Circumstance.LOSSY, Circumstance.NEW_VALUES}
    for before, after in photometric:
        if before == after:
            continue
        circumstances.add(Circumstance.NEW_VALUES)
        if MONOCHROME.issuperset((before, after)):
            circumstances.add(Circumstance.INVERTED)
        if "PALETTE COLOR" in {before, after}:
            circumstances.add(Circumstance.PALETTE)
    return {
        tag: reason
        for needed, reason, changed in _GROUPS
        if needed in circumstances
        for tag in changed
    }


def count_lossy_methods(read_text: Callable[[int], str]) -> int:
    """Return how many lossy compressions a data set records (PS3.3 C.7.6.1.1.5).

    Args:
        read_text: returns the text of the attribute with a tag, "" if it is absent.
    """
    recorded = read_text(tags.LOSSY_IMAGE_COMPRESSION) == "01"
    return read_text(tags.LOSSY_IMAGE_COMPRESSION_METHOD).count("\\") + 1 if recorded else 0
