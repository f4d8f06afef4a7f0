"""Which frames of a damaged file are whole, and the file with the others filled or left out."""

from __future__ import annotations

from array import array
from contextlib import closing
from dataclasses import replace

from dicodec.codecs.table import decoder_for
from dicodec.conversion.frames.frame_steps import FrameReader, decoding_reader, located
from dicodec.conversion.frames.window import map_frames
from dicodec.errors import (
    DicodecError,
    FrameError,
    LimitExceededError,
    MalformedFileError,
)
from dicodec.model.image import ImagePixelDescription
from dicodec.model.oddity import Oddity
from dicodec.model.salvage import DROP, DamagedFrame, Salvage
from dicodec.model.transfer_syntax import Storage
from dicodec.part10.dicom_file import DicomFile, PixelData
from dicodec.part10.fragments import EncapsulatedFrames
from dicodec.part10.native_frames import native_frames_of
from dicodec.rules.color_space import coded_color_space

ELEMENTS_LOST = "elements-lost"
"""The oddity of a file that ends inside an element after Pixel Data."""

_MOST_DAMAGED = 100_000
"""Damaged frames that are accounted for one by one."""


def salvaged(file: DicomFile, mode: str, workers: int) -> DicomFile:
    """Return a file all of whose frames can be read or are to be filled; the same if it is whole.

    Args:
        file: the open source.
        mode: "fill" or "drop".
        workers: threads for frames.

    Raises:
        FrameError: no frame is whole; the first one's error is given.
        LimitExceededError: too many frames are damaged.
        UnsupportedSourceError: the frames are in an encoding that is not decoded exactly.
    """
    pixel_data = file.pixel_data
    if pixel_data is None or isinstance(pixel_data.described, MalformedFileError):
        return file
    storage = file.syntax.storage
    if storage in {Storage.VIDEO, Storage.ELSEWHERE} or not file.syntax.reads:
        return file
    stated = pixel_data.image.number_of_frames
    if pixel_data.frames is not None and len(pixel_data.frames) > stated:
        return file  # which of them count is not known
    lost = pixel_data.missing > 0 or any(one.id == ELEMENTS_LOST for one in file.oddities)
    damage = _damage(file, pixel_data, workers)
    if not damage and not lost:
        return file
    if len(damage) == stated:
        first = damage[0]
        raise FrameError(
            f"no frame is whole: {first.reason}", frame=first.frame, offset=first.offset
        )
    salvage = Salvage(mode, tuple(damage), stated, lost)
    if mode == DROP:
        pixel_data = _without(file, pixel_data, salvage)
    else:
        pixel_data = _with_room(pixel_data, salvage)
    return replace(
        file,
        pixel_data=replace(pixel_data, missing=0, salvage=salvage),
        oddities=(*file.oddities, Oddity("salvaged", salvage.text, pixel_data.span.start)),
    )


def _damage(file: DicomFile, pixel_data: PixelData, workers: int) -> list[DamagedFrame]:
    image = pixel_data.image
    there = _frames_there(file, pixel_data)
    missing = image.number_of_frames - there
    if missing > _MOST_DAMAGED:
        raise LimitExceededError(
            f"{missing} of {image.number_of_frames} frames are missing, more than {_MOST_DAMAGED}",
            attribute="NumberOfFrames",
        )
    damaged = [] if pixel_data.frames is None else _undecodable(file, pixel_data, there, workers)
    end = file.source.size if pixel_data.missing else None
    return damaged + [
        DamagedFrame(frame, f"Pixel Data holds {there} whole frames", end)
        for frame in range(there, image.number_of_frames)
    ]


def _frames_there(file: DicomFile, pixel_data: PixelData) -> int:
    """Return how many frames have any bytes, or all of them if native."""
    if pixel_data.frames is not None:
        return min(len(pixel_data.frames), pixel_data.image.number_of_frames)
    return native_frames_of(file, pixel_data).whole


def _undecodable(
    file: DicomFile, pixel_data: PixelData, frames: int, workers: int
) -> list[DamagedFrame]:
    """Decode every frame once."""
    read = decoding_reader(file, pixel_data)
    decoder = decoder_for(file.syntax)
    coded = _coded(file, pixel_data, read, frames)

    def check(frame: int) -> None:
        decoder.decode(read(frame), coded)

    check_located = located(check, file, pixel_data)

    def judged(frame: int) -> DamagedFrame | None:
        try:
            check_located(frame)
        except FrameError as error:
            return DamagedFrame(frame, error.message, error.offset)
        return None

    size = coded.samples_per_frame * max(coded.bits_allocated, 8) // 4
    with closing(map_frames(judged, frames, workers, size)) as found:
        return [one for one in found if one is not None]


def _coded(
    file: DicomFile, pixel_data: PixelData, read: FrameReader, frames: int
) -> ImagePixelDescription:
    """Return the image as the first frame has it whose headers can be read."""
    decoder = decoder_for(file.syntax)
    image = pixel_data.image
    for frame in range(frames):
        try:
            stream = decoder.describe(read(frame))
        except DicodecError:
            continue
        color = coded_color_space(image, stream)
        return replace(image, photometric_interpretation=color.photometric_interpretation)
    return image


def _without(file: DicomFile, pixel_data: PixelData, salvage: Salvage) -> PixelData:
    """Return Pixel Data as if the damaged frames had never been there."""
    damaged = {one.frame for one in salvage.frames}
    whole = [frame for frame in range(salvage.number_of_frames) if frame not in damaged]
    image = replace(pixel_data.image, number_of_frames=len(whole))
    frames, span = pixel_data.frames, pixel_data.span
    if frames is None:  # the damaged ones are the last ones
        left = replace(pixel_data, described=image)
        return replace(
            left, span=span._replace(length=native_frames_of(file, left).expected_length)
        )
    starts, lengths, firsts = array("Q"), array("Q"), array("Q")
    for frame in whole:
        firsts.append(len(starts))
        for index in frames.fragments_of(frame):
            starts.append(frames.starts[index])
            lengths.append(frames.lengths[index])
    firsts.append(len(starts))
    return replace(
        pixel_data, described=image, frames=_marked(frames, starts, lengths, firsts, salvage)
    )


def _with_room(pixel_data: PixelData, salvage: Salvage) -> PixelData:
    """Return Pixel Data with as many frames as there should be; those missing have no fragments."""
    frames = pixel_data.frames
    if frames is None:
        return pixel_data
    missing = max(salvage.number_of_frames - len(frames), 0)
    firsts = frames.first_fragments + array("Q", [frames.first_fragments[-1]]) * missing
    marked = _marked(frames, frames.starts, frames.lengths, firsts, salvage)
    return replace(pixel_data, frames=marked)


def _marked(
    frames: EncapsulatedFrames,
    starts: array[int],
    lengths: array[int],
    firsts: array[int],
    salvage: Salvage,
) -> EncapsulatedFrames:
    """Return frames whose Pixel Data cannot be copied as it is."""
    oddity = Oddity("salvaged", salvage.text)
    return replace(
        frames,
        starts=starts,
        lengths=lengths,
        first_fragments=firsts,
        oddities=(*frames.oddities, oddity),
    )
