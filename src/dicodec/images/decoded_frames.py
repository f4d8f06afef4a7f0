"""Frames of an open file as arrays: decoded, and changed as requested."""

from __future__ import annotations

import math
from _thread import allocate_lock  # of the library reference; `threading` takes 2 ms
from functools import partial

from dicodec.codecs.table import find_decoder
from dicodec.conversion.frames.frame_steps import FrameDecoder, add_locations
from dicodec.conversion.planning.all_frames import (
    FrameStreams,
    check_assignment,
    find_decoded_color,
    states_colors,
)
from dicodec.errors import (
    FrameMismatchError,
    InvalidOptionError,
    MissingFrameError,
    TruncatedFrameError,
    UnsupportedImageError,
    UnsupportedSourceError,
)
from dicodec.images.display import FUNCTIONS, Display, DisplayReader, find_color_routes
from dicodec.images.regions import Region, decode_rows, take_numbers
from dicodec.model.records import replace
from dicodec.part10.dicom_file import DicomFile
from dicodec.pixels.photometric import Route, apply_steps, find_routes
from dicodec.repair.stream_kinds import CHECK_WHOLE, describe_stream_at

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from dicodec.model.stream import StreamDescription

AUTO = "auto"
"""The window that the file states, or else one from the smallest to the largest value."""

type WindowChoice = str | tuple[float, float] | tuple[float, float, str] | None
"""How samples are windowed: not at all, as the file says ("auto"), or by (center, width), or by
(center, width, function), the function being a value of VOI LUT Function."""

type Size = tuple[int, int]
"""Rows and columns."""

_RGB = "RGB"

_MOST_HALVINGS = 32
_MEAN_BITS = 8
"""Bits Stored from which on means of samples, which are whole numbers, are near enough."""


class DecodedFrames:
    """The frames of an open file; safe to use from several threads.

    Args:
        file: the open file.

    Raises:
        ReadError: its image is not described.
        UnsupportedSourceError: it has no pixels, or they are not decoded.
        UnsureTableError: as the methods do, of a file whose frames are found by an offset table.

    Attributes:
        file: as given.
        description: that of the samples.
    """

    def __init__(self, file: DicomFile) -> None:
        self.file = file
        self._lock = allocate_lock()
        self._displays: DisplayReader | None = None
        self._streams: FrameStreams | None = None
        frames = file.frames
        if not frames.present or frames.empty:
            raise UnsupportedSourceError("the file has no pixels")
        stored = frames.encapsulated
        if not frames.missing or (stored is not None and not stored.told_apart):
            check_assignment(frames)
        # By its first frame's stream, as `make_frame_reader` does.
        decoder = FrameDecoder(file)
        if frames.tabled is None:
            stream = decoder.describe_first()
        else:
            stream = self._describe_tabled(decoder, 0)
        self._first = stream
        self._coded = decoder.describe_coded(stream)
        codec = find_decoder(file.syntax)
        self.description = codec.describe_decoded(stream, self._coded)
        self._colored = len(self) > 1 and states_colors(stream)
        if stored is not None and not stored.alike and self._colored:
            self._streams = FrameStreams(frames, codec)
        self._find_color = partial(find_decoded_color, frames.image, codec)

    def __len__(self) -> int:
        return self.description.number_of_frames

    def make_work(
        self,
        photometric: str | None,
        window: WindowChoice,
        threads: int,
        at_least: Size | None = None,
        region: Region | None = None,
    ) -> Callable[[int], NDArray[Any]]:
        """Return the function that reads a frame, and changes its samples as requested.

        Args:
            photometric: as of `Image.read_frame`.
            window: as there.
            threads: that a frame's codec may use.
            at_least: as of `Image.read_frame`.
            region: as there.

        Raises:
            UnsupportedImageError: frames cannot be converted as requested.
            InvalidOptionError: a window, region or size makes no sense.
        """
        show = self._make_display_finder(photometric, window)
        steps: Route = ()
        if show is None and photometric is not None:
            routes = find_color_routes(self.file.data_set, self.description, photometric)
            steps = routes[0][0]
        decoder = FrameDecoder(self.file, threads)
        if region is not None:
            region.check(self.description)
        halvings = 0
        if at_least is not None:
            least = take_numbers("at_least", at_least, ("rows", "columns"))
            halvings = self._count_halvings(least, region)
        shape = self.description if region is None else region.describe(self.description)

        def work(frame: int) -> NDArray[Any]:
            self._check_whole(frame)
            if show is None:
                samples = self._decode(decoder, frame)
                if region is not None:
                    samples = region.cut(samples)
                return apply_steps(steps, samples, shape)
            display = show(frame)
            samples, part = self._decode_shown(decoder, frame, display, halvings, region)
            picture = display.render(samples, part)
            if photometric == _RGB and picture.ndim == 2:
                return as_rgb(picture)
            return picture

        return add_locations(work, self.file)

    def read_stored(self, frame: int) -> bytes:
        """Return the bytes that are stored for a frame, see `Image.frame_bytes`.

        Raises:
            ReadError: the frame is missing, or ends too early.
        """
        self._check_whole(frame)
        frames = self.file.frames
        if frames.encapsulated is not None:
            return frames.encapsulated.read_stored(frames.source, frame)
        return frames.read(frame)

    def _check_whole(self, frame: int) -> None:
        """Check that a file which is cut off was not cut off within a frame, or before it."""
        frames = self.file.frames
        stored = frames.encapsulated
        if stored is None or not frames.missing or frame < len(stored) - 1:
            return
        if frame >= len(stored):
            raise MissingFrameError("the file ends before the frame", frame=frame)
        raise TruncatedFrameError(
            f"the file ends {frames.missing} bytes before the frame does", frame=frame
        )

    def _make_display_finder(
        self, photometric: str | None, window: WindowChoice
    ) -> Callable[[int], Display] | None:
        if window is None:
            return None
        if photometric not in {None, _RGB, "MONOCHROME2"}:
            raise InvalidOptionError(
                f"{photometric} is not shown: with a window there are gray levels, or RGB"
            )
        if photometric == "MONOCHROME2" and not self.description.monochrome:
            raise UnsupportedImageError(
                "colors are not shown as gray levels", attribute="PhotometricInterpretation"
            )
        with self._lock:
            if self._displays is None:
                self._displays = DisplayReader(self.file.data_set, self.description)
            displays = self._displays
        if isinstance(window, str):
            if window != AUTO:
                raise InvalidOptionError(f"a window is {AUTO!r} or two numbers, not {window!r}")
            return displays.find_display
        center, width, function = _check_window(window)
        return lambda frame: displays.find_display(frame).with_window(center, width, function)

    def _count_halvings(self, at_least: Sequence[int], region: Region | None) -> int:
        """Return how often rows and columns may be halved, so that they are not less."""
        image = self.description
        if image.bits_stored < _MEAN_BITS:
            return 0
        shown = region or Region(0, 0, image.rows, image.columns)
        halvings = 0
        while (
            halvings < _MOST_HALVINGS
            and shown.halves_evenly(image, halvings + 1)
            and all(
                size >= least
                for size, least in zip(shown.halve(halvings + 1)[2:], at_least, strict=True)
            )
        ):
            halvings += 1
        return halvings

    def _decode_shown(
        self,
        decoder: FrameDecoder,
        frame: int,
        display: Display,
        halvings: int,
        region: Region | None,
    ) -> tuple[NDArray[Any], Region | None]:
        """Return samples to show, and the part of them if they are more than the region."""
        if region is not None and display.shows_alone:
            samples = decode_rows(self.file, self._coded, frame, region)
            if samples is not None:
                return samples, None
        samples = self._decode(decoder, frame, halvings if display.shows_means else 0)
        rows = self.description.rows
        while region is not None and len(samples) < rows:
            rows, region = -(-rows // 2), region.halve(1)
        return samples, region

    def _decode(self, decoder: FrameDecoder, frame: int, halvings: int = 0) -> NDArray[Any]:
        """Return a frame's samples; one whose stream has another color space is converted.

        Rows and columns may be halved, but need not be.
        """
        stream = self._describe(decoder, frame)
        if stream is None:
            halved = decoder.decode_halved(frame, self._coded, halvings) if halvings else None
            if halved is not None:
                return halved
            return decoder.decode(frame, self._coded)
        wanted = self.description.photometric_interpretation
        color = self._find_color(stream)
        samples = decoder.decode(frame, decoder.describe_coded(stream))
        if color == wanted:
            return samples
        decoded = replace(self.description, photometric_interpretation=color)
        try:
            steps = next(find_routes(decoded, wanted))[0]
        except UnsupportedImageError as error:
            raise FrameMismatchError(
                f"the frame decodes to {color}, but the first one to {wanted}",
                attribute="PhotometricInterpretation",
            ) from error
        return apply_steps(steps, samples, decoded)

    def _describe(self, decoder: FrameDecoder, frame: int) -> StreamDescription | None:
        """Describe a frame's stream if it may have another color space than the first one.

        None also if it cannot be described, because decoding it will report its own error.
        """
        if self._streams is not None:
            with self._lock:
                return self._streams.describe(frame)
        if self.file.frames.tabled is None or not self._colored:
            return None
        stream = self._describe_tabled(decoder, frame)
        return None if stream == self._first else stream

    def _describe_tabled(self, decoder: FrameDecoder, frame: int) -> StreamDescription:
        """Describe the stream of a frame that is found by the offset table.

        Raises:
            ReadError: its headers cannot be read.
        """
        frames = self.file.frames
        assert frames.tabled is not None, "somebody asked"
        found = None
        if frames.syntax.family in CHECK_WHOLE:  # the headers tell all
            start, length = frames.tabled.find_fragments(frames.source, frame)[0]
            found = describe_stream_at(frames.source, start, length)
        return found or decoder.describe(frame)


def as_rgb(picture: NDArray[Any]) -> NDArray[Any]:
    """Return a picture as RGB, of shape (rows, columns, 3)."""
    import numpy as np

    return picture if picture.ndim > 2 else np.repeat(picture[..., np.newaxis], 3, axis=2)


def have_frames_in_common(one: DecodedFrames, two: DecodedFrames) -> bool:
    """Return whether two openings of a file agree on its frames, and on their beginnings.

    Args:
        one: opened by its offset table.
        two: opened by walking all items.
    """
    tabled, stored = one.file.frames.tabled, two.file.frames.encapsulated
    if tabled is None or stored is None or one.description != two.description:
        return False
    begins = [stored.starts[first] for first in stored.first_fragments[:-1]]
    return begins == [tabled.origin + offset + 8 for offset in tabled.table]


def _check_window(window: object) -> tuple[float, float, str | None]:
    """Return Window Center and Width, and VOI LUT Function if it is given.

    Raises:
        InvalidOptionError: they are not two numbers, or the width is not more than 0; or there is
            no such function.
    """
    try:
        values: list[Any] = [*window]  # type: ignore[misc]
        center, width, *rest = (float(values[0]), float(values[1]), *values[2:])
    except (IndexError, TypeError, ValueError) as cause:
        raise InvalidOptionError(
            f"a window is {AUTO!r} or two numbers, center and width, not {window!r}"
        ) from cause
    if not (math.isfinite(center) and math.isfinite(width) and width > 0):
        raise InvalidOptionError(f"the window {center:g}, {width:g} shows nothing")
    function = rest[0] if rest else None
    if len(rest) > 1 or function not in {None, *FUNCTIONS}:
        raise InvalidOptionError(f"a window's function is {', '.join(FUNCTIONS)}, not {function!r}")
    return center, width, function
