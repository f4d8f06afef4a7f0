"""A conversion by GDCM: it does the whole of it, and nothing of it is believed unchecked.

GDCM reads, transcodes and writes a file of its own. That file is opened with our reader, its header
held against its streams, and its samples against those that our own decoder finds in the source.
Only then are the caller's edits applied and the result handed on.
"""

from __future__ import annotations

from pathlib import Path

from dicodec.codecs.table import find_decoder
from dicodec.conversion.edits.frame_types import make_frame_type_edits
from dicodec.conversion.edits.lossy_compression import make_lossy_edits
from dicodec.conversion.edits.user_edits import make_user_edits
from dicodec.conversion.frames.pipeline import PipelineResult, run_plan
from dicodec.conversion.gdcm.capability import find_reason_against
from dicodec.conversion.gdcm.engine import bound_seconds, convert_file, keeps_samples
from dicodec.conversion.planning.conversion_plan import Action, Conversion, ConversionPlan
from dicodec.conversion.verification.frames import Verification, verify_samples
from dicodec.errors import DicodecError, EngineError, UnsupportedImageError
from dicodec.model.edits import Edit
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import dataclass, replace
from dicodec.options import ConversionOptions, edits_attributes
from dicodec.part10.dicom_file import DicomFile, open_dicom
from dicodec.part10.directory_records import is_directory
from dicodec.part10.source import provide_path
from dicodec.part10.temporary import TemporaryFolder
from dicodec.rules.color_space import decide_color_space
from dicodec.rules.image_edits import make_statistics_edits
from dicodec.rules.lossy import format_ratio

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class GdcmResult:
    """The outcome of GDCM's conversion.

    Attributes:
        result: sizes of the frames.
        verification: how far the samples are from the source's.
        edits: changes made after GDCM.
        lossy: whether information was lost.
        words: GDCM's output.
        photometric_interpretation: of the result, as its header says; None without pixels.
    """

    result: PipelineResult
    verification: Verification
    edits: tuple[Edit, ...]
    lossy: bool
    words: str
    photometric_interpretation: str | None


def convert_by_gdcm(conversion: Conversion, out: BinaryIO) -> GdcmResult:
    """Carry a conversion out with GDCM in place of our own codecs.

    Args:
        conversion: the planned one; GDCM gets none that we would refuse.
        out: an empty seekable file for the result.

    Raises:
        EngineError: GDCM cannot, refuses or is not installed; or its result contradicts itself
            or the source.
        EngineCrashedError: its process ended.
    """
    plan, options = conversion.plan, conversion.options
    settings = _make_settings(options)
    lossless = keeps_samples(settings, plan.target)
    if lossless and plan.pixels is not None:
        plan = replace(plan, pixels=replace(plan.pixels, lossy=False))
        conversion = replace(conversion, plan=plan)
    check_may(conversion)
    with (
        provide_path(conversion.file.source, conversion.path) as source,
        TemporaryFolder() as folder,
    ):
        written = str(Path(folder) / "result.dcm")
        size = 0 if plan.pixels is None else plan.pixels.stated.native_size
        timeout = bound_seconds(options.timeout, size)
        outcome = convert_file(source, written, plan.target, settings, timeout=timeout)
        try:
            with open_dicom(written, options.limits.for_result()) as made:
                verification = _check_result(conversion, made)
                edits = _make_edits(conversion, made)
                result = _hand_on(conversion, made, edits, out)
                image = made.frames.image if made.frames.present else None
        except EngineError:
            raise
        except DicodecError as error:
            raise EngineError(
                f"GDCM's result cannot be used: {error.message}",
                frame=error.frame,
                attribute=error.attribute,
            ) from error
    stored = None if image is None else image.photometric_interpretation
    return GdcmResult(result, verification, edits, not lossless, outcome.words, stored)


def _make_settings(options: ConversionOptions) -> EncoderSettings:
    return EncoderSettings(options.quality, options.near, options.ratio, options.psnr)


_HINT = '`engine="auto"` does not use GDCM'


def check_may(conversion: Conversion) -> None:
    """Check that GDCM can carry out the plan, and has no known fault with it.

    Raises:
        UnsupportedImageError, EngineError: it cannot, or is.
    """
    file, plan, options = conversion.file, conversion.plan, conversion.options
    lossless = keeps_samples(_make_settings(options), plan.target)
    image = None if plan.pixels is None else plan.pixels.stated
    if reason := find_reason_against(file.syntax, plan.target, image, lossless=lossless):
        raise UnsupportedImageError(reason, hint=_HINT)
    if plan.pixels is not None and options.photometric not in {
        "auto", "keep", plan.pixels.stated.photometric_interpretation,
    }:  # fmt: skip
        raise UnsupportedImageError(
            "GDCM is not used to convert photometric interpretations",
            hint=_HINT,
        )
    if plan.pixels is not None and (plan.pixels.overlays or plan.pixels.derived):
        raise UnsupportedImageError(
            "GDCM is not used to take overlays out of Pixel Data or to rescale to 8 bits",
            hint=_HINT,
        )
    if is_directory(file.data_set):
        raise UnsupportedImageError("GDCM is not used to write a DICOMDIR", hint=_HINT)
    native = file.frames.native
    if native is not None and file.frames.excess not in {0, native.expected_length % 2}:
        raise EngineError(
            "GDCM misreads Pixel Data that is longer than its frames",
            attribute="PixelData",
            hint=_HINT,
        )


def _check_result(conversion: Conversion, made: DicomFile) -> Verification:
    """Compare GDCM's result with its own header and with the source."""
    plan = conversion.plan
    if made.stated_syntax != plan.target.uid or made.syntax != plan.target:
        raise EngineError(
            f"GDCM wrote {made.syntax.name} instead of {plan.target.name}",
            attribute="TransferSyntaxUID",
        )
    if plan.pixels is None:
        return Verification()
    if not made.frames.present:
        raise EngineError("GDCM lost Pixel Data", attribute="PixelData")
    image = made.frames.image
    _check_same_image(plan.pixels.stated, image)
    for frame in range(image.number_of_frames):
        _check_stream(made, frame)
    bound = plan.pixels.bound if plan.pixels.lossy else 0
    return verify_samples(conversion, made, bound)


def _check_same_image(stated: ImagePixelDescription, image: ImagePixelDescription) -> None:
    for keyword, one, two in (
        ("Rows", stated.rows, image.rows),
        ("Columns", stated.columns, image.columns),
        ("SamplesPerPixel", stated.samples_per_pixel, image.samples_per_pixel),
        ("NumberOfFrames", stated.number_of_frames, image.number_of_frames),
        ("PixelRepresentation", stated.pixel_representation, image.pixel_representation),
    ):
        if one != two:
            raise EngineError(f"GDCM made {keyword} {two} of {one}", attribute=keyword)


def _check_stream(made: DicomFile, frame: int) -> None:
    """Check that a stream is described by the header beside it (PS3.5 8.2)."""
    if made.frames.encapsulated is None:
        return
    image = made.frames.image
    stream = find_decoder(made.syntax).describe(made.frames.read(frame))
    color = decide_color_space(image, stream)
    if color.reason:
        raise EngineError(f"GDCM's result contradicts itself: {color.reason}", frame=frame)
    if stream.precision is not None and stream.precision < image.bits_stored:
        raise EngineError(
            f"GDCM's result has {stream.precision} bits, but Bits Stored is {image.bits_stored}",
            frame=frame,
            attribute="BitsStored",
        )


def _make_edits(conversion: Conversion, made: DicomFile) -> tuple[Edit, ...]:
    plan, options = conversion.plan, conversion.options
    edits: list[Edit] = []
    pixels = plan.pixels
    streams = made.frames.encapsulated
    if pixels is not None and pixels.lossy and streams is not None:
        ratio = format_ratio(pixels.stated.native_size, streams.measure_all()).strip()
        edits += make_lossy_edits(conversion.file.data_set, plan.target, options, ratio)
        edits += make_statistics_edits()
        edits += make_frame_type_edits(conversion.file.data_set, edits, plan.encoding)
    if edits_attributes(options):  # they warned of the source
        edits += make_user_edits(made.data_set, options, plan.encoding, [])
    return tuple({edit.tag: edit for edit in edits}.values())


def _hand_on(
    conversion: Conversion, made: DicomFile, edits: tuple[Edit, ...], out: BinaryIO
) -> PipelineResult:
    """Copy GDCM's file as it is, or with edits if there are any."""
    plan = conversion.plan
    action = Action.COPY_FILE
    if edits:
        action = Action.MOVE_VALUE if made.frames.present else Action.NONE
    copied = ConversionPlan(plan.target, plan.target, action, None)
    run_plan(replace(conversion, file=made, plan=copied, edits=edits), out)
    streams = made.frames.encapsulated
    if streams is None or plan.pixels is None:
        return PipelineResult(None, 0)
    return PipelineResult(streams.measure_all(), plan.pixels.stated.native_size)
