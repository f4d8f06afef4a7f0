"""Render frames as pictures; the worker side (PS3.18 8.3.5, 8.7.4, 10.4.1.1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicodec.batch.pool.messages import WorkContext
from dicodec.errors import InvalidOptionError, MissingFrameError
from dicodec.images.decoded_frames import AUTO, WindowChoice
from dicodec.images.pictures import (
    MOST_MEMORY,
    PictureKind,
    encode_pictures,
    find_scaled_size,
    resize_picture,
)
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass
from dicodec.service.dicomweb.opened_files import InstancePlace, OpenedFile, get_opened_files

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
else:
    np = import_late("numpy")

_KINDS = {
    "image/jpeg": PictureKind.JPEG, "image/png": PictureKind.PNG, "image/gif": PictureKind.GIF,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Viewport:
    """The part of a frame that is shown, and the room that it has (8.3.5.1.3).

    Attributes:
        columns, rows: the room, 1 to 16384.
        left, top: the first column and row that are shown.
        width, height: columns and rows that are shown; None for all that follow.
        flipped: whether columns, and whether rows, are shown in reverse.
    """

    columns: int
    rows: int
    left: int = 0
    top: int = 0
    width: int | None = None
    height: int | None = None
    flipped: tuple[bool, bool] = (False, False)


@dataclass(frozen=True, slots=True)
class RenderItem:
    """A picture that is asked for.

    Attributes:
        place: the instance.
        frames: numbers of the frames, from 0; several make an animated GIF.
        media_type: of the picture.
        window: as of `Image.read_frame`.
        quality: of JPEG, 1 to 100; None for the usual one.
        viewport: None for all of the frame in its own size.
    """

    place: InstancePlace
    frames: range
    media_type: str
    window: WindowChoice = AUTO
    quality: int | None = None
    viewport: Viewport | None = None


def render(settings: None, item: RenderItem, context: WorkContext) -> bytes:  # noqa: ARG001
    """Return a picture as a viewer shows the frame; a work of the pool.

    Raises:
        DicodecError: the frame is missing or damaged, or cannot be shown.
    """
    opened = get_opened_files().open(item.place)
    count = len(opened.image)
    if item.frames[-1] >= count:
        raise MissingFrameError(
            f"there is no frame {item.frames[-1] + 1}: the instance has {count}"
        )
    kind = _KINDS[item.media_type]
    if len(item.frames) == 1:
        return encode_pictures(_show(opened, item.frames[0], item), kind, quality=item.quality)
    first = _show(opened, item.frames[0], item)
    if first.size * len(item.frames) > MOST_MEMORY:
        raise InvalidOptionError(
            f"{len(item.frames)} pictures take too much memory for one GIF",
            hint='a smaller viewport, or multipart/related; type="image/jpeg"',
        )
    pictures = [first, *(_show(opened, frame, item) for frame in item.frames[1:])]
    return encode_pictures(np.stack(pictures), kind)


def _show(opened: OpenedFile, frame: int, item: RenderItem) -> NDArray[Any]:
    image = opened.image
    window = item.window
    if window != AUTO and not image.description.monochrome:
        window = AUTO  # colors have no window
    view = item.viewport
    if view is None:
        return image.read_frame(frame, window=window)
    rows, columns = image.description.shape[:2]
    bottom = rows if view.height is None else min(view.top + view.height, rows)
    right = columns if view.width is None else min(view.left + view.width, columns)
    height, width = bottom - view.top, right - view.left
    if height <= 0 or width <= 0:
        raise InvalidOptionError("the viewport shows nothing of the frame")
    size = find_scaled_size((height, width), min(view.columns / width, view.rows / height))
    if (height, width) == (rows, columns):
        shown = image.read_frame(frame, window=window, at_least=size)
    else:
        region = (view.top, view.left, height, width)
        shown = image.read_frame(frame, window=window, at_least=size, region=region)
    if view.flipped[0]:
        shown = shown[:, ::-1]
    if view.flipped[1]:
        shown = shown[::-1]
    return resize_picture(shown, size)
