"""Compare the attributes of two files, and tell which changes a conversion may make."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

from dicodec.conversion.edits.frame_types import derive_groups
from dicodec.conversion.edits.nested_pixels import make_nested_pixel_edits
from dicodec.conversion.edits.nested_sequences import find_suspicious_sequences
from dicodec.conversion.frames.embedded_overlays import FreedOverlays
from dicodec.errors import DicodecError
from dicodec.model import tags
from dicodec.model.edits import Edit, SetAttribute, SetSequence
from dicodec.model.records import dataclass
from dicodec.model.transfer_syntax import EXPLICIT_LE
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.dictionary import find_keyword
from dicodec.part10.directory_records import DIRECTORY_TAGS, clear_offsets, read_links
from dicodec.part10.edit_bytes import encode_element
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import PIXEL_DATA_TAGS
from dicodec.part10.encoding import EXPLICIT_LITTLE, format_tag
from dicodec.part10.equal_values import (
    Difference,
    Element,
    bytes_agree,
    find_difference,
    parse_element,
    shorten,
    show,
    vrs_agree,
)
from dicodec.part10.image_attributes import find_missing_attributes
from dicodec.part10.implicit_vr import ReencodingContext
from dicodec.part10.reencode import reencode_elements
from dicodec.part10.source import read_chunks
from dicodec.part10.vr import VALUE_REPRESENTATIONS
from dicodec.part10.writer import make_reencoding_context, swap_chunks
from dicodec.rules.allowed_changes import count_lossy_methods, list_allowed_changes

_HELD_SIZE = 1 << 24
"""Values above this many bytes are compared in pieces, as bytes."""


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """An attribute that differs between two files.

    Attributes:
        tag: as the standard prints it: "(0010,0020)".
        keyword: keyword of the attribute; "" if the dictionary has none.
        change: "only in A", "only in B", "changed", or "VR": the same value, another VR.
        a, b: the values of both files, for people; "" if there is none.
        where: path to the first difference in a sequence, such as "[0].CodeValue".
        allowed: whether a conversion may make this change, or the caller allowed it.
        reason: why it is allowed.
    """

    tag: str
    keyword: str
    change: str
    a: str = ""
    b: str = ""
    where: str = ""
    allowed: bool = False
    reason: str = ""


def compare_attributes(
    one: DicomFile, two: DicomFile, allow: Collection[int]
) -> tuple[AttributeChange, ...]:
    """Return the attributes of File Meta Information and data set that differ, by rising tag.

    Elements are compared by their meaning; sequences as a whole, down to the first difference.
    Pixel Data is not compared here, but for its VR.

    Args:
        one: the first file.
        two: the second.
        allow: tags that may differ.

    Raises:
        ReadError: an element cannot be read.
    """
    files = one, two
    permitted = list_allowed_changes(
        zip(one.read_colors(), two.read_colors(), strict=True),
        (count_lossy_methods(one.data_set.read_text), count_lossy_methods(two.data_set.read_text)),
    )
    for file in files:  # attributes of the image are compared with its pixels
        permitted |= {edit.tag: "put right" for edit in file.corrections}
        permitted |= dict.fromkeys(find_missing_attributes(file.data_set), "as it was taken")
    permitted |= dict.fromkeys(allow, "as asked for")
    found = [
        _make_change(tag, change, "File Meta Information")
        for tag, change in _find_meta_differences(*files)
    ]
    pair = _Pair(one, two, permitted)
    for tag in sorted({span.tag for file in files for span in file.data_set.elements}):
        change = pair.compare(tag)
        if change is not None:
            found.append(_make_change(tag, change, pair.explain(tag, change)))
    return tuple(found)


class _Pair:
    """Two files whose elements are compared.

    Args:
        one, two: the files.
        permitted: reasons for attributes that may differ, by tag.
    """

    def __init__(self, one: DicomFile, two: DicomFile, permitted: Mapping[int, str]) -> None:
        self._files = one, two
        self._data_sets = one.data_set, two.data_set
        self._permitted = permitted
        self._contexts = (
            make_reencoding_context(one.data_set), make_reencoding_context(two.data_set),
        )  # fmt: skip
        self._nested = _NestedPixels(one), _NestedPixels(two)
        self._overlays = FreedOverlays(one), FreedOverlays(two)

    def compare(self, tag: int) -> Difference | None:
        """Return the difference of two elements; None if they are equal."""
        return _compare_elements(self._data_sets, self._find(tag), self._contexts)

    def explain(self, tag: int, change: Difference) -> str:
        """Return why a difference is allowed; "" if it is not."""
        if tag & 0xFFFF == 0:
            return "a group length"
        if reason := self._permitted.get(tag):
            return reason
        if change.what == "VR":
            unstated = "" in {span.vr for span in self._find(tag) if span}
            if tag in PIXEL_DATA_TAGS or unstated:
                return "follows from the transfer syntax"
            if vrs_agree(tag, change.a, change.b):
                return "the VR is unknown, or a choice"
        if change.where and _agrees_with_native_pixels(tag, self._nested):
            return "nested pixels, the same once decoded"
        if tag in DIRECTORY_TAGS and _agrees_in_records(self._files, tag, self._contexts):
            return "the same directory records, at other offsets"
        derived = self._permitted.get(tags.IMAGE_TYPE)
        if derived is not None and _agrees_once_derived(self._data_sets, tag):
            return derived
        if _agrees_once_freed(self._data_sets, tag, self._overlays):
            return "an overlay in bits of Pixel Data"
        return ""

    def _find(self, tag: int) -> tuple[ElementSpan | None, ElementSpan | None]:
        one, two = self._data_sets
        return one.find(tag), two.find(tag)


class _NestedPixels:
    """Sequences of a file with encapsulated nested pixels, in their native form."""

    def __init__(self, file: DicomFile) -> None:
        self._file = file
        self._edits: dict[int, Edit] | None = None

    def edit(self, tag: int) -> Edit | None:
        """Return the edit that makes a sequence's pixels native; None if it has none."""
        if self._edits is None:
            self._edits = {}
            with suppress(DicodecError):
                suspicious = find_suspicious_sequences(self._file.data_set)
                edits = make_nested_pixel_edits(
                    self._file, EXPLICIT_LE, EXPLICIT_LITTLE, [], suspicious
                )
                self._edits = {edit.tag: edit for edit in edits}
        return self._edits.get(tag)

    def read_native(self, tag: int) -> Element | None:
        """Return a sequence with native pixels; None if it cannot be read."""
        data_set = self._file.data_set
        edit = self.edit(tag)
        if isinstance(edit, SetSequence):
            raw = encode_element(edit, EXPLICIT_LITTLE)
            return parse_element(raw, data_set.read_text(tags.SPECIFIC_CHARACTER_SET))
        span = data_set.find(tag)
        return (
            None
            if span is None
            else _read_element(data_set, span, make_reencoding_context(data_set))
        )


def _agrees_with_native_pixels(tag: int, nested: tuple[_NestedPixels, _NestedPixels]) -> bool:
    if not any(side.edit(tag) is not None for side in nested):
        return False
    one, two = (side.read_native(tag) for side in nested)
    return one is not None and two is not None and find_difference(one, two) is None


def _agrees_in_records(
    files: tuple[DicomFile, DicomFile], tag: int, contexts: tuple[ReencodingContext, ...]
) -> bool:
    """Whether two DICOMDIRs differ in nothing but the offsets of their records."""
    elements: list[Element | None] = []
    try:
        one, two = (read_links(file) for file in files)
        for file, context in zip(files, contexts, strict=True):
            data_set = file.data_set
            span = data_set.find(tag)
            if span is None:
                return False
            raw = reencode_elements(
                data_set.read_raw(span), data_set.find_encoding(span), EXPLICIT_LITTLE, context
            )
            character_set = data_set.read_text(tags.SPECIFIC_CHARACTER_SET)
            elements.append(parse_element(clear_offsets(raw, EXPLICIT_LITTLE), character_set))
    except DicodecError:
        return False
    first, second = elements
    same = first is not None and second is not None and find_difference(first, second) is None
    return same and one == two


def _agrees_once_derived(data_sets: tuple[DataSet, DataSet], tag: int) -> bool:
    """Whether functional groups differ in nothing but in which frames are derived."""
    if tag not in tags.FUNCTIONAL_GROUPS:
        return False
    elements: list[Element | None] = []
    for data_set in data_sets:
        edit = derive_groups(data_set, tag, EXPLICIT_LITTLE)
        span = data_set.find(tag)
        if edit is not None:
            raw = encode_element(edit, EXPLICIT_LITTLE)
            elements.append(parse_element(raw, data_set.read_text(tags.SPECIFIC_CHARACTER_SET)))
        elif span is not None:
            elements.append(_read_element(data_set, span, make_reencoding_context(data_set)))
    one, two = elements if len(elements) == len(data_sets) else (None, None)
    return one is not None and two is not None and find_difference(one, two) is None


def _agrees_once_freed(
    data_sets: tuple[DataSet, DataSet], tag: int, overlays: tuple[FreedOverlays, FreedOverlays]
) -> bool:
    """Whether an element of an overlay equals bits of the pixels in the other file."""
    made = [side.edit(tag) for side in overlays]
    if made.count(None) != 1:
        return False
    edit, other = (made[0], data_sets[1]) if made[0] is not None else (made[1], data_sets[0])
    span = other.find(tag)
    if span is None or not isinstance(edit, SetAttribute):
        return False
    freed = parse_element(encode_element(edit, EXPLICIT_LITTLE), "")
    stored = _read_element(other, span, make_reencoding_context(other))
    return freed is not None and stored is not None and find_difference(freed, stored) is None


def _make_change(tag: int, found: Difference, reason: str) -> AttributeChange:
    kinds = {"value": "changed", "items": "changed"}
    what = found.what if not found.where else "changed"
    return AttributeChange(
        format_tag(tag),
        find_keyword(tag),
        kinds.get(what, what),
        found.a,
        found.b,
        found.where,
        allowed=bool(reason),
        reason=reason,
    )


def _find_meta_differences(one: DicomFile, two: DicomFile) -> Iterator[tuple[int, Difference]]:
    heads = [  # of an element that is there again, the first counts
        {element.tag: element for element in reversed(file.head.elements)} for file in (one, two)
    ]
    for tag in sorted(heads[0].keys() | heads[1].keys()):
        a, b = heads[0].get(tag), heads[1].get(tag)
        texts = [_format_meta(element.vr, element.value) if element else "" for element in (a, b)]
        if a is None or b is None:
            yield tag, Difference("", "only in A" if a else "only in B", *texts)
        elif not bytes_agree(a.vr, a.value, b.value):
            yield tag, Difference("", "value", *texts)


def _format_meta(vr: str, value: bytes) -> str:
    row = VALUE_REPRESENTATIONS.get(vr)
    if row is None or not row.text:
        return f"{len(value)} bytes"
    return shorten(f'"{value.rstrip(b" \0").decode("latin-1")}"')


def _compare_elements(
    data_sets: tuple[DataSet, DataSet],
    spans: tuple[ElementSpan | None, ElementSpan | None],
    contexts: tuple[ReencodingContext, ReencodingContext],
) -> Difference | None:
    one, two = spans
    if one is not None and two is not None:
        if one.tag in PIXEL_DATA_TAGS:
            return None if one.vr == two.vr else Difference("", "VR", one.vr, two.vr)
        if _is_large(one) or _is_large(two):
            return _compare_large(data_sets, (one, two))
    elements = [
        None if span is None else _read_element(data_set, span, context)
        for data_set, span, context in zip(data_sets, spans, contexts, strict=True)
    ]
    first, second = elements
    if one is None or two is None:
        texts = [
            _format_element(span, element) for span, element in zip(spans, elements, strict=True)
        ]
        return Difference("", "only in B" if one is None else "only in A", *texts)
    if first is None or second is None:  # a group length, or nothing that can be read anew
        raw = [
            data_set.read_raw(span) for data_set, span in zip(data_sets, (one, two), strict=True)
        ]
        if raw[0] == raw[1] or not one.tag & 0xFFFF:
            return None
        return Difference("", "value", f"{len(raw[0])} bytes", f"{len(raw[1])} bytes")
    found = find_difference(first, second)
    if found is None and first.span.vr != second.span.vr:
        return Difference("", "VR", first.span.vr, second.span.vr)
    return found


def _is_large(span: ElementSpan) -> bool:
    return span.end - span.start > _HELD_SIZE and not span.undefined and span.vr != "SQ"


def _read_element(
    data_set: DataSet, span: ElementSpan, context: ReencodingContext
) -> Element | None:
    """Return an element in explicit VR little endian; None if it cannot be converted."""
    if span.tag in PIXEL_DATA_TAGS or _is_large(span):
        return None
    raw = data_set.read_raw(span)
    try:
        anew = reencode_elements(raw, data_set.find_encoding(span), EXPLICIT_LITTLE, context)
        return (
            parse_element(anew, data_set.read_text(tags.SPECIFIC_CHARACTER_SET)) if anew else None
        )
    except DicodecError:
        return None


def _format_element(span: ElementSpan | None, element: Element | None) -> str:
    if span is None:
        return ""
    return f"{span.length} bytes" if element is None else show(element, element.span.vr)


def _compare_large(
    data_sets: tuple[DataSet, DataSet], spans: tuple[ElementSpan, ElementSpan]
) -> Difference | None:
    chunks = []
    for data_set, span in zip(data_sets, spans, strict=True):
        row = VALUE_REPRESENTATIONS.get(span.vr)
        unit = 1 if row is None or data_set.encoding.little_endian else row.swap_unit
        range_ = span.value, span.value + span.length
        chunks.append(
            read_chunks(data_set.source, *range_)
            if unit == 1
            else swap_chunks(data_set.source, *range_, unit)
        )
    same = spans[0].length == spans[1].length and all(
        first == second for first, second in zip(*chunks, strict=True)
    )
    if not same:
        return Difference("", "value", *(f"{span.length} bytes" for span in spans))
    if not vrs_agree(spans[0].tag, spans[0].vr, spans[1].vr):
        return Difference("", "VR", spans[0].vr, spans[1].vr)
    return None
