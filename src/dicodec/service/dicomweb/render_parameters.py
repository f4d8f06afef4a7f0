"""Parameters of rendered images: window, quality, viewport (PS3.18 8.3.5)."""

from __future__ import annotations

from collections.abc import Mapping

from dicodec.images.decoded_frames import AUTO, WindowChoice
from dicodec.model.records import dataclass
from dicodec.service.dicomweb.rendering import Viewport
from dicodec.service.web.error_answers import Refusal

_FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
_LARGEST_SIDE = 16_384


@dataclass(frozen=True, slots=True)
class RenderParameters:
    """How pictures are asked for.

    Attributes:
        window: as of `Image.read_frame`.
        quality: of JPEG, 1 to 100; None for the usual one.
        viewport: None for all of each frame in its own size.
    """

    window: WindowChoice = AUTO
    quality: int | None = None
    viewport: Viewport | None = None


def parse_parameters(given: Mapping[str, str]) -> RenderParameters:
    """Return the parameters of a URL; those that are unknown are ignored, as 8.3.1 has it.

    Raises:
        Refusal: a value makes no sense.
    """
    return RenderParameters(
        _parse_window(given.get("window")),
        _parse_quality(given.get("quality")),
        _parse_viewport(given.get("viewport")),
    )


def _parse_window(text: str | None) -> WindowChoice:
    if not text:
        return AUTO
    parts = text.split(",")
    if len(parts) not in {2, 3} or (len(parts) == 3 and parts[2] not in _FUNCTIONS):
        raise Refusal(
            400,
            f"window={text} is not a center, a width and a function",
            hint=f"the function is {', '.join(_FUNCTIONS)}",
        )
    center, width = _parse_number(parts[0], "window"), _parse_number(parts[1], "window")
    if width <= 0:
        raise Refusal(400, "a window's width is more than 0")
    if len(parts) == 2:
        return center, width
    return center, width, _FUNCTIONS[parts[2]]


def _parse_quality(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise Refusal(400, f"quality={text} is not from 1 to 100")
    return int(text)


def _parse_viewport(text: str | None) -> Viewport | None:
    if not text:
        return None
    parts = text.split(",")
    if len(parts) not in {2, 6}:
        raise Refusal(
            400,
            f"viewport={text} is not a width and a height, nor these and a region",
            hint="viewport=256,256 or viewport=256,256,0,0,512,512",
        )
    columns, rows = (_parse_side(part) for part in parts[:2])
    if len(parts) == 2:
        return Viewport(columns, rows)
    left, top, width, height = (
        None if not part else int(_parse_number(part, "viewport")) for part in parts[2:]
    )
    if (left or 0) < 0 or (top or 0) < 0 or width == 0 or height == 0:
        raise Refusal(400, "the viewport shows nothing of the frame")
    return Viewport(
        columns,
        rows,
        left or 0,
        top or 0,
        None if width is None else abs(width),
        None if height is None else abs(height),
        (width is not None and width < 0, height is not None and height < 0),
    )


def _parse_side(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _LARGEST_SIDE:
        raise Refusal(400, f"a side of a viewport is from 1 to {_LARGEST_SIDE}, not {text!r}")
    return int(text)


def _parse_number(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("inf")
    if not abs(number) < 1e9:
        raise Refusal(400, f"{text!r} in {name} is not a number")
    return number
