"""Metrics: declared once, produced by workers, services and batches, used by alerts and panels."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pydicom
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from dicodec.batch.ledger.tables import State
from dicodec.cli.main import run
from dicodec.errors import InvalidOptionError, TargetUnavailableError
from dicodec.service.brokers.broker import Delivery
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.metrics.batch import BatchMetrics
from dicodec.service.metrics.declarations import (
    BATCH_LABEL,
    BROKER_UP,
    METRICS,
    PEER_DELIVERIES,
    PEER_UP,
    QUEUE_AGE,
    Metric,
    MetricKind,
)
from dicodec.service.metrics.listener import serve_metrics
from dicodec.service.metrics.recording import Metrics, ReadGauge
from dicodec.service.worker.service import WorkerOptions, WorkerService
from helpers.brokers import running_broker
from helpers.dicom_network import find_free_port
from helpers.installed import program
from helpers.memory_broker import MemoryBroker, RefusingExecutor
from helpers.worker_fleet import Fleet

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "docs" / "deploy"
CT = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"

type Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Samples:
    """Return the samples of a text by name and labels; those of the time of making are left out."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if not one.name.endswith("_created")
    }


def names_in(text: str) -> set[str]:
    """Return the metrics that a query or a page names, histograms without their suffixes."""
    found = set(re.findall(r"\bdicodec_[a-z_]+", text))
    histograms = {one.name for one in METRICS.values() if one.kind is MetricKind.HISTOGRAM}
    base = {name: re.sub(r"_(bucket|sum|count)$", "", name) for name in found}
    return {base[name] if base[name] in histograms else name for name in found}


def check_query(query: str) -> None:
    """Check that a query has declared metrics only, and their labels."""
    assert names_in(query) <= METRICS.keys()
    labels = {BATCH_LABEL, "le", "job", "instance"}
    labels = labels.union(*(METRICS[name].labels for name in names_in(query)))
    for matchers in re.findall(r"\{([^}]*)\}", query):
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= labels
    for names in re.findall(r"\bby\s*\(([^)]*)\)", query):
        assert {name.strip() for name in names.split(",")} <= labels
    assert names_in(query) or "vector" in query


ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
DASHBOARD = json.loads((DEPLOY / "grafana" / "dicodec.json").read_text())


def test_alerts_name_metrics_that_there_are() -> None:
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 10
    for rule in rules:
        check_query(rule["expr"])
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_the_dashboard_names_metrics_that_there_are() -> None:
    queries = [one["expr"] for panel in DASHBOARD["panels"] for one in panel["targets"]]
    for query in queries:
        check_query(query.replace("$__rate_interval", "5m"))
    (jobs,) = [one for one in DASHBOARD["templating"]["list"] if one["name"] == "job"]
    check_query(jobs["query"].replace("label_values", ""))
    shown = names_in(" ".join(queries))
    alerted = names_in((DEPLOY / "prometheus" / "alerts.yaml").read_text())
    assert shown | alerted == METRICS.keys()
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_page_lists_the_metrics_with_their_labels() -> None:
    page = (ROOT / "docs" / "operate.md").read_text()
    rows = re.findall(r"^\| `(dicodec_\w+)` \|([^|]*)\|", page, re.M)
    assert {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == {
        name: metric.labels for name, metric in METRICS.items()
    }


def test_prometheus_takes_the_rules_and_they_fire(tmp_path: Path) -> None:
    promtool, alerts = program("promtool"), DEPLOY / "prometheus" / "alerts.yaml"
    cases = Path(__file__).with_name("alerts_test.yaml").read_text()
    (tmp_path / "test.yaml").write_text(cases.replace("%ALERTS%", str(alerts)))
    for command in (
        ["check", "config", "--syntax-only", str(DEPLOY / "prometheus" / "prometheus.yaml")],
        ["check", "rules", str(alerts)],
        ["test", "rules", str(tmp_path / "test.yaml")],
    ):
        ended = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_metric_is_produced(tmp_path: Path) -> None:
    with JobStore(tmp_path / "store") as store:
        gauges: dict[Metric, ReadGauge] = {
            BROKER_UP: lambda: True,
            QUEUE_AGE: lambda: 2.5,
            PEER_UP: lambda: {("PACS",): 1.0},
            PEER_DELIVERIES: lambda: {("PACS", "dead"): 3.0},
        }
        worker = Metrics(store, gauges)
        worker.count_failure("timeout", "retrying")
        worker.count_dead_letter("not-dicom")
        with BatchMetrics(str(tmp_path / "one.prom")) as batch:
            batch.count(State.DONE, json.dumps({"source_size": 5, "seconds": {"open": 1, "x": 2}}))
        texts = worker.format_text().decode(), (tmp_path / "one.prom").read_text()
        service = Metrics(store).format_text().decode()
    families = {
        f"{one.name}_total" if one.type == "counter" else one.name: one
        for text in texts
        for one in text_string_to_metric_families(text)
        if not one.name.endswith("_created")
    }
    assert families.keys() == METRICS.keys()
    for name, family in families.items():
        metric = METRICS[name]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        for sample in family.samples:
            labels = sample.labels.keys() - {BATCH_LABEL, "le"}
            assert labels <= {*metric.labels}
    assert read(texts[0])["dicodec_queue_age_seconds", ()] == 2.5
    assert read(texts[0])["dicodec_peer_deliveries", (("peer", "PACS"), ("state", "dead"))] == 3
    assert read(service)["dicodec_queue_age_seconds", ()] == 0
    assert read(service)["dicodec_attempts_total", (("cause", ""), ("outcome", "succeeded"))] == 0
    assert read(service)["dicodec_stage_seconds_count", (("stage", "verify"),)] == 0
    assert 'stage="x"' not in texts[1]


def test_a_store_that_cannot_be_asked_leaves_the_other_numbers(tmp_path: Path) -> None:
    with JobStore(tmp_path / "store") as store:
        metrics = Metrics(store)
        assert read(metrics.format_text().decode())["dicodec_store_up", ()] == 1

        def fail() -> list[Any]:
            raise TargetUnavailableError("away")

        store.read_tallies = fail  # type: ignore[method-assign]
        found = read(metrics.format_text().decode())
    assert found["dicodec_store_up", ()] == 0
    assert found["dicodec_frames_total", ()] == 0


# Workers.


def work(broker: MemoryBroker, folder: Path) -> Samples:
    """Have a worker settle all messages, and return its metrics."""

    async def run() -> str:
        with JobStore(folder / "store") as store:
            service = WorkerService(broker, store, RefusingExecutor(), Log(None), WorkerOptions())
            metrics = Metrics(store, {BROKER_UP: lambda: service.connected})
            service.metrics = metrics
            count = len(broker.waiting)
            running = asyncio.create_task(service.run(0.0, asyncio.Event()))
            while len(broker.acknowledged) < count:
                await asyncio.sleep(0.01)
            text = metrics.format_text().decode()
            service.stop()
            await running
        return text

    return read(asyncio.run(run()))


def test_a_worker_counts_attempts_and_dead_letters(tmp_path: Path) -> None:
    request = {"source": "/in/a", "target": "/out/a", "to": "rle"}
    bodies = [json.dumps({**request, "id": one}).encode() for one in ("a", "b", "a")]
    found = work(MemoryBroker([(one, []) for one in (*bodies, b"{", b"[]")]), tmp_path)

    assert found["dicodec_attempts_total", (("cause", "not-dicom"), ("outcome", "dead"))] == 2
    assert found["dicodec_dead_letters_total", (("cause", "not-dicom"),)] >= 2
    assert found["dicodec_dead_letters_total", (("cause", "invalid-request"),)] == 2
    assert found["dicodec_jobs", (("cause", "not-dicom"), ("state", "dead"))] == 2
    assert found["dicodec_broker_up", ()] == 1


def test_the_age_of_the_queue_is_that_of_the_last_message(tmp_path: Path) -> None:
    with JobStore(tmp_path / "store") as store:
        broker = MemoryBroker()
        service = WorkerService(broker, store, RefusingExecutor(), Log(None), WorkerOptions())

        def age(*sent: float | None) -> float:
            service._note_age([Delivery(b"", {}, 0, 0, one) for one in sent])
            return service.measure_queue_age()

        now = time.time()
        assert service.measure_queue_age() == 0
        assert 90 <= age(now - 10, now - 90, None) < 95
        assert age() == 0
        assert 0 <= age(now + 500) < 5  # another clock
        for made_up in (None, 0.0, -0.001, 5.0):
            assert 0 <= age(made_up) < 5
        time.sleep(0.01)
        assert service.measure_queue_age() >= 0.01


def test_metrics_are_served_until_the_end_and_a_taken_port_is_said(tmp_path: Path) -> None:
    with JobStore(tmp_path / "store") as store, serve_metrics(Metrics(store), "127.0.0.1", 0) as at:
        with urllib.request.urlopen(at) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            assert ("dicodec_store_up", ()) in read(answer.read().decode())
        port = int(at.split(":")[2].split("/")[0])
        for host, taken in (("127.0.0.1", port), ("192.0.2.1", 0), ("127.0.0.1", 70_000)):
            with pytest.raises(InvalidOptionError, match="cannot be served"):  # noqa: SIM117
                with serve_metrics(Metrics(store), host, taken):
                    pass
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(at)


def test_a_worker_serves_its_metrics(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    port = find_free_port()
    with running_broker("redis", tmp_path / "redis") as broker:
        import redis

        client = redis.Redis.from_url(broker.url)
        with Fleet(broker.url, tmp_path, ["--jobs", "1", "--metrics-port", str(port)]) as fleet:
            fleet.prepare()
            shutil.copyfile(CT, tmp_path / "files" / "a.dcm")
            for name in ("a", "none"):
                request = {
                    "id": name, "source": str(tmp_path / "files" / f"{name}.dcm"), "to": "rle",
                    "target": str(tmp_path / "files" / f"{name}.out.dcm"),
                }  # fmt: skip
                client.xadd("dicodec.requests", {"body": json.dumps(request)})
            fleet.start()
            fleet.wait_for(lambda: fleet.states() == {"a": "done", "none": "pending"}, 30)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                found = read(answer.read().decode())
            assert fleet.stop() == [0]
        client.close()
    causes = {cause: value for (name, cause), value in found.items() if name.endswith("s_total")}
    assert causes[(("cause", ""), ("outcome", "succeeded"))] == 1
    assert causes[(("cause", "source-unavailable"), ("outcome", "retrying"))] == 1
    assert found["dicodec_bytes_total", (("direction", "in"),)] == CT.stat().st_size
    assert found["dicodec_broker_up", ()] == 1
    assert found["dicodec_stage_seconds_count", (("stage", "total"),)] == 1


# Batches.


def test_a_batch_leaves_its_metrics(tmp_path: Path) -> None:
    folder, file = tmp_path / "in", tmp_path / "night.prom"
    folder.mkdir()
    for name in ("a", "b"):
        shutil.copyfile(CT, folder / f"{name}.dcm")
    (folder / "short.dcm").write_bytes(CT.read_bytes()[:20_000])
    (folder / "x.txt").write_text("no image")
    before = time.time()
    arguments = ["convert", str(folder), "--to", "rle", "-o", str(tmp_path / "out"), "-q"]

    assert run([*arguments, "--metrics-file", str(file), "--dry-run"]) == 1
    assert not file.exists()
    assert run([*arguments, "--metrics-file", str(file), "--jobs", "1"]) == 1
    found = read(file.read_text())
    batch = ("batch", "night")
    done = (batch, ("cause", ""), ("outcome", "succeeded"))
    assert found["dicodec_attempts_total", done] == 2
    lost = (batch, ("cause", "truncated-frame"), ("outcome", "failed"))
    assert found["dicodec_attempts_total", lost] == 1
    passed = (batch, ("cause", "not-dicom"), ("outcome", "skipped"))
    assert found["dicodec_attempts_total", passed] == 1
    assert found["dicodec_bytes_total", (batch, ("direction", "in"))] == 2 * CT.stat().st_size
    assert found["dicodec_batch_exit_status", (batch,)] == 1
    start, end = (found[f"dicodec_batch_{one}_time_seconds", (batch,)] for one in ("start", "end"))
    assert before <= start <= end <= found["dicodec_batch_seen_time_seconds", (batch,)]
    assert {one.name for one in tmp_path.iterdir()} == {"in", "out", "night.prom"}


def test_the_file_is_written_while_the_batch_runs(tmp_path: Path) -> None:
    file = tmp_path / "a.prom"
    with BatchMetrics(str(file), seconds=0.01) as metrics:
        first = read(file.read_text())
        assert first["dicodec_batch_end_time_seconds", (("batch", "a"),)] == 0
        metrics.count(State.FAILED, '{"error": {"code": "timeout"}}')
        until = time.monotonic() + 20
        while "timeout" not in file.read_text() and time.monotonic() < until:
            time.sleep(0.01)
        metrics.finish(1)
    assert "timeout" in file.read_text()
    assert metrics.error is None


def test_a_file_that_cannot_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["convert", str(CT), "--to", "rle", "-o", str(tmp_path / "out.dcm")]
    place = tmp_path / "none" / "a.prom"
    assert run([*arguments, "--metrics-file", str(place)]) == 1
    assert "target-unavailable" in capsys.readouterr().err
    assert not (tmp_path / "out.dcm").exists()
    place.parent.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(BatchMetrics, "finish", lambda *_: shutil.rmtree(place.parent))
        assert run([*arguments, "--metrics-file", str(place)]) == 1
    assert (tmp_path / "out.dcm").exists()
    assert str(place) in capsys.readouterr().err


def test_nothing_is_loaded_that_nobody_asked_for(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom dicodec.cli.main import run\nassert run(sys.argv[1:]) == 0\n"
        "import dicodec.cli.worker, dicodec.service.worker.service\n"
        "print([name for name in sys.modules if 'prometheus' in name])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, "convert", str(CT), "--to", "rle", "--jobs", "1", "-q",
         "-o", str(tmp_path / "out.dcm")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout == "[]\n"
