"""Check a data set's claims about its frames before memory is taken for them."""

from __future__ import annotations

from dicodec.errors import LimitExceededError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.limits import Limits

_LARGE = 256 << 20
"""Bytes of a frame from which its stream has to be in proportion. An empty image of JPEG 2000 takes
a hundred bytes at any size; no camera takes an empty image of this size."""


def check_decoded_size(image: ImagePixelDescription, stream: int, limits: Limits) -> None:
    """Check a frame's decoded size against the limits and against its stream.

    Args:
        image: as the data set describes it.
        stream: bytes of the frame's stream.
        limits: those that hold.

    Raises:
        LimitExceededError: a frame is larger than may be held, or than such a stream can hold.
    """
    size = image.samples_per_frame * max(image.bits_allocated // 8, 1)
    if size > limits.frame_size:
        raise LimitExceededError(
            f"a frame of {image.rows} x {image.columns} takes {size} bytes, and "
            f"{limits.frame_size} is the limit",
            hint="`limits=Limits(frame_size=SIZE)` raises it",
        )
    if size > _LARGE and size > limits.expansion * stream:
        raise LimitExceededError(
            f"a stream of {stream} bytes claims a frame of {size} bytes, more than "
            f"{limits.expansion} times as many",
            hint="`limits=Limits(expansion=NUMBER)` raises the limit",
        )


def check_frame_count(frames: int, limits: Limits) -> None:
    """Check how many frames are to be taken one by one.

    Raises:
        LimitExceededError: there are more than the limit.
    """
    if frames > limits.frames:
        raise LimitExceededError(
            f"{frames} frames are more than the limit of {limits.frames}",
            attribute="NumberOfFrames",
            hint="`limits=Limits(frames=NUMBER)` raises it",
        )
