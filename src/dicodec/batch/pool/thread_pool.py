"""A pool of threads, for systems on which no worker processes are forked from a template.

It has the calls of `Pool`. Threads cannot be ended: there is no bound on time or memory, an item
that crashes ends the whole process, and an abandoned item is waited for.
"""

from __future__ import annotations

import queue
import threading
from collections import deque

from dicodec.batch.pool.messages import WorkContext, translate_failure
from dicodec.batch.pool.pool import (
    ItemGroup,
    ItemOutcome,
    ItemProgress,
    ItemReturned,
    Pool,
    PoolEvent,
)
from dicodec.conversion.frames.window import count_cores
from dicodec.conversion.output.placement import Placement
from dicodec.errors import DicodecError, InvalidOptionError

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_LONGEST_WAIT = 0.2
"""Seconds for which a thread waits for a group before it looks whether the pool is closed."""


class ThreadPool(Pool):
    """Threads that convert groups of items; see `Pool` for its calls.

    Args:
        jobs: threads; None for one a core.
        timeout, memory: None, because there is no such bound.
        cores: threads of all items together, at least one each; None for the machine's cores.

    Raises:
        InvalidOptionError: a bound is asked for.
    """

    def __init__(
        self,
        jobs: int | None = None,
        *,
        timeout: float | None = None,
        memory: int | None = None,
        cores: int | None = None,
    ) -> None:
        if timeout is not None or memory is not None:
            raise InvalidOptionError(
                "the time and the memory of a file are bounded by processes, which batches do not "
                "have on this system",
                hint="leave out `timeout` and --memory",
            )
        self._cores = cores or count_cores()
        self.jobs = jobs or self._cores
        self._groups: queue.Queue[ItemGroup] = queue.Queue()
        self._events: queue.Queue[PoolEvent | None] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._open: set[Any] = set()  # keys without an outcome
        self._unfinished = 0  # groups
        self._unwanted: set[Any] = set()
        self._stopping = self._closing = False

    def start(self, workers: int) -> None:
        """Start threads."""
        while len(self._threads) < min(workers, self.jobs):
            name = f"dicodec-batch-{len(self._threads)}"
            thread = threading.Thread(target=self._serve, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def submit(self, group: ItemGroup) -> None:
        """Add a group behind those that wait."""
        with self._lock:
            self._stopping = False
            self._open.update(group.keys)
            self._unfinished += 1
        self._groups.put(group)
        self.start(self.jobs)

    @property
    def room(self) -> int:
        """Number of further groups that would start at once; negative if groups wait."""
        return self.jobs - self._unfinished

    @property
    def busy(self) -> bool:
        """Whether any item waits or is being converted, or its outcome was not taken."""
        return bool(self._unfinished) or not self._events.empty()

    def wait(self, seconds: float) -> list[PoolEvent]:
        """Wait for events, for some seconds at most, and return them."""
        found: deque[PoolEvent] = deque()
        try:
            event = self._events.get(timeout=seconds) if seconds > 0 else self._events.get_nowait()
            while True:
                if event is not None:
                    found.append(event)
                event = self._events.get_nowait()
        except queue.Empty:
            return [*found]

    def stop(self) -> list[PoolEvent]:
        """Start no further item; running ones go on. Return the items that were waiting."""
        self._stopping = True
        returned: list[PoolEvent] = []
        try:
            while True:
                group = self._groups.get_nowait()
                returned += [ItemReturned(key) for key in group.keys]
                with self._lock:
                    self._unfinished -= 1
                    self._open.difference_update(group.keys)
        except queue.Empty:
            return returned

    def give_up(self, key: Any) -> list[PoolEvent]:
        """Abandon one item if it has not begun."""
        with self._lock:
            if key not in self._open:
                return []
            self._unwanted.add(key)
        return []

    def discard(self) -> list[PoolEvent]:
        """Abandon all items; those that run are finished, because threads cannot be ended."""
        events = self.stop()
        while self._unfinished:
            events += self.wait(_LONGEST_WAIT)
        return events + self.wait(0)

    def dismiss(self) -> None:
        """Do nothing: threads without work are no burden."""

    def close(self) -> None:
        """Abandon all items, and end all threads."""
        self.discard()
        self._closing = True
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _serve(self) -> None:
        while not self._closing:
            try:
                group = self._groups.get(timeout=_LONGEST_WAIT)
            except queue.Empty:
                continue
            threads = self._cores if group.whole_machine else max(1, self._cores // self.jobs)
            for key, item in zip(group.keys, group.items, strict=True):
                with self._lock:
                    unwanted = self._stopping or key in self._unwanted
                    self._unwanted.discard(key)
                    self._open.discard(key)
                event = ItemReturned(key) if unwanted else self._work_on(group, key, item, threads)
                self._events.put(event)
            with self._lock:
                self._unfinished -= 1
            self._events.put(None)  # wakes whoever waits for room

    def _work_on(self, group: ItemGroup, key: Any, item: Any, threads: int) -> ItemOutcome:
        def report(value: Any) -> None:
            self._events.put(ItemProgress(key, value))

        error: DicodecError | None = None
        result = None
        try:
            with Placement() as placement:
                context = WorkContext(threads, group.began, report, placement)
                result = group.work(group.settings, item, context)
                error = next((one for one in placement.place() if one is not None), None)
        except Exception as cause:  # whatever a work raises is its item's outcome
            error = translate_failure(cause)
        return ItemOutcome(key, None if error else result, error, group.attempt)
