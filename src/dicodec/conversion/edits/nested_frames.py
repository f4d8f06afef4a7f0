"""Pixel Data of one item, such as an icon's: native if its streams are not the result's own."""

from __future__ import annotations

import io
from contextlib import suppress

from dicodec.codecs.base import Decoder
from dicodec.codecs.table import find_decoder
from dicodec.errors import DicodecError, MalformedFileError, MissingFrameError
from dicodec.model import tags
from dicodec.model.edits import Edit
from dicodec.model.image import WITH_ALL_CHROMA, YBR_PARTIAL, ImagePixelDescription
from dicodec.model.limits import Limits
from dicodec.model.records import dataclass, field, replace
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import TransferSyntax, find_by_name
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import Walker, items_state_vrs
from dicodec.part10.encoding import DataSetEncoding
from dicodec.part10.fragments import EncapsulatedFrames, assign_fragments
from dicodec.part10.image_attributes import (
    describe_image,
    parse_image_description,
    read_stated_attributes,
)
from dicodec.part10.pixel_writer import NativeWriter
from dicodec.part10.reencode import swap_bytes
from dicodec.part10.source import ByteSource
from dicodec.part10.spliced_source import SourceRange, SplicedSource
from dicodec.repair.bare_streams import enter_bare_streams
from dicodec.repair.encapsulation import enter_items, enter_missing_table
from dicodec.repair.image_attributes import Known, describe_corrections, make_corrections
from dicodec.repair.native_items import find_native_parts
from dicodec.repair.stream_kinds import deduce_kind, describe_stream_at, find_syntax_of_stream, fits
from dicodec.rules.claimed_sizes import check_decoded_size, check_sample_count, count_samples
from dicodec.rules.color_space import colors_agree, decide_color_space
from dicodec.rules.image_edits import choose_native_vr, make_image_edits

_TIMES_HELD = 4
"""How often a nested image counts: all of them are in memory, and more than once."""

_LEAST_SAMPLES = 1 << 16
"""An image of fewer takes as long to decode: a decoder has to be set up."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Findings about the nested Pixel Data of one file.

    Attributes:
        warnings: streams that cannot be decoded.
        contradictions: attributes that the pixels contradict.
        spent: the samples of each image that was to be decoded.
    """

    warnings: list[str]
    contradictions: list[str] = field(default_factory=list)
    spent: list[int] = field(default_factory=list)


class NestedFragments:
    """Pixel Data of an item, and the fragments that are in it.

    Args:
        data_set: the item.
        span: its Pixel Data.
        walker: that walked the item.

    Attributes:
        walked: the item with its fragments.
        present: whether there are fragments, or a stream without items.
        sound: whether a reader can find their end.
        starts, lengths: of the fragments, the Basic Offset Table first.
    """

    def __init__(self, data_set: DataSet, span: ElementSpan, walker: Walker) -> None:
        self.data_set = data_set
        self.span = span
        self.starts, self.lengths = walker.fragment_starts, walker.fragment_lengths
        self.walked = WalkedDataSet(data_set, self.starts, self.lengths, 0, ())
        self.sound = span.undefined and not walker.oddities
        image = describe_image(data_set, span.tag)
        if span.undefined:
            missing = enter_missing_table(self.walked, span, image)
            self.sound = self.sound and missing is None
        elif not items_state_vrs(data_set.source.read(span.value, 16)):
            enter_items(self.walked, span)
            if not self.starts and image is not None:
                with suppress(MalformedFileError):
                    enter_bare_streams(None, self.walked, span, image, [])
        self.present = span.undefined or bool(self.starts)

    def assign_frames(self, image: ImagePixelDescription) -> EncapsulatedFrames:
        """Return the fragments of each frame.

        Raises:
            MalformedFileError: they cannot be told apart, or there are none.
        """
        if len(self.starts) < 2:
            raise MissingFrameError("it is empty")
        return assign_fragments(
            self.data_set.source, self.starts, self.lengths, image.number_of_frames, 0, None
        )


@dataclass(frozen=True, slots=True)
class NestedPixels:
    """Converts the Pixel Data of items.

    Attributes:
        encoding: of the elements.
        source, target: transfer syntaxes of the file and of the result.
        limits: bounds on decoding.
        findings: warnings, contradictions and samples are added.
    """

    encoding: DataSetEncoding
    source: TransferSyntax
    target: TransferSyntax
    limits: Limits
    findings: Findings

    def convert(
        self, fragments: NestedFragments, path: str
    ) -> tuple[bytes | None, tuple[Edit, ...]]:
        """Return Pixel Data for the result, and the edits of the attributes that describe it.

        Args:
            fragments: the Pixel Data of an item.
            path: its place, for messages.

        Returns:
            The whole element, None if it is left out.
        """
        if not fragments.present:
            raw = fragments.data_set.read_raw(fragments.span)
            return raw, self._judge_native(fragments, path)
        try:
            return self._make_native(fragments, path)
        except DicodecError as error:
            return self._keep_undecoded(fragments, path, error), ()

    def _keep_undecoded(
        self, fragments: NestedFragments, path: str, error: DicodecError
    ) -> bytes | None:
        """Return Pixel Data that cannot be decoded as it is, or None if it cannot stay."""
        if self.target.encapsulated and fragments.sound:
            self.findings.warnings.append(
                f"{path} is kept as it is, because it cannot be made native: {error.message}"
            )
            return fragments.data_set.read_raw(fragments.span)
        self.findings.warnings.append(
            f"{path} is left out, because it cannot be made native: {error.message}"
        )
        return None

    def _judge_native(self, fragments: NestedFragments, path: str) -> tuple[Edit, ...]:
        """Return the edits of native Pixel Data that is said to have other colors than it has."""
        from dicodec.conversion.edits.nested_labels import deduce_native_labels

        try:
            known = deduce_native_labels(fragments.data_set, fragments.span)
        except DicodecError as error:
            self.findings.contradictions.append(f"{path} is kept as it is: {error.message}")
            return ()
        return self._correct(fragments.data_set, known, path, "by its length")

    def _correct(self, level: DataSet, known: Known, path: str, by: str) -> tuple[Edit, ...]:
        """Return the edits of attributes that are known better, and name them by the path."""
        found = describe_corrections(level, known, by)
        self.findings.contradictions.extend(f"{path}: {one.text}" for one in found)
        return make_corrections(level, known)

    def _make_native(self, fragments: NestedFragments, path: str) -> tuple[bytes, tuple[Edit, ...]]:
        """Return Pixel Data, native if the result does not take it as it is, and its edits.

        Raises:
            DicodecError: it cannot be decoded.
        """
        from dicodec.conversion.edits.nested_labels import deduce_stream_labels

        data_set = fragments.data_set
        stated = parse_image_description(data_set, tags.PIXEL_DATA, [])
        plain = self.source.family != "encapsulated-uncompressed" and colors_agree(stated, None)
        if plain and (parts := find_native_parts(fragments.walked, stated)) is not None:
            value = b"".join(data_set.source.read(start, length) for start, length in parts)
            return self._encode_native(choose_native_vr(stated, fragments.span.vr), value), ()
        frames = fragments.assign_frames(stated)
        syntax = self._find_syntax(frames, data_set, stated)
        known = deduce_stream_labels(
            data_set, fragments.span, fragments.starts, fragments.lengths, syntax
        )
        stated = parse_image_description(data_set, tags.PIXEL_DATA, [], known)
        stream = find_decoder(syntax).describe(frames.read(data_set.source, 0))
        if fragments.sound and self._belongs(syntax, frames, data_set):
            edits = self._correct(data_set, known, path, "by its streams")
            return data_set.read_raw(fragments.span), edits
        coded = decide_color_space(stated, stream).photometric_interpretation
        stated = replace(stated, photometric_interpretation=coded)
        check_decoded_size(stated, data_set.limits)
        self._spend(stated)
        value, result = _decode(frames, data_set.source, stated, stream, find_decoder(syntax))
        vr = choose_native_vr(result, "")
        if vr == "OW" and not self.encoding.little_endian:
            value = swap_bytes(value, 2)
        self._correct(data_set, known, path, "by its streams")
        described = make_image_edits(read_stated_attributes(data_set), result)
        return self._encode_native(vr, value), described

    def _spend(self, image: ImagePixelDescription) -> None:
        """Count the samples of an image, with those of all nested images before.

        Raises:
            LimitExceededError: they are more than the limit for a file.
        """
        self.findings.spent.append(max(_TIMES_HELD * count_samples(image), _LEAST_SAMPLES))
        check_sample_count(sum(self.findings.spent), self.limits)

    def _encode_native(self, vr: str, value: bytes) -> bytes:
        """Return native Pixel Data, whose value is in the byte order of the elements."""
        out = io.BytesIO()
        pixels = NativeWriter(out, tags.PIXEL_DATA, vr, len(value), self.encoding)
        pixels.write(value)
        pixels.finish()
        return out.getvalue()

    def _find_syntax(
        self, frames: EncapsulatedFrames, data_set: DataSet, image: ImagePixelDescription
    ) -> TransferSyntax:
        """Return the transfer syntax that nested streams are in, by their own bytes.

        Raises:
            MissingFrameError: there is not one byte of them.
            MalformedFileError: nothing shows their kind.
        """
        if not sum(frames.lengths):
            raise MissingFrameError("it is empty")
        stream = _describe_first_stream(frames, data_set)
        if stream is not None:
            found = find_syntax_of_stream(stream, lossless=True)
        else:
            found = self._deduce_syntax(frames, data_set, image)
        if found is None:
            raise MalformedFileError("its fragments are not a known image stream")
        return found

    def _deduce_syntax(
        self, frames: EncapsulatedFrames, data_set: DataSet, image: ImagePixelDescription
    ) -> TransferSyntax | None:
        """Return the transfer syntax of frames without a signature; None if nothing shows it."""
        images = [image]
        if not colors_agree(image, None):  # its samples may be more, or fewer, than it says
            images += [replace(image, samples_per_pixel=samples) for samples in (1, 3)]
        if (whole := WITH_ALL_CHROMA.get(image.photometric_interpretation)) is not None:
            images.append(replace(image, photometric_interpretation=whole))
        source: ByteSource = data_set.source
        starts, lengths = [*frames.starts], [*frames.lengths]
        if len(frames) == 1:
            joined = _join_frame(frames, data_set)
            source, starts, lengths = joined, [0], [joined.size]
        for one in images:
            name = deduce_kind(source, starts, lengths, one)
            if (found := find_by_name(name)) is not None:
                return found
        return self.source if self.source.encapsulated else None

    def _belongs(
        self, syntax: TransferSyntax, frames: EncapsulatedFrames, data_set: DataSet
    ) -> bool:
        """Whether streams are valid under the transfer syntax of the file, and of the result."""
        stream = _describe_first_stream(frames, data_set)
        return all(
            syntax == one or (stream is not None and fits(stream, one))
            for one in (self.source, self.target)
        )


def _decode(
    frames: EncapsulatedFrames,
    source: ByteSource,
    image: ImagePixelDescription,
    stream: StreamDescription,
    decoder: Decoder,
) -> tuple[bytes, ImagePixelDescription]:
    """Return all frames as a native value, in little endian, and their description.

    Args:
        frames: the streams.
        source: holds them.
        image: as it is coded.
        stream: the first one's description.
        decoder: of the streams.

    Raises:
        DicodecError: a frame cannot be decoded.
    """
    from dicodec.codecs.native import NativeEncoder  # for few files
    from dicodec.pixels.photometric import apply_steps, find_routes

    decoded = decoder.describe_decoded(stream, image)
    partial = decoded.photometric_interpretation == YBR_PARTIAL
    steps, prepared = next(find_routes(decoded, "RGB" if partial else "keep"))
    encoder = NativeEncoder()

    def encode(frame: int) -> bytes:
        samples = decoder.decode(frames.read(source, frame), image)
        return bytes(encoder.encode(apply_steps(steps, samples, decoded), prepared))

    value = b"".join(map(encode, range(image.number_of_frames)))
    return value, encoder.describe_encoded(prepared)


def _describe_first_stream(
    frames: EncapsulatedFrames, data_set: DataSet
) -> StreamDescription | None:
    """Describe the first frame's stream; its headers may go on in other fragments."""
    joined = _join_frame(frames, data_set)
    return describe_stream_at(joined, 0, joined.size)


def _join_frame(frames: EncapsulatedFrames, data_set: DataSet) -> SplicedSource:
    """Return the first frame's fragments as one source."""
    return SplicedSource(
        SourceRange(data_set.source, frames.starts[one], frames.starts[one] + frames.lengths[one])
        for one in frames.find_fragments(0)
    )
