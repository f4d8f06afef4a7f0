"""Read the Image Pixel Module (PS3.3 C.7.6.3) from a data set's elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from dicodec.errors import DicodecError, MalformedFileError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.image import PHOTOMETRIC_INTERPRETATIONS, ImagePixelDescription
from dicodec.part10.data_set import DataSet

_REQUIRED = (
    ("Rows", tags.ROWS),
    ("Columns", tags.COLUMNS),
    ("BitsAllocated", tags.BITS_ALLOCATED),
)
_SAMPLE_NUMBERS = (
    tags.SAMPLES_PER_PIXEL,
    tags.PLANAR_CONFIGURATION,
    tags.BITS_ALLOCATED,
    tags.BITS_STORED,
    tags.HIGH_BIT,
    tags.PIXEL_REPRESENTATION,
)
_BITS_ALLOCATED = frozenset({1, 8, 16, 32, 64})
_FLOATING = {tags.FLOAT_PIXEL_DATA: 32, tags.DOUBLE_FLOAT_PIXEL_DATA: 64}


NOTHING_KNOWN: Mapping[int, int | str] = MappingProxyType({})

_ABSENT_FOR_FLOATING = frozenset({tags.BITS_STORED, tags.HIGH_BIT, tags.PIXEL_REPRESENTATION})
"""Attributes that PS3.3 C.7.6.24 leaves out of images with Float Pixel Data."""

_SEPARATORS = str.maketrans("", "", " _-")


class _CorrectedDataSet:
    """A data set's attributes, with the right values of some."""

    def __init__(self, data_set: DataSet, known: Mapping[int, int | str]) -> None:
        self._data_set = data_set
        self._known = known
        self.find = data_set.find

    def read_number(self, tag: int) -> int | None:
        known = self._known.get(tag)
        return known if isinstance(known, int) else self._data_set.read_number(tag)

    def read_text(self, tag: int) -> str:
        known = self._known.get(tag)
        return self._data_set.read_text(tag) if known is None else str(known)


def read_stated_attributes(data_set: DataSet) -> dict[int, int | str | None]:
    """Return the stated attributes of samples, by tag; None or "" if the data set lacks one."""
    said: dict[int, int | str | None] = {tag: data_set.read_number(tag) for tag in _SAMPLE_NUMBERS}
    return said | {
        tags.PHOTOMETRIC_INTERPRETATION: data_set.read_text(tags.PHOTOMETRIC_INTERPRETATION)
    }


def find_missing_attributes(data_set: DataSet) -> frozenset[int]:
    """Return the attributes of samples that the data set lacks, for which values are assumed."""
    return frozenset(
        tag for tag, said in read_stated_attributes(data_set).items() if said in {None, ""}
    )


def parse_image_description(
    data_set: DataSet,
    pixel_data_tag: int,
    oddities: list[Oddity],
    known: Mapping[int, int | str] = NOTHING_KNOWN,
) -> ImagePixelDescription:
    """Return the description of a data set's pixels; missing values are assumed and noted.

    Args:
        data_set: the elements.
        pixel_data_tag: of Pixel Data, or of its floating point kin.
        oddities: assumptions are added.
        known: right values of attributes, by tag, found from the pixels themselves.

    Raises:
        MalformedFileError: an attribute is missing or has a value that leaves no sure reading.
    """
    return _describe(
        _CorrectedDataSet(data_set, known) if known else data_set, pixel_data_tag, oddities
    )


def describe_image(data_set: DataSet, pixel_data_tag: int) -> ImagePixelDescription | None:
    """Return the description of a data set's pixels; None if it is incomplete."""
    try:
        return parse_image_description(data_set, pixel_data_tag, [])
    except DicodecError:
        return None


def _describe(
    data_set: DataSet | _CorrectedDataSet, pixel_data_tag: int, oddities: list[Oddity]
) -> ImagePixelDescription:
    numbers = {keyword: data_set.read_number(tag) for keyword, tag in _REQUIRED}
    if pixel_data_tag in _FLOATING:
        numbers["BitsAllocated"] = numbers["BitsAllocated"] or _FLOATING[pixel_data_tag]
    for keyword, value in numbers.items():
        if not value:
            raise MalformedFileError(
                f"{keyword} is {'missing' if value is None else value}", attribute=keyword
            )
    bits_allocated = numbers["BitsAllocated"] or 0
    if bits_allocated not in _BITS_ALLOCATED:
        raise MalformedFileError(
            f"BitsAllocated is {bits_allocated}; only 1, 8, 16, 32 and 64 can be read",
            attribute="BitsAllocated",
            hint="native transfer syntaxes keep the samples as they are",
        )
    samples = _read_or_assume(data_set, tags.SAMPLES_PER_PIXEL, "SamplesPerPixel", 1, oddities)
    if samples not in {1, 3, 4}:
        raise MalformedFileError(
            f"SamplesPerPixel is {samples}; only 1 and 3 can be read", attribute="SamplesPerPixel"
        )
    bits_stored = _read_or_assume(
        data_set, tags.BITS_STORED, "BitsStored", bits_allocated, oddities
    )
    if not 1 <= bits_stored <= bits_allocated:
        raise MalformedFileError(
            f"BitsStored is {bits_stored}, but BitsAllocated is {bits_allocated}",
            attribute="BitsStored",
        )
    high_bit = _read_or_assume(data_set, tags.HIGH_BIT, "HighBit", bits_stored - 1, oddities)
    if not bits_stored - 1 <= high_bit < bits_allocated:
        oddities.append(
            Oddity(OddityId.WRONG_HIGH_BIT, f"HighBit is {high_bit}; taken as {bits_stored - 1}")
        )
        high_bit = bits_stored - 1
    representation = _read_or_assume(
        data_set, tags.PIXEL_REPRESENTATION, "PixelRepresentation", 0, oddities
    )
    if representation not in {0, 1}:
        raise MalformedFileError(
            f"PixelRepresentation is {representation}", attribute="PixelRepresentation"
        )
    return ImagePixelDescription(
        rows=numbers["Rows"] or 0,
        columns=numbers["Columns"] or 0,
        samples_per_pixel=samples,
        photometric_interpretation=_read_photometric_interpretation(data_set, samples, oddities),
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=high_bit,
        pixel_representation=representation,
        planar_configuration=_read_planar_configuration(data_set, samples, oddities),
        number_of_frames=_read_number_of_frames(data_set, oddities),
        floating=pixel_data_tag in _FLOATING,
        lossy=data_set.read_text(tags.LOSSY_IMAGE_COMPRESSION) == "01",
        overlay_bits=_find_overlay_bits(
            data_set, samples, bits_allocated, bits_stored, high_bit, oddities
        ),
    )


def _find_overlay_bits(
    data_set: DataSet | _CorrectedDataSet,
    samples: int,
    allocated: int,
    stored: int,
    high_bit: int,
    oddities: list[Oddity],
) -> int:
    if samples != 1 or stored == allocated:
        return 0
    found = 0
    for group, position in find_embedded_overlays(data_set.read_number, data_set.find):
        if is_within_samples(position, stored, high_bit):
            text = f"the overlay ({group:04X},xxxx) should lie in bit {position}, a sample's own"
            oddities.append(Oddity(OddityId.OVERLAY_IN_SAMPLES, text))
        elif position < allocated:
            found |= 1 << position
    return found


def _read_or_assume(
    data_set: DataSet | _CorrectedDataSet,
    tag: int,
    keyword: str,
    assumed: int,
    oddities: list[Oddity],
) -> int:
    value = data_set.read_number(tag)
    if value is not None:
        return value
    if tag not in _ABSENT_FOR_FLOATING or data_set.find(tags.PIXEL_DATA):
        oddities.append(
            Oddity(OddityId.MISSING_ATTRIBUTE, f"{keyword} is missing; taken as {assumed}")
        )
    return assumed


def _read_photometric_interpretation(
    data_set: DataSet | _CorrectedDataSet, samples: int, oddities: list[Oddity]
) -> str:
    stated = data_set.read_text(tags.PHOTOMETRIC_INTERPRETATION)
    if stated:
        meant = _SPELLINGS.get(_simplify(stated), stated)
        if meant != stated:
            oddities.append(
                Oddity(
                    OddityId.MISSPELT_PHOTOMETRIC_INTERPRETATION, f"{stated!r} is taken as {meant}"
                )
            )
        return meant
    assumed = "MONOCHROME2" if samples == 1 else "RGB"
    oddities.append(
        Oddity(
            OddityId.MISSING_ATTRIBUTE, f"PhotometricInterpretation is missing; taken as {assumed}"
        )
    )
    return assumed


def _simplify(value: str) -> str:
    """Return a value in upper case without separators, which old encoders wrote differently."""
    return value.translate(_SEPARATORS).upper()


_SPELLINGS = {_simplify(value): value for value in PHOTOMETRIC_INTERPRETATIONS}


def _read_planar_configuration(
    data_set: DataSet | _CorrectedDataSet, samples: int, oddities: list[Oddity]
) -> int:
    value = data_set.read_number(tags.PLANAR_CONFIGURATION)
    if samples == 1:
        return 0
    if value not in {0, 1}:
        oddities.append(
            Oddity(OddityId.MISSING_ATTRIBUTE, "PlanarConfiguration is missing; taken as 0")
        )
        return 0
    return value


_MOST_FRAMES = 10**12 - 1
"""The largest number of 12 characters, which an IS has at most (PS3.5 6.2). No file has bytes for
so many frames: larger numbers are refused for the same cause, and this one fits a machine word."""


def _read_number_of_frames(data_set: DataSet | _CorrectedDataSet, oddities: list[Oddity]) -> int:
    stated = data_set.read_text(tags.NUMBER_OF_FRAMES)
    if not stated:
        return 1
    try:
        frames = int(stated.split("\\")[0])
    except ValueError:
        raise MalformedFileError(
            f"NumberOfFrames is {stated!r}", attribute="NumberOfFrames"
        ) from None
    if frames < 0:
        raise MalformedFileError(f"NumberOfFrames is {frames}", attribute="NumberOfFrames")
    if frames == 0:
        oddities.append(Oddity(OddityId.ZERO_FRAMES, "NumberOfFrames is 0; taken as 1"))
    return min(max(frames, 1), _MOST_FRAMES)


def find_embedded_overlays(
    number: Callable[[int], int | None], find: Callable[[int], object | None]
) -> Iterator[tuple[int, int]]:
    """Yield the group of each overlay without data of its own, and its bit position.

    Args:
        number: returns the number that a data set has under a tag.
        find: returns an element of the data set, or None.
    """
    for group in tags.OVERLAY_GROUPS:
        high = group << 16
        allocated = number(high | tags.OVERLAY_BITS_ALLOCATED)
        if allocated is None or find(high | tags.OVERLAY_DATA) is not None:
            continue
        position = number(high | tags.OVERLAY_BIT_POSITION) or 0
        if allocated != 1 or position:
            yield group, position


def is_within_samples(position: int, bits_stored: int, high_bit: int) -> bool:
    """Return whether a bit, counted from the lowest of a word, belongs to the sample."""
    return high_bit - bits_stored < position <= high_bit
