"""A job store in one SQLite file, which the processes of one machine share."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dicodec.batch.ledger.sqlite_file import DatabaseFormat, encode_text, open_database
from dicodec.errors import DiskFullError, TargetUnavailableError
from dicodec.service.jobs.store.database import HOME_INDEXES, Statement

_APPLICATION, _VERSION = 0x64694A31, 2

_SCHEMA = f"""
CREATE TABLE job (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- in the order of arrival
    id TEXT NOT NULL UNIQUE,
    request TEXT NOT NULL,      -- as JSON
    source TEXT NOT NULL,       -- for people; the request has it exactly
    tenant TEXT,
    trace TEXT,
    home TEXT,                  -- of the only store objects that may claim it; NULL: of all
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
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
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

_MIGRATIONS = {1: "ALTER TABLE job ADD COLUMN home TEXT;"}
_FORMAT = DatabaseFormat("job store", _APPLICATION, _VERSION, _SCHEMA, _MIGRATIONS)

_OF_VALUES = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""Errors that a value or a program brings, and that come again as often as it is tried."""


class SqliteDatabase:
    """A job store's database in a file: see `StoreDatabase`.

    Args:
        path: the file, in an existing folder; it is made if it is missing.
        clock: returns the time in seconds since 1970; None for the computer's clock.

    Raises:
        InvalidOptionError: the file is not a job store.
        TargetUnavailableError: the file cannot be made or opened, or is damaged.
    """

    contains = "instr({}, ?) > 0"
    waiting_hint = " INDEXED BY waiting"
    fails_alone = False
    poll_seconds = 0.3

    def __init__(self, path: str, clock: Callable[[], float] | None = None) -> None:
        self.place = path
        self.lock = threading.RLock()
        self.read_clock = clock or time.time
        self._connection = open_database(path, _FORMAT, create=True, check_same_thread=False)
        try:
            self._examine()
        except BaseException:
            self._connection.close()
            raise

    def _examine(self) -> None:
        """Check that the store is whole, because a damaged one would lose jobs without a word."""
        ((found,),) = self.query("PRAGMA quick_check(1)")
        if found != "ok":
            raise TargetUnavailableError(
                f"the job store is damaged: {found.splitlines()[-1]}",
                path=self.place,
                hint="`sqlite3 FILE .recover` saves what is left of it; or move it away",
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def query(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement: see `StoreDatabase`."""
        with self.lock, self._translate_errors():
            return self._connection.execute(text, values).fetchall()

    def execute(self, text: str, values: Sequence[Any] = ()) -> int:
        """Carry out a statement, and return the number of rows: see `StoreDatabase`."""
        with self.lock, self._translate_errors():
            return self._connection.execute(text, values).rowcount

    def execute_all(self, statements: Iterable[Statement]) -> list[int]:
        """Carry out statements, and return the numbers of rows: see `StoreDatabase`."""
        return [self.execute(*statement) for statement in statements]

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[float]:
        """Begin a transaction that writes: see `StoreDatabase`."""
        with self.lock, self._translate_errors():
            if durable:
                self._connection.execute("PRAGMA synchronous = FULL")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self.read_clock()
                except BaseException:
                    if self._connection.in_transaction:  # a full disk has ended it already
                        self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            finally:
                if durable:
                    self._connection.execute("PRAGMA synchronous = NORMAL")

    def index_homes(self) -> str:
        """Make the indexes of homes and traces: see `StoreDatabase`."""
        with self.write():
            for text in HOME_INDEXES:
                self.execute(text)
        return " INDEXED BY waiting_at_home"

    def encode_name(self, name: str | None) -> str | bytes | None:
        """Return a file's name as a column can hold it: see `StoreDatabase`."""
        return encode_text(name)

    def announce(self) -> None:
        """Do nothing: others look for jobs themselves."""

    def listen(self, hear: Callable[[], None]) -> None:
        """Do nothing: nobody announces anything."""

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Turn SQLite's errors of a store that is full, damaged or away into ours.

        Raises:
            DiskFullError: no room is left for it.
            TargetUnavailableError: it is damaged, or cannot be read or written.
        """
        try:
            yield
        except _OF_VALUES:
            raise
        except sqlite3.Error as cause:
            if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise DiskFullError("no room is left for the job store", path=self.place) from cause
            raise TargetUnavailableError(
                f"the job store cannot be used: {cause}",
                path=self.place,
                hint="if it is damaged, `sqlite3 FILE .recover` saves what is left of it",
            ) from cause
