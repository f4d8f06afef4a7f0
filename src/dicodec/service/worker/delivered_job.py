"""A job that a worker has taken, with the messages that requested it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from dicodec.errors import DicodecError, InternalError
from dicodec.model.records import dataclass
from dicodec.service.brokers.broker import Delivery
from dicodec.service.jobs.execution_work import ConversionResult
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.tables import Job
from dicodec.service.jobs.tracing import Span
from dicodec.service.worker import settlement

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


@dataclass(slots=True, eq=False)
class DeliveredJob:
    """A job that this worker has taken.

    Attributes:
        request: the request.
        deliveries: the messages with the request, because a broker may deliver one twice.
        job: row of the store when the job was taken.
        future: future of the result.
        cancelling: whether the job is to be cancelled.
        span: of the attempt.
    """

    request: Request
    deliveries: list[Delivery]
    job: Job | None = None
    future: Future[ConversionResult] | None = None
    cancelling: bool = False
    span: Span = Span()

    @property
    def latest(self) -> Delivery:
        """The latest message, which is the one that can be acknowledged."""
        return self.deliveries[-1]

    @property
    def attempt(self) -> int:
        """Number of the attempt, from 1."""
        return max(map(settlement.parse_attempt, self.deliveries))

    @property
    def anew(self) -> bool:
        """Whether a dead letter was sent back, so the job starts anew."""
        return any(settlement.SENT_BACK in one.headers for one in self.deliveries)

    @property
    def began(self) -> float | None:
        """Start of the first attempt that ended with its worker, in seconds since 1970; or None."""
        return None if self.job is None else self.job.began

    @property
    def cut_short(self) -> int:
        """Number of attempts that ended with their worker."""
        return 0 if self.job is None else self.job.attempts - self.attempt

    @property
    def report(self) -> Mapping[str, Any]:
        """The report of a conversion that has succeeded; empty for any other."""
        future = self.future
        if future is None or future.cancelled() or future.exception() is not None:
            return {}
        return future.result().report

    def read_result(self, fault: InternalError | None) -> ConversionResult | DicodecError | None:
        """Return the result or the error of the job; None if it was returned without either.

        Args:
            fault: error of the executor, which is not an error of the job.
        """
        assert self.future is not None
        if self.future.cancelled():
            return None
        error = self.future.exception()
        if error is None:
            return self.future.result()
        if error is fault:
            return None
        assert isinstance(error, DicodecError)
        return error
