"""Find the whole frames of a damaged file, and make the file with the others filled or left out."""

from __future__ import annotations

from array import array
from contextlib import closing

from dicodec.conversion.frames.frame_steps import FrameDecoder
from dicodec.conversion.frames.window import compute_size_in_flight, map_frames
from dicodec.errors import (
    DicodecError,
    FrameError,
    LimitExceededError,
)
from dicodec.model.findings import DamagedFrame, Oddity, OddityId, Salvage
from dicodec.model.image import ImagePixelDescription
from dicodec.model.option_table import DROP, FILL
from dicodec.model.records import replace
from dicodec.model.transfer_syntax import Storage
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.fragments import EncapsulatedFrames
from dicodec.part10.frames import Frames

ELEMENTS_LOST = OddityId.ELEMENTS_LOST
"""The oddity of a file that ends inside an element after Pixel Data."""

_MOST_DAMAGED = 100_000
"""Damaged frames that are accounted for one by one."""


def salvage_frames(file: DicomFile, mode: str, workers: int) -> DicomFile:
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
    frames = file.frames
    if frames.description is None or frames.empty:
        return file
    storage = file.syntax.storage
    if storage in {Storage.VIDEO, Storage.ELSEWHERE} or not file.syntax.reads:
        return file
    stated = frames.description.number_of_frames
    if frames.encapsulated is not None and len(frames.encapsulated) > stated:
        return file  # it is not known which of them count
    lost = frames.missing > 0 or any(one.id == ELEMENTS_LOST for one in file.oddities)
    damage = _find_damage(file, workers)
    if mode == FILL:
        damage = [_keep_start(frames, one) for one in damage]
    if not damage and not lost:
        return file
    if len(damage) == stated and not any(one.kept for one in damage):
        first = damage[0]
        raise FrameError(
            f"no frame is whole: {first.reason}", frame=first.frame, offset=first.offset
        )
    salvage = Salvage(mode, tuple(damage), stated, lost)
    shortened = _leave_out if mode == DROP else _with_room
    return replace(
        file,
        frames=replace(shortened(frames, salvage), missing=0, salvage=salvage),
        oddities=(*file.oddities, Oddity(OddityId.SALVAGED, salvage.text, frames.span.start)),
    )


def _find_damage(file: DicomFile, workers: int) -> list[DamagedFrame]:
    frames, image = file.frames, file.frames.image
    there = _count_frames_there(frames)
    missing = image.number_of_frames - there
    if missing > _MOST_DAMAGED:
        raise LimitExceededError(
            f"{missing} of {image.number_of_frames} frames are missing, more than {_MOST_DAMAGED}",
            attribute="NumberOfFrames",
        )
    damaged = [] if frames.encapsulated is None else _find_undecodable(file, there, workers)
    end = file.source.size if frames.missing else None
    return damaged + [
        DamagedFrame(frame, f"Pixel Data holds {there} whole frames", end)
        for frame in range(there, image.number_of_frames)
    ]


def _keep_start(frames: Frames, damaged: DamagedFrame) -> DamagedFrame:
    """Return a frame with the number of its samples that are there, if it is native."""
    if frames.native is None:
        return damaged
    _, bits = frames.native.read_start(frames.source, damaged.frame)
    return replace(damaged, kept=bits // frames.image.bits_allocated)


def _count_frames_there(frames: Frames) -> int:
    """Return how many frames have any bytes, or all of them if native."""
    if frames.native is not None:
        return frames.native.whole
    assert frames.encapsulated is not None, "the image is described"
    return min(len(frames.encapsulated), frames.image.number_of_frames)


def _find_undecodable(file: DicomFile, frames: int, workers: int) -> list[DamagedFrame]:
    """Decode every frame once."""
    decoder = FrameDecoder(file)
    coded = _describe_coded(file, decoder, frames)

    def judge(frame: int) -> DamagedFrame | None:
        try:
            decoder.decode(frame, coded)
        except FrameError as error:
            return DamagedFrame(frame, error.message, error.offset)
        return None

    with closing(map_frames(judge, frames, workers, compute_size_in_flight(coded))) as found:
        return [one for one in found if one is not None]


def _describe_coded(file: DicomFile, decoder: FrameDecoder, frames: int) -> ImagePixelDescription:
    """Return the image as the first frame has it whose headers can be read."""
    for frame in range(frames):
        try:
            stream = decoder.describe(frame)
        except DicodecError:
            continue
        return decoder.describe_coded(stream)
    return file.frames.image


def _leave_out(frames: Frames, salvage: Salvage) -> Frames:
    """Return the frames as if the damaged ones had never been there."""
    damaged = {one.frame for one in salvage.frames}
    whole = [frame for frame in range(salvage.number_of_frames) if frame not in damaged]
    image = replace(frames.image, number_of_frames=len(whole))
    given = frames.encapsulated
    if given is None:  # the damaged ones are the last ones
        left = replace(frames, description=image)
        assert left.native is not None, "the image is described"
        return replace(left, span=left.span._replace(length=left.native.expected_length))
    starts, lengths, firsts = array("Q"), array("Q"), array("Q")
    for frame in whole:
        firsts.append(len(starts))
        for index in given.find_fragments(frame):
            starts.append(given.starts[index])
            lengths.append(given.lengths[index])
    firsts.append(len(starts))
    marked = _mark(given, starts, lengths, firsts, salvage)
    return replace(frames, description=image, encapsulated=marked)


def _with_room(frames: Frames, salvage: Salvage) -> Frames:
    """Return as many frames as there should be; those missing have no fragments."""
    given = frames.encapsulated
    if given is None:
        return frames
    missing = max(salvage.number_of_frames - len(given), 0)
    firsts = given.first_fragments + array("Q", [given.first_fragments[-1]]) * missing
    marked = _mark(given, given.starts, given.lengths, firsts, salvage)
    return replace(frames, encapsulated=marked)


def _mark(
    frames: EncapsulatedFrames,
    starts: array[int],
    lengths: array[int],
    firsts: array[int],
    salvage: Salvage,
) -> EncapsulatedFrames:
    """Return frames whose Pixel Data cannot be copied as it is."""
    oddity = Oddity(OddityId.SALVAGED, salvage.text)
    return replace(
        frames,
        starts=starts,
        lengths=lengths,
        first_fragments=firsts,
        oddities=(*frames.oddities, oddity),
    )
