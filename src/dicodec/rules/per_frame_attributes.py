"""Attributes with values for each frame, and their values when frames are left out.

PS3.3 C.7.6.5 (Cine), C.7.6.6 (Multi-frame), C.8.4 (NM), C.8.5.6 (US), C.8.6.3 (SC Multi-frame
Vector), C.8.7.4 (X-Ray Table), C.8.8.2 (RT Image), C.8.8.3 (RT Dose). Attributes that are not
listed here are taken not to depend on the frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from itertools import pairwise


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
    0x00181063: PerFrame.PERIOD,  # Frame Time
    0x00181065: PerFrame.INCREMENTS,  # Frame Time Vector
    0x3004000C: PerFrame.OFFSETS,  # Grid Frame Offset Vector
    0x00181135: PerFrame.OFFSETS,  # Table Vertical Increment
    0x00181136: PerFrame.OFFSETS,  # Table Lateral Increment
    0x00181137: PerFrame.OFFSETS,  # Table Longitudinal Increment
    0x00181066: PerFrame.FIRST,  # Frame Delay
    0x00186060: PerFrame.FIRST,  # R Wave Time Vector
    0x30020030: PerFrame.ITEMS,  # Exposure Sequence of RT Image
    **dict.fromkeys(
        (
            0x00540010, 0x00540020, 0x00540030, 0x00540050, 0x00540060, 0x00540070, 0x00540080,
            0x00540090, 0x00540100,  # vectors of NM, Energy Window Vector to Time Slice Vector
            0x00182001, 0x00182002, 0x00182003, 0x00182004, 0x00182005, 0x00182006,  # and of SC
        ),
        PerFrame.VALUES,
    ),
    **dict.fromkeys(
        (
            0x00082142, 0x00082143,  # Start Trim, Stop Trim
            0x00181520, 0x00181521,  # Positioner Primary and Secondary Angle Increment
            0x00183103, 0x00183104,  # IVUS Pullback Start and Stop Frame Number
            0x00209161,  # Concatenation UID: the parts count each other's frames
            0x00220031,  # Ophthalmic Frame Location Sequence
            0x00286010, 0x00286020, 0x00286022,  # Representative Frame Number, Frames of Interest
            0x00286023,  # Frame of Interest Type
            0x00286040,  # R Wave Pointer
            0x00286100,  # Mask Subtraction Sequence
            0x00540032, 0x00540052,  # Phase and Rotation Information: how many frames each has
            0x00540081, 0x00540101,  # Number of Slices and of Time Slices, a frame each
        ),
        PerFrame.NUMBERS,
    ),
}  # fmt: skip

ORDERED_ORGANIZATIONS = frozenset({"3D", "3D_TEMPORAL", "TILED_FULL"})
"""Dimension Organization Types in which the order of frames alone gives their positions."""


def numbers_of_frames(numbers: Sequence[int], whole: Sequence[int]) -> list[int]:
    """Return the numbers that frames have once some are left out, without those of frames that are.

    Args:
        numbers: of frames, from 1.
        whole: numbers, from 0 and rising, of the frames that stay.
    """
    places = {frame: place for place, frame in enumerate(whole, 1)}
    return [places[number - 1] for number in numbers if number - 1 in places]


def values_of_frames(
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
        return _increments(values, whole)
    return [values[frame] for frame in whole]


def _increments(values: Sequence[str], whole: Sequence[int]) -> list[str] | None:
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
