"""Errors as answers: an HTTP status, and the JSON form of the command's errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dicodec.errors import ConversionError, DicodecError, ReadError

_STATUS = {
    "invalid-option": 400,
    "invalid-request": 400,
    "unsupported-version": 400,
    "path-not-allowed": 403,
    "unsupported-target": 400,
    "disk-full": 507,
    "target-exists": 409,
    "target-unavailable": 503,
    "timeout": 504,
    "out-of-memory": 503,
    "worker-crashed": 500,
    "verification-failed": 500,
    "encode-failed": 500,
    "engine-failed": 500,
    "engine-crashed": 500,
}
"""Statuses by error code. A source that cannot be converted is 422, any other error 500."""

REASONS = {
    400: "invalid-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "too-slow",
    409: "conflict",
    411: "length-required",
    413: "too-large",
    415: "unsupported-media-type",
    421: "wrong-host",
    422: "invalid-request",
    429: "too-many-requests",
    503: "busy",
    507: "disk-full",
}


class Refusal(Exception):  # noqa: N818 - a request is refused; the service is well
    """A request that is not carried out.

    Attributes:
        status: HTTP status.
        message: one sentence for people.
        hint: the way out; None for none.
        headers: headers of the response.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or REASONS.get(status, "error")
        self.message = message
        self.hint = hint
        self.headers = dict(headers or {})

    def as_dict(self) -> dict[str, Any]:
        """Return the fields of an error as the command has them."""
        fields = {"code": self.code, "kind": "request", "message": self.message, "hint": self.hint}
        return {name: value for name, value in fields.items() if value is not None}


def find_status(error: DicodecError) -> int:
    """Return the HTTP status for an error of a conversion."""
    if (status := _STATUS.get(error.code)) is not None:
        return status
    return 422 if isinstance(error, ReadError | ConversionError) else 500


def hide_paths(error: DicodecError) -> dict[str, Any]:
    """Return the fields of an error for a client, without paths of this machine."""
    fields = error.as_dict()
    path = fields.pop("path", None)
    if isinstance(path, str):
        fields = {
            name: value.replace(path, "the file") if isinstance(value, str) else value
            for name, value in fields.items()
        }
    return fields
