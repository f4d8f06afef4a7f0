"""Conditions of a rule on one fact: values, a range or a pattern; parse and test them."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from dicodec.batch.policy.facts import FactKind, FactValue, FoundValue, OpaqueValue
from dicodec.errors import InvalidOptionError
from dicodec.model.records import dataclass, fields
from dicodec.model.similar_names import suggest
from dicodec.model.sizes import parse_size

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_LONGEST_MATCHED = 1024
"""Characters that a regular expression is tried on."""

type Limit = int | float | str
"""End of a range. Numbers are compared as numbers, text (dates, times) as text."""

_TYPES: dict[FactKind, type | tuple[type, ...]] = {
    FactKind.TEXT: str,
    FactKind.NUMBER: (int, float),
    FactKind.FLAG: bool,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueTest:
    """A test of a fact's values. All given parts must hold for one and the same value.

    Attributes:
        any_of: allowed values; text may have the wildcards * and ?.
        min, max: ends of a range, both inclusive.
        regex: regular expression that the whole text must match; text of more than 1024 characters
            never does, because some patterns take time by a power of its length.
        present: True if there must be a value, False if there must be none.
        excluded: test that must not hold for any value; a fact without values passes.
    """

    any_of: tuple[FactValue, ...] | None = None
    min: Limit | None = None
    max: Limit | None = None
    regex: str | None = None
    present: bool | None = None
    excluded: ValueTest | None = None

    def holds(self, values: tuple[FoundValue, ...]) -> bool:
        """Whether the test holds for a file's values, of which there may be none."""
        if self.present is not None and self.present != bool(values):
            return False
        if self.excluded is not None and any(self.excluded.holds_for(value) for value in values):
            return False
        asks = any(part is not None for part in (self.any_of, self.min, self.max, self.regex))
        return not asks or any(self.holds_for(value) for value in values)

    def holds_for(self, value: FoundValue) -> bool:
        """Whether the test holds for one value; no part holds for an opaque value."""
        if isinstance(value, OpaqueValue):
            return False
        return (
            (self.any_of is None or any(_equals(value, wanted) for wanted in self.any_of))
            and (self.min is None or _is_ordered(self.min, value))
            and (self.max is None or _is_ordered(value, self.max))
            and (self.regex is None or _matches(self.regex, str(value)))
        )

    @property
    def text(self) -> str:
        """The test in words, which follow the name of a fact."""
        parts = []
        if self.any_of is not None:
            parts.append(" or ".join(format_value(value) for value in self.any_of))
        if self.min is not None:
            parts.append(f"at least {format_value(self.min)}")
        if self.max is not None:
            parts.append(f"at most {format_value(self.max)}")
        if self.regex is not None:
            parts.append(f"matching {self.regex}")
        if self.present is not None:
            parts.append("present" if self.present else "absent")
        if self.excluded is not None:
            parts.append(f"not {self.excluded.text}")
        return ", ".join(parts)


def parse_test(
    given: Any,
    kind: FactKind | None,
    *,
    where: str,
    name: Callable[[str], str] | None = None,
    size: bool = False,
) -> ValueTest:
    """Parse a condition of a policy.

    Args:
        given: a value, a list of values, or a table of the parts of a test.
        kind: kind of the fact's values; None for attributes, which may be text or numbers.
        where: key of the condition, for errors.
        name: checks a text that is a name, and returns its canonical form.
        size: whether a text such as "10 MB" means bytes.

    Raises:
        InvalidOptionError: the value is not a test of such a fact.
    """

    def parse_one(value: Any) -> FactValue:
        if size and isinstance(value, str):
            return parse_named_size(value, where)
        if kind is not None and not isinstance(value, _TYPES[kind]):
            raise InvalidOptionError(f"{where} is {value!r}; it is {kind}")
        if isinstance(value, bool) != (kind is FactKind.FLAG):
            hint = "{ present = true } asks whether there is a value" if kind is None else None
            raise InvalidOptionError(f"{where} is {format_value(value)}", hint=hint)
        if not isinstance(value, str | int | float):
            raise InvalidOptionError(f"{where} is {value!r}, which no value can be")
        return name(value) if name is not None and isinstance(value, str) else value

    def test(value: Any) -> ValueTest:
        if isinstance(value, dict):
            return parse_table(value)
        values = value if isinstance(value, list) else [value]
        if not values:
            raise InvalidOptionError(f"{where} is an empty list, which nothing can match")
        return ValueTest(any_of=tuple(parse_one(each) for each in values))

    def parse_table(parts: dict[str, Any]) -> ValueTest:
        if not parts:
            raise InvalidOptionError(f"{where} is empty")
        check_keys(parts, _PARTS, f"{where} has no")
        made: dict[str, Any] = {}
        for part, value in parts.items():
            if part == "not":
                made["excluded"] = test(value)
            elif part == "present":
                if not isinstance(value, bool):
                    raise InvalidOptionError(f"{where}.present is {value!r}; it is true or false")
                made[part] = value
            elif part == "regex":
                made[part] = _check_regex(value, where)
            elif kind is FactKind.FLAG:
                raise InvalidOptionError(f"{where} is true or false and has no {part}")
            else:
                made[part] = parse_one(value)
        return ValueTest(**made)

    return test(given)


def check_keys(given: dict[str, Any], known: tuple[str, ...], message: str) -> None:
    """Refuse unknown keys, and suggest the one that was probably meant.

    Args:
        given: table with the keys.
        known: all known keys.
        message: beginning of the error's message, before the key.

    Raises:
        InvalidOptionError: a key is unknown.
    """
    for key in given:
        if key not in known:
            hint = suggest(key, known, f"there are {', '.join(known)}")
            raise InvalidOptionError(f"{message} {key!r}", hint=hint)


_PARTS = (
    *(part.name for part in fields(ValueTest) if part.name not in {"any_of", "excluded"}),
    "not",
)


def parse_named_size(text: str, where: str) -> int:
    """Return the bytes of a size such as "10 MB"; `where` is the key, for errors.

    Raises:
        InvalidOptionError: the text is not a size.
    """
    size = parse_size(text)
    if size is None:
        raise InvalidOptionError(f"{where} is {text!r}; a size is such as 500 kB, 10 MB or 1.5 GiB")
    return size


def _matches(regex: str, text: str) -> bool:
    return len(text) <= _LONGEST_MATCHED and re.fullmatch(regex, text) is not None


def _check_regex(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidOptionError(f"{where}.regex is {value!r}; it is text")
    try:
        re.compile(value)
    except re.error as cause:
        raise InvalidOptionError(f"{where}.regex {value!r} cannot be read: {cause}") from cause
    return value


def _equals(value: FactValue, wanted: FactValue) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(wanted, str):
        return fnmatchcase(str(value), wanted)
    return _as_number(value) == wanted


def _is_ordered(low: Limit, high: Limit) -> bool:
    """Whether two values are in order; of text and a number, the text must be a number."""
    if isinstance(low, str) and isinstance(high, str):
        return low <= high
    numbers = _as_number(low), _as_number(high)
    return numbers[0] is not None and numbers[1] is not None and numbers[0] <= numbers[1]


def _as_number(value: FactValue) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def format_value(value: FoundValue) -> str:
    """Return a value as a policy writes it."""
    if isinstance(value, OpaqueValue):
        return value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else f"{value:.15g}"
