"""What a rule of a policy asks for: the options of a conversion, as TOML gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from types import UnionType
from typing import Any, get_args, get_type_hints

from dicodec.batch.policy.conditions import check_keys
from dicodec.conversion.edits.plan_edits import check_user_edits
from dicodec.errors import InvalidOptionError, UnsupportedTargetError
from dicodec.options import ConversionOptions
from dicodec.rules.targets import target_syntax

_OF_THE_RUN = frozenset({"overwrite", "backup", "workers", "limits"})
"""Options that no rule decides: they are of the run and the machine, not of an image."""

_SPELLED = {"set": "set_attributes", "remove": "remove_attributes"}
"""Keys that are spelled as the command's switches are."""

_FIELDS = tuple(field.name for field in fields(ConversionOptions) if field.name not in _OF_THE_RUN)
KEYS = ("keep", *(name for name in _FIELDS if name not in _SPELLED.values()), *_SPELLED)
"""All keys of a rule beside its name and its conditions."""


@dataclass(frozen=True, slots=True)
class OptionChanges:
    """What a rule changes of the options of the run.

    Attributes:
        values: by name of the option; what it sets and removes is added to the run's.
    """

    values: tuple[tuple[str, Any], ...]

    def applied(self, base: ConversionOptions) -> ConversionOptions:
        """Return the options of a conversion by this rule."""
        changed = dict(self.values)
        for added in _SPELLED.values():
            if added in changed:
                changed[added] = (*getattr(base, added), *changed[added])
        return replace(base, **changed)


def parse_options(given: dict[str, Any]) -> OptionChanges | None:
    """Return what a rule asks for; None where it keeps files as they are.

    Raises:
        InvalidOptionError: there is no such key, or a value has no meaning.
    """
    check_keys(given, KEYS, "there is no key")
    if "keep" in given:
        others = [key for key in given if key != "keep"]
        if given["keep"] is not True:
            raise InvalidOptionError(f"keep is {given['keep']!r}; it is true, or not there")
        if others:
            raise InvalidOptionError(f"keep leaves a file as it is, so {others[0]} has no effect")
        return None
    if "to" not in given:
        raise InvalidOptionError("there is neither `to` nor `keep = true`")
    values = tuple(
        (_SPELLED.get(key, key), _READERS.get(key, _plain)(key, value))
        for key, value in given.items()
    )
    changes = OptionChanges(values)
    check_user_edits(changes.applied(ConversionOptions(to=("explicit-le",))))
    return changes


def _targets(key: str, value: Any) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InvalidOptionError(f"{key} is {value!r}; it is a transfer syntax, or a list of them")
    try:
        return tuple(target_syntax(name).name for name in names)
    except UnsupportedTargetError as error:
        raise InvalidOptionError(f"{key}: {error.message}", hint=error.hint) from error


def _settings(key: str, value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise InvalidOptionError(f"{key} is a table of keywords, each with its text")
    return tuple(value.items())


def _names(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InvalidOptionError(f"{key} is {value!r}; it is a list of keywords")
    return tuple(value)


def _plain(key: str, value: Any) -> Any:
    """Return a value of an option that is one value; whole numbers do where parts are allowed."""
    hint = get_type_hints(ConversionOptions)[key]
    types = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if float in types and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not any(type(value) is each for each in types):
        names = " or ".join(_CALLED[each] for each in types if each in _CALLED)
        raise InvalidOptionError(f"{key} is {value!r}; it is {names}")
    return value


_CALLED = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_READERS: dict[str, Callable[[str, Any], Any]] = {
    "to": _targets,
    "set": _settings,
    "remove": _names,
}
