"""A pool of worker processes: groups of items in, one outcome for each item out.

A worker that crashes, works at an item for too long or takes too much memory is replaced, and
costs that item an error. The item that it was at is known, as workers answer after each; after a
crash, or where memory ran out, it is tried once more alone, since an item before it may have been
the cause.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, Pipe, wait
from types import TracebackType
from typing import Any, Self

from dicodec.batch.pool.worker import Worker
from dicodec.batch.pool.worker_process import Group, Word, Work
from dicodec.conversion.frames.window import available_cores
from dicodec.errors import (
    DicodecError,
    MemoryExceededError,
    TimeoutExceededError,
    WorkerCrashedError,
)

_WATCH_SECONDS = 0.1
"""How often time and memory of the workers are looked at, where they are bounded."""

_MOMENT = 2.0

_PATIENCE = 5.0
"""Seconds that a worker gets to clean up."""


@dataclass(frozen=True, slots=True)
class Job:
    """Items that one worker takes, one after the other.

    Attributes:
        work: a function of a module; see worker_process.Work.
        settings: what the items share.
        items: what the work is done to.
        keys: what the caller knows each item by; they stay here.
        whole_machine: run while nothing else runs, with a thread for each core.
        attempt: 1, or 2 where items are tried again.
    """

    work: Work
    settings: Any
    items: Sequence[Any]
    keys: Sequence[Any]
    whole_machine: bool = False
    attempt: int = 1

    def rest(self, start: int, end: int | None = None, *, attempt: int = 1) -> Job:
        """Return a job of some of the items."""
        part = slice(start, end)
        return replace(self, items=self.items[part], keys=self.keys[part], attempt=attempt)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an item.

    Attributes:
        key: which one.
        result: what the work returned; None where it failed.
        error: why it failed.
        attempts: how often it was tried.
    """

    key: Any
    result: Any
    error: DicodecError | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What the work at an item told of itself."""

    key: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Returned:
    """An item that was not begun, or given up, because the pool was stopped."""

    key: Any


type Event = Outcome | Progress | Returned


@dataclass(slots=True)
class _Task:
    """A job at a worker.

    Attributes:
        at: index of the item that it is at.
        since: when that was begun, by time.monotonic().
        written: indices of items before it whose results wait for their places.
    """

    worker: Worker
    job: Job
    at: int = 0
    since: float = field(default_factory=time.monotonic)
    written: list[int] = field(default_factory=list)

    def anew(self) -> list[Job]:
        """Return jobs for the written items, whose results may have their places or may not."""
        return [self.job.rest(index, index + 1, attempt=2) for index in self.written]

    def open_keys(self) -> list[Any]:
        """Return the keys of the items that nothing is known of."""
        return [self.job.keys[index] for index in self.written] + [*self.job.keys[self.at :]]


class Pool:
    """Worker processes, started when there is work for them, or ahead of it.

    Use it from one thread, but for `submit`, which any thread may call.

    Args:
        jobs: workers at most; by default one a core.
        timeout: seconds that one item may take; None for no bound.
        memory: bytes of memory that one worker may have resident; None for no bound.
        cores: for threads within workers: they never sum up to more, while each has one.
    """

    def __init__(
        self,
        jobs: int | None = None,
        *,
        timeout: float | None = None,
        memory: int | None = None,
        cores: int | None = None,
    ) -> None:
        self._cores = cores or available_cores()
        self.jobs = jobs or self._cores
        self._timeout = timeout
        self._memory = memory
        self._waiting: deque[Job] = deque()
        self._stopped = False
        self._idle: list[Worker] = []
        self._tasks: dict[Connection, _Task] = {}
        self._wake_reader, self._wake_writer = Pipe(duplex=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self, workers: int, module: str) -> None:
        """Start some workers before there is work, and have them import its module meanwhile."""
        self._idle += [Worker(module) for _ in range(min(workers, self.jobs) - len(self._idle))]

    def submit(self, job: Job) -> None:
        """Add a job behind those that wait."""
        self._stopped = False
        self._waiting.append(job)
        self._wake_writer.send_bytes(b"1")

    @property
    def room(self) -> int:
        """How many jobs more would find a free worker at once."""
        return self.jobs - len(self._tasks) - len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether any item is waiting or worked at."""
        return bool(self._tasks or self._waiting)

    def wait(self, seconds: float) -> list[Event]:
        """Return what has happened, waiting for something to happen for some seconds at most.

        Raises:
            InternalError: workers cannot be started.
        """
        self._start_waiting()
        if self._timeout is not None or self._memory is not None:
            seconds = min(seconds, _WATCH_SECONDS)
        events: list[Event] = []
        for ready in wait([self._wake_reader, *self._tasks], seconds):
            if ready is self._wake_reader:
                self._wake_reader.recv_bytes()
            else:
                assert isinstance(ready, Connection)
                self._hear(self._tasks[ready], events)
        self._watch(events)
        self._start_waiting()
        return events

    def stop(self) -> list[Event]:
        """Begin no item more; those that are worked at go on. Return those that were waiting."""
        self._stopped = True
        returned: list[Event] = [Returned(key) for job in self._waiting for key in job.keys]
        self._waiting.clear()
        for task in self._tasks.values():
            task.worker.begin_nothing_more()
        return returned

    def give_up(self, key: Any) -> list[Event]:
        """Give up one item, waiting or worked at; no temporary file of it is left.

        In a group only the item that is worked at can be; any other one is done all the same.
        """
        for job in self._waiting:
            if key in job.keys:
                at = job.keys.index(key)
                self._waiting.remove(job)
                for rest in (job.rest(at + 1), job.rest(0, at)):
                    if rest.items:
                        self._waiting.appendleft(rest)
                return [Returned(key)]
        for task in self._tasks.values():
            if task.job.keys[task.at] == key:
                del self._tasks[task.worker.connection]
                task.worker.ask_to_leave()
                task.worker.end(_PATIENCE)
                if task.at + 1 < len(task.job.items):
                    self._waiting.appendleft(task.job.rest(task.at + 1))
                self._waiting.extendleft(reversed(task.anew()))
                return [Returned(key)]
        return []

    def discard(self) -> list[Event]:
        """Give up all items, those that are worked at too; no temporary file of theirs is left."""
        events = self.stop()
        for task in self._tasks.values():
            task.worker.ask_to_leave()
        until = time.monotonic() + _PATIENCE
        for task in self._tasks.values():
            task.worker.end(max(0, until - time.monotonic()))
            events += [Returned(key) for key in task.open_keys()]
        self._tasks.clear()
        return events

    def close(self) -> None:
        """Give up what there is, and end all workers."""
        self.discard()
        for worker in self._idle:
            worker.connection.close()
        for worker in self._idle:
            worker.end(_PATIENCE if worker.ready else 0)  # one without work has nothing to clean up
        self._idle.clear()
        self._wake_reader.close()
        self._wake_writer.close()

    def _start_waiting(self) -> None:
        while self._waiting and len(self._tasks) < self.jobs:
            busy = [task.job for task in self._tasks.values()]
            alone = self._waiting[0].whole_machine or any(job.whole_machine for job in busy)
            if alone and busy:
                return
            together = 1 if alone else min(self.jobs, len(busy) + len(self._waiting))
            job = self._waiting.popleft()
            worker = self._idle.pop() if self._idle else Worker()
            self._tasks[worker.connection] = _Task(worker, job)
            threads = max(1, self._cores // together)
            worker.send(Group(job.work, job.settings, job.items, threads, job.attempt))

    def _hear(self, task: _Task, events: list[Event]) -> None:
        message = task.worker.receive()
        if message is None:
            self._lost(task, WorkerCrashedError, "", events)
            return
        word, index, value = message
        match word:
            case Word.READY:
                task.since = time.monotonic()
                return
            case Word.PROGRESS:
                events.append(Progress(task.job.keys[index], value))
                return
            case Word.WRITTEN:
                task.written.append(index)
                task.at, task.since = index + 1, time.monotonic()
                return
            case Word.NOT_BEGUN:
                events += [Returned(key) for key in task.job.keys[index:]]
                task.at = len(task.job.items)
            case Word.RESULT | Word.ERROR:
                failed = word is Word.ERROR
                events.append(
                    Outcome(
                        task.job.keys[index],
                        None if failed else value,
                        value if failed else None,
                        task.job.attempt,
                    )
                )
                if index in task.written:
                    task.written.remove(index)
                else:
                    task.at, task.since = index + 1, time.monotonic()
        if task.at == len(task.job.items):
            del self._tasks[task.worker.connection]
            self._idle.append(task.worker)

    def _watch(self, events: list[Event]) -> None:
        """End workers that have passed their bounds."""
        now = time.monotonic()
        for task in list(self._tasks.values()):
            worker = task.worker
            if self._timeout is not None and worker.ready and now - task.since > self._timeout:
                text = f"it took more than {self._timeout:g} s and was given up"
                self._lost(task, TimeoutExceededError, text, events)
            elif self._memory is not None and worker.memory() > self._memory:
                text = f"it took more than {self._memory} bytes of memory and was given up"
                self._lost(task, MemoryExceededError, text, events)

    def _lost(self, task: _Task, kind: type[DicodecError], text: str, events: list[Event]) -> None:
        """Go on without a worker: its item is tried again alone or failed, the rest waits anew."""
        del self._tasks[task.worker.connection]
        # One that is gone by itself may be about to: how it ended is worth a moment.
        end = task.worker.end(_MOMENT if kind is WorkerCrashedError else 0)
        job, at = task.job, task.at
        if self._stopped:
            events += [Returned(key) for key in task.open_keys()]
            return
        if at + 1 < len(job.items):
            self._waiting.appendleft(job.rest(at + 1))
        self._waiting.extendleft(reversed(task.anew()))
        if job.attempt == 1 and kind is not TimeoutExceededError:
            self._waiting.appendleft(job.rest(at, at + 1, attempt=2))
            return
        events.append(Outcome(job.keys[at], None, kind(text or end), job.attempt))
