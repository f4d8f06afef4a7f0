"""Attributes with values for each frame, and their values when frames are left out.

PS3.3 C.7.6.5 (Cine), C.7.6.6 (Multi-frame), C.8.4 (NM), C.8.5.6 (US), C.8.6.3 (SC Multi-frame
Vector), C.8.7.4 (X-Ray Table), C.8.8.2 (RT Image), C.8.8.3 (RT Dose). Attributes that are not
listed here are taken not to depend on the frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from itertools import pairwise

from dicodec.model import tags


class PerFrame(Enum):
    """How an attribute depends on frames."""

    VALUES = auto()  # a value a frame
    INCREMENTS = auto()  # the time since the frame before; of the first frame it is 0
    OFFSETS = auto()  # a value a frame, counted from the first frame
    PERIOD = auto()  # the same time between any two frames
    FIRST = auto()  # counted from the first frame
    ITEMS = auto()  # a sequence; its items name frames by Referenced Frame Number
    NUMBERS = auto()  # it names or counts frames, or holds for all of them as they are


PER_FRAME: Mapping[int, PerFrame] = {
    tags.FRAME_TIME: PerFrame.PERIOD,  # Frame Time
    tags.FRAME_TIME_VECTOR: PerFrame.INCREMENTS,  # Frame Time Vector
    tags.GRID_FRAME_OFFSET_VECTOR: PerFrame.OFFSETS,  # Grid Frame Offset Vector
    tags.TABLE_VERTICAL_INCREMENT: PerFrame.OFFSETS,  # Table Vertical Increment
    tags.TABLE_LATERAL_INCREMENT: PerFrame.OFFSETS,  # Table Lateral Increment
    tags.TABLE_LONGITUDINAL_INCREMENT: PerFrame.OFFSETS,  # Table Longitudinal Increment
    tags.FRAME_DELAY: PerFrame.FIRST,  # Frame Delay
    tags.R_WAVE_TIME_VECTOR: PerFrame.FIRST,  # R Wave Time Vector
    tags.EXPOSURE_SEQUENCE: PerFrame.ITEMS,  # Exposure Sequence of RT Image
    **dict.fromkeys(
        (
            tags.ENERGY_WINDOW_VECTOR,
            tags.DETECTOR_VECTOR,
            tags.PHASE_VECTOR,
            tags.ROTATION_VECTOR,
            tags.RR_INTERVAL_VECTOR,
            tags.TIME_SLOT_VECTOR,
            tags.SLICE_VECTOR,
            tags.ANGULAR_VIEW_VECTOR,
            tags.TIME_SLICE_VECTOR,
            tags.PAGE_NUMBER_VECTOR,
            tags.FRAME_LABEL_VECTOR,
            tags.FRAME_PRIMARY_ANGLE_VECTOR,
            tags.FRAME_SECONDARY_ANGLE_VECTOR,
            tags.SLICE_LOCATION_VECTOR,
            tags.DISPLAY_WINDOW_LABEL_VECTOR,
        ),
        PerFrame.VALUES,
    ),
    **dict.fromkeys(
        (
            tags.START_TRIM,
            tags.STOP_TRIM,  # Start Trim, Stop Trim
            tags.POSITIONER_PRIMARY_ANGLE_INCREMENT,
            tags.POSITIONER_SECONDARY_ANGLE_INCREMENT,
            tags.IVUS_PULLBACK_START_FRAME_NUMBER,
            tags.IVUS_PULLBACK_STOP_FRAME_NUMBER,
            tags.CONCATENATION_UID,  # Concatenation UID: the parts count each other's frames
            tags.OPHTHALMIC_FRAME_LOCATION_SEQUENCE,  # Ophthalmic Frame Location Sequence
            tags.REPRESENTATIVE_FRAME_NUMBER,
            tags.FRAME_NUMBERS_OF_INTEREST,
            tags.FRAME_OF_INTEREST_DESCRIPTION,
            tags.FRAME_OF_INTEREST_TYPE,  # Frame of Interest Type
            tags.R_WAVE_POINTER,  # R Wave Pointer
            tags.MASK_SUBTRACTION_SEQUENCE,  # Mask Subtraction Sequence
            tags.PHASE_INFORMATION_SEQUENCE,
            tags.ROTATION_INFORMATION_SEQUENCE,
            tags.NUMBER_OF_SLICES,
            tags.NUMBER_OF_TIME_SLICES,
        ),
        PerFrame.NUMBERS,
    ),
}

ORDERED_ORGANIZATIONS = frozenset({"3D", "3D_TEMPORAL", "TILED_FULL"})
"""Dimension Organization Types in which the order of frames alone gives their positions."""


def renumber_frames(numbers: Sequence[int], whole: Sequence[int]) -> list[int]:
    """Return the numbers that frames have once some are left out, without those of frames that are.

    Args:
        numbers: of frames, from 1.
        whole: numbers, from 0 and rising, of the frames that stay.
    """
    places = {frame: place for place, frame in enumerate(whole, 1)}
    return [places[number - 1] for number in numbers if number - 1 in places]


def select_frame_values(
    kind: PerFrame, values: Sequence[str], whole: Sequence[int], number_of_frames: int
) -> list[str] | None:
    """Return an attribute's values without those of some frames; None if that is not sure.

    Args:
        kind: how it depends on frames.
        values: all of them, as text.
        whole: numbers, from 0 and rising, of the frames that stay.
        number_of_frames: before.
    """
    if kind in {PerFrame.NUMBERS, PerFrame.ITEMS}:
        return None
    if kind is PerFrame.FIRST:
        return list(values) if whole[0] == 0 else None
    if kind is PerFrame.PERIOD:
        together = whole[-1] - whole[0] + 1 == len(whole)
        return list(values) if together else None
    if len(values) != number_of_frames or (kind is PerFrame.OFFSETS and whole[0] > 0):
        return None
    if kind is PerFrame.INCREMENTS:
        return _add_increments(values, whole)
    return [values[frame] for frame in whole]


def _add_increments(values: Sequence[str], whole: Sequence[int]) -> list[str] | None:
    """Add the times of frames that are left out to those of the next ones."""
    from decimal import Decimal, InvalidOperation  # it takes milliseconds to load

    result = [values[0] if whole[0] == 0 else "0"]
    for before, frame in pairwise(whole):
        if frame == before + 1:
            result.append(values[frame])
            continue
        try:
            text = str(sum(Decimal(value) for value in values[before + 1 : frame + 1]))
        except InvalidOperation:
            return None
        if len(text) > 16:  # the room of a DS value
            return None
        result.append(text)
    return result
