"""Repair Pixel Data once all of a file is read: streams, frames, and their description."""

from __future__ import annotations

from dicodec.errors import MalformedFileError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import replace
from dicodec.model.transfer_syntax import Storage
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.fragments import LONGEST_START, begins_stream
from dicodec.part10.frames import Frames, find_frames
from dicodec.repair.bare_streams import enter_bare_streams
from dicodec.repair.colors import deduce_from_colors
from dicodec.repair.encapsulated_pixels import EncapsulatedRepair
from dicodec.repair.encapsulation import (
    enter_missing_table,
    find_syntax_of_encoding,
    recognize_items,
)
from dicodec.repair.high_bit import deduce_from_bits, holds_words, read_native_words
from dicodec.repair.image_attributes import (
    Known,
    deduce_from_excess,
    deduce_from_length,
    describe_corrections,
    make_corrections,
)
from dicodec.repair.native_items import find_native_parts, join_native_items
from dicodec.repair.overlay_positions import deduce_overlay_position
from dicodec.repair.packed_samples import unpack_samples
from dicodec.repair.unknown_words import with_words_in_order
from dicodec.rules.color_space import colors_agree

_BY_LENGTH = "by the length of Pixel Data"
_BY_BITS = "by the bits that samples have set"


def repair_pixel_data(file: DicomFile, walked: WalkedDataSet) -> DicomFile:
    """Return a file whose Pixel Data is read in its real form.

    Args:
        file: as read by its own attributes.
        walked: its data set.

    Raises:
        ReadError: streams without items cannot be told apart into frames.
    """
    frames = file.frames
    if not frames.present or file.syntax.storage in {Storage.VIDEO, Storage.ELSEWHERE}:
        return file
    file = _relabel_samples_in_items(file, walked)
    if file.syntax.native and walked.fragment_starts:
        file, walked = join_native_items(file, walked)
    elif frames.span.undefined or walked.fragment_starts:
        missing = enter_missing_table(walked, frames.span, frames.description)
        if missing is not None:
            oddities = [missing]
            frames = find_frames(walked, frames.span, file.syntax, oddities)
            file = replace(file, frames=frames, oddities=(*_drop_table_oddities(file), *oddities))
        return EncapsulatedRepair(file, walked).repair()
    return _read_native(file, walked)


def _relabel_samples_in_items(file: DicomFile, walked: WalkedDataSet) -> DicomFile:
    """Return a file in a native transfer syntax if its items hold samples, under another one.

    As many items as frames are frames of a syntax that is encapsulated.
    """
    frames, syntax = file.frames, file.syntax
    image = frames.description
    compressed = syntax.encapsulated and syntax.family != "encapsulated-uncompressed"
    counted = image is None or len(walked.fragment_starts) - 1 == image.number_of_frames
    closed = all(one.id != OddityId.NO_DELIMITER for one in walked.oddities)
    if not compressed or counted or not closed or find_native_parts(walked, image) is None:
        return file
    starts, lengths = walked.fragment_starts, walked.fragment_lengths
    if begins_stream(walked.data_set.source.read(starts[1], min(lengths[1], LONGEST_START))):
        return file  # a stream whose length is that of samples by chance
    seen = find_syntax_of_encoding(file.data_set.encoding)
    text = f"native samples are in items, but {syntax.name} is stated"
    oddity = Oddity(OddityId.NATIVE_UNDER_COMPRESSED, text, frames.span.start)
    return replace(file, syntax=seen, oddities=(*file.oddities, oddity))


def _drop_table_oddities(file: DicomFile) -> list[Oddity]:
    """Return the oddities but those that were found in frames with a fragment for a table."""
    encapsulated = file.frames.encapsulated
    wrong = () if encapsulated is None else encapsulated.oddities
    return [one for one in file.oddities if one not in wrong]


def _read_native(file: DicomFile, walked: WalkedDataSet) -> DicomFile:
    in_order = with_words_in_order(file, walked)
    if in_order is not None:
        file, walked = in_order
    frames, data_set = file.frames, file.data_set
    span, image = frames.span, frames.description
    if frames.missing:
        return _describe(file, walked, {}, "")
    if span.tag != tags.PIXEL_DATA:
        known = deduce_from_excess(data_set, image, span.length) if image is not None else {}
        return _describe(file, walked, known, _BY_LENGTH)
    oddities: list[Oddity] = []
    syntax = enter_bare_streams(file.syntax, walked, span, image, oddities) or recognize_items(
        file.syntax, walked, span, image, oddities
    )
    if syntax is not None:
        found = find_frames(walked, span, syntax, oddities)
        file = replace(file, syntax=syntax, frames=found, oddities=(*file.oddities, *oddities))
        return repair_pixel_data(file, walked)
    unpacked = unpack_samples(file)
    if unpacked is not None:
        return unpacked
    by = _BY_LENGTH
    known = deduce_from_length(data_set, span.length) if _is_undescribed(file) else {}
    if not known and image is not None and image.high_bit >= image.bits_stored:
        big_endian = not file.syntax.pixels_little_endian
        words = read_native_words(data_set.source, span, image, big_endian=big_endian)
        known = deduce_from_bits(words, image)
        by = _BY_BITS
    if tags.BITS_STORED in known:
        known |= _deduce_bits(file, walked, known)
    agrees = image is not None and colors_agree(image, file.syntax.family)
    if not known and image is not None and agrees and frames.excess > 1:
        known = deduce_from_excess(data_set, image, span.length)
    return _describe(file, walked, known, by)


def _describe(file: DicomFile, walked: WalkedDataSet, known: Known, by: str) -> DicomFile:
    """Return a native file that is described as is known, of colors that its length bears out.

    Args:
        file: as read by its own attributes.
        walked: its data set.
        known: right values of attributes, by tag.
        by: their source, in words.
    """
    span, data_set = file.frames.span, file.data_set
    told_of = describe_corrections(data_set, known, by)
    frames = find_frames(walked, span, file.syntax, [], known) if known else file.frames
    image = frames.description
    if image is not None and not colors_agree(image, file.syntax.family):
        try:
            colors = _deduce_colors(data_set, frames, image)
        except MalformedFileError as error:
            return replace(file, frames=replace(frames, description=None, fault=error))
        told_of += describe_corrections(data_set, colors, _BY_LENGTH)
        known = {**known, **colors}
    if image is not None and not frames.missing:
        big_endian = not file.syntax.pixels_little_endian
        words = read_native_words(data_set.source, span, image, big_endian=big_endian)
        overlays = deduce_overlay_position(data_set, image, words)
        told_of += describe_corrections(data_set, overlays, _BY_BITS)
        known = {**known, **overlays}
    if not known:
        length = _find_other_length(frames)
        return replace(file, oddities=(*file.oddities, *length)) if length else file
    stale: list[Oddity] = []
    find_frames(walked, span, file.syntax, stale)
    anew: list[Oddity] = []
    return replace(
        file,
        frames=find_frames(walked, span, file.syntax, anew, known),
        oddities=(*(one for one in file.oddities if one not in stale), *anew, *told_of),
        corrections=(*file.corrections, *make_corrections(data_set, known)),
    )


def _deduce_colors(data_set: DataSet, frames: Frames, image: ImagePixelDescription) -> Known:
    """Return the right color attributes by the length that Pixel Data claims.

    Raises:
        MalformedFileError: it tells nothing.
    """
    length = frames.span.length + frames.missing

    def fits(one: ImagePixelDescription) -> bool:
        return length in {one.native_size, one.native_size + one.native_size % 2}

    return deduce_from_colors(data_set, image, frames.syntax.family, fits)


def _deduce_bits(file: DicomFile, walked: WalkedDataSet, known: Known) -> Known:
    """Return that all bits are stored if samples of the assumed Bits Stored would lose some."""
    span = file.frames.span
    image = find_frames(walked, span, file.syntax, [], known).image
    big_endian = not file.syntax.pixels_little_endian
    if holds_words(
        read_native_words(walked.data_set.source, span, image, big_endian=big_endian), image
    ):
        return {}
    allocated = image.bits_allocated
    return {tags.BITS_STORED: allocated, tags.HIGH_BIT: allocated - 1}


def _is_undescribed(file: DicomFile) -> bool:
    """Whether an attribute that the length depends on is missing, or has no possible value."""
    samples = file.data_set.find(tags.SAMPLES_PER_PIXEL)
    return file.frames.description is None or samples is None


def _find_other_length(frames: Frames) -> list[Oddity]:
    """Return that Pixel Data has another length than its frames, though the file is not cut off."""
    image = frames.description
    if image is None or frames.missing:
        return []
    excess = frames.excess
    row = image.native_frame_bits // 8 // image.rows
    if excess < 0:
        if -excess >= row:  # more than a writer forgets
            return []
        text = f"Pixel Data is {-excess} bytes shorter than its {image.number_of_frames} frames"
        return [Oddity(OddityId.SHORT_PIXEL_DATA, text, frames.span.start)]
    if excess <= 1:
        return []
    size = image.native_frame_bits // 8
    whole = f", {excess // size} whole frames" if size and excess // size else ""
    return [
        Oddity(
            OddityId.LONG_PIXEL_DATA,
            f"Pixel Data is {excess} bytes longer than its {image.number_of_frames} frames{whole}",
            frames.span.start,
        )
    ]
