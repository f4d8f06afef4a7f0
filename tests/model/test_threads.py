"""Threads of our own: as many as may run, every task done, none left behind."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec.model.threads import Threads, count_startable
from helpers.thread_limit import limit_threads


def fail(words: str) -> None:
    raise ValueError(words)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 40), st.integers(1, 6))
def test_every_task_is_done_once(tasks: int, most: int) -> None:
    done: list[int] = []
    before = threading.active_count()

    with Threads(most, "test") as threads:
        waiting = [threads.submit(partial(done.append, number)) for number in range(tasks)]
        for task in waiting:
            task.wait()

    assert sorted(done) == list(range(tasks))
    assert threading.active_count() == before


def test_no_more_threads_run_than_may_and_no_more_than_there_are_tasks() -> None:
    together = threading.Barrier(3)
    before = threading.active_count()

    with Threads(3, "test") as threads:
        waiting = [threads.submit(together.wait)]
        assert threading.active_count() == before + 1
        waiting += [threads.submit(together.wait) for _ in range(5)]
        assert threading.active_count() == before + 3
        assert sorted(task.wait() for task in waiting) == [0, 0, 1, 1, 2, 2]


def test_an_error_is_raised_to_whoever_waits_and_the_thread_goes_on() -> None:
    with Threads(1, "test") as threads:
        failing, other = threads.submit(partial(fail, "a")), threads.submit(lambda: 5)

        with pytest.raises(ValueError, match="a"):
            failing.wait()
        assert other.wait() == 5


def test_an_error_keeps_nothing_in_a_cycle() -> None:
    """A frame's samples may hang on it, and the collector comes late."""
    gc.collect()
    gc.disable()
    try:
        with Threads(1, "test") as threads:
            task = threads.submit(partial(fail, "a"))
            try:
                task.wait()
            except ValueError as error:
                held = error.__traceback__
            del task
        assert held is not None
        del held
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_result_is_not_kept_by_the_thread() -> None:
    class Large:
        ended = False

        def __del__(self) -> None:
            Large.ended = True

    with Threads(1, "test") as threads:
        threads.submit(Large).wait()
        end = time.monotonic() + 10
        while not Large.ended and time.monotonic() < end:
            time.sleep(0.001)
        assert Large.ended


def test_what_a_call_was_given_is_not_kept_until_its_result_is_taken() -> None:
    class Block:
        pass

    block = Block()
    seen = weakref.ref(block)
    with Threads(1, "test") as threads:
        task = threads.submit(partial(id, block))
        del block
        threads.submit(lambda: None).wait()  # it comes behind the first
        assert seen() is None
        task.wait()


def test_closing_drops_what_is_not_begun_and_waits_for_the_rest() -> None:
    done: list[str] = []
    begun = threading.Event()

    def take_long() -> None:
        begun.set()
        time.sleep(0.05)
        done.append("long")

    threads = Threads(1, "test")
    threads.submit(take_long)
    threads.submit(partial(done.append, "next"))
    assert begun.wait(10)
    threads.close()

    assert done == ["long"]
    threads.close()


@pytest.mark.parametrize("allowed", [0, 1])
def test_where_threads_are_limited_the_work_is_done(
    allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_threads(monkeypatch, allowed)
    with Threads(3, "test") as threads:
        waiting = [threads.submit(partial(pow, number, 2)) for number in range(20)]
        assert [task.wait() for task in waiting] == [number**2 for number in range(20)]


@pytest.mark.parametrize(("allowed", "most", "expected"), [(0, 4, 0), (3, 4, 3), (9, 4, 4)])
def test_threads_that_can_be_started_are_counted_and_end(
    allowed: int, most: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = threading.active_count()
    limit_threads(monkeypatch, allowed)
    assert count_startable(most) == expected
    assert threading.active_count() == before
