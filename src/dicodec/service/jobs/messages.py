"""The two messages of jobs: a request asks for one conversion, events report its progress.

Both are JSON objects. A request is complete in itself. Its id makes sure that a request which is
sent twice is carried out once; see docs/queues.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from enum import StrEnum

from dicodec.errors import DicodecError, InvalidOptionError, RequestError
from dicodec.model.records import dataclass, field, fields, replace
from dicodec.service.jobs.request_fields import (
    MESSAGE_VERSION,
    check_fields,
    check_options,
    check_syntaxes,
    check_version,
)
from dicodec.service.jobs.tracing import TRACEPARENT, parse_traceparent

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, Self

LARGEST_REQUEST = 1 << 20
"""Bytes of a request as JSON at most."""

_SHOWN_NAMES, _SHOWN_LETTERS = 10, 50
"""Of unknown fields in a line of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for one conversion.

    Attributes:
        id: id of the job, 1 to 200 characters. A request with a known id is not carried out again.
        source: path of the file.
        target: path of the result; None if `target_folder` is given.
        target_folder: folder for the result, which gets the source's file name.
        to: acceptable transfer syntaxes, the first preferred; empty if the policy decides.
        policy: name of a policy, or path of its file.
        options: options of the conversion, as JSON has them; see request_fields.OPTION_FIELDS.
        tenant: name of the tenant that the job belongs to, at most 200 characters.
        trace_id: id of the job in other systems, at most 200 characters; if there is none, the
            traceparent stands for it.
        traceparent: W3C trace context that the job goes on with; an invalid one is ignored.
        priority: 0 to 9; 9 is the most urgent.
        version: version of the message.
        unknown: fields that a newer version or another system has added; they are kept.
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
    traceparent: str | None = None
    priority: int = 0
    version: str = MESSAGE_VERSION
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Parse a request.

        Raises:
            RequestError: the text is too large, not JSON, or not a request.
        """
        return cls.from_fields(parse_json_object(data))

    @classmethod
    def from_fields(cls, given: Mapping[str, Any]) -> Self:
        """Parse the fields of a request.

        Raises:
            UnsupportedVersionError: it is of another major version.
            RequestError: a field is missing or misspelled, or has an invalid value.
        """
        unknown = check_fields(given)
        values = {
            name: value
            for name, value in given.items()
            if value is not None and name not in unknown
        }
        values["to"] = check_syntaxes(values.get("to", []))
        check_options(values["to"], values.get("options", {}))
        if ("target" in values) is ("target_folder" in values):
            raise RequestError("either target or target_folder has to be given", field="target")
        if not values["to"] and "policy" not in values:
            raise RequestError("either to or policy has to be given", field="to")
        return cls(**values, unknown=unknown).go_on_with(values.get(TRACEPARENT))

    @property
    def parent(self) -> str | None:
        """The trace context that the job goes on with: its own, or its trace id if that is one."""
        return parse_traceparent(self.traceparent) or parse_traceparent(self.trace_id)

    def go_on_with(self, traceparent: str | None) -> Self:
        """Return the request as a part of another trace, if that is valid; else as it is."""
        valid = parse_traceparent(traceparent)
        if valid is None:
            return self
        return replace(self, traceparent=valid, trace_id=self.trace_id or valid)

    def as_dict(self) -> dict[str, Any]:
        """Return the given fields, as values that JSON can hold, unknown ones too."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values["to"] = list(self.to)
        values["options"] = dict(self.options)
        del values["unknown"]
        given = {
            name: value
            for name, value in values.items()
            if name == "priority" or (value is not None and value not in ([], {}))
        }
        return given | dict(self.unknown)

    def name_unknown(self) -> str | None:
        """Return the names of unknown fields for the log, a few of them; None if there are none."""
        names = sorted(name[:_SHOWN_LETTERS] for name in self.unknown)
        more = ", ..." if len(names) > _SHOWN_NAMES else ""
        return ", ".join(names[:_SHOWN_NAMES]) + more if names else None

    def to_json(self) -> str:
        """Return the request as JSON in ASCII; file names that are not text survive."""
        return json.dumps(self.as_dict(), separators=(",", ":"))


def parse_json_object(data: bytes | str) -> dict[str, Any]:
    """Parse a JSON object in UTF-8.

    Raises:
        RequestError: the text is too large, not JSON, or not an object.
    """
    if len(data) > LARGEST_REQUEST:
        raise RequestError(f"a message of {len(data)} bytes is too large for a request")
    try:
        given = json.loads(data if isinstance(data, str) else data.decode())
    except (ValueError, RecursionError) as cause:
        raise RequestError("the message is not JSON") from cause
    if not isinstance(given, dict):
        raise RequestError("the message is not a JSON object")
    return given


class EventKind(StrEnum):
    """Kind of an event."""

    ACCEPTED = "accepted"
    STARTED = "started"
    PROGRESS = "progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """An attempt failed; RETRYING or DEAD follows."""
    RETRYING = "retrying"
    DEAD = "dead"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of a job.

    Attributes:
        kind: kind of the event.
        job: id of the job; "" if the message was not a request.
        time: seconds since 1970.
        attempt: number of the attempt, from 1; 0 before the first one.
        tenant, trace_id: as in the request.
        traceparent: trace context of the attempt, or of the request if attempts are not traced.
        frames_done, frames: numbers of frames, for PROGRESS and SUCCEEDED.
        error: code, kind, message and more, for FAILED, RETRYING and DEAD.
        not_before: when the next attempt is due, in seconds since 1970, for RETRYING.
        report: short report of the conversion, for SUCCEEDED; see `dicodec.report`.
        version: version of the message.
    """

    kind: EventKind
    job: str
    time: float = field(default_factory=time.time)
    attempt: int = 0
    tenant: str | None = None
    trace_id: str | None = None
    traceparent: str | None = None
    frames_done: int | None = None
    frames: int | None = None
    error: Mapping[str, str | int] | None = None
    not_before: float | None = None
    report: Mapping[str, Any] | None = None
    version: str = MESSAGE_VERSION

    @classmethod
    def of(cls, request: Request, kind: EventKind, **values: Any) -> Self:
        """Return an event of a request's job; `error` may be a DicodecError."""
        error = values.get("error")
        if isinstance(error, DicodecError):
            values["error"] = error.as_dict()
        return cls(
            kind=kind,
            job=request.id,
            tenant=request.tenant,
            trace_id=request.trace_id,
            traceparent=request.parent,
            **values,
        )

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Parse an event, without fields that this version does not know.

        Raises:
            InvalidOptionError: the text is not an event.
            UnsupportedVersionError: it is of another major version.
        """
        names = {one.name for one in fields(cls)}
        try:
            given = json.loads(data)
            check_version(given.get("version"))
            known = {name: value for name, value in given.items() if name in names}
            return cls(**{**known, "kind": EventKind(given["kind"])})
        except (ValueError, TypeError, KeyError, AttributeError) as cause:
            raise InvalidOptionError(f"not an event: {cause}") from cause

    def as_dict(self) -> dict[str, Any]:
        """Return the known fields, as values that JSON can hold."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def to_json(self) -> str:
        """Return the event as JSON in ASCII."""
        return json.dumps(self.as_dict(), separators=(",", ":"), default=str)
