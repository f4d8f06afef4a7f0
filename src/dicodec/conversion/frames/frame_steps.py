"""What is done to one frame: read, decode, change its photometric interpretation, encode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from dicodec.codecs.table import decoder_for, with_threads
from dicodec.conversion.planning.all_frames import bring_together, survey_frames
from dicodec.conversion.planning.conversion_plan import Action, ConversionPlan, PixelPlan
from dicodec.errors import DicodecError, TruncatedFrameError
from dicodec.model.image import ImagePixelDescription
from dicodec.part10.dicom_file import DicomFile, PixelData
from dicodec.part10.frame_places import placed
from dicodec.part10.native_frames import bits_from, native_frames_of
from dicodec.pixels.photometric import Route, apply_steps
from dicodec.rules.claimed_sizes import check_decoded_size, check_frame_count
from dicodec.rules.color_space import coded_color_space

if TYPE_CHECKING:  # brings NumPy, which frames that are only moved do not need
    from dicodec.codecs.base import Buffer, Samples
    from dicodec.codecs.sample_notes import SampleNotes

type FrameWork = Callable[[int], Buffer]
type FrameReader = Callable[[int], bytes]
type SampleReader = Callable[[int], Samples]


def frame_work(
    file: DicomFile,
    pixel_data: PixelData,
    plan: ConversionPlan,
    pixels: PixelPlan,
    notes: SampleNotes | None = None,
    threads: int = 1,
) -> FrameWork:
    """Return the function that turns a frame's number into the bytes that are stored for it.

    Its errors name the frame and where in the file it lies. What is decoded is told to `notes`.
    Codecs that can use them have `threads` for each frame.
    """
    work = located(_frame_work(file, pixel_data, plan, pixels, notes, threads), file, pixel_data)
    filled = pixel_data.filled
    if not filled:
        return work
    from dicodec.conversion.frames.fill_frames import encoded_fill

    fill = encoded_fill(file, pixels)
    return lambda frame: fill if frame in filled else work(frame)


def _frame_work(
    file: DicomFile,
    pixel_data: PixelData,
    plan: ConversionPlan,
    pixels: PixelPlan,
    notes: SampleNotes | None,
    threads: int,
) -> FrameWork:
    read = frame_reader(file, pixel_data)
    if plan.action is Action.MOVE_FRAMES:
        if plan.source.family == plan.target.family:
            return read
        size = pixels.stated.native_frame_bits // 8
        return lambda frame: _exactly(read(frame), size)
    if plan.action in {Action.REPACK_JPEG, Action.UNPACK_JPEG}:
        from dicodec.codecs.jpeg_repacking import unpack_jpeg

        if plan.action is Action.UNPACK_JPEG:
            return lambda frame: unpack_jpeg(read(frame))
        return lambda frame: _repacked(read(frame), pixels.stated)
    decode = sample_reader(file, pixel_data, pixels, notes, threads)
    assert pixels.encoder is not None, "a plan to transcode names its encoder"
    encoder = with_threads(pixels.encoder, threads)

    def transcode(frame: int) -> Buffer:
        return encoder.encode(decode(frame), pixels.prepared)

    return transcode


def _repacked(stream: bytes, stated: ImagePixelDescription) -> bytes:
    from dicodec.codecs.jpeg_repacking import repack_jpeg
    from dicodec.codecs.streams import jpeg

    color = coded_color_space(stated, jpeg.describe(stream)).photometric_interpretation
    return repack_jpeg(stream, replace(stated, photometric_interpretation=color))


def frame_reader(file: DicomFile, pixel_data: PixelData) -> FrameReader:
    """Return the function that reads a frame's bytes; native ones begin at bit 0."""
    source = file.data_set.source
    frames = pixel_data.frames
    if frames is not None:
        return lambda frame: frames.read(source, frame)
    image = pixel_data.image
    native = native_frames_of(file, pixel_data)

    def read(frame: int) -> bytes:
        return bits_from(
            native.read(source, frame), native.first_bit(frame), image.native_frame_bits
        )

    return read


def decoding_reader(file: DicomFile, pixel_data: PixelData) -> FrameReader:
    """Return the function that reads a frame's bytes to be decoded, if they may be.

    Raises:
        LimitExceededError: there are too many frames; in the function, a frame is too large.
    """
    read = frame_reader(file, pixel_data)
    image, limits = pixel_data.image, file.data_set.limits
    check_frame_count(image.number_of_frames, limits)

    def read_checked(frame: int) -> bytes:
        stream = read(frame)
        check_decoded_size(image, len(stream), limits)
        return stream

    return read_checked


def decoded_frames(
    file: DicomFile, pixel_data: PixelData, threads: int = 1
) -> tuple[SampleReader, ImagePixelDescription]:
    """Return the function that decodes any frame of a file, and what it returns.

    Frames of different color space are brought to one Photometric Interpretation.

    Raises:
        ReadError: the first frame's headers cannot be read, or a frame cannot be brought to what
            the others are in.
    """
    read = decoding_reader(file, pixel_data)
    decoder = with_threads(decoder_for(file.syntax), threads)
    describe = located(lambda frame: decoder.describe(read(frame)), file, pixel_data)
    stream = (
        decoder.describe(b"") if pixel_data.frames is None else describe(pixel_data.first_whole)
    )
    image, frames = pixel_data.image, pixel_data.frames
    color = coded_color_space(image, stream)
    coded = replace(image, photometric_interpretation=color.photometric_interpretation)
    decoded = decoder.decoded_description(stream, coded)
    own_steps: Mapping[int, Route] = {}
    survey = survey_frames(file.data_set.source, frames, file.syntax, image, decoder, stream)
    if survey.colors:
        decoded, own_steps = bring_together(decoded, survey.colors, image.number_of_frames, "auto")

    def decode(frame: int) -> Samples:
        samples = decoder.decode(read(frame), coded)
        return apply_steps(own_steps.get(frame, ()), samples, decoded)

    return located(decode, file, pixel_data), decoded


def sample_reader(
    file: DicomFile,
    pixel_data: PixelData,
    pixels: PixelPlan,
    notes: SampleNotes | None = None,
    threads: int = 1,
) -> SampleReader:
    """Return the function that decodes a frame and brings it to the wanted interpretation."""
    read = decoding_reader(file, pixel_data)
    decoder = with_threads(pixels.decoder or decoder_for(file.syntax), threads)
    coded = pixels.coded

    def decode(frame: int) -> Samples:
        samples = decoder.decode(read(frame), coded, notes)
        own = pixels.own_steps.get(frame, ())
        return apply_steps((*own, *pixels.steps), samples, pixels.decoded)

    return located(decode, file, pixel_data)


def _exactly(frame: bytes, size: int) -> bytes:
    if len(frame) < size:
        raise TruncatedFrameError(f"the frame has {len(frame)} bytes where {size} are needed")
    return frame[:size]


def located[Result](
    work: Callable[[int], Result], file: DicomFile, pixel_data: PixelData
) -> Callable[[int], Result]:
    """Name the frame, and where in the file it lies, in every error that has not named it."""

    def with_place(frame: int) -> Result:
        try:
            return work(frame)
        except DicodecError as error:
            placed(error, file, pixel_data, frame)
            raise

    return with_place
