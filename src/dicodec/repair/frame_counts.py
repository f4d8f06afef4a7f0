"""Find the real number of frames in encapsulated Pixel Data if Number of Frames differs."""

from __future__ import annotations

from dicodec.codecs.streams import rle
from dicodec.errors import DicodecError
from dicodec.model import tags
from dicodec.model.findings import OddityId
from dicodec.model.image import ImagePixelDescription
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.elements import Walker
from dicodec.part10.fragments import EncapsulatedFrames
from dicodec.repair.deflated_frames import DeflatedFrame, inflates_to
from dicodec.repair.stream_kinds import CHECK_WHOLE, describe_stream, is_rle_header


def count_frames(
    walked: WalkedDataSet,
    frames: EncapsulatedFrames,
    syntax: TransferSyntax,
    image: ImagePixelDescription,
    stream: StreamDescription | None,
    stated: int | None,
) -> int | None:
    """Return the number of frames, None if neither of two numbers is sure.

    Every frame has to be a whole stream of the same size, and nothing else may say that there are
    as many as Number of Frames says. If it says more, the offset table has to say fewer, too:
    else data may be lost.

    Args:
        walked: the data set.
        frames: those that the fragments make up.
        syntax: the transfer syntax that they are in.
        image: as the data set describes it.
        stream: the first frame's stream, if it can be described.
        stated: Number of Frames; None if that is not a number.
    """
    cut = any(
        one.id in {OddityId.NO_DELIMITER, OddityId.PIXEL_DATA_TRUNCATED} for one in walked.oddities
    )
    listed = count_frames_in_table(walked)
    if cut:
        return None
    if stated is not None:
        if stated in {listed, count_frames_in_groups(walked.data_set)}:
            return None
        if len(frames) < stated and listed != len(frames):
            return None  # frames may be lost
    source = walked.data_set.source
    for frame in range(len(frames)):
        if not _is_whole(frames.read(source, frame), syntax, image, stream):
            return None
    return len(frames)


def _is_whole(
    data: bytes,
    syntax: TransferSyntax,
    image: ImagePixelDescription,
    first: StreamDescription | None,
) -> bool:
    size = image.native_frame_size
    if first is None:
        if syntax.family == "rle":
            return is_rle_header(data[: rle.HEADER_SIZE], len(data), image)
        if syntax.family == "encapsulated-uncompressed":
            return len(data) in {size, size + size % 2}
        return syntax.family == "deflated-frame" and inflates_to(data, size)
    try:
        check_whole = CHECK_WHOLE.get(first.kind)
        stream = check_whole(data)[0] if check_whole else describe_stream(data)
    except DicodecError:
        return False
    return stream is not None and (stream.kind, stream.rows, stream.columns) == (
        first.kind, first.rows, first.columns,
    )  # fmt: skip


def has_other_frames(data: bytes, syntax: TransferSyntax, image: ImagePixelDescription) -> bool:
    """Whether more than padding comes behind the native or deflated frame that data begin with.

    Args:
        data: the fragments of all frames, joined.
        syntax: the transfer syntax that they are in.
        image: as the data set describes it.
    """
    size = image.native_frame_size
    if syntax.family == "encapsulated-uncompressed":
        return len(data) > size + size % 2
    if syntax.family != "deflated-frame":
        return False
    frame = DeflatedFrame(size)
    return frame.takes(data) and frame.goes_on


def count_frames_in_table(walked: WalkedDataSet) -> int | None:
    """Return the number of frames in the offset table, None without one."""
    if walked.fragment_lengths[0]:
        return walked.fragment_lengths[0] // 4
    span = walked.data_set.find(tags.EXTENDED_OFFSET_TABLE)
    return span.length // 8 if span is not None and span.length else None


def count_frames_in_groups(data_set: DataSet) -> int | None:
    """Return the number of items of Per-frame Functional Groups Sequence, None without one."""
    span = data_set.find(tags.PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE)
    if span is None:
        return None
    items = Walker(data_set.source, data_set.limits).walk_items(
        span.value, span.value + span.length, data_set.find_encoding(span)
    )
    try:
        return sum(1 for _ in items)
    except DicodecError:
        return None
