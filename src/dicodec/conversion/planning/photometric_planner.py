"""Decide how samples get from the source to the encoder: color space, steps, overlays, bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from dicodec.codecs.table import find_encoder
from dicodec.conversion.planning.all_frames import CommonColors, FrameSurvey, bring_together
from dicodec.conversion.planning.conversion_plan import EmbeddedOverlay
from dicodec.errors import (
    ContradictionError,
    FrameMismatchError,
    UnsupportedImageError,
)
from dicodec.model import tags
from dicodec.model.edits import Edit
from dicodec.model.image import YBR_PARTIAL, ImagePixelDescription
from dicodec.model.records import replace
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import (
    Loss,
    TransferSyntax,
)
from dicodec.options import ConversionOptions
from dicodec.part10.data_set import DataSet
from dicodec.part10.image_attributes import find_embedded_overlays, is_within_samples
from dicodec.pixels.photometric import HALVED_CHROMA, STEPS, PhotometricStep, find_routes
from dicodec.rules.capabilities import warn_of_readers
from dicodec.rules.color_space import decide_color_space
from dicodec.rules.iod_limits import find_iod_departures, is_allowed
from dicodec.rules.stream_contradictions import find_contradictions
from dicodec.rules.targets import make_encoder_settings

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # frames that are only moved need no codec
    from dicodec.codecs.base import Encoder


_CHROMA_AS_IT_WAS = {
    target: replace(step, rounds=False, how="") for target, step in HALVED_CHROMA.items()
}
"""For chroma that was stored halved: leaves out the samples that decoding repeated."""

_PLAIN_FAMILIES = frozenset({"native", "encapsulated-uncompressed", "deflated-frame"})
_TRANSFORMING = frozenset({"jpeg2000", "htj2k"})
"""Families whose codec turns RGB into colors that are easier to compress, and back."""

_BYTE = 8
_RETIRED_COLORS = frozenset({"HSV", "ARGB", "CMYK"})
_COLOR_TABLE, _ALPHA_TABLE = (
    tags.RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
    tags.ALPHA_PALETTE_COLOR_LOOKUP_TABLE_DATA,
)


class PhotometricPlanner:
    """Decides about the samples of one file's frames on their way to one target.

    Args:
        data_set: the source's.
        stated: the image as the data set describes it.
        source, target: transfer syntaxes.
        options: the caller's options.
        decisions, warnings: take decisions about the image, and warnings to the user.
    """

    def __init__(
        self,
        data_set: DataSet,
        stated: ImagePixelDescription,
        source: TransferSyntax,
        target: TransferSyntax,
        options: ConversionOptions,
        decisions: list[str],
        warnings: list[str],
    ) -> None:
        self._data_set = data_set
        self._stated = stated
        self._source = source
        self._target = target
        self._options = options
        self._decisions = decisions
        self._warnings = warnings

    def describe_coded(self, stream: StreamDescription) -> ImagePixelDescription:
        """Return the image as its frames really are, by the first stream.

        Raises:
            ContradictionError: data set and stream contradict each other, and that is not allowed.
            FrameMismatchError: they contradict each other beyond repair.
        """
        for contradiction in find_contradictions(self._stated, stream):
            attribute, reason, reading = contradiction
            if self._options.strict:
                raise ContradictionError(reason, attribute=attribute, frame=0)
            if not reading:
                raise FrameMismatchError(reason, attribute=attribute, frame=0)
            self._decisions.append(f"{reason}: {reading}")
        color = decide_color_space(self._stated, stream)
        if not color.reason:
            return self._stated
        if self._options.strict:
            raise ContradictionError(color.reason, attribute="PhotometricInterpretation", frame=0)
        self._decisions.append(f"taken as {color.photometric_interpretation}: {color.reason}")
        return replace(self._stated, photometric_interpretation=color.photometric_interpretation)

    def bring_together(self, decoded: ImagePixelDescription, survey: FrameSurvey) -> CommonColors:
        """Return how frames of different color space come to one Photometric Interpretation.

        Lossy streams are brought there by a step that rounds less than was lost; streams that lost
        nothing are not rounded for a target that loses nothing, unless that is asked for.

        Raises:
            ContradictionError: they differ, and that is not allowed.
            FrameMismatchError: a frame cannot be brought to the form of the others.
            UnsupportedImageError: samples would be rounded without need.
        """
        wanted = self._options.photometric
        frame, color = next(iter(survey.colors.items()))
        first = decoded.photometric_interpretation
        text = f"the frame decodes to {color}, but the first one to {first}"
        if self._options.strict:
            raise ContradictionError(text, attribute="PhotometricInterpretation", frame=frame)
        exact = self._target.loss is Loss.NEVER and not survey.all_lossy
        if wanted == "keep" or (wanted == "auto" and exact):
            raise UnsupportedImageError(
                f"{text}, and to bring them together rounds samples",
                attribute="PhotometricInterpretation",
                frame=frame,
                hint='`photometric="RGB"` allows it',
            )
        together = bring_together(decoded, survey.colors, self._stated.number_of_frames, wanted)
        self._warnings.append(
            f"{len(survey.colors)} of {self._stated.number_of_frames} frames, the first of them "
            f"{frame}, decode to another color space than frame 0 ({color}, not {first}); all are "
            f"brought to {together.decoded.photometric_interpretation}, and "
            f"{len(together.steps)} are rounded"
        )
        return together

    def note_decoding(
        self,
        stream: StreamDescription,
        coded: ImagePixelDescription,
        decoded: ImagePixelDescription,
    ) -> None:
        """Note colors that the decoder does not bring back exactly as they were coded."""
        before, after = coded.photometric_interpretation, decoded.photometric_interpretation
        if stream.subsampled and before != "RGB" == after:
            self._warnings.append(
                f"{before} is decoded to {after} by the codec: samples are rounded"
            )

    def choose_way(
        self, coded: ImagePixelDescription, decoded: ImagePixelDescription, *, lossy: bool
    ) -> tuple[Encoder, tuple[PhotometricStep, ...], ImagePixelDescription, ImagePixelDescription]:
        """Return encoder, photometric steps, its image and the stored one: the first fit.

        Args:
            coded: as the frames are coded.
            decoded: as they are decoded.
            lossy: whether all of the source's streams have lost something.
        """
        wanted = self._options.photometric
        as_rgb = lossy and self._iod_asks_for_rgb(decoded)
        settings = make_encoder_settings(self._options, self._find_wanted_in_stream(coded))
        encoder = find_encoder(self._target, settings)
        stored = coded.photometric_interpretation if wanted == "keep" else wanted
        failure: UnsupportedImageError | None = None
        other: UnsupportedImageError | None = None
        rounding: UnsupportedImageError | None = None
        ways = self._list_ways(coded, decoded)
        for steps, prepared in chain(find_routes(decoded, "RGB") if as_rgb else (), ways):
            try:
                result = encoder.describe_encoded(prepared)
            except UnsupportedImageError as error:
                if failure is None or prepared.photometric_interpretation == stored:
                    failure = error
                continue
            if stored not in {"auto", result.photometric_interpretation}:
                other = other or self._make_other_error(stored, result)
                continue
            if steps and not as_rgb and self._rounds_unasked(steps, decoded):
                rounding = rounding or self._make_rounding_error(coded, prepared)
                continue
            self._note_steps(steps, decoded, result)
            return encoder, steps, prepared, result
        failure = rounding or failure or other
        assert failure is not None, "there is at least one way"
        raise failure if failure.hint else failure.with_hint(self._find_way_out(decoded))

    def _iod_asks_for_rgb(self, decoded: ImagePixelDescription) -> bool:
        """Whether the class of the image has RGB, and not the YBR_FULL that would be its default.

        Readers of such classes do not expect it: samples of lossy streams are brought to RGB, which
        rounds less than was lost.
        """
        if decoded.photometric_interpretation != "YBR_FULL" or self._options.photometric != "auto":
            return False
        if self._target.family == "jpegxl":  # which could not hold YBR_FULL in any class
            return False
        sop_class = self._data_set.read_text(tags.SOP_CLASS_UID)
        rgb = replace(decoded, photometric_interpretation="RGB")
        return is_allowed(sop_class, rgb, self._target.name) and not is_allowed(
            sop_class, decoded, self._target.name
        )

    def _list_ways(
        self, coded: ImagePixelDescription, decoded: ImagePixelDescription
    ) -> Iterator[tuple[tuple[PhotometricStep, ...], ImagePixelDescription]]:
        """Yield the steps that may lead to the encoder's image, the preferred ones first."""
        wanted = self._options.photometric
        as_it_was = _CHROMA_AS_IT_WAS.get(coded.photometric_interpretation)
        if (
            as_it_was is not None
            and self._source.family in _PLAIN_FAMILIES
            and wanted in {"auto", "keep", as_it_was.target}
        ):
            yield (as_it_was,), as_it_was.describe(decoded)
        if (
            decoded.photometric_interpretation == "YBR_FULL"
            and wanted == "auto"
            and self._target.family in _TRANSFORMING
            and self._target.loss is not Loss.NEVER
        ):
            # All readers know YBR_ICT there; rounding is less than the loss that comes anyway.
            yield from find_routes(decoded, "RGB")
        steps: tuple[PhotometricStep, ...] = STEPS
        if decoded.photometric_interpretation == "PALETTE COLOR" and wanted != "keep":
            if wanted == "auto":
                yield (), decoded  # if it fits, nobody needs to look at the tables
            steps = (*STEPS, *self._plan_palette_steps(decoded))
        try:
            yield from find_routes(decoded, wanted, steps)
        except UnsupportedImageError as error:
            error.with_hint(self._find_way_out(decoded))
            raise

    def _rounds_unasked(
        self, steps: tuple[PhotometricStep, ...], decoded: ImagePixelDescription
    ) -> bool:
        """Whether steps round samples for a target that loses nothing, and nobody asked for it.

        Compressed samples of YBR_PARTIAL_422 that no codec takes are stored as the image that is
        read out of them, because there is no other way to store them.
        """
        if self._options.photometric != "auto" or self._target.loss is not Loss.NEVER:
            return False
        plain = self._target.family in _PLAIN_FAMILIES and not self._source.native
        if plain and decoded.photometric_interpretation == YBR_PARTIAL:
            return False
        asked = self._options.rescale_to_8bit  # of the tables of a palette, too
        return any(step.rounds and not (asked and step.bits == _BYTE) for step in steps)

    def _make_rounding_error(
        self, coded: ImagePixelDescription, prepared: ImagePixelDescription
    ) -> UnsupportedImageError:
        before, after = coded.photometric_interpretation, prepared.photometric_interpretation
        full = before.startswith("YBR_FULL")
        others = "; jpeg2000-lossless, jpeg-ls and rle hold it as it is" if full else ""
        return UnsupportedImageError(
            f"{self._target.name} could hold {before} only as {after}, which rounds samples",
            attribute="PhotometricInterpretation",
            hint=f'`photometric="{after}"` allows it{others}',
        )

    def _plan_palette_steps(self, decoded: ImagePixelDescription) -> tuple[PhotometricStep, ...]:
        from dicodec.conversion.planning.mapped_samples import plan_palette_steps

        return plan_palette_steps(self._data_set, decoded, self._options, self._decisions)

    def plan_rescaling(self, decoded: ImagePixelDescription) -> tuple[PhotometricStep, ...]:
        """Return the step to 8 bits.

        Raises:
            UnsupportedImageError: samples have no meaning that could be scaled.
        """
        stated = decoded.photometric_interpretation
        if stated in _RETIRED_COLORS:  # ARGB has indices and colors side by side
            raise UnsupportedImageError(
                f"`rescale_to_8bit` is not applied to {stated}",
                attribute="PhotometricInterpretation",
                hint=self._find_way_out(decoded),
            )
        from dicodec.conversion.planning.mapped_samples import plan_rescaling

        step = plan_rescaling(self._data_set, decoded, self._options, self._warnings)
        self._decisions.append(step.text)
        return (step,)

    def make_edits(
        self, steps: tuple[PhotometricStep, ...], decoded: ImagePixelDescription
    ) -> tuple[Edit, ...]:
        """Return the attributes that follow from steps."""
        if not steps:
            return ()
        from dicodec.conversion.planning.mapped_samples import make_edits

        return make_edits(self._data_set, steps, decoded)

    def _find_wanted_in_stream(self, coded: ImagePixelDescription) -> str | None:
        wanted = self._options.photometric
        if wanted == "keep":
            return "RGB" if coded.photometric_interpretation == "RGB" else None
        return None if wanted == "auto" else wanted

    def _make_other_error(
        self, wanted: str, result: ImagePixelDescription
    ) -> UnsupportedImageError:
        return UnsupportedImageError(
            f"{self._target.name} would hold {result.photometric_interpretation}, not {wanted}",
            attribute="PhotometricInterpretation",
        )

    def _find_way_out(self, decoded: ImagePixelDescription) -> str | None:
        """Return a hint for an image that a target cannot hold."""
        if decoded.photometric_interpretation in _RETIRED_COLORS:
            return "native transfer syntaxes hold it as it is"
        from dicodec.conversion.planning.way_out import find_way_out  # it tries other encoders

        return find_way_out(self._target, decoded)

    def _note_steps(
        self,
        steps: tuple[PhotometricStep, ...],
        decoded: ImagePixelDescription,
        result: ImagePixelDescription,
    ) -> None:
        for step in steps:
            if step in _CHROMA_AS_IT_WAS.values():
                continue
            self._decisions.append(step.text)
            if step.rounds and self._target.loss is Loss.NEVER:
                self._warnings.append(f"{step.text}: samples are rounded")
            if step.source == "PALETTE COLOR" and self._data_set.find(_ALPHA_TABLE) is not None:
                self._warnings.append("the palette's alpha table is left out")
        self._warnings += find_iod_departures(
            self._data_set.read_text(tags.SOP_CLASS_UID),
            self._stated,
            result,
            (self._source.name, self._target.name),
        )
        self._warnings += warn_of_readers(self._target, result)
        lossy = self._target.loss is not Loss.NEVER
        if lossy and decoded.monochrome and self._data_set.find(_COLOR_TABLE) is not None:
            self._warnings.append(
                "lossy compression may change stored values that stand for colors"
            )
        before = steps[-1].target if steps else decoded.photometric_interpretation
        if before != result.photometric_interpretation:
            self._decisions.append(
                f"{before} is stored as {result.photometric_interpretation} by the codec"
            )
        transforms = self._target.family in _TRANSFORMING
        if transforms and result.photometric_interpretation == "RGB" == self._options.photometric:
            self._decisions.append("RGB is coded without a component transform, as asked for")

    def find_embedded_overlays(
        self, stream: StreamDescription, number: Callable[[int], int | None]
    ) -> tuple[EmbeddedOverlay, ...]:
        """Return the overlays that lie in bits of Pixel Data, to be kept apart from now on.

        Args:
            stream: description of the first stream.
            number: returns the number under a tag, as far as it is known better than stated.

        Raises:
            ContradictionError: an overlay should lie in samples, and that is not allowed.
        """
        image = self._stated
        found: list[EmbeddedOverlay] = []
        if image.samples_per_pixel != 1:
            return ()
        for group, position in find_embedded_overlays(number, self._data_set.find):
            if is_within_samples(position, image.bits_stored, image.high_bit):
                text = (
                    f"the overlay ({group:04X},xxxx) should lie in bit {position}, a sample's own"
                )
                if self._options.strict:
                    raise ContradictionError(text, attribute="OverlayBitPosition")
                self._warnings.append(f"{text}: no overlay is taken from it")
                continue
            if position >= (stream.precision or image.bits_allocated):
                self._warnings.append(
                    f"the overlay ({group:04X},xxxx) should lie in bit {position}, but the "
                    "pixels do not have it"
                )
                continue
            self._decisions.append(
                f"the overlay in bit {position} of Pixel Data becomes Overlay Data "
                f"({group:04X},3000)"
            )
            found.append(EmbeddedOverlay(group, position))
        return tuple(found)
