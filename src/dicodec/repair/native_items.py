"""Native samples in items, as fragments are, under a transfer syntax that has no fragments."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import partial

from dicodec.codecs.streams import rle
from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import replace
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.frames import find_frames
from dicodec.part10.spliced_source import SourceRange, SplicedSource
from dicodec.repair.deflated_frames import inflates_to
from dicodec.repair.image_attributes import read_stated_frames
from dicodec.repair.stream_kinds import describe_stream_at, is_rle_header

type Part = tuple[int, int]
"""Offset and length of samples."""


def find_native_parts(
    walked: WalkedDataSet, image: ImagePixelDescription | None
) -> list[Part] | None:
    """Return the samples in the items of Pixel Data; None if that is not the only reading.

    Together they have to be as long as all frames; if Number of Frames is missing, as some.

    Args:
        walked: the data set; its first item may be an offset table, or samples already.
        image: as the data set describes it.
    """
    if image is None or walked.missing:
        return None
    items = list(zip(walked.fragment_starts, walked.fragment_lengths, strict=True))
    possible = (items, items[1:]) if items and items[0][1] else (items[1:],)
    found = (_select_samples(parts, image, walked.data_set) for parts in possible)
    readings = [parts for parts in found if parts is not None]
    if len(readings) != 1 or any(map(partial(show_stream, walked.data_set, image), possible)):
        return None
    return readings[0]


def show_stream(data_set: DataSet, image: ImagePixelDescription, parts: Iterable[Part]) -> bool:
    """Whether fragments, joined, begin as something else than samples.

    A first fragment may end within the headers of its stream.

    Args:
        data_set: holds the fragments.
        image: as it is described.
        parts: the fragments.
    """
    joined = SplicedSource(SourceRange(data_set.source, at, at + length) for at, length in parts)
    if not joined.size:
        return False
    if describe_stream_at(joined, 0, joined.size) is not None:
        return True
    if is_rle_header(joined.read(0, min(joined.size, rle.HEADER_SIZE)), joined.size, image):
        return True
    size = image.native_frame_size
    return inflates_to(joined.read(0, min(joined.size, 2 * size + 64)), size)


def _select_samples(
    parts: list[Part], image: ImagePixelDescription, data_set: DataSet
) -> list[Part] | None:
    parts = [(start, length) for start, length in parts if length]
    size, total = image.native_frame_size, sum(length for _, length in parts)
    if not total:
        return None
    if total in {image.native_size, image.native_size + image.native_size % 2}:
        return parts
    whole = image.native_frame_bits % 8 == 0
    counted = data_set.find(tags.NUMBER_OF_FRAMES) is not None and read_stated_frames(data_set) != 0
    if whole and not counted and total % size == 0:
        return parts
    padded = all(length == size + size % 2 for _, length in parts)
    if whole and padded and (not counted or len(parts) == image.number_of_frames):
        return [(start, size) for start, _ in parts]
    return None


def join_native_items(file: DicomFile, walked: WalkedDataSet) -> tuple[DicomFile, WalkedDataSet]:
    """Return a file whose samples follow each other without items; the same one if it has none.

    Args:
        file: in a native transfer syntax, as its items show.
        walked: its data set.
    """
    data_set, span = file.data_set, file.frames.span
    parts = find_native_parts(walked, file.frames.description)
    if parts is None:
        return file, walked
    start, length = data_set.source.size, sum(size for _, size in parts)
    source = SplicedSource(
        (
            SourceRange(data_set.source, 0, start),
            *(SourceRange(data_set.source, at, at + size) for at, size in parts),
        )
    )
    joined = span._replace(
        start=start, value=start, length=length, end=start + length, undefined=False
    )
    elements = [joined if one is span else one for one in data_set.elements]
    made = DataSet(source, data_set.encoding, elements, data_set.limits)
    walked = WalkedDataSet(made, array("Q"), array("Q"), 0, walked.oddities)
    frames = find_frames(walked, joined, file.syntax, [])
    wrong = () if file.frames.encapsulated is None else file.frames.encapsulated.oddities
    kept = tuple(one for one in file.oddities if one not in wrong)
    return replace(file, data_set=made, frames=frames, oddities=kept), walked
