"""Data dictionary: VR, VM and keyword of an element by its tag, and its tag by keyword.

PS3.6 for standard elements, PS3.5 7.8 for private ones. The data is loaded at the first call and
parsed only as far as calls need.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache, lru_cache

from dicodec.errors import InvalidOptionError
from dicodec.model.records import NamedTuple

_TAG_TEXT = r"\(?([0-9A-Fa-f]{4}),?\s?([0-9A-Fa-f]{4})\)?"
_KEY = 8
"""Digits of a tag, with which each line begins."""
_BLOCK = 1 << 12
"""Characters among which a line is looked for, and to the end of the last one."""
_AMBIGUOUS_PRIVATE = {"OB/OW": "OB or OW", "US/SS": "US or SS"}


class DictionaryEntry(NamedTuple):
    """The entry of an element in the dictionary.

    Attributes:
        vr: two letters, or a choice as the standard prints it: "US or SS".
        vm: "1", "2-2n", ...
        keyword: "" for the few retired elements without one.
    """

    vr: str
    vm: str
    keyword: str


def _find_line(key: str) -> list[str] | None:
    """Return the fields of the line that begins with a key; None if there is no such line.

    The lines are in order, and are not split: that takes longer than all that a small file asks.
    """
    from dicodec.part10._dictionary_data import ELEMENTS

    keys, starts = _index_lines()
    block = bisect_right(keys, key)
    if not block:
        return None
    # Nothing but the key of a line is eight digits before a tab.
    place = ELEMENTS.find(f"{key}\t", starts[block - 1], starts[block])
    return None if place < 0 else ELEMENTS[place : ELEMENTS.index("\n", place)].split("\t")


@cache
def _index_lines() -> tuple[list[str], list[int]]:
    """Return the keys of some lines, evenly spread, and where these begin; behind them, the end."""
    from dicodec.part10._dictionary_data import ELEMENTS

    ends = [ELEMENTS.index("\n", place) + 1 for place in range(_BLOCK, len(ELEMENTS), _BLOCK)]
    starts = [0, *[end for end in ends if end < len(ELEMENTS)]]
    return [ELEMENTS[start : start + _KEY] for start in starts], [*starts, len(ELEMENTS)]


@cache
def _load_repeating() -> list[tuple[int, int, DictionaryEntry]]:
    from dicodec.part10._dictionary_data import REPEATING

    rows = []
    for line in REPEATING.splitlines():
        pattern, vr, vm, keyword = line.split("\t")
        mask = int("".join("0" if digit == "x" else "F" for digit in pattern), 16)
        rows.append((mask, int(pattern.replace("x", "0"), 16), DictionaryEntry(vr, vm, keyword)))
    return rows


@lru_cache(maxsize=1 << 14)
def find_entry(tag: int) -> DictionaryEntry | None:
    """Return the entry of a standard element, repeating groups included; None if there is none.

    Group Length (gggg,0000) of any group is UL (PS3.5 7.2), a Private Creator (gggg,0010-00FF) of
    an odd group is LO (PS3.5 7.8.1).
    """
    line = _find_line(f"{tag:08X}")
    if line is not None:
        _, vr, vm, keyword = line
        return DictionaryEntry(vr, vm, "" if keyword == "-" else keyword)
    number = tag & 0xFFFF
    if number == 0:
        return DictionaryEntry("UL", "1", "")
    if tag & 0x10000:
        return DictionaryEntry("LO", "1", "") if 0x10 <= number <= 0xFF else None
    for mask, value, entry in _load_repeating():
        if tag & mask == value:
            return entry
    return None


def find_vr(tag: int) -> str | None:
    """Return the VR of a standard element, "US or SS" and the like as such; None if unknown."""
    entry = find_entry(tag)
    return entry.vr if entry else None


def find_keyword(tag: int) -> str:
    """Return the keyword of a standard element, "" if it has none."""
    entry = find_entry(tag)
    return entry.keyword if entry else ""


@cache
def _index_keywords() -> dict[str, int]:
    from dicodec.part10._dictionary_data import ELEMENTS

    tags = {}
    for line in ELEMENTS.splitlines():
        tag, _, _, keyword = line.split("\t")
        tags[keyword] = int(tag, 16)
    del tags["-"]
    return tags


def find_tag(text: str) -> int | None:
    """Return the tag that a keyword or a tag as text names, or None: see `parse_tag`."""
    text = text.strip()
    tag = _index_keywords().get(text)
    if tag is None and (match := re.fullmatch(_TAG_TEXT, text)):
        return int(match[1] + match[2], 16)
    return tag


def parse_tag(text: str) -> int:
    """Return the tag that a keyword or a tag as text names.

    Args:
        text: PatientID, 00100020, 0010,0020 or (0010,0020). Keywords of repeating groups name more
            than one tag and are not taken.

    Raises:
        InvalidOptionError: the text is neither a known keyword nor a tag.
    """
    tag = find_tag(text)
    if tag is not None:
        return tag
    text = text.strip()
    from dicodec.model.similar_names import suggest

    otherwise = "give a DICOM keyword or a tag such as 00100020"
    raise InvalidOptionError(
        f"there is no attribute {text!r}",
        hint=suggest(text, _index_keywords(), otherwise, cutoff=0.8),
    )


@lru_cache(maxsize=1 << 10)
def _load_private_elements(creator: str) -> dict[str, str]:
    from dicodec.part10._dictionary_data import PRIVATE

    if not creator or "\n" in creator:
        return {}
    heading = f"\n[{creator}]\n"
    start = PRIVATE.find(heading)
    if start < 0:
        return {}
    start += len(heading)
    elements: dict[str, str] = {}
    for line in PRIVATE[start : PRIVATE.find("\n[", start - 1) + 1 or None].splitlines():
        group, *entries = line.split(" ")
        for entry in entries:  # xx08CS: any block, element 08, CS
            elements[group + entry[:4]] = entry[4:]
    return elements


@lru_cache(maxsize=1 << 14)
def find_private_vr(creator: str, tag: int) -> str | None:
    """Return the VR of a private element, None if unknown (PS3.5 7.8.1).

    Args:
        creator: the value of the Private Creator element that reserved the block of this element.
        tag: with the block as it is in the data set.
    """
    elements = _load_private_elements(creator)
    if not elements:
        return None
    text = f"{tag:08X}"
    keys = (text, f"{text[:4]}xx{text[6:]}", f"{text[:2]}xxxx{text[6:]}")
    vr = next((elements[key] for key in keys if key in elements), None)
    return _AMBIGUOUS_PRIVATE.get(vr, vr) if vr else None
