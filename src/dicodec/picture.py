"""Showing two frames and their difference side by side, as a viewer would show them, as PNG."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicodec.errors import DicodecError
from dicodec.model.image import ImagePixelDescription
from dicodec.part10.data_set import DataSet
from dicodec.part10.encoding import EXPLICIT_LITTLE
from dicodec.part10.values import parse_values
from dicodec.pixels.photometric import route

type _Picture = NDArray[np.uint8]
type _Floats = NDArray[np.float64]

LARGEST_SIDE = 2048
"""Rows and columns above which a frame is made smaller before it is shown."""

_SEPARATOR = (90, 140, 255)
_SEPARATOR_WIDTH = 4

_RESCALE_INTERCEPT, _RESCALE_SLOPE = 0x00281052, 0x00281053
_WINDOW_CENTER, _WINDOW_WIDTH, _VOI_LUT_FUNCTION = 0x00281050, 0x00281051, 0x00281056


@dataclass(frozen=True, slots=True)
class Window:
    """How stored gray values become brightness (PS3.3 C.11.1, C.11.2).

    Attributes:
        slope, intercept: of the modality transformation.
        center, width: of the window, in units after that; None where the data set has no window.
        function: VOI LUT Function.
    """

    slope: float = 1.0
    intercept: float = 0.0
    center: float | None = None
    width: float | None = None
    function: str = "LINEAR"


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame to be shown.

    Attributes:
        samples: as they were decoded.
        image: what they are.
        window: of gray images.
    """

    samples: NDArray[Any]
    image: ImagePixelDescription
    window: Window


def window_of(data_set: DataSet) -> Window:
    """Return the first window of a data set; what cannot be read counts as absent."""
    slope = _first_number(data_set, _RESCALE_SLOPE)
    width = _first_number(data_set, _WINDOW_WIDTH)
    return Window(
        slope=slope or 1.0,
        intercept=_first_number(data_set, _RESCALE_INTERCEPT) or 0.0,
        center=_first_number(data_set, _WINDOW_CENTER),
        width=width if width is not None and width >= 1 else None,
        function=data_set.text(_VOI_LUT_FUNCTION) or "LINEAR",
    )


def _first_number(data_set: DataSet, tag: int) -> float | None:
    try:
        values = parse_values("DS", data_set.value(tag) or b"", EXPLICIT_LITTLE)
    except DicodecError:
        return None
    return float(values[0]) if values else None


def picture_of(shown: tuple[Shown, Shown], errors: NDArray[Any] | None) -> bytes:
    """Return a PNG: the first frame, the second, and their difference, with lines between.

    Gray values go through the window, or from the smallest to the largest value of the first frame
    where there is none; MONOCHROME1 is inverted. In the difference the largest error is white. A
    palette's indices are shown as gray.

    Args:
        shown: both frames.
        errors: absolute differences of the samples; None where the frames cannot be compared.
    """
    import imagecodecs

    span = _span(shown[0])
    panes = [_rendered(one, span) for one in shown]
    if errors is not None:
        panes.append(_amplified(errors))
    return bytes(imagecodecs.png_encode(_side_by_side(panes)))


def _rendered(shown: Shown, span: tuple[float, float]) -> _Picture:
    """Return a frame as 8-bit RGB, made smaller where it is large."""
    step = _step(shown.samples)
    samples, image = np.ascontiguousarray(shown.samples[::step, ::step]), shown.image
    image = replace(image, rows=samples.shape[0], columns=samples.shape[1])
    if image.samples_per_pixel == 1:
        gray = _brightness(samples.astype(np.float64), shown, span)
        if image.photometric_interpretation == "MONOCHROME1":
            gray = 1 - gray
        return np.repeat(_bytes(gray)[..., np.newaxis], 3, axis=2)
    if image.samples_per_pixel != 3:
        return _rendered(
            Shown(shown.samples[..., 0], replace(image, samples_per_pixel=1), shown.window), span
        )
    if image.photometric_interpretation == "YBR_FULL":
        for step_ in next(iter(route(image, "RGB")))[0]:
            samples = step_.apply(samples, image)
    low, high = image.sample_range
    return _bytes((samples.astype(np.float64) - low) / (high - low))


def _span(shown: Shown) -> tuple[float, float]:
    """Return the smallest and largest number of a frame."""
    samples = shown.samples
    if samples.dtype.kind == "f":
        samples = samples[np.isfinite(samples)]
    return (float(samples.min()), float(samples.max())) if samples.size else (0.0, 0.0)


def _brightness(values: _Floats, shown: Shown, span: tuple[float, float]) -> _Floats:
    """Return stored values as brightness, 0 to 1 or beyond (PS3.3 C.11.2.1.2)."""
    window = shown.window
    if window.center is None or window.width is None or not shown.image.monochrome:
        low, high = span
        return (values - low) / (high - low) if high > low else np.zeros_like(values)
    values = values * window.slope + window.intercept
    center, width = window.center, window.width
    if window.function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -500, 500)))
    if window.function != "LINEAR_EXACT":
        center, width = center - 0.5, width - 1
    if width <= 0:
        return (values > center).astype(np.float64)
    return (values - center) / width + 0.5


def _amplified(errors: NDArray[Any]) -> _Picture:
    """Return errors as 8-bit RGB, the largest white; where they are made smaller, none is lost."""
    errors = errors.reshape(*errors.shape[:2], -1).astype(np.float64)
    errors[~np.isfinite(errors)] = np.nanmax(errors, initial=1, where=np.isfinite(errors))
    step = _step(errors)
    if step > 1:
        starts = [np.arange(0, size, step) for size in errors.shape[:2]]
        errors = np.maximum.reduceat(errors, starts[0], axis=0)
        errors = np.maximum.reduceat(errors, starts[1], axis=1)
    if errors.shape[2] != 3:
        errors = np.repeat(errors[..., :1], 3, axis=2)
    return _bytes(errors / max(float(errors.max()), np.finfo(np.float64).tiny))


def _step(samples: NDArray[Any]) -> int:
    side: int = max(samples.shape[:2])
    return -(-side // LARGEST_SIDE)


def _bytes(brightness: _Floats) -> _Picture:
    clean = np.nan_to_num(np.clip(brightness, 0, 1))
    rounded: _Picture = (clean * 255 + 0.5).astype(np.uint8)
    return rounded


def _side_by_side(panes: list[_Picture]) -> _Picture:
    height = max(pane.shape[0] for pane in panes)
    line = np.full((height, _SEPARATOR_WIDTH, 3), _SEPARATOR, np.uint8)
    parts: list[_Picture] = []
    for pane in panes:
        filled = np.full((height, pane.shape[1], 3), _SEPARATOR, np.uint8)
        filled[: pane.shape[0]] = pane
        parts += [filled, line]
    return np.concatenate(parts[:-1], axis=1)
