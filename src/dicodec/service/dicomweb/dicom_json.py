"""The DICOM JSON Model: a data set as JSON, large values as addresses (PS3.18 Annex F)."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress

from dicodec.errors import DicodecError
from dicodec.model import tags
from dicodec.model.records import dataclass
from dicodec.part10.character_set import decode_text
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_vr
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import PIXEL_DATA_TAGS
from dicodec.part10.reencode import swap_bytes
from dicodec.part10.values import NUMBER_CODES, parse_values
from dicodec.part10.vr import VALUE_REPRESENTATIONS

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_UTF_8 = "ISO_IR 192"
_LARGEST_INLINE = 4096
"""Bytes of a binary value that is written in place; a longer one is an address."""

_LARGEST_TEXT = 1 << 20
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_LEFT_OUT = frozenset({tags.DATA_SET_TRAILING_PADDING, *tags.ENCAPSULATED_ATTRIBUTES})
_UNDECIDED = {"US or SS": ("US", "SS"), "US or OW": ("OW", "OW"), "US or SS or OW": ("OW", "OW"),
              "OB or OW": ("OW", "OW")}  # fmt: skip
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


@dataclass(frozen=True, slots=True)
class _Level:
    """What all elements of a data set share.

    Attributes:
        signed: whether Pixel Representation is 1.
        character_set: Specific Character Set, its values joined by backslashes.
        bulk: URL before the tags of bulk data.
    """

    signed: bool
    character_set: str
    bulk: str


def make_json(
    data_set: DataSet, bulk: str, replaced: Mapping[int, dict[str, Any]]
) -> dict[str, Any]:
    """Return a data set in the DICOM JSON Model, without group lengths.

    Args:
        data_set: the top level.
        bulk: URL of the instance's bulk data, to which tags are added.
        replaced: attributes that get other values, or are added, by tag.
    """
    character_set = data_set.read_text(tags.SPECIFIC_CHARACTER_SET)
    signed = data_set.read_number(tags.PIXEL_REPRESENTATION) == 1
    found = _write_level(data_set, _Level(signed, character_set, bulk))
    if character_set:
        found["00080005"] = {"vr": "CS", "Value": [_UTF_8]}  # PS3.18 F.2: JSON is UTF-8
    found |= {f"{tag:08X}": element for tag, element in replaced.items()}
    return dict(sorted(found.items()))


def make_some_json(
    data_set: DataSet, wanted: Sequence[int], largest: int
) -> dict[int, dict[str, Any]]:
    """Return some attributes of a data set in the DICOM JSON Model, by tag.

    Those that are absent are left out, and so are binary ones, and those that cannot be read.

    Args:
        data_set: the top level.
        wanted: tags of the attributes.
        largest: bytes of a value at most; larger ones are left out, too.
    """
    signed = data_set.read_number(tags.PIXEL_REPRESENTATION) == 1
    level = _Level(signed, data_set.read_text(tags.SPECIFIC_CHARACTER_SET), "")
    found: dict[int, dict[str, Any]] = {}
    for tag in wanted:
        span = data_set.find(tag)
        if span is None or span.end - span.start > largest:
            continue
        with suppress(DicodecError):
            element = _write_element(data_set, span, level)
            if "InlineBinary" not in element and "BulkDataURI" not in element:
                found[tag] = element
    return found


def _write_level(data_set: DataSet, level: _Level) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for span in data_set.elements:
        if not span.tag & 0xFFFF or span.tag in _LEFT_OUT:
            continue
        name = f"{span.tag:08X}"
        if name not in found:  # of duplicates the first counts
            found[name] = _write_element(data_set, span, level)
    return found


def find_element_vr(span: ElementSpan, *, signed: bool) -> str:
    """Return the VR of an element, by the dictionary if the data set does not state it.

    Args:
        span: the element.
        signed: whether Pixel Representation is 1.
    """
    vr = span.vr
    if vr in {"", "UN"}:
        vr = find_vr(span.tag) or vr or "UN"
    if vr in _UNDECIDED:
        vr = _UNDECIDED[vr][signed]
    return "SQ" if vr == "UN" and span.undefined else vr


def _write_element(data_set: DataSet, span: ElementSpan, level: _Level) -> dict[str, Any]:
    vr = find_element_vr(span, signed=level.signed)
    place = f"{level.bulk}/{span.tag:08X}"
    if span.tag in PIXEL_DATA_TAGS:
        return {"vr": vr, "BulkDataURI": place}
    if vr == "SQ":
        return _write_sequence(data_set, span, level, place)
    if not span.length:
        return {"vr": vr}
    binary = vr in _BINARY or vr not in VALUE_REPRESENTATIONS
    if span.length > (_LARGEST_INLINE if binary else _LARGEST_TEXT):
        return {"vr": vr, "BulkDataURI": place}
    raw = data_set.read_raw_value(span)
    if binary:
        content = to_little_endian(data_set, span, vr, raw)
        return {"vr": vr, "InlineBinary": base64.b64encode(content).decode("ascii")}
    values = _write_values(data_set, span, vr, raw, level)
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _write_sequence(
    data_set: DataSet, span: ElementSpan, level: _Level, place: str
) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    try:
        for number, item in enumerate(data_set.read_items(span.tag), start=1):
            own = item.read_text(tags.SPECIFIC_CHARACTER_SET) or level.character_set
            inner = _Level(level.signed, own, f"{place}/{number}")
            items.append(_write_level(item, inner))
    except DicodecError:
        # What is not a sequence is shown as it is, because it may still say something to somebody.
        return {"vr": "UN", "BulkDataURI": place}
    return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}


def to_little_endian(data_set: DataSet, span: ElementSpan, vr: str, raw: bytes) -> bytes:
    """Return the bytes of a binary value in little endian, as bulk data are (8.7.3.3.1)."""
    row = VALUE_REPRESENTATIONS.get(vr)
    if row is None or row.swap_unit < 2 or data_set.choose_value_encoding(span).little_endian:
        return raw
    return bytes(swap_bytes(raw[: len(raw) // row.swap_unit * row.swap_unit], row.swap_unit))


def _write_values(
    data_set: DataSet, span: ElementSpan, vr: str, raw: bytes, level: _Level
) -> list[Any]:
    if vr == "PN":
        names = decode_text(raw, level.character_set, vr).split("\\")
        return [_write_name(name) for name in names]
    try:
        values = parse_values(vr, raw, data_set.find_encoding(span), level.character_set)
    except DicodecError:
        text = decode_text(raw, level.character_set, "LO").strip("\0 ")
        return [one.strip() for one in text.split("\\")]
    if vr == "AT":
        return [f"{value:08X}" for value in values]
    if vr in NUMBER_CODES or vr in {"DS", "IS"}:
        return [_write_number(value) for value in values]
    return [value or None for value in values]


def _write_number(value: str | float) -> str | int | float:
    """Return a number; one that JSON does not have becomes text (F.2.3)."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _write_name(text: str) -> dict[str, str] | None:
    groups = [group.strip(" \0") for group in text.split("=")]
    named = {name: group for name, group in zip(_NAME_GROUPS, groups, strict=False) if group}
    return named or None
