"""What becomes of a message: acknowledged, sent again, or buried. The one place that decides it.

A message is acknowledged last: behind the result that is in place, behind the copy that waits for
another attempt, behind the dead letter. Whatever ends a worker in between, the message comes again,
and the store of jobs says what is left to do.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from dicodec.errors import DicodecError
from dicodec.service.brokers.broker import NOT_BEFORE, Delivery, Outgoing, Place
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.outcomes import told_of
from dicodec.service.jobs.store.tables import Ending, Job, JobState

ATTEMPT = "dicodec-attempt"
HISTORY = "dicodec-history"
ERROR = "dicodec-error"
SENT_BACK = "dicodec-sent-back"
EVENT = "dicodec-event"
SEEN = "dicodec-seen"

_HISTORY_KEPT = 50
_TEXT_KEPT = 300
"""Characters of an error's text in a history, which has to fit into headers."""

CUT_SHORT = 20
"""Attempts of one job that may end with their worker, before the job is held to be the cause."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is sent before a message is acknowledged.

    Attributes:
        copy: for another attempt, or the dead letter; None where the message is just forgotten.
        events: what is told.
    """

    copy: Outgoing | None = None
    events: tuple[Outgoing, ...] = ()

    @property
    def messages(self) -> list[Outgoing]:
        """All that is sent."""
        return [*self.events, *([self.copy] if self.copy is not None else [])]


def attempt_of(delivery: Delivery) -> int:
    """Return which attempt a message asks for, from 1."""
    text = delivery.headers.get(ATTEMPT, "1")
    return min(int(text), 1000) if text.isdecimal() else 1


def history_of(delivery: Delivery) -> list[dict[str, Any]]:
    """Return the failed attempts that a message tells of, the oldest first."""
    try:
        history = json.loads(delivery.headers.get(HISTORY, "[]"))
    except ValueError:
        return []
    return [one for one in history if isinstance(one, dict)] if isinstance(history, list) else []


def unreadable(delivery: Delivery, error: DicodecError, worker: str) -> Settlement:
    """Return what becomes of a message that is no request."""
    told = Event(
        kind=EventKind.DEAD, job="", attempt=1, error=told_of(error, show_paths=False)
    ).to_json()
    return Settlement(
        _dead_letter(delivery, "", error.code, error.message, worker), (_event(told),)
    )


def ended(delivery: Delivery, ending: Ending, worker: str) -> Settlement:
    """Return what becomes of a message whose attempt has come to an end."""
    events = (_event(ending.event, ending.id),)
    code, text = ending.error_code or "", ending.error_text or ""
    if ending.state is JobState.PENDING:
        attempt = attempt_of(delivery)
        headers = _noted(delivery, code, text, worker) | {ATTEMPT: str(attempt + 1)}
        delay = max(0.0, ending.not_before - time.time())
        copy = Outgoing(Place.RETRY, delivery.body, headers, ending.id, delay)
        return Settlement(copy, events)
    if ending.state is JobState.DEAD:
        return Settlement(_dead_letter(delivery, ending.id, code, text, worker), events)
    return Settlement(None, events)


def known(delivery: Delivery, job: Job, lease: float, worker: str) -> Settlement:
    """Return what becomes of a message whose job is not to be done here.

    Args:
        delivery: the message.
        job: as the store has it.
        lease: seconds after which a job is taken from a worker that says nothing.
        worker: who asks.
    """
    match job.state:
        case JobState.DONE:  # perhaps by one that was killed before it could tell
            event = Event(
                kind=EventKind.SUCCEEDED, job=job.id, attempt=job.attempts, tenant=job.tenant,
                trace_id=job.trace, report={"action": job.action}, frames=job.frames,
            )  # fmt: skip
            return Settlement(None, (_event(event.to_json(), job.id),))
        case JobState.DEAD:  # perhaps by one that was killed before it could bury the message
            code, text = job.error_code or "", job.error_text or ""
            return Settlement(_dead_letter(delivery, job.id, code, text, worker))
        case JobState.CANCELLED:
            return Settlement()
        case _:  # another worker is at it, or was: look again when its lease may be over
            headers = _kept(delivery)
            return Settlement(Outgoing(Place.RETRY, delivery.body, headers, job.id, lease / 3))


def sent_back(letter: Delivery) -> Outgoing:
    """Return a dead letter as a request again, with its history."""
    headers = _kept(letter) | {ATTEMPT: "1", SENT_BACK: "1"}
    return Outgoing(Place.REQUESTS, letter.body, headers)


def seen(letter: Delivery, turn: str) -> Outgoing:
    """Return a dead letter that stays one, marked by a turn through all of them."""
    headers = _kept(letter) | {SEEN: turn, ERROR: letter.headers.get(ERROR, "")}
    return Outgoing(Place.DEAD, letter.body, headers)


def is_seen(letter: Delivery, turn: str) -> bool:
    """Whether a turn has been at a dead letter."""
    return letter.headers.get(SEEN) == turn


def told(event: Event) -> Outgoing:
    """Return an event as a message."""
    return _event(event.to_json(), event.job, event.kind)


def same_request(request: Request, job: Job) -> bool:
    """Whether a job that is known by a request's id asks for the same."""
    asked = request.as_dict()
    before = json.loads(job.request)
    names = ("source", "target", "target_folder", "to", "policy", "options")
    return all(asked.get(name) == before.get(name) for name in names)


def _event(text: str, job: str = "", kind: str = "") -> Outgoing:
    kind = kind or str(json.loads(text)["kind"])
    return Outgoing(Place.EVENTS, text.encode(), {EVENT: kind}, job)


def _dead_letter(delivery: Delivery, job: str, code: str, text: str, worker: str) -> Outgoing:
    headers = _noted(delivery, code, text, worker) | {ERROR: code}
    return Outgoing(Place.DEAD, delivery.body, headers, job)


def _noted(delivery: Delivery, code: str, text: str, worker: str) -> dict[str, str]:
    """Return a message's headers with one more failed attempt in the history."""
    note = {
        "at": round(time.time(), 3),
        "attempt": attempt_of(delivery),
        "code": code,
        "message": text[:_TEXT_KEPT],
        "worker": worker,
    }
    history = [*history_of(delivery), note][-_HISTORY_KEPT:]
    headers = {name: value for name, value in _kept(delivery).items() if name != SENT_BACK}
    return headers | {HISTORY: json.dumps(history, separators=(",", ":"))}


def _kept(delivery: Delivery) -> dict[str, str]:
    """Return the headers that copies have too: all but the broker's own, and what is past."""
    return {
        name: value
        for name, value in delivery.headers.items()
        if not name.startswith("x-") and name not in {NOT_BEFORE, ERROR, SEEN}
    }
