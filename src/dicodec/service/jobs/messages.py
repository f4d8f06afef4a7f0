"""The two messages: a request asks for one conversion, an event tells what becomes of it.

Both are JSON objects. A request says all that is needed, and has the id by which what is sent twice
is done once; see docs/queues.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from dicodec.errors import DicodecError, InvalidOptionError, RequestError
from dicodec.service.jobs.request_fields import check_fields, check_options, checked_syntaxes

LARGEST_REQUEST = 1 << 20
"""Bytes of a request as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One conversion that is asked for.

    Attributes:
        id: of the job; a request whose id is known is not carried out again. 1 to 200 characters.
        source: path of the file.
        target: path of the result; None where `target_folder` is given.
        target_folder: folder that gets the result, under the source's file name.
        to: acceptable transfer syntaxes, the first preferred; empty where the policy decides.
        policy: name of a policy, or path of its file.
        options: of the conversion, as JSON has them; see request_fields.OPTION_FIELDS.
        tenant: for whom; at most 200 characters.
        trace_id: by which other systems know what this belongs to; at most 200 characters.
        priority: 0 to 9, the most urgent last.
    """

    id: str
    source: str
    target: str | None = None
    target_folder: str | None = None
    to: tuple[str, ...] = ()
    policy: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    tenant: str | None = None
    trace_id: str | None = None
    priority: int = 0

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Return the request that JSON describes.

        Raises:
            RequestError: it is too large, no JSON, or no request.
        """
        return cls.from_fields(json_object(data))

    @classmethod
    def from_fields(cls, given: Mapping[str, Any]) -> Self:
        """Return the request that an object of JSON describes.

        Raises:
            RequestError: a field is missing, unknown, or has a value that has no meaning.
        """
        check_fields(given)
        values = {name: value for name, value in given.items() if value is not None}
        values["to"] = checked_syntaxes(values.get("to", []))
        check_options(values["to"], values.get("options", {}))
        if ("target" in values) is ("target_folder" in values):
            raise RequestError("either target or target_folder has to be given", field="target")
        if not values["to"] and "policy" not in values:
            raise RequestError("either to or policy has to be given", field="to")
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that are given, in a form that JSON can hold."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values["to"] = list(self.to)
        values["options"] = dict(self.options)
        return {
            name: value
            for name, value in values.items()
            if name == "priority" or (value is not None and value not in ([], {}))
        }

    def to_json(self) -> str:
        """Return it as JSON in ASCII; file names that are no text survive."""
        return json.dumps(self.as_dict(), separators=(",", ":"))


def json_object(data: bytes | str) -> dict[str, Any]:
    """Return the object that JSON in UTF-8 describes.

    Raises:
        RequestError: it is too large, or something else.
    """
    if len(data) > LARGEST_REQUEST:
        raise RequestError(f"a message of {len(data)} bytes is too large for a request")
    try:
        given = json.loads(data if isinstance(data, str) else data.decode())
    except (ValueError, RecursionError) as cause:
        raise RequestError("the message is no JSON") from cause
    if not isinstance(given, dict):
        raise RequestError("the message is no object of JSON")
    return given


class EventKind(StrEnum):
    """What happened to a job."""

    ACCEPTED = "accepted"
    STARTED = "started"
    PROGRESS = "progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """An attempt failed; what follows is RETRYING or DEAD."""
    RETRYING = "retrying"
    DEAD = "dead"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a job.

    Attributes:
        kind: what.
        job: id of the job; "" where a message was no request.
        time: seconds since 1970.
        attempt: from 1; 0 before the first.
        tenant, trace_id: of the request.
        frames_done, frames: of PROGRESS and SUCCEEDED.
        error: of FAILED, RETRYING and DEAD: code, kind, message, and what else is known.
        not_before: of RETRYING: when the next attempt is due, in seconds since 1970.
        report: of SUCCEEDED: what was done; see dicodec.report.
    """

    kind: EventKind
    job: str
    time: float = field(default_factory=time.time)
    attempt: int = 0
    tenant: str | None = None
    trace_id: str | None = None
    frames_done: int | None = None
    frames: int | None = None
    error: Mapping[str, str | int] | None = None
    not_before: float | None = None
    report: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, request: Request, kind: EventKind, **values: Any) -> Self:
        """Return an event of a request's job; `error` may be an exception."""
        error = values.get("error")
        if isinstance(error, DicodecError):
            values["error"] = error.as_dict()
        return cls(
            kind=kind, job=request.id, tenant=request.tenant, trace_id=request.trace_id, **values
        )

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Return the event that JSON describes.

        Raises:
            InvalidOptionError: it is no event.
        """
        try:
            given = json.loads(data)
            return cls(**{**given, "kind": EventKind(given["kind"])})
        except (ValueError, TypeError, KeyError) as cause:
            raise InvalidOptionError(f"not an event: {cause}") from cause

    def as_dict(self) -> dict[str, Any]:
        """Return what is known, in a form that JSON can hold."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def to_json(self) -> str:
        """Return it as JSON in ASCII."""
        return json.dumps(self.as_dict(), separators=(",", ":"), default=str)
