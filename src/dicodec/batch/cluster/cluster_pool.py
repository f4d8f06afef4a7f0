"""A pool on the machines of a cluster, in place of the pool of worker processes of one machine.

An engine, such as Ray, brings groups to machines and answers back. It never repeats a group: only
the pool knows how to treat items that may be in their places. If a group is lost with its
machine or its process, its items come back one by one, as second attempts.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence

from dicodec.batch.cluster.group_work import Answer, GroupOrder
from dicodec.batch.cluster.roots import Root
from dicodec.batch.pool.pool import ItemGroup, ItemOutcome, ItemReturned, PoolEvent
from dicodec.errors import DicodecError, WorkerCrashedError
from dicodec.model.records import dataclass, replace

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, Protocol, Self

    class Engine(Protocol):
        """Brings groups to machines."""

        def count_cores(self) -> tuple[int, int]:
            """Return the cores of all machines, and those of the smallest; 0 if there is none."""

        def check_machines(self, roots: Sequence[Root]) -> None:
            """Find out whether each machine can take part.

            Raises:
                DicodecError: one of them cannot.
            """

        def begin(self, order: GroupOrder) -> Any:
            """Send a group to a machine with as many free cores as it has threads."""

        def wait(self, tasks: Sequence[Any], seconds: float) -> list[tuple[Any, Answer | Ending]]:
            """Wait for the end of any task, and return those that have ended, with their answers.

            Raises:
                DicodecError: the cluster is not there any more, or cannot begin any task.
            """

        def interrupt(self, task: Any) -> None:
            """Interrupt a task, or take it back if it has not begun."""

        def kill(self, task: Any) -> None:
            """End a task at once."""

        def close(self) -> None:
            """Leave the cluster."""


_LOOK_SECONDS = 5.0
"""How often the pool looks how many cores the cluster has, because machines come and go."""

_MOST_LOSSES = 5
"""Machines or processes that an item may lose. The fault is hardly ever the item's, because
items run in processes of their own. But one that takes a machine's last memory may not go on."""

_PATIENCE = 10.0
"""Seconds that machines get to clean up."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a task that has no answer.

    Attributes:
        lost: why, if its process or machine was lost; "" if it was taken back before it began.
    """

    lost: str = ""


@dataclass(frozen=True, slots=True)
class _Held:
    """A group that the pool has.

    Attributes:
        group: the group.
        losses: how often its items were lost.
        began: when the first attempt at them began, in seconds since 1970; None if none has.
    """

    group: ItemGroup
    losses: int = 0
    began: float | None = None


class ClusterPool:
    """Machines that convert groups of items, each in a process of its own.

    It has the methods of `Pool` that a batch calls.

    Args:
        engine: see `Engine`.
        jobs: groups at once at most; None for one for each core of the cluster, and as many that
            wait there, so that no machine waits for the driver.
        timeout: seconds that one item may take; None for no bound.
        memory: bytes of resident memory that the process of one item may use; None for no bound.
    """

    def __init__(
        self,
        engine: Engine,
        jobs: int | None = None,
        *,
        timeout: float | None = None,
        memory: int | None = None,
    ) -> None:
        self._engine = engine
        self._most = jobs
        self._timeout = timeout
        self._memory = memory
        self._folder = os.getcwd()  # noqa: PTH109 - it is sent as text
        self._roots: Sequence[Root] = ()
        self._waiting: deque[_Held] = deque()
        self._tasks: dict[Any, _Held] = {}
        self._stopped = False
        self._look()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def jobs(self) -> int:
        """Groups that one machine works at: the size from which an item is large depends on it."""
        return max(1, min(self._smallest, self._most or self._smallest))

    @property
    def room(self) -> int:
        """Number of further groups that would be sent at once; negative if groups wait here."""
        return self._at_once - len(self._tasks) - len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether any item waits or is being converted."""
        return bool(self._tasks or self._waiting)

    def share(self, roots: Sequence[Root]) -> None:
        """Find out whether each machine sees the roots; machines that come later are asked too.

        Raises:
            DicodecError: one of them does not, or has another version of this package.
        """
        self._roots = roots
        self._engine.check_machines(roots)

    def submit(self, group: ItemGroup) -> None:
        """Add a group behind those that wait."""
        self._stopped = False
        self._waiting.append(_Held(group))

    def wait(self, seconds: float) -> list[PoolEvent]:
        """Wait for events, for some seconds at most, and return them.

        Raises:
            DicodecError: no machine can go on.
        """
        if time.monotonic() - self._looked_at > _LOOK_SECONDS:
            self._look()
        self._send_waiting()
        events: list[PoolEvent] = []
        if not self._tasks:  # an engine has nothing to wait for, and a batch may wait for its time
            time.sleep(seconds)
        for task, answer in self._engine.wait([*self._tasks], seconds):
            held = self._tasks.pop(task)
            match answer:
                case DicodecError():
                    raise answer
                case Ending(lost=""):
                    events += [ItemReturned(key) for key in held.group.keys]
                case Ending(lost=reason):
                    self._go_on_without(held, reason, events)
                case _:
                    events += [_give_key(event, held.group) for event in answer]
        self._send_waiting()
        return events

    def stop(self) -> list[PoolEvent]:
        """Start no further item; running ones go on. Return the items that were waiting here."""
        self._stopped = True
        returned: list[PoolEvent] = []
        for held in self._waiting:
            returned += [ItemReturned(key) for key in held.group.keys]
        self._waiting.clear()
        for task in self._tasks:
            self._engine.interrupt(task)
        return returned

    def discard(self) -> list[PoolEvent]:
        """Abandon all items, running ones too; they leave no temporary files."""
        interrupted = self._stopped
        events = self.stop()
        if not interrupted:
            self.stop()  # the second interruption lets no item finish
        events += [ItemReturned(key) for held in self._tasks.values() for key in held.group.keys]
        until = time.monotonic() + _PATIENCE
        try:
            while self._tasks and time.monotonic() < until:
                for task, _ in self._engine.wait([*self._tasks], 0.2):
                    del self._tasks[task]
            for task in self._tasks:
                self._engine.kill(task)
        except DicodecError:
            pass  # without a cluster nothing runs
        self._tasks.clear()
        return events

    def dismiss(self) -> None:
        """Do nothing: machines keep no processes without work."""

    def close(self) -> None:
        """Abandon all items, and leave the cluster."""
        self.discard()
        self._engine.close()

    def _look(self) -> None:
        cores, self._smallest = self._engine.count_cores()
        self._at_once = self._most or 2 * max(1, cores)
        self._looked_at = time.monotonic()

    def _send_waiting(self) -> None:
        while self._waiting and len(self._tasks) < self._at_once:
            held = self._waiting.popleft()
            group = held.group
            order = GroupOrder(
                replace(group, keys=range(len(group.items)), whole_machine=False),
                max(1, self._smallest) if group.whole_machine else 1,
                self._timeout,
                self._memory,
                self._folder,
                self._roots,
            )
            began = time.time() if group.began is None else group.began
            self._tasks[self._engine.begin(order)] = replace(held, began=began)

    def _go_on_without(self, held: _Held, reason: str, events: list[PoolEvent]) -> None:
        """Go on without a machine or a process: its items come back one by one."""
        group, losses = held.group, held.losses + 1
        if self._stopped:
            events += [ItemReturned(key) for key in group.keys]
        elif losses < _MOST_LOSSES:
            self._waiting.extendleft(
                _Held(group.select(index, index + 1, began=held.began), losses)
                for index in reversed(range(len(group.items)))
            )
        else:
            for key in group.keys:
                error = WorkerCrashedError(f"{losses} workers were lost with it: {reason}")
                events.append(ItemOutcome(key, None, error, group.attempt))


def _give_key(event: PoolEvent, group: ItemGroup) -> PoolEvent:
    return replace(event, key=group.keys[event.key])
