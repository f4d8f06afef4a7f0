"""Deciding what a conversion does: header and options in, a plan or a ConversionError out.

Nothing is written here and no pixel is touched; of the frames only the first one's headers are
read. Whatever the pipeline does stands in the plan, so a dry run shows all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

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
from dicodec.gray_and_color import (
    gray_attributes,
    has_color_tables,
    read_palette,
    rescaling,
)
from dicodec.model import tags
from dicodec.model.edits import Edit
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
from dicodec.pixels.gray import narrowing_step, rescaling_step
from dicodec.pixels.palette import palette_steps
from dicodec.pixels.photometric import HALVED_CHROMA, STEPS, PhotometricStep, route
from dicodec.rules.color_space import coded_color_space
from dicodec.rules.image_edits import pixel_swap_unit
from dicodec.rules.overlays import (
    OVERLAY_BIT_POSITION,
    OVERLAY_BITS_ALLOCATED,
    OVERLAY_DATA,
    OVERLAY_GROUPS,
)
from dicodec.rules.photometric_edits import (
    check_rescaling,
    inversion_edits,
    palette_edits,
    rescaling_edits,
)
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


class EmbeddedOverlay(NamedTuple):
    """An overlay in unused bits of Pixel Data (PS3.5 8.1.2).

    Attributes:
        group: 0x6000 to 0x601E.
        bit: of each word, counted from the lowest.
    """

    group: int
    bit: int


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
        edits: attributes that follow from the steps.
        overlays: those that are taken out of Pixel Data.
        derived: in words, why the result is another image although nothing lossy encoded it.
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
    edits: tuple[Edit, ...] = ()
    overlays: tuple[EmbeddedOverlay, ...] = ()
    derived: str = ""

    @property
    def uncompressed_size(self) -> int:
        """Bytes that all frames take native, before an encoder takes something away."""
        return (self.prepared.native_frame_bits * self.frames + 7) // 8


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
    if file.pixel_data is None or isinstance(file.pixel_data.described, MalformedFileError):
        return True
    image = file.pixel_data.image
    if options.rescale_to_8bit and _has_more_than_8_bits(image):
        return False
    return options.photometric in {"auto", "keep", image.photometric_interpretation}


def _has_more_than_8_bits(image: ImagePixelDescription) -> bool:
    """Whether there is something to be rescaled; a palette brings colors of its own."""
    palette = image.photometric_interpretation == "PALETTE COLOR"
    return (image.bits_stored > 8 or image.signed) and not palette and not image.floating


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
        if not self._keeps_photometric() or self._rescales():
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

    def _rescales(self) -> bool:
        return self._options.rescale_to_8bit and _has_more_than_8_bits(self._stated)

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
            if not self._keeps_photometric():
                raise UnsupportedImageError(
                    "jpegxl-jpeg repacks a JPEG stream as it is, in its Photometric Interpretation",
                    attribute="PhotometricInterpretation",
                    hint="convert to jpeg first",
                )
            return replace(self._unchanged(Action.REPACK_JPEG), stream=stream)
        if self._source.name == "jpegxl-jpeg" and self._target.name == "jpeg":
            if not self._keeps_photometric() or self._recompresses():
                return None
            return self._unchanged(Action.UNPACK_JPEG)
        return None

    def _transcoded(self) -> PixelPlan:
        self._check_permission()
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
        first = self._rescaling(decoded) if self._rescales() else ()
        encoder, steps, prepared, result = self._way_in(
            coded, first[0].described(decoded) if first else decoded
        )
        steps = (*first, *steps)
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
            self._source_lossy(stream),
            self._table(),
            getattr(encoder, "near", None) if lossy else 0,
            self._edits_of(steps, decoded),
            self._embedded_overlays(stream),
            first[0].text if first else "",
        )

    def _source_lossy(self, stream: StreamDescription) -> bool | None:
        """Whether the source has lost something; its stream does not tell if it was cut to a rate.

        A reversible wavelet in a syntax that allows loss may have been cut (PS3.5 A.4.4).
        """
        if stream.lossless is None:
            return None
        cut = stream.kind in {"jpeg2000", "htj2k"} and self._source.loss is not Loss.NEVER
        if not stream.lossless or not cut:
            return not stream.lossless
        if not self._data_set.text(tags.LOSSY_IMAGE_COMPRESSION):
            self._warnings.append(
                f"the streams are reversible, but {self._source.name} lets them be cut short, and "
                "Lossy Image Compression does not say whether they were"
            )
        return None

    def _check_permission(self) -> None:
        if self._target.loss is Loss.NEVER or self._options.lossy_allowed or self._rescales():
            return
        raise LossyNotAllowedError(
            f"{self._target.name} loses information",
            hint="allow it with --lossy or a quality setting"
            + (f", or take {name}" if (name := _LOSSLESS_KIN.get(self._target.name)) else ""),
        )

    def _embedded_overlays(self, stream: StreamDescription) -> tuple[EmbeddedOverlay, ...]:
        """Return the overlays that lie in bits of Pixel Data, to be kept apart from now on."""
        image = self._stated
        found: list[EmbeddedOverlay] = []
        for group in OVERLAY_GROUPS if image.samples_per_pixel == 1 else ():
            high = group << 16
            bits = self._data_set.number(high | OVERLAY_BITS_ALLOCATED)
            if bits is None or self._data_set.find(high | OVERLAY_DATA) is not None:
                continue
            position = self._data_set.number(high | OVERLAY_BIT_POSITION) or 0
            if bits == 1 and not position:
                continue
            if position >= (stream.precision or image.bits_allocated):
                self._warnings.append(
                    f"the overlay ({group:04X},xxxx) should lie in bit {position}, which the "
                    "pixels do not have"
                )
                continue
            self._decisions.append(
                f"the overlay in bit {position} of Pixel Data becomes Overlay Data "
                f"({group:04X},3000)"
            )
            found.append(EmbeddedOverlay(group, position))
        return tuple(found)

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
        self, coded: ImagePixelDescription, decoded: ImagePixelDescription
    ) -> tuple[Encoder, tuple[PhotometricStep, ...], ImagePixelDescription, ImagePixelDescription]:
        """Return encoder, photometric steps, what it is given and what is stored: the first fit."""
        wanted = self._options.photometric
        settings = EncoderSettings(
            quality=self._options.quality,
            near=self._options.near,
            ratio=self._options.ratio,
            psnr=self._options.psnr,
            photometric=self._wanted_in_stream(coded),
        )
        encoder = encoder_for(self._target, settings)
        stored = coded.photometric_interpretation if wanted == "keep" else wanted
        failure: UnsupportedImageError | None = None
        other: UnsupportedImageError | None = None
        for steps, prepared in self._ways(coded, decoded):
            try:
                result = encoder.encoded_description(prepared)
            except UnsupportedImageError as error:
                failure = failure or error
                continue
            if stored not in {"auto", result.photometric_interpretation}:
                other = other or self._other_than(stored, result)
                continue
            self._note_steps(steps, decoded, result)
            return encoder, steps, prepared, result
        failure = failure or other
        assert failure is not None, "there is at least one way"
        failure.hint = failure.hint or self._way_out(decoded)
        raise failure

    def _ways(
        self, coded: ImagePixelDescription, decoded: ImagePixelDescription
    ) -> Iterator[tuple[tuple[PhotometricStep, ...], ImagePixelDescription]]:
        """Yield the steps that may lead to what the encoder is given, the preferred ones first."""
        wanted = self._options.photometric
        if (
            coded.photometric_interpretation == "YBR_FULL_422"
            and self._source.family in _PLAIN_FAMILIES
            and wanted in {"auto", "keep", "YBR_FULL_422"}
        ):
            step = CHROMA_AS_IT_WAS
            yield (step,), step.described(decoded)
        steps: tuple[PhotometricStep, ...] = STEPS
        if decoded.photometric_interpretation == "PALETTE COLOR" and wanted != "keep":
            if wanted == "auto":
                yield (), decoded  # where it fits, nobody needs to look at the tables
            steps = (*STEPS, *self._palette_steps(decoded))
        try:
            yield from route(decoded, wanted, steps)
        except UnsupportedImageError as error:
            error.hint = self._way_out(decoded)
            raise

    def _palette_steps(self, decoded: ImagePixelDescription) -> tuple[PhotometricStep, ...]:
        tables = read_palette(self._data_set, decoded)
        if tables.notes and self._options.strict:
            raise ContradictionError(tables.notes[0])
        self._decisions += tables.notes
        steps = palette_steps(tables)
        return steps[-1:] if self._options.rescale_to_8bit else steps

    def _rescaling(self, decoded: ImagePixelDescription) -> tuple[PhotometricStep, ...]:
        """Return the step to 8 bits."""
        stated = decoded.photometric_interpretation
        if self._options.photometric == "MONOCHROME1":
            raise UnsupportedImageError("what is rescaled to 8 bits becomes MONOCHROME2")
        if not decoded.monochrome:
            step = narrowing_step(stated)
        else:
            gray = gray_attributes(self._data_set)
            check_rescaling(gray)
            step = rescaling_step(stated, rescaling(gray))
        self._decisions.append(step.text)
        return (step,)

    def _edits_of(
        self, steps: tuple[PhotometricStep, ...], decoded: ImagePixelDescription
    ) -> tuple[Edit, ...]:
        """Return the attributes that follow from steps."""
        edits: list[Edit] = []
        image = decoded
        for step in steps:
            if step.source == "PALETTE COLOR":
                edits += palette_edits()
            elif image.monochrome and step.bits is not None:
                edits += rescaling_edits(gray_attributes(self._data_set))
            elif image.monochrome:
                edits += inversion_edits(gray_attributes(self._data_set), image, step.target)
            image = step.described(image)
        return tuple(edits)

    def _wanted_in_stream(self, coded: ImagePixelDescription) -> str | None:
        wanted = self._options.photometric
        if wanted == "keep":
            return "RGB" if coded.photometric_interpretation == "RGB" else None
        return None if wanted == "auto" else wanted

    def _other_than(self, wanted: str, result: ImagePixelDescription) -> UnsupportedImageError:
        return UnsupportedImageError(
            f"{self._target.name} would hold {result.photometric_interpretation}, not {wanted}",
            attribute="PhotometricInterpretation",
        )

    def _way_out(self, decoded: ImagePixelDescription) -> str | None:
        """Return a hint for what a target cannot hold."""
        if decoded.photometric_interpretation in _RETIRED_COLORS:
            return "native transfer syntaxes hold it as it is"
        narrow = self._target.name in {"jpeg", "jpeg-extended"}
        if narrow and (decoded.bits_stored > 8 or decoded.signed) and not decoded.floating:
            others = "jpeg2000, htj2k" if decoded.signed else "jpeg2000, htj2k, jpegxl"
            return f"{others} and jpeg-lossless hold it, or --rescale-to-8bit maps it to 8 bits"
        return None

    def _note_steps(
        self,
        steps: tuple[PhotometricStep, ...],
        decoded: ImagePixelDescription,
        result: ImagePixelDescription,
    ) -> None:
        for step in steps:
            if step == CHROMA_AS_IT_WAS:
                continue
            self._decisions.append(step.text)
            if step.rounds and self._target.loss is Loss.NEVER:
                self._warnings.append(f"{step.text}: samples are rounded")
            if step.source == "PALETTE COLOR" and self._data_set.find(_ALPHA_TABLE) is not None:
                self._warnings.append("the palette's alpha table is left out")
        lossy = self._target.loss is not Loss.NEVER
        if lossy and decoded.monochrome and has_color_tables(self._data_set):
            self._warnings.append(
                "lossy compression may change stored values that stand for colors"
            )
        before = steps[-1].target if steps else decoded.photometric_interpretation
        if before != result.photometric_interpretation:
            self._decisions.append(
                f"{before} is stored as {result.photometric_interpretation} by the codec"
            )
        transforms = self._target.family in {"jpeg2000", "htj2k"}
        if transforms and result.photometric_interpretation == "RGB" == self._options.photometric:
            self._decisions.append("RGB is coded without a component transform, as asked for")

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


CHROMA_AS_IT_WAS = replace(HALVED_CHROMA, rounds=False, how="")
"""For chroma that was stored halved: leaves out again what decoding repeated."""

_PLAIN_FAMILIES = frozenset({"native", "encapsulated-uncompressed", "deflated-frame"})
_RETIRED_COLORS = frozenset({"HSV", "ARGB", "CMYK"})
_ALPHA_TABLE = 0x00281204
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
