"""Settle messages: decide whether one is acknowledged, sent again, or becomes a dead letter.

A message is acknowledged last: after the result is in place, after the copy for another attempt or
the dead letter is sent. If a worker ends in between, the broker delivers the message again, and
the job store names the steps that are left.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from dicodec.errors import DicodecError
from dicodec.model.records import dataclass
from dicodec.service.brokers.broker import NOT_BEFORE, Delivery, Outgoing, Queue
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.outcomes import report_error
from dicodec.service.jobs.store.tables import AttemptOutcome, Job, JobState
from dicodec.service.jobs.tracing import TRACEPARENT, parse_traceparent

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

ATTEMPT = "dicodec-attempt"
HISTORY = "dicodec-history"
ERROR = "dicodec-error"
SENT_BACK = "dicodec-sent-back"
EVENT = "dicodec-event"
SEEN = "dicodec-seen"
SENT_IN = "dicodec-sent-in"

_HISTORY_KEPT = 50
"""Failed attempts in a history at most."""

_DIGITS = 9
"""Digits of the number of an attempt at most; Python refuses to read numbers of thousands."""

_TEXT_KEPT = 300
"""Characters of an error's text in a history, because it has to fit into headers."""

CUT_SHORT = 20
"""Attempts of one job that may end with their worker until the job fails for that."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The messages to send before a message is acknowledged.

    Attributes:
        copy: copy for another attempt, or dead letter; None to send neither.
        events: events to send.
    """

    copy: Outgoing | None = None
    events: tuple[Outgoing, ...] = ()

    @property
    def messages(self) -> list[Outgoing]:
        """All messages to send."""
        return [*self.events, *([self.copy] if self.copy is not None else [])]


def parse_attempt(delivery: Delivery) -> int:
    """Return the number of the attempt that a message requests, from 1."""
    text = delivery.headers.get(ATTEMPT, "1")
    return min(int(text), 1000) if text.isdecimal() and len(text) <= _DIGITS else 1


def parse_history(delivery: Delivery) -> list[dict[str, Any]]:
    """Return the failed attempts in a message's header, the oldest first."""
    try:
        history = json.loads(delivery.headers.get(HISTORY, "[]"))
    except (ValueError, RecursionError):
        return []
    listed = history if isinstance(history, list) else []
    return [
        one
        for one in listed
        if isinstance(one, dict) and not any(isinstance(part, dict | list) for part in one.values())
    ]


def settle_unreadable(delivery: Delivery, error: DicodecError, worker: str) -> Settlement:
    """Settle a message that is not a request."""
    event = Event(
        kind=EventKind.DEAD, job="", attempt=1, error=report_error(error, show_paths=False),
        traceparent=parse_traceparent(delivery.headers.get(TRACEPARENT)),
    ).to_json()  # fmt: skip
    return Settlement(
        _make_dead_letter(delivery, "", error.code, error.message, worker), (_make_event(event),)
    )


def settle_ended(delivery: Delivery, outcome: AttemptOutcome, worker: str) -> Settlement:
    """Settle a message whose attempt has ended."""
    events = (_make_event(outcome.event, outcome.id),)
    code, text = outcome.error_code or "", outcome.error_text or ""
    if outcome.state is JobState.PENDING:
        attempt = parse_attempt(delivery)
        headers = _add_failure(delivery, code, text, worker) | {ATTEMPT: str(attempt + 1)}
        delay = max(0.0, outcome.not_before - time.time())
        copy = Outgoing(Queue.RETRY, delivery.body, headers, outcome.id, delay)
        return Settlement(copy, events)
    if outcome.state is JobState.DEAD:
        return Settlement(_make_dead_letter(delivery, outcome.id, code, text, worker), events)
    return Settlement(None, events)


def settle_known(delivery: Delivery, job: Job, lease: float, worker: str) -> Settlement:
    """Settle a message whose job this worker could not take.

    Args:
        delivery: the message.
        job: row of the store.
        lease: seconds until a job is taken from a worker without heartbeats.
        worker: name of this worker.
    """
    match job.state:
        case JobState.DONE:  # perhaps by a worker that was killed before it sent the event
            event = Event(
                kind=EventKind.SUCCEEDED, job=job.id, attempt=job.attempts, tenant=job.tenant,
                trace_id=job.trace, report={"action": job.action}, frames=job.frames,
                traceparent=parse_traceparent(delivery.headers.get(TRACEPARENT)),
            )  # fmt: skip
            return Settlement(None, (_make_event(event.to_json(), job.id),))
        case JobState.DEAD:  # perhaps by a worker that was killed before it sent the letter
            code, text = job.error_code or "", job.error_text or ""
            return Settlement(_make_dead_letter(delivery, job.id, code, text, worker))
        case JobState.CANCELLED:
            return Settlement()
        case _:  # another worker has it, or had: look again when its lease may be over
            headers = _copy_headers(delivery)
            return Settlement(Outgoing(Queue.RETRY, delivery.body, headers, job.id, lease / 3))


def make_request_again(letter: Delivery, turn: str) -> Outgoing:
    """Return a request made of a dead letter, with its history and the mark of a turn."""
    headers = _copy_headers(letter) | {ATTEMPT: "1", SENT_BACK: "1", SENT_IN: turn}
    return Outgoing(Queue.REQUESTS, letter.body, headers)


def mark_seen(letter: Delivery, turn: str) -> Outgoing:
    """Return a copy of a dead letter with the mark of a turn through all letters."""
    headers = _copy_headers(letter) | {SEEN: turn, ERROR: letter.headers.get(ERROR, "")}
    return Outgoing(Queue.DEAD, letter.body, headers)


def is_seen(letter: Delivery, turn: str) -> bool:
    """Whether a turn has met a dead letter: marked it, or sent it back and it failed again."""
    return turn in {letter.headers.get(SEEN), letter.headers.get(SENT_IN)}


def make_event_message(event: Event) -> Outgoing:
    """Return the message of an event."""
    return _make_event(event.to_json(), event.job)


def is_same_request(request: Request, known: Mapping[str, Any]) -> bool:
    """Whether a known request, in the form of its JSON, is the same as one with its id."""
    asked = request.as_dict()
    names = ("source", "target", "target_folder", "to", "policy", "options")
    return all(asked.get(name) == known.get(name) for name in names)


def _make_event(text: str, job: str = "") -> Outgoing:
    event = json.loads(text)
    headers = {EVENT: str(event["kind"])}
    if TRACEPARENT in event:
        headers[TRACEPARENT] = event[TRACEPARENT]
    return Outgoing(Queue.EVENTS, text.encode(), headers, job)


def _make_dead_letter(delivery: Delivery, job: str, code: str, text: str, worker: str) -> Outgoing:
    headers = _add_failure(delivery, code, text, worker) | {ERROR: code}
    return Outgoing(Queue.DEAD, delivery.body, headers, job)


def _add_failure(delivery: Delivery, code: str, text: str, worker: str) -> dict[str, str]:
    """Return a message's headers, with one more failed attempt in the history."""
    note = {
        "at": round(time.time(), 3),
        "attempt": parse_attempt(delivery),
        "code": code,
        "message": text[:_TEXT_KEPT],
        "worker": worker,
    }
    history = [*parse_history(delivery), note][-_HISTORY_KEPT:]
    headers = {name: value for name, value in _copy_headers(delivery).items() if name != SENT_BACK}
    return headers | {HISTORY: json.dumps(history, separators=(",", ":"))}


def _copy_headers(delivery: Delivery) -> dict[str, str]:
    """Return the headers that copies keep: all but the broker's own and those of the attempt."""
    return {
        name: value
        for name, value in delivery.headers.items()
        if not name.startswith("x-") and name not in {NOT_BEFORE, ERROR, SEEN}
    }
