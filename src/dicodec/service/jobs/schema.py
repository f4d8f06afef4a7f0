"""The messages' description for other programs: JSON Schema and AsyncAPI, made from the code."""

from __future__ import annotations

from typing import Any

from dicodec import __version__
from dicodec.service.jobs.messages import EventKind
from dicodec.service.jobs.request_fields import (
    OPTION_FIELDS,
    REQUEST_FIELDS,
    REQUIRED,
    FilePath,
    Flag,
    Kind,
    Number,
    Options,
    Text,
    Texts,
    TextsByName,
)

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

_ERROR = {
    "type": "object",
    "description": "what went wrong; programs go by its code, see docs/command.md",
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
_EVENT: dict[str, dict[str, Any]] = {
    "kind": {"enum": [str(kind) for kind in EventKind], "description": "what happened"},
    "job": {"type": "string", "description": "id of the job; empty where there is no request"},
    "time": {"type": "number", "description": "seconds since 1970"},
    "attempt": {"type": "integer", "minimum": 0, "description": "from 1; 0 before the first"},
    "tenant": {"type": "string"},
    "trace_id": {"type": "string"},
    "frames_done": {"type": "integer", "minimum": 0},
    "frames": {"type": "integer", "minimum": 0},
    "error": _ERROR,
    "not_before": {"type": "number", "description": "when the next attempt is due"},
    "report": {"type": "object", "description": "what was done, in short"},
}
_EVENT_REQUIRED = ["kind", "job", "time", "attempt"]

_QUEUES = {
    "requests": ("dicodec.requests", "Conversions that are asked for.", "request", "receive"),
    "dead": ("dicodec.requests.dead", "Requests that were given up.", "deadLetter", "send"),
    "events": ("dicodec.requests.events", "What happens to jobs.", "event", "send"),
}


def request_schema() -> dict[str, Any]:
    """Return the JSON Schema of a request."""
    return {
        "$schema": _DRAFT,
        "title": "Request",
        "description": "One conversion that is asked for.",
        "type": "object",
        "properties": {name: _field(kind) for name, kind in REQUEST_FIELDS.items()},
        "required": list(REQUIRED),
        "allOf": [
            {"oneOf": [{"required": ["target"]}, {"required": ["target_folder"]}]},
            {"anyOf": [{"required": ["to"]}, {"required": ["policy"]}]},
        ],
        "additionalProperties": False,
    }


def event_schema() -> dict[str, Any]:
    """Return the JSON Schema of an event."""
    return {
        "$schema": _DRAFT,
        "title": "Event",
        "description": "Something that happened to a job.",
        "type": "object",
        "properties": _EVENT,
        "required": _EVENT_REQUIRED,
        "additionalProperties": False,
    }


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI description of the worker."""
    headers = {
        "type": "object",
        "properties": {
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
                "request": {"contentType": "application/json", "payload": request_schema()},
                "event": {"contentType": "application/json", "payload": event_schema()},
                "deadLetter": {
                    "summary": "The message as it came, byte for byte, with what went wrong.",
                    "headers": headers,
                },
            }
        },
    }


def _field(kind: Kind) -> dict[str, Any]:
    """Return the schema of a field; null means that it is not given."""
    described: dict[str, Any]
    match kind:
        case Text(longest, choices):
            described = {"type": ["string", "null"], "minLength": 1, "maxLength": longest}
            if choices:
                described = {"enum": [*choices, None]}
        case FilePath():
            described = {"type": ["string", "null"], "minLength": 1, "maxLength": 4096}
        case Number(lowest, highest, whole):
            name = "integer" if whole else "number"
            described = {"type": [name, "null"], "minimum": lowest, "maximum": highest}
        case Flag(words):
            described = {"enum": [True, False, *words, None]}
        case Texts():
            described = {"type": ["string", "array", "null"], "items": {"type": "string"}}
        case TextsByName():
            described = {"type": ["object", "null"], "additionalProperties": {"type": "string"}}
        case Options():
            described = {
                "type": ["object", "null"],
                "properties": {name: _field(option) for name, option in OPTION_FIELDS.items()},
                "additionalProperties": False,
            }
    return {**described, "description": kind.about}
