"""An open image: its description, and its frames as arrays, one by one or one after the other."""

from __future__ import annotations

from _thread import allocate_lock  # of the library reference; `threading` takes 2 ms
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress

from dicodec.conversion.frames.window import (
    bound_time,
    compute_size_in_flight,
    count_cores,
    count_threads_for_each,
    map_frames,
)
from dicodec.errors import (
    DicodecError,
    InvalidOptionError,
    MalformedFileError,
    ReadError,
    SourceUnavailableError,
    UnsupportedSourceError,
)
from dicodec.images.decoded_frames import (
    DecodedFrames,
    Size,
    WindowChoice,
    have_frames_in_common,
)
from dicodec.images.regions import make_region
from dicodec.model.image import ImagePixelDescription
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.part10.dicom_file import DicomFile, Source
from dicodec.part10.file_meta import check_start
from dicodec.part10.frame_table import UnsureTableError
from dicodec.part10.source import OpenSource
from dicodec.repair.opening import open_tolerantly
from dicodec.repair.opening_by_table import open_by_table

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

    from numpy.typing import NDArray


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
        trust_table: whether frames that are read alone may be found by the offset table of a file
            of many frames, as docs/python.md describes; if not, all items are walked at once.

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
        *,
        trust_table: bool = True,
    ) -> None:
        self._name = name
        self._workers = workers or count_cores()
        self._stack = ExitStack()
        if release is not None:
            self._stack.callback(release)
        self._walking = allocate_lock()
        self._limits = limits
        self._read_by_table = False
        try:
            if workers is not None and workers < 1:
                raise InvalidOptionError(f"{workers} threads cannot work")
            self._source = self._stack.enter_context(OpenSource(source, check_start))
            by_table = self._open_by_table() if trust_table else None
            self._frames = by_table or self._open_whole()
        except BaseException as error:
            self._stack.close()
            if isinstance(error, DicodecError):
                error.with_location(path=name)
            raise
        self._open = True

    def _open_by_table(self) -> DecodedFrames | None:
        """Open the file without walking all items; None if that leaves a doubt.

        Whatever is wrong shows again, and is repaired or reported, when all are walked.
        """
        with suppress(DicodecError, UnsureTableError), ExitStack() as stack:
            file = stack.enter_context(open_by_table(self._source, self._limits))
            frames = DecodedFrames(file)
            self._stack.push(stack.pop_all())
            return frames
        return None

    def _open_whole(self) -> DecodedFrames:
        file = self._stack.enter_context(open_tolerantly(self._source, self._limits))
        return DecodedFrames(file)

    def _walk_all(self) -> DecodedFrames:
        """Return the frames with all items walked, which they may have been before.

        Raises:
            MalformedFileError: frames are others than the table says, by which some were read.
            ReadError: as of opening.
        """
        with self._walking:
            if self._frames.file.frames.tabled is not None:
                whole = self._open_whole()
                if self._read_by_table and not have_frames_in_common(self._frames, whole):
                    raise MalformedFileError(
                        "the offset table is wrong, and frames were read by it before",
                        attribute="PixelData",
                        hint="open the file with trust_table false",
                    )
                self._frames = whole
            return self._frames

    @property
    def description(self) -> ImagePixelDescription:
        """The description of the samples that `read_frame` returns."""
        return self._frames.description

    @property
    def transfer_syntax(self) -> TransferSyntax:
        """The transfer syntax that the file is really in."""
        return self._frames.file.syntax

    @property
    def file(self) -> DicomFile:
        """The open file, with its data set as spans of bytes; not a stable interface."""
        return self._frames.file

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._frames)

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
        self,
        frame: int,
        *,
        photometric: str | None = None,
        window: WindowChoice = None,
        at_least: Size | None = None,
        region: tuple[int, int, int, int] | None = None,
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
            at_least: rows and columns that are enough, because the picture will be made smaller:
                with `window`, a frame of JPEG 2000 is then decoded in the lowest resolution that
                has as many, rows and columns halved so often. If that would be shown otherwise, for
                example through the window "auto" of a file that states none, it is not. None for
                the full size.
            region: first row, first column, rows and columns of the part that is returned; of a
                native frame with a window that is stated or given, no other rows are read.
                `at_least` then means the region, which is halved only where its sides fall between
                samples of the lower resolution. None for the whole frame.

        Returns:
            An array of `description.shape` and `description.dtype`: (rows, columns), or (rows,
            columns, samples), by pixel. With `window`, of type uint8: (rows, columns), or (rows,
            columns, 3) of a color image and with photometric="RGB".

        Raises:
            ReadError: the frame is missing, damaged, or contradicts the description.
            UnsupportedImageError: it cannot be converted as requested.
            InvalidOptionError: there is no such frame or region, or a window or size makes no
                sense.
        """
        part = None if region is None else make_region(region)
        return self._read(
            frame,
            lambda frames: frames.make_work(photometric, window, self._workers, at_least, part)(
                frame
            ),
        )

    def read_frames(
        self,
        frames: Sequence[int] | None = None,
        *,
        photometric: str | None = None,
        window: WindowChoice = None,
        at_least: Size | None = None,
    ) -> Iterator[NDArray[Any]]:
        """Yield the samples of frames in order, decoded ahead by threads in bounded memory.

        About 96 MB of frames are in flight at most, whatever the number of frames.

        Args:
            frames: their numbers, in any order; None for all.
            photometric: as of `read_frame`.
            window: as of `read_frame`.
            at_least: as of `read_frame`.

        Raises:
            DicodecError: as `read_frame` does, for the first frame in order that fails.
        """
        self._check(0)
        read = self._walk_all() if frames is None else self._frames
        numbers = range(len(self)) if frames is None else frames
        for frame in frames or ():
            self._check(frame)
        size = compute_size_in_flight(read.description)
        threads = count_threads_for_each(max(len(numbers), 1), self._workers, size)
        decode = read.make_work(photometric, window, threads, at_least)
        tabled = read.file.frames.tabled is not None

        def work(frame: int) -> NDArray[Any]:
            if tabled:
                return self._read(
                    frame,
                    lambda found: found.make_work(photometric, window, threads, at_least)(frame),
                )
            self._check_open()
            return decode(frame)

        file = read.file
        bounded = bound_time(work, len(numbers), size, file.data_set.limits, file.source.size)
        return self._yield_frames(lambda index: bounded(numbers[index]), len(numbers), size)

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
        return self._read(frame, lambda frames: frames.read_stored(frame))

    def _read[Result](self, frame: int, read: Callable[[DecodedFrames], Result]) -> Result:
        """Return the samples of a frame, found by the offset table if that leaves no doubt."""
        self._check(frame)
        frames = self._frames
        try:
            if frames.file.frames.tabled is not None:
                with suppress(ReadError, UnsupportedSourceError, UnsureTableError):
                    result = read(frames)
                    self._read_by_table = True
                    return result
                frames = self._walk_all()
                self._check(frame)
            return read(frames)
        except DicodecError as error:
            error.with_location(path=self._name)
            raise

    def _check_open(self) -> None:
        if not self._open:
            raise SourceUnavailableError("the image is closed", path=self._name)

    def _check(self, frame: int) -> None:
        self._check_open()
        if not 0 <= frame < len(self):
            raise InvalidOptionError(
                f"there is no frame {frame}: frames are 0 to {len(self) - 1}", path=self._name
            )
