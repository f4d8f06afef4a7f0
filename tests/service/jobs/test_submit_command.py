"""`dicodec submit`: each DICOM file below folders into a queue, once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest

from dicodec.errors import DicodecError, RequestError, TargetUnavailableError
from dicodec.service.jobs import submission_server
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import JobFilter, JobState
from dicodec.service.jobs.submission import SubmitOptions, make_requests
from helpers.made import make_file
from helpers.real_files import real_files
from helpers.service_process import running

FILE = make_file(16, 16)[0]


def submit(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dicodec.cli.main", "submit", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root" / "in"
    (root / "deep").mkdir(parents=True)
    for number in range(20):
        (root / "deep" / f"{number}.dcm").write_bytes(FILE)
    (root / "letter.txt").write_text("hello")
    return root


def test_a_folder_into_a_file(tree: Path, tmp_path: Path) -> None:
    queue = tmp_path / "queue.sqlite"
    asked = (tree, "-o", tmp_path / "out", "--to", "rle,jpeg-ls", "--option", "verify=true",
             "--priority", "4", "--tenant", "t", "--trace", "x", "--queue", queue)  # fmt: skip
    first = submit(*asked)
    assert (first.returncode, first.stderr) == (
        0,
        "20 jobs added, 0 known already, 1 passed over (not-dicom)\n",
    )
    (tree / "deep" / "3.dcm").write_bytes(make_file(8, 8)[0])
    again = submit(*asked, "--json")
    assert json.loads(again.stdout) == {
        "added": 1, "known": 19, "skipped": {"not-dicom": 1}, "failed": 0,
    }  # fmt: skip
    with JobStore(queue) as store:
        job = store.list_jobs(JobFilter(state=JobState.PENDING, text="/7.dcm"), 1)[0]
    request = Request.from_json(job.request)
    assert request == Request(
        id=job.id, source=str(tree / "deep" / "7.dcm"),
        target=str(tmp_path / "out" / "deep" / "7.dcm"), to=("rle", "jpeg-ls"),
        options={"verify": True}, tenant="t", trace_id="x", priority=4,
    )  # fmt: skip


def test_a_folder_into_a_service_and_out(tree: Path, tmp_path: Path) -> None:
    token = "0123456789abcdef0123456789abcdef"
    with running(tmp_path, "--jobs", "2", token=token) as service:
        asked = (tree, "-o", service.root / "out", "--to", "rle", "--server", service.url)
        refused = submit(*asked)
        assert (refused.returncode, "token" in refused.stderr) == (2, True)
        outside = submit(tree, "-o", tmp_path / "no", "--to", "rle", "--server", service.url,
                         DICODEC_TOKEN=token)  # fmt: skip
        assert (outside.returncode, "none of the folders" in outside.stderr) == (2, True)
        done = submit(*asked, DICODEC_TOKEN=token)
        assert (done.returncode, done.stderr[:13]) == (0, "20 jobs added"), done.stderr

        def results() -> bool:
            return len([*(service.root / "out").rglob("*.dcm")]) == 20

        service.wait(results)


class FixedAnswer:
    """A connection to something that is no service of ours."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self._body = body

    def request(self, *_: object) -> None:
        """Take what is asked."""

    def getresponse(self) -> Self:
        """Return the answer."""
        return self

    def read(self) -> bytes:
        """Return the body."""
        return self._body

    def close(self) -> None:
        """Do nothing."""


def test_nobody_answers(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission_server, "_WAIT_SECONDS", 0.001)
    with (
        submission_server.ServerClient("http://127.0.0.1:9", None) as queue,
        pytest.raises(TargetUnavailableError, match="does not answer"),
    ):
        queue.put([])


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, b'{"error": "Forbidden"}', RequestError),
        (403, b"<html>", RequestError),
        (202, b"{}", RequestError),
        (202, b'{"added": "many"}', RequestError),
        (503, b'{"error": ["busy"]}', TargetUnavailableError),
    ],
)
def test_answers_of_anything_else_are_told(
    status: int, body: bytes, error: type[DicodecError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission_server, "_WAIT_SECONDS", 0.001)
    with submission_server.ServerClient("http://127.0.0.1:9", None) as queue:
        monkeypatch.setattr(queue, "_connection", FixedAnswer(status, body))
        with pytest.raises(error, match=f"status {status}, and nothing that"):
            queue.put([])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "to or policy"),
        (("--to", "rle", "--priority", "10"), "priority"),
        (("--to", "rle", "--option", "colour=1"), "colour"),
        (("--to", "rle", "--server", "ftp://x"), "not the URL"),
        (("--to", "rle", "--server", "http://127.0.0.1:9", "--queue", "q"), "--queue"),
    ],
)
def test_wrong_usage(tree: Path, tmp_path: Path, more: tuple[str, ...], words: str) -> None:
    done = submit(tree, "-o", tmp_path / "out", *more)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    done = submit(tmp_path / "no.dcm", "-o", tmp_path, "--to", "rle", "--queue", tmp_path / "q")
    assert done.returncode == 1
    assert "source-unavailable" in done.stderr


def test_real_files_are_found_by_content() -> None:
    files = [*real_files().values()][:40]
    wish = SubmitOptions(output="/out", template=Request(id="", source="", to=("rle",)))
    found: list[Any] = [*make_requests([str(path) for path in files[:1]], wish)]
    assert isinstance(found[0], Request)
    requests = [one for one in make_requests([str(files[0].parent)], wish)
                if isinstance(one, Request)]  # fmt: skip
    assert len({one.id for one in requests}) == len(requests) > 0
    assert all(one.target is not None and one.target.startswith("/out/") for one in requests)
