"""The tables of a ledger, and their rows as values."""

from __future__ import annotations

from dicodec.errors import DicodecError, find_kind
from dicodec.model.records import StrEnum, dataclass
from dicodec.model.wording import as_switch, dump_json_line, reword_error

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Self

LEDGER_NAME = ".dicodec-ledger.sqlite"
"""Default name of a ledger, in the output folder, or beside the sources if they are replaced."""

LEDGER_NAMES = ".dicodec-ledger."
"""What the names of all ledgers begin with: those of shards have more in the middle."""

APPLICATION, VERSION = 0x64694C31, 1
REFERENCE_SCHEMA = """
CREATE TABLE IF NOT EXISTS renewed (file INTEGER PRIMARY KEY, old TEXT NOT NULL, new TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_old ON renewed (old);
CREATE TABLE IF NOT EXISTS reference (file INTEGER NOT NULL, uid TEXT NOT NULL,
    PRIMARY KEY (file, uid)) WITHOUT ROWID;
"""
"""Tables of runs whose results may get new SOP Instance UIDs: the new UIDs, and all references."""

SCHEMA = f"""
CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    options TEXT NOT NULL,      -- digest of the options that decide the result
    arguments TEXT NOT NULL,    -- for people
    started REAL NOT NULL,      -- seconds since 1970
    ended REAL
);
CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL UNIQUE,
    target TEXT,
    state TEXT NOT NULL,
    run INTEGER NOT NULL,       -- the last run that converted or skipped it
    position INTEGER NOT NULL,  -- in the order in which that run found its sources
    attempts INTEGER NOT NULL DEFAULT 0,
    source_size INTEGER,
    source_modified INTEGER,    -- nanoseconds since 1970
    target_size INTEGER,
    target_modified INTEGER,
    source_digest TEXT,
    target_digest TEXT,
    rule TEXT,                  -- of the policy
    action TEXT,
    error_code TEXT,            -- or why it was skipped; "salvaged" if it was damaged
    error_kind TEXT,
    error_text TEXT,
    seconds REAL,
    finished REAL
);
CREATE UNIQUE INDEX in_order ON file (run, position);
CREATE INDEX by_cause ON file (state, error_code) WHERE error_code IS NOT NULL;
CREATE TABLE report (file INTEGER PRIMARY KEY, json TEXT NOT NULL);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""


PROOF_SCHEMA = """
CREATE TABLE IF NOT EXISTS proof (file INTEGER PRIMARY KEY, json TEXT NOT NULL);
"""
"""Table of runs that make a manifest: what it says of each result, but for the path."""


class State(StrEnum):
    """State of a source."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    LEFT_ALONE = "left alone"
    SKIPPED = "skipped"
    FAILED = "failed"
    RESTORED = "restored"


SALVAGED = "salvaged"
"""Error code of a source that is `done` although it was damaged."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A row of the table `file`: a source and its state."""

    source: str
    target: str | None
    state: State
    run: int
    attempts: int
    source_size: int | None
    source_modified: int | None
    target_size: int | None
    target_modified: int | None
    source_digest: str | None
    target_digest: str | None
    rule: str | None
    action: str | None
    error_code: str | None
    error_kind: str | None
    error_text: str | None
    seconds: float | None
    finished: float | None


COLUMNS = ", ".join(LedgerEntry.__slots__)


@dataclass(frozen=True, slots=True)
class StartedFile:
    """A source whose conversion starts; see the table `file`."""

    source: str
    target: str | None
    position: int
    source_size: int | None
    source_modified: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """How a source ended; see the table `file`.

    Attributes:
        json: report or error of the source, as one line of JSON.
        instance_uids: SOP Instance UIDs of source and result, if they differ.
        references: UIDs of the instances that it refers to; None if nobody looked.
        warning_kinds: those of its warnings that the summary counts.
        proof: what a manifest says of the result, as JSON; None without one.
        kind: in a dry run, what it has in common with sources that are compressed alike.
        native_size: in a dry run, bytes, about, of the result if its pixels are native.
    """

    state: State
    json: str
    attempts: int = 1
    target: str | None = None
    source_size: int | None = None
    target_size: int | None = None
    target_modified: int | None = None
    source_digest: str | None = None
    target_digest: str | None = None
    rule: str | None = None
    action: str | None = None
    error_code: str | None = None
    error_kind: str | None = None
    error_text: str | None = None
    seconds: float | None = None
    instance_uids: tuple[str, str] | None = None
    references: tuple[str, ...] | None = None
    warning_kinds: tuple[str, ...] = ()
    proof: str | None = None
    kind: tuple[str, ...] = ()
    native_size: int = 0

    @classmethod
    def of_error(cls, error: DicodecError, attempts: int = 1) -> Self:
        """Return the outcome of a source that failed; the ledger has the words of the command."""
        reword_error(error, as_switch)
        return cls(
            state=State.FAILED,
            json=dump_json_line({"error": error.as_dict()}),
            attempts=attempts,
            error_code=error.code,
            error_kind=find_kind(error),
            error_text=error.message,
        )

    @classmethod
    def of_skipped(cls, name: str, reason: str) -> Self:
        """Return the outcome of a source that is skipped."""
        return cls(
            state=State.SKIPPED,
            json=dump_json_line({"skipped": {"path": name, "reason": reason}}),
            error_code=reason,
        )


_NO_COLUMNS = {
    "json",
    "instance_uids",
    "references",
    "warning_kinds",
    "kind",
    "native_size",
    "proof",
}
OUTCOME_COLUMNS = tuple(name for name in FileOutcome.__slots__ if name not in _NO_COLUMNS)
"""Fields of an outcome that are columns of the table `file`."""

BEGIN = """
INSERT INTO file (source, target, state, run, position, source_size, source_modified)
VALUES (?, ?, 'running', ?, ?, ?, ?)
ON CONFLICT (source) DO UPDATE SET
    target = excluded.target, state = 'running', run = excluded.run, position = excluded.position,
    source_size = excluded.source_size, source_modified = excluded.source_modified
"""
_STILL_RESULT = (
    ":state <> 'done' AND source_digest IS NOT NULL"
    " AND source_size = target_size AND source_modified = target_modified"
)
"""Whether a source that is not converted is the result of an earlier run, in the source's place.

Its row then still names the original that this run has replaced, so that it can be put back.
"""


def _set(name: str) -> str:
    match name:
        case "attempts":
            return "attempts = attempts + :attempts"
        case "target" | "source_size":
            return f"{name} = ifnull(:{name}, {name})"
        case "source_digest" | "target_size" | "target_modified":
            return f"{name} = CASE WHEN {_STILL_RESULT} THEN {name} ELSE :{name} END"
        case _:
            return f"{name} = :{name}"


END = (
    f"UPDATE file SET {', '.join(map(_set, OUTCOME_COLUMNS))}, finished = :finished"
    " WHERE source = :source"
)
