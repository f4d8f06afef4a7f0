"""Render one frame of a file as a picture, in a process of the pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dicodec.batch.pool.messages import WorkContext
from dicodec.errors import UnsupportedSourceError
from dicodec.images.decoded_frames import AUTO, WindowChoice
from dicodec.images.display import Picture
from dicodec.images.image import Image
from dicodec.images.pictures import PictureKind, encode_pictures, resize_picture
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass
from dicodec.part10.beneath import Beneath, open_beneath

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
        window: as of `Image.read_frame`; colors have none.
    """

    place: Beneath
    frame: int
    largest_side: int
    window: WindowChoice = AUTO


def render_preview(settings: None, item: PreviewItem, context: WorkContext) -> bytes:  # noqa: ARG001
    """Render a frame as a viewer shows it, as PNG; a work of the pool.

    Raises:
        ReadError: the file or the frame cannot be read.
        UnsupportedSourceError: the file has no frame that can be shown.
    """
    with open_beneath(item.place) as source, Image(source, item.place.path) as image:
        check_frame(image, item.frame)
        shape = image.description.shape
        step = _find_step(shape, item.largest_side)
        size = -(-shape[0] // step), -(-shape[1] // step)
        picture = image.read_frame(item.frame, photometric="RGB", window=item.window, at_least=size)
    if picture.shape[:2] == shape[:2]:
        return encode_reduced(picture, item.largest_side)
    return encode_pictures(resize_picture(picture, size), PictureKind.PNG)


def check_frame(image: Image, frame: int) -> None:
    """Check that an image has a frame.

    Raises:
        UnsupportedSourceError: it has not.
    """
    if frame >= len(image):
        raise UnsupportedSourceError(f"there is no frame {frame}", hint="frames are counted from 0")


def encode_reduced(picture: Picture, largest_side: int) -> bytes:
    """Return every n-th row and column of a picture as PNG, so that neither side is too long."""
    step = _find_step(picture.shape, largest_side)
    return bytes(imagecodecs.png_encode(np.ascontiguousarray(picture[::step, ::step])))


def _find_step(shape: Sequence[int], largest_side: int) -> int:
    return -(-max(shape[:2]) // largest_side)
