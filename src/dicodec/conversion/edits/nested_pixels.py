"""Pixel Data inside sequences, such as icons: native if its streams are not the result's own.

The transfer syntax of a file is that of nested Pixel Data too (PS3.5 A.4), which may also be
native. Encoders do not always keep to that, so the markers of a nested stream decide.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable

from dicodec.conversion.edits.nested_frames import Findings, NestedFragments, NestedPixels
from dicodec.conversion.edits.nested_sequences import (
    PIXEL_DATA,
    UNDEFINED_BYTES,
    may_hold_items,
)
from dicodec.errors import (
    ContradictionError,
    LimitExceededError,
    MalformedFileError,
    TruncatedFileError,
)
from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetSequence
from dicodec.model.limits import Limits
from dicodec.model.records import dataclass
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.edit_bytes import encode_item_header
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import (
    ItemSpan,
    KnownEnds,
    Walker,
    walk_elements,
    walk_items,
)
from dicodec.part10.encoding import (
    DataSetEncoding,
    format_tag,
)
from dicodec.part10.reencode import reencode_elements
from dicodec.part10.source import ByteSource, BytesSource
from dicodec.part10.writer import ElementWriter, make_reencoding_context
from dicodec.repair.standard_form import make_readable


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
    findings = Findings(warnings)
    data_set = file.data_set
    for span, raw in suspicious:
        source = data_set.find_encoding(span)
        pixels = NestedPixels(source, file.syntax, target, data_set.limits, findings)
        nested = _NestedItems(source, data_set.limits, pixels)
        try:
            _check_for_fragments(raw, source, data_set.limits)
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
        element = _encode_sequence(raw, items, source)
        edits.append(
            SetSequence(span.tag, encode_native_items(element, source, encoding, data_set))
        )
    if findings.contradictions and strict:
        raise ContradictionError(findings.contradictions[0], attribute="PhotometricInterpretation")
    warnings += findings.contradictions
    return edits


def _can_be_put_right(file: DicomFile) -> bool:
    try:
        return make_readable(file) is not None
    except (MalformedFileError, TruncatedFileError):
        return False


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
class _NestedItems:
    """Converts the items of one sequence, however deep their Pixel Data lies.

    Attributes:
        encoding: of the elements.
        limits: bounds on walking.
        pixels: converts the Pixel Data of an item.
    """

    encoding: DataSetEncoding
    limits: Limits
    pixels: NestedPixels

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
        fragments = NestedFragments(data_set, pixel_data, walker)
        element, described = self.pixels.convert(fragments, f"{path}.{format_tag(pixel_data.tag)}")
        edits += described
        if element == data_set.read_raw(pixel_data) and not edits:
            return None
        if element is None and icon:
            return b""
        return _write_elements(data_set, edits, element or b"")


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
