"""A job store in PostgreSQL: servers that restart, lost answers, workers that are killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pydicom
import pytest

from dicodec.errors import DicodecError, InvalidOptionError, TargetUnavailableError
from dicodec.model.environment import make_child_environment
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.fence import Fence
from dicodec.service.jobs.store.postgres import PostgresDatabase, hide_password
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, JobState, NewJob
from dicodec.service.jobs.submission import make_job
from helpers.made import make_file
from helpers.patience import give_up_at
from helpers.postgres import RunningPostgres, running_postgres
from helpers.service_process import RunningService


@pytest.fixture
def own_postgres() -> Iterator[RunningPostgres]:
    """A server that this test may stop."""
    with running_postgres() as server:
        yield server


def new(job: str, **fields: Any) -> NewJob:
    return NewJob(id=job, request="{}", source="s", **fields)


def done(job: str, **fields: Any) -> AttemptOutcome:
    return AttemptOutcome(id=job, state=JobState.DONE, event="{}", result="{}", **fields)


def test_a_server_that_restarts_loses_nothing(own_postgres: RunningPostgres) -> None:
    with JobStore(own_postgres.name_store()) as store:
        store.put([new("a"), new("b")])
        (job,) = store.claim()
        time.sleep(1)  # a crash may lose the outcomes of the last moments
        own_postgres.down(signal.SIGQUIT)
        with pytest.raises(TargetUnavailableError, match="job store cannot be used"):
            store.put([new("c")])
        with pytest.raises(TargetUnavailableError):
            store.find("a")
        own_postgres.up()
        assert store.renew_leases() == []
        assert store.finish([done(job.id)]) == 1
        assert store.put([new("c")]) == 1
        assert [one.id for one in store.claim(5)] == ["b", "c"]
        own_postgres.down()
        own_postgres.up()
        found = store.find("a")  # the first use after the connection broke
        assert found is not None
        assert found.state is JobState.DONE


def test_jobs_whose_claim_was_not_heard_of_are_given_back(
    postgres: RunningPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = postgres.name_store()
    with JobStore(place) as store, JobStore(place) as other:
        store.put([new("a"), new("b")])
        (first,) = store.claim()
        run = PostgresDatabase._run

        def lose_answer(self: PostgresDatabase, text: str, *values: Any) -> Any:
            cursor = run(self, text, *values)
            if text == "COMMIT":
                raise psycopg.OperationalError("server closed the connection unexpectedly")
            return cursor

        with monkeypatch.context() as patched:
            patched.setattr(PostgresDatabase, "_run", lose_answer)
            with pytest.raises(TargetUnavailableError):
                store.claim()
        assert other.claim() == [], "it is running, and nobody knows"
        store.renew_leases()
        (second,) = other.claim()
        assert (second.id, second.attempts) == ("b", 1)
        assert store.finish([done(first.id)]) == 1


def test_announcements_wake_others(postgres: RunningPostgres) -> None:
    place = postgres.name_store()
    heard = threading.Event()
    with JobStore(place) as one, JobStore(place) as two:
        one.listen(heard.set)
        assert heard.wait(20), "once it listens"
        for change in (
            lambda: two.put([new("a")]),
            lambda: two.give_back([two.claim()[0].id]),
            lambda: two.cancel("a", "{}") and two.retry("a", "{}"),
        ):
            heard.clear()
            change()
            assert heard.wait(20)
        heard.clear()
        two.claim()
        assert not heard.wait(0.3), "there is nothing to do"


def test_events_are_seen_in_their_order(postgres: RunningPostgres) -> None:
    """A reader that asks for what comes after the last event it saw misses none."""
    place = postgres.name_store()
    over = threading.Event()
    seen: list[int] = []

    def write(number: int) -> None:
        with JobStore(place) as store:
            for one in range(60):
                store.add_events([(f"{number}-{one}", "{}")] * 3)

    def read() -> None:
        with JobStore(place) as store:
            while not over.is_set() or store.read_events(seen[-1] if seen else 0):
                seen.extend(row[0] for row in store.read_events(seen[-1] if seen else 0))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    reader = threading.Thread(target=read)
    for thread in (reader, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    reader.join()
    assert seen == sorted(set(seen))
    assert len(seen) == 4 * 60 * 3


def test_a_process_that_stands_still_keeps_nobody_out(postgres: RunningPostgres) -> None:
    place = postgres.name_store()
    with JobStore(place) as store, JobStore(place) as other:

        def stand_still() -> None:
            with store._database.write():
                assert other.put([new("a")]) == 1, "the server ends what stands still"
                store._database.query("SELECT 1")

        with pytest.raises(TargetUnavailableError):
            stand_still()
        assert [job.id for job in store.claim()] == ["a"]


def test_a_fence_asks_the_server(postgres: RunningPostgres) -> None:
    place = postgres.name_store()
    with JobStore(place, lease=0.2) as slow, JobStore(place) as quick:
        slow.put([new("a")])
        fence = slow.make_fence(slow.claim()[0])
        fence.check()
        time.sleep(0.3)
        (taken,) = quick.claim()
        with pytest.raises(TargetUnavailableError, match="another process has taken the job"):
            fence.check()
        quick.make_fence(taken).check()
    with pytest.raises(DicodecError):
        Fence("postgresql://127.0.0.1:1/nothing?connect_timeout=2", "a", "b", 1).check()


def test_a_newer_store_is_refused_by_name(postgres: RunningPostgres) -> None:
    place = postgres.name_store()
    JobStore(place).close()
    schema = place.partition("schema=")[2]
    with psycopg.connect(postgres.url) as connection:
        connection.execute(f"UPDATE {schema}.store SET version = 99")
    with pytest.raises(InvalidOptionError, match="of version 99"):
        JobStore(place)


def test_an_older_file_is_migrated_and_a_newer_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    with JobStore(path) as store:
        store.put([new("a")])
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("ALTER TABLE job DROP COLUMN home; PRAGMA user_version = 1")
    with JobStore(path) as store:
        assert [job.id for job in store.claim()] == ["a"]
        assert store.put([new("b", home="x")]) == 1
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(InvalidOptionError, match="the job store is of version 99"):
        JobStore(path)


def test_jobs_of_another_home_are_left(store_place: str) -> None:
    with JobStore(store_place, home="one") as one, JobStore(store_place) as two:
        one.put([new("a", home="one"), new("b")])
        assert [job.id for job in two.claim(5)] == ["b"]
        assert [job.id for job in one.claim(5)] == ["a"]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h/d?schema=a;b",
        "postgresql://h/d?nonsense=1",
        "postgresql://h:x/d",
        "postgresql://[x/d",
    ],
)
def test_wrong_urls_are_refused(url: str) -> None:
    with pytest.raises(DicodecError):
        JobStore(url)


def test_passwords_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://user:secret@127.0.0.1:1/d?password=secret"
    assert hide_password(url) == "postgresql://user@127.0.0.1:1/d"
    with pytest.raises(TargetUnavailableError) as caught:
        JobStore(url)
    assert "secret" not in f"{caught.value} {caught.value.as_dict()}"
    monkeypatch.setenv("DICODEC_STORE", url)
    assert "DICODEC_STORE" not in make_child_environment()


class Workers:
    """`dicodec worker` without a broker, in processes of their own."""

    def __init__(self, place: str, folder: Path) -> None:
        self._command = [
            sys.executable, "-m", "dicodec.cli.main", "worker", "--broker", "postgres", "--root",
            str(folder), "--lease", "2", "--jobs", "1", "--retry-after", "0.1", "--attempts", "20",
        ]  # fmt: skip
        self._environment = {**os.environ, "DICODEC_STORE": place}
        self._log = folder.parent / "log"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                self._command, env=self._environment, stderr=log, start_new_session=True
            )
        self.processes.append(process)
        return process

    def stop(self, number: int) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            process.wait(60)


def test_workers_that_are_killed_and_stopped_do_each_job_once(
    own_postgres: RunningPostgres, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    count = 120
    for number in range(count):
        (files / f"{number}.dcm").write_bytes(make_file(64, 64)[0])
    place = own_postgres.name_store()
    workers = Workers(place, files)
    with JobStore(place) as store:
        store.put(
            make_job(
                Request.from_fields(
                    {"id": str(number), "source": str(files / f"{number}.dcm"),
                     "target": str(files / f"{number}.rle"), "to": "rle"}
                )
            )
            for number in range(count)
        )  # fmt: skip
        try:
            for _ in range(3):
                workers.start()
            self_until = give_up_at(120)

            def count_done() -> int:
                assert time.monotonic() < self_until, workers._log.read_text()[-3000:]
                time.sleep(0.02)
                with suppress(TargetUnavailableError):  # while it restarts
                    return sum(
                        one.jobs for one in store.read_tallies() if one.state is JobState.DONE
                    )
                return 0

            while count_done() < count // 6:
                pass
            os.killpg(workers.processes[0].pid, signal.SIGKILL)
            workers.start()
            os.killpg(workers.processes[1].pid, signal.SIGSTOP)
            while count_done() < count // 3:
                pass
            own_postgres.down(signal.SIGQUIT)
            own_postgres.up()
            time.sleep(3)  # longer than a lease
            os.killpg(workers.processes[1].pid, signal.SIGCONT)
            while count_done() < count:
                pass
        finally:
            workers.stop(signal.SIGTERM)
        ended: list[str] = []
        last = 0
        while rows := store.read_events(last):
            last = rows[-1][0]
            ended += [job for _, job, text in rows if '"succeeded"' in text]
        assert sorted(ended) == sorted(map(str, range(count))), "each told once"
    for number in range(count):
        assert pydicom.dcmread(files / f"{number}.rle").file_meta.TransferSyntaxUID.endswith(".5")
    assert not [path for path in files.iterdir() if path.name.startswith(".")], "no part files"


def is_done(service: RunningService, job: str) -> bool:
    return bool(service.job(job)["state"] == "done")


def test_services_share_a_queue(postgres: RunningPostgres, tmp_path: Path) -> None:
    place = postgres.name_store()
    content = make_file(32, 32)[0]
    shared = ["--store", place, "--jobs", "1"]
    with (
        RunningService(tmp_path / "one", *shared) as one,
        RunningService(tmp_path / "two", *shared, "--root", str(tmp_path)) as two,
    ):
        send = {"content": content, "headers": {"Content-Type": "application/dicom"}}
        ids = [
            one.client.post("/api/uploads?to=rle", **send).json()["job"]["id"]  # type: ignore[arg-type]
            for _ in range(6)
        ]
        for job in ids:
            one.wait(partial(is_done, two, job))
            assert one.client.get(f"/api/jobs/{job}/result").status_code == 200
