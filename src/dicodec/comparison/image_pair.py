"""Decode the frames of two files, and convert them to a common form for the comparison."""

from __future__ import annotations

from itertools import product

from dicodec.conversion.frames.frame_steps import SampleReader, make_frame_reader
from dicodec.conversion.planning.stored_values import read_meaning
from dicodec.errors import DicodecError, UnsupportedImageError
from dicodec.images.display import find_color_routes
from dicodec.model.findings import join_runs
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import NamedTuple, dataclass, replace
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.pixels.palette import PALETTE_COLOR
from dicodec.pixels.photometric import Route, apply_steps

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.codecs.base import Samples

_COMMON = ("RGB", "MONOCHROME2")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two files, its frames ready to be decoded.

    Attributes:
        name: name of the file, for errors.
        data_set: data set of the file.
        decode: returns the samples of a frame.
        image: description of the samples that `decode` returns.
        without_bytes: frames that have no samples.
        steps: steps from these samples to the common form.
    """

    name: str | None
    data_set: DataSet
    decode: SampleReader
    image: ImagePixelDescription
    without_bytes: frozenset[int]
    steps: Route = ()

    def read(self, frame: int) -> Samples:
        """Return the samples of a frame; errors name the file and the frame."""
        try:
            return self.decode(frame)
        except DicodecError as error:
            error.with_location(path=self.name, frame=frame)
            raise

    def bring_to_common(self, samples: Samples) -> Samples:
        """Return samples in the common form."""
        return apply_steps(self.steps, samples, self.image)

    @property
    def compared(self) -> ImagePixelDescription:
        """Description of the samples that `common` returns."""
        image = self.image
        for step in self.steps:
            image = step.describe(image)
        return image

    def find_routes(self, wanted: str) -> list[Route]:
        """Return the ways to a Photometric Interpretation, the preferred one first.

        Raises:
            UnsupportedImageError: there is none.
            MalformedFileError: a palette is needed and absent, or makes no sense.
        """
        return [way for way, _ in find_color_routes(self.data_set, self.image, wanted)]


def open_side(file: DicomFile, name: str | None) -> Side:
    """Prepare the frames of a file for decoding.

    Raises:
        ReadError: the image is not described, or the first frame's headers cannot be read.
        UnsupportedSourceError: the frames are in an encoding that is not decoded.
    """
    try:
        decode, image = make_frame_reader(file)
    except DicodecError as error:
        error.with_location(path=name)
        raise
    return Side(name, file.data_set, decode, image, file.frames.without_bytes)


class Pair(NamedTuple):
    """Two sides that can be compared, or the reasons why they cannot."""

    one: Side
    two: Side
    differences: tuple[str, ...]
    notes: tuple[str, ...]
    comparable: bool


def make_pair(one: Side, two: Side) -> Pair:
    """Find the differences of two images as a whole, and their common form.

    Raises:
        ReadError: a palette that is needed cannot be read; the file is named.
    """
    first, second = one.image, two.image
    differences = [
        f"{name} {getattr(first, field)} and {getattr(second, field)}"
        for name, field in (("Columns", "columns"), ("Rows", "rows"))
        if getattr(first, field) != getattr(second, field)
    ]
    comparable = not differences
    if first.number_of_frames != second.number_of_frames:
        differences.append(
            f"Number of Frames {first.number_of_frames} and {second.number_of_frames}"
        )
    if alone := sorted(one.without_bytes ^ two.without_bytes):
        differences.append(f"only one has bytes in frames {join_runs(alone)}")
        comparable = False
    names = first.photometric_interpretation, second.photometric_interpretation
    how = ""
    if names[0] != names[1]:
        joined = None if _is_labelled(one) or _is_labelled(two) else _join(one, two)
        if joined is None:
            differences.append(f"Photometric Interpretation {names[0]} and {names[1]}")
            comparable = False
        else:
            one, two = joined
            how = (
                f"{names[0]} and {names[1]}: compared as {one.compared.photometric_interpretation}"
            )
    elif first.samples_per_pixel != second.samples_per_pixel:
        differences.append(
            f"Samples per Pixel {first.samples_per_pixel} and {second.samples_per_pixel}"
        )
        comparable = False
    notes = [
        f"{name} {getattr(one.compared, field)} and {getattr(two.compared, field)}: "
        "values compared as they are"
        for name, field in (
            ("Bits Stored", "bits_stored"),
            ("Pixel Representation", "pixel_representation"),
        )
        if getattr(one.compared, field) != getattr(two.compared, field)
    ]
    return Pair(one, two, tuple(differences), (*notes, *filter(None, [how])), comparable)


def _is_labelled(side: Side) -> bool:
    """Whether the palette of a side has information besides colors, which RGB loses."""
    if side.image.photometric_interpretation != PALETTE_COLOR:
        return False
    return read_meaning(side.data_set, PALETTE_COLOR) is not None


def _join(one: Side, two: Side) -> tuple[Side, Side] | None:
    """Return both sides with steps to the same interpretation, and the same bits if there are."""
    for wanted in _COMMON:
        try:
            ways = [_find_side_routes(side, wanted) for side in (one, two)]
        except UnsupportedImageError:
            continue
        pairs = [
            (replace(one, steps=first), replace(two, steps=second))
            for first, second in product(*ways)
        ]
        same = (pair for pair in pairs if _count_bits(pair[0]) == _count_bits(pair[1]))
        return next(same, pairs[0])
    return None


def _count_bits(side: Side) -> int:
    return side.compared.bits_stored


def _find_side_routes(side: Side, wanted: str) -> list[Route]:
    try:
        return side.find_routes(wanted)
    except DicodecError as error:
        error.with_location(path=side.name)
        raise
