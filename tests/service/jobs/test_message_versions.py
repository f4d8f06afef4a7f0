"""Versions of messages: newer fields are kept and warned of, another major version is refused."""

from __future__ import annotations

import asyncio
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dicodec.errors import RequestError, UnsupportedVersionError
from dicodec.service.brokers.broker import Queue
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.request_fields import MESSAGE_VERSION
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.runner import StoreRunner
from dicodec.service.jobs.schema import make_event_schema, make_request_schema
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import JobState, NewJob
from dicodec.service.jobs.submission import make_job
from dicodec.service.worker.service import WorkerOptions, WorkerService
from helpers.memory_broker import MemoryBroker, RefusingExecutor
from helpers.patience import give_up_at
from helpers.service_process import running

LEAST = {"id": "1", "source": "/in/a", "target": "/out/a", "to": "rle"}
NEWER = {**LEAST, "version": "1.7", "ward": {"floor": [7, None]}, "optionss": "x"}


def parse(**fields: Any) -> Request:
    return Request.from_json(json.dumps({**LEAST, **fields}))


def test_messages_carry_their_version() -> None:
    assert parse().version == MESSAGE_VERSION == "1.0"
    assert json.loads(parse().to_json())["version"] == "1.0"
    event = Event.of(parse(), EventKind.ACCEPTED)
    assert json.loads(event.to_json())["version"] == "1.0"
    assert not [*Draft202012Validator(make_event_schema()).iter_errors(event.as_dict())]


def test_fields_of_a_newer_version_are_kept() -> None:
    request = Request.from_fields(NEWER)
    assert request.unknown == {"ward": {"floor": [7, None]}, "optionss": "x"}
    assert {**request.as_dict(), "to": "rle"} == {**NEWER, "priority": 0}
    assert Request.from_json(request.to_json()) == request
    assert request.name_unknown() == "optionss, ward"
    assert not [*Draft202012Validator(make_request_schema()).iter_errors(NEWER)]


@pytest.mark.parametrize(
    "name", ["optoins", "Options", "traceid", "target-folder", "priorty", "quality"]
)
def test_a_field_with_an_error_in_its_name_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="there is no field") as raised:
        parse(**{name: 1})
    assert (raised.value.field, raised.value.hint is not None) == (name, True)
    assert parse(version="1.1", **{name: 1}).unknown == {name: 1}


@pytest.mark.parametrize("name", ["ward", "x", "colour", "future_field", "", "\ud800", "a" * 999])
def test_other_fields_are_kept_without_a_version(name: str) -> None:
    assert parse(**{name: 1}).unknown == {name: 1}
    assert len(parse(**{name: 1}).name_unknown() or "") <= 50


def test_unknown_options_are_refused_whatever_the_version() -> None:
    with pytest.raises(RequestError, match=r"options\.sharpen"):
        parse(version="1.9", options={"sharpen": 3})


@pytest.mark.parametrize("version", ["2.0", "0.9", "9999.0"])
def test_another_major_version_is_refused_before_all_else(version: str) -> None:
    with pytest.raises(UnsupportedVersionError, match=f"has version {version}") as raised:
        Request.from_json(json.dumps({"version": version, "job": {"files": []}}))
    assert raised.value.code == "unsupported-version"
    with pytest.raises(UnsupportedVersionError):
        Event.from_json(json.dumps({"version": version, "kind": "done?"}))


@pytest.mark.parametrize("version", [1, 1.0, "1", "1.x", "", "1.0.0", "٣.0", [], "1.00000"])
def test_what_is_no_version_is_an_invalid_request(version: object) -> None:
    with pytest.raises(RequestError) as raised:
        parse(version=version)
    assert (raised.value.code, raised.value.field) == ("invalid-request", "version")


def test_a_field_that_cannot_be_kept_is_refused() -> None:
    deep: Any = 1
    for _ in range(30):
        deep = [deep]
    for value in (deep, float("nan"), {"a": [float("-inf")]}):
        with pytest.raises(RequestError, match="more than 20 levels"):
            parse(ward=value)
    assert parse(ward=deep[0][0][0][0][0][0][0][0][0][0])


def test_events_of_a_newer_version_are_read() -> None:
    text = Event.of(parse(), EventKind.DEAD).to_json()
    event = Event.from_json(json.dumps({**json.loads(text), "version": "1.3", "node": "n"}))
    assert (event.kind, event.version) == (EventKind.DEAD, "1.3")


def test_a_worker_keeps_unknown_fields_and_buries_what_it_cannot_know(tmp_path: Path) -> None:
    newer = json.dumps({"version": "2.0", "what": ["else"]}).encode()
    broker = MemoryBroker([(json.dumps(NEWER).encode(), []), (newer, [("origin", "lab")])])
    out = io.StringIO()

    async def run() -> str:
        with JobStore(tmp_path / "store") as store:
            service = WorkerService(broker, store, RefusingExecutor(), Log(out), WorkerOptions())
            working = asyncio.create_task(service.run(0.0, asyncio.Event()))
            while len(broker.acknowledged) < 2:
                await asyncio.sleep(0.01)
            service.stop()
            await working
            job = store.find("1")
            assert job is not None
            return job.request

    kept = json.loads(asyncio.run(run()))
    assert kept["ward"] == NEWER["ward"]
    letters = {one.headers["dicodec-error"]: one for one in broker.sent_to(Queue.DEAD)}
    assert letters["unsupported-version"].body == newer
    assert letters["unsupported-version"].headers["origin"] == "lab"
    assert letters["not-dicom"].body == json.dumps(NEWER).encode()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    (warned,) = [line for line in lines if line["event"] == "unknown fields"]
    assert (warned["level"], warned["fields"], warned["version"]) == (
        "warning", "optionss, ward", "1.7",
    )  # fmt: skip
    assert "floor" not in out.getvalue()


def test_a_store_keeps_a_job_that_it_cannot_know(tmp_path: Path) -> None:
    text = json.dumps({"version": "2.0", "what": "else"})
    out = io.StringIO()
    with JobStore(tmp_path / "store") as store:
        store.put([NewJob(id="2", request=text, source="/in/a"), make_job(parse(ward=7))])
        runner = StoreRunner(store, RefusingExecutor(), RetryPolicy(), Log(out), lambda *_: None)
        runner.start()
        until = give_up_at(30)
        while sum(one.jobs for one in store.read_tallies() if one.state is JobState.DEAD) < 2:
            assert time.monotonic() < until
            time.sleep(0.02)
        runner.stop(1)
        job = store.find("2")
    assert job is not None
    assert (job.error_code, job.request) == ("unsupported-version", text)
    assert '"unknown fields"' in out.getvalue()


def test_the_service_takes_newer_fields_and_refuses_another_major_version(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        place = str(service.root / "none.dcm")
        fields = {"source": place, "target": f"{place}.out", "to": ["rle"], "id": "9"}
        assert service.submit(**fields, ward=7, version="1.4").status_code == 202
        request = service.job("9")["request"]
        assert (request["ward"], request["version"]) == (7, "1.4")
        refused = service.submit(**fields, version="2.0")
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "unsupported-version"
        service.wait(lambda: any(line["event"] == "unknown fields" for line in service.log()))
