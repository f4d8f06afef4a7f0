"""Mappings: how the messages of other systems become requests.

A mapping is a TOML file, or one that comes with the package: `[fields]` are templates over the
message's fields, `[constants]` are fields of every request, `[only]` says which messages count.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dicodec.batch.sources.safe_names import make_safe_component
from dicodec.errors import InvalidOptionError, RequestError
from dicodec.service.jobs.messages import Request, json_object
from dicodec.service.jobs.request_fields import REQUEST_FIELDS

MAPPINGS = Path(__file__).with_name("mappings")
"""The folder of the mappings that come with the package."""

_KEYS = ("description", "copy_kept", "fields", "constants", "only")
_PATHS = ("source", "target", "target_folder")

type _Piece = tuple[str, str | None]
"""Literal text, and the name of the field behind it, if there is one."""


@dataclass(frozen=True, slots=True)
class Template:
    """Text with the names of fields in braces; `{a.b}` is the field b of the object a."""

    pieces: tuple[_Piece, ...]
    path: bool

    def fill(self, given: Mapping[str, Any]) -> str | None:
        """Return the text; None where a field is absent or empty.

        A value that is only a part of a path means one component of it, whatever it holds.
        """
        whole = len(self.pieces) == 1 and not self.pieces[0][0]
        text = ""
        for literal, name in self.pieces:
            text += literal
            if name is None:
                continue
            value = _value(given, name)
            if not value:
                return None
            raw = whole or not self.path or name in given.get(_TRUSTED, ())
            text += value if raw else make_safe_component(value)
        return text


_TRUSTED = "\0trusted"
"""Key under which the names of the operator's own values are."""


@dataclass(frozen=True, slots=True)
class MessageMapping:
    """How messages become requests.

    Attributes:
        description: for people.
        copy_kept: whether a file that the policy keeps as it is is copied to its target.
        fields: templates by the request's fields.
        constants: the request's other fields.
        only: patterns by field, as of file names; a message counts where each field has one.
        values: the operator's, which templates may name too.
    """

    description: str
    copy_kept: bool
    fields: Mapping[str, Template]
    constants: Mapping[str, Any]
    only: Mapping[str, tuple[str, ...]]
    values: Mapping[str, str] = field(default_factory=dict)

    def read(self, body: bytes) -> Request | None:
        """Return the request that a message amounts to; None where it is not of interest.

        Raises:
            RequestError: it is no object of JSON, or lacks what the request needs.
        """
        given = json_object(body)
        for name, patterns in self.only.items():
            value = _value(given, name) or ""
            if not any(fnmatchcase(value, pattern) for pattern in patterns):
                return None
        given = {**given, **self.values, _TRUSTED: tuple(self.values)}
        filled = {name: template.fill(given) for name, template in self.fields.items()}
        for name in ("id", "source"):
            if name in filled and filled[name] is None:
                raise RequestError(f"the message has nothing for {name}", field=name)
        return Request.from_fields({**self.constants, **filled})


def load_mapping(name: str, values: Mapping[str, str]) -> MessageMapping:
    """Return a mapping that comes with the package, or that of a file.

    Args:
        name: of the mapping; or a path, which ends in .toml or has a folder in it.
        values: the operator's, which templates may name.

    Raises:
        InvalidOptionError: there is none, or it cannot be used.
    """
    path = MAPPINGS / f"{name}.toml" if name in mapping_names() else Path(name)
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        raise InvalidOptionError(
            f"there is no mapping {name!r}",
            hint=f"there are {', '.join(mapping_names())}, and files",
        ) from cause
    except (OSError, ValueError) as cause:
        raise InvalidOptionError(f"the mapping cannot be read: {cause}", path=name) from cause
    try:
        return _parsed(given, values)
    except InvalidOptionError as error:
        error.path = name
        raise


def mapping_names() -> tuple[str, ...]:
    """Return the names of the mappings that come with the package."""
    return tuple(sorted(path.stem for path in MAPPINGS.glob("*.toml")))


def _parsed(given: Mapping[str, Any], values: Mapping[str, str]) -> MessageMapping:
    _known(given, _KEYS, "a mapping has no key")
    parts = {key: given.get(key, {}) for key in ("fields", "constants", "only")}
    for key, part in parts.items():
        if not isinstance(part, dict):
            raise InvalidOptionError(f"{key} is a table")
    for key in ("fields", "constants"):
        _known(parts[key], tuple(REQUEST_FIELDS), f"{key}: a request has no field")
    for name in ("id", "source"):
        if name not in {*parts["fields"], *parts["constants"]}:
            raise InvalidOptionError(f"nothing says what {name} is", hint=f"fields.{name}")
    only = {}
    for name, patterns in parts["only"].items():
        listed = [patterns] if isinstance(patterns, str) else patterns
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise InvalidOptionError(f"only.{name} is a pattern or a list of them")
        only[name] = tuple(listed)
    fields = {name: _template(name, text) for name, text in parts["fields"].items()}
    named = {name for template in fields.values() for _, name in template.pieces}
    if "output" in named and "output" not in values:
        raise InvalidOptionError("the mapping needs a folder for the results", hint="--output")
    constants = {name: value for name, value in parts["constants"].items() if name not in fields}
    copy_kept = given.get("copy_kept", True)
    if not isinstance(copy_kept, bool):
        raise InvalidOptionError("copy_kept is true or false")
    description = str(given.get("description", ""))
    return MessageMapping(description, copy_kept, fields, constants, only, values)


def _template(field_name: str, text: Any) -> Template:
    try:
        parsed = [*string.Formatter().parse(text)]
    except (TypeError, ValueError) as cause:
        raise InvalidOptionError(f"fields.{field_name} is no template: {cause}") from cause
    if any(form or conversion for _, _, form, conversion in parsed):
        raise InvalidOptionError(f"fields.{field_name} has more in braces than a name")
    pieces = tuple((literal, name) for literal, name, _, _ in parsed)
    return Template(pieces, field_name in _PATHS)


def _known(given: Mapping[str, Any], names: tuple[str, ...], text: str) -> None:
    if unknown := sorted(set(given) - set(names)):
        raise InvalidOptionError(f"{text} {unknown[0]!r}", hint=f"there are {', '.join(names)}")


def _value(given: Mapping[str, Any], name: str) -> str | None:
    """Return a field of a message as text; None where it is absent or no plain value."""
    value: Any = given
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)
