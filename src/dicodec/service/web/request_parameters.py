"""Parse a request from the parameters of a URL or the fields of a form."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from dicodec.model.option_table import OPTIONS, Flag, Number, Texts, TextsByName
from dicodec.service.jobs.messages import Request
from dicodec.service.web.error_answers import Refusal

_FIELDS = ("to", "policy", "priority", "tenant", "trace_id", "id")


def parse_request(
    given: Iterable[tuple[str, str]], *, job: str, source: str | os.PathLike[str], target: str
) -> Request:
    """Parse names and values, all of them text, into a request.

    Args:
        given: parameters; those with lists may be repeated.
        job: id of the job if none is given.
        source: path of the uploaded file.
        target: path of the result.

    Raises:
        RequestError: a field is unknown, or has an invalid value.
        Refusal: a value cannot be parsed.
    """
    fields: dict[str, Any] = {"id": job, "source": os.fspath(source), "target": target}
    options: dict[str, Any] = {}
    for name, value in given:
        if name == "to":
            fields["to"] = [*fields.get("to", []), *value.split(",")]
        elif name == "priority":
            fields[name] = _parse_number(name, value)
        elif name in _FIELDS:
            fields[name] = value
        else:
            _add_option(options, name, value)
    return Request.from_fields({**fields, "options": options})


def _add_option(options: dict[str, Any], name: str, value: str) -> None:
    match OPTIONS[name].kind if name in OPTIONS else None:
        case Flag(words):
            known: dict[str, Any] = {"true": True, "false": False, **{word: word for word in words}}
            options[name] = known.get(value.lower(), value)
        case Number():
            options[name] = _parse_number(name, value)
        case Texts():
            options[name] = [*options.get(name, []), *value.split(",")]
        case TextsByName():
            keyword, equals, text = value.partition("=")
            if not equals:
                raise Refusal(400, f"{name} takes KEYWORD=VALUE, not {value!r}")
            options[name] = {**options.get(name, {}), keyword: text}
        case _:
            options[name] = value


def _parse_number(name: str, value: str) -> float:
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        raise Refusal(400, f"{name} is a number, not {value!r}") from None
