"""The executor: requests in from any thread, what they came to out, by a pool of processes.

The broker worker, the service and `dicodec watch` use it. It knows no queue: who gives it a request
waits for the future, and keeps what it comes to.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from dicodec.batch.pool.pool import (
    ItemGroup,
    ItemOutcome,
    ItemProgress,
    ItemReturned,
    Pool,
    PoolEvent,
)
from dicodec.batch.pool.worker_process import Work
from dicodec.errors import DicodecError, InternalError
from dicodec.service.jobs.execution_work import Done, JobRules, Task, carry_out

_TURN_SECONDS = 0.1
"""How often requests to give something up are looked for."""

type TellProgress = Callable[[int, int], None]
"""Is told, now and then, how many frames are written, and how many there will be."""


@dataclass(frozen=True, slots=True)
class _Flight:
    future: Future[Any]
    progress: TellProgress | None


class Executor:
    """Carries out requests in processes.

    Args:
        rules: of all jobs.
        jobs: processes at most; by default one a core.
        timeout: seconds that one file may take; None for no bound.
        memory: bytes that one process may have resident; None for no bound.
    """

    def __init__(
        self,
        rules: JobRules,
        *,
        jobs: int | None = None,
        timeout: float | None = None,
        memory: int | None = None,
    ) -> None:
        self._rules = rules
        self._pool = Pool(jobs, timeout=timeout, memory=memory)
        self.jobs = self._pool.jobs
        self._flights: dict[int, _Flight] = {}
        self._numbers = itertools.count()
        self._unwanted: deque[Future[Any]] = deque()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._discarding = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dicodec-executor", daemon=True)
        self.fault: InternalError | None = None
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(patience=0)

    @property
    def in_flight(self) -> int:
        """How many requests wait or are worked at."""
        return len(self._flights)

    def submit(self, task: Task, progress: TellProgress | None = None) -> Future[Done]:
        """Carry out a request.

        Returns:
            What it comes to; a DicodecError where it fails. Cancelled where it was given up, or not
            begun because the executor was closed.
        """
        return self.submit_group([task], [progress])[0]

    def submit_group(
        self, tasks: Sequence[Task], progress: Sequence[TellProgress | None]
    ) -> list[Future[Done]]:
        """Carry out requests one after the other in one process; many small ones are faster so."""
        return self.run(carry_out, self._rules, tasks, progress)

    def run(
        self,
        work: Work,
        settings: Any,
        items: Sequence[Any],
        progress: Sequence[TellProgress | None],
    ) -> list[Future[Any]]:
        """Do some work of the pool; see dicodec.batch.pool.pool."""
        flights = [_Flight(Future(), told) for told in progress]
        keys = [next(self._numbers) for _ in items]
        with self._lock:
            if self._stopping.is_set() or self.fault is not None:
                for flight in flights:
                    flight.future.cancel()
            else:
                self._flights.update(zip(keys, flights, strict=True))
                self._pool.submit(ItemGroup(work, settings, items, keys))
        return [flight.future for flight in flights]

    def give_up(self, future: Future[Any]) -> None:
        """Give up a request; its future is cancelled soon, unless it comes to an end before."""
        self._unwanted.append(future)

    def close(self, patience: float) -> None:
        """Begin nothing more, let what is worked at come to its end, and end the processes.

        Args:
            patience: seconds until what is worked at is given up.
        """
        with self._lock:
            self._stopping.set()
        self._thread.join(patience)
        self._discarding.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._pool:
                self._serve()
                self._hear(self._pool.discard())
        except InternalError as fault:
            self._break(fault)
        except Exception as cause:
            self._break(InternalError(f"a fault in dicodec: {cause!r}"))

    def _serve(self) -> None:
        stopped = False
        while not self._discarding.is_set():
            self._hear(self._pool.wait(_TURN_SECONDS))
            while self._unwanted:
                self._give_up(self._unwanted.popleft())
            if self._stopping.is_set() and not stopped:
                stopped = True
                self._hear(self._pool.stop())
            if stopped and not self._pool.busy:
                return

    def _give_up(self, future: Future[Any]) -> None:
        for key, flight in self._flights.items():
            if flight.future is future:
                self._hear(self._pool.give_up(key))
                return

    def _hear(self, events: Sequence[PoolEvent]) -> None:
        for event in events:
            match event:
                case ItemProgress(key, value):
                    flight = self._flights.get(key)
                    if flight is not None and flight.progress is not None:
                        flight.progress(*value)
                case ItemReturned(key):
                    self._flights.pop(key).future.cancel()
                case ItemOutcome(key, result, error):
                    _settle(self._flights.pop(key).future, result, error)

    def _break(self, fault: InternalError) -> None:
        """No process can be started any more: nothing is left waiting for one."""
        with self._lock:
            self.fault = fault
            flights = [*self._flights.values()]
            self._flights.clear()
        for flight in flights:
            _settle(flight.future, None, fault)


def _settle(future: Future[Any], result: Any, error: DicodecError | None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
