"""Show and measure how far a result is from its source, in a process of the pool."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from dicodec.batch.pool.messages import WorkContext
from dicodec.comparison.image_pair import Pair, Side, make_pair, open_side
from dicodec.comparison.picture import PreparedFrame, draw_errors, find_errors, prepare
from dicodec.comparison.pixels import find_undecodable, measure_chosen_frames
from dicodec.errors import UnsupportedSourceError
from dicodec.model.records import dataclass
from dicodec.part10.beneath import Beneath, open_beneath
from dicodec.pixels.gray import Window
from dicodec.repair.opening import open_tolerantly
from dicodec.service.web.preview import encode_reduced

_MOST_FRAMES, _MOST_SAMPLES = 64, 1 << 26
"""Frames and samples that are measured at most; they are spread evenly over the file."""

_MOST_SHOWN = 1 << 25
"""Samples of a frame whose difference is shown, because each takes eight bytes, several times."""


@dataclass(frozen=True, slots=True)
class PairItem:
    """A source and its result.

    Attributes:
        source, result: places of the files.
        frame: number of the frame to show or measure, from 0; None for all, or a part of them.
        largest_side: rows and columns of a picture at most.
    """

    source: Beneath
    result: Beneath
    frame: int | None = None
    largest_side: int = 512


def render_difference(settings: None, item: PairItem, context: WorkContext) -> bytes:  # noqa: ARG001
    """Render the errors of a frame as PNG, the largest one white; a work of the pool.

    Raises:
        ReadError: a file or the frame cannot be read.
        UnsupportedSourceError: there is no such frame, or the images cannot be compared.
    """
    with _open_pair(item) as pair:
        frame = item.frame or 0
        _check_frame(pair, frame)
        if reasons := _find_obstacles(pair):
            raise UnsupportedSourceError(f"the frames cannot be compared: {'; '.join(reasons)}")
        if pair.one.compared.samples_per_frame > _MOST_SHOWN:
            raise UnsupportedSourceError("the frame is too large for a picture of its difference")
        errors = find_errors(pair, (pair.one.read(frame), pair.two.read(frame)))
        return encode_reduced(draw_errors(errors), item.largest_side)


def measure_pair(settings: None, item: PairItem, context: WorkContext) -> dict[str, Any]:  # noqa: ARG001
    """Return the fields of a `PairMeasures`; a work of the pool.

    Raises:
        ReadError: a file or a frame cannot be read.
        UnsupportedSourceError: there is no such frame, or a file has no frames that are decoded.
    """
    with _open_pair(item) as pair:
        shown = item.frame or 0
        _check_frame(pair, shown)
        reasons = _find_obstacles(pair)
        measured: dict[str, Any] = {}
        if not reasons:
            frames = _choose_frames(pair) if item.frame is None else [item.frame]
            errors, psnr = measure_chosen_frames(pair, frames)
            measured = {
                "measured_frames": len(frames),
                "differing_samples": errors.differing,
                "largest_error": errors.largest if math.isfinite(errors.largest) else None,
                "mean_absolute_error": errors.mean if math.isfinite(errors.mean) else None,
                "psnr": psnr,
            }
        first = _prepare(pair.one, shown)
        second = _prepare(pair.two, shown)
        return {
            "reasons": reasons,
            "notes": list(pair.notes),
            "source": _describe_side(pair.one, first, first),
            "result": _describe_side(pair.two, second, _choose_extent(first, second)),
            **measured,
        }


@contextmanager
def _open_pair(item: PairItem) -> Iterator[Pair]:
    with ExitStack() as stack:
        sides = []
        for place in (item.source, item.result):
            source = stack.enter_context(open_beneath(place))
            file = stack.enter_context(open_tolerantly(source))
            if not file.frames.present:
                raise UnsupportedSourceError("the file has no pixels", path=place.path)
            if why := find_undecodable(file.frames):
                raise UnsupportedSourceError(f"no frames are shown: {why}", path=place.path)
            sides.append(open_side(file, place.path))
        yield make_pair(sides[0], sides[1])


def _check_frame(pair: Pair, frame: int) -> None:
    if frame >= min(side.image.number_of_frames for side in (pair.one, pair.two)):
        raise UnsupportedSourceError(
            f"there is no frame {frame}", hint="frames are counted from 0, in the shorter file"
        )


def _find_obstacles(pair: Pair) -> list[str]:
    """Return why frames cannot be compared: if their numbers differ, they are other frames too."""
    return list(pair.differences)


def _choose_frames(pair: Pair) -> Sequence[int]:
    """Return the frames to measure: all if they are few and small."""
    image = pair.one.compared
    count = image.number_of_frames
    samples = max(1, image.rows * image.columns * image.samples_per_pixel)
    most = max(1, min(_MOST_FRAMES, _MOST_SAMPLES // samples))
    if count <= most:
        return range(count)
    return sorted({number * (count - 1) // max(1, most - 1) for number in range(most)})


def _prepare(side: Side, frame: int) -> PreparedFrame:
    return prepare(side, frame, side.read(frame))


def _choose_extent(first: PreparedFrame, second: PreparedFrame) -> PreparedFrame:
    """Return the frame whose values set the result's window, if the files state none.

    It is the source's frame if its gray values are the same ones, so that both look alike.
    """
    images = first.display.image, second.display.image
    same = images[0].photometric_interpretation == images[1].photometric_interpretation
    alike = same and images[0].sample_range == images[1].sample_range
    if alike and first.display.rescaling == second.display.rescaling:
        return first
    return second


def _describe_side(side: Side, shown: PreparedFrame, extent: PreparedFrame) -> dict[str, Any]:
    window = shown.display.find_window(extent.samples)
    return {
        "rows": side.image.rows,
        "columns": side.image.columns,
        "frames": side.image.number_of_frames,
        "photometric_interpretation": side.image.photometric_interpretation,
        "window": None if window is None else _describe_window(window),
        "window_stated": shown.display.states_window,
    }


def _describe_window(window: Window) -> dict[str, float]:
    return {"center": window.center, "width": window.width}
