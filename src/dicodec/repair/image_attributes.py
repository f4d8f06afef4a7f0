"""Right values for the Image Pixel Module, if the streams or the length of the pixels show them.

PS3.3 C.7.6.3. Each function returns values by tag, empty if nothing is sure.
"""

from __future__ import annotations

from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetAttribute
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.image import WITH_ALL_CHROMA, YBR_PARTIAL, ImagePixelDescription
from dicodec.model.stream import StreamDescription
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_keyword
from dicodec.rules.color_space import exists_in

type Known = dict[int, int | str]
"""Values by tag."""

_STORED_SIZES = (8, 16, 32)
_ALLOCATED_SIZES = (1, 8, 16, 32, 64)
_COLORS = ("RGB", "YBR")
_MEANT: dict[int | str, str] = {YBR_PARTIAL: "that with chroma for each pixel"}


def make_corrections(data_set: DataSet, known: Known) -> tuple[Edit, ...]:
    """Return the edits that write the found values into a result.

    Args:
        data_set: the data set as it is.
        known: the values found, by tag.
    """
    edits: list[Edit] = [
        SetAttribute(tag, "US", (value,))
        if isinstance(value, int)
        else SetAttribute(tag, "IS" if tag == tags.NUMBER_OF_FRAMES else "CS", value)
        for tag, value in known.items()
        if value != YBR_PARTIAL  # it is only a way of reading the samples
    ]
    samples = known.get(tags.SAMPLES_PER_PIXEL)
    if samples == 1:
        edits.append(RemoveAttribute(tags.PLANAR_CONFIGURATION))  # only color images have it
    elif samples is not None and data_set.read_number(tags.PLANAR_CONFIGURATION) not in {0, 1}:
        edits.append(SetAttribute(tags.PLANAR_CONFIGURATION, "US", (0,)))
    return tuple(edits)


def describe_corrections(data_set: DataSet, known: Known, by: str) -> list[Oddity]:
    """Return an oddity for each attribute that says something else than was found.

    Args:
        data_set: the data set as it is.
        known: the values found, by tag.
        by: their source, in words.
    """
    found = []
    for tag, value in known.items():
        keyword = find_keyword(tag)
        span = data_set.find(tag)
        if span is None or not span.length:
            text = f"{keyword} is missing; {by} it is {value}"
            found.append(Oddity(OddityId.MISSING_ATTRIBUTE, text))
            continue
        stated = data_set.read_text(tag) if isinstance(value, str) else data_set.read_number(tag)
        identity = (
            OddityId.WRONG_NUMBER_OF_FRAMES
            if tag == tags.NUMBER_OF_FRAMES
            else OddityId.WRONG_ATTRIBUTE
        )
        meant = _MEANT.get(value, value)
        foreign = tag == tags.PHOTOMETRIC_INTERPRETATION and not exists_in(str(stated), None)
        cause = "in this transfer syntax" if foreign and meant != "MONOCHROME2" else by
        found.append(
            Oddity(identity, f"{keyword} is {stated}; {cause} it is {meant}", offset=span.start)
        )
    return found


def deduce_from_stream(data_set: DataSet, stream: StreamDescription) -> Known:
    """Return a stream's sizes and bits if the data set's own are impossible.

    The stream's explicit values control decoding (PS3.5 8.2.1).
    """
    known: Known = {}
    for tag, coded in (
        (tags.ROWS, stream.rows),
        (tags.COLUMNS, stream.columns),
        (tags.SAMPLES_PER_PIXEL, stream.components),
    ):
        if coded and data_set.read_number(tag) != coded:
            known[tag] = coded
    precision = stream.precision
    if precision is None or precision > _STORED_SIZES[-1]:
        return known
    allocated, stored, high_bit = _read_bits(data_set)
    if allocated is None or allocated not in _ALLOCATED_SIZES or allocated < precision:
        wide = precision
        if not allocated and stored is not None and precision < stored <= _STORED_SIZES[-1]:
            wide = stored
        allocated = next(size for size in _STORED_SIZES if size >= wide)
        known[tags.BITS_ALLOCATED] = allocated
    if stored is None or not 1 <= stored <= allocated:
        known[tags.BITS_STORED] = stored = precision
    if high_bit is not None and not stored - 1 <= high_bit < allocated:
        known[tags.HIGH_BIT] = stored - 1
    return known


def deduce_from_length(data_set: DataSet, length: int) -> Known:
    """Return the one attribute that is missing or impossible, if the length leaves one value.

    Args:
        data_set: the data set as it is.
        length: bytes of native Pixel Data; the last may be padding.
    """
    known = _deduce_bits(data_set)
    numbers = {
        tag: data_set.read_number(tag) if tag not in known else int(known[tag])
        for tag in (tags.ROWS, tags.COLUMNS, tags.BITS_ALLOCATED, tags.SAMPLES_PER_PIXEL)
    }
    frames = read_stated_frames(data_set)
    lacking = [tag for tag, value in numbers.items() if not value]
    if frames is None:
        lacking.append(tags.NUMBER_OF_FRAMES)
    if not lacking:
        return known if known and _fits(numbers, frames or 1, length) else {}
    if tags.SAMPLES_PER_PIXEL in lacking:
        text = data_set.read_text(tags.PHOTOMETRIC_INTERPRETATION).upper()
        samples = 3 if text.startswith(_COLORS) else 1 if text else 0
        lacking.remove(tags.SAMPLES_PER_PIXEL)
        numbers[tags.SAMPLES_PER_PIXEL] = samples or 1
        if samples == 3 or (samples and not lacking):
            known[tags.SAMPLES_PER_PIXEL] = samples
    if len(lacking) > 1:
        return {}
    if not lacking:
        return known if _fits(numbers, frames or 1, length) else {}
    return _solve(data_set, known, numbers, frames, lacking[0], length)


def _solve(
    data_set: DataSet,
    known: Known,
    numbers: dict[int, int | None],
    frames: int | None,
    tag: int,
    length: int,
) -> Known:
    """Return the one value of an attribute with which the length comes out right."""
    stored = data_set.read_number(tags.BITS_STORED) or 1
    candidates: set[int] = set()
    if tag == tags.BITS_ALLOCATED:
        candidates = {
            size for size in _STORED_SIZES
            if size >= stored and _fits({**numbers, tag: size}, frames or 1, length)
        }  # fmt: skip
    else:
        one = {**numbers}
        if tag != tags.NUMBER_OF_FRAMES:
            one[tag] = 1
        unit = _count_bits(one, 1 if tag == tags.NUMBER_OF_FRAMES else frames or 1)
        for bits in (8 * length, 8 * length - 8):
            if unit and bits > 0 and bits % unit == 0:
                candidates.add(bits // unit)
    if len(candidates) != 1 or not 0 < (value := candidates.pop()) < 1 << 16:
        return {}
    return {**known, tag: str(value) if tag == tags.NUMBER_OF_FRAMES else value}


def deduce_from_excess(data_set: DataSet, image: ImagePixelDescription, length: int) -> Known:
    """Return the right value of one attribute if native Pixel Data is that much longer.

    YBR_FULL_422 or YBR_PARTIAL_422 that was stored with all of its chroma, frames that nobody
    counted: each fits the length exactly, or is not assumed.

    Args:
        data_set: the data set as it is.
        image: as described.
        length: bytes of Pixel Data; the last may be padding.
    """
    bits = image.rows * image.columns * image.bits_allocated
    color = image.photometric_interpretation
    all_chroma = WITH_ALL_CHROMA.get(color)

    def fits(samples: int, frames: int) -> bool:
        size = (bits * samples * frames + 7) // 8
        return length in {size, size + size % 2}

    if all_chroma is not None:
        full = fits(3, image.number_of_frames)
        return {tags.PHOTOMETRIC_INTERPRETATION: all_chroma} if full else {}
    if data_set.read_text(tags.NUMBER_OF_FRAMES) and read_stated_frames(data_set) != 0:
        return {}
    frames = 8 * length // max(bits * image.samples_per_pixel, 1)
    if frames > 1 and fits(image.samples_per_pixel, frames):
        return {tags.NUMBER_OF_FRAMES: str(frames)}
    return {}


def _deduce_bits(data_set: DataSet) -> Known:
    """Return Bits Stored if Bits Allocated and High Bit agree on another."""
    allocated, stored, high_bit = _read_bits(data_set)
    if allocated not in _STORED_SIZES or stored is None or 1 <= stored <= allocated:
        return {}
    if high_bit is None or not 0 <= high_bit < allocated:
        return {}
    return {tags.BITS_STORED: high_bit + 1}


def _read_bits(data_set: DataSet) -> tuple[int | None, int | None, int | None]:
    """Return Bits Allocated, Bits Stored and High Bit."""
    allocated, stored, high_bit = map(
        data_set.read_number, (tags.BITS_ALLOCATED, tags.BITS_STORED, tags.HIGH_BIT)
    )
    return allocated, stored, high_bit


def _fits(numbers: dict[int, int | None], frames: int, length: int) -> bool:
    size = (_count_bits(numbers, frames) + 7) // 8
    return size > 0 and length in {size, size + size % 2}


def _count_bits(numbers: dict[int, int | None], frames: int) -> int:
    """Return the bits of all frames."""
    size = frames
    for value in numbers.values():
        size *= value or 0
    return size


def read_stated_frames(data_set: DataSet) -> int | None:
    """Return Number of Frames, 1 if it is missing, None if it is not a number of frames."""
    text = data_set.read_text(tags.NUMBER_OF_FRAMES)
    try:
        frames = int(text.partition("\\")[0]) if text else 1
    except ValueError:
        return None
    return frames if frames >= 0 else None
