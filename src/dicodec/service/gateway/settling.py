"""Enter the outcomes of deliveries in the job store, several at once, and tell of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from dicodec.errors import DicodecError
from dicodec.model.records import replace
from dicodec.service.gateway.spool import Spool
from dicodec.service.jobs.execution_work import ConversionResult
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.outcomes import describe_attempt, log_attempt
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, Job, JobState

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.service.jobs.tracing import Span

type Settled = tuple[Job, Request, ConversionResult | DicodecError]
"""A job whose attempt ended, and what came of it."""

type ReportDelivery = Callable[[str, AttemptOutcome, Mapping[str, Any]], None]
"""Called for each attempt that ended: the peer's name, the outcome, and the report."""

_MOST_AT_ONCE = 256

_GATHER_SECONDS = 0.2
"""How long outcomes are gathered, because each transaction waits for the disk.

The marks of the spool tell what was delivered if the gateway is killed meanwhile.
"""


class Settler:
    """Takes outcomes of one peer from many threads; one thread enters them.

    Args:
        peer: name of the peer.
        spool: the spool; an object goes when its delivery is entered.
        store: the job store.
        retries: rules for further attempts after a failure.
        log: gets a line for each attempt.
        report: see `ReportDelivery`.
    """

    def __init__(
        self,
        peer: str,
        spool: Spool,
        store: JobStore,
        retries: RetryPolicy,
        log: Log,
        report: ReportDelivery,
    ) -> None:
        self._peer = peer
        self._spool = spool
        self._store = store
        self._retries = retries
        self._log = log
        self._report = report
        self._ended: deque[Settled] = deque()
        self._spans: dict[str, Span] = {}
        self._has_ended = threading.Event()
        self._full = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether outcomes are not entered yet."""
        return bool(self._ended)

    def hold_span(self, job: str, span: Span) -> None:
        """Keep the span of an attempt until its outcome is entered."""
        self._spans[job] = span

    def drop_span(self, job: str) -> None:
        """End the span of an attempt that is given back."""
        if (span := self._spans.pop(job, None)) is not None:
            span.end("given back", cause=None, report={})

    def add(self, settled: Iterable[Settled]) -> None:
        """Take outcomes, to be entered soon."""
        for one in settled:
            if (span := self._spans.get(one[0].id)) is not None:
                span.note_end()
            self._ended.append(one)
        if self._ended:
            self._has_ended.set()
        if len(self._ended) >= _MOST_AT_ONCE:
            self._full.set()

    def wake(self) -> None:
        """End a wait at once."""
        self._has_ended.set()
        self._full.set()

    def wait(self, seconds: float) -> None:
        """Wait until there are outcomes, and gather some, for some seconds at most."""
        if self._has_ended.wait(seconds):
            self._full.wait(_GATHER_SECONDS)
        self._has_ended.clear()
        self._full.clear()

    def enter(self) -> None:
        """Enter the outcomes that there are, some at most.

        Raises:
            DicodecError: the store cannot be written; they are entered by a later call.
        """
        taken = [*self._ended][:_MOST_AT_ONCE]
        if not taken:
            return
        outcomes = [
            replace(
                describe_attempt(request, job.attempts, came, self._retries, show_paths=False),
                attempts=job.attempts,
            )
            for job, request, came in taken
        ]
        lost: set[str] = set()
        self._store.finish(outcomes, lost=lost, durable=True)
        for settled, outcome in zip(taken, outcomes, strict=True):
            self._ended.popleft()
            self._tell(settled, outcome, lost=outcome.id in lost)

    def _tell(self, settled: Settled, outcome: AttemptOutcome, *, lost: bool) -> None:
        job, _, came = settled
        span = self._spans.pop(job.id, None)
        if lost:
            self._log.write("warning", "another process has the job", job=job.id)
            if span is not None:
                span.end("lost", cause=None, report={})
            return
        if outcome.state is JobState.DONE:
            self._spool.forget(job.id)
        report = came.report if isinstance(came, ConversionResult) else {}
        if span is not None:
            span.end(str(outcome.state), cause=outcome.error_code, report=report)
        log_attempt(self._log, outcome, attempt=job.attempts, trace=job.trace, file=job.source)
        self._report(self._peer, outcome, report)
