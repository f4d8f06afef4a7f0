"""Compare elements by meaning; VRs stated or not, byte order, lengths and padding do not count.

Elements come re-encoded to explicit VR little endian. Inside of UN, which keeps implicit VR
(PS3.5 6.2.2), the other side's VR counts.
"""

from __future__ import annotations

from contextlib import suppress

from dicodec.errors import DicodecError, MalformedFileError
from dicodec.model import tags
from dicodec.model.records import NamedTuple
from dicodec.part10.character_set import decode_text
from dicodec.part10.dictionary import find_keyword, find_vr
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import (
    ITEM,
    SEQUENCE_DELIMITER,
    ItemSpan,
    KnownEnds,
    find_encoding_of_explicit_items,
    walk_elements,
    walk_items,
)
from dicodec.part10.encoding import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    DataSetEncoding,
    encode_tag,
    format_tag,
)
from dicodec.part10.other_kinds import convert_value, is_of_another_kind
from dicodec.part10.source import ByteSource, BytesSource
from dicodec.part10.values import NUMBER_CODES, parse_values
from dicodec.part10.vr import VALUE_REPRESENTATIONS, states_vr

_LONGEST_SHOWN = 72
_LEAD = 12
"""Characters shown before the first that differs in two long texts."""

_UNKNOWN = frozenset({"", "UN"})
_ITEM_TAG = encode_tag(ITEM, EXPLICIT_LITTLE)
_DELIMITER = encode_tag(SEQUENCE_DELIMITER, EXPLICIT_LITTLE) + bytes(4)


class Element(NamedTuple):
    """One element in its source, in little endian.

    Attributes:
        source: the bytes that hold it.
        encoding: with or without VRs.
        span: its offsets.
        character_set: Specific Character Set that applies to it.
        ends: of sequences of the source, see KnownEnds.
        depth: of nesting.
    """

    source: ByteSource
    encoding: DataSetEncoding
    span: ElementSpan
    character_set: str
    ends: KnownEnds
    depth: int = 0

    @property
    def value(self) -> bytes:
        """The value's bytes."""
        return self.source.read(self.span.value, self.span.length)


class Difference(NamedTuple):
    """The first difference between two elements.

    Attributes:
        where: "" for the element itself, else the path to it: "[0].CodeValue".
        what: "value", "VR", "items", "only in A" or "only in B".
        a, b: the value of each there, for people.
    """

    where: str
    what: str
    a: str
    b: str


def parse_element(raw: bytes, character_set: str = "") -> Element:
    """Return the one element that bytes in explicit VR little endian hold.

    Raises:
        MalformedFileError: they hold none, or more than one.
    """
    source = BytesSource(raw)
    ends: KnownEnds = {}
    spans = list(walk_elements(source, 0, len(raw), EXPLICIT_LITTLE, depth=1, ends=ends))
    if len(spans) != 1:
        raise MalformedFileError(f"expected one element, found {len(spans)}")
    return Element(source, EXPLICIT_LITTLE, spans[0], character_set, ends)


def name_attribute(tag: int) -> str:
    """Return the keyword of an attribute, or its tag if it has none."""
    return find_keyword(tag) or format_tag(tag)


def find_difference(one: Element, two: Element) -> Difference | None:
    """Return the first difference in meaning between two elements of the same tag, or None."""
    if "SQ" in {one.span.vr, two.span.vr} or one.span.undefined or two.span.undefined:
        return _compare_sequences(one, two)
    vr = one.span.vr if one.span.vr not in _UNKNOWN else two.span.vr
    if is_of_another_kind(one.span.vr, two.span.vr) and _numbers_agree(one, two):
        return Difference("", "VR", one.span.vr, two.span.vr)
    if not _values_agree(vr, one, two):
        if vr in _UNKNOWN and one.value[:4] == two.value[:4] == _ITEM_TAG:
            return _compare_sequences(one, two)
        return Difference("", "value", *_show_apart(one, two, vr))
    if not vrs_agree(one.span.tag, one.span.vr, two.span.vr):
        return Difference("", "VR", one.span.vr, two.span.vr)
    return None


def vrs_agree(tag: int, one: str, two: str) -> bool:
    """Return whether two VRs agree, or one is not stated, or the dictionary leaves the choice."""
    if one == two or one in _UNKNOWN or two in _UNKNOWN:
        return True
    return {one, two} <= set((find_vr(tag) or "").split(" or "))


def bytes_agree(vr: str, one: bytes, two: bytes) -> bool:
    """Return whether two values are equal except for padding at their end."""
    if one == two:
        return True
    row = VALUE_REPRESENTATIONS.get(vr)
    if row is not None and row.text:
        return one.rstrip(b" \0") == two.rstrip(b" \0")
    shorter, longer = sorted((one, two), key=len)
    return longer in {shorter + b"\0", shorter + b" "} and len(longer) % 2 == 0


def _values_agree(vr: str, one: Element, two: Element) -> bool:
    first, second = one.value, two.value
    row = VALUE_REPRESENTATIONS.get(vr)
    plain = first.isascii() and second.isascii() and b"\x1b" not in first + second
    if one.character_set == two.character_set or row is None or not row.in_character_set or plain:
        return bytes_agree(vr, first, second)
    texts = (
        decode_text(raw, side.character_set, vr).rstrip(" \0")
        for raw, side in ((first, one), (second, two))
    )
    return next(texts) == next(texts)


def _numbers_agree(one: Element, two: Element) -> bool:
    """Whether the values of two VRs are the same once either is converted to the other's."""
    for first, second in ((one, two), (two, one)):
        vrs = first.span.vr, second.span.vr
        with suppress(MalformedFileError):
            made = convert_value(first.value, *vrs, EXPLICIT_LITTLE, EXPLICIT_LITTLE)
            if bytes_agree(second.span.vr, made, second.value):
                return True
    return False


def _compare_sequences(one: Element, two: Element) -> Difference | None:
    if _read_alike(one, two):
        return None
    items, others = find_items(one), find_items(two)
    if items is None or others is None:
        if bytes_agree("", one.value, two.value):
            return None
        return Difference("", "value", show(one, one.span.vr), show(two, two.span.vr))
    if len(items) != len(others):
        return Difference("", "items", show(one, "SQ"), show(two, "SQ"))
    for number, (item, other) in enumerate(zip(items, others, strict=True)):
        found = _compare_items(one, item, two, other)
        if found is not None:
            return found._replace(where=f"[{number}]{found.where}")
    return None


def _read_alike(one: Element, two: Element) -> bool:
    """Return whether two elements are the same bytes, and nothing around them reads otherwise."""
    first, second = one.span, two.span
    return (
        (first.vr, first.undefined, first.length, one.encoding, one.character_set)
        == (second.vr, second.undefined, second.length, two.encoding, two.character_set)
    ) and one.value == two.value


def _compare_items(
    one: Element, item: ItemSpan, two: Element, other: ItemSpan
) -> Difference | None:
    first, second = _index_elements(one, item), _index_elements(two, other)
    for tag in sorted(first.keys() | second.keys()):
        a, b = first.get(tag), second.get(tag)
        if a is None or b is None:
            present = a or b
            assert present is not None, "one of them has the tag"
            text = show(present, present.span.vr)
            what = "only in A" if a else "only in B"
            found: Difference | None = Difference("", what, text if a else "", text if b else "")
        else:
            found = find_difference(a, b)
        if found is not None:
            return found._replace(where=f".{name_attribute(tag)}{found.where}")
    return None


def find_items(element: Element) -> list[ItemSpan] | None:
    """Return the items of a sequence, stated as such or as UN; None if it does not hold items."""
    if element.span.vr not in {"SQ", *_UNKNOWN}:
        return None
    span = element.span
    items = _walk_items(element, span)
    if items is None and element.source.read(span.end - 8, 8) == _DELIMITER:
        # Some writers put a delimiter behind the items of a defined length, too.
        return _walk_items(element, span._replace(undefined=True))
    return items


def _walk_items(element: Element, span: ElementSpan) -> list[ItemSpan] | None:
    encoding = _find_inner_encoding(element)
    try:
        items = walk_items(element.source, span, encoding, depth=element.depth, ends=element.ends)
        return list(items)
    except DicodecError:
        return None


def _find_inner_encoding(element: Element) -> DataSetEncoding:
    if element.span.vr not in _UNKNOWN:
        return element.encoding
    first = element.source.read(element.span.value, 16)
    return find_encoding_of_explicit_items(first) or (
        EXPLICIT_LITTLE if states_vr(first[8:]) else IMPLICIT_LITTLE
    )


def _index_elements(element: Element, item: ItemSpan) -> dict[int, Element]:
    """Return the elements of an item by tag, group lengths left out; of duplicates the first."""
    encoding = _find_inner_encoding(element)
    depth = element.depth + 1
    character_set = element.character_set
    found: dict[int, Element] = {}
    end = item.value + item.length
    ends = element.ends
    for span in walk_elements(element.source, item.value, end, encoding, depth=depth, ends=ends):
        if span.tag == tags.SPECIFIC_CHARACTER_SET:
            raw = element.source.read(span.value, span.length)
            character_set = raw.strip(b"\0 ").decode("latin-1")
        if span.tag & 0xFFFF and span.tag not in found:
            found[span.tag] = Element(element.source, encoding, span, character_set, ends, depth)
    return found


def show(element: Element, vr: str) -> str:
    """Return a value for people, on one short line."""
    if vr == "SQ":
        items = find_items(element)
        if items is not None:
            return f"{len(items)} item{'' if len(items) == 1 else 's'}"
    row = VALUE_REPRESENTATIONS.get(vr)
    raw = element.source.read(element.span.value, min(element.span.length, 1 << 10))
    if not raw:
        return "empty"
    if row is not None and row.text:
        text = decode_text(raw, element.character_set, vr).rstrip(" \0")
        return shorten(f'"{text}"')
    if vr in NUMBER_CODES or vr == "AT":
        try:
            values = parse_values(vr, raw, EXPLICIT_LITTLE)
        except MalformedFileError:
            values = ()
        if values:
            texts = (format_tag(int(one)) if vr == "AT" else f"{one}" for one in values)
            return shorten("\\".join(texts))
    return f"{element.span.length} bytes: {shorten(raw[:12].hex(' '), 36)}"


def _show_apart(one: Element, two: Element, vr: str) -> tuple[str, str]:
    """Return two values for people; of long text, the part around the first difference."""
    row = VALUE_REPRESENTATIONS.get(vr)
    if row is None or not row.text or max(one.span.length, two.span.length) < _LONGEST_SHOWN:
        return show(one, vr), show(two, vr)
    texts = [decode_text(side.value, side.character_set, vr).rstrip(" \0") for side in (one, two)]
    pairs = enumerate(zip(*texts, strict=False))
    same = next((i for i, (a, b) in pairs if a != b), min(map(len, texts)))
    start = same - _LEAD if same > _LONGEST_SHOWN - _LEAD else 0
    first, second = (
        shorten(f'{"..." if start else ""}"{text[start:]}"') if text else "empty" for text in texts
    )
    return first, second


def shorten(text: str, length: int = _LONGEST_SHOWN) -> str:
    """Return text that a terminal can show: without control characters, cut if it is long."""
    clean = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
    return clean if len(clean) <= length else f"{clean[: length - 3]}..."
