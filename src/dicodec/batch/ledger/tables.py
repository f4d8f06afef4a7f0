"""The tables of a ledger, and their rows as values."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import Any

LEDGER_NAME = ".dicodec-ledger.sqlite"
"""Its name where none is given, in the output folder or beside what is converted in place."""

APPLICATION = 0x64694C31
VERSION = 1

SCHEMA = f"""
CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    options TEXT NOT NULL,      -- a digest of what decides the result
    arguments TEXT NOT NULL,    -- for people
    started REAL NOT NULL,      -- seconds since 1970
    ended REAL
);
CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL UNIQUE,
    target TEXT,
    state TEXT NOT NULL,
    run INTEGER NOT NULL,       -- the last one that dealt with it
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
    error_code TEXT,            -- or why it was skipped; "salvaged" of what was damaged
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


class State(StrEnum):
    """What a source is in."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    LEFT_ALONE = "left alone"
    SKIPPED = "skipped"
    FAILED = "failed"


SALVAGED = "salvaged"
"""The cause that stands with a source that is done, and was damaged."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger knows of a source; see the table `file`."""

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


COLUMNS = ", ".join(Entry.__slots__)


@dataclass(frozen=True, slots=True)
class Begun:
    """A source whose work begins; see the table `file`."""

    source: str
    target: str | None
    position: int
    source_size: int | None
    source_modified: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What became of a source; see the table `file`.

    Attributes:
        json: what is told of it as JSON: its report, or the error.
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


BEGIN = """
INSERT INTO file (source, target, state, run, position, source_size, source_modified)
VALUES (?, ?, 'running', ?, ?, ?, ?)
ON CONFLICT (source) DO UPDATE SET
    target = excluded.target, state = 'running', run = excluded.run, position = excluded.position,
    source_size = excluded.source_size, source_modified = excluded.source_modified
"""
END = (
    "UPDATE file SET "
    + ", ".join(
        {
            "attempts": "attempts = attempts + ?",
            "target": "target = ifnull(?, target)",
            "source_size": "source_size = ifnull(?, source_size)",
        }.get(name, f"{name} = ?")
        for name in Ending.__slots__
        if name != "json"
    )
    + ", finished = ? WHERE source = ?"
)


def as_fields(entry: Entry) -> dict[str, Any]:
    """Return an entry as (column, value) for CSV and JSON."""
    return dict(zip(Entry.__slots__, astuple(entry), strict=True))
