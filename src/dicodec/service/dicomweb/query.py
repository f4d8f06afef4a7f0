"""Read the query of a search: conditions, fields and pages (PS3.18 8.3.4, 10.6.1.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from dicodec.model.records import dataclass
from dicodec.part10.dictionary import find_keyword, find_tag, find_vr
from dicodec.service.dicomweb.matching import Condition
from dicodec.service.dicomweb.searched_attributes import (
    LEVELS,
    MODALITIES_IN_STUDY,
    MODALITY,
    REQUEST_ATTRIBUTES_SEQUENCE,
    find_level,
)
from dicodec.service.web.error_answers import Refusal

_OTHER_PARAMETERS = frozenset({"accept", "charset"})
_LISTS = frozenset({MODALITY, MODALITIES_IN_STUDY})
"""Attributes besides UIDs of which several values may be given in one: viewers do that."""

_SEPARATORS = re.compile(r"[,\\]")
_NUMBER = re.compile(r"[0-9]{1,9}")
_LONGEST_VALUE = 1024
"""Characters of a value that is looked for; no longer one is in the index."""

_MOST_VALUES = 500
"""Conditions, and values of one, at most."""


@dataclass(frozen=True, slots=True)
class Query:
    """The query of a search.

    Attributes:
        conditions: all have to be met, by the level of their attribute.
        fields: tags that have to be in the results; None for all that are known.
        limit: results at most; None for all.
        offset: results that are passed over.
        warnings: what was not done as it was asked for, for the Warning header.
    """

    conditions: Mapping[str, Sequence[Condition]]
    fields: frozenset[int] | None
    limit: int | None
    offset: int
    warnings: Sequence[str]


def parse_query(parameters: Iterable[tuple[str, str]], level: str) -> Query:
    """Return the query of a URL's parameters.

    Args:
        parameters: names and values; a name may come several times.
        level: of the results, "studies", "series" or "instances".

    Raises:
        Refusal: a value makes no sense, or the index does not have an attribute.
    """
    wanted: dict[tuple[int, ...], list[str]] = {}
    fields: set[int] | None = set()
    numbers: dict[str, int] = {}
    warnings: list[str] = []
    for name, value in parameters:
        if name in {"limit", "offset"}:
            if not _NUMBER.fullmatch(value):
                raise Refusal(400, f"{name} is a number from 0")
            numbers[name] = int(value)
        elif name == "fuzzymatching":
            if value.lower() not in {"true", "false"}:
                raise Refusal(400, "fuzzymatching is true or false")
            if value.lower() == "true":
                warnings.append(
                    "The fuzzymatching parameter is not supported. "
                    "Only literal matching has been performed."
                )
        elif name == "includefield":
            names = [one.strip() for one in value.split(",") if one.strip()]
            if "all" in names:
                fields = None
            elif fields is not None:
                fields |= _read_fields(names, warnings)
        elif name not in _OTHER_PARAMETERS:
            path = _read_path(name, level, warnings)
            if path:
                wanted.setdefault(path, []).extend(_read_values(path[-1], value))
    if any(len(one) > _LONGEST_VALUE for values in wanted.values() for one in values):
        raise Refusal(400, f"a value of a search has more than {_LONGEST_VALUE} characters")
    if len(wanted) > _MOST_VALUES or any(len(one) > _MOST_VALUES for one in wanted.values()):
        raise Refusal(400, f"more than {_MOST_VALUES} values are asked for")
    conditions: dict[str, list[Condition]] = {one: [] for one in LEVELS}
    for path, values in wanted.items():
        conditions[find_level(path[0])].append(Condition(path, values))
    return Query(
        conditions,
        None if fields is None else frozenset(fields),
        numbers.get("limit"),
        numbers.get("offset", 0),
        warnings,
    )


def _read_fields(names: Sequence[str], warnings: list[str]) -> set[int]:
    found: set[int] = set()
    for name in names:
        tag = find_tag(name.split(".")[0]) or 0
        if find_level(tag):
            found.add(tag)
        else:
            warnings.append(f"The attribute {_quote(name)} is not in the index.")
    return found


def _read_path(name: str, level: str, warnings: list[str]) -> tuple[int, ...]:
    # A name that was mistyped gets no suggestion, because finding one takes milliseconds.
    found = [find_tag(part) for part in name.split(".")]
    path = tuple(tag for tag in found if tag is not None)
    if len(path) < len(found):
        # What is no attribute is none of the standard's parameters, and may be another server's.
        warnings.append(f"The parameter {_quote(name)} is not known.")
        return ()
    of = find_level(path[0])
    words = find_keyword(path[0]) or name
    if not of or len(path) > 1 + (path[0] == REQUEST_ATTRIBUTES_SEQUENCE):
        raise Refusal(400, f"files are not searched by {words}", code="not-searched")
    if LEVELS.index(of) > LEVELS.index(level):
        hint = "use ModalitiesInStudy" if path[0] == MODALITY else f"search /{of} by it"
        raise Refusal(400, f"{words} is not an attribute of {level}", hint=hint)
    return path


def _read_values(tag: int, value: str) -> list[str]:
    value = value.strip()
    if find_vr(tag) == "UI" or tag in _LISTS:
        return [one.strip() for one in _SEPARATORS.split(value)]
    return [value]


def _quote(name: str) -> str:
    """Return a name of the client's as it can stand in a header."""
    return re.sub(r"[^0-9A-Za-z._-]", "?", name[:64])
