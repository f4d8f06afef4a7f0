"""What became of a batch, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from dicodec.batch.ledger.tables import SALVAGED, Ending, State
from dicodec.report import LEFT_ALONE

_RIGHT_ALREADY = {"copied", LEFT_ALONE}


@dataclass(slots=True)
class Summary:
    """Numbers of a run.

    Attributes:
        converted: sources whose results are new.
        already_right: sources that were what was asked for: copied, or left alone in place.
        done_before: sources that an earlier run had done, and that have not changed.
        failed_before: sources that failed in an earlier run for a cause that does not pass.
        given_back: sources whose conversion was not begun, or given up.
        salvaged: sources among those converted that were damaged.
        skipped: what was passed over, by reason.
        failed: sources that failed, by error code.
        bytes_before, bytes_after: of sources and results of those that were converted or right.
        seconds: how long the run took.
        interrupted: whether it was.
        ledger: its file; "" where none is kept.
    """

    converted: int = 0
    already_right: int = 0
    done_before: int = 0
    failed_before: int = 0
    given_back: int = 0
    salvaged: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    bytes_before: int = 0
    bytes_after: int = 0
    seconds: float = 0
    interrupted: bool = False
    ledger: str = ""

    def count(self, ending: Ending) -> None:
        """Count one source."""
        match ending.state:
            case State.FAILED:
                self.failed[ending.error_code or ""] += 1
            case State.SKIPPED:
                self.skipped[ending.error_code or ""] += 1
            case _:
                right = ending.action in _RIGHT_ALREADY
                self.already_right += right
                self.converted += not right
                self.salvaged += ending.error_code == SALVAGED
                self.bytes_before += ending.source_size or 0
                self.bytes_after += ending.target_size or 0

    @property
    def files(self) -> int:
        """How many sources have been dealt with."""
        done = self.converted + self.already_right + self.done_before + self.failed_before
        return done + self.skipped.total() + self.failed.total()

    @property
    def all_well(self) -> bool:
        """Whether no source failed, or was damaged."""
        return not self.failed and not self.failed_before and not self.salvaged

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers in a form that JSON can hold."""
        return {name: getattr(self, name) for name in self.__slots__}
