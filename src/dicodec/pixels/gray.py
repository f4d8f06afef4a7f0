"""Gray levels of 8 bits from stored values: modality and VOI transform (PS3.3 C.11.1, C.11.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dicodec.model.image import ImagePixelDescription
from dicodec.pixels.photometric import PhotometricStep

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOP = 255


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of the rescaled values is shown, and how.

    Attributes:
        center, width: as in PS3.3 C.11.2.1.2.
        function: LINEAR, LINEAR_EXACT or SIGMOID.
    """

    center: float
    width: float
    function: str = "LINEAR"

    def levels(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values from 0 to 1."""
        import numpy as np

        if self.function == "SIGMOID":
            with np.errstate(over="ignore"):
                return 1 / (1 + np.exp(-4 * (values - self.center) / self.width))
        center, width = self.center, self.width
        if self.function == "LINEAR":
            center, width = center - 0.5, width - 1
        if width <= 0:
            return (values > center).astype(np.float64)
        return np.clip((values - center) / width + 0.5, 0, 1)


@dataclass(frozen=True, slots=True)
class Rescaling:
    """Turns stored values into 8 bits; MONOCHROME1 is inverted on the way.

    Attributes:
        slope, intercept: Rescale Slope and Intercept.
        window: what is shown; None as long as the smallest and largest value are not known.
    """

    slope: float = 1.0
    intercept: float = 0.0
    window: Window | None = None

    def __call__(self, samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:
        """Return the gray levels of a frame."""
        import numpy as np

        assert self.window is not None, "it is looked for before frames are converted"
        low, high = image.sample_range
        if image.bits_stored > 16:
            return self._levels(samples, image)
        table = self._levels(np.arange(low, high + 1), image)
        levels: NDArray[Any] = table[samples.astype(np.int64) - low]
        return levels

    def _levels(self, samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:
        import numpy as np

        assert self.window is not None
        levels = self.window.levels(samples.astype(np.float64) * self.slope + self.intercept)
        if image.photometric_interpretation == "MONOCHROME1":
            levels = 1 - levels
        return np.rint(levels * _TOP).astype(np.uint8)

    def whole_range(self, smallest: int, largest: int) -> Rescaling:
        """Return this with a window from the smallest to the largest stored value of all frames."""
        ends = sorted(self.slope * value + self.intercept for value in (smallest, largest))
        width = ends[1] - ends[0] or 1.0
        window = Window((ends[0] + ends[1]) / 2, width, "LINEAR_EXACT")
        return Rescaling(self.slope, self.intercept, window)


def rescaling_step(source: str, rescaling: Rescaling) -> PhotometricStep:
    """Return the step from MONOCHROME1 or MONOCHROME2 to MONOCHROME2 of 8 bits."""
    window = rescaling.window
    if window is None:
        how = "from the smallest to the largest value"
    else:
        how = f"window {window.center:g}, {window.width:g} ({window.function})"
    how = f"rescaled by {rescaling.slope:g} and {rescaling.intercept:g}, {how}"
    return PhotometricStep(source, "MONOCHROME2", rounds=True, apply=rescaling, bits=8, how=how)


def _upper_bits(samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:
    """Return colors of 8 bits, scaled so that the largest stays the largest."""
    import numpy as np

    top = (1 << image.bits_stored) - 1
    return ((samples.astype(np.uint64) * _TOP + top // 2) // top).astype(np.uint8)


def narrowing_step(source: str) -> PhotometricStep:
    """Return the step from colors of more than 8 bits to 8."""
    return PhotometricStep(
        source, source, rounds=True, apply=_upper_bits, bits=8, how="scaled from the whole range"
    )
