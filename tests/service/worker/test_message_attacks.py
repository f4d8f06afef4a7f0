"""Messages from anybody: whatever one brings, it is buried with its cause and the worker lives."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Sequence
from email.header import Header
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicodec.errors import NotDicomError
from dicodec.service.brokers.broker import (
    CUT,
    NOT_BEFORE,
    Outgoing,
    Queue,
    read_headers,
    take_due_time,
)
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.mapping import load_mapping
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.worker.service import WorkerOptions, WorkerService
from helpers.memory_broker import HoldingExecutor, MemoryBroker, Message, RefusingExecutor
from helpers.patience import give_up_at

REQUEST = {"id": "j", "source": "/in/a", "target": "/out/a", "to": "rle"}


def work(messages: Sequence[Message], folder: Path, **options: Any) -> MemoryBroker:
    """Have a worker take messages until all are settled, and return the broker."""
    broker = MemoryBroker(messages)

    async def run() -> None:
        with JobStore(folder / "store") as store:
            service = WorkerService(
                broker, store, RefusingExecutor(), Log(None), WorkerOptions(**options)
            )
            running = asyncio.create_task(service.run(0.0, asyncio.Event()))
            for _ in range(1000):
                if running.done() or len(broker.acknowledged) >= len(messages):
                    break
                await asyncio.sleep(0.01)
            assert not running.done(), running.exception()
            service.stop()
            await asyncio.wait_for(running, 20)

    asyncio.run(run())
    assert sorted(broker.acknowledged) == [*range(len(messages))]
    return broker


async def until(true: Callable[[], Any]) -> None:
    """Wait until a function returns what is true."""
    end = give_up_at(30)
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def body(**fields: Any) -> bytes:
    return json.dumps({**REQUEST, **fields}).encode()


ODD_HEADERS: list[tuple[Any, Any]] = [
    ("dicodec-attempt", "9" * 5000),
    ("dicodec-attempt", b"9" * 5000),
    ("dicodec-attempt", "٣"),
    ("dicodec-attempt", "²"),
    ("dicodec-attempt", "nan"),
    ("dicodec-attempt", None),
    ("dicodec-attempt", Header(b"\xff\xfe", "unknown-8bit")),
    ("dicodec-attempt", 3.5),
    ("dicodec-history", "[" * 100_000),
    ("dicodec-history", '{"a":' * 20_000),
    ("dicodec-history", "[" + "9" * 5000 + "]"),
    ("dicodec-history", '[{"at": NaN, "at": Infinity, "code": {"deep": [[[[]]]]}}]'),
    ("dicodec-history", '[{"message": "\\ud800"}]'),
    ("dicodec-history", "\ud800"),
    ("dicodec-history", b"\xed\xa0\x80"),
    ("dicodec-history", json.dumps([{"at": 1, "message": "x" * 1_000_000}])),
    ("dicodec-sent-back", "\0"),
    ("dicodec-not-before", "1e999"),
    ("dicodec-error", "\r\nInjected: yes"),
    ("x\r\ny", "1"),
    ("\ud800", "\ud800"),
    (b"\xff", b"\xff"),
    (None, None),
    (1, {"nested": {"nested": [1, 2]}}),
    ("", ""),
    ("traceparent", "x" * 10_000_000),
    *[(f"many-{number}", "x" * 100) for number in range(5000)],
]


def test_each_odd_header_is_survived(tmp_path: Path) -> None:
    sound = [(body(id=f"j{number}"), [one]) for number, one in enumerate(ODD_HEADERS[:40])]
    unreadable = [(b"not JSON", [one]) for one in ODD_HEADERS[:40]]
    together: list[Message] = [(body(id="all"), ODD_HEADERS), (b"{", ODD_HEADERS)]
    broker = work([*sound, *unreadable, *together], tmp_path)
    buried = broker.sent_to(Queue.DEAD)
    assert len(buried) == len(sound) + len(unreadable) + len(together)
    for letter in buried:
        assert letter.headers["dicodec-error"] in {"not-dicom", "invalid-request"}
        json.loads(letter.headers["dicodec-history"])
        assert sum(len(name) + len(value) for name, value in letter.headers.items()) < 100_000


ODD_BODIES = [
    b"", b"\0", b"\xff\xfe{}", b"null", b"[]", b'"text"', b"{", b"NaN", b"{}", b"[" * 500_000,
    b'{"a":' * 100_000, b'{"id": ' + b"9" * 5000 + b"}", b'{"id": 1e999}', b"\xef\xbb\xbf{}",
    b'{"id": "a", "id": "b", "source": "/in/a", "target": "/out/a", "to": "rle"}',
    b'{"id": "\\ud800", "source": "/in/a", "target": "/out/a", "to": "rle"}',
    body(source="/in/\udcff"), body(source="/in/\ud800"), body(target="\ud800"),
    body(tenant="\ud800"), body(trace_id="\udfff"), body(priority=math.nan),
    body(priority=math.inf), body(priority=10**400), body(priority=-1), body(priority="5"),
    body(priority=True), body(priority=[[]]), body(to={"a": 1}), body(to=[["rle"]]),
    body(to=["\ud800"]), body(to=[None]), body(options={"quality": math.nan}),
    body(options={"quality": 10**400}), body(options={"ratio": -math.inf}),
    body(options={"set_attributes": {"PatientID": "\ud800"}}),
    body(options={"set_attributes": {"\ud800": "x"}}), body(options=[]),
    body(options={"set_attributes": [1]}), body(options={"\ud800": 1}), body(id="x" * 100_000),
    body(id=["j"]), body(id={"j": 1}), body(id=False), body(source=5), body(source="\0"),
    body(source="a" * 5000), body(policy="\ud800"), body(target_folder="/out"), body(**{"\0": 1}),
    b" " * (2 << 20), body(tenant="x" * (1 << 20)),
]  # fmt: skip


@pytest.mark.parametrize("mapped", [False, True])
def test_each_odd_body_is_survived(mapped: bool, tmp_path: Path) -> None:
    options: dict[str, Any] = {}
    if mapped:
        mapping = tmp_path / "mine.toml"
        mapping.write_text(
            '[fields]\nid = "{id}"\nsource = "{source}"\ntarget = "/out/{id}"\n'
            'tenant = "{options.set_attributes.PatientID}"\n[constants]\nto = "rle"\n'
        )
        options["read"] = load_mapping(str(mapping), {}).read
    broker = work([(one, []) for one in ODD_BODIES], tmp_path, **options)
    assert broker.sent_to(Queue.DEAD)


def test_a_reader_that_fails_in_an_unknown_way_costs_one_message(tmp_path: Path) -> None:
    def read(data: bytes) -> Request:
        if data == b"bad":
            raise ZeroDivisionError
        return Request.from_json(data)

    broker = work([(b"bad", []), (body(id="good"), [])], tmp_path, read=read)
    causes = {one.body: one.headers["dicodec-error"] for one in broker.sent_to(Queue.DEAD)}
    assert causes == {b"bad": "invalid-request", body(id="good"): "not-dicom"}


def test_a_request_that_the_store_cannot_hold_costs_one_message(tmp_path: Path) -> None:
    def read(data: bytes) -> Request:
        given = json.loads(data)
        return Request(id=given["id"], source="/in", target="/out", to=("rle",),
                       tenant=given.get("tenant"), priority=given.get("priority", 0))  # fmt: skip

    bad = [body(id="a", tenant="\ud800"), body(id="b", tenant={}), body(id="c", priority=10**30)]
    broker = work([(one, []) for one in [*bad, body(id="good")]], tmp_path, read=read)
    causes = {one.body: one.headers["dicodec-error"] for one in broker.sent_to(Queue.DEAD)}
    assert causes == {**dict.fromkeys(bad, "invalid-request"), body(id="good"): "not-dicom"}


def test_another_request_under_the_same_id_is_refused_while_the_first_runs(
    tmp_path: Path,
) -> None:
    first, same_fetch, later = body(), body(source="/in/b"), body(target="/out/c")
    broker = MemoryBroker([(first, []), (same_fetch, []), (first, [])])
    executor = HoldingExecutor()

    async def run() -> None:
        with JobStore(tmp_path / "store") as store:
            service = WorkerService(broker, store, executor, Log(None), WorkerOptions())
            running = asyncio.create_task(service.run(0.0, asyncio.Event()))
            await until(lambda: executor.futures)
            broker.waiting.append((later, []))
            await until(lambda: len(broker.sent_to(Queue.DEAD)) == 2)
            assert sorted(broker.acknowledged) == [1, 3]
            executor.futures[0].set_exception(NotDicomError("not DICOM"))
            await until(lambda: len(broker.acknowledged) == 4)
            service.stop()
            await asyncio.wait_for(running, 20)

    asyncio.run(run())
    causes = [(one.body, one.headers["dicodec-error"]) for one in broker.sent_to(Queue.DEAD)]
    assert causes == [
        (same_fetch, "invalid-request"), (later, "invalid-request"), (first, "not-dicom"),
    ]  # fmt: skip
    assert len(executor.futures) == 1


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["\ud800", "\0", "rle", "/in/a", "9" * 5000])
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = ("id", "source", "target", "target_folder", "to", "policy", "options", "tenant",
          "trace_id", "priority")  # fmt: skip
BODIES = (
    st.binary(max_size=60)
    | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=9), JSON).map(
        lambda fields: json.dumps(fields).encode()
    )
    | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3).map(lambda given: body(**given))
)
NAMES = st.sampled_from(
    ["dicodec-attempt", "dicodec-history", "dicodec-error", "dicodec-sent-back", "dicodec-seen",
     "dicodec-not-before", "traceparent", "X-Death"]
) | st.text(max_size=9) | st.binary(max_size=9)  # fmt: skip
VALUES = (
    st.text(st.characters(), max_size=30) | st.text(st.characters(categories=["Cs"]), max_size=5)
    | st.binary(max_size=30) | SCALARS | JSON.map(json.dumps) | st.sampled_from(["[" * 9999])
)  # fmt: skip
MESSAGES = st.tuples(BODIES, st.lists(st.tuples(NAMES, VALUES), max_size=4))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(messages=st.lists(MESSAGES, min_size=1, max_size=30))
def test_no_message_ends_the_worker(
    messages: list[Message], tmp_path_factory: pytest.TempPathFactory
) -> None:
    work(messages, tmp_path_factory.mktemp("store"))


@given(st.lists(st.tuples(NAMES | JSON, VALUES | JSON), max_size=8))
def test_headers_are_texts_that_any_broker_takes(headers: list[tuple[Any, Any]]) -> None:
    for name, value in read_headers(headers).items():
        assert name == name.encode("ascii").decode().lower()
        assert ":" not in name
        assert value.encode().decode() == value
        assert not {"\0", "\r", "\n"} & {*value}


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e300", "-5", "x", "", "9" * 5000])
def test_a_time_that_is_none_of_ours_is_due(text: str) -> None:
    headers = {NOT_BEFORE: text, "other": "kept"}
    assert take_due_time(headers) == 0.0
    assert headers == {"other": "kept"}


def test_a_message_that_is_too_large_loses_its_history_and_then_its_body() -> None:
    letter = Outgoing(Queue.DEAD, b"x" * 1000, {"dicodec-history": "h" * 9000, "a": "b"})
    cut = letter.cut()
    assert (len(cut.body), cut.headers) == (1000, {"a": "b", CUT: "headers"})
    again = cut.cut()
    assert (len(again.body), again.headers[CUT]) == (500, "body")
