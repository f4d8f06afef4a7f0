"""Overlays that lie in unused bits of Pixel Data (retired; PS3.5 8.1.2, PS3.3 C.9.2)."""

from __future__ import annotations

from dicodec.model import tags
from dicodec.model.edits import Edit, SetAttribute
from dicodec.model.image import ImagePixelDescription


def make_overlay_edits(
    group: int, image: ImagePixelDescription, data: bytes, has_origin: bool
) -> tuple[Edit, ...]:
    """Return the edits that give an overlay data of its own (C.9.2).

    Args:
        group: 0x6000 to 0x601E.
        image: in whose Pixel Data it lay, so that it is as large and has as many frames.
        data: its bits, encoded for the target.
        has_origin: whether the data set has Overlay Origin.
    """
    high = group << 16
    edits: list[Edit] = [
        SetAttribute(high | tags.OVERLAY_ROWS, "US", (image.rows,)),
        SetAttribute(high | tags.OVERLAY_COLUMNS, "US", (image.columns,)),
        SetAttribute(high | tags.OVERLAY_BITS_ALLOCATED, "US", (1,)),
        SetAttribute(high | tags.OVERLAY_BIT_POSITION, "US", (0,)),
        SetAttribute(high | tags.OVERLAY_DATA, "OW", data),
    ]
    if not has_origin:
        edits.append(SetAttribute(high | tags.OVERLAY_ORIGIN, "SS", (1, 1)))
    if image.number_of_frames > 1:
        edits += [
            SetAttribute(
                high | tags.NUMBER_OF_FRAMES_IN_OVERLAY, "IS", str(image.number_of_frames)
            ),
            SetAttribute(high | tags.IMAGE_FRAME_ORIGIN, "US", (1,)),
        ]
    return tuple(edits)
