"""A process that stood still longer than its lease: its jobs are others', whose results count."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicodec.batch.pool.messages import WorkContext
from dicodec.conversion.output.placement import Placement
from dicodec.errors import NotDicomError, TargetUnavailableError
from dicodec.model.records import replace
from dicodec.service.brokers.broker import Queue
from dicodec.service.jobs.confinement import AllowedRoots
from dicodec.service.jobs.execution_work import JobOptions, Task, carry_out
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.runner import StoreRunner
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, JobState
from dicodec.service.jobs.submission import make_job
from dicodec.service.worker.service import WorkerOptions, WorkerService
from helpers.clock import Clock
from helpers.made import make_file
from helpers.memory_broker import HoldingExecutor, MemoryBroker
from helpers.patience import give_up_at, wait_for
from helpers.processes import find_children


def request(folder: Path, **fields: Any) -> Request:
    given = {"id": "j", "source": str(folder / "in" / "a.dcm"),
             "target": str(folder / "out" / "a.dcm"), "to": "rle",
             "options": {"overwrite": True}, **fields}  # fmt: skip
    return Request.from_fields(given)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(make_file(16, 16)[0])
    return tmp_path


def done(target: Path) -> AttemptOutcome:
    event = json.dumps({"kind": "succeeded"})
    return AttemptOutcome(
        id="j", state=JobState.DONE, event=event, result="{}", target=str(target), action="theirs"
    )


def test_a_result_asks_before_it_takes_its_place(folder: Path) -> None:
    clock, target = Clock(), folder / "out" / "a.dcm"
    options = JobOptions(roots=AllowedRoots.of([folder / "in"], [folder / "out"]))
    path = folder / "store?a b"
    with JobStore(path, clock=clock) as slow, JobStore(path, clock=clock) as quick:
        slow.put([make_job(request(folder))])
        (job,) = slow.claim()
        with Placement() as placement:
            context = WorkContext(1, None, lambda _: None, placement)
            task = Task(request(folder), job.began, slow.make_fence(job))
            carry_out(options, task, context)
            clock.now += 100
            (theirs,) = quick.claim()
            target.write_bytes(b"newer")
            (error,) = placement.place()
        assert isinstance(error, TargetUnavailableError)
        assert "another process" in error.message
        assert target.read_bytes() == b"newer"
        assert [one.name for one in target.parent.iterdir()] == ["a.dcm"], "no part file is left"
        quick.make_fence(theirs).check()
        assert quick.finish([done(target)]) == 1
        with pytest.raises(TargetUnavailableError):
            quick.make_fence(theirs).check()


def test_a_job_that_is_still_ones_own_is_put_in_place(folder: Path) -> None:
    options = JobOptions(roots=AllowedRoots.of([folder / "in"], [folder / "out"]))
    with JobStore(folder / "store") as store, Placement() as placement:
        ((job, _),) = store.take([make_job(request(folder))])
        context = WorkContext(1, None, lambda _: None, placement)
        carry_out(options, Task(request(folder), None, store.make_fence(job)), context)
        assert placement.place() == [None]
        other = Task(request(folder, target=str(folder / "out" / "b.dcm")))
        carry_out(options, other, context)
        assert placement.permit is None
        assert placement.place() == [None]
    assert len([*(folder / "out").iterdir()]) == 2


def test_a_fence_tells_one_taking_from_the_next(folder: Path) -> None:
    clock = Clock()
    with JobStore(folder / "store", clock=clock) as one, JobStore(folder / "store") as two:
        two._database.read_clock = clock  # type: ignore[method-assign]
        one.put([make_job(request(folder))])
        first = one.make_fence(one.claim()[0])
        clock.now += 100
        two.claim()
        clock.now += 100
        again = one.claim()[0]
        with pytest.raises(TargetUnavailableError):
            first.check()
        one.make_fence(again).check()
        lost: set[str] = set()
        stale = replace(done(folder), attempts=first.attempts)
        assert one.finish([stale], lost=lost) == 0
        assert lost == {"j"}
        assert one.finish([replace(stale, attempts=again.attempts)]) == 1


def test_a_store_that_cannot_be_asked_keeps_the_result_back(folder: Path) -> None:
    with JobStore(folder / "store") as store:
        ((job, _),) = store.take([make_job(request(folder))])
        fence = store.make_fence(job)
    for path in (folder / "store", folder / "store-wal", folder / "store-shm"):
        path.unlink(missing_ok=True)
    with pytest.raises(TargetUnavailableError, match="cannot be asked"):
        fence.check()


def test_a_store_that_took_anothers_place_is_asked(folder: Path) -> None:
    with JobStore(folder / "store") as store:
        ((job, _),) = store.take([make_job(request(folder))])
        fence = store.make_fence(job)
        fence.check()
    (folder / "store").rename(folder / "old")
    with JobStore(folder / "store"), pytest.raises(TargetUnavailableError, match="another process"):
        fence.check()


def test_a_lease_from_the_future_is_not_believed(folder: Path) -> None:
    clock = Clock()
    with JobStore(folder / "store", clock=clock) as one, JobStore(folder / "store") as two:
        two._database.read_clock = clock  # type: ignore[method-assign]
        one.put([make_job(request(folder))])
        clock.now += 365 * 86_400
        assert one.claim()
        clock.now -= 365 * 86_400  # somebody has set the clock right
        (job,) = two.claim()
        assert job.attempts == 2
        assert one.claim() == []
        clock.now += 86_400
        assert one.take([make_job(request(folder))])[0][1] is True


def test_a_runner_does_not_tell_of_a_job_that_is_others(folder: Path) -> None:
    out, told = io.StringIO(), []
    clock = Clock()
    executor = HoldingExecutor()
    with JobStore(folder / "store", clock=clock) as slow, JobStore(folder / "store") as quick:
        quick._database.read_clock = clock  # type: ignore[method-assign]
        slow.put([make_job(request(folder))])
        runner = StoreRunner(
            slow, executor, RetryPolicy(), Log(out), lambda *given: told.append(given)
        )
        runner.start()
        wait_for(lambda: executor.futures)
        with slow._database.lock:  # it stands still
            clock.now += 100
            quick.claim()
            quick.finish([done(folder / "out" / "a.dcm")])
            executor.futures[0].set_exception(NotDicomError("not DICOM"))
        wait_for(lambda: "another process has the job" in out.getvalue())
        runner.stop(0)
        job = quick.find("j")
        assert job is not None
        assert (job.state, job.action, job.error_code) == (JobState.DONE, "theirs", None)
        assert told == []
        kinds = [json.loads(row[2])["kind"] for row in quick.read_events(0)]
        assert "dead" not in kinds
        assert '"dead"' not in out.getvalue()


def test_a_worker_buries_no_job_that_another_has_done(folder: Path) -> None:
    clock = Clock()
    executor = HoldingExecutor()
    broker = MemoryBroker([(request(folder).to_json().encode(), [])])

    async def run() -> None:
        with JobStore(folder / "store", clock=clock) as slow, JobStore(folder / "store") as quick:
            quick._database.read_clock = clock  # type: ignore[method-assign]
            service = WorkerService(broker, slow, executor, Log(None), WorkerOptions())
            running = asyncio.create_task(service.run(0.0, asyncio.Event()))
            while not executor.futures:
                await asyncio.sleep(0.01)
            with slow._database.lock:
                clock.now += 100
                quick.claim()
                quick.finish([done(folder / "out" / "a.dcm")])
            executor.futures[0].set_exception(NotDicomError("not DICOM"))
            for _ in range(500):
                if broker.acknowledged:
                    break
                await asyncio.sleep(0.01)
            service.stop()
            await asyncio.wait_for(running, 20)

    asyncio.run(run())
    assert broker.acknowledged == [0]
    assert broker.sent_to(Queue.DEAD) == []
    kinds = [json.loads(one.body)["kind"] for one in broker.sent_to(Queue.EVENTS)]
    assert "dead" not in kinds
    assert kinds[-1] == "succeeded"


PROGRAM = """
import sys, time
from dicodec.service.jobs.confinement import AllowedRoots
from dicodec.service.jobs.execution_work import JobOptions
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.runner import StoreRunner
from dicodec.service.jobs.runtime import ExecutionOptions, open_jobs
folder = sys.argv[1]
options = JobOptions(roots=AllowedRoots.of([folder + "/in"], [folder + "/out"]))
execution = ExecutionOptions(jobs=1, lease=1.0)
with open_jobs(folder + "/store", options, execution) as (store, executor):
    runner = StoreRunner(store, executor, execution.retries, Log(sys.stderr), lambda *_: None)
    runner.start()
    sys.stdin.read()
    runner.stop(0)
"""


def find_descendants(process: int) -> list[int]:
    """Return the numbers of a process's children, and theirs."""
    children = find_children(process)
    return [*children, *(one for child in children for one in find_descendants(child))]


def test_a_stopped_process_replaces_no_newer_result(folder: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 65536, (24, 512, 512)).astype(np.uint16)
    data = make_file(512, 512, frames=24, bits_stored=16, pixels=noise)[0]
    (folder / "in" / "a.dcm").write_bytes(data)
    target = folder / "out" / "a.dcm"
    target.write_bytes(b"older")
    asked = request(folder, to="jpeg2000-lossless")
    with JobStore(folder / "store", lease=1.0) as store:
        store.put([make_job(asked)])
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder)],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        part = folder / "out" / ".a.dcm.dicodec-part"
        until = give_up_at(60)
        while not (part.exists() and part.stat().st_size > 1 << 20):
            assert time.monotonic() < until
            time.sleep(0.01)
        stopped = [program.pid, *find_descendants(program.pid)]
        for one in stopped:
            os.kill(one, signal.SIGSTOP)
        time.sleep(1.5)
        (job,) = store.claim()
        assert job.attempts == 2
        target.write_bytes(b"newer")
        store.finish([done(target)])
        for one in stopped:
            os.kill(one, signal.SIGCONT)
        until = give_up_at(60)
        while part.exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(0.5)
        _, log = program.communicate(b"", 60)
        assert target.read_bytes() == b"newer"
        assert b"another process has the job" in log
        assert b'"dead"' not in log
        found = store.find("j")
        assert found is not None
        assert (found.state, found.action) == (JobState.DONE, "theirs")
