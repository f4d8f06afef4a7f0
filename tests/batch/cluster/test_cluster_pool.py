"""The pool of a cluster: what becomes of items whose machine is lost, and who is told what.

The engine here carries out groups one after the other, by the worker's own code and in real
processes, and loses those that a test names. tests/engines has the same with Ray.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dicodec.batch.cluster import cluster_pool, group_work
from dicodec.batch.cluster.cluster_pool import ClusterPool, Ending
from dicodec.batch.cluster.group_work import Answer, GroupOrder, carry_out
from dicodec.batch.cluster.roots import Root, check_machine, keep_probes
from dicodec.batch.pool.pool import ItemGroup, ItemOutcome, ItemReturned, Pool, PoolEvent
from dicodec.errors import DicodecError, TargetUnavailableError, WorkerCrashedError
from helpers.pool_work import behave


class OneByOne:
    """An engine that carries out a group when it is waited for.

    Attributes:
        losses: how often groups with an item are lost, by the item.
        sent: (items, attempt, threads) of each group in turn.
    """

    def __init__(self, cores: Sequence[int] = (2,)) -> None:
        self.cores = list(cores)
        self.losses: dict[str, int] = {}
        self.broken: DicodecError | None = None
        self.sent: list[tuple[tuple[str, ...], int, int]] = []
        self.orders: dict[int, GroupOrder] = {}
        self.interrupted: list[int] = []
        self.killed: list[int] = []
        self.closed = False
        self.deaf = False
        self.heeds = True

    def count_cores(self) -> tuple[int, int]:
        return sum(self.cores), min(self.cores, default=0)

    def check_machines(self, roots: Sequence[Root]) -> None:
        check_machine(pickle.loads(pickle.dumps(roots)))

    def begin(self, order: GroupOrder) -> int:
        self.sent.append((tuple(order.group.items), order.group.attempt, order.threads))
        self.orders[len(self.sent)] = pickle.loads(pickle.dumps(order))
        return len(self.sent)

    def wait(
        self,
        tasks: Sequence[int],
        seconds: float,  # noqa: ARG002 - nothing here takes time
    ) -> list[tuple[int, Answer | Ending]]:
        assert {*tasks} <= {*self.orders}
        if self.broken:
            raise self.broken
        if not tasks or self.deaf:
            return []
        task = min(tasks)
        order = self.orders.pop(task)
        if self.heeds and task in self.interrupted:
            return [(task, Ending())]
        for item in order.group.items:
            if self.losses.get(item, 0):
                self.losses[item] -= 1
                return [(task, Ending("NodeDiedError: it is gone"))]
        answer = carry_out(order, lambda: 0)
        return [(task, pickle.loads(pickle.dumps(answer)))]

    def interrupt(self, task: int) -> None:
        self.interrupted.append(task)

    def kill(self, task: int) -> None:
        self.killed.append(task)

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True, scope="module")
def _pools_end() -> Iterator[None]:
    """End the process that carries out the groups of all tests."""
    opened: list[Pool] = []

    def open_pool(*arguments: Any, **settings: Any) -> Pool:
        opened.append(Pool(*arguments, **settings))
        return opened[-1]

    here = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_work, "Pool", open_pool)
        yield
    os.chdir(here)
    group_work._open_pool.cache_clear()
    for pool in opened:
        pool.close()


def group(*items: str, whole_machine: bool = False) -> ItemGroup:
    return ItemGroup(behave, None, items, [f"key of {item}" for item in items], whole_machine)


def ends(pool: ClusterPool) -> dict[str, str]:
    found: dict[str, str] = {}
    while pool.busy:
        for event in pool.wait(1):
            assert event.key not in found
            found[event.key] = describe(event)
    return {key.removeprefix("key of "): end for key, end in found.items()}


def describe(event: PoolEvent) -> str:
    if isinstance(event, ItemReturned):
        return "returned"
    assert isinstance(event, ItemOutcome)
    return f"{event.error.code if event.error else 'done'} {event.attempts}"


def test_a_lost_group_comes_back_item_by_item_as_second_attempts() -> None:
    engine = OneByOne()
    engine.losses["b"] = 1
    with ClusterPool(engine) as pool:
        pool.submit(group("a", "b", "c"))
        pool.submit(group("d"))
        assert ends(pool) == {"a": "done 2", "b": "done 2", "c": "done 2", "d": "done 1"}
    assert engine.sent == [
        (("a", "b", "c"), 1, 1), (("d",), 1, 1), (("a",), 2, 1), (("b",), 2, 1), (("c",), 2, 1),
    ]  # fmt: skip
    assert engine.closed


def test_machines_that_go_one_after_the_other_fail_no_item() -> None:
    engine = OneByOne()
    engine.losses["a"] = 4
    with ClusterPool(engine) as pool:
        pool.submit(group("a", "b"))
        assert ends(pool) == {"a": "done 2", "b": "done 2"}


def test_an_item_that_costs_machine_after_machine_is_given_up() -> None:
    engine = OneByOne()
    engine.losses["a"] = 100
    with ClusterPool(engine) as pool:
        pool.submit(group("a", "b"))
        found = []
        while pool.busy:
            found += pool.wait(1)
    errors = {event.key: event.error for event in found if isinstance(event, ItemOutcome)}
    assert errors["key of b"] is None
    assert str(errors["key of a"]) == "5 workers were lost with it: NodeDiedError: it is gone"
    assert isinstance(errors["key of a"], WorkerCrashedError)
    assert engine.losses["a"] == 95


def test_an_item_that_crashes_its_process_fails_at_once() -> None:
    with ClusterPool(OneByOne()) as pool:
        pool.submit(group("a", "crash"))
        assert ends(pool) == {"a": "done 1", "crash": "worker-crashed 2"}


def test_as_many_groups_wait_as_are_carried_out() -> None:
    with ClusterPool(OneByOne([4, 2, 8])) as pool:
        assert (pool.room, pool.jobs) == (28, 2)
        pool.submit(group("a"))
        assert pool.room == 27
    with ClusterPool(OneByOne([4, 2, 8]), 3) as pool:
        assert (pool.room, pool.jobs) == (3, 2)
    with ClusterPool(OneByOne([])) as pool:  # an empty cluster, which grows with its queue
        assert (pool.room, pool.jobs) == (2, 1)


def test_no_more_groups_are_sent_than_jobs_say() -> None:
    engine = OneByOne([8])
    with ClusterPool(engine, 2) as pool:
        for name in "abcd":
            pool.submit(group(name))
        assert pool.room == -2
        pool.wait(0)
        assert [items for items, *_ in engine.sent] == [("a",), ("b",), ("c",)]
        assert len(ends(pool)) == 3


def test_machines_that_come_later_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_pool, "_LOOK_SECONDS", 0)
    engine = OneByOne([1])
    with ClusterPool(engine) as pool:
        assert pool.room == 2
        engine.cores.append(3)
        pool.wait(0)
        assert pool.room == 8


def test_a_large_item_takes_a_machine() -> None:
    engine = OneByOne([16, 4])
    with ClusterPool(engine) as pool:
        pool.submit(group("a", whole_machine=True))
        assert ends(pool) == {"a": "done 1"}
    assert engine.sent == [(("a",), 1, 4)]


def test_stopped_it_begins_nothing_more() -> None:
    engine = OneByOne([1])
    engine.losses["b"] = 1
    with ClusterPool(engine, 1) as pool:
        pool.submit(group("a"))
        pool.submit(group("b"))
        engine.deaf = True
        pool.wait(0)
        assert [event.key for event in pool.stop()] == ["key of b"]
        assert engine.interrupted == [1]
        engine.deaf = False
        assert ends(pool) == {"a": "returned"}


def test_what_is_lost_after_a_stop_is_returned() -> None:
    engine = OneByOne()
    engine.losses["a"] = 1
    engine.heeds = False
    with ClusterPool(engine) as pool:
        pool.submit(group("a", "b"))
        engine.deaf = True
        pool.wait(0)
        pool.stop()
        engine.deaf = False
        assert ends(pool) == {"a": "returned", "b": "returned"}


def test_discarded_it_interrupts_twice_then_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_pool, "_PATIENCE", 0.1)
    engine = OneByOne()
    with ClusterPool(engine) as pool:
        pool.submit(group("a", "b"))
        engine.deaf = True
        pool.wait(0)
        assert {event.key for event in pool.discard()} == {"key of a", "key of b"}
        assert engine.interrupted == [1, 1]
        assert engine.killed == [1]
        assert not pool.busy


def test_a_cluster_that_is_gone_ends_the_batch() -> None:
    engine = OneByOne()
    with ClusterPool(engine) as pool:
        pool.submit(group("a"))
        engine.broken = WorkerCrashedError("the cluster does not answer any more")
        with pytest.raises(WorkerCrashedError, match="does not answer"):
            pool.wait(1)
    assert engine.closed


def test_a_machine_that_no_longer_sees_the_results_ends_the_batch(tmp_path: Path) -> None:
    engine = OneByOne()
    with keep_probes([], [str(tmp_path)]) as roots, ClusterPool(engine) as pool:
        pool.share(roots)
        pool.submit(group("a"))
        assert ends(pool) == {"a": "done 1"}
        (probe,) = tmp_path.iterdir()
        probe.write_bytes(b"of another place")
        with pytest.raises(TargetUnavailableError, match="does not see the same"):
            pool.share(roots)
        pool.submit(group("b"))
        with pytest.raises(TargetUnavailableError, match="does not see the same"):
            ends(pool)


def test_without_work_the_pool_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that waits for its part of the day must not ask again at once."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    with ClusterPool(OneByOne()) as pool:
        assert pool.wait(0.2) == []
    assert 0.2 in waited
