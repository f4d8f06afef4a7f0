"""Find the right VR of an element, and check whether its value could have it (PS3.5 6.2, PS3.6)."""

from __future__ import annotations

from dicodec.errors import InvalidOptionError
from dicodec.part10.character_set import decode_text
from dicodec.part10.dictionary import find_entry
from dicodec.part10.implicit_vr import Level, find_header_by_level, find_header_by_tag
from dicodec.part10.other_kinds import is_of_another_kind
from dicodec.part10.value_forms import (
    PERSON_NAME_GROUP_LIMIT,
    VALUE_FORMS,
    WHOLE_TEXT,
    check_multiplicity,
)
from dicodec.part10.values import NUMBER_CODES
from dicodec.part10.vr import SHORT_FORM_LIMIT, VALUE_REPRESENTATIONS

CHECKED_SIZE = 1 << 16
"""Text beyond this many bytes is in VRs without a bound, and is not looked at."""

_CONTROLS = frozenset(b"\t\n\f\r\x1b")


def find_known_vr(tag: int, first: bytes, level: Level) -> str:
    """Return the VR that the dictionaries give an element; "UN" if they do not know it.

    Args:
        tag: of the element.
        first: its value, as far as a Private Creator's would go.
        level: the level it belongs to.
    """
    header = find_header_by_tag(tag) or find_header_by_level(tag, first, level)
    return header.name.decode()


def find_allowed_vrs(tag: int) -> frozenset[str]:
    """Return the VRs that PS3.6 lets an element have; none if it does not know the tag."""
    entry = find_entry(tag)
    return frozenset(entry.vr.split(" or ")) if entry else frozenset()


def kinds_agree(one: str, other: str) -> bool:
    """Whether two VRs hold the same kind of value: text, or binary in units of one size."""
    first, second = VALUE_REPRESENTATIONS[one], VALUE_REPRESENTATIONS[other]
    if "SQ" in {one, other} or "UN" in {one, other} or is_of_another_kind(one, other):
        return False
    if first.text or second.text:
        return first.text and second.text
    return first.swap_unit == second.swap_unit


def value_fits(vr: str, tag: int, length: int, value: bytes, character_set: str) -> bool:
    """Whether a value could be one of a VR.

    Args:
        vr: any.
        tag: of the element, whose multiplicity counts.
        length: bytes of the value.
        value: the value, or its first CHECKED_SIZE bytes.
        character_set: Specific Character Set.
    """
    row = VALUE_REPRESENTATIONS[vr]
    if vr in {"SQ", "UN"} or (not row.long_form and length > SHORT_FORM_LIMIT):
        return False
    if row.text:
        return (
            not find_text_faults(vr, tag, value, character_set) if length <= CHECKED_SIZE else True
        )
    if length % row.swap_unit or (vr == "AT" and length % 4):
        return False
    if vr in NUMBER_CODES or vr == "AT":
        return _multiplicity_fits(tag, length // max(row.swap_unit, 4 if vr == "AT" else 1))
    return True


def find_text_faults(vr: str, tag: int, value: bytes, character_set: str) -> str:
    """Return the fault of a text value in words; "" if there is none."""
    row = VALUE_REPRESENTATIONS[vr]
    raw = value.rstrip(b"\0") if vr == "UI" else value
    if any(byte < 0x20 and byte not in _CONTROLS for byte in raw):
        return "holds control characters"
    text = decode_text(raw, character_set if row.in_character_set else "", vr)
    values = [text] if vr in WHOLE_TEXT else text.split("\\")
    form = VALUE_FORMS[vr]
    for one in values:
        bare = one.strip(" ")
        longest = len(bare)
        limit = form.limit
        if vr == "PN":
            limit, longest = PERSON_NAME_GROUP_LIMIT, max(map(len, bare.split("=")))
        if limit is not None and longest > limit:
            return f"has {longest} characters, but VR {vr} holds {limit}"
        if bare and not row.in_character_set and not form.fits(bare):
            return f"is not of the form of VR {vr}"
    # A value of no length is allowed with any multiplicity (PS3.5 7.4.2, 7.4.4).
    count = len(values) if text.strip(" ") else 0
    return "" if _multiplicity_fits(tag, count) else "has too many or too few values"


def _multiplicity_fits(tag: int, count: int) -> bool:
    entry = find_entry(tag)
    if entry is None or not count:
        return True
    try:
        check_multiplicity(entry.vm, count, "")
    except InvalidOptionError:
        return False
    return True
