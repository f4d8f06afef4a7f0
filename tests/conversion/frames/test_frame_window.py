"""The window of threads: ordered, bounded, and done when something fails."""

from __future__ import annotations

import re
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec.conversion.frames.window import (
    BYTES_IN_FLIGHT,
    FRAMES_IN_FLIGHT_PER_WORKER,
    count_threads_for_each,
    map_frames,
)
from helpers.corpus import ROOT


class Gauge:
    """Work that counts how much of it is begun and not yet taken."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.begun = 0
        self.taken = 0
        self.most = 0
        self._fails_at = fails_at
        self._lock = threading.Lock()

    def work(self, frame: int) -> int:
        with self._lock:
            self.begun += 1
            self.most = max(self.most, self.begun - self.taken)
        time.sleep(0.0005 * (frame % 3))
        if frame == self._fails_at:
            raise ValueError(frame)
        return frame * frame

    def take(self) -> None:
        with self._lock:
            self.taken += 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 40), st.integers(1, 8))
def test_results_come_in_order_whatever_the_workers(frames: int, workers: int) -> None:
    assert list(map_frames(Gauge().work, frames, workers, 1)) == [n * n for n in range(frames)]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_no_more_frames_are_in_flight_than_the_window_allows(workers: int) -> None:
    gauge = Gauge()
    for _ in map_frames(gauge.work, 60, workers, 1):
        time.sleep(0.001)  # the sink is slower than the work
        gauge.take()

    assert gauge.most <= workers * FRAMES_IN_FLIGHT_PER_WORKER + 1
    assert gauge.begun == 60


@pytest.mark.parametrize("share", [1, 2, 3])
def test_large_frames_make_the_window_narrow(share: int) -> None:
    gauge = Gauge()
    for _ in map_frames(gauge.work, 20, 8, BYTES_IN_FLIGHT // share):
        time.sleep(0.001)
        gauge.take()

    assert gauge.most <= share + 1


def test_frames_larger_than_the_window_go_one_by_one_in_the_callers_thread() -> None:
    threads = set(map_frames(lambda _: threading.current_thread(), 5, 8, BYTES_IN_FLIGHT * 3))

    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("workers", [1, 4])
def test_the_first_failure_in_order_is_raised_and_the_rest_is_cancelled(workers: int) -> None:
    gauge = Gauge(fails_at=7)
    found = []
    before = threading.active_count()

    def take_all() -> None:
        for result in map_frames(gauge.work, 1000, workers, 1):
            found.append(result)
            gauge.take()

    with pytest.raises(ValueError, match="7"):
        take_all()

    assert found == [n * n for n in range(7)]
    assert gauge.begun < 30
    assert threading.active_count() == before


def test_a_sink_that_stops_stops_the_work() -> None:
    gauge = Gauge()
    before = threading.active_count()
    results = map_frames(gauge.work, 1000, 4, 1)
    for _ in range(3):
        next(results)
        gauge.take()
    results.close()

    assert gauge.begun < 20
    assert threading.active_count() == before


@pytest.mark.parametrize(("frames", "workers", "size", "threads"), [
    (1, 8, 1, 8), (2, 8, 1, 4), (3, 8, 1, 2), (5, 8, 1, 1), (100, 8, 1, 1), (1, 1, 1, 1),
    (100, 8, BYTES_IN_FLIGHT, 8), (100, 8, BYTES_IN_FLIGHT // 2, 4),  # few are in flight at once
    (0, 8, 1, 8),
])  # fmt: skip
def test_threads_that_are_left_to_a_frame(
    frames: int, workers: int, size: int, threads: int
) -> None:
    assert count_threads_for_each(frames, workers, size) == threads


def test_whoever_maps_frames_closes_them() -> None:
    """The garbage collector would end their threads in any thread, which may wait for itself."""
    calls = [
        (path.name, text[max(at - 40, 0) : at])
        for path in (ROOT / "src").rglob("*.py")
        if path.name != "window.py"
        for text in [path.read_text(encoding="utf-8")]
        for at in [match.start() for match in re.finditer(r"\bmap_frames\(", text)]
    ]

    assert len(calls) >= 6
    assert all(re.search(r"closing\(\s*$", before) for _, before in calls), calls
