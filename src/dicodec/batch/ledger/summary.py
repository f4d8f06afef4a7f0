"""Count the outcomes of a batch."""

from __future__ import annotations

from collections import Counter

from dicodec.batch.ledger.tables import SALVAGED, FileOutcome, State
from dicodec.model.records import dataclass, field
from dicodec.report import LEFT_ALONE

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.batch.estimation.strata import BatchEstimate

_RIGHT_ALREADY = {"copied", LEFT_ALONE}


@dataclass(slots=True)
class Summary:
    """The numbers of a run.

    Attributes:
        converted: sources whose results are new.
        already_right: sources that needed no conversion: copied, or left alone in place.
        done_before: sources that an earlier run converted and that have not changed.
        failed_before: sources that failed in an earlier run with a permanent error.
        given_back: sources whose conversion was not started, or was abandoned.
        salvaged: converted sources that were damaged.
        skipped: number of skipped sources by reason.
        failed: number of failed sources by error code.
        stale_references: results that refer to instances of the batch by SOP Instance UIDs that
            these have no longer.
        mapped_references: results whose references were mapped to the new UIDs.
        mapped_records: records of DICOMDIRs that were set right.
        lost_records: records of those DICOMDIRs that name files without a result.
        case_collisions: paths of results, by a layout, that differ from others in the case of
            letters alone: Windows and macOS hold one of them.
        warnings: number of results by kind of warning; see `WarningKind`.
        bytes_before, bytes_after: sizes of the sources and results of all converted or already
            right files.
        seconds: duration of the run.
        interrupted: whether the run was interrupted.
        stopped: whether the run stopped because the next result did not fit into the bytes that its
            results may have.
        waiting: why no file is started now, for people; "" if files are.
        estimate: of a dry run, how many bytes the results would have; None if nobody asked.
        ledger: path of the ledger; "" if none is kept.
    """

    converted: int = 0
    already_right: int = 0
    done_before: int = 0
    failed_before: int = 0
    given_back: int = 0
    salvaged: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    stale_references: int = 0
    mapped_references: int = 0
    mapped_records: int = 0
    lost_records: int = 0
    case_collisions: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    bytes_before: int = 0
    bytes_after: int = 0
    seconds: float = 0
    interrupted: bool = False
    stopped: bool = False
    waiting: str = ""
    estimate: BatchEstimate | None = None
    ledger: str = ""

    def count(self, outcome: FileOutcome) -> None:
        """Count one source."""
        match outcome.state:
            case State.FAILED:
                self.failed[outcome.error_code or ""] += 1
            case State.SKIPPED:
                self.skipped[outcome.error_code or ""] += 1
            case _:
                right = outcome.action in _RIGHT_ALREADY
                self.already_right += right
                self.converted += not right
                self.salvaged += outcome.error_code == SALVAGED
                self.warnings.update(outcome.warning_kinds)
                self.bytes_before += outcome.source_size or 0
                self.bytes_after += outcome.target_size or 0

    @property
    def files(self) -> int:
        """Number of sources that have ended, in this run or before."""
        done = self.converted + self.already_right + self.done_before + self.failed_before
        return done + self.skipped.total() + self.failed.total()

    @property
    def all_well(self) -> bool:
        """Whether no source failed and none was damaged."""
        return not self.failed and not self.failed_before and not self.salvaged

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as values that JSON can hold."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "waiting"}
        if self.estimate is not None:
            values["estimate"] = self.estimate.as_dict()
        return values
