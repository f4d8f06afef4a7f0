"""Decide which failures are tried again, and when."""

from __future__ import annotations

import random

from dicodec.batch.ledger.resume import PASSING_CAUSES
from dicodec.model.records import dataclass


def is_passing(code: str) -> bool:
    """Whether an error may pass without a change to the file or the request.

    Args:
        code: code of the error. A code that is not in the table is a fault of the file or the
            request, so trying again would fail again.
    """
    return code in PASSING_CAUSES


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Number and times of attempts after a failure that may pass.

    Attributes:
        attempts: number of attempts, the first one included.
        first: seconds from the end of the first attempt to the second one.
        factor: ratio of each wait to the wait before.
        longest: seconds of a wait at most.
        jitter: share of a wait that is random, 0 to 1, so that jobs which failed together do not
            come back together.
    """

    attempts: int = 5
    first: float = 5.0
    factor: float = 4.0
    longest: float = 600.0
    jitter: float = 0.25

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after an attempt, which is counted from 1."""
        try:
            wait = min(self.longest, self.first * self.factor ** (attempt - 1))
        except OverflowError:  # a lane counts on for as long as its peer is down
            wait = self.longest
        return wait * (1 - self.jitter * random.random())  # noqa: S311 - it keeps no secret

    def allows(self, code: str, attempt: int) -> bool:
        """Whether another attempt follows one that failed with an error code."""
        return is_passing(code) and attempt < self.attempts
