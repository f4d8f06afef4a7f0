"""Mappings: turn messages of other systems into requests.

A mapping is a TOML file, or one that comes with the package: `[fields]` has templates over the
message's fields, `[constants]` has fields of every request, `[only]` selects messages.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from dicodec.batch.sources.safe_names import make_safe_component
from dicodec.errors import InvalidOptionError, RequestError
from dicodec.model.records import dataclass, field
from dicodec.model.settings_files import read_settings
from dicodec.service.jobs.messages import Request, parse_json_object
from dicodec.service.jobs.request_fields import REQUEST_FIELDS

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

MAPPINGS = Path(__file__).with_name("mappings")
"""Folder of the mappings that come with the package."""

_KEYS = ("description", "copy_kept", "fields", "constants", "only")
_PATHS = ("source", "target", "target_folder")

type _Piece = tuple[str, str | None]
"""Literal text, and the name of the field that follows it; None if none does."""

_TRUSTED = "\0trusted"
"""Key for the names of the operator's own values."""


@dataclass(frozen=True, slots=True)
class Template:
    """Text with names of fields in braces; `{a.b}` is the field b of the object a.

    Attributes:
        pieces: the parsed text.
        path: whether the text is a path.
    """

    pieces: tuple[_Piece, ...]
    path: bool

    def fill(self, given: Mapping[str, Any]) -> str | None:
        """Return the text for the fields of a message; None if a field is absent or empty.

        A value that is a part of a path is one component of it, whatever it holds.
        """
        whole = len(self.pieces) == 1 and not self.pieces[0][0]
        text = ""
        for literal, name in self.pieces:
            text += literal
            if name is None:
                continue
            value = _find_text(given, name)
            if not value:
                return None
            raw = whole or not self.path or name in given.get(_TRUSTED, ())
            text += value if raw else make_safe_component(value)
        return text

    def list_missing(self, given: Mapping[str, Any]) -> list[str]:
        """Return the fields of a message that are named here, but absent or empty there."""
        return [name for _, name in self.pieces if name and not _find_text(given, name)]


@dataclass(frozen=True, slots=True)
class MessageMapping:
    """A parsed mapping.

    Attributes:
        description: description for people.
        copy_kept: whether to copy a file to its target if the policy keeps it as it is.
        fields: templates by the request's fields.
        constants: values of the request's other fields.
        only: patterns by field of the message, as for file names; each field must match one.
        values: the operator's values, which templates may name too.
    """

    description: str
    copy_kept: bool
    fields: Mapping[str, Template]
    constants: Mapping[str, Any]
    only: Mapping[str, tuple[str, ...]]
    values: Mapping[str, str] = field(default_factory=dict)

    def read(self, body: bytes) -> Request | None:
        """Turn a message into a request; None if the mapping does not select it.

        Raises:
            RequestError: the message is not a JSON object, or lacks a field that a request needs.
        """
        given = parse_json_object(body)
        for name, patterns in self.only.items():
            value = _find_text(given, name) or ""
            if not any(fnmatchcase(value, pattern) for pattern in patterns):
                return None
        given = {**given, **self.values, _TRUSTED: tuple(self.values)}
        filled = {name: template.fill(given) for name, template in self.fields.items()}
        for names in (("id",), ("source",), ("target", "target_folder")):
            templates = [self.fields[name] for name in names if name in filled]
            if templates and all(filled.get(name) is None for name in names):
                missing = ", ".join(templates[-1].list_missing(given))
                raise RequestError(
                    f"the message has nothing in {missing}, but {names[-1]} is made of it",
                    field=names[-1],
                )
        return Request.from_fields({**self.constants, **filled})


def load_mapping(name: str, values: Mapping[str, str]) -> MessageMapping:
    """Load a mapping that comes with the package, or the mapping in a file.

    Args:
        name: name of the mapping; or a path, which ends in .toml or has a folder in it.
        values: the operator's values, which templates may name.

    Raises:
        InvalidOptionError: there is no such mapping, or it cannot be read.
    """
    path = MAPPINGS / f"{name}.toml" if name in list_mappings() else Path(name)
    try:
        given = tomllib.loads(read_settings(path).decode("utf-8"))
    except FileNotFoundError as cause:
        raise InvalidOptionError(
            f"there is no mapping {name!r}",
            hint=f"there are {', '.join(list_mappings())}, and files",
        ) from cause
    except (OSError, ValueError) as cause:
        raise InvalidOptionError(f"the mapping cannot be read: {cause}", path=name) from cause
    try:
        return _parse(given, values)
    except InvalidOptionError as error:
        error.with_location(path=name)
        raise


def list_mappings() -> tuple[str, ...]:
    """Return the names of the mappings that come with the package."""
    return tuple(sorted(path.stem for path in MAPPINGS.glob("*.toml")))


def _parse(given: Mapping[str, Any], values: Mapping[str, str]) -> MessageMapping:
    _check_keys(given, _KEYS, "a mapping has no key")
    parts = {key: given.get(key, {}) for key in ("fields", "constants", "only")}
    for key, part in parts.items():
        if not isinstance(part, dict):
            raise InvalidOptionError(f"{key} is a table")
    for key in ("fields", "constants"):
        _check_keys(parts[key], tuple(REQUEST_FIELDS), f"{key}: a request has no field")
    for name in ("id", "source"):
        if name not in {*parts["fields"], *parts["constants"]}:
            raise InvalidOptionError(f"no row of the mapping gives {name}", hint=f"fields.{name}")
    only = {}
    for name, patterns in parts["only"].items():
        listed = [patterns] if isinstance(patterns, str) else patterns
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise InvalidOptionError(f"only.{name} is a pattern or a list of them")
        only[name] = tuple(listed)
    fields = {name: _parse_template(name, text) for name, text in parts["fields"].items()}
    named = {name for template in fields.values() for _, name in template.pieces}
    if "output" in named and "output" not in values:
        raise InvalidOptionError("the mapping needs a folder for the results", hint="--output")
    constants = {name: value for name, value in parts["constants"].items() if name not in fields}
    copy_kept = given.get("copy_kept", True)
    if not isinstance(copy_kept, bool):
        raise InvalidOptionError("copy_kept is true or false")
    description = str(given.get("description", ""))
    return MessageMapping(description, copy_kept, fields, constants, only, values)


def _parse_template(field_name: str, text: Any) -> Template:
    try:
        parsed = [*string.Formatter().parse(text)]
    except (TypeError, ValueError) as cause:
        raise InvalidOptionError(f"fields.{field_name} is not a template: {cause}") from cause
    if any(form or conversion for _, _, form, conversion in parsed):
        raise InvalidOptionError(f"fields.{field_name} has more in braces than a name")
    pieces = tuple((literal, name) for literal, name, _, _ in parsed)
    return Template(pieces, field_name in _PATHS)


def _check_keys(given: Mapping[str, Any], names: tuple[str, ...], text: str) -> None:
    if unknown := sorted(set(given) - set(names)):
        raise InvalidOptionError(f"{text} {unknown[0]!r}", hint=f"there are {', '.join(names)}")


def _find_text(given: Mapping[str, Any], name: str) -> str | None:
    """Return a field of a message as text; None if it is absent, or not a text or a number."""
    value: Any = given
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)
