"""Attacks on a watched folder, and on those that its files are moved to."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, JobState
from dicodec.service.jobs.submission import SubmitOptions, make_job
from dicodec.service.jobs.watching import Watcher, WatchOptions
from helpers.made import make_file

SECRET = b"somebody's"


class Watched:
    """A watcher without a thread, and a folder that belongs to somebody else."""

    def __init__(self, folder: Path) -> None:
        self.source, self.done, self.failed, self.outside = (
            folder / name for name in ("in", "done", "failed", "outside")
        )
        (self.source / "study").mkdir(parents=True)
        (self.source / "study" / "a.dcm").write_bytes(make_file(8, 8)[0])
        self.outside.mkdir()
        (self.outside / "a.dcm").write_bytes(SECRET)
        self.log = io.StringIO()
        self.store = JobStore(folder / "store")
        self.requests = SubmitOptions(
            output=str(folder / "out"), template=Request(id="", source="", to=("rle",))
        )
        options = WatchOptions(
            folder=str(self.source), output=str(folder / "out"), done=str(self.done),
            failed=str(self.failed), settle=0,
        )  # fmt: skip
        self.watcher = Watcher(options, self.requests, self.store, Log(self.log), lambda: None)

    def end(self, state: JobState) -> None:
        """Have the file's job end, and the watcher move the file."""
        source = str(self.source / "study" / "a.dcm")
        request = self.requests.make_request(source, "study/a.dcm", (1, 1))
        ((job, _),) = self.store.take([make_job(request)])
        outcome = AttemptOutcome(id=job.id, state=state, event="", result='{"error": {}}')
        self.watcher.add_outcome(job, outcome)
        self.watcher.move_over()

    def outside_now(self) -> dict[str, bytes]:
        """Return what is outside."""
        return {path.name: path.read_bytes() for path in self.outside.iterdir()}


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    with made.store:
        yield made


def exchange(folder: Path, elsewhere: Path) -> None:
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}-away"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(elsewhere)


def test_files_are_moved_with_their_errors(watched: Watched) -> None:
    watched.end(JobState.DEAD)
    assert (watched.failed / "study" / "a.dcm").exists()
    assert json.loads((watched.failed / "study" / "a.dcm.error.json").read_text()) == {"error": {}}
    assert not (watched.source / "study" / "a.dcm").exists()
    (watched.source / "study" / "a.dcm").write_bytes(b"again")
    watched.end(JobState.DEAD)
    assert (watched.failed / "study" / "a.dcm.2").read_bytes() == b"again"


def test_nothing_is_taken_from_outside(watched: Watched) -> None:
    exchange(watched.source / "study", watched.outside)
    watched.end(JobState.DONE)
    assert watched.outside_now() == {"a.dcm": SECRET}
    assert not [*watched.done.rglob("a.dcm")]
    assert "cannot be moved" in watched.log.getvalue()


@pytest.mark.parametrize("state", [JobState.DONE, JobState.DEAD])
def test_nothing_is_moved_to_the_outside(watched: Watched, state: JobState) -> None:
    to = watched.done if state is JobState.DONE else watched.failed
    exchange(to / "study", watched.outside)
    watched.end(state)
    assert watched.outside_now() == {"a.dcm": SECRET}
    assert (watched.source / "study" / "a.dcm").exists()
    assert "cannot be moved" in watched.log.getvalue()


def test_a_planted_error_file_is_not_written_through(watched: Watched) -> None:
    (watched.failed / "study").mkdir(parents=True)
    planted = watched.failed / "study" / "a.dcm.error.json"
    planted.symlink_to(watched.outside / "a.dcm")
    watched.end(JobState.DEAD)
    assert watched.outside_now() == {"a.dcm": SECRET}
    assert not planted.is_symlink()
    assert json.loads(planted.read_text()) == {"error": {}}


def test_the_folders_themselves_may_be_links(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    watched.done.symlink_to(tmp_path / "real")
    watched.source.rename(tmp_path / "real-in")
    watched.source.symlink_to(tmp_path / "real-in")
    watched.end(JobState.DONE)
    assert (tmp_path / "real" / "study" / "a.dcm").exists()
    assert [*(tmp_path / "real-in" / "study").iterdir()] == []
