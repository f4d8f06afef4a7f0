"""Check a data set's claims about its frames before memory is taken for them."""

from __future__ import annotations

from dicodec.errors import LimitExceededError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.limits import Limits, make_limit_hint

_LEAST_SIZE = 2
"""Bytes of a sample: codecs hold those of 8 bits in more, too."""


def check_decoded_size(image: ImagePixelDescription, limits: Limits, times: int = 1) -> None:
    """Check a frame's decoded size against the limits.

    Args:
        image: as the data set describes it.
        limits: those of the file.
        times: memory that the frame takes, as a multiple of that of other codecs.

    Raises:
        LimitExceededError: a frame is larger than may be held, or than such a file may hold.
    """
    bits = image.bits_allocated
    size = image.samples_per_frame * (bits // 8 if bits > 16 else _LEAST_SIZE)
    if size * times > limits.frame_size:
        raise LimitExceededError(
            f"a frame of {image.rows} x {image.columns} takes {size} bytes, and "
            f"{limits.frame_size // times} is the limit for this file",
            attribute="Rows",
            hint=make_limit_hint("frame_size=SIZE"),
        )


def check_frame_count(image: ImagePixelDescription, limits: Limits) -> None:
    """Check how many frames are to be taken one by one, and the samples of all of them.

    Raises:
        LimitExceededError: there are more than the limit.
    """
    frames = image.number_of_frames
    if frames > limits.frames:
        raise LimitExceededError(
            f"{frames} frames are more than the limit of {limits.frames} for this file",
            attribute="NumberOfFrames",
            hint=make_limit_hint("frames=NUMBER"),
        )
    check_sample_count(count_samples(image), limits)


def count_samples(image: ImagePixelDescription) -> int:
    """Return the samples of all frames; 1-bit samples count as a quarter, as they take less."""
    samples = image.samples_per_frame * image.number_of_frames
    return samples // 4 if image.bits_allocated == 1 else samples


def check_sample_count(samples: int, limits: Limits) -> None:
    """Check the samples of several frames or images together.

    Raises:
        LimitExceededError: there are more than the limit.
    """
    if samples > limits.samples:
        raise LimitExceededError(
            f"the frames have {samples} samples together, and {limits.samples} is the limit for "
            "this file",
            attribute="NumberOfFrames",
            hint=make_limit_hint("samples=NUMBER"),
        )
