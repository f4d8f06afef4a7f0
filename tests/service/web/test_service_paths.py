"""Attacks on the paths of a service: what jobs led to is looked at anew each time it is opened."""

from __future__ import annotations

import stat
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.made import make_file
from helpers.service_process import RunningService, running

FORBIDDEN, ACCEPTED, NOT_FOUND, OK = 403, 202, 404, 200


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("service"), "--jobs", "1") as started:
        yield started


@pytest.fixture
def study(service: RunningService) -> Path:
    folder = service.root / uuid.uuid4().hex
    folder.mkdir()
    (folder / "a.dcm").write_bytes(make_file(16, 16)[0])
    return folder


@pytest.fixture
def outside(service: RunningService) -> Path:
    folder = service.folder / "outside"
    folder.mkdir(exist_ok=True)
    for name in ("a.dcm", "b.dcm"):
        (folder / name).write_bytes(make_file(24, 24)[0])
    return folder


def convert(service: RunningService, study: Path) -> str:
    job = uuid.uuid4().hex
    source, target = study / "a.dcm", study / "b.dcm"
    answer = service.submit(id=job, source=str(source), target=str(target), to="rle")
    assert answer.status_code == ACCEPTED, answer.text
    assert service.ended(job)["state"] == "done"
    return job


WHATS = ("result", "preview/result", "preview/source")


def test_a_folder_exchanged_for_a_link_later_shows_nothing(
    service: RunningService, study: Path, outside: Path
) -> None:
    job = convert(service, study)
    for what in WHATS:
        assert service.client.get(f"/api/jobs/{job}/{what}").status_code == OK
    study.rename(study.with_name(f"{study.name}-away"))
    for elsewhere in (outside, service.folder / "data" / "uploads"):
        study.unlink(missing_ok=True)
        study.symlink_to(elsewhere)
        for what in WHATS:
            answer = service.client.get(f"/api/jobs/{job}/{what}")
            assert answer.status_code == FORBIDDEN, what
            assert "outside" not in answer.text


def test_a_file_exchanged_for_a_link_later_shows_nothing(
    service: RunningService, study: Path, outside: Path
) -> None:
    job = convert(service, study)
    for name in ("a.dcm", "b.dcm"):
        (study / name).unlink()
        (study / name).symlink_to(outside / "a.dcm")
    for what in WHATS:
        assert service.client.get(f"/api/jobs/{job}/{what}").status_code == FORBIDDEN


def test_a_waiting_source_does_not_lead_into_the_uploads(
    service: RunningService, study: Path
) -> None:
    data = make_file(24, 24)[0]
    answer = service.client.post("/api/uploads", params={"to": "rle"}, content=data)
    upload = answer.json()["job"]["id"]
    service.ended(upload)
    uploads = service.folder / "data" / "uploads"
    (kept,) = (path for path in uploads.iterdir() if path.read_bytes() == data)
    assert service.client.get(f"/api/jobs/{upload}/preview/source").status_code == OK
    assert service.client.get(f"/api/jobs/{upload}/result").status_code == OK

    job = uuid.uuid4().hex
    answer = service.submit(
        id=job, source=str(study / "later.dcm"), target=str(study / "stolen.dcm"), to="rle"
    )
    assert answer.status_code == ACCEPTED
    (study / "later.dcm").symlink_to(kept)
    assert service.client.get(f"/api/jobs/{job}/preview/source").status_code == FORBIDDEN
    service.client.post(f"/api/jobs/{job}/retry")
    told = service.ended(job)
    assert (told["state"], told["error_code"]) == ("dead", "path-not-allowed")
    assert not (study / "stolen.dcm").exists()


def test_pipes_stop_nobody(service: RunningService, study: Path) -> None:
    import os

    jobs = []
    for number in range(3):
        os.mkfifo(study / f"pipe{number}")
        job = uuid.uuid4().hex
        target = str(study / f"out{number}.dcm")
        service.submit(id=job, source=str(study / f"pipe{number}"), target=target, to="rle")
        jobs.append(job)
    sound = convert(service, study)
    for job in jobs:
        told = service.ended(job)
        assert (told["state"], told["attempts"]) == ("dead", 1)
        answers: list[int] = []

        def look(job: str = job, answers: list[int] = answers) -> None:
            answer = service.client.get(f"/api/jobs/{job}/preview/source")
            answers.append(answer.status_code)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(20)
        assert answers == [FORBIDDEN]
    assert service.job(sound)["state"] == "done"


def test_the_services_folders_are_its_own(service: RunningService) -> None:
    data = service.folder / "data"
    for path in (data, *data.iterdir()):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
