"""Read a finished result again and compare it with its source, before it is put in place."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing

from dicodec.conversion.frames.frame_steps import (
    FrameReader,
    SampleReader,
    add_locations,
    make_frame_reader,
    make_sample_reader,
)
from dicodec.conversion.frames.window import (
    compute_size_in_flight,
    count_threads_for_each,
    map_frames,
)
from dicodec.conversion.planning.conversion_plan import Action, Conversion, PixelPlan
from dicodec.conversion.planning.moved_value import plan_moved_value
from dicodec.conversion.verification.elements import (
    check_allowed,
    check_copy,
    check_directory,
    check_elements,
    check_head,
    check_strictly,
    check_value,
)
from dicodec.errors import DicodecError, VerificationError
from dicodec.model.findings import Oddity
from dicodec.model.image import YBR_PARTIAL, ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass, replace
from dicodec.part10.dicom_file import DicomFile, Source, open_dicom
from dicodec.pixels.photometric import apply_steps, find_routes

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import numpy as np

    from dicodec.codecs.base import Samples
else:
    np = import_late("numpy")


@dataclass(frozen=True, slots=True)
class Verification:
    """How far a result is from its source.

    Attributes:
        frames: number of frames that were compared.
        largest_error: of any sample; 0 for a lossless conversion.
        psnr: peak signal-to-noise ratio in dB; None if the samples are equal.
        undecoded: frames with equal bytes that no decoder takes, in the source neither.
        oddities: of the source, which elements that were copied still have.
    """

    frames: int = 0
    largest_error: int = 0
    psnr: float | None = None
    undecoded: tuple[int, ...] = ()
    oddities: tuple[Oddity, ...] = ()


@dataclass(frozen=True, slots=True)
class _Difference:
    largest: int = 0
    squares: float = 0.0
    samples: int = 0
    undecoded: bool = False


def verify_result(conversion: Conversion, result: Source) -> Verification:
    """Compare a result with its plan.

    Args:
        conversion: the one that made it.
        result: path or content of the result.

    Raises:
        VerificationError: something differs; the frame or attribute is named.
    """
    source, plan = conversion.file, conversion.plan
    try:
        with open_dicom(result, source.data_set.limits.for_result()) as made:
            if plan.action is Action.COPY_FILE:
                check_copy(source, made)
                return Verification(0 if plan.pixels is None else plan.pixels.frames)
            check_head(conversion, made)
            check_elements(conversion, made)
            check_directory(conversion, made)
            check_allowed(conversion, made)
            carried = check_strictly(conversion, made)
            native = source.frames.native
            short = native is not None and native.whole < len(native) and not source.frames.filled
            if plan.pixels is None or short:  # there are no frames to decode, or not all of them
                moved = plan_moved_value(source, plan.target)
                check_value(source.frames, made.frames, moved.swap_unit if moved else 1)
                return Verification(oddities=carried)
            return replace(_check_frames(conversion, made, plan.pixels), oddities=carried)
    except VerificationError:
        raise
    except DicodecError as error:
        raise VerificationError(
            f"the result cannot be read again: {error.message}",
            frame=error.frame,
            attribute=error.attribute,
            offset=error.offset,
        ) from error


def _check_frames(conversion: Conversion, made: DicomFile, pixels: PixelPlan) -> Verification:
    source, action = conversion.file, conversion.plan.action
    same_bytes = action in {Action.MOVE_VALUE, Action.MOVE_FRAMES}
    as_stored = source.syntax.family == made.syntax.family != "native"
    # Nobody can tell the samples of YBR_PARTIAL_420, but they are as they were.
    unread = pixels.stated.photometric_interpretation == "YBR_PARTIAL_420"
    if same_bytes and (as_stored or unread):
        threads = count_threads_for_each(
            pixels.frames, conversion.workers, _measure_frame(pixels.result)
        )
        # Whether samples keep to Bits Stored is not asked: their bytes are those of the source.
        decode = None if unread else _make_reader(_with_words(made), threads)
        reframed = action is Action.MOVE_FRAMES
        compare = _make_byte_comparison(source, made, decode, reframed=reframed)
        compare = _skip_filled(compare, source)
    elif action in {Action.REPACK_JPEG, Action.UNPACK_JPEG}:
        jpeg, packed = source.frames.read, made.frames.read
        if action is Action.UNPACK_JPEG:
            jpeg, packed = packed, jpeg
        compare = _make_repacked_comparison(jpeg, packed)
    else:
        if pixels.stated.photometric_interpretation == YBR_PARTIAL and same_bytes:
            # The result has the source's attributes, and is read by its length as the source is.
            made = replace(made, frames=replace(made.frames, description=source.frames.image))
        if same_bytes:  # unused bits too, and whether or not the description tells the samples
            conversion, made = replace(conversion, file=_with_words(source)), _with_words(made)
        return verify_samples(conversion, made, pixels.bound)
    return _compare(compare, pixels.result, pixels.frames, 0, conversion.workers)


def _with_words(file: DicomFile) -> DicomFile:
    """Return a file whose samples are described as the whole words that hold them."""
    image = file.frames.image
    bits = image.bits_allocated
    words = replace(image, bits_stored=bits, high_bit=bits - 1)
    return replace(file, frames=replace(file.frames, description=words))


def verify_samples(conversion: Conversion, made: DicomFile, bound: int | None) -> Verification:
    """Compare the samples of a result with those that its source has after the plan's steps.

    Args:
        conversion: the one that made it; it has a plan for frames.
        made: the open result, or another decoder's samples of it.
        bound: largest error of a sample that is promised; None if none is.

    Raises:
        VerificationError: a sample is further off; the frame is named.
        ReadError: a frame cannot be decoded.
    """
    source, pixels, workers = conversion.file, conversion.plan.pixels, conversion.workers
    assert pixels is not None, "there are frames to compare"
    threads = count_threads_for_each(pixels.frames, workers, _measure_frame(pixels.result))
    if conversion.plan.action is Action.TRANSCODE:
        expected = add_locations(make_sample_reader(source, pixels, threads=threads), source)
        wanted = pixels.prepared
    else:
        expected, wanted = make_frame_reader(source, threads)
    compare = _skip_filled(_make_sample_comparison(expected, wanted, made, threads), source)
    return _compare(compare, wanted, pixels.frames, bound, workers)


def verify_same_samples(one: DicomFile, two: DicomFile, bound: int, workers: int) -> Verification:
    """Compare the samples that two files' frames decode to, in the first one's interpretation.

    Args:
        one: the first file.
        two: the second.
        bound: largest difference that a sample may have.
        workers: threads.

    Raises:
        VerificationError: a sample differs by more than `bound`; the frame is named.
        ReadError: a frame cannot be decoded.
    """
    image = one.frames.image
    frames = image.number_of_frames
    threads = count_threads_for_each(frames, workers, _measure_frame(image))
    expected, wanted = make_frame_reader(one, threads)
    compare = _make_sample_comparison(expected, wanted, two, threads)
    return _compare(compare, image, frames, bound, workers)


def _compare(
    compare: Callable[[int], _Difference],
    image: ImagePixelDescription,
    frames: int,
    bound: int | None,
    workers: int,
) -> Verification:
    total = _Difference()
    undecoded: list[int] = []
    # Closed at a difference, too: threads that the garbage collector ends may wait for themselves.
    with closing(map_frames(compare, frames, workers, _measure_frame(image))) as compared:
        for frame, difference in enumerate(compared):
            if bound is not None and difference.largest > bound:
                raise VerificationError(
                    f"samples differ by up to {difference.largest}, and {bound} was promised",
                    frame=frame,
                )
            if difference.undecoded:
                undecoded.append(frame)
            total = _Difference(
                max(total.largest, difference.largest),
                total.squares + difference.squares,
                total.samples + difference.samples,
            )
    psnr = _measure_psnr(total, image.bits_stored)
    return Verification(frames, total.largest, psnr, tuple(undecoded))


def _measure_frame(image: ImagePixelDescription) -> int:
    """Return the bytes that the comparison of a frame takes: both streams and all samples."""
    return 2 * compute_size_in_flight(image)


def _skip_filled(
    compare: Callable[[int], _Difference], source: DicomFile
) -> Callable[[int], _Difference]:
    """Leave out the frames that are filled: there is nothing to compare them with."""
    filled = source.frames.filled
    if not filled:
        return compare
    return lambda frame: _Difference() if frame in filled else compare(frame)


def _make_reader(made: DicomFile, threads: int) -> SampleReader | None:
    """Return the function that decodes a frame of the result, None if its syntax has no decoder."""
    if not made.syntax.reads:
        return None
    try:
        return make_frame_reader(made, threads)[0]
    except DicodecError as error:  # no frame decodes without the first one's headers
        fault = error

        def refuse(frame: int) -> Samples:  # noqa: ARG001 - all frames alike
            raise fault

        return refuse


def _make_byte_comparison(
    source: DicomFile, made: DicomFile, decode: SampleReader | None, *, reframed: bool
) -> Callable[[int], _Difference]:
    """Return the function that compares a frame's bytes, but for a pad byte, and decodes them.

    Bytes that are equal decode to the same samples, so decoding one of them stands for both. It
    shows that the frames begin and end with their streams, which bytes alone do not.

    Args:
        source: the open source.
        made: the open result.
        decode: decodes a frame of the result; None if that cannot be done.
        reframed: whether fragments were assigned to frames, so that a frame has to decode.
    """
    expected, found = source.frames.read, made.frames.read

    def compare(frame: int) -> _Difference:
        one, two = expected(frame), found(frame)
        if two not in {one, one + b"\0"}:
            raise VerificationError("the frame's bytes differ", frame=frame)
        if decode is None or not one:
            return _Difference()
        try:
            decode(frame)
        except DicodecError as error:
            if reframed:
                raise VerificationError(
                    f"the frame cannot be decoded, so it may be none: {error.message}", frame=frame
                ) from error
            return _Difference(undecoded=True)
        return _Difference()

    return compare


def _make_repacked_comparison(
    jpeg: FrameReader, packed: FrameReader
) -> Callable[[int], _Difference]:
    """Return the function that compares JPEG streams with those that JPEG XL gives back.

    The samples are no witness: a JPEG XL decoder rounds, and interpolates chroma, in its own way.
    """
    from dicodec.codecs.jpeg_repacking import unpack_jpeg
    from dicodec.codecs.streams.jpeg import check_whole

    def compare(frame: int) -> _Difference:
        _, whole = check_whole(jpeg(frame))
        if unpack_jpeg(packed(frame)) != whole:
            raise VerificationError("the JPEG stream does not come back bit by bit", frame=frame)
        return _Difference()

    return compare


def _make_sample_comparison(
    expected: SampleReader,
    wanted: ImagePixelDescription,
    made: DicomFile,
    threads: int,
) -> Callable[[int], _Difference]:
    """Return the function that compares a frame's samples, in the wanted interpretation."""
    found, decoded = make_frame_reader(made, threads)
    steps, _ = next(iter(find_routes(decoded, wanted.photometric_interpretation)))

    def compare(frame: int) -> _Difference:
        return _find_difference(expected(frame), apply_steps(steps, found(frame), decoded))

    return compare


def _find_difference(expected: Samples, found: Samples) -> _Difference:

    if expected.shape != found.shape:
        raise VerificationError(f"a frame of shape {found.shape} is not one of {expected.shape}")
    if expected.tobytes() == found.astype(expected.dtype, copy=False).tobytes():
        return _Difference(samples=expected.size)
    errors = np.abs(expected.astype(np.float64) - found.astype(np.float64))
    return _Difference(int(errors.max()) or 1, float(np.square(errors).sum()), expected.size)


def _measure_psnr(difference: _Difference, bits_stored: int) -> float | None:
    if not difference.squares:
        return None
    peak = float((1 << bits_stored) - 1)
    return round(10 * math.log10(peak * peak * difference.samples / difference.squares), 2)
