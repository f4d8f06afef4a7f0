"""What a frame that is lost is filled with, as a rule on the image (PS3.3 C.7.5.1.1.2, C.7.6.3)."""

from __future__ import annotations

from dicodec.model.image import ImagePixelDescription


def fill_values(image: ImagePixelDescription, padding: float | None) -> tuple[float, ...]:
    """Return the samples of a pixel that stands for nothing.

    Pixel Padding Value, where there is one. Else the darkest gray there is, which in MONOCHROME1 is
    the largest value, and of signed samples the smallest: 0 would be a density like others. Black
    in colors; index 0 of a palette.

    Args:
        image: the decoded image.
        padding: Pixel Padding Value, or that of floating point samples; None where there is none.
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
