"""Gray levels of 8 bits from stored values: modality and VOI transform (PS3.3 C.11.1, C.11.2)."""

from __future__ import annotations

from collections.abc import Callable

from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import NamedTuple, dataclass, replace
from dicodec.pixels.photometric import PhotometricStep

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
else:
    np = import_late("numpy")

_TOP = 255
_TABLE_BITS = 16
_BLACK_AND_WHITE = 2

VOI_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
"""Values of VOI LUT Function (PS3.3 C.11.2.1.2, C.11.2.1.3)."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the rescaled values that is shown, and the function that shows it.

    Attributes:
        center, width: as in PS3.3 C.11.2.1.2.
        function: one of VOI_FUNCTIONS.
    """

    center: float
    width: float
    function: str = "LINEAR"

    def find_levels(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values from 0 to 1."""
        if self.function == "SIGMOID":
            with np.errstate(over="ignore"):
                return 1 / (1 + np.exp(-4 * (values - self.center) / self.width))
        center, width = self.center, self.width
        if self.function == "LINEAR":
            center, width = center - 0.5, width - 1
        if width <= 0:
            return (values > center).astype(np.float64)
        return np.clip((values - center) / width + 0.5, 0, 1)


class StoredRange(NamedTuple):
    """Stored values from the smallest to the largest, both inclusive."""

    low: float
    high: float


def quantize_levels(
    samples: NDArray[Any],
    image: ImagePixelDescription,
    find_levels: Callable[[NDArray[Any]], NDArray[Any]],
) -> NDArray[Any]:
    """Return gray levels of 8 bits; MONOCHROME1 is inverted.

    Args:
        samples: of a frame, or of a part of it.
        image: describes them.
        find_levels: turns stored values, as 64-bit floating point numbers, into levels from 0 to 1;
            called with all possible values if they are few, because a table is then quicker.
    """

    def quantize(values: NDArray[Any]) -> NDArray[Any]:
        levels = find_levels(values.astype(np.float64))
        if image.floating:
            levels = np.nan_to_num(levels)
        if image.photometric_interpretation == "MONOCHROME1":
            levels = 1 - levels
        return np.rint(levels * _TOP).astype(np.uint8)

    if image.floating or image.bits_stored > _TABLE_BITS:
        return quantize(samples)
    low, high = image.sample_range
    # Negative samples count from the table's end, as NumPy's indices do.
    table = quantize(np.concatenate([np.arange(0, high + 1), np.arange(low, 0)]))
    levels: NDArray[Any] = table[samples]
    return levels


@dataclass(frozen=True, slots=True)
class Rescaling:
    """Turns stored values into 8 bits; MONOCHROME1 is inverted on the way.

    Attributes:
        slope, intercept: Rescale Slope and Intercept.
        window: the values to show; None until the smallest and largest value are known.
        padding: stored values of pixels that are not part of the image, left out of the range of
            values; None if there are none (PS3.3 C.7.5.1.1.2).
    """

    slope: float = 1.0
    intercept: float = 0.0
    window: Window | None = None
    padding: StoredRange | None = None

    def __call__(self, samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:
        """Return the gray levels of a frame."""
        assert self.window is not None, "found before frames are converted"
        return quantize_levels(samples, image, self._find_levels)

    def _find_levels(self, values: NDArray[Any]) -> NDArray[Any]:
        assert self.window is not None
        return self.window.find_levels(values * self.slope + self.intercept)

    def find_extent(self, samples: NDArray[Any]) -> StoredRange | None:
        """Return the smallest and the largest stored value of a frame; None if all is padding."""
        if self.padding is not None:
            samples = samples[(samples < self.padding.low) | (samples > self.padding.high)]
        if samples.dtype.kind == "f":
            samples = samples[np.isfinite(samples)]
        return StoredRange(samples.min().item(), samples.max().item()) if samples.size else None

    def with_whole_range(self, extent: StoredRange) -> Rescaling:
        """Return a copy with a window from the smallest to the largest value of all frames."""
        ends = sorted(self.slope * value + self.intercept for value in extent)
        width = ends[1] - ends[0] or 1.0
        window = Window((ends[0] + ends[1]) / 2, width, "LINEAR_EXACT")
        return replace(self, window=window)

    def shows_levels(self, image: ImagePixelDescription) -> bool:
        """Return whether the window gives more than two gray levels for possible samples."""
        assert self.window is not None
        if image.floating:
            return True
        low, high = image.sample_range
        if image.bits_stored <= _TABLE_BITS:
            samples = np.arange(low, high + 1)
        else:  # within the window, and all over the range
            reach = np.linspace(-1, 1, 1 << 10) * self.window.width
            within = (self.window.center + reach - self.intercept) / self.slope
            samples = np.rint(np.clip([*within, *np.linspace(low, high, 1 << 10)], low, high))
        levels = self.window.find_levels(samples.astype(np.float64) * self.slope + self.intercept)
        return len(np.unique(np.rint(levels * _TOP))) > _BLACK_AND_WHITE


def make_rescaling_step(source: str, rescaling: Rescaling) -> PhotometricStep:
    """Return the step from MONOCHROME1 or MONOCHROME2 to MONOCHROME2 of 8 bits."""
    window = rescaling.window
    if window is None:
        how = "from the smallest to the largest value"
    else:
        how = f"window {window.center:g}, {window.width:g} ({window.function})"
    how = f"rescaled by {rescaling.slope:g} and {rescaling.intercept:g}, {how}"
    return PhotometricStep(source, "MONOCHROME2", rounds=True, apply=rescaling, bits=8, how=how)


def _take_upper_bits(samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:
    """Return colors of 8 bits, scaled so that the largest stays the largest.

    Chroma, and luma with it, keeps its upper bits, so that gray pixels stay gray.
    """
    top = (1 << image.bits_stored) - 1
    wide = samples.astype(np.uint64)
    scaled = (wide * _TOP + top // 2) // top
    if image.photometric_interpretation.startswith("YBR"):
        half, shift = 1 << image.bits_stored - 9, image.bits_stored - 8
        scaled = np.clip((wide + half) >> shift, 0, _TOP)
    return scaled.astype(np.uint8)


def make_narrowing_step(source: str) -> PhotometricStep:
    """Return the step from colors of more than 8 bits to 8."""
    return PhotometricStep(
        source,
        source,
        rounds=True,
        apply=_take_upper_bits,
        bits=8,
        how="scaled from the whole range",
    )
