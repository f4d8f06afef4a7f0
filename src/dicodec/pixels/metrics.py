"""Measure the difference of two frames: errors, peak signal-to-noise ratio, similarity.

Frames are measured in bands of rows, so that little memory is taken beside the samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
else:
    np = import_late("numpy")

SSIM_WINDOW = 11
"""Rows and columns of the window over which structural similarity is measured."""

_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03
_BAND_SAMPLES = 1 << 17

type _Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SampleErrors:
    """Sums over the samples of one frame or several.

    Attributes:
        samples: number of samples.
        differing: number of samples that differ.
        largest: of all absolute errors; infinite if a sample is a number on one side only.
        total: sum of the absolute errors.
        squares: sum of their squares.
    """

    samples: int = 0
    differing: int = 0
    largest: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: SampleErrors) -> SampleErrors:
        return SampleErrors(
            self.samples + other.samples,
            self.differing + other.differing,
            max(self.largest, other.largest),
            self.total + other.total,
            self.squares + other.squares,
        )

    @property
    def mean(self) -> float:
        """Mean absolute error."""
        return self.total / self.samples if self.samples else 0.0

    def find_psnr(self, peak: float) -> float | None:
        """Return the peak signal-to-noise ratio in dB; None if it has no finite value."""
        if not self.squares or not math.isfinite(self.squares) or not peak:
            return None
        return 10 * math.log10(peak * peak * self.samples / self.squares)


def measure_errors(one: NDArray[Any], two: NDArray[Any]) -> SampleErrors:
    """Return the differences between the samples of two frames of the same shape.

    Values are compared, of any type; NaN equals NaN.
    """
    whole = one.dtype.kind != "f" and two.dtype.kind != "f"
    if whole and np.array_equal(one, two):
        return SampleErrors(samples=one.size)
    found = SampleErrors()
    for rows in _split_rows(one.shape, 0):
        first, second = one[rows], two[rows]
        if whole and max(first.itemsize, second.itemsize) < 8:
            errors = np.abs(first.astype(np.int64) - second.astype(np.int64)).astype(np.float64)
        elif whole:
            errors = _measure_wide_errors(first, second)
        else:
            errors = _measure_float_errors(first, second)
        largest = float(errors.max())
        found += SampleErrors(
            errors.size,
            int(np.count_nonzero(errors)),
            largest,
            float(errors.sum()),
            float(np.square(errors).sum()),
        )
    return found


def _measure_wide_errors(one: NDArray[Any], two: NDArray[Any]) -> _Floats:
    """Subtract the smaller from the larger, because 64-bit integers have no wider type."""
    larger, smaller = np.maximum(one, two), np.minimum(one, two)
    if larger.dtype.kind == "f":  # signed beside unsigned
        return _measure_float_errors(one, two)
    errors: _Floats = (larger.view(np.uint64) - smaller.view(np.uint64)).astype(np.float64)
    return errors


def _measure_float_errors(one: NDArray[Any], two: NDArray[Any]) -> _Floats:
    first: _Floats = one.astype(np.float64)
    second: _Floats = two.astype(np.float64)
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    with np.errstate(invalid="ignore", over="ignore"):
        errors: _Floats = np.abs(first - second)
    errors[same] = 0.0
    errors[np.isnan(errors)] = np.inf
    return errors


def measure_ssim(one: NDArray[Any], two: NDArray[Any], value_range: float) -> float | None:
    """Return the mean structural similarity of two frames of the same shape.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE Transactions on Image Processing 13(4), 2004: a Gaussian window of
    11 x 11 with a standard deviation of 1.5, weights that sum to 1, K1 = 0.01, K2 = 0.03, over the
    positions at which the window lies within the frame. For color, the mean of three components.

    Args:
        one: shape (rows, columns) or (rows, columns, samples).
        two: the same shape.
        value_range: largest minus smallest value that a sample can have.

    Returns:
        At most 1, for equal frames; None if the frame is smaller than the window, the range is 0,
        or a sample is not a number.
    """
    if min(one.shape[:2]) < SSIM_WINDOW or value_range <= 0:
        return None
    planes_one = one.reshape(*one.shape[:2], -1)
    planes_two = two.reshape(planes_one.shape)
    total, count = 0.0, 0
    for rows in _split_rows(one.shape, SSIM_WINDOW - 1):
        for plane in range(planes_one.shape[2]):
            similar = _measure_similarity(
                planes_one[rows, :, plane].astype(np.float64),
                planes_two[rows, :, plane].astype(np.float64),
                value_range,
            )
            total += float(similar.sum())
            count += similar.size
    mean = total / count
    return mean if math.isfinite(mean) else None


def _measure_similarity(one: _Floats, two: _Floats, value_range: float) -> _Floats:
    c1, c2 = (_K1 * value_range) ** 2, (_K2 * value_range) ** 2
    with np.errstate(invalid="ignore", over="ignore"):
        mean_one, mean_two = _smooth(one), _smooth(two)
        product = mean_one * mean_two
        squares = mean_one * mean_one + mean_two * mean_two
        covariance = _smooth(one * two) - product
        variances = _smooth(one * one + two * two) - squares
        similar: _Floats = ((2 * product + c1) * (2 * covariance + c2)) / (
            (squares + c1) * (variances + c2)
        )
    return similar


def _make_weights() -> list[float]:
    middle = SSIM_WINDOW // 2
    raw = [math.exp(-((i - middle) ** 2) / (2 * _SIGMA**2)) for i in range(SSIM_WINDOW)]
    return [weight / sum(raw) for weight in raw]


_WEIGHTS = _make_weights()


def _smooth(plane: _Floats) -> _Floats:
    """Return the weighted means of all windows that lie within a plane."""
    rows, columns = (size - SSIM_WINDOW + 1 for size in plane.shape)
    across: _Floats = np.zeros((plane.shape[0], columns))
    for i, weight in enumerate(_WEIGHTS):
        across += weight * plane[:, i : i + columns]
    both: _Floats = np.zeros((rows, columns))
    for i, weight in enumerate(_WEIGHTS):
        both += weight * across[i : i + rows]
    return both


def _split_rows(shape: tuple[int, ...], overlap: int) -> Iterator[slice]:
    """Yield slices of rows; each takes up `overlap` rows of the one before."""
    row_samples = math.prod(shape[1:])
    step = max(_BAND_SAMPLES // max(row_samples, 1), overlap, 1)
    for start in range(0, max(shape[0] - overlap, 0), step):
        yield slice(start, min(start + step + overlap, shape[0]))
