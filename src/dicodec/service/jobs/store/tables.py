"""The tables of a job store, and their rows as values."""

from __future__ import annotations

from enum import StrEnum

from dicodec.model.records import dataclass

APPLICATION = 0x64694A31
VERSION = 1

SCHEMA = f"""
CREATE TABLE job (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- in the order of arrival
    id TEXT NOT NULL UNIQUE,
    request TEXT NOT NULL,      -- as JSON
    source TEXT NOT NULL,       -- for people; the request has it exactly
    tenant TEXT,
    trace TEXT,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    not_before REAL NOT NULL,   -- seconds since 1970, as all times here
    attempts INTEGER NOT NULL DEFAULT 0,
    owner TEXT,                 -- who is at it
    lease REAL,                 -- until when, unless it says that it lives
    cancelled INTEGER NOT NULL DEFAULT 0,  -- whether somebody asked for that while it ran
    began REAL,                 -- before this no attempt can have begun that was cut short
    created REAL NOT NULL,
    started REAL,
    finished REAL,
    frames INTEGER,
    frames_done INTEGER,
    source_size INTEGER,
    target_size INTEGER,
    action TEXT,
    error_code TEXT,
    error_text TEXT,
    seconds REAL,
    target TEXT,                -- where the result is
    result TEXT,                -- what the last attempt came to, as JSON
    history TEXT NOT NULL DEFAULT '[]'  -- of failed attempts, as JSON
);
CREATE INDEX waiting ON job (priority DESC, number) WHERE state = 'pending';
CREATE INDEX leased ON job (lease) WHERE state = 'running';
CREATE INDEX by_state ON job (state, number);
CREATE INDEX by_cause ON job (error_code, number) WHERE error_code IS NOT NULL;
CREATE TABLE event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL,
    json TEXT NOT NULL
);
CREATE TABLE tally (
    state TEXT NOT NULL,
    cause TEXT NOT NULL,        -- an error's code, or ''
    jobs INTEGER NOT NULL,
    source_bytes INTEGER NOT NULL,
    target_bytes INTEGER NOT NULL,
    PRIMARY KEY (state, cause)
) WITHOUT ROWID;
CREATE TRIGGER job_added AFTER INSERT ON job BEGIN
    {{plus}}
END;
CREATE TRIGGER job_changed AFTER UPDATE OF state, error_code, source_size, target_size ON job BEGIN
    {{minus}}
    {{plus}}
END;
CREATE TRIGGER job_removed AFTER DELETE ON job BEGIN
    {{minus}}
END;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
""".format(
    plus="""INSERT INTO tally VALUES (new.state, ifnull(new.error_code, ''), 1,
        ifnull(new.source_size, 0), ifnull(new.target_size, 0))
        ON CONFLICT DO UPDATE SET jobs = jobs + 1,
        source_bytes = source_bytes + excluded.source_bytes,
        target_bytes = target_bytes + excluded.target_bytes;""",
    minus="""UPDATE tally SET jobs = jobs - 1,
        source_bytes = source_bytes - ifnull(old.source_size, 0),
        target_bytes = target_bytes - ifnull(old.target_size, 0)
        WHERE state = old.state AND cause = ifnull(old.error_code, '');""",
)


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
        not_before: earliest start, in seconds since 1970.
        event: event of its acceptance, as JSON; None for none.
    """

    id: str
    request: str
    source: str
    tenant: str | None = None
    trace: str | None = None
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
