"""The messages' description for other programs: JSON Schema and AsyncAPI, made from the code."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dicodec import __version__
from dicodec.model.option_table import Choice, Flag, Number, Text, Texts, TextsByName
from dicodec.service.jobs.messages import EventKind
from dicodec.service.jobs.request_fields import (
    OPTION_FIELDS,
    REQUEST_FIELDS,
    REQUIRED,
    Field,
    FilePath,
    Options,
    Version,
)

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

type Schema = dict[str, Any]

TEXT_PATTERN = r"^[^\u0000]+$"
_VALUE: Schema = {"type": "string", "minLength": 1, "maxLength": 10_240, "pattern": TEXT_PATTERN}

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

_ERROR = {
    "type": "object",
    "description": "the error; programs go by its code, see docs/command.md",
    "properties": {
        "code": {"type": "string"},
        "kind": {"enum": ["reading", "converting", "writing", "unknown"]},
        "message": {"type": "string"},
        "path": {"type": "string"},
        "frame": {"type": "integer", "description": "counted from 0"},
        "attribute": {"type": "string"},
        "offset": {"type": "integer"},
        "hint": {"type": "string"},
    },
    "required": ["code", "kind", "message"],
}
_VERSION: Schema = {"type": "string", "pattern": r"^1\.[0-9]{1,4}$"}
_EVENT: dict[str, dict[str, Any]] = {
    "kind": {"enum": [str(kind) for kind in EventKind], "description": "kind of the event"},
    "job": {"type": "string", "description": "id of the job; empty if there is no request"},
    "time": {"type": "number", "description": "seconds since 1970"},
    "attempt": {"type": "integer", "minimum": 0, "description": "from 1; 0 before the first"},
    "tenant": {"type": "string"},
    "trace_id": {"type": "string"},
    "traceparent": {"type": "string", "description": "W3C trace context of the attempt"},
    "frames_done": {"type": "integer", "minimum": 0},
    "frames": {"type": "integer", "minimum": 0},
    "error": _ERROR,
    "not_before": {"type": "number", "description": "when the next attempt is due"},
    "report": {"type": "object", "description": "the report, in short"},
    "version": {**_VERSION, "description": "of the message; newer ones may have more fields"},
}
_EVENT_REQUIRED = ["kind", "job", "time", "attempt"]

_QUEUES = {
    "requests": ("dicodec.requests", "Conversions that are asked for.", "request", "receive"),
    "dead": ("dicodec.requests.dead", "Requests that were given up.", "deadLetter", "send"),
    "events": ("dicodec.requests.events", "What happens to jobs.", "event", "send"),
}


def make_request_schema() -> Schema:
    """Return the JSON Schema of a request."""
    return {
        "$schema": _DRAFT,
        "title": "Request",
        "description": "One conversion that is asked for.",
        **make_object_schema(REQUEST_FIELDS, _make_message_field, is_open=True),
        "required": list(REQUIRED),
        "allOf": [
            {"oneOf": [{"required": ["target"]}, {"required": ["target_folder"]}]},
            {"anyOf": [{"required": ["to"]}, {"required": ["policy"]}]},
        ],
    }


def make_event_schema() -> dict[str, Any]:
    """Return the JSON Schema of an event."""
    return {
        "$schema": _DRAFT,
        "title": "Event",
        "description": "Something that happened to a job.",
        "type": "object",
        "properties": _EVENT,
        "required": _EVENT_REQUIRED,
    }


def make_asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI description of the worker."""
    headers = {
        "type": "object",
        "properties": {
            "traceparent": {"type": "string", "description": "W3C trace context, as it came"},
            "dicodec-error": {"type": "string", "description": "code of the last error"},
            "dicodec-history": {
                "type": "string",
                "description": "failed attempts as JSON: at, attempt, code, message, worker",
            },
        },
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "dicodec worker",
            "version": __version__,
            "description": "Carries out conversions of DICOM files that a broker announces.",
        },
        "channels": {
            name: {
                "address": address,
                "description": text,
                "messages": {message: {"$ref": f"#/components/messages/{message}"}},
            }
            for name, (address, text, message, _) in _QUEUES.items()
        },
        "operations": {
            name: {"action": action, "channel": {"$ref": f"#/channels/{name}"}, "summary": text}
            for name, (_, text, _, action) in _QUEUES.items()
        },
        "components": {
            "messages": {
                "request": {"contentType": "application/json", "payload": make_request_schema()},
                "event": {"contentType": "application/json", "payload": make_event_schema()},
                "deadLetter": {
                    "summary": "The message as it came, byte for byte, with the error.",
                    "headers": headers,
                },
            }
        },
    }


def make_field_schema(field: Field) -> Schema:
    """Return the JSON Schema of a field that is given, in its usual form."""
    schema: Schema
    match field.kind:
        case Text(longest):
            schema = {**_VALUE, "maxLength": longest}
        case FilePath():
            schema = {**_VALUE, "maxLength": 4096}
        case Choice(words):
            schema = {"type": "string", "enum": [*words]}
        case Number(lowest, highest, whole):
            schema = {"type": "integer" if whole else "number"}
            schema |= {"minimum": lowest, "maximum": highest}
        case Flag(words):
            schema = {"type": "boolean"}
            schema = {"anyOf": [schema, {"enum": [*words]}]} if words else schema
        case Texts():
            schema = {"type": "array", "items": _VALUE, "minItems": 1}
        case TextsByName():
            schema = {"type": "object", "additionalProperties": _VALUE}
        case Options():
            schema = make_object_schema(OPTION_FIELDS, make_field_schema)
        case Version():
            schema = dict(_VERSION)
        case kind:
            raise TypeError(f"no request has a field of {kind}")
    return {**schema, "description": field.help}


def make_object_schema(
    fields: Mapping[str, Field], each: Callable[[Field], Schema], *, is_open: bool = False
) -> Schema:
    """Return the JSON Schema of an object with some fields, and with others if it is open."""
    properties = {name: each(field) for name, field in fields.items()}
    return {"type": "object", "properties": properties, "additionalProperties": is_open}


def _make_message_field(field: Field) -> Schema:
    """Return the schema of a message's field: null is not to give it, one text a list of one."""
    if isinstance(field.kind, Options):
        forms = [make_object_schema(OPTION_FIELDS, _make_message_field)]
    else:
        forms = [make_field_schema(field)]
        del forms[0]["description"]
    if isinstance(field.kind, Texts):
        forms.append(_VALUE)
    return {"anyOf": [*forms, {"type": "null"}], "description": field.help}
