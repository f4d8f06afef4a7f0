"""Parse the values of elements for rules and reports, and encode values that users write.

PS3.5 6.2, 6.4. Values are parsed only on demand; all others are moved as they are.
"""

from __future__ import annotations

import contextlib
import math
import re
import struct
from collections.abc import Callable, Sequence

from dicodec.errors import InvalidOptionError, MalformedFileError
from dicodec.part10.character_set import decode_text, encode_text
from dicodec.part10.dictionary import find_entry, parse_tag
from dicodec.part10.encoding import DataSetEncoding, format_tag
from dicodec.part10.value_forms import VALUE_FORMS, WHOLE_TEXT, check_multiplicity, check_value
from dicodec.part10.vr import VALUE_REPRESENTATIONS

NUMBER_CODES = {
    "US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d",
}  # fmt: skip
"""Binary numbers as the struct module writes them."""

_WHOLE_NUMBER = r"[+-]?\d+"
_SIGNED = {"US or SS": ("US", "SS"), "US or OW": ("US", "US"), "US or SS or OW": ("US", "SS")}

type Value = str | int | float


def parse_values(
    vr: str, raw: bytes, encoding: DataSetEncoding, character_set: str = ""
) -> tuple[Value, ...]:
    """Return the values of an element: text without padding, numbers, tags (AT) as 0xggggeeee.

    Numeric strings become numbers; decode_text gives them as they are written.

    Args:
        vr: any but SQ, UN and the O ones.
        raw: the value's bytes.
        encoding: of the data set.
        character_set: Specific Character Set, its values joined by backslashes.

    Raises:
        MalformedFileError: the bytes are not values of this VR.
    """
    if not raw:
        return ()
    if vr in NUMBER_CODES:
        return _unpack(encoding.order, NUMBER_CODES[vr], raw, vr)
    if vr == "AT":
        pairs = _unpack(encoding.order, "H", raw, vr)
        if len(pairs) % 2:
            raise MalformedFileError(f"{len(raw)} bytes are not values of VR AT")
        return tuple(int(pairs[i]) << 16 | int(pairs[i + 1]) for i in range(0, len(pairs), 2))
    if vr not in VALUE_FORMS:
        raise MalformedFileError(f"elements of VR {vr} have no values to parse")
    in_set = VALUE_REPRESENTATIONS[vr].in_character_set
    text = decode_text(raw, character_set if in_set else "", vr)
    if vr in WHOLE_TEXT:
        return (text.rstrip(" \0"),)
    texts = [one.strip(" \0") if vr != "UC" else one.rstrip(" \0") for one in text.split("\\")]
    if vr in {"DS", "IS"}:
        return tuple(_parse_number(vr, one) for one in texts if one)
    return tuple(texts)


def _unpack(order: str, code: str, raw: bytes, vr: str) -> tuple[int | float, ...]:
    count, rest = divmod(len(raw), struct.calcsize(order + code))
    if rest:
        raise MalformedFileError(f"{len(raw)} bytes are not values of VR {vr}")
    return struct.unpack(f"{order}{count}{code}", raw)


def _parse_number(vr: str, text: str) -> int | float:
    try:
        if vr == "IS" and re.fullmatch(_WHOLE_NUMBER, text):
            return int(text)
        number = float(text)
    except ValueError as cause:
        raise MalformedFileError(f"{text!r} is not a value of VR {vr}") from cause
    if vr == "IS" and number.is_integer():  # some writers put 1.0
        return int(number)
    if vr == "IS" or not math.isfinite(number):
        raise MalformedFileError(f"{text!r} is not a value of VR {vr}")
    return number


def encode_user_value(
    tag: int,
    text: str,
    character_set: str,
    encoding: DataSetEncoding,
    *,
    signed: bool | None = None,
) -> tuple[str, bytes]:
    """Return the VR and the value's bytes, not padded, for an attribute that a user sets.

    Args:
        tag: of the attribute; the dictionary gives its VR.
        text: as the user wrote it; a backslash separates values; "" for an empty value.
        character_set: Specific Character Set of the data set, its values joined by backslashes.
        encoding: of the data set that gets the value.
        signed: whether Pixel Representation is 1, for the VRs that it decides; if unknown, the sign
            of the values decides.

    Raises:
        InvalidOptionError: the attribute is not in the dictionary, or is neither text nor numbers;
            or the text is not of its VR's form, too long, or has letters that the data set lacks.
    """
    entry = find_entry(tag)
    attribute = entry.keyword if entry and entry.keyword else format_tag(tag)
    if entry is None or tag & 0x10000 or not tag & 0xFFFF:
        raise InvalidOptionError(
            "the attribute is not in the data dictionary and cannot be set",
            attribute=attribute,
            hint="private attributes and group lengths can be removed, not set",
        )
    vr = entry.vr
    if vr in _SIGNED:
        negative = "-" in text if signed is None else signed
        vr = _SIGNED[vr][negative]
    if vr not in VALUE_FORMS and vr not in NUMBER_CODES and vr != "AT":
        kind = "a sequence" if vr == "SQ" else f"binary data (VR {vr})"
        raise InvalidOptionError(
            f"the attribute is {kind} and cannot be set from text", attribute=attribute,
            hint="set attributes of text or numbers",
        )  # fmt: skip
    # Spaces around values have no meaning in most VRs; as padding they would be ambiguous.
    values = [text.rstrip()] if vr in WHOLE_TEXT else [one.strip() for one in text.split("\\")]
    if values == [""]:
        return vr, b""
    check_multiplicity(entry.vm, len(values), attribute)
    if vr == "AT":
        return vr, _encode_tags(values, attribute, encoding)
    if vr in NUMBER_CODES:
        return vr, _encode_numbers(vr, values, attribute, encoding)
    for value in values:
        check_value(vr, value, attribute)
    joined = "\\".join(values)
    if not VALUE_REPRESENTATIONS[vr].in_character_set:
        return vr, joined.encode("ascii")
    try:
        return vr, encode_text(joined, character_set, vr)
    except InvalidOptionError as error:
        error.with_location(attribute=attribute)
        raise


def _encode_tags(values: Sequence[str], attribute: str, encoding: DataSetEncoding) -> bytes:
    try:
        tags = [parse_tag(value) for value in values]
    except InvalidOptionError as error:
        error.with_location(attribute=attribute)
        raise
    pairs = [part for tag in tags for part in (tag >> 16, tag & 0xFFFF)]
    return struct.pack(f"{encoding.order}{len(pairs)}H", *pairs)


def _encode_numbers(
    vr: str, values: Sequence[str], attribute: str, encoding: DataSetEncoding
) -> bytes:
    code = encoding.order + NUMBER_CODES[vr] * len(values)
    form = VALUE_FORMS["DS" if vr in {"FL", "FD"} else "IS"]
    number: Callable[[str], int | float] = float if vr in {"FL", "FD"} else int
    if all(map(form.fits, values)):
        with contextlib.suppress(struct.error, OverflowError, ValueError):  # out of range
            return struct.pack(code, *map(number, values))
    bits = 8 * struct.calcsize(encoding.order + NUMBER_CODES[vr])
    kinds = {
        "U": f"whole numbers from 0 to {2**bits - 1}",
        "S": f"whole numbers from {-(2 ** (bits - 1))} to {2 ** (bits - 1) - 1}",
        "F": f"decimal numbers of {bits} bits",
    }
    raise InvalidOptionError(
        f"{'\\'.join(values)!r} is not a value",
        attribute=attribute,
        hint=f"VR {vr} takes {kinds[vr[0]]}",
    )
