"""Find the Digital Signatures that no longer hold once a conversion changes signed elements.

A signature is one of elements beside it, at the top level or in an item (PS3.3 C.12.1.1.3). It is
calculated over them in a transfer syntax of its own (MAC Calculation Transfer Syntax UID), so that
a lossless conversion of Pixel Data need not break it.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from dicodec.conversion.edits.items import is_sequence
from dicodec.conversion.planning.conversion_plan import Action, ConversionPlan
from dicodec.errors import DicodecError
from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetSequence
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import NamedTuple, replace
from dicodec.model.transfer_syntax import TransferSyntax, find_by_uid
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.dictionary import find_keyword
from dicodec.part10.edit_bytes import encode_element
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import PIXEL_DATA_TAGS, walk_elements
from dicodec.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, encode_tag, format_tag
from dicodec.part10.reencode import reencode_elements
from dicodec.part10.source import BytesSource
from dicodec.part10.writer import make_reencoding_context

_MOST_NAMES = 3
_SIGNATURES = tuple(
    encode_tag(tags.DIGITAL_SIGNATURES_SEQUENCE, encoding)
    for encoding in (EXPLICIT_LITTLE, EXPLICIT_BIG)
)


class _Signature(NamedTuple):
    """A Digital Signature of one level.

    Attributes:
        name: its UID, or its MAC ID Number.
        signed: tags of the elements that it signs; None if that is not stated.
        syntax: the transfer syntax that it was calculated in; None if it is not known.
    """

    name: str
    signed: Sequence[int] | None
    syntax: TransferSyntax | None


def list_broken_signatures(
    file: DicomFile, given: DicomFile, plan: ConversionPlan, edits: Sequence[Edit]
) -> list[str]:
    """Return a warning for each Digital Signature that no longer holds.

    Args:
        file: the source as it is converted.
        given: the source as it was opened, before it was standardized.
        plan: the plan of the pixels.
        edits: all changes of attributes.
    """
    try:
        return [*_list_at_top(file, given, plan, edits), *_list_in_items(file, plan, edits)]
    except DicodecError as error:
        return [f"the Digital Signatures cannot be read, and may no longer hold: {error.message}"]


def _list_at_top(
    file: DicomFile, given: DicomFile, plan: ConversionPlan, edits: Sequence[Edit]
) -> Iterator[str]:
    kept = given.data_set.find(tags.DIGITAL_SIGNATURES_SEQUENCE) is not None
    edited = {edit.tag for edit in edits}
    if not kept or tags.DIGITAL_SIGNATURES_SEQUENCE in edited:
        return
    changed = {edit.tag for edit in edits if _changes(file, plan, edit)}
    if file is not given:
        changed |= {
            span.tag
            for span in given.data_set.elements
            if span.tag not in PIXEL_DATA_TAGS
            and _is_rewritten(given.data_set, file.data_set, span)
        }
    for signature in _read_signatures(given.data_set):
        pixels = PIXEL_DATA_TAGS if _changes_pixels(file, plan, signature.syntax) else ()
        yield from _warn(signature, {*changed, *pixels}, "")


def _is_rewritten(before: DataSet, after: DataSet, span: ElementSpan) -> bool:
    other = after.find(span.tag)
    return other is None or before.read_raw(span) != after.read_raw(other)


def _changes(file: DicomFile, plan: ConversionPlan, edit: Edit) -> bool:
    """Whether an edit has an effect."""
    span = file.data_set.find(edit.tag)
    if isinstance(edit, RemoveAttribute) or span is None:
        return (span is None) is not isinstance(edit, RemoveAttribute)
    return encode_element(edit, plan.encoding) != _encode_anew(file.data_set, span, plan)


def _encode_anew(data_set: DataSet, span: ElementSpan, plan: ConversionPlan) -> bytes:
    """Return an element as the result has it if nothing changes."""
    return reencode_elements(
        data_set.read_raw(span),
        data_set.find_encoding(span),
        plan.encoding,
        make_reencoding_context(data_set),
    )


def _changes_pixels(file: DicomFile, plan: ConversionPlan, syntax: TransferSyntax | None) -> bool:
    """Whether Pixel Data is another value in the transfer syntax of a signature."""
    pixels = plan.pixels
    if pixels is None or plan.action is Action.MOVE_VALUE:
        return False
    if syntax is not None and syntax.encapsulated:  # items and streams are signed
        return True
    other = pixels.lossy or pixels.derived or pixels.steps or pixels.own_steps or pixels.overlays
    salvaged = file.frames.salvage is not None
    return (
        bool(other)
        or salvaged
        or _describe_describe_native(pixels.stated) != _describe_describe_native(pixels.result)
    )


def _describe_describe_native(image: ImagePixelDescription) -> ImagePixelDescription:
    """Return the description that the image has in native form."""
    if image.photometric_interpretation in {"YBR_RCT", "YBR_ICT"}:
        return replace(image, photometric_interpretation="RGB")
    return image


def _read_signatures(level: DataSet) -> Iterator[_Signature]:
    calculated = {
        item.read_number(tags.MAC_ID_NUMBER): item
        for item in level.read_items(tags.MAC_PARAMETERS_SEQUENCE)
    }
    for item in level.read_items(tags.DIGITAL_SIGNATURES_SEQUENCE):
        number = item.read_number(tags.MAC_ID_NUMBER)
        name = item.read_text(tags.DIGITAL_SIGNATURE_UID) or f"of MAC ID Number {number}"
        mac = calculated.get(number)
        if mac is None:
            yield _Signature(name, None, None)
            continue
        syntax = find_by_uid(mac.read_text(tags.MAC_CALCULATION_TRANSFER_SYNTAX_UID))
        yield _Signature(name, _read_tags(mac, tags.DATA_ELEMENTS_SIGNED), syntax)


def _read_tags(level: DataSet, tag: int) -> list[int] | None:
    span, value = level.find(tag), level.read_value(tag)
    if span is None or not value:
        return None
    order = level.choose_value_encoding(span).order
    words = struct.unpack(f"{order}{len(value) // 4 * 2}H", value[: len(value) // 4 * 4])
    return [group << 16 | element for group, element in zip(*[iter(words)] * 2, strict=True)]


def _warn(signature: _Signature, changed: Collection[int], path: str) -> Iterator[str]:
    if signature.signed is None:
        broken = sorted(changed)
    else:
        broken = [tag for tag in dict.fromkeys(signature.signed) if tag in changed]
        if tags.MAC_PARAMETERS_SEQUENCE in changed:
            broken.append(tags.MAC_PARAMETERS_SEQUENCE)
    if not broken:
        return
    names = ", ".join(find_keyword(tag) or format_tag(tag) for tag in islice(broken, _MOST_NAMES))
    more = f" and {len(broken) - _MOST_NAMES} more" if len(broken) > _MOST_NAMES else ""
    holds = "no longer holds" if signature.signed is not None else "may no longer hold"
    yield (
        f"the Digital Signature {signature.name}{f' in {path}' if path else ''} {holds}, because "
        f"these changed: {names}{more}"
    )


def _list_in_items(file: DicomFile, plan: ConversionPlan, edits: Sequence[Edit]) -> Iterator[str]:
    """Yield warnings of signatures inside sequences of the top level that are written anew."""
    for edit in edits:
        span = file.data_set.find(edit.tag)
        if span is None or not isinstance(edit, SetSequence):
            continue
        raw = file.data_set.read_raw(span)
        if any(tag in raw for tag in _SIGNATURES):
            before = _parse(_encode_anew(file.data_set, span, plan), plan)
            yield from _compare_items(before, _parse(encode_element(edit, plan.encoding), plan), "")


def _parse(element: bytes, plan: ConversionPlan) -> DataSet:
    source = BytesSource(element)
    spans = list(walk_elements(source, 0, len(element), plan.encoding))
    return DataSet(source, plan.encoding, spans)


def _compare_items(before: DataSet, after: DataSet, path: str) -> Iterator[str]:
    """Yield warnings of signatures in the items of all sequences of a level."""
    for span in before.elements:
        if not is_sequence(span) or after.find(span.tag) is None:
            continue
        inside = f"{path}.{format_tag(span.tag)}" if path else format_tag(span.tag)
        pairs = zip(before.read_items(span.tag), after.read_items(span.tag), strict=False)
        for number, (one, two) in enumerate(pairs):
            place = f"{inside}[{number}]"
            changed = {
                inner.tag
                for inner in (*one.elements, *two.elements)
                if _differs(one, two, inner.tag)
            }
            if two.find(tags.DIGITAL_SIGNATURES_SEQUENCE) is not None:
                for signature in _read_signatures(one):
                    yield from _warn(signature, changed, place)
            yield from _compare_items(one, two, place)


def _differs(one: DataSet, two: DataSet, tag: int) -> bool:
    spans = one.find(tag), two.find(tag)
    if spans[0] is None or spans[1] is None:
        return spans[0] is not spans[1]
    return one.read_raw(spans[0]) != two.read_raw(spans[1])
