"""Judge a file whose frames are found by their offset table, by its first and its last frame.

Whatever a file needs to be repaired for shows there, or in the frame that is read; then all items
are walked.
"""

from __future__ import annotations

from array import array
from itertools import pairwise

from dicodec.model.image import WITH_ALL_CHROMA, ImagePixelDescription
from dicodec.model.records import replace
from dicodec.model.stream import PADDED_ENDS, STREAM_STARTS
from dicodec.model.transfer_syntax import Storage
from dicodec.part10.data_set import WalkedDataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.fragment_walk import HEAD
from dicodec.part10.fragments import EncapsulatedFrames
from dicodec.part10.frame_table import ITEM_HEADER, TabledFrames, UnsureTableError
from dicodec.part10.source import BytesSource, FileSource
from dicodec.repair.deflated_frames import HEAD_SIZE as DEFLATE_HEAD_SIZE
from dicodec.repair.deflated_frames import find_wrapper
from dicodec.repair.encapsulated_pixels import EncapsulatedRepair
from dicodec.repair.image_attributes import read_stated_frames
from dicodec.repair.stream_kinds import CHECK_WHOLE, count_planes
from dicodec.rules.color_space import colors_agree

MOST_FOLLOWED = 256
"""Frames up to which the items of all are followed, as to do so takes 2 µs for each."""


def judge_tabled_file(file: DicomFile, walked: WalkedDataSet) -> DicomFile:
    """Return the file, with the form that each of its frames must have.

    Args:
        file: opened by its offset table.
        walked: its data set, with the fragments of the first frame and of the last one.

    Raises:
        UnsureTableError: it is not as plain as a frame that is read alone has to be.
    """
    table, image = walked.table, file.frames.description
    assert table is not None, "it was opened by its table"
    if (
        image is None
        or file.oddities
        or file.syntax.storage is not Storage.ENCAPSULATED
        or len(table) != image.number_of_frames
        or read_stated_frames(file.data_set) is None
    ):
        raise UnsureTableError
    if file.syntax.family == "deflated-frame":
        _judge_deflated(file, walked, image)
    else:
        _judge_as_two_frames(file, walked, image)
    table = _describe_streams(table, file.syntax.family or "", image)
    source = file.frames.source
    if table.heads:
        _check_items(table)
        table = replace(table, heads=b"")
    elif isinstance(source, BytesSource | FileSource):  # others may have to fetch what they read
        if len(table) <= MOST_FOLLOWED:
            table.check_all(source)
        else:
            table.check_some(source)
    return replace(file, frames=replace(file.frames, tabled=table))


def _check_items(table: TabledFrames) -> None:
    """Check that all items are frames, by what the walk over them has seen.

    Raises:
        UnsureTableError: one does not begin as a stream does, or is of another size.
    """
    heads = {table.heads[at : at + HEAD] for at in range(0, len(table.heads), HEAD)}
    begins = tuple(one[:HEAD] for one in table.begins) or (b"",)
    sizes = {after - start for start, after in pairwise((*table.table, table.end - table.origin))}
    fit = not table.lengths or sizes <= {ITEM_HEADER + length for length in table.lengths}
    if not fit or not all(one.startswith(begins) for one in heads):
        raise UnsureTableError


def _describe_streams(
    table: TabledFrames, family: str, image: ImagePixelDescription
) -> TabledFrames:
    begins = STREAM_STARTS.get(family, ())
    if family == "rle":
        begins = (count_planes(image).to_bytes(4, "little"),)
    size = image.native_frame_size
    return replace(
        table,
        begins=begins,
        ends=PADDED_ENDS if family in CHECK_WHOLE else (),
        lone=table.lone or family == "deflated-frame",
        lengths=(size, size + size % 2) if family == "encapsulated-uncompressed" else (),
    )


def _judge_deflated(file: DicomFile, walked: WalkedDataSet, image: ImagePixelDescription) -> None:
    """Judge frames that only inflating them tells more of, which reading each one does."""
    source = file.frames.source
    if (
        image.high_bit >= image.bits_stored
        or image.photometric_interpretation in WITH_ALL_CHROMA
        or not colors_agree(image, file.syntax.family)
        or any(
            find_wrapper(source.read(start, DEFLATE_HEAD_SIZE))
            for start in walked.fragment_starts[1:]
        )
    ):
        raise UnsureTableError


def _judge_as_two_frames(
    file: DicomFile, walked: WalkedDataSet, image: ImagePixelDescription
) -> None:
    """Judge the first and the last frame as the repair of a file of these two does."""
    starts, lengths = walked.fragment_starts, walked.fragment_lengths
    count = len(starts) - 1
    two = replace(image, number_of_frames=2)
    bounds = array("Q", [0, walked.first_fragments, count])
    ends = EncapsulatedFrames(starts[1:], lengths[1:], bounds, "empty", ())
    frames = replace(file.frames, description=two, encapsulated=ends, tabled=None)
    given = replace(file, frames=frames)
    left = replace(walked, fragment_lengths=array("Q", [0, *lengths[1:]]), table=None)
    judged = EncapsulatedRepair(given, left, compares_headers=False).repair()
    if (
        judged.oddities
        or judged.corrections
        or judged.syntax is not file.syntax
        or judged.frames.description != two
        or judged.frames.encapsulated != ends
    ):
        raise UnsureTableError
