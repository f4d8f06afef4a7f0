"""Survey the streams of all frames, because the first one may not speak for the others."""

from __future__ import annotations

from collections.abc import Mapping

from dicodec.errors import (
    DicodecError,
    FrameMismatchError,
    MalformedFileError,
    MissingFrameError,
    UnsupportedImageError,
)
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import NamedTuple, dataclass, field, replace
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.part10.frames import Frames
from dicodec.pixels.photometric import Route, find_routes
from dicodec.rules.color_space import decide_color_space

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # frames that are only moved need no codec
    from dicodec.codecs.base import Decoder

_TELLING = frozenset({"jpeg", "jpeg-ls", "jpeg2000", "htj2k", "jpegxl"})
"""Kinds of streams that say something of their color space, each for itself (PS3.5 8.2)."""


@dataclass(frozen=True, slots=True)
class FrameSurvey:
    """The descriptions of all frames' streams.

    Attributes:
        stream: the first one's description, lossy if any frame is.
        colors: the Photometric Interpretation that a frame decodes to, by the frame's number; only
            frames that decode to another one than the first.
        all_lossy: whether each stream that was looked at is lossy.
    """

    stream: StreamDescription
    colors: Mapping[int, str] = field(default_factory=dict)
    all_lossy: bool = False


class CommonColors(NamedTuple):
    """How frames of different color space are brought to one Photometric Interpretation.

    Attributes:
        decoded: the image once they are.
        steps: those of a frame, by its number; frames that need none are left out.
    """

    decoded: ImagePixelDescription
    steps: Mapping[int, Route]


def states_colors(stream: StreamDescription) -> bool:
    """Return whether a stream is of a kind that states its own color space, and has colors."""
    return stream.kind in _TELLING and stream.components == 3


SALVAGE_HINT = '`salvage="fill"` or `salvage="drop"` saves the frames that are whole'


def check_assignment(frames: Frames) -> None:
    """Check that fragments were assigned to the frames that the data set states.

    Args:
        frames: those of the file, encapsulated or not.

    Raises:
        MalformedFileError: they cannot be assigned, or are more frames.
        MissingFrameError: they are fewer frames.
    """
    stored = frames.encapsulated
    if stored is None:
        return
    stated = frames.image.number_of_frames
    if not stored.told_apart:
        raise MalformedFileError(
            f"{len(stored.starts)} fragments cannot be assigned to {stated} frames",
            attribute="PixelData",
        )
    if len(stored) < stated:
        raise MissingFrameError(
            f"NumberOfFrames is {stated}, Pixel Data holds {len(stored)}",
            frame=len(stored),
            attribute="NumberOfFrames",
            hint=SALVAGE_HINT,
        )
    if len(stored) > stated:
        raise MalformedFileError(
            f"NumberOfFrames is {stated}, Pixel Data holds {len(stored)} frames",
            attribute="NumberOfFrames",
        )


def survey_frames(frames: Frames, decoder: Decoder, first: StreamDescription) -> FrameSurvey:
    """Describe the loss and the colors of all frames' streams.

    Each stream states whether it is lossy, under any transfer syntax, and with
    three components, its color space (PS3.5 8.2.1, 8.2.4). If the first one is lossy and
    gray, the others are not looked at.

    Args:
        frames: those of the file.
        decoder: of their transfer syntax.
        first: description of the first readable frame's stream.
    """
    alone = FrameSurvey(first, all_lossy=first.lossless is False)
    stored, image = frames.encapsulated, frames.image
    if stored is None or len(stored) < 2:
        return alone
    may_differ = first.kind in _TELLING and first.lossless is not False
    colored = states_colors(first)
    if stored.alike or not (may_differ or colored):
        return alone
    color = find_decoded_color(image, decoder, first)
    colors: dict[int, str] = {}
    any_lossy = all_lossy = first.lossless is False
    streams = FrameStreams(frames, decoder)
    for frame in range(len(stored)):
        stream = streams.describe(frame)
        if stream is None:  # decoding it will report its own error
            continue
        any_lossy = any_lossy or stream.lossless is False
        all_lossy = all_lossy and stream.lossless is False
        if colored and stream != first and stream.components == first.components:
            other = find_decoded_color(image, decoder, stream)
            if other != color:
                colors[frame] = other
        elif not colored and any_lossy:
            break
    if may_differ and any_lossy:
        first = replace(first, lossless=False)
    return FrameSurvey(first, colors, all_lossy)


def all_belong_under(target: TransferSyntax, frames: Frames, decoder: Decoder) -> bool:
    """Return whether each frame's stream is one that a transfer syntax holds, by its own headers.

    Args:
        target: the transfer syntax.
        frames: the frames.
        decoder: of their own transfer syntax.
    """
    if frames.encapsulated is None:
        return False
    streams = FrameStreams(frames, decoder)
    empty = frames.without_bytes
    described = (
        streams.describe(frame) for frame in range(len(frames.encapsulated)) if frame not in empty
    )
    from dicodec.repair.stream_kinds import fits  # for few files

    return all(stream is not None and fits(stream, target) for stream in described)


def bring_together(
    decoded: ImagePixelDescription, colors: Mapping[int, str], frames: int, wanted: str
) -> CommonColors:
    """Return how frames of different color space come to one Photometric Interpretation.

    Args:
        decoded: the image that the first frame decodes to.
        colors: see `FrameSurvey`.
        frames: how many there are.
        wanted: the Photometric Interpretation of the result, or "auto".

    Raises:
        FrameMismatchError: a frame cannot be brought to the form of the others.
    """
    common = "YBR_FULL" if wanted.startswith("YBR_FULL") else "RGB"
    first = decoded.photometric_interpretation
    ways: dict[str, Route] = {}
    for color in dict.fromkeys((first, *colors.values())):
        try:
            ways[color] = next(
                find_routes(replace(decoded, photometric_interpretation=color), common)
            )[0]
        except UnsupportedImageError as error:
            frame = next(iter(colors))
            raise FrameMismatchError(
                f"the frame decodes to {colors[frame]}, but the first one to {first}",
                frame=frame,
                attribute="PhotometricInterpretation",
            ) from error
    steps = {frame: way for frame in range(frames) if (way := ways[colors.get(frame, first)])}
    return CommonColors(replace(decoded, photometric_interpretation=common), steps)


class FrameStreams:
    """Describes the streams of frames; headers equal to the first one's are parsed once.

    One thread uses it at a time.

    Args:
        frames: those of the file, encapsulated.
        decoder: of their transfer syntax.
    """

    def __init__(self, frames: Frames, decoder: Decoder) -> None:
        assert frames.encapsulated is not None, "native frames have no streams"
        self._source = frames.source
        self._frames = frames
        self._stored = frames.encapsulated
        self._decoder = decoder
        self._headers = b""
        self._known: StreamDescription | None = None
        self._around: StreamDescription | None = None
        self._inside: StreamDescription | None = None

    def describe(self, frame: int) -> StreamDescription | None:
        """Describe a frame's stream; None if it is lost, and filled, or cannot be read."""
        fragments = self._stored.find_fragments(frame)
        if not fragments:
            return None
        start = self._stored.starts[fragments[0]]
        length = self._stored.lengths[fragments[0]]
        if self._known is not None and self._begins_alike(start, length):
            return self._known
        from dicodec.repair.stream_kinds import HEAD_SIZE, describe_stream_at, find_headers

        stream = describe_stream_at(self._source, start, length)
        if stream is not None and stream.details.get("jpeg_reconstruction"):
            return self._rebuild(frame, stream)
        if stream is not None and self._known is None:
            self._headers = find_headers(self._source.read(start, min(length, HEAD_SIZE)), stream)
            self._known = stream
        if stream is not None:
            return stream
        return self._decode_frame(frame)  # headers over two fragments, or a stream to be mended

    def _begins_alike(self, start: int, length: int) -> bool:
        if self._stored.alike:
            return True
        size = len(self._headers)
        return 0 < size <= length and self._source.read(start, size) == self._headers

    def _rebuild(self, frame: int, around: StreamDescription) -> StreamDescription | None:
        """Describe a JPEG stream in JPEG XL.

        It has to be rebuilt for that, so it is taken to be like the one before it if JPEG XL states
        the same of both, their color space included.
        """
        if around != self._around or "color" not in around.details:
            self._around, self._inside = around, self._decode_frame(frame)
        return self._inside

    def _decode_frame(self, frame: int) -> StreamDescription | None:
        try:
            return self._decoder.describe(self._frames.read(frame))
        except DicodecError:
            return None


def find_decoded_color(
    image: ImagePixelDescription, decoder: Decoder, stream: StreamDescription
) -> str:
    """Return the Photometric Interpretation that a stream decodes to."""
    coded = decide_color_space(image, stream).photometric_interpretation
    described = replace(image, photometric_interpretation=coded)
    return decoder.describe_decoded(stream, described).photometric_interpretation
