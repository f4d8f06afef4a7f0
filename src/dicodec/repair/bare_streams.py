"""Streams that are the value of Pixel Data without any item around them (PS3.5 A.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dicodec.codecs.streams import rle
from dicodec.errors import FrameError, MalformedFileError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.image import ImagePixelDescription
from dicodec.model.stream import PADDED_ENDS, STREAM_STARTS, StreamDescription
from dicodec.model.transfer_syntax import TransferSyntax, find_by_name
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.source import ByteSource
from dicodec.repair.deflated_frames import DeflatedFrame
from dicodec.repair.stream_kinds import (
    CHECK_WHOLE,
    describe_stream_at,
    describe_whole_stream,
    find_syntax_of_stream,
    is_rle_header,
    measure_rle_frame,
    says_lossless,
)

_UNMARKED = {"rle": "rle", "deflate": "deflated-frame"}
"""Transfer syntaxes by the kind of streams that have no marker, but whose end shows."""


def describe_bare_stream(
    source: ByteSource,
    start: int,
    length: int,
    image: ImagePixelDescription | None,
    syntax: TransferSyntax | None = None,
) -> StreamDescription | None:
    """Return the description of the stream that a value begins with, without any item.

    None if there is none, or if the value can be native samples as well.

    Args:
        source: holds the value.
        start: of the value.
        length: of the value.
        image: as the data set describes it; None if that is incomplete.
        syntax: the transfer syntax that is stated, if it is known.
    """
    stream = describe_stream_at(source, start, length)
    if image is None:
        return stream
    size = image.native_size
    if length in {size, size + size % 2}:
        return None
    if stream is not None:
        same = (stream.rows, stream.columns) == (image.rows, image.columns)
        return stream if same else None
    stated = "" if syntax is None else syntax.family
    for kind, family in _UNMARKED.items():
        at = source.read(start, min(length, _bound_frame(image)))
        header = kind == "rle" and is_rle_header(at[: rle.HEADER_SIZE], length, image)
        if (header and stated == family) or _measure_unmarked(at, kind, image):
            return StreamDescription(kind, "without markers", lossless=True)
    return None


def measure_first_stream(data: bytes, image: ImagePixelDescription | None) -> int:
    """Return the length of the whole stream that some bytes begin with; 0 if it has no sure end."""
    stream = describe_whole_stream(data)
    if stream is not None and stream.kind in CHECK_WHOLE:
        try:
            _, view = CHECK_WHOLE[stream.kind](data)
        except FrameError:
            return 0
        return data.find(STREAM_STARTS[stream.kind][0]) + len(view)
    if stream is not None or image is None:
        return 0
    return next(
        (
            end
            for kind in _UNMARKED
            if (end := _measure_unmarked(data[: _bound_frame(image)], kind, image))
        ),
        0,
    )


def enter_bare_streams(
    syntax: TransferSyntax | None,
    walked: WalkedDataSet,
    span: ElementSpan,
    image: ImagePixelDescription | None,
    oddities: list[Oddity],
) -> TransferSyntax | None:
    """Enter the streams that are the value of Pixel Data as fragments, one a frame.

    Args:
        syntax: the transfer syntax of the file; None if it is unknown.
        walked: the data set, which gets the fragments.
        span: its Pixel Data.
        image: the image as it describes it; None if that is incomplete.
        oddities: what was found is added.

    Returns:
        Their transfer syntax; None if there are none.

    Raises:
        MalformedFileError: there are several frames, and they cannot be told apart surely.
    """
    source = walked.data_set.source
    stream = describe_bare_stream(source, span.value, span.length, image, syntax)
    if stream is None:
        return None
    seen = find_by_name(_UNMARKED.get(stream.kind, ""))
    if seen is None:
        lossless = says_lossless(syntax, walked.data_set.read_text(tags.LOSSY_IMAGE_COMPRESSION))
        seen = find_syntax_of_stream(stream, lossless=lossless)
    if seen is None:
        return None
    frames = _find_frames(walked.data_set, span, stream, image)
    walked.fragment_starts.extend([span.value, *(start for start, _ in frames)])
    walked.fragment_lengths.extend([0, *(end - start for start, end in frames)])
    text = f"Pixel Data is a bare {stream.kind} stream, without items, of {len(frames)} frames"
    oddities.append(Oddity(OddityId.STREAM_WITHOUT_ITEMS, text, span.start))
    return seen


def _find_frames(
    data_set: DataSet,
    span: ElementSpan,
    stream: StreamDescription,
    image: ImagePixelDescription | None,
) -> list[tuple[int, int]]:
    """Return start and end of each frame's stream, in the source."""
    frames = 1 if image is None else image.number_of_frames
    whole = [(span.value, span.value + span.length)]
    split = _SPLITTERS.get(stream.kind)
    if split is None or span.length > data_set.limits.element_size:
        if frames == 1:
            return whole
        raise _make_untold_error(span, frames)
    data = data_set.source.read(span.value, span.length)
    pieces = split(data, stream, image)
    if frames == 1 and len(pieces) < 2:
        return whole
    if len(pieces) != frames:
        raise _make_untold_error(span, frames)
    return [(span.value + start, span.value + end) for start, end in pieces]


def _split_marked(
    data: bytes,
    stream: StreamDescription,
    image: ImagePixelDescription | None,  # noqa: ARG001
) -> list[tuple[int, int]]:
    """Return start and end of each stream; none if one of several is not whole."""
    signature = STREAM_STARTS[stream.kind][0]
    begins = [0]
    at = data.find(signature, 1)
    while at >= 0:
        if data.endswith(PADDED_ENDS, 0, at):
            begins.append(at)
        at = data.find(signature, at + 1)
    pieces = list(zip(begins, [*begins[1:], len(data)], strict=True))
    whole = len(pieces) == 1 or all(_is_whole(data[start:end], stream) for start, end in pieces)
    return pieces if whole else []


def _split_unmarked(
    data: bytes, stream: StreamDescription, image: ImagePixelDescription | None
) -> list[tuple[int, int]]:
    """Return start and end of each stream; none if one is not whole."""
    assert image is not None, "such streams are known by their image only"
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(data):
        length = _measure_unmarked(data[at : at + _bound_frame(image)], stream.kind, image)
        if not length:
            return []
        found.append((at, at + length))
        at += length
        at += at % 2 == 1 and data[at : at + 1] == b"\0"
    return found


_SPLITTERS: Mapping[
    str,
    Callable[[bytes, StreamDescription, ImagePixelDescription | None], list[tuple[int, int]]],
] = {**dict.fromkeys(CHECK_WHOLE, _split_marked), **dict.fromkeys(_UNMARKED, _split_unmarked)}


def _bound_frame(image: ImagePixelDescription) -> int:
    """Return the most bytes that a sensible encoder makes of a frame without markers."""
    return 2 * image.native_frame_size + 4 * rle.HEADER_SIZE


def _measure_unmarked(data: bytes, kind: str, image: ImagePixelDescription) -> int:
    """Return the length of the frame that some bytes begin with; 0 if that is not a whole one."""
    if kind == "rle":
        header = is_rle_header(data[: rle.HEADER_SIZE], len(data), image)
        return measure_rle_frame(data, image) if header else 0
    frame = DeflatedFrame(image.native_frame_size)
    try:
        rest = frame.inflate(data)
    except FrameError:
        return 0
    return len(data) - rest if rest is not None and frame.ended else 0


def _is_whole(data: bytes, first: StreamDescription) -> bool:
    try:
        stream, view = CHECK_WHOLE[first.kind](data)
    except FrameError:
        return False
    same = (stream.kind, stream.rows, stream.columns) == (first.kind, first.rows, first.columns)
    return same and len(data) - len(view) <= 1


def _make_untold_error(span: ElementSpan, frames: int) -> MalformedFileError:
    return MalformedFileError(
        f"Pixel Data is bare streams without items, and cannot be told apart into {frames} frames",
        attribute="PixelData",
        offset=span.start,
        hint="if there are fewer frames, state their number in a copy of the file",
    )
