"""Draw two frames and their difference side by side, as a viewer shows them, as PNG."""

from __future__ import annotations

from dicodec.comparison.image_pair import Pair, Side
from dicodec.images.decoded_frames import as_rgb
from dicodec.images.display import Display, DisplayReader, Picture
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass, replace

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import imagecodecs
    import numpy as np
    from numpy.typing import NDArray
else:
    imagecodecs = import_late("imagecodecs")
    np = import_late("numpy")

type _Floats = NDArray[np.float64]

LARGEST_SIDE = 2048
"""Rows and columns of a frame in the picture at most; a larger frame is reduced."""

_SEPARATOR = (90, 140, 255)
_SEPARATOR_WIDTH = 4


@dataclass(frozen=True, slots=True)
class PreparedFrame:
    """A frame to draw: its decoded samples, and how they are shown."""

    samples: NDArray[Any]
    display: Display


def prepare(side: Side, frame: int, samples: NDArray[Any]) -> PreparedFrame:
    """Return a frame of a file as a viewer shows it; one with an invalid palette is gray."""
    displays = DisplayReader(side.data_set, side.image, strict=False)
    return PreparedFrame(samples, displays.find_display(frame))


def draw_panes(
    shown: tuple[PreparedFrame, PreparedFrame], errors: NDArray[Any] | None
) -> list[Picture]:
    """Return pictures, RGB: the first frame, the second, and their difference if there is one.

    Gray values go through the window, or from the smallest to the largest value of the first frame
    if there is none; MONOCHROME1 is inverted. Colors become RGB. In the difference the largest
    error is white.

    Args:
        shown: both frames.
        errors: absolute differences of the samples; None if the frames cannot be compared.
    """
    first, second = shown
    panes = [render(first), render(replace(second, display=_reach_over(second.display, first)))]
    if errors is not None:
        panes.append(draw_errors(errors))
    return panes


def draw_picture(panes: list[Picture]) -> bytes:
    """Return pictures side by side as a PNG, with lines between."""
    return bytes(imagecodecs.png_encode(join_panes(panes)))


def _reach_over(display: Display, other: PreparedFrame) -> Display:
    """Return a display whose window reaches over the samples of another frame, if it has none."""
    same = other.display.image.monochrome == display.image.monochrome
    return display.reach_over(other.samples) if same and display.image.monochrome else display


def render(shown: PreparedFrame) -> Picture:
    """Return a frame as 8-bit RGB, reduced if it is large."""
    step = _choose_step(shown.samples)
    return as_rgb(shown.display.render(shown.samples[::step, ::step]))


def find_errors(pair: Pair, samples: tuple[NDArray[Any], NDArray[Any]]) -> _Floats:
    """Return the absolute differences of a frame's samples in the common form.

    Args:
        pair: images that can be compared.
        samples: decoded samples of the frame of each.
    """
    first, second = pair.one.bring_to_common(samples[0]), pair.two.bring_to_common(samples[1])
    with np.errstate(invalid="ignore", over="ignore"):
        errors: _Floats = np.abs(first.astype(np.float64) - second.astype(np.float64))
    return errors


def draw_errors(errors: NDArray[Any]) -> Picture:
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


def _quantize(brightness: _Floats) -> Picture:
    clean = np.nan_to_num(np.clip(brightness, 0, 1))
    rounded: Picture = (clean * 255 + 0.5).astype(np.uint8)
    return rounded


def join_panes(panes: list[Picture]) -> Picture:
    """Return pictures in a row, with lines between."""
    height = max(pane.shape[0] for pane in panes)
    line = np.full((height, _SEPARATOR_WIDTH, 3), _SEPARATOR, np.uint8)
    parts: list[Picture] = []
    for pane in panes:
        filled = np.full((height, pane.shape[1], 3), _SEPARATOR, np.uint8)
        filled[: pane.shape[0]] = pane
        parts += [filled, line]
    return np.concatenate(parts[:-1], axis=1)
