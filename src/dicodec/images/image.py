"""An open image: its description, and its frames as arrays, one by one or one after the other."""

from __future__ import annotations

import math
from _thread import allocate_lock  # of the library reference; `threading` takes 2 ms
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial

from dicodec.codecs.table import find_decoder
from dicodec.conversion.frames.frame_steps import FrameDecoder, add_locations
from dicodec.conversion.frames.window import (
    bound_time,
    compute_size_in_flight,
    count_cores,
    count_threads_for_each,
    map_frames,
)
from dicodec.conversion.planning.all_frames import (
    FrameStreams,
    check_assignment,
    find_decoded_color,
    states_colors,
)
from dicodec.errors import (
    DicodecError,
    FrameMismatchError,
    InvalidOptionError,
    MissingFrameError,
    SourceUnavailableError,
    TruncatedFrameError,
    UnsupportedImageError,
    UnsupportedSourceError,
)
from dicodec.images.display import FUNCTIONS, Display, DisplayReader, find_color_routes
from dicodec.model.image import ImagePixelDescription
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.records import replace
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.part10.dicom_file import DicomFile, Source
from dicodec.pixels.photometric import Route, apply_steps, find_routes
from dicodec.repair.opening import open_tolerantly

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

    from numpy.typing import NDArray

AUTO = "auto"
"""The window that the file states, or else one from the smallest to the largest value."""

type WindowChoice = str | tuple[float, float] | tuple[float, float, str] | None
"""How samples are windowed: not at all, as the file says ("auto"), or by (center, width), or by
(center, width, function), the function being a value of VOI LUT Function."""

_RGB = "RGB"


class Image:
    """An open image. Only headers were read; a frame is read when you ask for it.

    It is a context manager, and safe to use from several threads. Iterating over it gives the
    stored samples of each frame, see `read_frames`.

        with dicodec.open_image("cine.dcm") as image:
            samples = image.read_frame(37)

    Args:
        source: path, buffer or binary stream, or an object with random access.
        name: name of the source for errors; None if it has none.
        limits: bounds on the sizes that the file claims.
        workers: threads that decode; None for one a core.
        release: called once the image is closed, to close a source that nobody else does.

    Raises:
        ReadError: the file cannot be read, or its image is not described.
        UnsupportedSourceError: it has no pixels, or they are not decoded.
    """

    def __init__(
        self,
        source: Source,
        name: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
        workers: int | None = None,
        release: Callable[[], None] | None = None,
    ) -> None:
        self._name = name
        self._workers = workers or count_cores()
        self._stack = ExitStack()
        if release is not None:
            self._stack.callback(release)
        self._lock = allocate_lock()
        try:
            if workers is not None and workers < 1:
                raise InvalidOptionError(f"{workers} threads cannot work")
            self._file = self._stack.enter_context(open_tolerantly(source, limits))
            self._prepare()
        except BaseException as error:
            self._stack.close()
            if isinstance(error, DicodecError):
                error.with_location(path=name)
            raise
        self._open = True

    def _prepare(self) -> None:
        """Describe the image by its first frame's stream, as `make_frame_reader` does."""
        frames = self._file.frames
        if not frames.present or frames.empty:
            raise UnsupportedSourceError("the file has no pixels")
        stored = frames.encapsulated
        if not frames.missing or (stored is not None and not stored.told_apart):
            check_assignment(frames)
        decoder = FrameDecoder(self._file)
        stream = decoder.describe_first()
        self._coded = decoder.describe_coded(stream)
        codec = find_decoder(self._file.syntax)
        self._description = codec.describe_decoded(stream, self._coded)
        self._streams: FrameStreams | None = None
        if stored is not None and len(stored) > 1 and not stored.alike and states_colors(stream):
            self._streams = FrameStreams(frames, codec)
        self._find_color = partial(find_decoded_color, frames.image, codec)
        self._displays: DisplayReader | None = None

    @property
    def description(self) -> ImagePixelDescription:
        """The description of the samples that `read_frame` returns."""
        return self._description

    @property
    def transfer_syntax(self) -> TransferSyntax:
        """The transfer syntax that the file is really in."""
        return self._file.syntax

    @property
    def file(self) -> DicomFile:
        """The open file, with its data set as spans of bytes; not a stable interface."""
        return self._file

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._description.number_of_frames

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; frames cannot be read any more."""
        self._open = False
        self._stack.close()

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Yield the stored samples of each frame; see `read_frames`."""
        return self.read_frames()

    def read_frame(
        self, frame: int, *, photometric: str | None = None, window: WindowChoice = None
    ) -> NDArray[Any]:
        """Return a frame's samples; no other frame is read.

        Args:
            frame: its number, 0 to `len(image) - 1`.
            photometric: Photometric Interpretation to convert to: "RGB", "MONOCHROME2", ...; a
                palette is applied. None for no conversion.
            window: "auto" for 8 bits as a viewer shows the frame: Modality LUT, VOI LUT or window,
                gray with black as 0 or RGB (PS3.4 N.2). A pair (center, width) is a window in
                place of the file's, and keeps its function, LINEAR, LINEAR_EXACT or SIGMOID, unless
                that is a third value. None for stored values.

        Returns:
            An array of `description.shape` and `description.dtype`: (rows, columns), or (rows,
            columns, samples), by pixel. With `window`, of type uint8: (rows, columns), or (rows,
            columns, 3) of a color image and with photometric="RGB".

        Raises:
            ReadError: the frame is missing, damaged, or contradicts the description.
            UnsupportedImageError: it cannot be converted as requested.
            InvalidOptionError: there is no such frame, or a window makes no sense.
        """
        self._check(frame)
        work = self._make_work(photometric, window, self._workers)
        try:
            return work(frame)
        except DicodecError as error:
            error.with_location(path=self._name)
            raise

    def read_frames(
        self,
        frames: Sequence[int] | None = None,
        *,
        photometric: str | None = None,
        window: WindowChoice = None,
    ) -> Iterator[NDArray[Any]]:
        """Yield the samples of frames in order, decoded ahead by threads in bounded memory.

        About 96 MB of frames are in flight at most, whatever the number of frames.

        Args:
            frames: their numbers, in any order; None for all.
            photometric: as of `read_frame`.
            window: as of `read_frame`.

        Raises:
            DicodecError: as `read_frame` does, for the first frame in order that fails.
        """
        numbers = range(len(self)) if frames is None else frames
        for frame in (0, *(frames or ())):
            self._check(frame)
        size = compute_size_in_flight(self._description)
        threads = count_threads_for_each(max(len(numbers), 1), self._workers, size)
        work = self._make_work(photometric, window, threads)
        file = self._file
        work = bound_time(work, len(numbers), size, file.data_set.limits, file.source.size)
        return self._yield_frames(lambda index: work(numbers[index]), len(numbers), size)

    def _yield_frames(
        self, work: Callable[[int], NDArray[Any]], count: int, size: int
    ) -> Iterator[NDArray[Any]]:
        # Closed even if it is not used up: no thread may read from a file that is closed already.
        with closing(map_frames(work, count, self._workers, size)) as arrays:
            try:
                yield from arrays
            except DicodecError as error:
                error.with_location(path=self._name)
                raise

    def frame_bytes(self, frame: int) -> bytes:
        """Return the bytes that are stored for a frame: its stream as it is, fragments joined.

        Args:
            frame: its number, 0 to `len(image) - 1`.

        Returns:
            The stream with its pad byte, if it has one. Of a native image the samples as they are
            in the file; those of 1 bit begin with bit 0 of the first byte.

        Raises:
            ReadError: the frame is missing, or ends too early.
            InvalidOptionError: there is no such frame.
        """
        self._check(frame)
        frames = self._file.frames
        try:
            self._check_whole(frame)
            if frames.encapsulated is not None:
                return frames.encapsulated.read_stored(frames.source, frame)
            return frames.read(frame)
        except DicodecError as error:
            error.with_location(path=self._name)
            raise

    def _check(self, frame: int) -> None:
        if not self._open:
            raise SourceUnavailableError("the image is closed", path=self._name)
        if not 0 <= frame < len(self):
            raise InvalidOptionError(
                f"there is no frame {frame}: frames are 0 to {len(self) - 1}", path=self._name
            )

    def _check_whole(self, frame: int) -> None:
        """Check that a file which is cut off was not cut off within a frame, or before it."""
        frames = self._file.frames
        stored = frames.encapsulated
        if stored is None or not frames.missing or frame < len(stored) - 1:
            return
        if frame >= len(stored):
            raise MissingFrameError("the file ends before the frame", frame=frame)
        raise TruncatedFrameError(
            f"the file ends {frames.missing} bytes before the frame does", frame=frame
        )

    def _make_work(
        self, photometric: str | None, window: WindowChoice, threads: int
    ) -> Callable[[int], NDArray[Any]]:
        """Return the function that reads a frame, and changes its samples as requested."""
        show = self._make_display_finder(photometric, window)
        steps: Route = ()
        if show is None and photometric is not None:
            routes = find_color_routes(self._file.data_set, self._description, photometric)
            steps = routes[0][0]
        decoder = FrameDecoder(self._file, threads)

        def work(frame: int) -> NDArray[Any]:
            if not self._open:
                raise SourceUnavailableError("the image is closed")
            self._check_whole(frame)
            samples = self._decode(decoder, frame)
            if show is None:
                return apply_steps(steps, samples, self._description)
            picture = show(frame).render(samples)
            if photometric == _RGB and picture.ndim == 2:
                return as_rgb(picture)
            return picture

        return add_locations(work, self._file)

    def _make_display_finder(
        self, photometric: str | None, window: WindowChoice
    ) -> Callable[[int], Display] | None:
        if window is None:
            return None
        if photometric not in {None, _RGB, "MONOCHROME2"}:
            raise InvalidOptionError(
                f"{photometric} is not shown: with a window there are gray levels, or RGB"
            )
        if photometric == "MONOCHROME2" and not self._description.monochrome:
            raise UnsupportedImageError(
                "colors are not shown as gray levels", attribute="PhotometricInterpretation"
            )
        with self._lock:
            if self._displays is None:
                self._displays = DisplayReader(self._file.data_set, self._description)
            displays = self._displays
        if isinstance(window, str):
            if window != AUTO:
                raise InvalidOptionError(f"a window is {AUTO!r} or two numbers, not {window!r}")
            return displays.find_display
        center, width, function = _check_window(window)
        return lambda frame: displays.find_display(frame).with_window(center, width, function)

    def _decode(self, decoder: FrameDecoder, frame: int) -> NDArray[Any]:
        """Return a frame's samples; one whose stream has another color space is converted."""
        if self._streams is None:
            return decoder.decode(frame, self._coded)
        with self._lock:
            stream = self._streams.describe(frame)
        if stream is None:  # decoding it will report its own error
            return decoder.decode(frame, self._coded)
        wanted = self._description.photometric_interpretation
        color = self._find_color(stream)
        samples = decoder.decode(frame, decoder.describe_coded(stream))
        if color == wanted:
            return samples
        decoded = replace(self._description, photometric_interpretation=color)
        try:
            steps = next(find_routes(decoded, wanted))[0]
        except UnsupportedImageError as error:
            raise FrameMismatchError(
                f"the frame decodes to {color}, but the first one to {wanted}",
                attribute="PhotometricInterpretation",
            ) from error
        return apply_steps(steps, samples, decoded)


def as_rgb(picture: NDArray[Any]) -> NDArray[Any]:
    """Return a picture as RGB, of shape (rows, columns, 3)."""
    import numpy as np

    return picture if picture.ndim > 2 else np.repeat(picture[..., np.newaxis], 3, axis=2)


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
