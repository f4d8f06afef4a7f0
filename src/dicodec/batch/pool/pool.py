"""A pool of worker processes: groups of items in, one outcome for each item out.

The pool replaces a worker that crashes, takes too long for an item or uses too much memory, and
the item fails. Workers write which item they are at where the pool can read it. After a crash
or a lack of memory the pool tries the item once more, alone, because an earlier item may have been
the cause. A worker removes its temporary files if it still can; if it was killed, the pool does.
"""

from __future__ import annotations

import os
import pickle
import select
import time
from collections import deque
from collections.abc import Sequence

from dicodec.batch.pool.messages import GroupMessage, Word
from dicodec.batch.pool.template import Template
from dicodec.batch.pool.worker import Worker
from dicodec.conversion.frames.window import count_cores
from dicodec.errors import (
    DicodecError,
    MemoryExceededError,
    TimeoutExceededError,
    WorkerCrashedError,
)
from dicodec.model.records import dataclass, field, replace

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, Self

    from dicodec.batch.pool.messages import CleanUp, Preparation, Work

_WATCH_SECONDS = 0.1
"""How often the pool checks the time and memory of workers, if these are bounded."""

_LEAST_SHARED = 3
"""Items that a worker has left, at least, if some of them go to a worker without any."""

_WAKES = 4096
"""Bytes that are read together, each of which wakes the pool."""

_MOMENT = 2.0
"""Seconds to wait for the end of a worker that closed its connection."""

_PATIENCE = 5.0
"""Seconds that a worker gets to clean up."""

_SHORT_PATIENCE = 0.5
"""Seconds that it gets if it exceeded a bound, because it goes on to do so."""


@dataclass(frozen=True, slots=True)
class ItemGroup:
    """Items that one worker converts, one after the other.

    Attributes:
        work: function of a module; see messages.Work.
        settings: value that all items share.
        items: values that the work is called with.
        keys: the caller's name for each item; workers do not get them.
        whole_machine: whether to run the group alone, with a thread for each core.
        began: when their first attempt began, in seconds since 1970, if they are tried again;
            otherwise None.
        clean_up: see messages.CleanUp; None if the work leaves nothing.
    """

    work: Work
    settings: Any
    items: Sequence[Any]
    keys: Sequence[Any]
    whole_machine: bool = False
    began: float | None = None
    clean_up: CleanUp | None = None

    @property
    def attempt(self) -> int:
        """Number of the attempt: 1, or 2 if the items are tried again."""
        return 1 if self.began is None else 2

    def select(
        self, start: int, end: int | None = None, *, began: float | None = None
    ) -> ItemGroup:
        """Return a group of some of the items."""
        part = slice(start, end)
        return replace(self, items=self.items[part], keys=self.keys[part], began=began)


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """How an item ended.

    Attributes:
        key: the item.
        result: value that the work returned; None if it failed.
        error: why it failed; None if it did not.
        attempts: number of attempts, 1 or 2.
    """

    key: Any
    result: Any
    error: DicodecError | None
    attempts: int


@dataclass(frozen=True, slots=True)
class ItemProgress:
    """A progress report of an item's work."""

    key: Any
    value: Any


@dataclass(frozen=True, slots=True)
class ItemReturned:
    """An item that was not started, or was abandoned, because the pool was stopped."""

    key: Any


type PoolEvent = ItemOutcome | ItemProgress | ItemReturned


@dataclass(slots=True)
class _Task:
    """A group at a worker.

    Attributes:
        began: when the first attempt at its items began, in seconds since 1970.
        ended: indices of the items with an outcome, and of those that went to other groups.
        shares: whether the worker is asked to return items for other workers.
    """

    worker: Worker
    group: ItemGroup
    began: float
    ended: set[int] = field(default_factory=set)
    shares: bool = False

    def find_current(self) -> int:
        """Return the index of the current item: that which the worker is at, or the next one."""
        index = self.worker.item.find_index()
        return min(index + (index in self.ended), len(self.group.items) - 1)

    def retry_written(self, at: int) -> list[ItemGroup]:
        """Return groups that try the items before the current one again, but those that ended.

        Their results are written, and may be in place or not.
        """
        written = [index for index in range(at) if index not in self.ended]
        return [self.group.select(index, index + 1, began=self.began) for index in written]

    def open_keys(self) -> list[Any]:
        """Return the keys of the items without an outcome."""
        return [key for index, key in enumerate(self.group.keys) if index not in self.ended]

    def end_worker(self, patience: float) -> str:
        """End the worker, remove what it has left, and return how it ended, in words.

        Args:
            patience: seconds until it is killed.

        Raises:
            InternalError: see `Worker.end`.
        """
        at = self.find_current()
        how = self.worker.end(patience)
        if self.group.clean_up is not None:
            for index in range(at + 1):
                if index not in self.ended:
                    self.group.clean_up(self.group.settings, self.group.items[index])
        return how


class Pool:
    """Worker processes, started when there is work for them, or ahead of it.

    Use a pool from one thread; only `submit` may be called from any thread.

    Args:
        jobs: workers at most; None for one a core.
        timeout: seconds that one item may take; None for no bound.
        memory: bytes of resident memory that one worker may use; None for no bound.
        cores: threads of all workers together, at least one each; None for the machine's cores.
        preparation: has the template of workers import the modules of the work.
        forks: whether that template may be forked from this process; see `Template`.
        template: one that was started ahead; the pool closes it.
    """

    def __init__(
        self,
        jobs: int | None = None,
        *,
        timeout: float | None = None,
        memory: int | None = None,
        cores: int | None = None,
        preparation: Preparation | None = None,
        forks: bool = False,
        template: Template | None = None,
    ) -> None:
        self._cores = cores or count_cores()
        self.jobs = jobs or self._cores
        self._timeout = timeout
        self._memory = memory
        self._waiting: deque[ItemGroup] = deque()
        self._stopped = False
        self._idle: list[Worker] = []
        self._tasks: dict[int, _Task] = {}  # by the descriptor of the worker's channel
        self._wake_reader, self._wake_writer = os.pipe()
        self._preparation = preparation
        self._forks = forks
        self._template: Template | None = None
        if template is not None:
            self._prepare(template)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, workers: int) -> None:
        """Start some workers before there is work; the template is prepared meanwhile."""
        self._idle += [self._make_worker() for _ in range(min(workers, self.jobs))]

    def submit(self, group: ItemGroup) -> None:
        """Add a group behind those that wait."""
        self._stopped = False
        self._waiting.append(group)
        os.write(self._wake_writer, b"1")

    @property
    def room(self) -> int:
        """Number of further groups that would start at once; negative if groups wait."""
        return self.jobs - len(self._tasks) - len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether any item waits or is being converted."""
        return bool(self._tasks or self._waiting)

    def wait(self, seconds: float) -> list[PoolEvent]:
        """Wait for events, for some seconds at most, and return them.

        Raises:
            InternalError: workers do not start.
        """
        self._start_waiting()
        self._share()
        if self._timeout is not None or self._memory is not None:
            seconds = min(seconds, _WATCH_SECONDS)
        events: list[PoolEvent] = []
        poll = select.poll()
        for descriptor in (self._wake_reader, *self._tasks):
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(1000 * seconds):
            if descriptor == self._wake_reader:
                os.read(descriptor, _WAKES)
            else:
                self._hear(self._tasks[descriptor], events)
        self._watch(events)
        self._start_waiting()
        return events

    def stop(self) -> list[PoolEvent]:
        """Start no further item; running ones go on. Return the items that were waiting."""
        self._stopped = True
        returned: list[PoolEvent] = []
        for group in self._waiting:
            returned += [ItemReturned(key) for key in group.keys]
        self._waiting.clear()
        for task in self._tasks.values():
            task.shares = False
            task.worker.stop_after_item()
        return returned

    def give_up(self, key: Any) -> list[PoolEvent]:
        """Abandon one item, whether it waits or runs; it leaves no temporary file.

        Of a running group only the current item can be abandoned; the others are not.
        """
        for group in self._waiting:
            if key in group.keys:
                at = group.keys.index(key)
                self._waiting.remove(group)
                for rest in (group.select(at + 1), group.select(0, at)):
                    if rest.items:
                        self._waiting.appendleft(rest)
                return [ItemReturned(key)]
        for task in self._tasks.values():
            at = task.find_current()
            if task.group.keys[at] == key:
                del self._tasks[task.worker.channel.fileno()]
                task.worker.ask_to_leave()
                task.end_worker(_PATIENCE)
                if at + 1 < len(task.group.items):
                    self._waiting.appendleft(task.group.select(at + 1))
                self._waiting.extendleft(reversed(task.retry_written(at)))
                return [ItemReturned(key)]
        return []

    def discard(self) -> list[PoolEvent]:
        """Abandon all items, running ones too; they leave no temporary files."""
        events = self.stop()
        for task in self._tasks.values():
            task.worker.ask_to_leave()
        until = time.monotonic() + _PATIENCE
        for task in self._tasks.values():
            task.end_worker(max(0, until - time.monotonic()))
            events += [ItemReturned(key) for key in task.open_keys()]
        self._tasks.clear()
        return events

    def dismiss(self) -> None:
        """Have workers without work end, while the caller does what is left before `close`."""
        for worker in self._idle:
            worker.channel.close()

    def close(self) -> None:
        """Abandon all items, and end all workers."""
        self.discard()
        self.dismiss()
        for worker in self._idle:
            worker.end(_PATIENCE if worker.ready else 0)  # others have nothing to clean up
        self._idle.clear()
        if self._template is not None:
            self._template.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def _make_worker(self) -> Worker:
        template = self._template
        if template is not None and template.ended:
            template.close()
            template = None
        if template is None:
            template = self._prepare(Template(forks=self._forks))
        return Worker(template)

    def _prepare(self, template: Template) -> Template:
        """Make a template that of this pool, and return it."""
        self._template = template
        if self._preparation is not None:
            template.prepare(self._preparation)
        return template

    def _start_waiting(self) -> None:
        while self._waiting and len(self._tasks) < self.jobs:
            busy = [task.group for task in self._tasks.values()]
            alone = self._waiting[0].whole_machine or any(group.whole_machine for group in busy)
            if alone and busy:
                return
            together = 1 if alone else min(self.jobs, len(busy) + len(self._waiting))
            group = self._waiting.popleft()
            worker = self._idle.pop() if self._idle else self._make_worker()
            self._tasks[worker.channel.fileno()] = _Task(
                worker, group, time.time() if group.began is None else group.began
            )
            threads = max(1, self._cores // together)
            worker.send(GroupMessage(group.work, group.settings, group.items, threads, group.began))

    def _share(self) -> None:
        """Have a worker return items that it has not begun, if another one has nothing to do.

        Otherwise the others wait for the last groups, as long as one takes.
        """
        if self._waiting or not self._idle or self._stopped:
            return
        tasks = self._tasks.values()
        if any(task.shares or task.group.whole_machine for task in tasks):
            return
        left = {len(task.group.items) - 1 - task.find_current(): task for task in tasks}
        if left and max(left) >= _LEAST_SHARED:
            task = left[max(left)]
            task.shares = True
            task.worker.stop_after_item()

    def _hear(self, task: _Task, events: list[PoolEvent]) -> None:
        message = task.worker.receive()
        if message is None:
            self._go_on_without(task, WorkerCrashedError, "", events)
            return
        word, index, value = message
        if word == Word.PLACED:
            for one in value:
                word, index, value = pickle.loads(one)  # noqa: S301 - the workers' own
                self._take(task, word, index, value, events)
        else:
            self._take(task, word, index, value, events)
        if len(task.ended) == len(task.group.items):
            del self._tasks[task.worker.channel.fileno()]
            self._idle.append(task.worker)

    def _take(
        self, task: _Task, word: int, index: int, value: Any, events: list[PoolEvent]
    ) -> None:
        """Take one message of a worker about its items."""
        match word:
            case Word.PROGRESS:
                events.append(ItemProgress(task.group.keys[index], value))
            case Word.NOT_BEGUN:
                items = len(task.group.items)
                task.ended.update(range(index, items))
                if task.shares:
                    size = -(-(items - index) // (1 + len(self._idle)))
                    starts = range(index, items, size)
                    began = task.group.began
                    self._waiting += [
                        task.group.select(at, min(at + size, items), began=began) for at in starts
                    ]
                else:
                    events += [ItemReturned(key) for key in task.group.keys[index:]]
            case Word.RESULT | Word.ERROR:
                failed = word == Word.ERROR
                events.append(
                    ItemOutcome(
                        task.group.keys[index],
                        None if failed else value,
                        value if failed else None,
                        task.group.attempt,
                    )
                )
                task.ended.add(index)

    def _watch(self, events: list[PoolEvent]) -> None:
        """End workers that exceed their bounds."""
        now = time.monotonic()
        for task in list(self._tasks.values()):
            worker = task.worker
            if self._timeout is not None and worker.item.measure_seconds(now) > self._timeout:
                text = f"it took more than {self._timeout:g} s and was given up"
                self._go_on_without(task, TimeoutExceededError, text, events)
            elif self._memory is not None and worker.measure_memory() > self._memory:
                text = f"it took more than {self._memory} bytes of memory and was given up"
                self._go_on_without(task, MemoryExceededError, text, events)

    def _go_on_without(
        self, task: _Task, kind: type[DicodecError], text: str, events: list[PoolEvent]
    ) -> None:
        """Go on without a worker: try its item again or fail it; the other items wait again."""
        del self._tasks[task.worker.channel.fileno()]
        group, at = task.group, task.find_current()
        if kind is WorkerCrashedError:
            # It closed its connection, so it is about to end: its status is worth a moment.
            end = task.end_worker(_MOMENT)
        else:
            task.worker.ask_to_leave()
            end = task.end_worker(_SHORT_PATIENCE)
        if self._stopped:
            events += [ItemReturned(key) for key in task.open_keys()]
            return
        if at + 1 < len(group.items):
            self._waiting.appendleft(group.select(at + 1))
        self._waiting.extendleft(reversed(task.retry_written(at)))
        if group.attempt == 1 and kind is not TimeoutExceededError:
            self._waiting.appendleft(group.select(at, at + 1, began=task.began))
            return
        events.append(ItemOutcome(group.keys[at], None, kind(text or end), group.attempt))
