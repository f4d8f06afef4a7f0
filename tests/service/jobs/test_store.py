"""The job store: what is put is done once, in order, whoever dies."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicodec.errors import InvalidOptionError, TargetUnavailableError
from dicodec.service.jobs.store.store import EVENTS_KEPT, JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, JobFilter, JobState, NewJob
from helpers.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(store_place: str, clock: Clock) -> Iterator[JobStore]:
    with JobStore(store_place, lease=10, clock=clock) as opened:
        yield opened


def new(job: str, **fields: object) -> NewJob:
    values: dict[str, object] = {"request": "{}", "source": f"/in/{job}", **fields}
    return NewJob(id=job, **values)  # type: ignore[arg-type]


def ending(job: str, state: JobState = JobState.DONE, **fields: object) -> AttemptOutcome:
    values: dict[str, object] = {"event": '{"kind":"x"}', "result": "{}", **fields}
    return AttemptOutcome(id=job, state=state, **values)  # type: ignore[arg-type]


def tallied(store: JobStore) -> dict[tuple[str, str], int]:
    return {(one.state, one.cause): one.jobs for one in store.read_tallies()}


def test_urgent_jobs_come_first_then_the_oldest(store: JobStore) -> None:
    assert store.put([new("a"), new("b"), new("c", priority=5)]) == 3
    assert [job.id for job in store.claim(2)] == ["c", "a"]
    assert [job.id for job in store.claim(5)] == ["b"]
    assert store.claim(5) == []


def test_an_id_is_entered_once(store: JobStore) -> None:
    assert store.put([new("a"), new("a"), new("b")]) == 2
    store.finish([ending(store.claim()[0].id)])
    assert store.put([new("a", source="/other")]) == 0
    assert tallied(store) == {("done", ""): 1, ("pending", ""): 1}


def test_a_job_waits_for_its_time(store: JobStore, clock: Clock) -> None:
    store.put([new("a", not_before=1005.0)])
    assert store.claim() == []
    assert store.measure_queue_age() == 0
    clock.now = 1007
    assert store.measure_queue_age() == 2
    assert store.claim()[0].attempts == 1


def test_what_fails_keeps_its_history(store: JobStore, clock: Clock) -> None:
    store.put([new("a")])
    store.claim()
    failed = {"error_code": "timeout", "error_text": "it took too long"}
    store.finish([ending("a", JobState.PENDING, not_before=1001.0, **failed)])
    assert tallied(store) == {("pending", "timeout"): 1}
    clock.now = 1002
    assert store.claim()[0].attempts == 2
    store.finish([ending("a", JobState.DEAD, error_code="not-dicom", error_text="é")])
    job = store.find("a")
    assert job is not None
    assert job.state is JobState.DEAD
    assert [one["code"] for one in json.loads(job.history)] == ["timeout", "not-dicom"]
    assert [one["at"] for one in json.loads(job.history)] == [1000, 1002]
    assert store.retry_dead("other") == 0
    assert store.retry_dead("not-dicom") == 1
    assert store.claim()[0].attempts == 1


def test_a_lease_that_runs_out_gives_the_job_to_another(store_place: str, clock: Clock) -> None:
    with (
        JobStore(store_place, lease=10, clock=clock) as one,
        JobStore(store_place, lease=10, clock=clock) as two,
    ):
        one.put([new("a")])
        assert one.claim()[0].began is None
        clock.now = 1009
        assert one.renew_leases() == []
        clock.now = 1018
        assert two.claim() == []
        clock.now = 1020
        (taken,) = two.claim()
        assert (taken.attempts, taken.began) == (2, 1000)
        assert one.finish([ending("a")]) == 0, "it is not this one's any more"
        assert two.finish([ending("a")]) == 1
        assert [row[2] for row in two.read_events(0)] == ['{"kind":"x"}']


def test_cancelling(store: JobStore) -> None:
    store.put([new("waits"), new("runs", priority=9)])
    store.claim()
    waits, runs = store.cancel("waits", "{}"), store.cancel("runs", "{}")
    assert waits is not None
    assert runs is not None
    assert (waits.state, runs.state) == (JobState.CANCELLED, JobState.RUNNING)
    assert store.renew_leases() == ["runs"]
    store.give_back(["runs"])
    assert tallied(store) == {("cancelled", ""): 2}
    assert store.cancel("nothing", "{}") is None
    again = store.retry("waits", "{}")
    assert again is not None
    assert again.state is JobState.PENDING


def test_given_back_jobs_are_due_and_not_counted(store: JobStore) -> None:
    store.put([new("a")])
    store.claim()
    store.give_back(["a"])
    (job,) = store.claim()
    assert (job.attempts, job.began) == (1, 1000)


def test_taking_by_id(store: JobStore, clock: Clock) -> None:
    ((job, mine),) = store.take([new("a")])
    assert (job.state, mine) == (JobState.RUNNING, True)
    assert store.take([new("a")])[0][1] is False, "somebody is at it"
    clock.now = 1011
    assert store.take([new("a")])[0][1] is True, "whoever was at it is gone"
    store.finish([ending("a", result='{"report": 1}')])
    ((job, mine),) = store.take([new("a")])
    assert (job.state, job.result, mine) == (JobState.DONE, '{"report": 1}', False)


def test_listing_in_pages(store: JobStore) -> None:
    store.put(new(f"{number:03}", tenant="t" if number % 2 else None) for number in range(30))
    page = store.list_jobs(JobFilter(tenant="t"), 10)
    assert [job.id for job in page] == [f"{number:03}" for number in range(29, 9, -2)]
    rest = store.list_jobs(JobFilter(tenant="t", before=page[-1].number), 10)
    assert [job.id for job in rest] == ["009", "007", "005", "003", "001"]
    assert [job.id for job in store.list_jobs(JobFilter(text="/in/01"), 50)][-1] == "010"
    assert [job.id for job in store.list_jobs(JobFilter(text="017"), 50)] == ["017"]
    assert store.list_jobs(JobFilter(state=JobState.DONE), 5) == []


def test_tallies_follow_every_change(store: JobStore, clock: Clock) -> None:
    store.put(new(str(number)) for number in range(5))
    store.claim(3)
    store.finish([ending("0", source_size=100, target_size=40), ending("1", source_size=1)])
    (done,) = [one for one in store.read_tallies() if one.state is JobState.DONE]
    assert (done.jobs, done.source_bytes, done.target_bytes) == (2, 101, 40)
    clock.now = 2000
    assert [job.id for job in store.remove_finished(1500)] == ["0", "1"]
    assert tallied(store) == {("pending", ""): 2, ("running", ""): 1}


def test_events_are_numbered_and_bounded(store: JobStore) -> None:
    store.add_events(("a", str(number)) for number in range(EVENTS_KEPT + 2500))
    last = store.find_last_event()
    assert last == EVENTS_KEPT + 2500
    assert [row[2] for row in store.read_events(last - 2)] == [str(last - 2), str(last - 1)]
    first = store.read_events(0, 1)[0][0]
    assert 1 < first <= last - EVENTS_KEPT + 1, "as many as are promised"


def test_names_that_are_no_text(store: JobStore) -> None:
    name = b"/in/\xff.dcm".decode(errors="surrogateescape")
    store.put([new("a", source=name, request=json.dumps({"source": name}))])
    (job,) = store.claim()
    assert json.loads(job.request)["source"] == name
    job.source.encode()
    store.finish([ending("a", JobState.DONE, target=name, error_text=f"no {name}")])
    told = store.find("a")
    assert told is not None
    assert (told.target, told.error_text) == (name, "no /in/\\udcff.dcm")


def test_many_processes_do_each_job_once(store_place: str) -> None:
    with JobStore(store_place) as store:
        store.put(new(str(number)) for number in range(200))
    program = f"""
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, JobState
with JobStore({str(store_place)!r}) as store:
    while jobs := store.claim(3):
        print(*(job.id for job in jobs), sep="\\n")
        store.finish(
            AttemptOutcome(id=job.id, state=JobState.DONE, event="", result="") for job in jobs
        )
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    done = [line for one in processes for line in one.communicate()[0].split()]
    assert [one.returncode for one in processes] == [0, 0, 0]
    assert sorted(done, key=int) == [str(number) for number in range(200)]


def test_a_killed_process_leaves_its_jobs(store_place: str) -> None:
    program = f"""
import time
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import NewJob
store = JobStore({str(store_place)!r}, lease=0.2)
store.put(NewJob(id=str(number), request="{{}}", source="s") for number in range(4))
store.claim(2)
print("claimed", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    with JobStore(store_place) as store:
        until = time.monotonic() + 10
        found: list[str] = []
        while len(found) < 4 and time.monotonic() < until:
            found += [job.id for job in store.claim(4)]
        assert sorted(found) == ["0", "1", "2", "3"]


def test_threads_share_one_store(store: JobStore) -> None:
    store.put(new(str(number)) for number in range(60))
    done: list[str] = []

    def work() -> None:
        while jobs := store.claim(2):
            store.finish([ending(job.id) for job in jobs])
            done.extend(job.id for job in jobs)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(set(done)) == 60


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to be read as one" * 99)
    with pytest.raises(InvalidOptionError, match="not a job store"):
        JobStore(tmp_path / "text")
    with pytest.raises(TargetUnavailableError):
        JobStore(tmp_path / "missing" / "queue.sqlite")


def test_a_lane_claims_the_jobs_of_its_home_alone(store_place: str, clock: Clock) -> None:
    def open_lane(home: str) -> JobStore:
        return JobStore(store_place, clock=clock, home=home, alone=True)

    with open_lane("A") as one, open_lane("B") as other:
        one.put(
            [new("a1", home="A"), new("b1", home="B"), new("any"), new("a2", home="A", priority=1)]
        )
        assert [job.id for job in one.claim(9)] == ["a2", "a1"]
        assert [job.id for job in other.claim(9)] == ["b1"]


def test_a_lane_takes_up_at_once_what_its_killed_process_had(
    store_place: str, clock: Clock
) -> None:
    with (
        JobStore(store_place, clock=clock, home="A", alone=True) as killed,
        JobStore(store_place, clock=clock, home="A", alone=True) as lane,
    ):
        killed.put([new("a", home="A")])
        killed.claim()
        assert not lane.claim()
        lane.reclaim()
        (job,) = lane.claim()
        assert (job.id, job.attempts) == ("a", 2)
        assert killed.finish([ending("a")]) == 0
        assert lane.finish([ending("a")], durable=True) == 1
        lane.reclaim()
        assert not lane.claim()


def test_jobs_are_found_by_their_traces_and_counted_by_tenant(store: JobStore) -> None:
    store.put(
        [
            new("a", trace="1.2", tenant="PACS"),
            new("b", trace="1.2", tenant="WEB"),
            new("c", trace="1.3", tenant="PACS"),
            new("d"),
        ]
    )
    assert {job.id for job in store.find_traces(["1.2", "1.4"])} == {"a", "b"}
    assert {job.id for job in store.find_traces(["1.3", *map(str, range(2000))])} == {"c"}
    store.claim()
    assert store.count_by_tenant() == {
        ("PACS", JobState.RUNNING): 1,
        ("PACS", JobState.PENDING): 1,
        ("WEB", JobState.PENDING): 1,
        ("", JobState.PENDING): 1,
    }


def test_a_job_that_comes_twice_at_once_is_taken_once(store: JobStore) -> None:
    twice = [new("a"), NewJob(id="a", request="{}", source="x", event='{"another": 1}')]
    assert [ours for _, ours in store.take([*twice, new("b")])] == [True, False, True]
