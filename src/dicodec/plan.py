"""Deciding what a conversion does: header and options in, a plan or a ConversionError out.

Nothing is written here and no pixel is touched; of the frames only the first one's headers are
read. Whatever the pipeline does stands in the plan, so a dry run shows all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from dicodec.codecs.table import decoder_for, encoder_for
from dicodec.errors import (
    ContradictionError,
    ConversionError,
    LossyNotAllowedError,
    MalformedFileError,
    MissingFrameError,
    TruncatedFileError,
    TruncatedFrameError,
    UnsupportedImageError,
    UnsupportedSourceError,
    UnsupportedTargetError,
)
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import ImagePixelDescription
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import (
    EXPLICIT_LE,
    Loss,
    Storage,
    TransferSyntax,
    by_name,
    writable,
)
from dicodec.options import ConversionOptions
from dicodec.part10.dicom_file import DicomFile, PixelData
from dicodec.part10.native_frames import NativeFrames
from dicodec.part10.pixel_writer import NATIVE_LIMIT
from dicodec.pixels.photometric import PhotometricStep, route
from dicodec.rules.color_space import coded_color_space
from dicodec.rules.image_edits import pixel_swap_unit
from dicodec.rules.relabel import also_valid_as

if TYPE_CHECKING:  # brings NumPy, which plans that only move bytes do not need
    from dicodec.codecs.base import Decoder, Encoder


class Action(StrEnum):
    """What is done with the pixels."""

    NONE = "none"  # there are none
    COPY_FILE = "copied"  # the file is right as it is
    MOVE_VALUE = "moved"  # the value of Pixel Data, at most in another byte order
    MOVE_FRAMES = "reframed"  # each frame's bytes as they are, in another frame of items
    REPACK_JPEG = "repacked"  # JPEG streams into JPEG XL, reversibly
    UNPACK_JPEG = "unpacked"  # and back
    TRANSCODE = "transcoded"  # decoded and encoded


@dataclass(frozen=True, slots=True)
class PixelPlan:
    """What happens to the frames.

    Attributes:
        action: see Action.
        stated: the image as the data set describes it.
        coded: the image as its frames really are; differs where the data set is wrong.
        decoded: what the decoder returns.
        prepared: what the encoder is given.
        result: what will be stored.
        frames: number of frames.
        decoder, encoder: for TRANSCODE.
        steps: changes of photometric interpretation between them.
        stream: what the first frame's stream says; None where it was not read.
        lossy: whether this conversion loses information.
        source_lossy: whether the source's streams have lost information; None if unknown.
        table: offset table of an encapsulated result: "basic", "extended" or "empty".
        bound: largest error of a sample that is promised; None where none is.
    """

    action: Action
    stated: ImagePixelDescription
    coded: ImagePixelDescription
    decoded: ImagePixelDescription
    prepared: ImagePixelDescription
    result: ImagePixelDescription
    frames: int
    decoder: Decoder | None = None
    encoder: Encoder | None = None
    steps: tuple[PhotometricStep, ...] = ()
    stream: StreamDescription | None = None
    lossy: bool = False
    source_lossy: bool | None = None
    table: str = "basic"
    bound: int | None = 0


@dataclass(frozen=True, slots=True)
class ConversionPlan:
    """All decisions about one conversion.

    Attributes:
        source, target: transfer syntaxes.
        action: what is done with the pixels.
        pixels: None where the data set has no frames that can be told apart.
        decisions: what was decided about the image, and why, for people.
        warnings: what the user should know.
    """

    source: TransferSyntax
    target: TransferSyntax
    action: Action
    pixels: PixelPlan | None
    decisions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def plan_conversion(file: DicomFile, options: ConversionOptions) -> ConversionPlan:
    """Decide how a file becomes one of the acceptable transfer syntaxes.

    Raises:
        UnsupportedTargetError: no such transfer syntax, or one that is never written.
        ConversionError: the file cannot become what was asked for; of several acceptable transfer
            syntaxes the first one's reason is given.
        ReadError: what the first frame says cannot be read.
    """
    targets = tuple(target_syntax(name) for name in options.to)
    if options.strict and file.oddities:
        raise ContradictionError(
            f"the source departs from the standard: {file.oddities[0].text}",
            offset=file.oddities[0].offset,
        )
    if file.syntax in targets and _may_stay(file, options):
        return _plan_for(file, file.syntax, options)
    failures: list[ConversionError] = []
    for target in targets:
        try:
            return _plan_for(file, target, options)
        except ConversionError as error:
            failures.append(error)
    raise failures[0]


def target_syntax(name: str) -> TransferSyntax:
    """Return the transfer syntax that a user names as a target.

    Raises:
        UnsupportedTargetError: no such name, or one that is never written; what would work is said.
    """
    syntax = by_name(name)
    if syntax is None:
        raise UnsupportedTargetError(
            f"there is no transfer syntax {name!r}", hint=f"there are {_writable_names()}"
        )
    if not syntax.writes and syntax.storage is not Storage.VIDEO:
        raise UnsupportedTargetError(
            f"{syntax.name} ({syntax.title}) is not written: {syntax.why_not}",
            hint=f"possible are {_writable_names()}",
        )
    return syntax


def _writable_names() -> str:
    return ", ".join(syntax.name for syntax in writable())


def _may_stay(file: DicomFile, options: ConversionOptions) -> bool:
    """Whether a source in an acceptable syntax needs no other photometric interpretation."""
    if options.photometric in {"auto", "keep"} or file.pixel_data is None:
        return True
    return file.pixel_data.image.photometric_interpretation == options.photometric


def _plan_for(
    file: DicomFile, target: TransferSyntax, options: ConversionOptions
) -> ConversionPlan:
    source = file.syntax
    if file.pixel_data is None:
        return _plan_without_pixels(file, target)
    if source.storage is Storage.ELSEWHERE or source.storage is Storage.VIDEO:
        if source == target:
            _check_complete(file.pixel_data)
            return ConversionPlan(source, target, Action.MOVE_VALUE, None)
        raise UnsupportedSourceError(f"{source.title}: {source.why_not}")
    if target.storage is Storage.VIDEO:
        raise UnsupportedTargetError(f"{target.title} is not written: {target.why_not}")
    if _moves_unread(file, target):
        _check_complete(file.pixel_data)
        return ConversionPlan(source, target, Action.MOVE_VALUE, None)
    return _PixelPlanner(file, file.pixel_data, target, options).plan()


def _check_complete(pixel_data: PixelData) -> None:
    if pixel_data.missing:
        raise TruncatedFileError(
            f"the file ends {pixel_data.missing} bytes before its Pixel Data does",
            attribute="PixelData",
        )


def _plan_without_pixels(file: DicomFile, target: TransferSyntax) -> ConversionPlan:
    """A data set without pixels stays native (PS3.5 A.4: encapsulation is of Pixel Data)."""
    if file.syntax.storage is Storage.ELSEWHERE and file.syntax != target:
        raise UnsupportedSourceError(f"{file.syntax.title}: {file.syntax.why_not}")
    if file.syntax == target or target.native:
        return ConversionPlan(file.syntax, target, Action.NONE, None)
    return ConversionPlan(
        file.syntax,
        EXPLICIT_LE,
        Action.NONE,
        None,
        warnings=(
            f"there are no pixels to store as {target.name}: the result is {EXPLICIT_LE.name}",
        ),
    )


def _moves_unread(file: DicomFile, target: TransferSyntax) -> bool:
    """Whether native pixels can stay as they are although nothing describes them."""
    assert file.pixel_data is not None
    return (
        isinstance(file.pixel_data.described, MalformedFileError)
        and file.syntax.native
        and target.native
        and file.syntax.pixels_little_endian
        and target.pixels_little_endian
    )


class _PixelPlanner:
    """Decides about one file's frames and one target."""

    def __init__(
        self,
        file: DicomFile,
        pixel_data: PixelData,
        target: TransferSyntax,
        options: ConversionOptions,
    ) -> None:
        self._source = file.syntax
        self._target = target
        self._options = options
        self._pixel_data = pixel_data
        self._data_set = file.data_set
        self._bytes = file.data_set.source
        self._stated = pixel_data.image
        self._decisions: list[str] = []
        self._warnings: list[str] = []

    def plan(self) -> ConversionPlan:
        """Return the plan; the first kind of way that fits is taken."""
        self._check_frames()
        pixels = self._moved() or self._repacked() or self._transcoded()
        if self._target.native and pixels.action is not Action.MOVE_VALUE:
            self._check_native_size(pixels)
        return ConversionPlan(
            self._source,
            self._target,
            pixels.action,
            pixels,
            tuple(self._decisions),
            tuple(self._warnings),
        )

    def _check_frames(self) -> None:
        frames, stated = self._pixel_data.frames, self._stated.number_of_frames
        if frames is None:
            self._check_native_length()
        elif self._pixel_data.missing:
            raise TruncatedFrameError(
                f"the file ends {self._pixel_data.missing} bytes before its last fragment does",
                frame=len(frames) - 1,
            )
        elif len(frames) < stated:
            raise MissingFrameError(
                f"NumberOfFrames is {stated}, Pixel Data holds {len(frames)}", frame=len(frames)
            )
        elif len(frames) > stated:
            raise MalformedFileError(
                f"NumberOfFrames is {stated}, Pixel Data holds {len(frames)} frames",
                attribute="NumberOfFrames",
            )

    def _check_native_length(self) -> None:
        span = self._pixel_data.span
        native = NativeFrames(span, self._stated, swapped_words=False)
        excess = span.length - native.expected_length
        if excess < 0:
            frame_bits = max(self._stated.native_frame_bits, 1)
            native.read(self._bytes, min(span.length * 8 // frame_bits, len(native) - 1))
        elif excess > 1:
            self._warnings.append(
                f"Pixel Data is {excess} bytes longer than its frames; the excess is "
                + ("kept" if self._target.native and self._source.native else "left out")
            )

    def _check_native_size(self, pixels: PixelPlan) -> None:
        size = (pixels.result.native_frame_bits * pixels.frames + 7) // 8
        if size > NATIVE_LIMIT:
            raise UnsupportedImageError(
                f"native Pixel Data would take {size} bytes, and {NATIVE_LIMIT} is the most",
                attribute="PixelData",
                hint="an encapsulated transfer syntax holds it, encapsulated-uncompressed too",
            )

    def _moved(self) -> PixelPlan | None:
        """Ways in which the bytes of frames stay as they are."""
        source, target, stated = self._source, self._target, self._stated
        if not self._keeps_photometric():
            return None
        if source == target or (also_valid_as(source, target) and not self._recompresses()):
            right_table = self._pixel_data.frames is None or (
                not self._pixel_data.frames.oddities and self._options.offset_table == "auto"
            )
            action = Action.MOVE_VALUE if right_table else Action.MOVE_FRAMES
            return self._unchanged(action)
        if source.native and target.native:
            self._warn_of_wide_samples()
            return self._unchanged(Action.MOVE_VALUE)
        whole_bytes = stated.native_frame_bits % 8 == 0 and not stated.floating
        plain = {source.family, target.family} == {"native", "encapsulated-uncompressed"}
        if plain and whole_bytes and source.pixels_little_endian and target.pixels_little_endian:
            return self._unchanged(Action.MOVE_FRAMES)
        return None

    def _warn_of_wide_samples(self) -> None:
        """PS3.5 7.3 swaps OW by 16-bit word; readers disagree on samples that are wider."""
        wide = self._stated.bits_allocated > 16 and not self._stated.floating
        if wide and not (self._source.pixels_little_endian and self._target.pixels_little_endian):
            self._warnings.append(
                f"big endian samples of {self._stated.bits_allocated} bits are taken with their "
                "most significant byte first; some readers exchange 16-bit words only"
            )

    def _recompresses(self) -> bool:
        """Whether the caller asks for a loss that mere relabelling would not bring."""
        return self._options.lossy_allowed

    def _keeps_photometric(self) -> bool:
        wanted = self._options.photometric
        return wanted in {"auto", "keep", self._stated.photometric_interpretation}

    def _unchanged(self, action: Action) -> PixelPlan:
        stated = self._stated
        return PixelPlan(
            action,
            stated,
            stated,
            stated,
            stated,
            stated,
            stated.number_of_frames,
            table=self._table(),
        )

    def _repacked(self) -> PixelPlan | None:
        """JPEG to JPEG XL .111 and back: streams are repacked reversibly, not decoded."""
        if self._target.name == "jpegxl-jpeg":
            stream = self._first_stream()
            if stream.process != "baseline sequential DCT":
                raise UnsupportedImageError(
                    f"jpegxl-jpeg holds JPEG baseline streams only, and the source is "
                    f"{self._source.name}",
                    hint="jpegxl-lossless holds any image; or convert to jpeg first",
                )
            return replace(self._unchanged(Action.REPACK_JPEG), stream=stream)
        if self._source.name == "jpegxl-jpeg" and self._target.name == "jpeg":
            if not self._keeps_photometric() or self._recompresses():
                return None
            return self._unchanged(Action.UNPACK_JPEG)
        return None

    def _transcoded(self) -> PixelPlan:
        self._check_permission()
        self._check_overlays()
        if self._stated.floating and self._target.encapsulated:
            raise UnsupportedImageError(
                "floating point samples are never encapsulated (PS3.5 A.4)",
                hint="explicit-le, implicit-le and deflated hold them",
            )
        if not self._source.reads:
            raise UnsupportedSourceError(
                f"{self._source.name} is not decoded: {self._source.why_not}"
            )
        decoder = decoder_for(self._source)
        stream = self._first_stream()
        coded = self._coded(stream)
        decoded = decoder.decoded_description(stream, coded)
        encoder, steps, prepared, result = self._way_in(decoded)
        lossy = self._target.loss is not Loss.NEVER and not (
            self._target.name == "jpeg-ls-near" and self._options.near == 0
        )
        return PixelPlan(
            Action.TRANSCODE,
            self._stated,
            coded,
            decoded,
            prepared,
            result,
            self._stated.number_of_frames,
            decoder,
            encoder,
            steps,
            stream,
            lossy,
            None if stream.lossless is None else not stream.lossless,
            self._table(),
            getattr(encoder, "near", None) if lossy else 0,
        )

    def _check_permission(self) -> None:
        if self._target.loss is Loss.NEVER or self._options.lossy_allowed:
            return
        raise LossyNotAllowedError(
            f"{self._target.name} loses information",
            hint="allow it with --lossy or a quality setting"
            + (f", or take {name}" if (name := _LOSSLESS_KIN.get(self._target.name)) else ""),
        )

    def _check_overlays(self) -> None:
        """Refuse to lose an overlay that lies in the unused bits of Pixel Data (PS3.5 8.1.2)."""
        for group in range(0x6000, 0x6020, 2):
            position = self._data_set.number(group << 16 | _OVERLAY_BIT_POSITION)
            has_data = self._data_set.find(group << 16 | _OVERLAY_DATA) is not None
            if position and not has_data:
                raise UnsupportedImageError(
                    f"an overlay lies in bit {position} of Pixel Data and would be lost",
                    attribute=f"({group:04X},0102)",
                    hint="native transfer syntaxes keep it",
                )

    def _first_stream(self) -> StreamDescription:
        frames = self._pixel_data.frames
        first = b"" if frames is None else frames.read(self._bytes, 0)
        return decoder_for(self._source).describe(first)

    def _coded(self, stream: StreamDescription) -> ImagePixelDescription:
        color = coded_color_space(self._stated, stream)
        if not color.reason:
            return self._stated
        if self._options.strict:
            raise ContradictionError(color.reason, attribute="PhotometricInterpretation")
        self._decisions.append(f"taken as {color.photometric_interpretation}: {color.reason}")
        return replace(self._stated, photometric_interpretation=color.photometric_interpretation)

    def _way_in(
        self, decoded: ImagePixelDescription
    ) -> tuple[Encoder, tuple[PhotometricStep, ...], ImagePixelDescription, ImagePixelDescription]:
        """Return encoder, photometric steps, what it is given and what is stored: the first fit."""
        settings = EncoderSettings(
            quality=self._options.quality,
            near=self._options.near,
            ratio=self._options.ratio,
            psnr=self._options.psnr,
            photometric=self._wanted_in_stream(),
        )
        encoder = encoder_for(self._target, settings)
        failure: UnsupportedImageError | None = None
        for steps, prepared in route(decoded, self._options.photometric):
            try:
                result = encoder.encoded_description(prepared)
            except UnsupportedImageError as error:
                failure = failure or error
                continue
            self._note_steps(steps, decoded, result)
            return encoder, steps, prepared, result
        assert failure is not None, "route yields at least one way"
        raise failure

    def _wanted_in_stream(self) -> str | None:
        wanted = self._options.photometric
        return None if wanted in {"auto", "keep"} else wanted

    def _note_steps(
        self,
        steps: tuple[PhotometricStep, ...],
        decoded: ImagePixelDescription,
        result: ImagePixelDescription,
    ) -> None:
        for step in steps:
            self._decisions.append(step.text)
            if step.rounds and self._target.loss is Loss.NEVER:
                self._warnings.append(f"{step.text}: samples are rounded")
        if not steps and decoded.photometric_interpretation != result.photometric_interpretation:
            self._decisions.append(
                f"{decoded.photometric_interpretation} is stored as "
                f"{result.photometric_interpretation} by the codec"
            )

    def _table(self) -> str:
        """Return which offset table an encapsulated result gets.

        A Basic Offset Table, unless the frames may pass 32 bits: their encoded size is not known
        yet, so the native size, with an eighth for streams that grow, is taken for it.
        """
        if self._options.offset_table != "auto":
            return self._options.offset_table
        frames = self._pixel_data.frames
        if frames is not None and self._source == self._target:
            size = frames.total_length() + 8 * len(frames)
        else:
            size = self._stated.native_frame_bits * self._stated.number_of_frames * 9 // 64
            size += 1024 * self._stated.number_of_frames
        return "basic" if size <= 0xFFFFFFFF else "extended"


_OVERLAY_BIT_POSITION = 0x0102
_OVERLAY_DATA = 0x3000
_LOSSLESS_KIN = {
    "jpeg": "jpeg-lossless",
    "jpeg-extended": "jpeg-lossless",
    "jpeg-ls-near": "jpeg-ls",
    "jpeg2000": "jpeg2000-lossless",
    "jpegxl": "jpegxl-lossless",
    "htj2k": "htj2k-lossless",
}


def swap_unit_between(
    source: TransferSyntax, target: TransferSyntax, image: ImagePixelDescription, vr: str
) -> int:
    """Return the unit in which native Pixel Data changes its bytes' order; 1 for not at all."""
    if source.pixels_little_endian == target.pixels_little_endian:
        return 1
    return pixel_swap_unit(image, vr)
