"""Traces: a trace goes on from a message or an HTTP request to its result, recorded or not."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec.errors import InvalidOptionError
from dicodec.model.environment import make_child_environment
from dicodec.model.installation import describe_extra
from dicodec.service.brokers.broker import Queue
from dicodec.service.jobs.execution import ReportProgress
from dicodec.service.jobs.execution_work import ConversionResult, Task
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Event, Request
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.runner import StoreRunner
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.submission import make_job
from dicodec.service.jobs.tracing import Tracing, parse_traceparent
from dicodec.service.worker.publishing import _make_message
from dicodec.service.worker.service import WorkerOptions, WorkerService
from helpers.collector import running_collector
from helpers.installed import end_without
from helpers.made import make_file
from helpers.memory_broker import MemoryBroker, Message, RefusingExecutor
from helpers.patience import give_up_at
from helpers.service_process import running

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
OTHER = f"00-{'1' * 32}-{'2' * 16}-01"
LEAST = {"id": "1", "source": "/in/a", "target": "/out/a", "to": "rle"}
REPORT = {
    "action": "transcoded", "source": "/in/Secret^Name", "source_size": 9, "frames": 2,
    "seconds": {"open": 0.25, "plan": 0.5, "convert": 1.0, "total": 1.75},
}  # fmt: skip


def body(**fields: Any) -> bytes:
    return json.dumps({**LEAST, **fields}).encode()


class ReadyExecutor(RefusingExecutor):
    """Ends every request at once, with a report."""

    def submit_group(
        self, tasks: Sequence[Task], progress: Sequence[ReportProgress | None]
    ) -> list[Future[ConversionResult]]:
        del progress
        futures: list[Future[ConversionResult]] = []
        for _ in tasks:
            futures.append(Future())
            futures[-1].set_result(ConversionResult(REPORT, "/out/a"))
        return futures


def work(
    messages: Sequence[Message], folder: Path, tracing: Tracing, executor: RefusingExecutor
) -> MemoryBroker:
    """Have a worker settle messages, and return its broker."""
    broker = MemoryBroker(messages)

    async def run() -> None:
        with JobStore(folder / "store") as store:
            service = WorkerService(broker, store, executor, Log(None), WorkerOptions())
            service.tracing = tracing
            working = asyncio.create_task(service.run(0.0, asyncio.Event()))
            while len(broker.acknowledged) < len(messages):
                await asyncio.sleep(0.01)
            service.stop()
            await working

    asyncio.run(run())
    return broker


def events(broker: MemoryBroker) -> list[tuple[Event, str | None]]:
    """Return the events that were sent, each with the header of its message."""
    sent = broker.sent_to(Queue.EVENTS)
    return [(Event.from_json(one.body), one.headers.get("traceparent")) for one in sent]


# What goes on without the extra.


@pytest.mark.parametrize(
    "text",
    [PARENT, f"00-{TRACE}-{SPAN}-00", f"01-{TRACE}-{SPAN}-01-and-more", f"cc-{TRACE}-{SPAN}-ff"],
)
def test_a_valid_traceparent_is_one(text: str) -> None:
    assert parse_traceparent(text) == text


@pytest.mark.parametrize(
    "text",
    [
        None, "", "4711", 5, f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"{PARENT}\n",
        f"00-{TRACE}-{'0' * 16}-01", PARENT.upper(), f"{PARENT}-x", f" {PARENT}",
        f"01-{TRACE}-{SPAN}-01-{'x' * 300}", f"00-{TRACE[:-1]}-{SPAN}-01",
    ],
)  # fmt: skip
def test_an_invalid_traceparent_is_ignored(text: object) -> None:
    assert parse_traceparent(text) is None
    if isinstance(text, str) and text:
        assert Request.from_json(body(traceparent=text)).parent is None


@settings(max_examples=50)
@given(st.text() | st.from_regex(r"\A[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z"))
def test_whatever_is_taken_has_the_form_of_w3c(text: str) -> None:
    if (parsed := parse_traceparent(text)) is not None:
        version, trace, span, flags, *_ = parsed.split("-")
        assert (len(version), len(trace), len(span), len(flags)) == (2, 32, 16, 2)
        assert version != "ff"
        assert int(trace, 16) * int(span, 16) > 0


def test_a_request_has_its_trace_from_header_field_or_trace_id(tmp_path: Path) -> None:
    messages: list[Message] = [
        (body(id="header"), [("traceparent", PARENT)]),
        (body(id="both", traceparent=OTHER, trace_id="4711"), [("traceparent", PARENT)]),
        (body(id="field", traceparent=PARENT), []),
        (body(id="id", trace_id=PARENT), []),
        (body(id="none", trace_id="4711"), [("traceparent", "no")]),
        (b"{", [("traceparent", PARENT)]),
    ]
    broker = work(messages, tmp_path, Tracing(), ReadyExecutor())
    for event, header in events(broker):
        wanted = None if event.job == "none" else PARENT
        assert (event.traceparent, header) == (wanted, wanted), event
        shown = {"both": "4711", "none": "4711", "": None}
        assert event.trace_id == shown.get(event.job, PARENT)
    jobs = {event.job for event, _ in events(broker)}
    assert jobs == {"header", "both", "field", "id", "none", ""}
    (letter,) = broker.sent_to(Queue.DEAD)
    assert letter.headers["traceparent"] == PARENT


def test_sent_requests_have_the_header() -> None:
    for trace, headers in ((PARENT, {"traceparent": PARENT}), ("4711", {})):
        assert _make_message(Request.from_json(body(trace_id=trace))).headers == headers


def test_nothing_is_loaded_without_the_option() -> None:
    script = (
        "import sys\nimport dicodec.cli.worker, dicodec.cli.serve, dicodec.cli.watch\n"
        "import dicodec.service.worker.service, dicodec.service.web.service\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])\n"
        "print([name for name in sys.modules if name.startswith('dicodec') and 'otel' in name])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n[]\n"


def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from dicodec.cli.main import run

    (tmp_path / "in").mkdir()
    monkeypatch.setitem(sys.modules, "dicodec.service.jobs.otel_tracing", None)
    folders = [str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    assert run(["watch", *folders, "--to", "rle", "--once", "--traces", "http://x:4318"]) == 2
    assert describe_extra("otel") in capsys.readouterr().err


def test_the_collectors_token_is_out_of_the_environment_of_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
    assert "secret" not in str(make_child_environment())


# What is recorded.


@pytest.fixture
def recorded() -> tuple[Tracing, Callable[[], tuple[Any, ...]]]:
    """Return a tracing, and a function that returns the spans that ended."""
    try:
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    except ImportError:
        end_without("opentelemetry-sdk")
    from dicodec.service.jobs.otel_tracing import OtelTracing

    exporter = InMemorySpanExporter()
    return OtelTracing(SimpleSpanProcessor(exporter), "dicodec-test"), exporter.get_finished_spans


type Recorded = tuple[Tracing, Callable[[], tuple[Any, ...]]]


def test_a_worker_records_attempts_with_their_stages(tmp_path: Path, recorded: Recorded) -> None:
    tracing, read = recorded
    broker = work([(body(), [("traceparent", PARENT)])], tmp_path, tracing, ReadyExecutor())
    (attempt,) = [span for span in read() if span.name == "process dicodec.requests"]
    stages = [span for span in read() if span is not attempt]

    assert (attempt.context.trace_id, attempt.parent.span_id) == (int(TRACE, 16), int(SPAN, 16))
    assert attempt.kind.name == "CONSUMER"
    wanted = {
        "messaging.system": "memory", "messaging.destination.name": "dicodec.requests",
        "dicodec.job.id": "1", "dicodec.attempt": 1, "dicodec.outcome": "done",
        "dicodec.action": "transcoded", "dicodec.source_size": 9, "dicodec.frames": 2,
    }  # fmt: skip
    assert wanted.items() <= dict(attempt.attributes).items()
    assert [span.name for span in stages] == ["open", "plan", "convert"]
    assert {span.parent.span_id for span in stages} == {attempt.context.span_id}
    assert [span.end_time - span.start_time for span in stages] == [250_000_000, 500_000_000, 10**9]
    assert stages[0].end_time == stages[1].start_time
    assert stages[-1].end_time == attempt.end_time
    assert attempt.resource.attributes["service.name"] == "dicodec-test"
    assert "Secret" not in "".join(span.to_json() for span in read())
    context = f"00-{TRACE}-{attempt.context.span_id:016x}-01"
    assert {(event.traceparent, header) for event, header in events(broker)} == {(context, context)}
    assert {event.trace_id for event, _ in events(broker)} == {PARENT}


def test_a_failure_is_recorded_with_its_code_alone(tmp_path: Path, recorded: Recorded) -> None:
    tracing, read = recorded
    broker = work([(body(trace_id="4711"), [])], tmp_path, tracing, RefusingExecutor())
    (span,) = read()
    assert span.parent is None
    assert (span.status.status_code.name, span.status.description) == ("ERROR", "not-dicom")
    assert span.attributes["error.type"] == "not-dicom"
    assert {event.trace_id for event, _ in events(broker)} == {"4711"}


def test_the_jobs_of_a_store_are_recorded(tmp_path: Path, recorded: Recorded) -> None:
    tracing, read = recorded
    out = io.StringIO()
    with JobStore(tmp_path / "store") as store:
        store.put([make_job(Request.from_json(body(traceparent=PARENT)))])
        runner = StoreRunner(
            store, ReadyExecutor(), RetryPolicy(), Log(out), lambda *_: None, tracing
        )
        runner.start()
        until = give_up_at(30)
        while not any(span.name == "process job" for span in read()):
            assert time.monotonic() < until
            time.sleep(0.02)
        runner.stop(1)
        told = [Event.from_json(text) for _, _, text in store.read_events(0)]
    (attempt,) = [span for span in read() if span.name == "process job"]
    assert attempt.parent.span_id == int(SPAN, 16)
    assert attempt.attributes["dicodec.outcome"] == "done"
    context = f"00-{TRACE}-{attempt.context.span_id:016x}-01"
    assert [event.traceparent for event in told] == [PARENT, context, context]
    assert PARENT in out.getvalue()


def test_a_span_ends_once(recorded: Recorded) -> None:
    tracing, read = recorded
    span = tracing.begin_attempt(Request.from_json(body()), 1)
    span.end("done", cause=None, report={})
    span.end("lost", cause="timeout", report={})
    assert [one.attributes["dicodec.outcome"] for one in read()] == ["done"]


def test_an_unsampled_trace_is_not_recorded(recorded: Recorded) -> None:
    tracing, read = recorded
    span = tracing.begin_attempt(Request.from_json(body(traceparent=f"00-{TRACE}-{SPAN}-00")), 1)
    assert (span.traceparent or "").endswith("-00")
    span.end("done", cause=None, report=REPORT)
    assert read() == ()


# What is sent.


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    with running_collector() as found:
        yield found


def test_a_service_sends_its_traces(tmp_path: Path, collector: tuple[str, list[Any]]) -> None:
    url, got = collector
    headers = {"traceparent": PARENT}
    with running(tmp_path, "--jobs", "1", "--traces", url) as service:
        place = service.root / "a.dcm"
        place.write_bytes(make_file(16, 16)[0])
        content = place.read_bytes()
        call = service.client.post("/api/convert?to=rle", content=content, headers=headers)
        fields = {"source": str(place), "target": str(service.root / "b.dcm"), "to": ["rle"]}
        for path, one in (("", "single"), ("/batch", "many")):
            job = {**fields, "id": one, "target": f"{fields['target']}.{one}"}
            asked = {"jobs": [job]} if path else job
            answer = service.client.post(f"/api/jobs{path}", json=asked, headers=headers)
            assert answer.status_code == 202, answer.text
            service.ended(one)
            assert service.job(one)["trace_id"] == PARENT
    assert {(path, name) for path, name, _ in got} == {("/v1/traces", "dicodec-serve")}
    spans = [span for _, _, span in got]
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    roots = [span for span in spans if span.parent_span_id.hex() == SPAN]
    assert sorted(span.name for span in roots) == ["POST /api/convert", *["process job"] * 2]
    (convert,) = [span for span in roots if span.name == "POST /api/convert"]
    assert call.headers["traceparent"] == f"00-{TRACE}-{convert.span_id.hex()}-01"
    assert {span.name for span in spans} - {span.name for span in roots} == {
        "open", "plan", "convert",
    }  # fmt: skip


def test_a_collector_that_is_away_costs_no_job_and_little_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    otel_tracing = pytest.importorskip("dicodec.service.jobs.otel_tracing")
    monkeypatch.setattr(otel_tracing, "_SEND_SECONDS", 0.5)
    out = io.StringIO()
    tracing = otel_tracing.make_exporting_tracing("http://127.0.0.1:9", "test", Log(out))
    tracing.begin_attempt(Request.from_json(body()), 1).end("done", cause=None, report=REPORT)
    tracing.close()
    assert json.loads(out.getvalue().splitlines()[0])["event"] == "traces cannot be sent"
    for url in ("localhost:4318", "grpc://x:4317", "http://"):
        with pytest.raises(InvalidOptionError, match="--traces takes"):
            otel_tracing.make_exporting_tracing(url, "test", Log(None))
