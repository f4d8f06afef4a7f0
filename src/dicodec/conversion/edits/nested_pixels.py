"""Pixel Data inside sequences, such as icons: native if its streams are not the result's own.

The transfer syntax of a file is that of nested Pixel Data too (PS3.5 A.4), which may also be
native. Encoders do not always keep to that, so the markers of a nested stream decide.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from contextlib import suppress

from dicodec.codecs.table import find_decoder
from dicodec.conversion.edits.nested_sequences import (
    PIXEL_DATA,
    UNDEFINED_BYTES,
    may_hold_items,
)
from dicodec.errors import (
    ContradictionError,
    DicodecError,
    LimitExceededError,
    MalformedFileError,
    MissingFrameError,
    TruncatedFileError,
)
from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetSequence
from dicodec.model.image import WITH_ALL_CHROMA, YBR_PARTIAL, ImagePixelDescription
from dicodec.model.limits import Limits
from dicodec.model.records import dataclass, replace
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import TransferSyntax, find_by_name
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.edit_bytes import encode_item_header
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import (
    ItemSpan,
    KnownEnds,
    Walker,
    items_state_vrs,
    walk_elements,
    walk_items,
)
from dicodec.part10.encoding import (
    DataSetEncoding,
    format_tag,
)
from dicodec.part10.fragments import EncapsulatedFrames, assign_fragments
from dicodec.part10.image_attributes import (
    describe_image,
    parse_image_description,
    read_stated_attributes,
)
from dicodec.part10.pixel_writer import NativeWriter
from dicodec.part10.reencode import reencode_elements, swap_bytes
from dicodec.part10.source import ByteSource, BytesSource
from dicodec.part10.spliced_source import SourceRange, SplicedSource
from dicodec.part10.writer import ElementWriter, make_reencoding_context
from dicodec.repair.bare_streams import enter_bare_streams
from dicodec.repair.encapsulation import enter_items, enter_missing_table
from dicodec.repair.image_attributes import Known, describe_corrections, make_corrections
from dicodec.repair.native_items import find_native_parts
from dicodec.repair.standard_form import make_readable
from dicodec.repair.stream_kinds import deduce_kind, describe_stream_at, find_syntax_of_stream, fits
from dicodec.rules.claimed_sizes import check_decoded_size, check_sample_count, count_samples
from dicodec.rules.color_space import colors_agree, decide_color_space
from dicodec.rules.image_edits import choose_native_vr, make_image_edits


def make_nested_pixel_edits(
    file: DicomFile,
    target: TransferSyntax,
    encoding: DataSetEncoding,
    warnings: list[str],
    suspicious: Iterable[tuple[ElementSpan, bytes]],
    *,
    strict: bool = False,
) -> list[Edit]:
    """Return the edits that make nested Pixel Data native if its streams do not belong.

    Nested Pixel Data that cannot be decoded stays as it is in an encapsulated result, and is left
    out of a native one, because nobody could read the elements behind it.

    Args:
        file: the source.
        target: transfer syntax of the result.
        encoding: of the result.
        warnings: nested Pixel Data that cannot be decoded is named here, by the path to it.
        suspicious: the sequences to look into; see `find_suspicious_sequences`.
        strict: whether attributes that nested Pixel Data contradicts are an error, not a warning.

    Raises:
        ContradictionError: nested Pixel Data has other colors than it is said to have.
        MalformedFileError, TruncatedFileError: a sequence cannot be read as it is, and can be put
            right.
        LimitExceededError: a sequence is nested too deep, or has too many elements.
    """
    edits: list[Edit] = []
    contradictions: list[str] = []
    spent: list[int] = []
    data_set = file.data_set
    for span, raw in suspicious:
        nested = _NestedPixels(
            data_set.find_encoding(span),
            file.syntax,
            target,
            data_set.limits,
            warnings,
            contradictions,
            spent,
        )
        try:
            _check_for_fragments(raw, nested.encoding, data_set.limits)
            items = nested.convert_items(raw, format_tag(span.tag))
        except (MalformedFileError, TruncatedFileError) as error:
            if _can_be_put_right(file):
                raise
            warnings.append(
                f"{format_tag(span.tag)} is not looked into for Pixel Data, because it cannot be "
                f"read: {error.message}"
            )
            continue
        if items is None:
            continue
        if not items and _is_icon(span.tag):
            edits.append(RemoveAttribute(span.tag))
            continue
        element = _encode_sequence(raw, items, nested.encoding)
        edits.append(
            SetSequence(span.tag, encode_native_items(element, nested.encoding, encoding, data_set))
        )
    if contradictions and strict:
        raise ContradictionError(contradictions[0], attribute="PhotometricInterpretation")
    warnings += contradictions
    return edits


def _can_be_put_right(file: DicomFile) -> bool:
    try:
        return make_readable(file) is not None
    except (MalformedFileError, TruncatedFileError):
        return False


_TIMES_HELD = 4
"""How often a nested image counts: all of them are in memory, and more than once."""

_LEAST_SAMPLES = 1 << 16
"""An image of fewer takes as long to decode: a decoder has to be set up."""


def encode_native_items(
    raw: bytes, source: DataSetEncoding, target: DataSetEncoding, data_set: DataSet
) -> tuple[bytes, ...]:
    """Return the items of a sequence, each whole, in another encoding.

    Args:
        raw: the whole sequence element.
        source: its encoding.
        target: the encoding of the result.
        data_set: the top level around it.
    """
    raw = reencode_elements(raw, source, target, make_reencoding_context(data_set))
    sequence = BytesSource(raw)
    (span,) = walk_elements(sequence, 0, len(raw), target)
    return tuple(raw[item.start : item.end] for item in walk_items(sequence, span, target))


def _check_for_fragments(raw: bytes, encoding: DataSetEncoding, limits: Limits) -> None:
    """Look into a sequence that would be copied as it lies, if it may hold stray fragments.

    Raises:
        MalformedFileError: it does, or cannot be read.
    """
    pixel_data = PIXEL_DATA[encoding.little_endian]
    if encoding.explicit_vr and any(
        raw[match.start() - 4 : match.start()] != pixel_data
        for match in UNDEFINED_BYTES.finditer(raw)
    ):
        source = BytesSource(raw)
        ends: KnownEnds = {}
        (span,) = walk_elements(source, 0, len(raw), encoding, limits=limits, ends=ends)
        _walk_within(source, span, encoding, limits, ends, 0)


def _walk_within(
    source: ByteSource,
    span: ElementSpan,
    encoding: DataSetEncoding,
    limits: Limits,
    ends: KnownEnds,
    depth: int,
) -> None:
    end = span.end if span.undefined else span.value + span.length
    walker = Walker(source, limits, ends, end)
    for item in walker.walk_items(span.value, end, encoding, depth=depth, undefined=span.undefined):
        for inner in walker.walk_elements(
            item.value, item.value + item.length, encoding, depth=depth + 1
        ):
            if inner.vr == "SQ" and inner.length:
                _walk_within(source, inner, encoding, limits, ends, depth + 1)


def _encode_sequence(raw: bytes, items: list[bytes], encoding: DataSetEncoding) -> bytes:
    """Return a sequence element of defined length with the tag of another."""
    content = b"".join(items)
    length = struct.pack(encoding.order + "I", len(content))
    head = raw[:4] + (b"SQ\0\0" if encoding.explicit_vr else b"")
    return head + length + content


@dataclass(frozen=True, slots=True)
class _NestedPixels:
    """Makes the Pixel Data native that lies in one sequence, however deep.

    Attributes:
        encoding: of the elements.
        source, target: transfer syntaxes of the file and of the result.
        limits: bounds on walking and decoding.
        warnings: takes streams that cannot be decoded.
        contradictions: takes attributes that the pixels contradict.
        spent: takes the samples of each image that was to be decoded.
    """

    encoding: DataSetEncoding
    source: TransferSyntax
    target: TransferSyntax
    limits: Limits
    warnings: list[str]
    contradictions: list[str]
    spent: list[int]

    def convert_items(self, raw: bytes, path: str) -> list[bytes] | None:
        """Return a sequence's items for the result; None if they are right already.

        An icon whose pixels have to be left out is left out as a whole.
        """
        source = BytesSource(raw)
        ends: KnownEnds = {}
        (span,) = walk_elements(source, 0, len(raw), self.encoding, limits=self.limits, ends=ends)
        return self._convert_sequence(source, span, ends, path, 0)

    def _convert_sequence(
        self, source: ByteSource, span: ElementSpan, ends: KnownEnds, path: str, depth: int
    ) -> list[bytes] | None:
        if depth > self.limits.nesting_depth:
            raise LimitExceededError("sequences are nested too deep", offset=span.start)
        if not span.length:
            return None
        items: list[bytes | ItemSpan] = []
        changed = False
        icon = _is_icon(span.tag)
        for number, item in enumerate(
            walk_items(source, span, self.encoding, limits=self.limits, ends=ends)
        ):
            place = f"{path}[{number}]"
            new = self._convert_item(source, item, ends, place, depth + 1, icon=icon)
            changed = changed or new is not None
            if new != b"" or not icon:
                items.append(item if new is None else new)
        if not changed:
            return None
        contents = [
            one if isinstance(one, bytes) else source.read(one.value, one.length) for one in items
        ]
        return [encode_item_header(len(one), self.encoding) + one for one in contents]

    def _convert_item(
        self,
        source: ByteSource,
        item: ItemSpan,
        ends: KnownEnds,
        path: str,
        depth: int,
        *,
        icon: bool,
    ) -> bytes | None:
        """Return an item's elements; None if nothing has to change, b"" if it is left out."""
        end = item.value + item.length
        walker = Walker(source, self.limits, ends, end)
        spans = list(walker.walk_elements(item.value, end, self.encoding))
        data_set = DataSet(source, self.encoding, spans, self.limits, ends)
        edits: list[Edit] = []
        for span in spans:
            if not may_hold_items(span):
                continue
            inner = f"{path}.{format_tag(span.tag)}"
            items = self._convert_sequence(source, span, ends, inner, depth)
            if items is not None:
                left_out = not items and _is_icon(span.tag)
                edits.append(
                    RemoveAttribute(span.tag) if left_out else SetSequence(span.tag, tuple(items))
                )
        pixel_data = data_set.find(tags.PIXEL_DATA)
        if pixel_data is None:
            return _write_elements(data_set, edits, b"") if edits else None
        element: bytes | None = data_set.read_raw(pixel_data)
        nested = _Fragments(data_set, pixel_data, walker)
        if nested.present:
            try:
                element, described = self._make_native(nested, path)
            except DicodecError as error:
                element = self._keep_undecoded(nested, path, error)
            else:
                edits += described
        else:
            edits += self._judge_native(nested, path)
        if element == data_set.read_raw(pixel_data) and not edits:
            return None
        if element is None and icon:
            return b""
        return _write_elements(data_set, edits, element or b"")

    def _keep_undecoded(self, nested: _Fragments, path: str, error: DicodecError) -> bytes | None:
        """Return Pixel Data that cannot be decoded as it is, or None if it cannot stay."""
        path = f"{path}.{format_tag(tags.PIXEL_DATA)}"
        if self.target.encapsulated and nested.sound:
            self.warnings.append(
                f"{path} is kept as it is, because it cannot be made native: {error.message}"
            )
            return nested.data_set.read_raw(nested.span)
        self.warnings.append(
            f"{path} is left out, because it cannot be made native: {error.message}"
        )
        return None

    def _judge_native(self, nested: _Fragments, path: str) -> tuple[Edit, ...]:
        """Return the edits of native Pixel Data that is said to have other colors than it has."""
        from dicodec.conversion.edits.nested_labels import deduce_native_labels

        path = f"{path}.{format_tag(tags.PIXEL_DATA)}"
        try:
            known = deduce_native_labels(nested.data_set, nested.span)
        except DicodecError as error:
            self.contradictions.append(f"{path} is kept as it is: {error.message}")
            return ()
        return self._correct(nested.data_set, known, path, "by its length")

    def _correct(self, level: DataSet, known: Known, path: str, by: str) -> tuple[Edit, ...]:
        """Return the edits of attributes that are known better, and name them by the path."""
        found = describe_corrections(level, known, by)
        self.contradictions.extend(f"{path}: {one.text}" for one in found)
        return make_corrections(known)

    def _make_native(self, nested: _Fragments, path: str) -> tuple[bytes, tuple[Edit, ...]]:
        """Return Pixel Data, native if the result does not take it as it is, and its edits.

        Raises:
            DicodecError: it cannot be decoded.
        """
        from dicodec.codecs.native import NativeEncoder  # for few files
        from dicodec.conversion.edits.nested_labels import deduce_stream_labels
        from dicodec.pixels.photometric import apply_steps, find_routes

        data_set = nested.data_set
        stated = parse_image_description(data_set, tags.PIXEL_DATA, [])
        plain = self.source.family != "encapsulated-uncompressed" and colors_agree(stated, None)
        if plain and (parts := find_native_parts(nested.walked, stated)) is not None:
            value = b"".join(data_set.source.read(start, length) for start, length in parts)
            return self._encode_native(choose_native_vr(stated, nested.span.vr), value), ()
        frames = nested.assign_frames(stated)
        syntax = self._find_syntax(frames, data_set, stated)
        known = deduce_stream_labels(data_set, nested.span, nested.starts, nested.lengths, syntax)
        stated = parse_image_description(data_set, tags.PIXEL_DATA, [], known)
        stream = find_decoder(syntax).describe(frames.read(data_set.source, 0))
        path = f"{path}.{format_tag(tags.PIXEL_DATA)}"
        if nested.sound and self._belongs(syntax, frames, data_set):
            edits = self._correct(data_set, known, path, "by its streams")
            return data_set.read_raw(nested.span), edits
        coded = decide_color_space(stated, stream).photometric_interpretation
        stated = replace(stated, photometric_interpretation=coded)
        decoder = find_decoder(syntax)
        check_decoded_size(stated, data_set.limits)
        self._spend(stated)
        decoded = decoder.describe_decoded(stream, stated)
        partial = decoded.photometric_interpretation == YBR_PARTIAL
        steps, prepared = next(find_routes(decoded, "RGB" if partial else "keep"))
        encoder = NativeEncoder()
        result = encoder.describe_encoded(prepared)

        def encode(frame: int) -> bytes:
            samples = decoder.decode(frames.read(data_set.source, frame), stated)
            return bytes(encoder.encode(apply_steps(steps, samples, decoded), prepared))

        value = b"".join(map(encode, range(stated.number_of_frames)))
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
        self.spent.append(max(_TIMES_HELD * count_samples(image), _LEAST_SAMPLES))
        check_sample_count(sum(self.spent), self.limits)

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


def _is_icon(tag: int) -> bool:
    return tag == tags.ICON_IMAGE_SEQUENCE


def _write_elements(data_set: DataSet, edits: list[Edit], pixel_data: bytes) -> bytes:
    """Return the elements of an item with edits, and with other Pixel Data."""
    out = io.BytesIO()
    writer = ElementWriter(data_set, data_set.encoding, edits)
    writer.write_before_pixel_data(out)
    out.write(pixel_data)
    writer.write_after_pixel_data(out)
    return out.getvalue()


class _Fragments:
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
