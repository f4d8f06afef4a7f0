"""Write frames as files for eyes and programs: PNG, JPEG, TIFF, GIF, NumPy, raw samples."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dicodec.conversion.output.result_file import create_side_output
from dicodec.errors import InvalidOptionError
from dicodec.images.decoded_frames import AUTO, Size, WindowChoice
from dicodec.images.image import Image
from dicodec.model.late_import import import_late
from dicodec.model.records import StrEnum, dataclass, replace

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, BinaryIO

    import imagecodecs
    import numpy as np
    from numpy.typing import NDArray
else:
    imagecodecs = import_late("imagecodecs")
    np = import_late("numpy")

MOST_MEMORY = 1 << 29
"""Bytes of all pictures of one GIF or TIFF, which are held in memory."""

LARGEST_SIDE = 1 << 14
"""Rows and columns of a scaled picture at most."""

_JPEG_QUALITY = 90


class PictureKind(StrEnum):
    """A kind of file, by the suffix of its name."""

    PNG = "png"
    JPEG = "jpg"
    TIFF = "tif"
    GIF = "gif"
    NUMPY = "npy"
    RAW = "raw"

    @property
    def holds_samples(self) -> bool:
        """Whether it holds stored samples; others hold 8 bits as a viewer shows them."""
        return self in {PictureKind.NUMPY, PictureKind.RAW}

    @property
    def holds_many(self) -> bool:
        """Whether one file holds several frames."""
        return self not in {PictureKind.PNG, PictureKind.JPEG}


_ALIASES = {"jpeg": "jpg", "tiff": "tif"}


def find_picture_kind(path: str | os.PathLike[str]) -> PictureKind:
    """Return the kind of file that a name asks for.

    Raises:
        InvalidOptionError: it asks for none that is written.
    """
    suffix = Path(path).suffix.lower().removeprefix(".")
    suffix = _ALIASES.get(suffix, suffix)
    if suffix not in PictureKind:
        raise InvalidOptionError(
            f"{os.fspath(path)!r} does not name a kind of picture",
            hint=f"it ends in .{', .'.join(kind.value for kind in PictureKind)}",
        )
    return PictureKind(suffix)


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """How frames are written.

    Attributes:
        window: as of `Image.read_frame`; None for "auto" in pictures, and for stored samples.
        scale: factor of rows and columns.
        overwrite: whether a file that is there may be replaced.
    """

    window: WindowChoice = None
    scale: float = 1.0
    overwrite: bool = False


def write_pictures(
    image: Image,
    frames: Sequence[int],
    path: str | os.PathLike[str],
    options: PictureOptions,
) -> list[Path]:
    """Write frames, in one file or in one file each, and return their paths.

    Several frames of a kind that holds one get names of their own: `x-0.png`, `x-1.png`.

    Args:
        image: the open image.
        frames: numbers of the frames, from 0; one or more.
        path: place of the file; its suffix names the kind, see `PictureKind`.
        options: how they are written.

    Raises:
        DicodecError: a frame cannot be read.
        InvalidOptionError: the name, the scale or the number of frames makes no sense.
        WriteError: a file cannot be written, or is there already.
    """
    kind = find_picture_kind(path)
    if options.window is None and not kind.holds_samples:
        options = replace(options, window=AUTO)
    rows, columns = find_scaled_size(image.description.shape, options.scale)
    if options.scale != 1 and options.window is None:
        raise InvalidOptionError(
            "stored samples are not scaled, because a mean of them may mean nothing",
            hint="give a window, or name a picture",
        )
    place = Path(path)
    pictures = _make_pictures(image, frames, options)
    if kind.holds_samples:
        with (
            create_side_output(place, overwrite=options.overwrite) as temporary,
            temporary.open("wb") as file,
        ):
            _write_arrays(file, kind, pictures, len(frames))
        return [place]
    if kind.holds_many:
        if rows * columns * image.description.samples_per_pixel * len(frames) > MOST_MEMORY:
            raise InvalidOptionError(
                f"{len(frames)} pictures take too much memory for one .{kind.value}",
                hint="choose fewer frames, a smaller --scale, or .npy",
            )
        _write(place, encode_pictures(np.stack([*pictures]), kind), options)
        return [place]
    width = len(str(max(frames)))
    paths = [
        place if len(frames) == 1 else place.with_stem(f"{place.stem}-{frame:0{width}}")
        for frame in frames
    ]
    for one, picture in zip(paths, pictures, strict=True):
        _write(one, encode_pictures(picture, kind), options)
    return paths


def _make_pictures(
    image: Image, frames: Sequence[int], options: PictureOptions
) -> Iterator[NDArray[Any]]:
    if options.scale == 1:
        yield from image.read_frames(frames, window=options.window)
        return
    size = find_scaled_size(image.description.shape, options.scale)
    for array in image.read_frames(frames, window=options.window, at_least=size):
        yield resize_picture(array, size)


def _write(path: Path, content: bytes, options: PictureOptions) -> None:
    with create_side_output(path, overwrite=options.overwrite) as temporary:
        temporary.write_bytes(content)


def _write_arrays(
    file: BinaryIO, kind: PictureKind, arrays: Iterator[NDArray[Any]], count: int
) -> None:
    """Write arrays one behind the other, little endian; the memory that it takes is one's."""
    for number, array in enumerate(arrays):
        if number == 0 and kind is PictureKind.NUMPY:
            shape = array.shape if count == 1 else (count, *array.shape)
            header = {"descr": array.dtype.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(array).data)


def encode_pictures(
    pictures: NDArray[Any], kind: PictureKind, *, quality: int | None = None
) -> bytes:
    """Return pictures as a file.

    Args:
        pictures: uint8, of shape (rows, columns) or (rows, columns, 3); of a TIFF or GIF several in
            one array, (pictures, rows, columns) or (pictures, rows, columns, 3).
        kind: one that holds 8 bits.
        quality: of JPEG, 1 to 100; None for 90.
    """
    pictures = np.ascontiguousarray(pictures)
    match kind:
        case PictureKind.PNG:
            return bytes(imagecodecs.png_encode(pictures))
        case PictureKind.JPEG:
            return bytes(imagecodecs.jpeg8_encode(pictures, quality or _JPEG_QUALITY))
        case PictureKind.TIFF:
            colored = pictures.shape[-1] == 3 and pictures.ndim == 4
            photometric = "rgb" if colored else "minisblack"
            return bytes(imagecodecs.tiff_encode(pictures, photometric=photometric))
        case _:
            return _encode_gif(pictures)


def _encode_gif(pictures: NDArray[Any]) -> bytes:
    """Return a GIF, which has 256 colors: all grays, or 8 reds by 8 greens by 4 blues."""
    # imagecodecs leaves room for as many bytes as pixels, and LZW of noise needs half as many more.
    room = 2 * pictures.size + 1024 * (len(pictures) + 1)
    if pictures.ndim == 3:
        return bytes(imagecodecs.gif_encode(pictures, out=room))
    red, green, blue = (pictures[..., n].astype(np.uint16) for n in range(3))
    steps = [np.rint(one * (count - 1) / 255) for one, count in ((red, 8), (green, 8), (blue, 4))]
    indices = (steps[0] * 32 + steps[1] * 4 + steps[2]).astype(np.uint8)
    number = np.arange(256)
    levels = np.stack([(number >> 5) / 7, (number >> 2 & 7) / 7, (number & 3) / 3], axis=1)
    colors = np.rint(levels * 255).astype(np.uint8)
    return bytes(imagecodecs.gif_encode(indices, colormap=colors, out=room))


def find_scaled_size(shape: Sequence[int], scale: float) -> Size:
    """Return rows and columns of a scaled picture.

    Raises:
        InvalidOptionError: the scale is not above 0, or a side becomes too large.
    """
    if not 0 < scale <= LARGEST_SIDE:
        raise InvalidOptionError(f"the scale is {scale:g}; it has to be above 0")
    rows, columns = (max(1, round(side * scale)) for side in shape[:2])
    if scale != 1 and max(rows, columns) > LARGEST_SIDE:
        raise InvalidOptionError(
            f"a picture of {rows} by {columns} is too large", hint=f"{LARGEST_SIDE} are the most"
        )
    return rows, columns


def resize_picture(picture: NDArray[Any], size: Size) -> NDArray[Any]:
    """Return a picture in another size: each new pixel is the mean of the area that it covers.

    Args:
        picture: uint8, of shape (rows, columns) or (rows, columns, 3).
        size: rows and columns; if they are a multiple of the picture's, pixels are repeated.
    """
    if picture.shape[:2] == size:
        return picture
    if all(side % part == 0 for side, part in zip(picture.shape, size, strict=False)):
        return _average_blocks(picture, size)
    scaled = picture.astype(np.float64)
    for axis, side in enumerate(size):
        scaled = _average(scaled, axis, side)
    return np.rint(scaled).astype(np.uint8)


def _average_blocks(picture: NDArray[Any], size: Size) -> NDArray[Any]:
    """Return the means of blocks of pixels that fill a picture, in a tenth of the time."""
    (rows, columns), colors = size, picture.shape[2:]
    height, width = picture.shape[0] // rows, picture.shape[1] // columns
    sums = picture.reshape(rows, height, -1).sum(axis=1, dtype=np.uint32)
    parts = sums.reshape(rows, columns, width, *colors)
    total = parts[:, :, 0].astype(np.uint32)
    for one in range(1, width):
        total += parts[:, :, one]
    means: NDArray[Any] = np.rint(total / (height * width))
    return means.astype(np.uint8)


def _average(values: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    """Return the means of `size` equal parts along an axis."""
    values = np.moveaxis(values, axis, 0)
    sums = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    edges = np.linspace(0, len(values), size + 1)
    whole = np.minimum(edges.astype(np.int64), len(values) - 1)
    part = (edges - whole).reshape(-1, *[1] * (values.ndim - 1))
    at_edges = sums[whole] + part * values[whole]
    return np.moveaxis(np.diff(at_edges, axis=0) * size / len(values), 0, axis)
