"""Count attempts: the interface for those that carry out jobs, and the one that counts nothing."""

from __future__ import annotations

from collections.abc import Mapping

from dicodec.service.jobs.store.tables import AttemptOutcome

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


class Counting:
    """Counts nothing, and loads nothing, because nobody asked for metrics."""

    def count_attempt(self, outcome: AttemptOutcome, report: Mapping[str, Any]) -> None:
        """Count an attempt at a job that ended.

        Args:
            outcome: how it ended.
            report: report of the conversion; empty if it failed.
        """

    def count_dead_letter(self, cause: str) -> None:
        """Count a message that was sent to the dead letters, with its error code."""
