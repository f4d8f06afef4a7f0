"""Plan the frames of one file for one target."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from dicodec.codecs.table import find_decoder, find_encoder
from dicodec.conversion.planning.all_frames import (
    SALVAGE_HINT,
    FrameSurvey,
    all_belong_under,
    check_assignment,
    survey_frames,
)
from dicodec.conversion.planning.conversion_plan import Action, ConversionPlan, PixelPlan
from dicodec.conversion.planning.moved_value import plan_moved_value, warn_of_wide_samples
from dicodec.errors import (
    ContradictionError,
    ConversionError,
    DicodecError,
    FrameError,
    FrameMismatchError,
    LossyNotAllowedError,
    MissingFrameError,
    TruncatedFrameError,
    UnsupportedImageError,
    UnsupportedSourceError,
)
from dicodec.model import tags
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.findings import OddityId, join_runs
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import replace
from dicodec.model.transfer_syntax import (
    Loss,
    TransferSyntax,
)
from dicodec.options import ConversionOptions
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.pixel_writer import NATIVE_LIMIT
from dicodec.rules.claimed_sizes import check_decoded_size, check_frame_count
from dicodec.rules.color_space import decide_color_space
from dicodec.rules.targets import (
    find_idle_settings,
    is_also_valid_as,
    may_be_valid_as,
    may_lose,
    takes,
)

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.conversion.planning.photometric_planner import PhotometricPlanner
    from dicodec.model.stream import StreamDescription
    from dicodec.pixels.photometric import Route

_PALETTE, _BYTE = "PALETTE COLOR", 8
_COLORS = 3
"""Samples per Pixel of a color image."""

_COLORED = frozenset({"jpeg", "jpeg2000", "htj2k", "jpegxl"})
"""Families whose streams say each for itself which color space they are in."""

_FILL_HINT = '`salvage="fill"` saves the samples that are there'
_OF_ITEMS = frozenset({OddityId.SHORT_FRAGMENT, OddityId.NO_OFFSET_TABLE_ITEM})
"""Oddities of the items that hold the fragments: they are written anew."""

_LOSSLESS_KIN = {
    "jpeg": "jpeg-lossless",
    "jpeg-extended": "jpeg-lossless",
    "jpeg-ls-near": "jpeg-ls",
    "jpeg2000": "jpeg2000-lossless",
    "jpegxl": "jpegxl-lossless",
    "htj2k": "htj2k-lossless",
}

_COST_OF_JPEG_XL = 3
"""Memory and time of encoding a frame as lossy JPEG XL, as a multiple of other codecs'."""


class PixelPlanner:
    """Decides about one file's frames and one target."""

    def __init__(
        self,
        file: DicomFile,
        target: TransferSyntax,
        options: ConversionOptions,
        survey: FrameSurvey | None = None,
        first: StreamDescription | None = None,
    ) -> None:
        self._file = file
        self._source = file.syntax
        self._target = target
        self._options = options
        self._frames = file.frames
        self._data_set = file.data_set
        self._stated = file.frames.image
        self._first = first
        self._seen = survey
        self._decisions: list[str] = []
        self._warnings: list[str] = []

    def plan(self) -> ConversionPlan:
        """Return the plan; the first kind of way that fits is taken."""
        try:
            return self._plan()
        except FrameError as error:
            if error.frame is not None:
                error.with_location(offset=self._file.locate_frame(error.frame))
            raise

    def _plan(self) -> ConversionPlan:
        self._check_frames()
        self._check_strictly()
        if self._options.rescale_to_8bit and self._stated.floating:
            raise UnsupportedImageError(
                "`rescale_to_8bit=True` is not applied to floating point samples",
                hint="native transfer syntaxes hold them as they are",
            )
        plan = self._move()
        if plan is None:
            self._check_all_have_bytes()
            plan = self._repack() or self._transcode()
        if plan.action is not Action.MOVE_VALUE:
            check_frame_count(self._stated, self._data_set.limits)
            if self._target.native:
                self._check_native_size(plan)
        if plan.action is Action.TRANSCODE and self._target.name == "jpegxl":
            check_decoded_size(self._stated, self._data_set.limits, _COST_OF_JPEG_XL)
        return plan

    def _make_plan(self, action: Action, pixels: PixelPlan) -> ConversionPlan:
        if self._options.rescale_to_8bit and pixels.result.photometric_interpretation == _PALETTE:
            self._warn_of_indices(pixels.result)
        return ConversionPlan(
            self._source,
            self._target,
            action,
            pixels,
            tuple(self._decisions),
            tuple(self._warnings),
        )

    def _warn_of_indices(self, image: ImagePixelDescription) -> None:
        from dicodec.conversion.planning.gray_and_color import read_palette

        if image.bits_stored > _BYTE or read_palette(self._data_set, image).bits > _BYTE:
            self._warnings.append(
                "indices into a palette are not rescaled to 8 bits, nor are its colors: as RGB "
                "they are"
            )

    def _check_frames(self) -> None:
        frames, stated = self._frames.encapsulated, self._stated.number_of_frames
        if frames is None:
            self._check_native_length()
        elif self._frames.missing:
            raise TruncatedFrameError(
                f"the file ends {self._frames.missing} bytes before its last fragment does",
                frame=max(len(frames) - 1, 0),
                hint=SALVAGE_HINT if stated > 1 else None,
            )
        check_assignment(self._frames)

    def _check_all_have_bytes(self) -> None:
        """Check that each frame has a stream to decode.

        Raises:
            MissingFrameError: some have not a byte; all of them are named.
        """
        if empty := sorted(self._frames.without_bytes):
            raise MissingFrameError(
                f"frames without bytes cannot be decoded: {join_runs(empty)} (of "
                f"{self._stated.number_of_frames}, counted from 0)",
                frame=empty[0],
                offset=self._file.locate_frame(empty[0]),
                hint=f"{SALVAGE_HINT}; {self._source.name} keeps them as they are",
            )

    def _check_strictly(self) -> None:
        """Look at the stream even if its bytes only move."""
        if self._options.strict and self._source.encapsulated and self._source.reads:
            self._make_photometric_planner().describe_coded(self._describe_first_stream())
            self._check_one_color(ContradictionError)

    def _check_native_length(self) -> None:
        if self._frames.salvage is not None:
            return
        native = self._frames.native
        assert native is not None, "frames are native or encapsulated"
        excess = self._frames.excess
        if excess < 0 and self._may_move_short():
            self._warnings.append(
                f"Pixel Data is shorter than its frames, by {-excess} bytes; it is moved as it is"
            )
        elif excess < 0:
            try:
                self._frames.read(native.whole)
            except TruncatedFrameError as error:
                begun = native.whole or native.read_start(self._frames.source, 0)[1]
                error.with_hint(SALVAGE_HINT if native.whole else _FILL_HINT if begun else None)
                raise
        elif excess > 1:
            self._warnings.append(
                f"Pixel Data is {excess} bytes longer than its frames; the excess is "
                + ("kept" if self._target.native and self._source.native else "left out")
            )

    def _may_move_short(self) -> bool:
        """Whether a value that is a little too short loses nothing by moving."""
        short = any(one.id == OddityId.SHORT_PIXEL_DATA for one in self._file.oddities)
        if not short or not (self._source.native and self._target.native):
            return False
        moved = plan_moved_value(self._file, self._target)
        whole = moved is not None and self._frames.span.length % moved.swap_unit == 0
        return whole and self._keeps_photometric() and not self._rescales()

    def _check_native_size(self, plan: ConversionPlan) -> None:
        assert plan.pixels is not None, "frames are planned"
        size = plan.pixels.result.native_size
        if size > NATIVE_LIMIT:
            raise UnsupportedImageError(
                f"native Pixel Data would take {size} bytes, and {NATIVE_LIMIT} is the most",
                attribute="PixelData",
                hint="an encapsulated transfer syntax holds it, encapsulated-uncompressed too",
            )

    def _move(self) -> ConversionPlan | None:
        action = self._choose_moving_action()
        if action is None:
            return None
        if self._frames.filled:
            return self._move_and_fill()
        self._warn_of_other_colors()
        return self._make_plan(action, self._plan_moved())

    def _plan_moved(self) -> PixelPlan:
        """Return the plan of frames that stay as they are.

        Under another UID than before nothing may be left to say that they are lossy: it is
        recorded (PS3.3 C.7.6.1.1.5). Under the same one they are as their writer described them.
        """
        moved = PixelPlan.moved(self._stated, self._choose_table())
        relabelled = self._file.stated_syntax != self._target.uid
        if relabelled and self._frames.encapsulated is not None and self._source.reads:
            with suppress(DicodecError):  # frames that cannot be read move all the same
                stream = self._survey().stream
                return replace(moved, stream=stream, source_lossy=stream.lossless is False)
        return moved

    def _choose_moving_action(self) -> Action | None:
        """Return the action that keeps the bytes of frames as they are; None if there is none."""
        source, target, stated = self._source, self._target, self._stated
        if not self._keeps_photometric() or self._rescales():
            return None
        if source == target or (self._streams_belong_there() and not self._recompresses()):
            right_table = self._frames.encapsulated is None or (
                self._frames.span.undefined
                and not self._frames.encapsulated.oddities
                and not self._frames.encapsulated.by_streams
                and all(one.id not in _OF_ITEMS for one in self._file.oddities)
                and self._options.offset_table == "auto"
            )
            return Action.MOVE_VALUE if right_table else Action.MOVE_FRAMES
        if source.native and target.native:
            self._warn_of_wide_samples()
            return Action.MOVE_VALUE
        whole_bytes = stated.native_frame_bits % 8 == 0 and not stated.floating
        plain = {source.family, target.family} == {"native", "encapsulated-uncompressed"}
        plain = plain and not self._frames.without_bytes
        if plain and whole_bytes and source.pixels_little_endian and target.pixels_little_endian:
            return Action.MOVE_FRAMES
        return None

    def _streams_belong_there(self) -> bool:
        """Return whether the streams are valid under the target, as they are."""
        source, target = self._source, self._target
        return is_also_valid_as(source, target) or (
            may_be_valid_as(source, target)
            and all_belong_under(target, self._frames, find_decoder(source))
        )

    def _warn_of_wide_samples(self) -> None:
        """PS3.5 7.3 swaps OW by 16-bit word; readers disagree on samples that are wider."""
        wide = self._stated.bits_allocated > 16 and not self._stated.floating
        if wide and not (self._source.pixels_little_endian and self._target.pixels_little_endian):
            self._warnings.append(warn_of_wide_samples(self._stated.bits_allocated))

    def _recompresses(self) -> bool:
        """Whether the caller asks for a loss that mere relabelling would not bring."""
        return may_lose(self._options, self._target)

    def _keeps_photometric(self) -> bool:
        wanted = self._options.photometric
        return wanted in {"auto", "keep", self._stated.photometric_interpretation}

    def _rescales(self) -> bool:
        return self._options.rescale_to_8bit and self._stated.has_more_than_8_bits

    def _move_and_fill(self) -> ConversionPlan | None:
        """Return the way of frames that stay as they are, and of others that are made anew.

        None if the encoder's result would not be described as the frames that stay are.
        """
        little = self._source.pixels_little_endian and self._target.pixels_little_endian
        if self._source.native and not little:
            return None
        stated = self._stated
        decoder = find_decoder(self._source)
        stream = self._describe_first_stream()
        if decide_color_space(stated, stream).reason:
            return None
        decoded = decoder.describe_decoded(stream, stated)
        in_stream = stated.photometric_interpretation
        settings = EncoderSettings(near=0, photometric="RGB" if in_stream == "RGB" else None)
        try:
            encoder = find_encoder(self._target, settings)
            made = encoder.describe_encoded(decoded)
        except ConversionError:
            return None
        if self._target.encapsulated:  # Planar Configuration is the codec's own matter
            made = replace(made, planar_configuration=stated.planar_configuration)
        if made != stated:
            return None
        moved = self._plan_moved()
        return self._make_plan(
            Action.MOVE_FRAMES, replace(moved, decoded=decoded, prepared=decoded, encoder=encoder)
        )

    def _repack(self) -> ConversionPlan | None:
        """JPEG to JPEG XL .111 and back: streams are repacked reversibly, not decoded."""
        if self._frames.filled:
            return None
        if self._target.name == "jpegxl-jpeg":
            stream = self._describe_first_stream()
            if self._source.family != "jpeg":
                raise UnsupportedImageError(
                    f"jpegxl-jpeg holds JPEG baseline streams only, and the source is "
                    f"{self._source.name}",
                    hint="jpegxl-lossless takes other sources; or convert to jpeg first",
                )
            from dicodec.codecs.jpeg_repacking import check_repackable  # few need it

            color = decide_color_space(self._stated, stream).photometric_interpretation
            check_repackable(stream, replace(self._stated, photometric_interpretation=color))
            if not self._keeps_photometric():
                raise UnsupportedImageError(
                    "jpegxl-jpeg repacks a JPEG stream as it is, in its Photometric Interpretation",
                    attribute="PhotometricInterpretation",
                    hint="convert to jpeg first",
                )
            self._check_one_color(FrameMismatchError)
            pixels = PixelPlan.repacked(self._stated, self._choose_table(), stream)
            return self._make_plan(Action.REPACK_JPEG, pixels)
        if self._source.name == "jpegxl-jpeg" and self._target.name == "jpeg":
            if not self._keeps_photometric() or self._recompresses():
                return None
            self._check_one_color(FrameMismatchError)
            stream = self._describe_first_stream()
            pixels = PixelPlan.repacked(self._stated, self._choose_table(), stream)
            return self._make_plan(Action.UNPACK_JPEG, pixels)
        return None

    def _transcode(self) -> ConversionPlan:
        self._check_permission()
        self._warn_of_idle_settings()
        if self._stated.floating and self._target.encapsulated:
            raise UnsupportedImageError(
                "floating point samples are never encapsulated (PS3.5 A.4)",
                hint="explicit-le, implicit-le and deflated hold them",
            )
        if not self._source.reads:
            raise UnsupportedSourceError(
                f"{self._source.name} is not decoded: {self._source.why_not}"
            )
        lossy = self._target.loss is not Loss.NEVER and not (
            self._target.name == "jpeg-ls-near" and self._options.near == 0
        )
        if lossy:
            self._check_values_may_change()
            self._warn_of_padding()
        colors = self._make_photometric_planner()
        decoder = find_decoder(self._source)
        stream = self._describe_first_stream()
        coded = colors.describe_coded(stream)
        decoded = decoder.describe_decoded(stream, coded)
        colors.note_decoding(stream, coded, decoded)
        survey = self._survey()
        stream = survey.stream
        own_steps: Mapping[int, Route] = {}
        if survey.colors:
            together = colors.bring_together(decoded, survey)
            decoded, own_steps = together.decoded, together.steps
            coded = replace(coded, photometric_interpretation=decoded.photometric_interpretation)
        first = colors.plan_rescaling(decoded) if self._rescales() else ()
        encoder, steps, prepared, result = colors.choose_way(
            coded, first[0].describe(decoded) if first else decoded, lossy=survey.all_lossy
        )
        steps = (*first, *steps)
        pixels = PixelPlan(
            stated=self._stated,
            coded=coded,
            decoded=decoded,
            prepared=prepared,
            result=result,
            encoder=encoder,
            steps=steps,
            stream=stream,
            lossy=lossy,
            source_lossy=self._is_source_lossy(stream),
            table=self._choose_table(),
            bound=getattr(encoder, "near", None) if lossy else 0,
            edits=colors.make_edits(steps, decoded),
            overlays=colors.find_embedded_overlays(stream, self._file.read_number),
            derived="; ".join([one.text for one in steps if one.rounds and one.bits is not None]),
            own_steps=own_steps,
            psnr=self._options.psnr if takes(self._target, "psnr") else None,
        )
        return self._make_plan(Action.TRANSCODE, pixels)

    def _warn_of_padding(self) -> None:
        """Warn of pixels that pad the image, and say so by a value that they will not have."""
        gray = self._stated.monochrome and not self._rescales()
        if gray and self._data_set.has_value(tags.PIXEL_PADDING_VALUE):
            self._warnings.append(
                f"Pixel Padding Value is that of pixels which are not part of the image, and "
                f"{self._target.name} is lossy: they come out near it, and readers take them for "
                "part of the image"
            )

    def _check_values_may_change(self) -> None:
        from dicodec.conversion.planning.stored_values import check_values_may_change

        warning = check_values_may_change(
            self._data_set,
            self._stated.photometric_interpretation,
            f"{self._target.name} is lossy",
            lossless_kin=_LOSSLESS_KIN[self._target.name],
        )
        if warning:
            self._warnings.append(warning)

    def _warn_of_idle_settings(self) -> None:
        if idle := find_idle_settings(self._options, [self._target.name]):
            names = ", ".join(option.name for option in idle)
            self._warnings.append(f"passed over, as {self._target.name} does not take it: {names}")

    def _make_photometric_planner(self) -> PhotometricPlanner:
        # Imported here: a plan that only moves bytes starts a tenth sooner without it.
        from dicodec.conversion.planning.photometric_planner import PhotometricPlanner

        return PhotometricPlanner(
            self._data_set,
            self._stated,
            self._source,
            self._target,
            self._options,
            self._decisions,
            self._warnings,
        )

    def _is_source_lossy(self, stream: StreamDescription) -> bool | None:
        """Whether the source has lost something; its stream does not tell if it was cut to a rate.

        A reversible wavelet in a syntax that allows loss may have been cut (PS3.5 A.4.4).
        """
        if stream.lossless is None:
            return None
        cut = stream.kind in {"jpeg2000", "htj2k"} and self._source.loss is not Loss.NEVER
        if not stream.lossless or not cut:
            return not stream.lossless
        if not self._data_set.read_text(tags.LOSSY_IMAGE_COMPRESSION):
            self._warnings.append(
                f"the streams are reversible, but {self._source.name} lets them be cut short, and "
                "Lossy Image Compression does not say whether they were"
            )
        return None

    def _check_permission(self) -> None:
        if self._target.loss is Loss.NEVER or may_lose(self._options, self._target):
            return
        raise LossyNotAllowedError(
            f"{self._target.name} loses information",
            hint="allow it with `lossy=True` or a quality setting"
            + (f", or take {name}" if (name := _LOSSLESS_KIN.get(self._target.name)) else ""),
        )

    def _describe_first_stream(self) -> StreamDescription:
        """Describe the stream of the first whole frame; it is read once."""
        if self._first is None:
            self._first = self._describe_first()
        return self._first

    def _describe_first(self) -> StreamDescription:
        decoder = find_decoder(self._source)
        if self._frames.encapsulated is None:
            return decoder.describe(b"")
        first = self._frames.first_whole
        try:
            return decoder.describe(self._frames.read(first))
        except DicodecError as error:
            self._file.add_location(error, first)
            raise

    def _survey(self) -> FrameSurvey:
        """Describe the streams of all frames; they are looked at once."""
        if self._seen is None:
            decoder = find_decoder(self._source)
            self._seen = survey_frames(self._frames, decoder, self._describe_first_stream())
        return self._seen

    def _check_one_color(self, kind: type[ContradictionError | FrameMismatchError]) -> None:
        """Check that all frames are in the color space that the data set says once for all.

        Raises:
            ContradictionError, FrameMismatchError: as asked for; a frame is not.
        """
        for frame, color in self._survey().colors.items():
            raise kind(
                f"the frame decodes to {color}, but the first one does not",
                frame=frame,
                attribute="PhotometricInterpretation",
            )

    def _warn_of_other_colors(self) -> None:
        """Name the frames that move although they are not in the color space that is said of all.

        Decoding them would bring them together.
        """
        frames = self._frames.encapsulated
        colored = self._stated.samples_per_pixel == _COLORS and self._source.family in _COLORED
        if not colored or frames is None or len(frames) < 2 or not self._source.reads:
            return
        others: dict[str, list[int]] = {}
        with suppress(DicodecError):  # frames that cannot be read move all the same
            for frame, color in self._survey().colors.items():
                others.setdefault(color, []).append(frame)
        self._warnings += [
            f"frames {join_runs(numbers)} decode to {color}, and frame 0 does not: they are kept "
            "as they are, under one Photometric Interpretation"
            for color, numbers in others.items()
        ]

    def _choose_table(self) -> str:
        """Choose the offset table of an encapsulated result.

        A Basic Offset Table, unless the frames may pass 32 bits: their encoded size is not known
        yet, so the native size, with an eighth for streams that grow, is taken for it.
        """
        if self._options.offset_table != "auto":
            return self._options.offset_table
        frames = self._frames.encapsulated
        if frames is not None and self._source == self._target:
            size = frames.measure_all() + 8 * len(frames)
        else:
            size = self._stated.native_frame_bits * self._stated.number_of_frames * 9 // 64
            size += 1024 * self._stated.number_of_frames
        return "basic" if size <= 0xFFFFFFFF else "extended"
