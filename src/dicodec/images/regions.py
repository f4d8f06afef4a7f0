"""Regions of frames: read and show no more of a frame than is asked for."""

from __future__ import annotations

from operator import index

from dicodec.codecs.table import find_decoder
from dicodec.errors import InvalidOptionError
from dicodec.model.image import WITH_ALL_CHROMA, ImagePixelDescription
from dicodec.model.records import NamedTuple, replace
from dicodec.part10.dicom_file import DicomFile

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray


class Region(NamedTuple):
    """A rectangle of a frame."""

    top: int
    left: int
    rows: int
    columns: int

    def check(self, image: ImagePixelDescription) -> None:
        """Check that it lies within a frame.

        Raises:
            InvalidOptionError: it does not, or is empty.
        """
        if (
            min(self.top, self.left, self.rows - 1, self.columns - 1) < 0
            or self.top + self.rows > image.rows
            or self.left + self.columns > image.columns
        ):
            raise InvalidOptionError(
                f"a region of {self.rows} by {self.columns} at row {self.top} and column "
                f"{self.left} is not within the frame of {image.rows} by {image.columns}"
            )

    def describe(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Return the description of its samples, given that of the frame's."""
        return replace(image, rows=self.rows, columns=self.columns)

    def cut(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Return the region of a frame's samples; a view of them."""
        rows = slice(self.top, self.top + self.rows)
        return samples[rows, self.left : self.left + self.columns]

    def halves_evenly(self, image: ImagePixelDescription, halvings: int) -> bool:
        """Return whether its sides fall between samples of a frame that is halved so often."""
        step = 1 << halvings
        bottom, right = self.top + self.rows, self.left + self.columns
        return (
            self.top % step == self.left % step == 0
            and (bottom % step == 0 or bottom == image.rows)
            and (right % step == 0 or right == image.columns)
        )

    def halve(self, halvings: int) -> Region:
        """Return the region in a frame that is halved so often, where it halves evenly."""
        top, left, bottom, right = (
            -(-side >> halvings)
            for side in (self.top, self.left, self.top + self.rows, self.left + self.columns)
        )
        return Region(top, left, bottom - top, right - left)


def make_region(given: Iterable[int]) -> Region:
    """Return the region that a caller states.

    Raises:
        InvalidOptionError: it is not four whole numbers.
    """
    return Region(*take_numbers("region", given, ("first row", "first column", "rows", "columns")))


def take_numbers(name: str, given: Iterable[int], meanings: Sequence[str]) -> tuple[int, ...]:
    """Return the whole numbers of an argument, one for each meaning.

    Raises:
        InvalidOptionError: they are not so many, or not whole numbers.
    """
    try:
        numbers = tuple(map(index, given))
    except TypeError:
        numbers = ()
    if len(numbers) != len(meanings):
        raise InvalidOptionError(
            f"{name} is {given!r}; it has to be whole numbers: {', '.join(meanings)}"
        )
    return numbers


def decode_rows(
    file: DicomFile, coded: ImagePixelDescription, frame: int, region: Region
) -> NDArray[Any] | None:
    """Return the samples of a native frame's region, of which no other rows are read.

    None if rows cannot be read alone: bits, planes, shared chroma, exchanged bytes, samples that
    only the whole frame proves to be in their place, or a frame that is not whole.

    Args:
        file: the open file.
        coded: the image as its frames are stored.
        frame: its number, from 0.
        region: within the frame.
    """
    native = file.frames.native
    if native is None or native.swapped_words or frame >= native.whole:
        return None
    whole_bytes = coded.bits_allocated % 8 == 0
    by_pixel = coded.samples_per_pixel == 1 or coded.planar_configuration == 0
    in_place = coded.floating or coded.high_bit == coded.bits_stored - 1
    alone = coded.photometric_interpretation not in WITH_ALL_CHROMA
    if not (whole_bytes and by_pixel and in_place and alone):
        return None
    part = replace(coded, rows=region.rows, number_of_frames=1)
    size = part.native_frame_bits // 8
    start = (frame * coded.rows + region.top) * (size // region.rows)
    stream = file.frames.source.read(native.span.value + start, size)
    samples: NDArray[Any] = find_decoder(file.syntax).decode(stream, part)
    return samples[:, region.left : region.left + region.columns]
