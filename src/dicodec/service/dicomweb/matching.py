"""Match attributes with the values of a search (PS3.4 C.2.2.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dicodec.model.records import dataclass

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_LITERAL = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UI", "UL", "US", "UV"})
"""VRs whose values have no wildcards."""

_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on an attribute.

    Attributes:
        path: its tag; behind that of a sequence, one in the items.
        wanted: values, one of which has to match; "" matches all.
    """

    path: Sequence[int]
    wanted: Sequence[str]

    def holds(self, attributes: Mapping[str, Any]) -> bool:
        """Return whether a data set in the DICOM JSON Model meets the condition."""
        return "" in self.wanted or self._holds(attributes, self.path)

    def _holds(self, attributes: Mapping[str, Any], path: Sequence[int]) -> bool:
        tag, *inner = path
        element = attributes.get(f"{tag:08X}", {})
        values = element.get("Value", [])
        if inner:
            return any(isinstance(one, dict) and self._holds(one, inner) for one in values)
        vr = str(element.get("vr", ""))
        return any(_matches(value, vr, wanted) for value in values for wanted in self.wanted)


def _matches(value: Any, vr: str, wanted: str) -> bool:
    if vr == "PN":
        groups = [str(value.get(name, "")) for name in _GROUPS] if isinstance(value, dict) else []
        whole = "=".join(groups).rstrip("=")
        folded = wanted.casefold()
        return any(match_wildcards(one.casefold(), folded) for one in (whole, *groups) if one)
    text = "" if value is None else str(value)
    if vr in {"DA", "TM"}:
        return _is_within(text, vr, wanted)
    if text == wanted:
        return True
    if vr in _NUMBERS and _is_same_number(text, wanted):
        return True
    return vr not in _LITERAL and match_wildcards(text, wanted)


def _is_same_number(text: str, wanted: str) -> bool:
    try:
        return float(text) == float(wanted)
    except ValueError:
        return False


def _is_within(text: str, vr: str, wanted: str) -> bool:
    """Return whether a date or time is the wanted one, or in the wanted range (C.2.2.2.5)."""
    first, dash, last = wanted.partition("-")
    if not dash:
        last = first
    low, high = (_fill(one, vr, filler) for one, filler in ((first, "0"), (last, "9")))
    found = _fill(text, vr, "0")
    return bool(text) and low <= found and (not last.strip() or found <= high)


def _fill(text: str, vr: str, filler: str) -> str:
    """Return a date or time with all digits, so that texts compare as their values do."""
    plain = text.strip().replace(".", "" if vr == "DA" else ".").replace(":", "")
    whole, _, fraction = plain.partition(".")
    size = 8 if vr == "DA" else 6
    return whole.ljust(size, filler) + fraction.ljust(6, filler)


def match_wildcards(text: str, pattern: str) -> bool:
    """Return whether a text has the form of a pattern, in which * is anything, and ? a character.

    The time is the product of both lengths at most, whatever the pattern is.
    """
    at, place, star, behind = 0, 0, -1, 0
    while at < len(text):
        if place < len(pattern) and pattern[place] == "*":
            star, behind = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in {"?", text[at]}:
            at, place = at + 1, place + 1
        elif star >= 0:  # let the last star take a character more
            behind += 1
            at, place = behind, star + 1
        else:
            return False
    return not pattern[place:].strip("*")
