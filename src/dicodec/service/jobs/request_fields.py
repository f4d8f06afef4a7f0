"""The fields of a request, as a table: their types and bounds, and the checks by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dicodec.conversion.edits.plan_edits import check_user_edits
from dicodec.errors import DicodecError, RequestError
from dicodec.options import ENGINES, OFFSET_TABLES, PHOTOMETRIC_CHOICES, ConversionOptions
from dicodec.rules.targets import target_syntax

_PATH, _NAME, _VALUE = 4096, 200, 10_240
"""Characters at most."""


@dataclass(frozen=True, slots=True)
class Text:
    """A field of text, of so many characters at most and at least one."""

    longest: int
    choices: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class FilePath:
    """A field that names a file or folder; bytes that are no text are as Python has them."""

    about: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """A field of a number."""

    lowest: float
    highest: float
    whole: bool = True
    about: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """A field that is true or false; or one of some words, where there are any."""

    words: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class Texts:
    """A field of a list of texts; or one text."""

    about: str = ""


@dataclass(frozen=True, slots=True)
class TextsByName:
    """A field of an object whose values are texts."""

    about: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """The field `options`."""

    about: str = ""


type Kind = Text | FilePath | Number | Flag | Texts | TextsByName | Options

REQUEST_FIELDS: Mapping[str, Kind] = {
    "id": Text(_NAME, about="of the job: what is sent twice is done once"),
    "source": FilePath("path of the file to convert"),
    "target": FilePath("path of the result"),
    "target_folder": FilePath("folder for the result, under the source's file name"),
    "to": Texts("acceptable transfer syntaxes, the first preferred"),
    "policy": Text(_PATH, about="name of a policy, or path of its file"),
    "options": Options("of the conversion"),
    "tenant": Text(_NAME, about="for whom"),
    "trace_id": Text(_NAME, about="by which other systems know what this belongs to"),
    "priority": Number(0, 9, about="9 is the most urgent"),
}
REQUIRED = ("id", "source")

OPTION_FIELDS: Mapping[str, Kind] = {
    "photometric": Text(_NAME, PHOTOMETRIC_CHOICES, "Photometric Interpretation of the result"),
    "lossy": Flag(about="allow a result that loses information"),
    "quality": Number(1, 100, about="of JPEG and JPEG XL"),
    "near": Number(0, 255, about="largest error of a sample in JPEG-LS near-lossless"),
    "ratio": Number(1, 1000, whole=False, about="compression ratio of JPEG 2000"),
    "psnr": Number(1, 200, whole=False, about="signal-to-noise ratio of JPEG 2000, in dB"),
    "rescale_to_8bit": Flag(about="map gray levels to 8 bits; makes a derived, lossy image"),
    "set_attributes": TextsByName("keyword or tag, and the text to set in the result"),
    "remove_attributes": Texts("keywords or tags to remove from the result"),
    "keep_uid": Flag(about="keep the SOP Instance UID of a lossy result"),
    "offset_table": Text(_NAME, OFFSET_TABLES, "which offset table is written"),
    "strict": Flag(about="refuse what departs from the standard"),
    "engine": Text(_NAME, ENGINES, "whose codecs"),
    "overwrite": Flag(about="replace a target that is there"),
    "verify": Flag(("independent",), "decode the result again and compare"),
}
"""Those of ConversionOptions that a message may set; the others are the operator's."""


def check_fields(given: Mapping[str, Any]) -> None:
    """Check names and types of a request's fields.

    Raises:
        RequestError: naming the field.
    """
    for name in REQUIRED:
        if given.get(name) is None:
            raise RequestError(f"{name} is missing", field=name)
    _check(given, REQUEST_FIELDS, "")


def checked_syntaxes(given: Any) -> tuple[str, ...]:
    """Return the names of acceptable transfer syntaxes.

    Raises:
        RequestError: one of them is none that is written.
    """
    names = [part.strip() for one in _listed(given) for part in one.split(",")]
    names = [name for name in names if name]
    for name in names:
        try:
            target_syntax(name)
        except DicodecError as cause:
            raise RequestError(cause.message, field="to", hint=cause.hint) from cause
    return tuple(names)


def check_options(to: tuple[str, ...], given: Mapping[str, Any]) -> None:
    """Check the options of a request.

    Raises:
        RequestError: naming the option.
    """
    _check(given, OPTION_FIELDS, "options.")
    try:
        check_user_edits(conversion_options(to or ("explicit-le",), given))
    except DicodecError as cause:
        raise RequestError(cause.message, field="options", hint=cause.hint) from cause


def conversion_options(to: tuple[str, ...], given: Mapping[str, Any]) -> ConversionOptions:
    """Return a request's options, whose types are checked, as those of a conversion.

    Raises:
        InvalidOptionError: a value has no meaning.
    """
    values = {name: value for name, value in given.items() if value is not None}
    values["set_attributes"] = tuple(values.get("set_attributes", {}).items())
    values["remove_attributes"] = tuple(_listed(values.get("remove_attributes", [])))
    return ConversionOptions(to=to, **values)


def _listed(given: Any) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _check(given: Mapping[str, Any], table: Mapping[str, Kind], prefix: str) -> None:
    for name, value in given.items():
        kind = table.get(name)
        where = prefix + name[:100]
        if kind is None:
            raise RequestError(
                f"there is no field {where}", field=where, hint=f"there are {', '.join(table)}"
            )
        if value is not None and (wrong := _wrong(value, kind)):
            raise RequestError(f"{where} {wrong}", field=where)


def _wrong(value: Any, kind: Kind) -> str:
    """Return what is wrong with a value; "" for nothing."""
    match kind:
        case Text(longest, choices):
            if not _is_text(value, longest, "strict"):
                return f"has to be a text of 1 to {longest} characters"
            if choices and value not in choices:
                return f"has to be one of {', '.join(choices)}"
        case FilePath():
            if not _is_text(value, _PATH, "surrogateescape"):
                return f"has to be a path of 1 to {_PATH} characters"
        case Number(lowest, highest, whole):
            right = isinstance(value, int if whole else int | float) and value is not True
            if not right or value is False or not lowest <= value <= highest:
                return f"has to be a {'whole ' * whole}number from {lowest} to {highest}"
        case Flag(words):
            if not isinstance(value, bool) and value not in words:
                return f"has to be {', '.join(['true', 'false', *words])}"
        case Texts():
            listed = [value] if isinstance(value, str) else value
            if not isinstance(listed, list) or not _are_texts(listed):
                return "has to be a list of texts"
        case TextsByName():
            if not isinstance(value, dict) or not _are_texts([*value, *value.values()]):
                return "has to be an object whose values are texts"
        case Options():
            if not isinstance(value, dict):
                return "has to be an object"
    return ""


def _is_text(value: Any, longest: int, undecodable: str) -> bool:
    if not isinstance(value, str) or "\0" in value or not 0 < len(value) <= longest:
        return False
    try:
        value.encode("utf-8", undecodable)
    except UnicodeEncodeError:
        return False
    return True


def _are_texts(values: Iterable[Any]) -> bool:
    return all(_is_text(one, _VALUE, "strict") for one in values)
