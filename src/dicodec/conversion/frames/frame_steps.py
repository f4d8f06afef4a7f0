"""The steps of one frame: read, decode, change its photometric interpretation, encode."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from dicodec.codecs.table import find_decoder, with_threads
from dicodec.conversion.planning.all_frames import bring_together, survey_frames
from dicodec.conversion.planning.conversion_plan import Action, ConversionPlan, PixelPlan
from dicodec.errors import DicodecError, MissingFrameError, TruncatedFrameError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import replace
from dicodec.part10.dicom_file import DicomFile
from dicodec.pixels.photometric import Route, apply_steps
from dicodec.rules.claimed_sizes import check_decoded_size, check_frame_count
from dicodec.rules.color_space import decide_color_space

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # frames that are only moved need no codec
    from typing import Any

    from dicodec.codecs.base import Buffer, Encoder, Samples
    from dicodec.codecs.sample_notes import SampleNotes
    from dicodec.model.stream import StreamDescription

type FrameWork = Callable[[int], Buffer]
type FrameReader = Callable[[int], bytes]
type SampleReader = Callable[[int], Samples]


def make_frame_work(
    file: DicomFile,
    plan: ConversionPlan,
    notes: SampleNotes | None = None,
    threads: int = 1,
) -> FrameWork:
    """Return the function that turns a frame's number into the bytes that are stored for it.

    Its errors name the frame and its offset in the file.

    Args:
        file: the source.
        plan: the plan of the conversion, which has pixels.
        notes: takes corrections of samples that do not fit Bits Stored.
        threads: for each frame, of codecs that can use several.

    Raises:
        UnsupportedSourceError: frames of the source are not decoded.
        LimitExceededError: there are too many frames.
    """
    pixels = plan.pixels
    assert pixels is not None, "frames are worked on by a plan"
    work = add_locations(_make_frame_work(file, plan, pixels, notes, threads), file)
    filled = file.frames.filled
    if not filled:
        return work
    from dicodec.conversion.frames.fill_frames import encode_fill, encode_start

    fill = encode_fill(file, pixels)
    starts = {one: encode_start(file, pixels, one) for one in file.frames.begun}
    return lambda frame: starts.get(frame, fill) if frame in filled else work(frame)


def _make_frame_work(
    file: DicomFile,
    plan: ConversionPlan,
    pixels: PixelPlan,
    notes: SampleNotes | None,
    threads: int,
) -> FrameWork:
    read = file.frames.read
    if plan.action is Action.MOVE_FRAMES:
        if plan.source.family == plan.target.family:
            return read
        size = pixels.stated.native_frame_bits // 8
        return lambda frame: _check_exactly(read(frame), size, notes)
    if plan.action in {Action.REPACK_JPEG, Action.UNPACK_JPEG}:
        from dicodec.codecs.jpeg_repacking import unpack_jpeg

        if plan.action is Action.UNPACK_JPEG:
            return lambda frame: unpack_jpeg(read(frame))
        return lambda frame: _repack(read(frame), pixels.stated)
    decode = make_sample_reader(file, pixels, notes, threads)
    assert pixels.encoder is not None, "a plan to transcode names its encoder"
    encoder = with_threads(pixels.encoder, threads)

    def transcode(frame: int) -> Buffer:
        return encoder.encode(decode(frame), pixels.prepared)

    def transcode_and_measure(frame: int) -> Buffer:
        samples = decode(frame)
        stream = encoder.encode(samples, pixels.prepared)
        assert notes is not None, "somebody asked"
        notes.note_psnr(
            _measure_psnr(samples, codec.decode(stream, pixels.result), pixels.prepared)
        )
        return stream

    if pixels.psnr is None or notes is None:
        return _make_word_work(file, pixels, encoder, transcode, threads) or transcode
    codec = with_threads(find_decoder(plan.target), threads)
    return transcode_and_measure


def _make_word_work(
    file: DicomFile, pixels: PixelPlan, encoder: Encoder, transcode: FrameWork, threads: int
) -> FrameWork | None:
    """Return the work for frames that need no array between their codecs: see `WordDecoder`.

    Such a frame loads no NumPy, which takes longer than all the rest of a small file. Frames of a
    file are alike, so from the first one of which only an array can be made `transcode` does them.
    None if the codecs have no words, or samples change between them.
    """
    if pixels.steps or pixels.own_steps or not hasattr(encoder, "encode_words"):
        return None
    decoder = FrameDecoder(file, threads)
    if not decoder.has_words:
        return None
    encode: Callable[[Buffer, ImagePixelDescription], Buffer | None] = encoder.encode_words
    ordinary = False

    def convert(frame: int) -> Buffer:
        nonlocal ordinary
        if not ordinary:
            words = decoder.decode_words(frame, pixels.coded)
            stream = None if words is None else encode(words, pixels.prepared)
            if stream is not None:
                return stream
            ordinary = True
        return transcode(frame)

    return convert


def _measure_psnr(samples: Samples, decoded: Samples, image: ImagePixelDescription) -> float:
    from dicodec.pixels.metrics import measure_errors

    reached = measure_errors(samples, decoded).find_psnr((1 << image.bits_stored) - 1)
    return math.inf if reached is None else reached


def _repack(stream: bytes, stated: ImagePixelDescription) -> bytes:
    from dicodec.codecs.jpeg_repacking import repack_jpeg
    from dicodec.codecs.streams import jpeg

    color = decide_color_space(stated, jpeg.describe(stream)).photometric_interpretation
    return repack_jpeg(stream, replace(stated, photometric_interpretation=color))


class FrameDecoder:
    """Decodes any frame of a file; its errors name the frame and its offset in the file.

    Args:
        file: the open file.
        threads: for each frame, if the codec can use them.

    Raises:
        UnsupportedSourceError: such frames are not decoded.
        LimitExceededError: there are too many frames.
    """

    def __init__(self, file: DicomFile, threads: int = 1) -> None:
        self._file = file
        self._frames = file.frames
        self._image = file.frames.image
        self._limits = file.data_set.limits
        self._codec = with_threads(find_decoder(file.syntax), threads)
        check_frame_count(self._image, self._limits)

    @property
    def has_words(self) -> bool:
        """Whether `decode_words` may be called."""
        return hasattr(self._codec, "decode_words")

    def describe(self, frame: int) -> StreamDescription:
        """Describe a frame's stream.

        Raises:
            FrameError: its headers cannot be read.
            LimitExceededError: the frame is too large.
        """
        try:
            return self._codec.describe(self._read(frame))
        except DicodecError as error:
            self._file.add_location(error, frame)
            raise

    def describe_first(self) -> StreamDescription:
        """Describe the stream of the first whole frame.

        Raises:
            ReadError: its headers cannot be read.
        """
        if self._frames.encapsulated is None:
            return self._codec.describe(b"")
        return self.describe(self._frames.first_whole)

    def describe_coded(self, stream: StreamDescription) -> ImagePixelDescription:
        """Return the image with the Photometric Interpretation that a stream really has."""
        color = decide_color_space(self._image, stream)
        return replace(self._image, photometric_interpretation=color.photometric_interpretation)

    def bring_together(
        self, stream: StreamDescription, coded: ImagePixelDescription
    ) -> tuple[ImagePixelDescription, Mapping[int, Route]]:
        """Return the image that frames are decoded to, and the steps of those with other colors.

        Args:
            stream: of the first whole frame.
            coded: the image as that stream has it.

        Raises:
            FrameMismatchError: a frame cannot be brought to the form of the others.
        """
        decoded = self._codec.describe_decoded(stream, coded)
        colors = survey_frames(self._frames, self._codec, stream).colors
        if not colors:
            return decoded, {}
        return bring_together(decoded, colors, self._image.number_of_frames, "auto")

    def decode(
        self, frame: int, coded: ImagePixelDescription, notes: SampleNotes | None = None
    ) -> Samples:
        """Return a frame's samples.

        Args:
            frame: its number, from 0.
            coded: the image as its frames are coded.
            notes: takes corrections of samples that do not fit Bits Stored.

        Raises:
            ReadError: the frame cannot be decoded.
        """
        try:
            return self._codec.decode(self._read(frame), coded, notes)
        except DicodecError as error:
            self._file.add_location(error, frame)
            raise

    def decode_halved(
        self, frame: int, coded: ImagePixelDescription, halvings: int
    ) -> Samples | None:
        """Return a frame's samples in a lower resolution, None if only `decode` can tell.

        Args:
            frame: its number, from 0.
            coded: the image as its frames are coded.
            halvings: how often rows and columns are halved at most; see `HalvingDecoder`.

        Raises:
            ReadError: the frame cannot be decoded.
        """
        codec: Any = self._codec
        if not hasattr(codec, "decode_halved"):
            return None
        try:
            samples: Samples | None = codec.decode_halved(self._read(frame), coded, halvings)
        except DicodecError as error:
            self._file.add_location(error, frame)
            raise
        return samples

    def decode_words(self, frame: int, coded: ImagePixelDescription) -> Buffer | None:
        """Return the result of `decode` as words, None if only `decode` can tell.

        Raises:
            ReadError: the frame cannot be decoded.
        """
        codec: Any = self._codec
        try:
            words: Buffer | None = codec.decode_words(self._read(frame), coded)
        except DicodecError as error:
            self._file.add_location(error, frame)
            raise
        return words

    def _read(self, frame: int) -> bytes:
        check_decoded_size(self._image, self._limits)
        stream = self._frames.read(frame)
        if not stream and self._frames.encapsulated is not None:
            raise MissingFrameError("the frame has no bytes")
        return stream


def make_frame_reader(
    file: DicomFile, threads: int = 1
) -> tuple[SampleReader, ImagePixelDescription]:
    """Return the function that decodes any frame of a file, and the image of its samples.

    Frames of different color space are brought to one Photometric Interpretation.

    Raises:
        ReadError: the first frame's headers cannot be read, or a frame cannot be brought to the
            form of the others.
    """
    decoder = FrameDecoder(file, threads)
    stream = decoder.describe_first()
    coded = decoder.describe_coded(stream)
    decoded, own_steps = decoder.bring_together(stream, coded)

    def decode(frame: int) -> Samples:
        samples = decoder.decode(frame, coded)
        return apply_steps(own_steps.get(frame, ()), samples, decoded)

    return add_locations(decode, file), decoded


def make_sample_reader(
    file: DicomFile,
    pixels: PixelPlan,
    notes: SampleNotes | None = None,
    threads: int = 1,
) -> SampleReader:
    """Return the function that decodes a frame and brings it to the wanted interpretation.

    Errors of decoding name the frame; `add_locations` has those of the steps name it, too.
    """
    decoder = FrameDecoder(file, threads)

    def decode(frame: int) -> Samples:
        samples = decoder.decode(frame, pixels.coded, notes)
        own = pixels.own_steps.get(frame, ())
        return apply_steps((*own, *pixels.steps), samples, pixels.decoded)

    return decode


def _check_exactly(frame: bytes, size: int, notes: SampleNotes | None) -> bytes:
    if (length := len(frame)) < size:
        raise TruncatedFrameError(f"the frame has {length} bytes, but {size} are needed")
    if length >= 2 * size and notes is not None:
        notes.note_followed()
    return frame[:size]


def add_locations[Result](
    work: Callable[[int], Result], file: DicomFile
) -> Callable[[int], Result]:
    """Name the frame, and its offset in the file, in every error that has not named it."""

    def with_location(frame: int) -> Result:
        try:
            return work(frame)
        except DicodecError as error:
            file.add_location(error, frame)
            raise

    return with_location
