"""Render one frame of a file as a picture, in a process of the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicodec.batch.pool.messages import WorkContext
from dicodec.comparison.image_pair import open_side
from dicodec.errors import UnsupportedSourceError
from dicodec.model.late_import import import_late
from dicodec.model.limits import DEFAULT_LIMITS
from dicodec.model.records import dataclass
from dicodec.part10.beneath import Beneath, open_beneath
from dicodec.repair.opening import open_tolerantly

if TYPE_CHECKING:
    import imagecodecs
    import numpy as np
else:
    imagecodecs = import_late("imagecodecs")
    np = import_late("numpy")


@dataclass(frozen=True, slots=True)
class PreviewItem:
    """One picture to render.

    Attributes:
        place: place of the file.
        frame: number of the frame, from 0.
        largest_side: rows and columns of the picture at most.
    """

    place: Beneath
    frame: int
    largest_side: int


def render_preview(settings: None, item: PreviewItem, context: WorkContext) -> bytes:  # noqa: ARG001
    """Render a frame as a viewer shows it, as PNG; a work of the pool.

    Raises:
        ReadError: the file or the frame cannot be read.
        UnsupportedSourceError: the file has no frame that can be shown.
    """
    from dicodec.comparison.picture import prepare, render

    with open_beneath(item.place) as source, open_tolerantly(source, DEFAULT_LIMITS) as file:
        if not file.frames.present:
            raise UnsupportedSourceError("the file has no pixels to be shown")
        side = open_side(file, item.place.path)
        if item.frame >= side.image.number_of_frames:
            raise UnsupportedSourceError(
                f"there is no frame {item.frame}", hint="frames are counted from 0"
            )
        picture = render(prepare(side, side.read(item.frame)))
    step = -(-max(picture.shape[:2]) // item.largest_side)
    return bytes(imagecodecs.png_encode(np.ascontiguousarray(picture[::step, ::step])))
