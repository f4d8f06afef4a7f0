"""What becomes of a message, without a broker: acknowledged last, sent again, or buried."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dicodec.errors import DiskFullError, NotDicomError, RequestError
from dicodec.service.brokers.broker import Delivery, Outgoing, Queue, choose_tier
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.outcomes import describe_attempt
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.store.tables import Job, JobState
from dicodec.service.worker import settlement

REQUEST = Request(id="j", source="/in/DOE^JOHN.dcm", target="/out/a.dcm", to=("rle",))
RETRIES = RetryPolicy(attempts=3, first=10, jitter=0)


def delivered(body: bytes = b"body", /, **headers: str) -> Delivery:
    return Delivery(body, {name.replace("_", "-"): one for name, one in headers.items()}, None, 1)


def as_delivered(sent: Outgoing) -> Delivery:
    return Delivery(sent.body, sent.headers, None, 1)


def job(state: JobState, **values: Any) -> Job:
    fields: dict[str, Any] = dict.fromkeys(Job.__slots__)
    fields |= {"id": "j", "request": REQUEST.to_json(), "state": state, "attempts": 1}
    return Job(**{**fields, **values})


def test_what_may_pass_waits_and_dies_with_its_whole_history() -> None:
    delivery = delivered(b"\xe2\x82\xac", traceparent="00-1")
    delays = []
    for attempt in (1, 2, 3):
        error = DiskFullError(f"full {attempt}", path=REQUEST.source)
        ending = describe_attempt(REQUEST, attempt, error, RETRIES, show_paths=False)
        settled = settlement.settle_ended(delivery, ending, "w")
        assert settled.copy is not None
        assert settled.copy.body == b"\xe2\x82\xac"
        assert settled.copy.headers["traceparent"] == "00-1"
        assert settled.copy.key == "j"
        (event,) = settled.events
        assert b"JOHN" not in event.body
        delays.append(settled.copy.delay)
        delivery = as_delivered(settled.copy)
        assert settlement.parse_attempt(delivery) == min(attempt + 1, 3)

    assert [round(delay) for delay in delays] == [10, 40, 0]
    assert settled.copy is not None
    assert settled.copy.queue is Queue.DEAD
    assert delivery.headers["dicodec-error"] == "disk-full"
    notes = settlement.parse_history(delivery)
    assert [note["message"] for note in notes] == ["full 1", "full 2", "full 3"]
    assert [note["attempt"] for note in notes] == [1, 2, 3]

    again = settlement.make_request_again(delivery, "turn")
    assert again.queue is Queue.REQUESTS
    assert settlement.parse_attempt(as_delivered(again)) == 1
    assert len(settlement.parse_history(as_delivered(again))) == 3
    assert "dicodec-error" not in again.headers


def test_what_stays_is_buried_at_once() -> None:
    ending = describe_attempt(REQUEST, 1, NotDicomError("text"), RETRIES, show_paths=False)
    settled = settlement.settle_ended(delivered(), ending, "w")

    assert settled.copy is not None
    assert settled.copy.queue is Queue.DEAD
    assert json.loads(settled.events[0].body)["kind"] == "dead"


def test_a_message_that_is_none_is_buried_byte_for_byte() -> None:
    settled = settlement.settle_unreadable(delivered(b"\xff\0"), RequestError("no"), "w")

    assert settled.copy is not None
    assert (settled.copy.queue, settled.copy.body) == (Queue.DEAD, b"\xff\0")
    assert settled.copy.headers["dicodec-error"] == "invalid-request"


@pytest.mark.parametrize(
    ("state", "place"),
    [
        (JobState.DONE, None), (JobState.CANCELLED, None), (JobState.DEAD, Queue.DEAD),
        (JobState.RUNNING, Queue.RETRY),
    ],
)  # fmt: skip
def test_a_job_that_is_known(state: JobState, place: Queue | None) -> None:
    settled = settlement.settle_known(delivered(dicodec_attempt="2"), job(state), 15, "w")

    assert (settled.copy.queue if settled.copy else None) is place
    if place is Queue.RETRY:
        assert settled.copy is not None
        assert settled.copy.delay == 5
        assert settlement.parse_attempt(as_delivered(settled.copy)) == 2  # that was no attempt
        assert settlement.parse_history(as_delivered(settled.copy)) == []


def test_what_is_told_of_a_message_belongs_to_its_trace() -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    for headers, told in (
        ({"traceparent": trace}, trace),
        ({"traceparent": "no"}, None),
        ({}, None),
    ):
        delivery = delivered(**headers)
        known = settlement.settle_known(delivery, job(JobState.DONE), 15, "w")
        unreadable = settlement.settle_unreadable(delivery, RequestError("no"), "w")
        for (event,) in (known.events, unreadable.events):
            assert event.headers.get("traceparent") == told
            assert json.loads(event.body).get("traceparent") == told


@pytest.mark.parametrize(
    "headers",
    [{"dicodec_history": "nonsense"}, {"dicodec_history": "5"}, {"dicodec_attempt": "-3"}],
)
def test_headers_that_make_no_sense_do_no_harm(headers: dict[str, str]) -> None:
    ending = describe_attempt(REQUEST, 1, DiskFullError("full"), RETRIES, show_paths=False)
    settled = settlement.settle_ended(delivered(**headers), ending, "w")

    assert settled.copy is not None
    assert len(settlement.parse_history(as_delivered(settled.copy))) == 1
    assert settlement.parse_attempt(as_delivered(settled.copy)) == 2


def test_a_history_stays_small_enough_for_headers() -> None:
    delivery = delivered()
    for attempt in range(1, 200):
        retries = RetryPolicy(attempts=1000)
        ending = describe_attempt(
            REQUEST, attempt, DiskFullError("x" * 5000), retries, show_paths=False
        )
        copy = settlement.settle_ended(delivery, ending, "w").copy
        assert copy is not None
        delivery = as_delivered(copy)

    assert len(delivery.headers["dicodec-history"]) < 32_000
    assert settlement.parse_history(delivery)[-1]["attempt"] == 199


def test_an_id_belongs_to_one_request() -> None:
    known = REQUEST.as_dict()

    assert settlement.is_same_request(replace(REQUEST, trace_id="another"), known)
    assert not settlement.is_same_request(replace(REQUEST, source="/other"), known)
    assert not settlement.is_same_request(replace(REQUEST, options={"quality": 3}), known)


def test_tiers_are_long_enough() -> None:
    assert [choose_tier(delay) for delay in (0, 1, 1.1, 79, 600, 5000)] == [1, 1, 5, 80, 1280, 1280]


def test_a_letter_that_fails_again_ends_the_turn_that_sent_it_back() -> None:
    """Otherwise `jobs retry` sends one letter back for as long as a worker runs."""
    letter = delivered(REQUEST.to_json().encode(), dicodec_error="not-dicom")
    delivery = as_delivered(settlement.make_request_again(letter, "turn"))
    for attempt in (1, 2, 3):
        error = DiskFullError("full", path=REQUEST.source)
        ending = describe_attempt(REQUEST, attempt, error, RETRIES, show_paths=False)
        copy = settlement.settle_ended(delivery, ending, "w").copy
        assert copy is not None
        delivery = as_delivered(copy)
    assert copy is not None
    assert copy.queue is Queue.DEAD
    assert settlement.is_seen(delivery, "turn")
    assert not settlement.is_seen(delivery, "next turn")
