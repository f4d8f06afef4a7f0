"""The rows of a job store's tables as values."""

from __future__ import annotations

from enum import StrEnum

from dicodec.model.records import dataclass


class JobState(StrEnum):
    """State of a job; the words are those of a batch's ledger if they mean the same."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    """It failed permanently, or ran out of attempts."""
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether the job has ended, for good or until somebody asks for another attempt."""
        return self not in {JobState.PENDING, JobState.RUNNING}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A new job; see the table `job`.

    Attributes:
        request: the request as JSON in ASCII.
        home: of the store objects that may claim it, because only their machine has its files; None
            for any.
        not_before: earliest start, in seconds since 1970.
        event: event of its acceptance, as JSON; None for none.
    """

    id: str
    request: str
    source: str
    tenant: str | None = None
    trace: str | None = None
    home: str | None = None
    priority: int = 0
    not_before: float = 0.0
    event: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the table `job`."""

    number: int
    id: str
    request: str
    source: str
    tenant: str | None
    trace: str | None
    priority: int
    state: JobState
    not_before: float
    attempts: int
    began: float | None
    created: float
    started: float | None
    finished: float | None
    frames: int | None
    frames_done: int | None
    source_size: int | None
    target_size: int | None
    action: str | None
    error_code: str | None
    error_text: str | None
    seconds: float | None
    target: str | None
    result: str | None
    history: str


COLUMNS = ", ".join(Job.__slots__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptOutcome:
    """How an attempt at a job ended; see the table `job`.

    Attributes:
        state: new state of the job; PENDING if another attempt follows.
        event: event of the outcome, as JSON.
        result: {"report": ...} or {"error": ...}, as JSON.
        not_before: earliest start of the next attempt, in seconds since 1970.
        attempts: attempts when the job was taken, which tell it from later ones; None for any.
    """

    id: str
    state: JobState
    event: str
    result: str
    attempts: int | None = None
    not_before: float = 0.0
    frames: int | None = None
    source_size: int | None = None
    target_size: int | None = None
    action: str | None = None
    error_code: str | None = None
    error_text: str | None = None
    seconds: float | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Selects jobs for a list: all given fields must match.

    Attributes:
        text: part of the source's path, or the id of the job or trace.
        before: number of a job; only jobs that arrived earlier match.
    """

    state: JobState | None = None
    cause: str | None = None
    tenant: str | None = None
    text: str | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Number of jobs with a state and an error code, and their bytes."""

    state: JobState
    cause: str
    jobs: int
    source_bytes: int
    target_bytes: int
