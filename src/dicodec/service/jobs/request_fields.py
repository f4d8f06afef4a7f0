"""The fields of a request, as a table: their types and bounds, and the checks by it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isfinite

from dicodec.conversion.edits.user_edits import check_user_edits
from dicodec.errors import DicodecError, RequestError, UnsupportedVersionError
from dicodec.model import option_table
from dicodec.model.option_table import REQUEST, TO, Number, Text, Texts, TextsByName, select_options
from dicodec.model.records import NamedTuple
from dicodec.model.wording import as_field, reword_error
from dicodec.options import UNDECIDED, ConversionOptions, name_targets
from dicodec.rules.targets import find_target_syntax

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

MESSAGE_VERSION = "1.0"
"""Version of requests and events: a new field makes another minor one, a changed meaning another
major one. A message without a version is of this one."""

_PATH, _NAME, _VALUE = 4096, 200, 10_240
"""Characters at most."""

_DEEPEST = 20
"""Levels of an unknown field at most, because all that keep it have to write it."""

_ALIKE = 0.8
"""From this likeness on, an unknown field is a known one with an error in its name."""


class FilePath(NamedTuple):
    """A field that names a file or folder; bytes that are no text are as Python has them."""

    wanted: str = f"a path of 1 to {_PATH} characters"

    def fits(self, value: object) -> bool:
        """Return whether it takes a value."""
        return is_text(value, _PATH, "surrogateescape")


class Options(NamedTuple):
    """The field `options`."""

    wanted: str = "an object"

    def fits(self, value: object) -> bool:
        """Return whether it takes a value."""
        return isinstance(value, dict)


class Version(NamedTuple):
    """A field that has the version of a message."""

    wanted: str = "a version such as 1.0"

    def fits(self, value: object) -> bool:
        """Return whether it takes a value."""
        return isinstance(value, str) and bool(re.fullmatch(r"[0-9]{1,4}\.[0-9]{1,4}", value))


type Kind = option_table.Kind | FilePath | Options | Version


class Field(NamedTuple):
    """A row: one field of a request.

    Attributes:
        kind: type and range.
        help: a phrase for schemas, without a full stop.
    """

    kind: Kind
    help: str


REQUEST_FIELDS: Mapping[str, Field] = {
    "version": Field(Version(), f"of the message; {MESSAGE_VERSION} if it is not given"),
    "id": Field(Text(_NAME), "of the job: a request sent twice is done once"),
    "source": Field(FilePath(), "path of the file to convert"),
    "target": Field(FilePath(), "path of the result"),
    "target_folder": Field(FilePath(), "folder for the result, under the source's file name"),
    "to": Field(TO.kind, TO.help),
    "policy": Field(Text(_PATH), "name of a policy, or path of its file"),
    "options": Field(Options(), "of the conversion"),
    "tenant": Field(Text(_NAME), "for whom"),
    "trace_id": Field(Text(_NAME), "by which other systems recognize the job"),
    "traceparent": Field(Text(), "W3C trace context that the job goes on with"),
    "priority": Field(Number(0, 9), "9 is the most urgent"),
}
REQUIRED = ("id", "source")

OPTION_FIELDS: Mapping[str, Field] = {
    name: Field(option.kind, option.about) for name, option in select_options(REQUEST).items()
}
"""Options of a conversion that a message may set; the others are the operator's."""


def check_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check names and types of a request's fields.

    Returns:
        The fields that this version does not know.

    Raises:
        UnsupportedVersionError: a message of this version can have another meaning.
        RequestError: naming the field.
    """
    version = given.get("version")
    if version is not None:
        _check({"version": version}, REQUEST_FIELDS, "")
    is_newer = check_version(version)
    for name in REQUIRED:
        if given.get(name) is None:
            raise RequestError(f"{name} is missing", field=name)
    unknown = {name: value for name, value in given.items() if name not in REQUEST_FIELDS}
    _check_unknown(unknown, may_be_new=is_newer)
    _check({name: given[name] for name in given if name not in unknown}, REQUEST_FIELDS, "")
    return unknown


def check_version(version: str | None) -> bool:
    """Return whether a message is of a newer version that changes no known meaning.

    Raises:
        UnsupportedVersionError: its major version is another one.
    """
    major, minor = map(int, MESSAGE_VERSION.split("."))
    stated, _, rest = (version or MESSAGE_VERSION).partition(".")
    if int(stated) != major:
        raise UnsupportedVersionError(
            f"the message has version {version}, and this dicodec reads version {major}",
            field="version",
            hint="update dicodec, then send it again",
        )
    return int(rest) > minor


def _check_unknown(unknown: Mapping[str, Any], *, may_be_new: bool) -> None:
    """Check fields that are kept although this version does not know them.

    Raises:
        RequestError: one cannot be kept; or it is a known one but for an error in its name or
            place, because its wish would not be carried out.
    """
    for name, value in unknown.items():
        where = name[:100]
        if not _can_be_kept(value, _DEEPEST):
            raise RequestError(
                f"{where} has more than {_DEEPEST} levels, or no number of JSON", field=where
            )
        if not may_be_new and (meant := _find_meant(where)):
            raise RequestError(
                f"there is no field {where}", field=where, hint=f"did you mean {meant}?"
            )


def _find_meant(name: str) -> str | None:
    if name in OPTION_FIELDS:
        return f"options.{name}"
    from difflib import get_close_matches  # it takes a while to load

    like = get_close_matches(name.lower(), REQUEST_FIELDS, 1, _ALIKE)
    return like[0] if like else None


def _can_be_kept(value: Any, levels: int) -> bool:
    """Whether all that keep an unknown value can write it; Python reads NaN, but JSON has none."""
    if isinstance(value, float):
        return isfinite(value)
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_can_be_kept(one, levels - 1) for one in inner)


def check_syntaxes(given: Any) -> tuple[str, ...]:
    """Return the names of acceptable transfer syntaxes.

    Raises:
        RequestError: one of them is none that is written.
    """
    names = name_targets(given)
    for name in names:
        try:
            find_target_syntax(name)
        except DicodecError as cause:
            raise RequestError(cause.message, field="to", hint=cause.hint) from cause
    return names


def check_options(to: tuple[str, ...], given: Mapping[str, Any]) -> None:
    """Check the options of a request.

    Raises:
        RequestError: naming the option.
    """
    _check(given, OPTION_FIELDS, "options.")
    try:
        check_user_edits(build_options(to, given))
    except DicodecError as cause:
        reword_error(cause, as_field)
        raise RequestError(cause.message, field="options", hint=cause.hint) from cause


def build_options(to: tuple[str, ...], given: Mapping[str, Any]) -> ConversionOptions:
    """Return a request's options as those of a conversion; null means that one is not given.

    Raises:
        InvalidOptionError: a value has no meaning.
    """
    values = {name: value for name, value in given.items() if value is not None}
    return ConversionOptions.of(to or UNDECIDED, **values)


def _check(given: Mapping[str, Any], table: Mapping[str, Field], prefix: str) -> None:
    for name, value in given.items():
        field = table.get(name)
        where = prefix + name[:100]
        if field is None:
            raise RequestError(
                f"there is no field {where}", field=where, hint=f"there are {', '.join(table)}"
            )
        if value is not None and not _fits(field.kind, value):
            raise RequestError(f"{where} has to be {field.kind.wanted}", field=where)


def _fits(kind: Kind, value: Any) -> bool:
    """Return whether a field takes a value, as JSON has it."""
    match kind:
        case Text(longest):
            return is_text(value, longest)
        case Texts():
            listed = [value] if isinstance(value, str) else value
            return kind.fits(listed) and _are_texts(listed)
        case TextsByName():
            return isinstance(value, dict) and _are_texts([*value, *value.values()])
    return kind.fits(value)


def is_text(value: Any, longest: int, undecodable: str = "strict") -> bool:
    """Whether a value from outside is a text of 1 to `longest` characters that can be encoded.

    Args:
        value: of any type.
        longest: characters at most.
        undecodable: error handler of UTF-8; "surrogateescape" for names of files.
    """
    if not isinstance(value, str) or "\0" in value or not 0 < len(value) <= longest:
        return False
    try:
        value.encode("utf-8", undecodable)
    except UnicodeEncodeError:
        return False
    return True


def _are_texts(values: Iterable[Any]) -> bool:
    return all(is_text(one, _VALUE) for one in values)
