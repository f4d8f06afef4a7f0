"""The worker's side of a cluster: real processes of the local pool carry out a group."""

from __future__ import annotations

import os
import pickle
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dicodec.batch.cluster import group_work
from dicodec.batch.cluster.group_work import Answer, GroupOrder, carry_out, check
from dicodec.batch.cluster.roots import Root
from dicodec.batch.pool.messages import WorkOfModule
from dicodec.batch.pool.pool import ItemGroup, ItemOutcome, ItemReturned, Pool
from dicodec.errors import DicodecError, TargetUnavailableError
from dicodec.model.implementation import VERSION
from helpers.pool_work import behave


@pytest.fixture(autouse=True)
def _pools_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """End the pools that a process of an engine keeps as long as it lives."""
    opened: list[Pool] = []

    def open_pool(*arguments: Any, **settings: Any) -> Pool:
        opened.append(Pool(*arguments, **settings))
        return opened[-1]

    monkeypatch.setattr(group_work, "Pool", open_pool)
    here = Path.cwd()
    yield
    os.chdir(here)
    group_work._open_pool.cache_clear()
    for pool in opened:
        pool.close()


def order(
    *items: str, began: float | None = None, roots: Sequence[Root] = (), **settings: Any
) -> GroupOrder:
    group = ItemGroup(behave, None, items, range(len(items)), began=began)
    chosen = {"threads": 3, "timeout": None, "memory": None, "folder": str(Path.cwd()), **settings}
    made = GroupOrder(group, roots=roots, **chosen)
    return pickle.loads(pickle.dumps(made))  # type: ignore[no-any-return]


def never() -> int:
    return 0


def ends(answer: Answer) -> dict[int, str]:
    assert not isinstance(answer, DicodecError), answer
    found: dict[int, str] = {}
    for event in pickle.loads(pickle.dumps(answer)):
        if isinstance(event, ItemReturned):
            found[event.key] = "returned"
        else:
            assert isinstance(event, ItemOutcome)
            found[event.key] = event.error.code if event.error else f"attempt {event.attempts}"
    return found


def test_each_item_has_an_end_and_a_crash_costs_one() -> None:
    answer = carry_out(order("a", "crash", "tell:x", "error"), never)

    assert ends(answer) == {
        0: "attempt 1", 1: "worker-crashed", 2: "attempt 1", 3: "corrupt-frame",
    }  # fmt: skip
    assert isinstance(answer, list)
    assert [event.result for event in answer if event.key == 0] == [("a", 3)]


def test_time_and_memory_are_bounded_here() -> None:
    assert ends(carry_out(order("hang", "b", timeout=0.5), never)) == {0: "timeout", 1: "attempt 1"}
    eaten = carry_out(order("eat", "b", memory=150 << 20), never)
    assert ends(eaten) == {0: "out-of-memory", 1: "attempt 1"}


def test_a_second_attempt_is_one_for_the_work_too() -> None:
    assert ends(carry_out(order("a", "crash", began=time.time()), never)) == {
        0: "attempt 2", 1: "worker-crashed",
    }  # fmt: skip


def test_after_an_interruption_the_current_item_ends_and_the_others_come_back(
    tmp_path: Path,
) -> None:
    mark = tmp_path / "mark"
    counted = 0

    def interrupted() -> int:
        nonlocal counted
        counted += (tmp_path / "mark.begun").exists()
        if counted == 2:
            mark.touch()
        return min(counted, 1)

    answer = carry_out(order(f"wait:{mark}", "b", "c"), interrupted)
    assert ends(answer) == {0: "attempt 1", 1: "returned", 2: "returned"}
    assert ends(carry_out(order("d"), never)) == {0: "attempt 1"}


def test_the_second_interruption_lets_nothing_end_and_leaves_no_file(tmp_path: Path) -> None:
    part = tmp_path / "part"
    answer = carry_out(order(f"part:{part}", "b"), lambda: 2 if part.exists() else 0)

    assert ends(answer) == {0: "returned", 1: "returned"}
    assert not part.exists()


def test_patience_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_work, "PATIENCE", 0.1)
    part = tmp_path / "part"
    answer = carry_out(order(f"part:{part}"), lambda: int(part.exists()))

    assert ends(answer) == {0: "returned"}
    assert not part.exists()


def test_relative_paths_start_at_the_drivers_folder_or_lead_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert ends(carry_out(order("a", folder=str(tmp_path / "there")), never)) == {0: "attempt 1"}
    assert Path.cwd() == tmp_path / "there"

    (tmp_path / "other" / "a.dcm").touch()
    monkeypatch.chdir(tmp_path / "other")
    assert ends(carry_out(order("a", folder=str(tmp_path / "gone")), never)) == {0: "attempt 1"}
    assert [*Path.cwd().iterdir()] == []
    group_work._keep_empty_folder().cleanup()
    group_work._keep_empty_folder.cache_clear()


def test_nothing_is_begun_where_results_would_go_elsewhere(tmp_path: Path) -> None:
    root = Root(str(tmp_path), written=True, known=str(tmp_path / "probe"), digest=b"1")
    answer = carry_out(order(f"write:{tmp_path / 'result'}", roots=[root]), never)

    assert isinstance(answer, TargetUnavailableError)
    assert not (tmp_path / "result").exists()


def test_a_machine_with_another_version_is_told_of() -> None:
    assert check([], VERSION) is None
    error = check([], "0.0.1")
    assert error is not None
    assert VERSION in str(error)
    assert "0.0.1" in str(error)


def test_an_engine_interrupts_by_a_signal_that_raises_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        assert ends(group_work.carry_out_in_engine(order("a"))) == {0: "attempt 1"}
        os.kill(os.getpid(), signal.SIGINT)  # as one that comes when the task has ended
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_batchs_own_work_can_be_sent(tmp_path: Path) -> None:
    from dicodec import ConversionOptions
    from dicodec.batch.sources.references import SourceReference
    from dicodec.batch.work_item import Item, WorkOptions
    from helpers.made import IMAGE_KINDS

    source, target = tmp_path / "a.dcm", tmp_path / "b.dcm"
    source.write_bytes(IMAGE_KINDS["gray-16"].make()[0])
    work = WorkOfModule("dicodec.batch.conversion_work", "convert_item")
    reference = SourceReference(str(source), source.stat().st_size, source.stat().st_mtime_ns)
    item = Item(reference, str(target))
    settings = WorkOptions(options=ConversionOptions(to=("rle",)))
    group = ItemGroup(work, settings, [item], range(1))
    sent = pickle.loads(pickle.dumps(GroupOrder(group, 1, None, None, str(tmp_path), roots=())))
    assert ends(carry_out(sent, never)) == {0: "attempt 1"}
    assert target.exists()
