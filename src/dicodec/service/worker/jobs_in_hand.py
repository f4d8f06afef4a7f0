"""The jobs that a worker has taken, each with the messages that asked for it."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from dicodec.errors import DicodecError, InternalError
from dicodec.service.brokers.broker import Delivery
from dicodec.service.jobs.execution_work import Done
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.tables import Job
from dicodec.service.worker import settlement


@dataclass(slots=True, eq=False)
class Flight:
    """A job that is this worker's to do.

    Attributes:
        request: what is asked for.
        deliveries: the messages that asked for it; a broker may deliver twice.
        job: as the store had it when it was taken.
        future: what it comes to.
        cancelling: whether somebody asked for its end.
    """

    request: Request
    deliveries: list[Delivery]
    job: Job | None = None
    future: Future[Done] | None = None
    cancelling: bool = False

    @property
    def latest(self) -> Delivery:
        """The message that came last; of several it is the one that can be acknowledged."""
        return self.deliveries[-1]

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return max(map(settlement.attempt_of, self.deliveries))

    @property
    def anew(self) -> bool:
        """Whether a dead letter was sent back, so that the job begins anew."""
        return any(settlement.SENT_BACK in one.headers for one in self.deliveries)

    @property
    def began(self) -> float | None:
        """When an attempt began that was cut short, in seconds since 1970."""
        return None if self.job is None else self.job.began

    @property
    def cut_short(self) -> int:
        """How many attempts ended with their worker."""
        return 0 if self.job is None else self.job.attempts - self.attempt

    def outcome(self, fault: InternalError | None) -> Done | DicodecError | None:
        """Return what it came to; None where it was returned undone.

        Args:
            fault: of the executor, which is no fault of the job.
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
