"""Attacks on the paths of jobs: links, pipes and folders that change after they were checked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dicodec.batch.pool.messages import WorkContext
from dicodec.conversion.output import result_file
from dicodec.conversion.output.exchange import exchange_names
from dicodec.conversion.output.placement import Placement
from dicodec.errors import DicodecError, PathNotAllowedError
from dicodec.service.jobs.confinement import AllowedRoots
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.execution_work import JobOptions, Task, carry_out
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.retry_causes import RetryPolicy
from helpers.links import exchange_for_link
from helpers.made import make_file
from helpers.special_files import make_special


class Places:
    """A root for sources, one for results, and a folder that belongs to somebody else."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target, self.outside = (
            folder / name for name in ("in", "out", "outside")
        )
        for place in (self.source / "study", self.target / "study", self.outside):
            place.mkdir(parents=True)
        self.ours = make_file(16, 16)[0]
        self.secret = make_file(24, 24)[0]
        (self.source / "study" / "a.dcm").write_bytes(self.ours)
        (self.outside / "a.dcm").write_bytes(self.secret)
        self.options = JobOptions(roots=AllowedRoots.of([self.source], [self.target]))

    def request(self, **fields: Any) -> Request:
        source, target = self.source / "study" / "a.dcm", self.target / "study" / "a.dcm"
        given = {"id": "j", "source": str(source), "target": str(target), "to": "rle", **fields}
        return Request.from_fields(given)

    def carry_out(self, request: Request) -> None:
        """Carry out a request as a process of the pool does, its result put in place at the end."""
        with Placement() as placement:
            carry_out(self.options, Task(request), WorkContext(1, None, lambda _: None, placement))
            for error in placement.place():
                if error is not None:
                    raise error

    def results_outside(self) -> set[str]:
        """Return what is outside that was not there before, and what changed there."""
        found = {path.name for path in self.outside.iterdir()} - {"a.dcm"}
        if (self.outside / "a.dcm").read_bytes() != self.secret:
            found.add("a.dcm")
        return found


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


@pytest.fixture
def after_check(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], None]], None]:
    """Return a function that has an attack begin once a path was checked."""

    def begin(check: str, attack: Callable[[], None]) -> None:
        checked = getattr(AllowedRoots, check)

        def check_and_attack(roots: AllowedRoots, path: str) -> Any:
            found = checked(roots, path)
            attack()
            return found

        monkeypatch.setattr(AllowedRoots, check, check_and_attack)

    return begin


def test_a_source_folder_exchanged_after_the_check(
    places: Places, after_check: Callable[[str, Callable[[], None]], None]
) -> None:
    after_check(
        "resolve_source", lambda: exchange_for_link(places.source / "study", places.outside)
    )
    with pytest.raises(PathNotAllowedError):
        places.carry_out(places.request())
    assert not [*(places.target / "study").iterdir()]


def test_a_source_exchanged_after_the_check(
    places: Places, after_check: Callable[[str, Callable[[], None]], None]
) -> None:
    source = places.source / "study" / "a.dcm"

    def attack() -> None:
        source.unlink()
        source.symlink_to(places.outside / "a.dcm")

    after_check("resolve_source", attack)
    with pytest.raises(PathNotAllowedError):
        places.carry_out(places.request())


@pytest.mark.parametrize("folder", ["study", "new"])
def test_a_target_folder_exchanged_after_the_check(
    places: Places, after_check: Callable[[str, Callable[[], None]], None], folder: str
) -> None:
    (places.target / folder).mkdir(exist_ok=True)
    target = places.target / folder / "deep" / "b.dcm"
    after_check("resolve_target", lambda: exchange_for_link(places.target / folder, places.outside))
    with pytest.raises(PathNotAllowedError):
        places.carry_out(places.request(target=str(target)))
    assert places.results_outside() == set()


def test_a_target_folder_exchanged_while_the_result_is_made(places: Places) -> None:
    with Placement() as placement:
        context = WorkContext(1, None, lambda _: None, placement)
        carry_out(places.options, Task(places.request()), context)
        exchange_for_link(places.target / "study", places.outside)
        assert placement.place() == [None]
    assert places.results_outside() == set()
    assert (places.target / "study-away" / "a.dcm").exists()


def test_a_result_replaced_by_a_link_after_the_check(
    places: Places, after_check: Callable[[str, Callable[[], None]], None]
) -> None:
    target = places.target / "study" / "a.dcm"
    after_check("resolve_target", lambda: target.symlink_to(places.outside / "a.dcm"))
    with pytest.raises(DicodecError):
        places.carry_out(places.request(options={"overwrite": True}))
    assert places.results_outside() == set()


def test_a_part_file_exchanged_for_a_link(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    part = places.target / "study" / ".a.dcm.dicodec-part"

    opening = result_file.open_for_writing

    def attack_and_open(descriptor: int, *, synced: bool) -> Any:
        part.unlink()
        part.symlink_to(places.outside / "a.dcm")
        return opening(descriptor, synced=synced)

    monkeypatch.setattr(result_file, "open_for_writing", attack_and_open)
    with pytest.raises(DicodecError):
        places.carry_out(places.request())
    assert places.results_outside() == set()


def test_a_part_file_exchanged_for_another_file_takes_no_name(places: Places) -> None:
    part = places.target / "study" / ".a.dcm.dicodec-part"
    with Placement() as placement:
        context = WorkContext(1, None, lambda _: None, placement)
        carry_out(places.options, Task(places.request()), context)
        part.unlink()
        part.write_bytes(b"somebody's")
        (error,) = placement.place()
    assert error is not None
    assert error.code == "write-error"
    assert not (places.target / "study" / "a.dcm").exists()


def test_links_that_stay_below_are_followed(places: Places) -> None:
    (places.source / "link").symlink_to("study")
    (places.target / "link").symlink_to("study")
    (places.target / "study" / "old.dcm").write_bytes(b"old")
    (places.target / "name.dcm").symlink_to("study/old.dcm")
    source = str(places.source / "link" / "a.dcm")
    places.carry_out(places.request(source=source, target=str(places.target / "link" / "b.dcm")))
    assert (places.target / "study" / "b.dcm").exists()
    target = str(places.target / "name.dcm")
    places.carry_out(places.request(target=target, options={"overwrite": True}))
    assert (places.target / "name.dcm").is_symlink()
    assert (places.target / "study" / "old.dcm").read_bytes() != b"old"


def test_in_place_beneath_a_root(places: Places) -> None:
    places.options = JobOptions(roots=AllowedRoots.of([places.source], [places.source]))
    source = places.source / "study" / "a.dcm"
    places.carry_out(places.request(target=str(source), options={"overwrite": True}))
    assert source.read_bytes() != places.ours
    assert [path.name for path in source.parent.iterdir()] == ["a.dcm"]


def test_a_race_leads_nowhere(places: Places) -> None:
    """Folders are exchanged for links and back all the while, to read or write outside."""
    stopping = threading.Event()

    def attack(folder: Path) -> None:
        link = folder.with_name("link")
        link.symlink_to(places.outside)
        while not stopping.is_set():
            exchange_names(folder, link)

    attackers = [
        threading.Thread(target=attack, args=(root / "study",), daemon=True)
        for root in (places.source, places.target)
    ]
    for one in attackers:
        one.start()
    done = 0
    until = time.monotonic() + 3
    while time.monotonic() < until:
        try:
            places.carry_out(places.request(options={"overwrite": True}))
            done += 1
        except DicodecError:
            pass
    stopping.set()
    for one in attackers:
        one.join(10)
    assert places.results_outside() == set()
    results = {*places.target.rglob("a.dcm"), *places.source.rglob("a.dcm")}
    assert all(b"\x28\x00\x10\x00US\x02\x00\x18\x00" not in one.read_bytes() for one in results)
    assert done or results


@pytest.fixture
def executor(places: Places) -> Iterator[Executor]:
    with Executor(places.options, jobs=1) as made:
        yield made


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder"])
def test_a_source_that_is_no_regular_file_stops_nobody(
    places: Places, executor: Executor, kind: str
) -> None:
    make_special(places.source / "special", kind)
    requests = [places.request(source=str(places.source / "special")) for _ in range(3)]
    futures = [executor.submit(Task(one)) for one in requests]
    sound = executor.submit(Task(places.request()))
    for future in futures:
        with pytest.raises(PathNotAllowedError, match="regular") as raised:
            future.result(30)
        assert not RetryPolicy().allows(raised.value.code, 1)
    assert sound.result(30).target


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder"])
def test_a_source_that_becomes_special_after_the_check(
    places: Places, after_check: Callable[[str, Callable[[], None]], None], kind: str
) -> None:
    source = places.source / "study" / "a.dcm"
    after_check("resolve_source", lambda: make_special(source, kind))
    raised: list[BaseException] = []

    def work() -> None:
        try:
            places.carry_out(places.request())
        except DicodecError as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "it waits for somebody to write"
    assert isinstance(raised[0], PathNotAllowedError)


def test_the_programs_own_folders_are_apart(places: Places, tmp_path: Path) -> None:
    own = tmp_path / "out" / "data"  # the operator may have put it below a root
    (own / "uploads").mkdir(parents=True)
    (own / "results").mkdir()
    (own / "uploads" / "u.dcm").write_bytes(places.secret)
    places.options = JobOptions(
        roots=AllowedRoots.of([places.source, places.target], [places.target], closed=[own]),
        own=AllowedRoots.of([own / "uploads"], [own / "results"]),
    )
    link = places.source / "study" / "link.dcm"
    link.symlink_to(own / "uploads" / "u.dcm")
    refused = [
        places.request(source=str(link)),
        places.request(target=str(own / "uploads" / "new.dcm")),
        places.request(target=str(own / "queue.sqlite")),
        # One of an upload leads to the folder for results only.
        places.request(source=str(own / "uploads" / "u.dcm")),
        places.request(source=f"{own}/uploads/../../../in/study/a.dcm"),
    ]
    for request in refused:
        with pytest.raises(PathNotAllowedError):
            places.carry_out(request)
    source, target = own / "uploads" / "u.dcm", own / "results" / "u.dcm"
    places.carry_out(places.request(source=str(source), target=str(target)))
    assert target.exists()
