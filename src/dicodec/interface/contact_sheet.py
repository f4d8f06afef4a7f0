"""Make a contact sheet: a small picture of each image below a folder, side by side."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

from dicodec.batch.sources.folders import PassedOver, WalkOptions
from dicodec.batch.sources.listing import list_sources, parse_sources
from dicodec.batch.sources.opening import open_source
from dicodec.batch.sources.references import SourceReference, release
from dicodec.errors import DicodecError, InvalidOptionError, NotDicomError, UnsupportedSourceError
from dicodec.images.decoded_frames import AUTO, WindowChoice, as_rgb
from dicodec.images.image import Image
from dicodec.images.pictures import find_scaled_size, resize_picture
from dicodec.model.late_import import import_late
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.records import NamedTuple

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
else:
    np = import_late("numpy")

SIDE = 192
"""Rows and columns of a cell."""

MOST_CELLS = 2500
"""Images on a sheet at most."""

_GAP = 4
_BACKGROUND, _FAILED = 0, 96


class ContactSheet(NamedTuple):
    """A contact sheet, and the images on it.

    Attributes:
        picture: RGB, of shape (rows, columns, 3).
        names: of the images, row by row from the upper left.
        columns: images in a row.
        errors: why images are gray cells, in order.
    """

    picture: NDArray[Any]
    names: tuple[str, ...]
    columns: int
    errors: tuple[DicodecError, ...]


def make_contact_sheet(
    folder: str | os.PathLike[str], window: WindowChoice = AUTO, limits: Limits = DEFAULT_LIMITS
) -> ContactSheet:
    """Draw the middle frame of each image below a folder, or in an archive.

    Files that are not DICOM, or have no pixels, are left out.

    Args:
        folder: the folder or archive.
        window: as of `Image.read_frame`.
        limits: bounds on the sizes that a file may claim.

    Raises:
        InvalidOptionError: there is no image, or there are too many.
    """
    cells: list[NDArray[Any]] = []
    names: list[str] = []
    errors: list[DicodecError] = []
    for name, cell in _draw_cells(os.fspath(folder), window, limits):
        if len(cells) == MOST_CELLS:
            raise InvalidOptionError(f"there are more than {MOST_CELLS} images: choose a subfolder")
        if isinstance(cell, DicodecError):
            errors.append(cell)
            cell = np.full((SIDE, SIDE, 3), _FAILED, np.uint8)
        cells.append(cell)
        names.append(name)
    if not cells:
        raise InvalidOptionError("there is no image", path=os.fspath(folder))
    columns = math.ceil(math.sqrt(len(cells)))
    rows = -(-len(cells) // columns)
    step = SIDE + _GAP
    picture = np.full((rows * step - _GAP, columns * step - _GAP, 3), _BACKGROUND, np.uint8)
    for number, cell in enumerate(cells):
        top, left = number // columns * step, number % columns * step
        picture[top : top + SIDE, left : left + SIDE] = cell
    return ContactSheet(picture, tuple(names), columns, tuple(errors))


def _draw_cells(
    folder: str, window: WindowChoice, limits: Limits
) -> Iterator[tuple[str, NDArray[Any] | DicodecError]]:
    """Yield the name of each image, and its cell or why there is none."""
    options = WalkOptions(follow_links=False)
    for listed in list_sources(parse_sources([folder], None, mirrored=False), options, limits):
        if isinstance(listed, PassedOver):
            continue
        if isinstance(listed, DicodecError):
            yield listed.path or folder, listed
            continue
        reference = listed.reference
        try:
            yield reference.name, _draw_cell(reference, window, limits)
        except NotDicomError:
            continue
        except UnsupportedSourceError as error:
            if "no pixels" not in error.message:
                yield reference.name, error.with_location(path=reference.name)
        except DicodecError as error:
            yield reference.name, error.with_location(path=reference.name)
        finally:
            release(reference)


def _draw_cell(reference: SourceReference, window: WindowChoice, limits: Limits) -> NDArray[Any]:
    with open_source(reference) as source, Image(source, reference.name, limits) as image:
        shape = image.description.shape
        size = find_scaled_size(shape, SIDE / max(shape[:2]))
        picture = image.read_frame(len(image) // 2, window=window, at_least=size)
    scaled = as_rgb(resize_picture(picture, size))[:SIDE, :SIDE]
    cell = np.full((SIDE, SIDE, 3), _BACKGROUND, np.uint8)
    top, left = ((SIDE - side) // 2 for side in scaled.shape[:2])
    cell[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
    return cell
