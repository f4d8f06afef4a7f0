"""Carries out the jobs of a store: takes what is due, has it done, enters what became of it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from dicodec.errors import DicodecError, InternalError, WorkerCrashedError
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.execution_work import Done, Task
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.outcomes import cancelled, failure, success
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import Ending, Job, JobState

_POLL_SECONDS = 0.3
"""How often jobs are looked for that another process has put."""

_GROUP_SECONDS, _GROUP_JOBS = 0.2, 32
"""What a group should take at most; each job costs less the larger its group."""

_BEATS_PER_LEASE = 4
_GATHER_SECONDS = 0.05
_PROGRESS_SECONDS = 0.5
type Observe = Callable[[Job, Ending, Mapping[str, Any]], None]
"""Is told of each attempt that ended: the job as it was, how it ended, and the report."""


@dataclass(frozen=True, slots=True)
class _Flight:
    job: Job
    request: Request


class StoreRunner:
    """A thread that keeps an executor busy with the jobs of a store.

    Args:
        store: whose jobs.
        executor: that carries them out; it is closed with this object.
        retries: when what failed is tried again.
        log: that each attempt is written to.
        observe: see `Observe`.
    """

    def __init__(
        self,
        store: JobStore,
        executor: Executor,
        retries: RetryPolicy,
        log: Log,
        observe: Observe,
    ) -> None:
        self._store = store
        self._executor = executor
        self._retries = retries
        self._log = log
        self._observe = observe
        self._flights: dict[str, tuple[_Flight, Future[Done]]] = {}
        self._cancelling: set[str] = set()
        self._ended: deque[tuple[_Flight, Future[Done]]] = deque()
        self._progress: dict[str, tuple[int, int]] = {}
        self._progress_told = self._beat_at = self._entered_at = 0.0
        self._seconds_each = _GROUP_SECONDS
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dicodec-jobs", daemon=True)
        self.fault: str | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def look(self) -> None:
        """Look for jobs now: some were put, or shall be cancelled."""
        self._beat_at = 0.0
        self._wake.set()

    def stop(self, patience: float) -> None:
        """Take nothing more; let what is worked at come to its end, and enter it.

        Args:
            patience: seconds until what is worked at is given up and given back.
        """
        self._stopping.set()
        self._wake.set()
        self._executor.close(patience)
        self._wake.set()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether jobs are being carried out."""
        return self._thread.is_alive() and self.fault is None and self._executor.fault is None

    def _run(self) -> None:
        while not self._stopping.is_set() or self._flights:
            try:
                busy = self._turn()
                self.fault = None
            except Exception as cause:  # such as a full disk: it may pass
                self.fault = repr(cause)
                self._log.write("error", "jobs cannot be carried out", message=self.fault)
                busy = False
                time.sleep(_POLL_SECONDS)
            if not busy:
                self._wake.wait(_POLL_SECONDS)
            # Many endings cost little more to enter than one.
            time.sleep(max(0.0, self._entered_at + _GATHER_SECONDS - time.monotonic()))
            self._wake.clear()

    def _turn(self) -> bool:
        """Do what is due; return whether there may be more at once."""
        now = time.monotonic()
        if now - self._beat_at > self._store.lease / _BEATS_PER_LEASE:
            self._beat_at = now
            for job in self._store.heartbeat() if self._flights else []:
                self._give_up(job)
        if self._progress and now - self._progress_told > _PROGRESS_SECONDS:
            self._progress_told = now
            self._tell_progress()
        ended = self._enter_ended()
        if ended:
            self._entered_at = time.monotonic()
        return bool(self._claim()) or ended

    # Beginning.

    def _claim(self) -> int:
        if self._stopping.is_set() or self._executor.fault is not None:
            return 0
        group = max(1, min(_GROUP_JOBS, int(_GROUP_SECONDS / max(self._seconds_each, 1e-6))))
        # A group for each process, and one that waits, so that none is ever without.
        room = (self._executor.jobs + 1) * group - len(self._flights)
        if room < group and len(self._flights) > self._executor.jobs:
            return 0
        claimed = self._store.claim(room)
        flights = [flight for job in claimed if (flight := self._flight(job)) is not None]
        scarce = len(claimed) < room  # then no process may be without work for a group's sake
        size = max(1, min(group, -(-len(flights) // self._executor.jobs))) if scarce else group
        self._store.tell((one.job.id, _event(one, EventKind.STARTED).to_json()) for one in flights)
        for start in range(0, len(flights), size):
            self._submit(flights[start : start + size])
        return len(claimed)

    def _flight(self, job: Job) -> _Flight | None:
        """Return a job ready to be begun; None where it ends here."""
        try:
            request = Request.from_json(job.request)
        except DicodecError as error:
            flight = _Flight(job, Request(id=job.id, source=job.source))
            self._enter([(flight, error)])
            return None
        flight = _Flight(job, request)
        if job.attempts > self._retries.attempts:
            count = job.attempts - 1
            self._enter([(flight, WorkerCrashedError(f"it was cut short {count} times"))])
            return None
        return flight

    def _submit(self, flights: Sequence[_Flight]) -> None:
        futures = self._executor.submit_group(
            [Task(one.request, one.job.began) for one in flights],
            [self._teller(one.job.id) for one in flights],
        )
        for flight, future in zip(flights, futures, strict=True):
            self._flights[flight.job.id] = flight, future
            future.add_done_callback(partial(self._over, flight))

    def _teller(self, job: str) -> Callable[[int, int], None]:
        def tell(done: int, frames: int) -> None:
            self._progress[job] = done, frames

        return tell

    def _give_up(self, job: str) -> None:
        if job in self._flights and job not in self._cancelling:
            self._cancelling.add(job)
            self._executor.give_up(self._flights[job][1])

    # Ending.

    def _over(self, flight: _Flight, future: Future[Done]) -> None:
        self._ended.append((flight, future))
        self._wake.set()

    def _enter_ended(self) -> bool:
        taken = [self._ended.popleft() for _ in range(len(self._ended))]
        try:
            self._enter_taken(taken)
        except BaseException:  # none is lost: they are entered when the store can be written again
            self._ended.extendleft(reversed(taken))
            raise
        for flight, _ in taken:
            self._flights.pop(flight.job.id, None)
            self._progress.pop(flight.job.id, None)
            self._cancelling.discard(flight.job.id)
        return bool(taken)

    def _enter_taken(self, taken: Sequence[tuple[_Flight, Future[Done]]]) -> None:
        settled: list[tuple[_Flight, Done | DicodecError | None]] = []
        returned = []
        for flight, future in taken:
            if not future.cancelled():
                settled.append((flight, _outcome(future)))
            elif flight.job.id in self._cancelling:
                settled.append((flight, None))
            else:
                returned.append(flight.job.id)
        if returned:
            self._store.give_back(returned)
        if settled:
            self._enter(settled)

    def _enter(self, settled: Sequence[tuple[_Flight, Done | DicodecError | None]]) -> None:
        endings = [self._ending(*one) for one in settled]
        self._store.finish(endings)
        for (flight, came), ending in zip(settled, endings, strict=True):
            report = came.report if isinstance(came, Done) else {}
            if ending.seconds is not None:
                self._seconds_each += 0.1 * (ending.seconds - self._seconds_each)
            self._write(flight, ending)
            self._observe(flight.job, ending, report)

    def _ending(self, flight: _Flight, came: Done | DicodecError | None) -> Ending:
        request, attempt = flight.request, flight.job.attempts
        if came is None:
            return cancelled(request, attempt)
        if isinstance(came, DicodecError):
            return failure(request, attempt, came, self._retries, show_paths=False)
        return success(request, attempt, came, show_paths=False)

    def _write(self, flight: _Flight, ending: Ending) -> None:
        retried = ending.state is JobState.PENDING
        levels = {JobState.PENDING: "warning", JobState.DEAD: "error"}
        self._log.write(
            levels.get(ending.state, "info"),
            "will be tried again" if retried else str(ending.state),
            job=flight.job.id,
            trace=flight.job.trace,
            file=flight.job.source,
            attempt=flight.job.attempts,
            action=ending.action,
            code=ending.error_code,
            message=ending.error_text,
            seconds=ending.seconds,
        )

    def _tell_progress(self) -> None:
        told = []
        for job in [*self._progress]:
            flight = self._flights.get(job)
            done, frames = self._progress.pop(job)
            if flight is not None:
                event = _event(flight[0], EventKind.PROGRESS, frames_done=done, frames=frames)
                told.append((job, done, frames, event.to_json()))
        self._store.progress(told)


def _event(flight: _Flight, kind: EventKind, **values: Any) -> Event:
    return Event.of(flight.request, kind, attempt=flight.job.attempts, **values)


def _outcome(future: Future[Done]) -> Done | DicodecError:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, DicodecError):
        return error
    return InternalError(f"a fault in dicodec: {error!r}")
