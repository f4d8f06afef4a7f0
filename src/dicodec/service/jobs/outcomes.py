"""Describe how attempts ended: as a row for the store, an event and a line of the log."""

from __future__ import annotations

import json
import time

from dicodec.errors import DicodecError, InternalError
from dicodec.model.wording import leave_words_out
from dicodec.service.jobs.execution_work import ConversionResult
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.store.tables import AttemptOutcome, JobState

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_REPORTED = ("action", "source_syntax", "target_syntax", "source_size", "target_size", "frames",
         "lossy", "verified", "rule")  # fmt: skip
"""Fields of a report for its event; the others may quote the file and stay with the job."""


def describe_attempt(
    request: Request,
    attempt: int,
    came: ConversionResult | DicodecError | None,
    retries: RetryPolicy,
    *,
    show_paths: bool,
) -> AttemptOutcome:
    """Describe an attempt that ended, as a row for the store and an event.

    Args:
        request: the request.
        attempt: number of the attempt, from 1.
        came: its result; the error if it failed; None if it was cancelled.
        retries: rules for further attempts after a failure.
        show_paths: whether the event has paths of files.
    """
    if came is None:
        return _describe_cancellation(request, attempt)
    if isinstance(came, DicodecError):
        return _describe_failure(request, attempt, came, retries, show_paths=show_paths)
    return _describe_success(request, attempt, came, show_paths=show_paths)


def _describe_success(
    request: Request, attempt: int, done: ConversionResult, *, show_paths: bool
) -> AttemptOutcome:
    report = done.report
    fields = {name: report[name] for name in _REPORTED if name in report}
    if report.get("salvaged"):
        fields["salvaged"] = report["salvaged"]
    if show_paths and done.target is not None:
        fields["target"] = done.target
    frames = int(report.get("frames", 0))
    event = Event.of(
        request, EventKind.SUCCEEDED, attempt=attempt, report=fields, frames=frames,
        frames_done=frames,
    )  # fmt: skip
    return AttemptOutcome(
        id=request.id,
        state=JobState.DONE,
        event=event.to_json(),
        result=json.dumps({"report": report}),
        frames=frames,
        source_size=report.get("source_size"),
        target_size=report.get("target_size"),
        action=report.get("action"),
        seconds=report.get("seconds", {}).get("total"),
        target=done.target,
    )


def _describe_failure(
    request: Request,
    attempt: int,
    error: DicodecError,
    retries: RetryPolicy,
    *,
    show_paths: bool,
) -> AttemptOutcome:
    again = retries.allows(error.code, attempt)
    due = time.time() + retries.delay(attempt) if again else 0.0
    event = Event.of(
        request,
        EventKind.RETRYING if again else EventKind.DEAD,
        attempt=attempt,
        error=report_error(error, show_paths=show_paths),
        not_before=due or None,
    )
    return AttemptOutcome(
        id=request.id,
        state=JobState.PENDING if again else JobState.DEAD,
        event=event.to_json(),
        result=json.dumps({"error": error.as_dict()}),
        not_before=due,
        error_code=error.code,
        error_text=error.message,
    )


def _describe_cancellation(request: Request, attempt: int) -> AttemptOutcome:
    event = Event.of(request, EventKind.CANCELLED, attempt=attempt)
    return AttemptOutcome(
        id=request.id, state=JobState.CANCELLED, event=event.to_json(), result="{}"
    )


def report_error(error: DicodecError, *, show_paths: bool) -> dict[str, Any]:
    """Return the fields of an error for an event; its path only if paths are shown."""
    fields: dict[str, Any] = error.as_dict()
    if show_paths:
        return fields
    if isinstance(error, InternalError):
        fields["message"] = leave_words_out(error.message)
    return {name: fields[name] for name in fields if name != "path"}


def log_attempt(
    log: Log, outcome: AttemptOutcome, *, attempt: int, trace: str | None, file: str
) -> None:
    """Write the line of an attempt that ended.

    Args:
        log: the log.
        outcome: how the attempt ended.
        attempt: number of the attempt, from 1.
        trace: trace id of the request.
        file: path of the source.
    """
    text = outcome.error_text
    if text is not None and outcome.error_code == InternalError.code:
        text = leave_words_out(text)
    levels = {JobState.PENDING: "warning", JobState.DEAD: "error"}
    log.write(
        levels.get(outcome.state, "info"),
        "will be tried again" if outcome.state is JobState.PENDING else str(outcome.state),
        job=outcome.id,
        trace=trace,
        file=file,
        attempt=attempt,
        action=outcome.action,
        code=outcome.error_code,
        message=text,
        seconds=outcome.seconds,
    )


def log_unknown_fields(log: Log, request: Request) -> None:
    """Write a line if a request has fields that this version does not know."""
    if (names := request.name_unknown()) is not None:
        log.write("warning", "unknown fields", job=request.id, trace=request.trace_id,
                  fields=names, version=request.version)  # fmt: skip
