"""Draw two frames and their difference side by side, as a viewer shows them, as PNG."""

from __future__ import annotations

from contextlib import suppress

from dicodec.comparison.image_pair import Side
from dicodec.errors import DicodecError, MalformedFileError, UnsupportedImageError
from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass, replace
from dicodec.part10.data_set import DataSet
from dicodec.part10.encoding import EXPLICIT_LITTLE
from dicodec.part10.values import parse_values
from dicodec.pixels.gray import Rescaling, Window
from dicodec.pixels.photometric import Route

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import imagecodecs
    import numpy as np
    from numpy.typing import NDArray
else:
    imagecodecs = import_late("imagecodecs")
    np = import_late("numpy")

type _Picture = NDArray[np.uint8]
type _Floats = NDArray[np.float64]

LARGEST_SIDE = 2048
"""Rows and columns of a frame in the picture at most; a larger frame is reduced."""

_SEPARATOR = (90, 140, 255)
_SEPARATOR_WIDTH = 4

_RESCALE_INTERCEPT, _RESCALE_SLOPE = tags.RESCALE_INTERCEPT, tags.RESCALE_SLOPE
_WINDOW_CENTER, _WINDOW_WIDTH, _VOI_LUT_FUNCTION = (
    tags.WINDOW_CENTER,
    tags.WINDOW_WIDTH,
    tags.VOI_LUT_FUNCTION,
)


@dataclass(frozen=True, slots=True)
class PreparedFrame:
    """A frame to draw.

    Attributes:
        samples: decoded samples.
        image: description of the samples.
        rescaling: rescaling and window of a gray image.
        steps: steps from the samples of a color image to RGB.
    """

    samples: NDArray[Any]
    image: ImagePixelDescription
    rescaling: Rescaling
    steps: Route = ()


def prepare(side: Side, samples: NDArray[Any]) -> PreparedFrame:
    """Return a frame of a file as a viewer shows it; one with an invalid palette is gray."""
    steps: Route = ()
    if not side.image.monochrome:
        with suppress(UnsupportedImageError, MalformedFileError):
            steps = side.find_routes("RGB")[0]
    return PreparedFrame(samples, side.image, _read_rescaling(side.data_set), steps)


def _read_rescaling(data_set: DataSet) -> Rescaling:
    """Return the rescaling and the first window; an invalid value counts as absent."""
    slope = _read_first_number(data_set, _RESCALE_SLOPE) or 1.0
    intercept = _read_first_number(data_set, _RESCALE_INTERCEPT) or 0.0
    center = _read_first_number(data_set, _WINDOW_CENTER)
    width = _read_first_number(data_set, _WINDOW_WIDTH)
    if center is None or width is None or width < 1:
        return Rescaling(slope, intercept)
    function = data_set.read_text(_VOI_LUT_FUNCTION)
    if function not in {"LINEAR_EXACT", "SIGMOID"}:
        function = "LINEAR"
    return Rescaling(slope, intercept, Window(center, width, function))


def _read_first_number(data_set: DataSet, tag: int) -> float | None:
    try:
        values = parse_values("DS", data_set.read_value(tag) or b"", EXPLICIT_LITTLE)
    except DicodecError:
        return None
    return float(values[0]) if values else None


def draw_picture(shown: tuple[PreparedFrame, PreparedFrame], errors: NDArray[Any] | None) -> bytes:
    """Return a PNG: the first frame, the second, and their difference, with lines between.

    Gray values go through the window, or from the smallest to the largest value of the first frame
    if there is none; MONOCHROME1 is inverted. Colors become RGB. In the difference the largest
    error is white.

    Args:
        shown: both frames.
        errors: absolute differences of the samples; None if the frames cannot be compared.
    """
    span = _find_span(shown[0])
    panes = [render(one, span) for one in shown]
    if errors is not None:
        panes.append(_amplify(errors))
    return bytes(imagecodecs.png_encode(join_panes(panes)))


def render(shown: PreparedFrame, span: tuple[float, float] | None = None) -> _Picture:
    """Return a frame as 8-bit RGB, reduced if it is large.

    Args:
        shown: the frame.
        span: the values that are black and white if there is no window; if not given, the
            smallest and largest.
    """
    step = _choose_step(shown.samples)
    samples, image = np.ascontiguousarray(shown.samples[::step, ::step]), shown.image
    image = replace(image, rows=samples.shape[0], columns=samples.shape[1])
    for one in shown.steps:
        samples, image = one.apply(samples, image), one.describe(image)
    if image.samples_per_pixel == 3:
        low, high = image.sample_range
        return _quantize((samples.astype(np.float64) - low) / (high - low))
    if image.samples_per_pixel > 1:
        samples = samples[..., 0]
    gray = _compute_brightness(samples.astype(np.float64), shown, span or _find_span(shown))
    if image.photometric_interpretation == "MONOCHROME1":
        gray = 1 - gray
    return np.repeat(_quantize(gray)[..., np.newaxis], 3, axis=2)


def _find_span(shown: PreparedFrame) -> tuple[float, float]:
    """Return the smallest and largest number of a frame."""
    samples = shown.samples
    if samples.dtype.kind == "f":
        samples = samples[np.isfinite(samples)]
    return (float(samples.min()), float(samples.max())) if samples.size else (0.0, 0.0)


def _compute_brightness(
    values: _Floats, shown: PreparedFrame, span: tuple[float, float]
) -> _Floats:
    """Return stored values as brightness, 0 to 1 or beyond (PS3.3 C.11.1, C.11.2)."""
    rescaling = shown.rescaling
    if rescaling.window is None or not shown.image.monochrome:
        low, high = span
        return (values - low) / (high - low) if high > low else np.zeros_like(values)
    return rescaling.window.find_levels(values * rescaling.slope + rescaling.intercept)


def _amplify(errors: NDArray[Any]) -> _Picture:
    """Return errors as 8-bit RGB, the largest white; reducing keeps the largest ones."""
    errors = errors.reshape(*errors.shape[:2], -1).astype(np.float64)
    errors[~np.isfinite(errors)] = np.nanmax(errors, initial=1, where=np.isfinite(errors))
    step = _choose_step(errors)
    if step > 1:
        starts = [np.arange(0, size, step) for size in errors.shape[:2]]
        errors = np.maximum.reduceat(errors, starts[0], axis=0)
        errors = np.maximum.reduceat(errors, starts[1], axis=1)
    if errors.shape[2] != 3:
        errors = np.repeat(errors[..., :1], 3, axis=2)
    return _quantize(errors / max(float(errors.max()), np.finfo(np.float64).tiny))


def _choose_step(samples: NDArray[Any]) -> int:
    side: int = max(samples.shape[:2])
    return -(-side // LARGEST_SIDE)


def _quantize(brightness: _Floats) -> _Picture:
    clean = np.nan_to_num(np.clip(brightness, 0, 1))
    rounded: _Picture = (clean * 255 + 0.5).astype(np.uint8)
    return rounded


def join_panes(panes: list[_Picture]) -> _Picture:
    """Return pictures in a row, with lines between."""
    height = max(pane.shape[0] for pane in panes)
    line = np.full((height, _SEPARATOR_WIDTH, 3), _SEPARATOR, np.uint8)
    parts: list[_Picture] = []
    for pane in panes:
        filled = np.full((height, pane.shape[1], 3), _SEPARATOR, np.uint8)
        filled[: pane.shape[0]] = pane
        parts += [filled, line]
    return np.concatenate(parts[:-1], axis=1)
