"""Which causes of failure pass by themselves, and when what failed is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from dicodec.batch.ledger.resume import PASSING_CAUSES


def passes(code: str) -> bool:
    """Whether an error may be gone the next time, without anything done to file or request.

    Args:
        code: of the error. What is in no table is a fault of the file or the request: trying again
            costs time and changes nothing.
    """
    return code in PASSING_CAUSES


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when what failed for a passing cause is tried again.

    Attributes:
        attempts: in all, the first included.
        first: seconds from the first attempt's end to the second attempt.
        factor: by which each wait is longer than the one before.
        longest: seconds that a wait takes at most.
        jitter: part of a wait that is left to chance, so that those that failed together do not
            come back together.
    """

    attempts: int = 5
    first: float = 5.0
    factor: float = 4.0
    longest: float = 600.0
    jitter: float = 0.25

    def delay(self, attempt: int, chance: random.Random | None = None) -> float:
        """Return the seconds to wait behind an attempt, which is counted from 1."""
        wait: float = min(self.longest, self.first * self.factor ** (attempt - 1))
        return wait * (1 - self.jitter * (chance or random).random())

    def again(self, code: str, attempt: int) -> bool:
        """Whether what failed for a cause at an attempt is tried again."""
        return passes(code) and attempt < self.attempts
