"""The executor: requests within roots, in processes, one result each."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from dicodec import convert
from dicodec.batch.pool.pool import ItemReturned
from dicodec.conversion.output.part_file import PART_SUFFIX
from dicodec.errors import (
    DicodecError,
    PathNotAllowedError,
    RequestError,
    SourceUnavailableError,
    TargetExistsError,
    WorkerCrashedError,
)
from dicodec.service.jobs import execution
from dicodec.service.jobs.confinement import AllowedRoots
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.execution_work import ConversionResult, JobOptions, Task
from dicodec.service.jobs.messages import Request
from helpers.made import make_file
from helpers.patience import wait_for
from helpers.processes import find_grandchildren


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    (source / "a.dcm").write_bytes(make_file(32, 40)[0])
    return source, target


@pytest.fixture
def executor(places: tuple[Path, Path]) -> Iterator[Executor]:
    rules = JobOptions(roots=AllowedRoots.of([places[0]], [places[1]]))
    with Executor(rules, jobs=2) as made:
        yield made


def asked(source: Path | str, target: Path | str, **fields: Any) -> Request:
    given = {"id": "j", "source": str(source), "target": str(target), "to": ["rle"], **fields}
    return Request.from_fields(given)


def outcome(executor: Executor, request: Request, began: float | None = None) -> ConversionResult:
    return executor.submit(Task(request, began)).result(60)


def test_a_request_is_carried_out(executor: Executor, places: tuple[Path, Path]) -> None:
    source, target = places
    done = outcome(executor, asked(source / "a.dcm", target / "deep" / "a.dcm"))
    assert done.target == str(target / "deep" / "a.dcm")
    assert (done.report["target_syntax"], done.report["action"]) == ("rle", "transcoded")
    convert(source / "a.dcm", target / "b.dcm", to="rle")
    assert (target / "b.dcm").read_bytes() == (target / "deep" / "a.dcm").read_bytes()


def test_the_target_folder_gets_the_source_name(
    executor: Executor, places: tuple[Path, Path]
) -> None:
    source, target = places
    request = Request.from_fields(
        {"id": "j", "source": str(source / "a.dcm"), "target_folder": str(target), "to": "rle"}
    )
    assert outcome(executor, request).target == str(target / "a.dcm")


def test_a_kept_original_is_not_replaced_by_its_own_result(places: tuple[Path, Path]) -> None:
    source, target = places
    given = (source / "a.dcm").read_bytes()
    (target / "a.dcm").write_bytes(given)
    convert(target / "a.dcm", target / "a.dcm", to="rle", overwrite=True, backup=".orig")
    kept = target / "a.dcm.orig"
    request = asked(kept, kept, options={"overwrite": True})

    rules = JobOptions(roots=AllowedRoots.of([target], [target]))
    with Executor(rules, jobs=1) as made, pytest.raises(TargetExistsError) as raised:
        outcome(made, request)

    assert raised.value.path == str(kept)
    assert kept.read_bytes() == given


def test_paths_lead_nowhere_else(
    executor: Executor, places: tuple[Path, Path], tmp_path: Path
) -> None:
    source, target = places
    secret = tmp_path / "secret.dcm"
    secret.write_bytes((source / "a.dcm").read_bytes())
    (source / "link.dcm").symlink_to(secret)
    (target / "elsewhere").symlink_to(tmp_path)
    (target / "link.dcm").symlink_to(tmp_path / "new.dcm")
    (tmp_path / "in-too").mkdir()
    refused = [
        asked(secret, target / "x.dcm"),
        asked(source / "link.dcm", target / "x.dcm"),
        asked(f"{source}/../secret.dcm", target / "x.dcm"),
        asked(source / "a.dcm", tmp_path / "x.dcm"),
        asked(source / "a.dcm", target / "elsewhere" / "x.dcm"),
        asked(source / "a.dcm", target / "link.dcm", options={"overwrite": True}),
        asked(source / "a.dcm", f"{target}/../x.dcm"),
        asked("in/a.dcm", target / "x.dcm"),
        asked(tmp_path / "in-too" / "a.dcm", target / "x.dcm"),
        asked(source / "a.dcm", target),
    ]
    for request in refused:
        with pytest.raises(PathNotAllowedError):
            outcome(executor, request)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "in-too", "out", "secret.dcm"]


def test_prefixes_of_buckets_are_roots_too() -> None:
    roots = AllowedRoots.of(["s3://in/scans"], ["s3://out"])
    assert roots.resolve_source("s3://in/scans/a.dcm") == "s3://in/scans/a.dcm"
    assert roots.resolve_target("S3://out/deep/a.dcm") == "s3://out/deep/a.dcm"
    elsewhere = ("s3://in/scansx/a.dcm", "s3://in/scans/../a.dcm", "gs://in/scans/a.dcm")
    for path in (*elsewhere, "s3://in", "/in/scans/a.dcm", "s3://in/scans", "file:///in/scans/a"):
        with pytest.raises(PathNotAllowedError):
            roots.resolve_source(path)


def test_failures_come_as_they_are(executor: Executor, places: tuple[Path, Path]) -> None:
    source, target = places
    with pytest.raises(SourceUnavailableError):
        outcome(executor, asked(source / "missing.dcm", target / "x.dcm"))
    (source / "text.dcm").write_text("hello")
    with pytest.raises(DicodecError) as told:
        outcome(executor, asked(source / "text.dcm", target / "x.dcm"))
    assert told.value.code == "not-dicom"
    assert not [*target.iterdir()]


def test_what_an_attempt_left_is_replaced_and_nothing_else(
    executor: Executor, places: tuple[Path, Path]
) -> None:
    source, target = places
    (target / "a.dcm").write_bytes(b"somebody's")
    with pytest.raises(TargetExistsError):
        outcome(executor, asked(source / "a.dcm", target / "a.dcm"))
    with pytest.raises(TargetExistsError):
        outcome(executor, asked(source / "a.dcm", target / "a.dcm"), began=time.time() + 60)
    assert (target / "a.dcm").read_bytes() == b"somebody's"
    outcome(executor, asked(source / "a.dcm", target / "a.dcm"), began=time.time() - 60)
    assert (target / "a.dcm").read_bytes() != b"somebody's"


def test_policies_are_those_of_the_operator(
    executor: Executor, places: tuple[Path, Path], tmp_path: Path
) -> None:
    source, target = places
    policy = tmp_path / "mine.toml"
    policy.write_text('[[rule]]\nwhen.bits_stored = 99\nto = "rle"\n[[rule]]\nkeep = true\n')
    request = {"id": "j", "source": str(source / "a.dcm"), "target": str(target / "a.dcm")}
    with pytest.raises(RequestError, match="no policy"):
        outcome(executor, Request.from_fields({**request, "policy": str(policy)}))
    roots = AllowedRoots.of([source], [target])
    for copied in (False, True):
        rules = JobOptions(roots=roots, policies={"mine": str(policy)}, copy_kept=copied)
        with Executor(rules, jobs=1) as other:
            done = outcome(other, Request.from_fields({**request, "policy": "mine"}))
        assert (done.report["action"], done.target is not None) == (
            ("copied", True) if copied else ("left alone", False)
        )
        assert (target / "a.dcm").exists() is copied


LONG = 120
"""Frames of a file that takes seconds to compress."""


@pytest.fixture
def long_file(places: tuple[Path, Path]) -> Path:
    """A file that takes seconds to compress."""
    noise = np.random.default_rng(1).integers(0, 65536, (LONG, 512, 512)).astype(np.uint16)
    path = places[0] / "long.dcm"
    path.write_bytes(make_file(512, 512, frames=LONG, bits_stored=16, pixels=noise)[0])
    return path


def test_progress_and_giving_up(
    executor: Executor, places: tuple[Path, Path], long_file: Path
) -> None:
    told: list[tuple[int, int]] = []
    request = asked(long_file, places[1] / "long.dcm", to=["jpeg2000-lossless"])
    future = executor.submit(Task(request), lambda done, frames: told.append((done, frames)))
    until = time.monotonic() + 60
    while not told and time.monotonic() < until:
        time.sleep(0.01)
    executor.give_up(future)
    with pytest.raises(CancelledError):
        future.result(30)
    assert told[0][1] == LONG
    assert 0 < told[0][0] < LONG
    assert not [*places[1].iterdir()], "no part of a result is left"
    assert outcome(executor, asked(places[0] / "a.dcm", places[1] / "a.dcm")).target


def test_a_killed_process_leaves_no_part_of_a_result(
    places: tuple[Path, Path], long_file: Path
) -> None:
    before = find_grandchildren()
    told: list[int] = []
    request = asked(long_file, places[1] / "long.dcm", to=["jpeg2000-lossless"])
    with Executor(JobOptions(roots=AllowedRoots.of([places[0]], [places[1]])), jobs=1) as executor:
        future = executor.submit(Task(request), lambda done, _: told.append(done))
        killed: set[int] = set()
        while len(killed) < 2:  # two attempts
            told.clear()
            wait_for(lambda: told)
            assert [path.suffix for path in places[1].iterdir()] == [PART_SUFFIX]
            killed |= (workers := find_grandchildren() - before)
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
        error = future.exception(60)
    assert isinstance(error, WorkerCrashedError)
    assert not [*places[1].iterdir()]


def test_closing_gives_back_what_waits(places: tuple[Path, Path], long_file: Path) -> None:
    executor = Executor(JobOptions(roots=AllowedRoots.of([places[0]], [places[1]])), jobs=1)
    request = asked(long_file, places[1] / "long.dcm", to=["jpeg2000-lossless"])
    told: list[int] = []
    runs = executor.submit(Task(request), lambda done, _: told.append(done))
    waits = executor.submit(Task(asked(places[0] / "a.dcm", places[1] / "a.dcm")))
    until = time.monotonic() + 60
    while not told and time.monotonic() < until:
        time.sleep(0.01)
    executor.close(patience=60)
    assert runs.result().target == str(places[1] / "long.dcm")
    assert waits.cancelled()
    assert executor.submit(Task(request)).cancelled()


def test_groups_come_to_an_end_one_by_one(executor: Executor, places: tuple[Path, Path]) -> None:
    source, target = places
    tasks = [
        Task(asked(source / ("a.dcm" if number != 3 else "no.dcm"), target / f"{number}.dcm"))
        for number in range(8)
    ]
    futures = executor.submit_group(tasks, [None] * 8)
    failed = [number for number, one in enumerate(futures) if one.exception(60) is not None]
    assert failed == [3]
    assert len([*target.iterdir()]) == 7


class IdlePool:
    """A pool that starts nothing: all that it is given waits."""

    jobs = 1
    busy = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def submit(self, group: object) -> None:
        """Let it wait."""

    def wait(self, seconds: float) -> list[object]:
        """Wait a moment."""
        time.sleep(min(seconds, 0.001))
        return []

    def give_up(self, key: int) -> list[ItemReturned]:
        """Return what is given up."""
        return [ItemReturned(key)]

    def stop(self) -> list[object]:
        """Return nothing."""
        return []

    def discard(self) -> list[object]:
        """Return nothing."""
        return []


def test_giving_up_and_submitting_at_once_harm_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any thread may do either; what has ended before it is given up is passed over."""
    monkeypatch.setattr(execution, "make_pool", lambda *_, **__: IdlePool())
    with Executor(JobOptions(roots=AllowedRoots())) as executor:
        waiting = [executor.run(print, None, [1], [None])[0] for _ in range(3000)]
        given_up = threading.Event()

        def submit() -> None:
            while not given_up.is_set() and executor.fault is None:
                executor.run(print, None, [1], [None])

        others = [threading.Thread(target=submit) for _ in range(2)]
        for one in others:
            one.start()
        for one in reversed(waiting[-1000:]):
            executor.give_up(one)
            executor.give_up(one)
        wait_for(lambda: executor.fault or all(one.cancelled() for one in waiting[-1000:]))
        given_up.set()
        for one in others:
            one.join()
        assert executor.fault is None
        assert not any(one.done() for one in waiting[:-1000])
