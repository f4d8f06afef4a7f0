"""The service's jobs: put, listed, cancelled, tried again, told of; killed and resumed."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from dicodec import convert_bytes
from helpers.made import make_file
from helpers.service_process import RunningService, running

NAME = b"Secret^Patient"
FILE = make_file(48, 64, extra=[(0x00100010, "PN", NAME), (0x00100020, "LO", b"ID4711")])[0]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder, "--jobs", "2", "--retry-after", "0.3", "--attempts", "3") as made:
        (made.root / "a.dcm").write_bytes(FILE)
        noise = np.random.default_rng(1).integers(0, 65536, (40, 512, 512)).astype(np.uint16)
        long = make_file(512, 512, frames=40, bits_stored=16, pixels=noise)[0]
        (made.root / "long.dcm").write_bytes(long)
        yield made


@pytest.fixture
def out(service: RunningService, request: pytest.FixtureRequest) -> Path:
    folder: Path = service.root / "out" / request.node.name
    return folder


def asked(service: RunningService, out: Path, **fields: Any) -> dict[str, Any]:
    given = {"source": str(service.root / "a.dcm"), "target": str(out / "a.dcm"), "to": ["rle"]}
    return {**given, **fields}


def test_a_job_by_path(service: RunningService, out: Path) -> None:
    answer = service.submit(**asked(service, out, tenant="t", trace_id="trace-1", priority=3))
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/api/jobs/{answer.json()['job']['id']}"
    job = service.ended(answer.json()["job"]["id"])
    assert (job["state"], job["action"], job["attempts"]) == ("done", "transcoded", 1)
    assert (job["tenant"], job["trace_id"], job["priority"]) == ("t", "trace-1", 3)
    assert (out / "a.dcm").read_bytes() == convert_bytes(FILE, to="rle")
    assert job["report"]["target"] == str(out / "a.dcm")


def test_ids_can_hold_slashes(service: RunningService, out: Path) -> None:
    """As those that the mapping `storage-event` makes do."""
    plain, slashed = f"{out.name}", f"{out.name}/result"
    for job, to in ((plain, "rle"), (slashed, "explicit-be")):
        answer = service.submit(**asked(service, out / to, id=job, target=f"{out}/{to}.dcm", to=to))
        assert answer.headers["Location"] == f"/api/jobs/{quote(job, safe='')}"
        told = service.ended(quote(job, safe=""))
        assert (told["id"], told["state"]) == (job, "done")
        result = service.client.get(f"{answer.headers['Location']}/result")
        assert result.content == convert_bytes(FILE, to=to)
        picture = service.client.get(f"{answer.headers['Location']}/preview/result")
        assert picture.content.startswith(b"\x89PNG")
    assert service.client.post(f"/api/jobs/{plain}%2fresult/cancel").status_code == 409
    assert service.client.get(f"/api/jobs/{plain}%2Fother").status_code == 404
    assert service.client.get(f"/api/jobs/{plain}%2Fother%2Fresult").status_code == 404
    assert service.client.get("/health%2Fready").status_code == 404


def test_names_that_are_no_text(service: RunningService, out: Path) -> None:
    name = os.fsdecode(b"caf\xe9.dcm")
    (service.root / name).write_bytes(FILE)
    sources = {"right": service.root / name, "missing": service.root / f"no {name}"}
    for job, source in sources.items():
        fields = asked(service, out, source=str(source), target=str(out / name), id=job)
        answer = service.client.post("/api/jobs", content=json.dumps(fields))
        assert answer.status_code == 202, answer.text

    right, missing = service.ended("right"), service.ended("missing")

    assert (right["state"], right["report"]["target"]) == ("done", str(out / name))
    assert missing["error"]["path"] == str(sources["missing"])
    result = service.client.get("/api/jobs/right/result")
    assert result.content == (out / name).read_bytes() == convert_bytes(FILE, to="rle")
    odd = {**fields, "options": {name: 1}}
    strange = service.client.post("/api/jobs", content=json.dumps(odd))
    assert (strange.status_code, strange.json()["error"]["code"]) == (400, "invalid-request")


def test_an_id_is_done_once(service: RunningService, out: Path) -> None:
    fields = asked(service, out, id=f"once-{out.name}")
    assert service.submit(**fields).json()["new"] is True
    service.ended(fields["id"])
    before = (out / "a.dcm").stat().st_mtime_ns
    again = service.submit(**fields)
    assert (again.status_code, again.json()["new"]) == (202, False)
    assert again.json()["job"]["state"] == "done"
    batch = {"jobs": [fields, fields, {**fields, "id": "once-more", "target": str(out / "b.dcm")}]}
    many = service.client.post("/api/jobs/batch", json=batch)
    assert many.json() == {"added": 1, "known": 2}
    service.ended("once-more")
    assert (out / "a.dcm").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"source": "/etc/passwd"}, 403, "path-not-allowed"),
        ({"target": "/tmp/x.dcm"}, 403, "path-not-allowed"),
        ({"source": None}, 400, "invalid-request"),
        ({"to": ["nothing"]}, 400, "invalid-request"),
        ({"to": []}, 400, "invalid-request"),
        ({"priorty": 3}, 400, "invalid-request"),
        ({"priority": 10}, 400, "invalid-request"),
        ({"options": {"quality": 0}}, 400, "invalid-request"),
    ],
)
def test_wrong_requests_are_refused(
    service: RunningService, out: Path, change: dict[str, Any], status: int, code: str
) -> None:
    fields = asked(service, out, **change)
    for answer in (
        service.submit(**fields),
        service.client.post("/api/jobs/batch", json={"jobs": [fields]}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"jobs": 1}', b"[" * 100_000])
def test_what_is_no_request_is_refused(service: RunningService, body: bytes) -> None:
    for path in ("/api/jobs", "/api/jobs/batch"):
        answer = service.client.post(path, content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid-request")


def test_uploads_of_others_are_no_sources(service: RunningService, out: Path) -> None:
    upload = service.client.post("/api/uploads?to=rle", content=FILE).json()["job"]["id"]
    path = service.folder / "data" / "uploads" / f"{upload}.dcm"
    answer = service.submit(**asked(service, out, source=str(path)))
    assert answer.status_code == 403


def test_what_is_not_there_yet_is_tried_again(service: RunningService, out: Path) -> None:
    source = service.root / f"late-{out.name}.dcm"
    job = service.submit(**asked(service, out, source=str(source))).json()["job"]["id"]
    service.wait(lambda: service.job(job)["error_code"] == "source-unavailable")
    source.write_bytes(FILE)
    told = service.ended(job)
    assert told["state"] == "done"
    assert told["attempts"] > 1
    assert {one["code"] for one in told["history"]} == {"source-unavailable"}


def test_what_stays_away_is_dead_and_can_be_tried_again(service: RunningService, out: Path) -> None:
    source = service.root / f"never-{out.name}.dcm"
    job = service.submit(**asked(service, out, source=str(source))).json()["job"]["id"]
    told = service.ended(job)
    assert (told["state"], told["attempts"]) == ("dead", 3)
    assert len(told["history"]) == 3
    listed = service.client.get("/api/jobs", params={"cause": "source-unavailable"}).json()["jobs"]
    assert job in {one["id"] for one in listed}
    source.write_bytes(FILE)
    assert service.client.post(f"/api/jobs/{job}/retry").status_code == 202
    assert service.ended(job)["state"] == "done"
    assert service.client.post(f"/api/jobs/{job}/retry").status_code == 409
    assert service.client.post(f"/api/jobs/{job}/cancel").status_code == 409
    for word in ("retry", "cancel"):
        assert service.client.post(f"/api/jobs/nothing/{word}").status_code == 404


def test_all_of_one_cause_are_tried_again(service: RunningService, out: Path) -> None:
    source = service.root / f"text-{out.name}.dcm"
    source.write_text("hello")
    job = service.submit(**asked(service, out, source=str(source))).json()["job"]["id"]
    assert service.ended(job)["error"]["code"] == "not-dicom"
    source.write_bytes(FILE)
    answer = service.client.post("/api/jobs/retry", params={"cause": "not-dicom"})
    assert answer.json()["jobs"] >= 1
    assert service.ended(job)["state"] == "done"


def test_a_running_job_is_cancelled(service: RunningService, out: Path) -> None:
    source = str(service.root / "long.dcm")
    fields = asked(service, out, source=source, to=["jpeg2000-lossless"])
    job = service.submit(**fields).json()["job"]["id"]
    progress = service.wait(lambda: service.job(job)["frames_done"], 60)
    assert 0 < progress < service.job(job)["frames"] == 40
    assert service.client.post(f"/api/jobs/{job}/cancel").status_code == 202
    assert service.ended(job)["state"] == "cancelled"
    assert not out.exists() or not [*out.iterdir()]
    assert service.client.get("/health/ready").json() == {"ready": True, "problems": {}}


def test_listing_pages_and_filters(service: RunningService, out: Path) -> None:
    fields = [
        asked(service, out, id=f"{out.name}-{number}", target=str(out / f"{number}.dcm"),
              tenant="pages")
        for number in range(7)
    ]  # fmt: skip
    service.client.post("/api/jobs/batch", json={"jobs": fields})
    found: list[str] = []
    after: dict[str, Any] = {}
    while True:
        page = service.client.get("/api/jobs", params={"tenant": "pages", "limit": 3, **after})
        found += [job["id"] for job in page.json()["jobs"]]
        if page.json()["next"] is None:
            break
        after = {"before": page.json()["next"]}
    assert found == [f"{out.name}-{number}" for number in reversed(range(7))]
    one = service.client.get("/api/jobs", params={"text": found[2]}).json()["jobs"]
    assert [job["id"] for job in one] == [found[2]]
    assert service.client.get("/api/jobs", params={"state": "no"}).status_code == 422
    assert service.client.get("/api/jobs", params={"limit": 0}).status_code == 422
    for job in found:
        service.ended(job)


def events(service: RunningService, heard: list[dict[str, Any]], **asked: Any) -> None:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        headers = {"Last-Event-ID": str(asked.pop("after"))} if "after" in asked else {}
        with client.stream("GET", "/api/events", params=asked, headers=headers) as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            heard.append({"kind": "connected"})
            number = 0
            for line in stream.iter_lines():
                if line.startswith("id:"):
                    number = int(line[3:])
                if line.startswith("data:"):
                    heard.append({**json.loads(line[5:]), "number": number})


def test_events_are_told_as_they_happen_and_again(service: RunningService, out: Path) -> None:
    job = f"events-{out.name}"
    heard: list[dict[str, Any]] = []
    listener = threading.Thread(
        target=events, args=(service, heard), kwargs={"job": job, "limit": 3}
    )
    listener.start()
    service.wait(lambda: heard)
    service.submit(**asked(service, out, id=job, trace_id="traced"))
    listener.join(30)
    assert [event["kind"] for event in heard[1:]] == ["accepted", "started", "succeeded"]
    assert {event["trace_id"] for event in heard[1:]} == {"traced"}
    assert heard[3]["report"]["action"] == "transcoded"
    again: list[dict[str, Any]] = []
    events(service, again, job=job, limit=2, after=heard[1]["number"])
    assert again[1:] == heard[2:]


def test_nothing_of_the_patient_is_told(service: RunningService, out: Path) -> None:
    fields = asked(service, out, options={"set_attributes": {"PatientName": "Other^Secret"}})
    job = service.submit(**fields).json()["job"]["id"]
    broken = service.root / f"{out.name}.dcm"
    broken.write_bytes(FILE[:-100])
    failed = asked(service, out, source=str(broken), target=str(out / "b.dcm"))
    other = service.submit(**failed).json()["job"]["id"]
    assert service.ended(job)["state"] == "done"
    assert service.ended(other)["state"] == "dead"
    heard: list[dict[str, Any]] = []
    for one in (job, other):
        events(service, heard, job=one, after=0, limit=3)
    assert [event["kind"] for event in heard].count("connected") == 2
    assert heard[-1]["kind"] == "dead"
    metrics = service.client.get("/metrics").text
    told = json.dumps(heard) + service.log_path.read_text() + metrics
    for word in ("Secret", "Patient^", "ID4711"):
        assert word not in told
    lines = [line for line in service.log() if line.get("job") == other]
    assert lines[0]["code"] == "truncated-frame"
    assert lines[0]["file"].startswith("path:"), "paths can have names in them"


def test_metrics_and_status(service: RunningService, out: Path) -> None:
    service.ended(service.submit(**asked(service, out)).json()["job"]["id"])
    text = service.client.get("/metrics").text
    for line in (
        'dicodec_jobs{cause="",state="done"}',
        'dicodec_attempts_total{cause="",outcome="succeeded"}',
        'dicodec_bytes_total{direction="in"}',
        'dicodec_stage_seconds_count{stage="convert"}',
        "dicodec_queue_age_seconds",
        "dicodec_frames_total",
    ):
        assert line in text
    status = service.client.get("/api/status").json()
    done = [one["jobs"] for one in status["tallies"] if one["state"] == "done"]
    assert f'dicodec_jobs{{cause="",state="done"}} {sum(done)}.0' in text
    assert sum(slot["done"] for slot in status["slots"]) >= 1
    names = {one["name"] for one in service.client.get("/api/syntaxes").json()}
    assert {"explicit-le", "htj2k-lossless", "jpegxl"} <= names


def test_ready_means_that_the_disk_and_the_store_can_be_written(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as service:
        spool = tmp_path / "data" / "spool"
        spool.rename(tmp_path / "away")
        answer = service.client.get("/health/ready")
        assert (answer.status_code, answer.json()["problems"]) == (
            503,
            {"disk": "target-unavailable"},
        )
        assert service.client.get("/health/live").status_code == 200
        (tmp_path / "away").rename(spool)
        assert service.client.get("/health/ready").status_code == 200


def test_killed_with_jobs_in_flight_and_resumed(tmp_path: Path) -> None:
    """None is lost, and what was cut short is done anew."""
    settings = ("--jobs", "2", "--lease", "0.5", "--retry-after", "0.2")
    count = 40
    with running(tmp_path, *settings) as service:
        noise = np.random.default_rng(2).integers(0, 65536, (1, 768, 768)).astype(np.uint16)
        file = make_file(768, 768, bits_stored=16, pixels=noise)[0]
        jobs = []
        for number in range(count):
            (service.root / f"{number}.dcm").write_bytes(file)
            jobs.append(
                {
                    "id": str(number),
                    "source": str(service.root / f"{number}.dcm"),
                    "target": str(service.root / "out" / f"{number}.dcm"),
                    "to": ["jpeg2000-lossless"],
                }
            )
        service.client.post("/api/jobs/batch", json={"jobs": jobs})
        out = service.root / "out"
        service.wait(lambda: out.exists() and len([*out.glob("*.dcm")]) > 3)
        service.kill()
        finished = len([*out.glob("*.dcm")])
        assert finished < count
    with running(tmp_path, *settings) as service:
        answer = service.client.post("/api/jobs/batch", json={"jobs": jobs})
        assert answer.json() == {"added": 0, "known": count}
        states = [service.ended(str(number), 60)["state"] for number in range(count)]
        assert states == ["done"] * count
        expected = convert_bytes(file, to="jpeg2000-lossless")
        results = sorted(out.iterdir())
        assert len(results) == count, "no part files are left"
        assert {path.read_bytes() for path in results} == {expected}


def test_a_signal_lets_the_running_job_finish(tmp_path: Path) -> None:
    with running(tmp_path, "--jobs", "1") as service:
        noise = np.random.default_rng(3).integers(0, 65536, (16, 512, 512)).astype(np.uint16)
        source = service.root / "long.dcm"
        source.write_bytes(make_file(512, 512, frames=16, bits_stored=16, pixels=noise)[0])
        fields = asked(service, service.root, source=str(source), to=["jpeg2000-lossless"])
        fields["target"] = str(service.root / "out.dcm")
        job = service.submit(**fields).json()["job"]["id"]
        service.wait(lambda: [*service.root.glob(".out.dcm*")])
        service.process.terminate()
        assert service.process.wait(60) == 0
        assert (service.root / "out.dcm").exists()
        assert service.log()[-1]["event"] == "ended"
        ended = time.time()
    with running(tmp_path) as service:
        assert service.job(job)["state"] == "done"
        assert service.job(job)["finished"] <= ended  # and not done once more
