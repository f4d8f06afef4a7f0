"""Trace attempts at jobs: the interface, and the tracing that records nothing.

A trace goes on from system to system by a `traceparent` (W3C Trace Context): whoever sends a
request states its own, and results carry that of the attempt, or the same one if nothing is traced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.service.jobs.messages import Request

TRACEPARENT = "traceparent"
"""Header of messages and of HTTP requests."""

_LONGEST = 200
_FORM = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?"
)


def parse_traceparent(text: object) -> str | None:
    """Return a valid traceparent, or None: W3C has invalid ones ignored, so none is an error."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    match = _FORM.fullmatch(text)
    if match is None or (text.startswith("00") and match[1] is not None):
        return None
    return text


class Span:
    """An attempt, or an HTTP request, while it lasts; this one is not recorded.

    Attributes:
        traceparent: of the results; None for the request's own.
    """

    traceparent: str | None = None

    def note_end(self) -> None:
        """Take note that the work is done; its outcome is entered a moment later."""

    def end(self, outcome: str, *, cause: str | None, report: Mapping[str, Any]) -> None:
        """End it.

        Args:
            outcome: `succeeded`, or the state of the job.
            cause: error code; None if there is none.
            report: report of the conversion; empty if it failed.
        """


_NOT_RECORDED = Span()


class Tracing:
    """Records nothing, and loads nothing, because nobody asked for traces."""

    def begin_attempt(self, request: Request, attempt: int, queue: str = "") -> Span:  # noqa: ARG002
        """Begin the span of an attempt at a job, as a part of the trace that the request states.

        Args:
            request: the request.
            attempt: number of the attempt, from 1.
            queue: broker and queue of the message, as in "redis dicodec.requests"; "" for a store.
        """
        return _NOT_RECORDED

    def begin_call(self, name: str, traceparent: str | None) -> Span:  # noqa: ARG002
        """Begin the span of an HTTP request, as a part of the trace that it states."""
        return _NOT_RECORDED

    def begin_receiving(self, sender: str, began: int) -> Span:  # noqa: ARG002
        """Begin the span of an object that is received over DICOM, and with it a trace.

        Args:
            sender: AE title of the sender.
            began: when its first byte came, in nanoseconds since 1970.
        """
        return _NOT_RECORDED

    def begin_delivery(self, request: Request, attempt: int, peer: str) -> Span:  # noqa: ARG002
        """Begin the span of an attempt to deliver an object, as a part of its trace.

        Args:
            request: the request of the delivery's job.
            attempt: number of the attempt, from 1.
            peer: name of the peer.
        """
        return _NOT_RECORDED

    def close(self) -> None:
        """Send the rest."""
