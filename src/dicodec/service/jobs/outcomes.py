"""What an attempt came to, as a row for the store and an event for those who watch."""

from __future__ import annotations

import json
import time
from typing import Any

from dicodec.errors import DicodecError
from dicodec.service.jobs.execution_work import Done
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.store.tables import Ending, JobState

_TOLD = ("action", "source_syntax", "target_syntax", "source_size", "target_size", "frames",
         "lossy", "verified", "rule")  # fmt: skip
"""What an event tells of a report; the rest stays with the job, as it can quote the file."""


def success(request: Request, attempt: int, done: Done, *, show_paths: bool) -> Ending:
    """Return how an attempt ends that did what was asked for."""
    report = done.report
    told = {name: report[name] for name in _TOLD if name in report}
    if report.get("salvaged"):
        told["salvaged"] = report["salvaged"]
    if show_paths and done.target is not None:
        told["target"] = done.target
    frames = int(report.get("frames", 0))
    event = Event.of(
        request, EventKind.SUCCEEDED, attempt=attempt, report=told, frames=frames,
        frames_done=frames,
    )  # fmt: skip
    return Ending(
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


def failure(
    request: Request,
    attempt: int,
    error: DicodecError,
    retries: RetryPolicy,
    *,
    show_paths: bool,
) -> Ending:
    """Return how an attempt ends that failed: it waits for another, or was the last."""
    again = retries.again(error.code, attempt)
    due = time.time() + retries.delay(attempt) if again else 0.0
    event = Event.of(
        request,
        EventKind.RETRYING if again else EventKind.DEAD,
        attempt=attempt,
        error=told_of(error, show_paths=show_paths),
        not_before=due or None,
    )
    return Ending(
        id=request.id,
        state=JobState.PENDING if again else JobState.DEAD,
        event=event.to_json(),
        result=json.dumps({"error": error.as_dict()}),
        not_before=due,
        error_code=error.code,
        error_text=error.message,
    )


def cancelled(request: Request, attempt: int) -> Ending:
    """Return how an attempt ends that somebody asked to give up."""
    event = Event.of(request, EventKind.CANCELLED, attempt=attempt)
    return Ending(id=request.id, state=JobState.CANCELLED, event=event.to_json(), result="{}")


def told_of(error: DicodecError, *, show_paths: bool) -> dict[str, Any]:
    """Return what is told of an error; its path only where paths are shown."""
    fields = error.as_dict()
    return fields if show_paths else {name: fields[name] for name in fields if name != "path"}
