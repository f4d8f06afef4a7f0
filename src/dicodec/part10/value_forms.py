"""Check the form of text by VR: a pattern, a length, a hint (PS3.5 table 6.2-1)."""

from __future__ import annotations

import datetime
import re
from functools import cache

from dicodec.errors import InvalidOptionError
from dicodec.model.records import NamedTuple


class ValueForm(NamedTuple):
    """The allowed form of one value of a text VR.

    Attributes:
        pattern: the whole value.
        limit: characters; None if only the length field sets one.
        hint: the form in words.
    """

    pattern: str
    limit: int | None
    hint: str

    def fits(self, value: str) -> bool:
        """Return whether a value has the form; its length is another matter."""
        return _compile(self.pattern).fullmatch(value) is not None


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern at its first use: all together take a millisecond at each start."""
    return re.compile(pattern, re.ASCII)


_CHARACTERS = r"[^\x00-\x1f\x7f\\]*"
_PARAGRAPHS = r"[^\x00-\x08\x0b\x0e-\x1f\x7f]*"
_TIME = r"([01]\d|2[0-3])([0-5]\d(([0-5]\d|60)(\.\d{1,6})?)?)?"
_YEAR_MONTH_DAY = r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
_GROUP = r"[^\x00-\x1f\x7f\\^=]*(\^[^\x00-\x1f\x7f\\^=]*){0,4}"


# fmt: off
VALUE_FORMS = {
    "AE": ValueForm(r"[\x20-\x5b\x5d-\x7e]*", 16, "ASCII characters"),
    "AS": ValueForm(r"\d{3}[DWMY]", 4, "three digits and one of D, W, M, Y, such as 045Y"),
    "CS": ValueForm(r"[A-Z0-9 _]*", 16, "upper case letters, digits, spaces and underscores"),
    "DA": ValueForm(_YEAR_MONTH_DAY, 8, "a date as YYYYMMDD"),
    "DS": ValueForm(r"[+-]?(\d+\.?\d*|\.\d+)([Ee][+-]?\d+)?", 16, "a decimal number"),
    "DT": ValueForm(rf"\d{{4}}((0[1-9]|1[0-2])((0[1-9]|[12]\d|3[01])({_TIME})?)?)?([+-]\d{{4}})?",
                26, "a date and time as YYYYMMDDHHMMSS.FFFFFF&ZZXX"),
    "IS": ValueForm(r"[+-]?\d+", 12, "a whole number"),
    "LO": ValueForm(_CHARACTERS, 64, "text without control characters"),
    "LT": ValueForm(_PARAGRAPHS, 10240, "text without control characters but tab and line ends"),
    "PN": ValueForm(rf"{_GROUP}(={_GROUP}){{0,2}}", None,
                "Family^Given^Middle^Prefix^Suffix, in up to three groups joined by ="),
    "SH": ValueForm(_CHARACTERS, 16, "text without control characters"),
    "ST": ValueForm(_PARAGRAPHS, 1024, "text without control characters but tab and line ends"),
    "TM": ValueForm(_TIME, 14, "a time as HHMMSS.FFFFFF"),
    "UC": ValueForm(_CHARACTERS, None, "text without control characters"),
    "UI": ValueForm(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*", 64,
                "numbers without leading zeros, joined by dots"),
    "UR": ValueForm(r"[!#-;=?-\[\]_a-z~%]*", None, "a URI without spaces"),
    "UT": ValueForm(_PARAGRAPHS, None, "text without control characters but tab and line ends"),
}
# fmt: on
PERSON_NAME_GROUP_LIMIT = 64
WHOLE_TEXT = frozenset({"LT", "ST", "UT", "UR"})
"""VRs in which a backslash is a character, not the end of a value (PS3.5 6.4)."""


def check_value(vr: str, value: str, attribute: str) -> None:
    """Check one value of a text VR; an empty one is always right.

    Raises:
        InvalidOptionError: too long, or not of the VR's form.
    """
    form = VALUE_FORMS[vr]
    if not value:
        return
    limit, longest = form.limit, len(value)
    if vr == "PN":
        limit, longest = PERSON_NAME_GROUP_LIMIT, max(map(len, value.split("=")))
    formed = form.fits(value)
    if formed and limit is not None and longest > limit:
        raise InvalidOptionError(
            f"{longest} characters are too many: VR {vr} holds {limit}", attribute=attribute
        )
    if not formed or not _is_possible(vr, value):
        hint = f"VR {vr} takes {form.hint}"
        if vr == "CS" and form.fits(value.upper()):
            hint += f": did you mean {value.upper()}?"
        raise InvalidOptionError(f"{value!r} is not a value", attribute=attribute, hint=hint)


def _is_possible(vr: str, value: str) -> bool:
    if vr == "IS":
        return -(1 << 31) <= int(value) < 1 << 31
    if vr == "AE":
        return bool(value.strip())
    if vr == "DA" or (vr == "DT" and len(value) >= 8 and value[:8].isdigit()):
        try:
            datetime.date(int(value[:4]), int(value[4:6]), int(value[6:8]))
        except ValueError:
            return False
    return True


def check_multiplicity(vm: str, count: int, attribute: str) -> None:
    """Check the number of values against a VM such as "1", "2-2n" or "1-3"; 0 is always right.

    Raises:
        InvalidOptionError: too few or too many.
    """
    least, _, most = vm.partition("-")
    if not count:
        return
    step = int(most[:-1] or 1) if most.endswith("n") else 0
    if step:
        right = count >= int(least) and count % step == 0
    else:
        right = int(least) <= count <= int(most or least)
    if not right:
        raise InvalidOptionError(
            f"{count} {'value' if count == 1 else 'values'}, but the VM is {vm}",
            attribute=attribute,
            hint="a backslash separates values",
        )
