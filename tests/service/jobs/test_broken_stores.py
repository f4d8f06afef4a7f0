"""Stores that are full, damaged or gone: named as such, never a fault of the program."""

from __future__ import annotations

import resource
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from dicodec.errors import DicodecError, DiskFullError, InvalidOptionError, TargetUnavailableError
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.runner import StoreRunner
from dicodec.service.jobs.store.sqlite import SqliteDatabase
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import JobState, NewJob
from dicodec.service.web.error_answers import find_status
from helpers.made import make_file
from helpers.memory_broker import HoldingExecutor
from helpers.patience import wait_for
from helpers.service_process import RunningService, running


def new(job: str) -> NewJob:
    return NewJob(id=job, request="{}" * 400, source=f"/in/{job}")


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    with JobStore(path) as store:
        store.put(new(str(number)) for number in range(2000))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


def _find_connection(store: JobStore) -> sqlite3.Connection:
    assert isinstance(store._database, SqliteDatabase)
    return store._database._connection


def damage(path: Path, start: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * 8192 * 4)


def test_a_full_store_is_a_full_disk_and_works_again_later(tmp_path: Path) -> None:
    with JobStore(tmp_path / "store") as store:
        store.put([new("first")])
        (pages,) = store._query("PRAGMA page_count")[0]
        store._query(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(DiskFullError, match="job store"):
            store.put(new(str(number)) for number in range(500))
        assert store.find("first") is not None
        with pytest.raises(DiskFullError):
            store.put(new(str(number)) for number in range(500))
        store._query("PRAGMA max_page_count = 1000000")
        assert store.put(new(str(number)) for number in range(500)) == 500
        store.check()
    assert find_status(DiskFullError("full")) == 507
    assert find_status(TargetUnavailableError("damaged")) == 503


@pytest.mark.parametrize("page", [1, 3, 20])
def test_a_damaged_store_is_found_at_the_start(filled: Path, page: int) -> None:
    damage(filled, page * 8192)
    with pytest.raises(TargetUnavailableError, match=r"damaged|malformed|cannot be used") as raised:
        JobStore(filled)
    assert raised.value.path == str(filled)


def test_a_store_without_its_head_is_none(filled: Path) -> None:
    damage(filled, 0)
    with pytest.raises(InvalidOptionError, match="not a job store"):
        JobStore(filled)


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.put([new("x")]),
        lambda store: store.claim(),
        lambda store: store.renew_leases(),
        lambda store: store.find("1"),
        lambda store: store.check(),
        lambda store: store.read_tallies(),
    ],
)
def test_a_store_that_is_damaged_later_is_named(
    filled: Path, use: Callable[[JobStore], object]
) -> None:
    store = JobStore(filled)
    for start in range(1, filled.stat().st_size // 8192 - 4, 4):
        damage(filled, start * 8192)
    _find_connection(store).execute("PRAGMA cache_size = 0")
    _find_connection(store).execute("PRAGMA shrink_memory")
    with pytest.raises(TargetUnavailableError, match="job store cannot be used"):
        use(store)
    with pytest.raises(TargetUnavailableError):
        store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        _find_connection(store).execute("SELECT 1")


REQUEST = '{"id": "two", "source": "/in/a", "target": "/out/a", "to": "rle"}'
UNREADABLE = "no JSON"


@pytest.mark.parametrize(
    ("fails", "request_text", "becomes"),
    [
        ("add_events", REQUEST, JobState.RUNNING),
        ("submit_group", REQUEST, JobState.RUNNING),
        ("finish", UNREADABLE, JobState.DEAD),
    ],
)
@pytest.mark.parametrize("gives_back", [True, False])
def test_a_claimed_job_that_an_error_keeps_from_starting_starts_later(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fails: str,
    request_text: str,
    becomes: JobState,
    gives_back: bool,
) -> None:
    executor = HoldingExecutor()
    with JobStore(tmp_path / "store") as store:
        runner = StoreRunner(store, executor, RetryPolicy(), Log(None), lambda *_: None)
        store.put([NewJob(id="one", request=REQUEST.replace("two", "one"), source="/in/a")])
        runner.start()
        wait_for(lambda: executor.futures)  # its lease is renewed, and so are those of all others
        fail_once(monkeypatch, executor if fails == "submit_group" else store, fails)
        if not gives_back:
            fail_once(monkeypatch, store, "give_back")
        store.put([NewJob(id="two", request=request_text, source="/in/a")])
        runner.look()
        wait_for(lambda: "two" in runner._running or find_state(store) is JobState.DEAD)
        job = store.find("two")
        assert job is not None
        assert (job.state, job.attempts) == (becomes, 1)
        for future in executor.futures:
            future.set_exception(DicodecError("it ends"))
        runner.stop(0)


def find_state(store: JobStore) -> JobState:
    job = store.find("two")
    assert job is not None
    return job.state


def fail_once(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Have a method raise an error at its next call with anything to do."""
    right = getattr(owner, name)

    def fail(given: Iterable[object], *more: object, **named: object) -> object:
        if not (given := [*given]):
            return right(given, *more, **named)
        monkeypatch.setattr(owner, name, right)
        raise DiskFullError("no room")

    monkeypatch.setattr(owner, name, fail)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("service"), "--jobs", "1") as started:
        yield started


def test_a_service_whose_disk_is_full_says_so(service: RunningService) -> None:
    (service.root / "a.dcm").write_bytes(make_file(16, 16)[0])

    def ask() -> tuple[int, str]:
        job = uuid.uuid4().hex
        target = str(service.root / f"{job}.dcm")
        answer = service.submit(
            id=job, source=str(service.root / "a.dcm"), target=target, to="rle",
            options={"set_attributes": {"PatientComments": "x" * 10_000}},
        )  # fmt: skip
        return answer.status_code, answer.json().get("error", {}).get("code", "")

    assert ask() == (202, "")
    number = service.process.pid
    before = resource.prlimit(number, resource.RLIMIT_FSIZE)
    size = (service.folder / "data" / "queue.sqlite-wal").stat().st_size
    resource.prlimit(number, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        # The write-ahead log begins anew now and then, and has room again for a moment.
        answers, ready = set(), set()
        for _ in range(20):
            answers.add(ask())
            ready.add(service.client.get("/health/ready").status_code)
        assert answers & {(503, "target-unavailable"), (507, "disk-full")}
        assert not {status for status, _ in answers} - {202, 503, 507}
        assert 503 in ready
    finally:
        resource.prlimit(number, resource.RLIMIT_FSIZE, before)
    service.wait(lambda: service.client.get("/health/ready").status_code == 200)
    assert ask() == (202, "")
