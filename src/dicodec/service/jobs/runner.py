"""Carry out the jobs of a store: take due jobs, convert their files, enter the outcomes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial

from dicodec.batch.pool.grouping import count_files_for, share_evenly
from dicodec.errors import DicodecError, InternalError, WorkerCrashedError
from dicodec.model.records import dataclass, replace
from dicodec.model.wording import describe_fault, leave_words_out
from dicodec.service.jobs.execution import Executor, make_grouping
from dicodec.service.jobs.execution_work import ConversionResult, Task
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.outcomes import (
    describe_attempt,
    log_attempt,
    log_unknown_fields,
)
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.store.store import BEATS_PER_LEASE, JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, Job
from dicodec.service.jobs.tracing import Span, Tracing

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_PAUSE_SECONDS = 0.3
"""How long the runner waits after an error, which may pass."""

_GATHER_SECONDS = 0.05
"""How long outcomes are gathered, because many cost little more to enter than one."""

_PROGRESS_SECONDS = 0.5
"""How often the progress of running jobs is entered."""

type ReportAttempt = Callable[[Job, AttemptOutcome, Mapping[str, Any]], None]
"""Called for each attempt that ended: the job as it was, the outcome, and the report."""


@dataclass(frozen=True, slots=True)
class _ClaimedJob:
    job: Job
    request: Request
    span: Span = Span()


class StoreRunner:
    """A thread that keeps an executor busy with the jobs of a store.

    Args:
        store: the store.
        executor: carries out the jobs; `stop` closes it.
        retries: rules for further attempts after a failure.
        log: gets a line for each attempt.
        report: see `ReportAttempt`.
        tracing: records attempts.

    Attributes:
        fault: why jobs cannot be carried out at the moment; None if they can.
    """

    def __init__(
        self,
        store: JobStore,
        executor: Executor,
        retries: RetryPolicy,
        log: Log,
        report: ReportAttempt,
        tracing: Tracing | None = None,
    ) -> None:
        self._store = store
        self._executor = executor
        self._retries = retries
        self._log = log
        self._report = report
        self._tracing = tracing or Tracing()
        # Spans of claimed jobs that have neither started nor ended.
        self._claimed: dict[str, Span] = {}
        self._running: dict[str, tuple[_ClaimedJob, Future[ConversionResult]]] = {}
        self._cancelling: set[str] = set()
        self._ended: deque[tuple[_ClaimedJob, Future[ConversionResult]]] = deque()
        self._progress: dict[str, tuple[int, int]] = {}
        self._progress_at = self._beat_at = self._entered_at = 0.0
        self._grouping = make_grouping()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dicodec-jobs", daemon=True)
        self.fault: str | None = None

    def start(self) -> None:
        """Start the thread."""
        self._store.listen(self._wake.set)
        self._thread.start()

    def look(self) -> None:
        """Look for jobs now, because some were added or are to be cancelled."""
        self._beat_at = 0.0
        self._wake.set()

    def stop(self, patience: float) -> None:
        """Take no further jobs; let running ones finish, and enter their outcomes.

        Args:
            patience: seconds until running jobs are abandoned and given back.
        """
        self._stopping.set()
        self._wake.set()
        self._executor.close(patience)
        self._wake.set()
        if self._thread.ident is not None:  # it was started
            self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether jobs can be carried out."""
        return self._thread.is_alive() and self.fault is None and self._executor.fault is None

    def _run(self) -> None:
        while not self._stopping.is_set() or self._running:
            try:
                busy = self._turn()
                self.fault = None
            except Exception as cause:  # such as a full disk: it may pass
                self.fault = (
                    cause.message
                    if isinstance(cause, DicodecError)
                    else leave_words_out(describe_fault(cause))
                )
                self._log.write("error", "jobs cannot be carried out", message=self.fault)
                busy = False
                time.sleep(_PAUSE_SECONDS)
            if not busy:
                self._wake.wait(self._find_pause())
            time.sleep(max(0.0, self._entered_at + _GATHER_SECONDS - time.monotonic()))
            self._wake.clear()

    def _find_pause(self) -> float:
        """Return the seconds until the next look, unless something wakes this thread."""
        pause = self._store.poll_seconds
        return min(pause, _PROGRESS_SECONDS) if self._running else pause

    def _turn(self) -> bool:
        """Do all that is due; return whether there may be more to do at once."""
        now = time.monotonic()
        if now - self._beat_at > self._store.lease / BEATS_PER_LEASE:
            self._beat_at = now
            for job in self._store.renew_leases() if self._running else []:
                self._give_up(job)
        if self._progress and now - self._progress_at > _PROGRESS_SECONDS:
            self._progress_at = now
            self._report_progress()
        ended = self._enter_ended()
        if ended:
            self._entered_at = time.monotonic()
        self._give_back_claimed()
        return bool(self._claim()) or ended

    # Beginning.

    def _give_back_claimed(self) -> None:
        """Give back the jobs that an error kept from starting, because their leases are renewed."""
        if self._claimed:
            self._store.give_back(self._claimed)
        while self._claimed:
            self._claimed.popitem()[1].end("given back", cause=None, report={})

    def _claim(self) -> int:
        if self._stopping.is_set() or self._executor.fault is not None:
            return 0
        group = self._grouping.size
        room = count_files_for(self._executor.jobs, group) - len(self._running)
        if room < group and len(self._running) > self._executor.jobs:
            return 0
        claimed = self._store.claim(room)
        self._claimed = dict.fromkeys((job.id for job in claimed), Span())
        jobs = [ready for job in claimed if (ready := self._prepare(job)) is not None]
        if len(claimed) < room:  # there are few, so each process gets some
            group = share_evenly(len(jobs), self._executor.jobs, group)
        self._store.add_events(
            (one.job.id, _make_event(one, EventKind.STARTED).to_json()) for one in jobs
        )
        for start in range(0, len(jobs), group):
            self._submit(jobs[start : start + group])
        return len(claimed)

    def _prepare(self, job: Job) -> _ClaimedJob | None:
        """Return a job that is ready to start; None if it ends here."""
        try:
            request = Request.from_json(job.request)
        except DicodecError as error:
            self._enter([(_ClaimedJob(job, Request(id=job.id, source=job.source)), error)])
            return None
        span = self._claimed[job.id] = self._tracing.begin_attempt(request, job.attempts)
        claimed = _ClaimedJob(job, request.go_on_with(span.traceparent), span)
        log_unknown_fields(self._log, request)
        if job.attempts > self._retries.attempts:
            count = job.attempts - 1
            self._enter([(claimed, WorkerCrashedError(f"it was cut short {count} times"))])
            return None
        return claimed

    def _submit(self, jobs: Sequence[_ClaimedJob]) -> None:
        futures = self._executor.submit_group(
            [Task(one.request, one.job.began, self._store.make_fence(one.job)) for one in jobs],
            [self._make_reporter(one.job.id) for one in jobs],
        )
        for claimed, future in zip(jobs, futures, strict=True):
            self._running[claimed.job.id] = claimed, future
            del self._claimed[claimed.job.id]
            future.add_done_callback(partial(self._note_end, claimed))

    def _make_reporter(self, job: str) -> Callable[[int, int], None]:
        def report(done: int, frames: int) -> None:
            self._progress[job] = done, frames

        return report

    def _give_up(self, job: str) -> None:
        if job in self._running and job not in self._cancelling:
            self._cancelling.add(job)
            self._executor.give_up(self._running[job][1])

    # Ending.

    def _note_end(self, claimed: _ClaimedJob, future: Future[ConversionResult]) -> None:
        claimed.span.note_end()
        self._ended.append((claimed, future))
        self._wake.set()

    def _enter_ended(self) -> bool:
        taken = [self._ended.popleft() for _ in range(len(self._ended))]
        try:
            self._enter_settled(taken)
        except BaseException:  # they are entered when the store can be written again
            self._ended.extendleft(reversed(taken))
            raise
        for claimed, _ in taken:
            self._running.pop(claimed.job.id, None)
            self._progress.pop(claimed.job.id, None)
            self._cancelling.discard(claimed.job.id)
        return bool(taken)

    def _enter_settled(self, taken: Sequence[tuple[_ClaimedJob, Future[ConversionResult]]]) -> None:
        settled: list[tuple[_ClaimedJob, ConversionResult | DicodecError | None]] = []
        returned = []
        for claimed, future in taken:
            if not future.cancelled():
                settled.append((claimed, _read_future(future)))
            elif claimed.job.id in self._cancelling:
                settled.append((claimed, None))
            else:
                returned.append(claimed.job.id)
        if returned:
            self._store.give_back(returned)
            for claimed, future in taken:
                if future.cancelled() and claimed.job.id in returned:
                    claimed.span.end("given back", cause=None, report={})
        if settled:
            self._enter(settled)

    def _enter(
        self, settled: Sequence[tuple[_ClaimedJob, ConversionResult | DicodecError | None]]
    ) -> None:
        outcomes = [
            replace(
                describe_attempt(
                    claimed.request, claimed.job.attempts, came, self._retries, show_paths=False
                ),
                attempts=claimed.job.attempts,
            )
            for claimed, came in settled
        ]
        lost: set[str] = set()
        self._store.finish(outcomes, lost=lost)
        for outcome in outcomes:
            self._claimed.pop(outcome.id, None)
        for (claimed, came), outcome in zip(settled, outcomes, strict=True):
            if outcome.id in lost:
                self._log.write("warning", "another process has the job", job=outcome.id)
                claimed.span.end("lost", cause=None, report={})
                continue
            report = came.report if isinstance(came, ConversionResult) else {}
            claimed.span.end(str(outcome.state), cause=outcome.error_code, report=report)
            self._grouping.add_time(outcome.seconds)
            job = claimed.job
            log_attempt(
                self._log,
                outcome,
                attempt=job.attempts,
                trace=claimed.request.trace_id,
                file=job.source,
            )
            self._report(job, outcome, report)

    def _report_progress(self) -> None:
        rows = []
        for job in [*self._progress]:
            claimed = self._running.get(job)
            done, frames = self._progress.pop(job)
            if claimed is not None:
                event = _make_event(claimed[0], EventKind.PROGRESS, frames_done=done, frames=frames)
                rows.append((job, done, frames, event.to_json()))
        self._store.report_progress(rows)


def _make_event(claimed: _ClaimedJob, kind: EventKind, **values: Any) -> Event:
    return Event.of(claimed.request, kind, attempt=claimed.job.attempts, **values)


def _read_future(future: Future[ConversionResult]) -> ConversionResult | DicodecError:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, DicodecError):
        return error
    return InternalError(describe_fault(error))
