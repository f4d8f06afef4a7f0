"""The ledger of a batch: one SQLite file that knows what became of each source.

A source is `running` from before its work begins, so nothing that a killed run was at is mistaken
for something else; what became of it is written soon after, many at a time. Sources are ordered by
where a run found them, whatever order they were done in.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from dicodec.batch.ledger.stored_text import restored, stored
from dicodec.batch.ledger.tables import (
    APPLICATION,
    BEGIN,
    COLUMNS,
    END,
    SCHEMA,
    VERSION,
    Begun,
    Ending,
    Entry,
    State,
)
from dicodec.errors import InvalidOptionError, TargetUnavailableError, WriteError

_COMMIT_SECONDS, _COMMIT_ENTRIES = 0.5, 1000


class Ledger:
    """An open ledger. One process writes; any number may read meanwhile.

    Args:
        path: its file; "" for one that is gone with this object.
        writing: make it where it is missing, and keep other writers out.

    Raises:
        InvalidOptionError: there is none, it is none, or another process is writing it.
        TargetUnavailableError: it cannot be made there.
    """

    def __init__(self, path: str, *, writing: bool) -> None:
        self.path = path
        self._lock: IO[bytes] | None = None
        self._endings: list[tuple[Any, ...]] = []
        self._reports: list[tuple[str, Any]] = []
        self._committed = time.monotonic()
        self.run = 0
        if path and writing:
            self._lock = _locked(path)
        elif path and not Path(path).is_file():
            raise InvalidOptionError("there is no ledger", path=path)
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            self._prepare(writing=writing)
        except sqlite3.OperationalError as cause:
            self.close()
            raise TargetUnavailableError(f"the ledger: {cause}", path=path) from cause
        except sqlite3.DatabaseError as cause:
            self.close()
            raise InvalidOptionError(f"not a ledger of dicodec: {cause}", path=path) from cause
        except InvalidOptionError:
            self.close()
            raise

    def _prepare(self, *, writing: bool) -> None:
        execute = self._connection.execute
        (application,) = execute("PRAGMA application_id").fetchone()
        (version,) = execute("PRAGMA user_version").fetchone()
        (tables,) = execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if writing and not tables:
            execute("PRAGMA page_size = 8192")
            execute("PRAGMA journal_mode = WAL")
            # All or nothing: a process may be killed here as anywhere.
            self._connection.executescript(f"BEGIN IMMEDIATE;{SCHEMA}COMMIT;")
        elif (application, version) != (APPLICATION, VERSION):
            raise InvalidOptionError("not a ledger of this version of dicodec", path=self.path)
        # What was committed survives a killed process; a power cut may cost the last moments,
        # which are then done again.
        execute("PRAGMA synchronous = NORMAL")
        execute("PRAGMA wal_autocheckpoint = 4000")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is held, and close."""
        try:
            if self.run:
                self.flush()
        finally:
            self._connection.close()
            if self._lock is not None:
                with suppress(OSError):
                    Path(self._lock.name).unlink()
                self._lock.close()

    # Writing.

    def take_over(self, path: str) -> None:
        """Know what another ledger knows, if there is one; it stays as it is.

        Raises:
            InvalidOptionError: it is none.
        """
        if Path(path).is_file():
            with Ledger(path, writing=False) as other:
                other._connection.backup(self._connection)

    def start(self, options: str, arguments: str) -> int:
        """Begin a run and return its number.

        What could not even be listed before is forgotten: this run will see.
        """
        self._connection.execute(
            "DELETE FROM file WHERE state = 'failed' AND source_modified IS NULL"
        )
        self.run = self._connection.execute(
            "INSERT INTO run (options, arguments, started) VALUES (?, ?, ?) RETURNING number",
            (options, stored(arguments), time.time()),
        ).fetchone()[0]
        return self.run

    def begin(self, sources: Sequence[Begun]) -> None:
        """Enter sources as running, and write all that is held; it is safe then."""
        rows = [
            (stored(one.source), stored(one.target), self.run, one.position, one.source_size,
             one.source_modified)
            for one in sources
        ]  # fmt: skip
        self._write(rows)

    def end(self, source: str, ending: Ending) -> None:
        """Enter what became of a source; it is written soon."""
        values = [getattr(ending, name) for name in Ending.__slots__ if name != "json"]
        values = [stored(value) if isinstance(value, str) else value for value in values]
        self._endings.append((*values, time.time(), stored(source)))
        self._reports.append((ending.json, stored(source)))
        held = len(self._endings)
        if held >= _COMMIT_ENTRIES or time.monotonic() - self._committed > _COMMIT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        self._write([])

    def _write(self, begun: list[tuple[Any, ...]]) -> None:
        execute = self._connection.executemany
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            if self._endings:
                execute(END, self._endings)
                execute(
                    "INSERT OR REPLACE INTO report (file, json)"
                    " SELECT id, ? FROM file WHERE source = ?",
                    self._reports,
                )
            execute(BEGIN, begun)
            self._connection.execute("COMMIT")
        except sqlite3.Error as cause:
            raise WriteError(f"the ledger: {cause}", path=self.path) from cause
        finally:
            if self._connection.in_transaction:  # the next one could not begin
                self._connection.rollback()
        self._endings.clear()
        self._reports.clear()
        self._committed = time.monotonic()

    def give_back(self, sources: Iterable[str]) -> None:
        """Enter sources as pending: their work was not begun, or given up."""
        self._connection.executemany(
            "UPDATE file SET state = 'pending' WHERE source = ?",
            [(stored(source),) for source in sources],
        )

    def finish(self) -> None:
        """Enter that the run has ended by itself."""
        self.flush()
        self._connection.execute(
            "UPDATE run SET ended = ? WHERE number = ?", (time.time(), self.run)
        )

    # Reading.

    def find(self, source: str) -> Entry | None:
        """Return what is known of a source."""
        row = self._connection.execute(
            f"SELECT {COLUMNS} FROM file WHERE source = ?", (stored(source),)
        ).fetchone()
        return None if row is None else _entry(row)

    def source_of(self, target: str, besides: str) -> str | None:
        """Return another source that has this target: in this run, or done in another one."""
        self._connection.execute(
            "CREATE INDEX IF NOT EXISTS by_target ON file (target) WHERE target IS NOT NULL"
        )
        row = self._connection.execute(
            "SELECT source FROM file WHERE target = ? AND source <> ?"
            " AND (run = ? OR state IN ('done', 'left alone')) LIMIT 1",
            (stored(target), stored(besides), self.run),
        ).fetchone()
        return None if row is None else restored(row[0])

    def claim(self, source: str, target: str) -> None:
        """Enter the target of a source that is running."""
        self._connection.execute(
            "UPDATE file SET target = ? WHERE source = ?", (stored(target), stored(source))
        )

    def options_of_runs(self) -> dict[int, str]:
        """Return the options' digest of each run."""
        return dict(self._connection.execute("SELECT number, options FROM run"))

    def ended_from(
        self, position: int, *, past_pending: bool = False
    ) -> Iterator[tuple[int, Entry, str]]:
        """Yield (position, entry, json) of this run's sources that have ended, in order.

        Args:
            position: the first one.
            past_pending: go on behind one that has not ended; stop there else.
        """
        rows = self._connection.execute(
            f"SELECT position, json, {COLUMNS} FROM file LEFT JOIN report ON report.file = file.id"
            " WHERE run = ? AND position >= ? ORDER BY position",
            (self.run, position),
        )
        for number, json, *row in rows:
            entry = _entry(tuple(row))
            if entry.state not in {State.RUNNING, State.PENDING}:
                yield number, entry, json
            elif not past_pending:
                break

    def entries(
        self, states: Sequence[str] = (), *, reports: bool = False
    ) -> Iterator[tuple[Entry, str | None]]:
        """Yield (entry, json) in the order of finding; all, or those in some states."""
        marks = ", ".join("?" * len(states))
        json = "(SELECT json FROM report WHERE report.file = file.id)" if reports else "NULL"
        where = f"WHERE state IN ({marks})" if states else ""
        rows = self._connection.execute(
            f"SELECT {json}, {COLUMNS} FROM file {where} ORDER BY id", tuple(states)
        )
        for text, *row in rows:
            yield _entry(tuple(row)), text

    def totals(self) -> list[tuple[str, str | None, str | None, int, int, int]]:
        """Return rows (state, action, error code, sources, bytes before, bytes after)."""
        return self._connection.execute(
            "SELECT state, action, error_code, count(*), total(source_size), total(target_size)"
            " FROM file GROUP BY state, action, error_code ORDER BY state, action, error_code"
        ).fetchall()


def _entry(row: tuple[Any, ...]) -> Entry:
    values = [restored(value) for value in row]
    values[2] = State(values[2])
    return Entry(*values)


def _locked(path: str) -> IO[bytes]:
    """Keep other writers out until the file that is returned is closed, or this process ends."""
    name = Path(f"{path}-lock")
    while True:
        try:
            lock = name.open("wb")
        except OSError as cause:
            raise TargetUnavailableError(
                f"the ledger cannot be made: {cause.strerror}", path=path, hint="--ledger FILE"
            ) from cause
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock.fileno()), name.stat()):
                return lock
        except BlockingIOError as cause:
            lock.close()
            raise InvalidOptionError(
                "another process is using the ledger", path=path, hint="--ledger names another one"
            ) from cause
        except FileNotFoundError:
            pass  # whoever had it before has removed it meanwhile
        lock.close()
