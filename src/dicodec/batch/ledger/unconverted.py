"""How sources end that are not converted, as the ledger keeps it."""

from __future__ import annotations

from dicodec.batch.ledger.tables import Ending, State
from dicodec.errors import DicodecError, kind_of
from dicodec.model.lines import json_line


def failure(error: DicodecError, attempts: int = 1) -> Ending:
    """Return how a source ends that failed."""
    return Ending(
        state=State.FAILED,
        json=json_line({"error": error.as_dict()}),
        attempts=attempts,
        error_code=error.code,
        error_kind=kind_of(error),
        error_text=error.message,
    )


def skipped(name: str, reason: str) -> Ending:
    """Return how a source ends that is passed over."""
    fields = {"skipped": {"path": name, "reason": reason}}
    return Ending(state=State.SKIPPED, json=json_line(fields), error_code=reason)
