"""The ledger of a batch: one SQLite file with the state of each source.

A source is `running` before its work begins, so the ledger names the sources that a killed run had
begun. Its outcome is written soon after it ends, many outcomes at a time. Sources are in the order
in which a run found them, whatever order they were converted in.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby

from dicodec.batch.ledger.ledger_lock import LedgerLock
from dicodec.batch.ledger.proofs import Proofs
from dicodec.batch.ledger.references import References
from dicodec.batch.ledger.sqlite_file import (
    Database,
    DatabaseFormat,
    decode_value,
    encode_text,
    open_database,
)
from dicodec.batch.ledger.tables import (
    APPLICATION,
    BEGIN,
    COLUMNS,
    END,
    OUTCOME_COLUMNS,
    SCHEMA,
    VERSION,
    FileOutcome,
    LedgerEntry,
    StartedFile,
    State,
)
from dicodec.batch.ledger.totals import By, Total, make_query, make_total
from dicodec.errors import DicodecError, InvalidOptionError, ReadError, WriteError

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, Self

_FORMAT = DatabaseFormat("ledger", APPLICATION, VERSION, SCHEMA)

_COMMIT_SECONDS, _COMMIT_ENTRIES = 0.5, 1000
"""How long, and how many, outcomes are held before they are written."""


class Ledger:
    """An open ledger. One process writes; any number may read meanwhile.

    Every method raises a WriteError if SQLite cannot do what it asks for, such as on a full disk;
    a ReadError if the ledger is not open for writing.

    Args:
        path: its file; "" for a temporary ledger that is gone with this object.
        writing: whether to make a missing ledger, and to keep other writers out.

    Attributes:
        references: which results refer to which instances, if that is kept.
        proofs: what a manifest says of results, if that is kept.
        run: number of the run that writes; 0 before it starts.

    Raises:
        InvalidOptionError: the file is missing, is not a ledger, or another process writes it.
        TargetUnavailableError: the ledger cannot be made there.
    """

    def __init__(self, path: str, *, writing: bool) -> None:
        self.path = path
        self._lock: LedgerLock | None = None
        self._outcomes: list[dict[str, Any]] = []
        self._reports: list[tuple[str, Any]] = []
        self._committed = time.monotonic()
        self.run = 0
        if path and writing:
            self._lock = LedgerLock(path)
        elif path:
            _check_there(path)
        try:
            connection = open_database(path, _FORMAT, create=writing)
        except DicodecError:
            self._unlock()
            raise
        self._database = Database(connection, _FORMAT, path, WriteError if writing else ReadError)
        self.references = References(self._database, self.flush)
        try:
            self.proofs = Proofs(self._database, self.flush)
        except DicodecError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write all held outcomes, and close."""
        try:
            if self.run:
                self.flush()
        finally:
            self._database.close()
            self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()

    # Writing.

    def take_over(self, path: str) -> None:
        """Copy another ledger's content, if there is such a file; that file does not change.

        Raises:
            InvalidOptionError: the file is not a ledger.
        """
        if path and os.path.isdir(path):  # noqa: PTH112 - it never raises
            raise InvalidOptionError("the ledger is a folder", path=path, hint="--ledger FILE")
        if os.path.isfile(path):  # noqa: PTH113 - it never raises
            with Ledger(path, writing=False) as other:
                self._database.copy_from(other._database)

    def merge(self, path: str) -> bool:
        """Add the content of a shard's ledger, which does not change.

        Returns:
            Whether its last run has ended.

        Raises:
            InvalidOptionError: the file is missing, or is not a ledger.
            WriteError: this ledger cannot be written, or the other one cannot be read.
        """
        with Ledger(path, writing=False) as shard:
            ended = shard._database.execute(
                "SELECT ended IS NOT NULL FROM run ORDER BY number DESC LIMIT 1"
            ).fetchone()
        from dicodec.batch.ledger.merge import copy_ledger

        copy_ledger(path, self._database)
        return bool(ended and ended[0])

    def read_collisions(self) -> Iterator[tuple[str, list[str]]]:
        """Yield (target, sources) of results that several sources claim to have written."""
        rows = self._database.execute(
            "SELECT target, source FROM file WHERE state = 'done' AND target IN"
            " (SELECT target FROM file WHERE state = 'done' GROUP BY target HAVING count(*) > 1)"
            " ORDER BY target, id"
        )
        for target, found in groupby(rows, key=lambda row: row[0]):
            yield decode_value(target), [decode_value(source) for _, source in found]

    def start(self, options: str, arguments: str) -> int:
        """Begin a run and return its number.

        Sources that an earlier run could not list are forgotten, because this run lists again.

        Args:
            options: digest of the options that decide the results.
            arguments: command line of the run, for people.
        """
        self._database.execute(
            "DELETE FROM file WHERE state = 'failed' AND source_modified IS NULL"
        )
        self.run = self._database.execute(
            "INSERT INTO run (options, arguments, started) VALUES (?, ?, ?) RETURNING number",
            (options, encode_text(arguments), time.time()),
        ).fetchone()[0]
        return self.run

    def begin(self, sources: Sequence[StartedFile]) -> None:
        """Enter sources as running, and write all held outcomes before returning."""
        rows = [
            (
                encode_text(one.source),
                encode_text(one.target),
                self.run,
                one.position,
                one.source_size,
                one.source_modified,
            )
            for one in sources
        ]
        self._write(rows)

    def end(self, source: str, outcome: FileOutcome) -> None:
        """Enter the outcome of a source; it is written soon, with others."""
        values: dict[str, Any] = {name: getattr(outcome, name) for name in OUTCOME_COLUMNS}
        for name, value in values.items():
            if isinstance(value, str):
                values[name] = encode_text(value)
        key = encode_text(source)
        values |= {"source": key, "finished": time.time()}
        self._outcomes.append(values)
        self._reports.append((outcome.json, key))
        self.references.hold(key, outcome)
        self.proofs.hold(key, outcome)
        held = len(self._outcomes)
        if held >= _COMMIT_ENTRIES or time.monotonic() - self._committed > _COMMIT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write all held outcomes."""
        self._write([])

    def _write(self, begun: list[tuple[Any, ...]]) -> None:
        execute = self._database.executemany
        try:
            self._database.execute("BEGIN IMMEDIATE")
            if self._outcomes:
                execute(END, self._outcomes)
                execute(
                    "INSERT OR REPLACE INTO report (file, json)"
                    " SELECT id, ? FROM file WHERE source = ?",
                    self._reports,
                )
            self.references.write()
            self.proofs.write()
            execute(BEGIN, begun)
            self._database.execute("COMMIT")
        finally:
            self._database.end_transaction()  # otherwise the next one could not begin
        self._outcomes.clear()
        self._reports.clear()
        self.references.let_go()
        self.proofs.let_go()
        self._committed = time.monotonic()

    def count_case_collisions(self) -> int:
        """Return how many results of this run have paths that are others' but for case."""
        self.flush()
        count: int = self._database.execute(
            "SELECT ifnull(sum(paths - 1), 0) FROM"
            " (SELECT count(DISTINCT target) AS paths FROM file"
            " WHERE run = ? AND target IS NOT NULL GROUP BY lower(target) HAVING paths > 1)",
            (self.run,),
        ).fetchone()[0]
        return count

    def enter_replaced(self, source: str, digest: str, version: tuple[int, int] | None) -> None:
        """Enter that a source was replaced although it is not converted.

        Args:
            source: the source.
            digest: its SHA-256.
            version: size of what replaced it, and the time of its last change; None if unknown.
        """
        self._database.execute(
            "UPDATE file SET source_digest = ?, target_size = ?, target_modified = ?"
            " WHERE source = ?",
            (digest, *(version or (None, None)), encode_text(source)),
        )

    def enter_restored(self, sources: Iterable[str]) -> None:
        """Enter that the originals of results are back in their places."""
        self._database.executemany(
            "UPDATE file SET state = 'restored', target_size = NULL, target_modified = NULL"
            " WHERE source = ?",
            [(encode_text(source),) for source in sources],
        )

    def give_back(self, sources: Iterable[str]) -> None:
        """Enter sources as pending: their conversion was not started, or was abandoned."""
        self._database.executemany(
            "UPDATE file SET state = 'pending' WHERE source = ?",
            [(encode_text(source),) for source in sources],
        )

    def finish(self) -> None:
        """Enter that the run ended without an interruption."""
        self.flush()
        self._database.execute("UPDATE run SET ended = ? WHERE number = ?", (time.time(), self.run))

    # Reading.

    def find(self, source: str) -> LedgerEntry | None:
        """Return the entry of a source; None if there is none."""
        row = self._database.execute(
            f"SELECT {COLUMNS} FROM file WHERE source = ?", (encode_text(source),)
        ).fetchone()
        return None if row is None else _make_entry(row)

    def find_report(self, source: str, states: Collection[State]) -> str | None:
        """Return the report of a source, as JSON, if it is in one of some states; else None."""
        marks = ", ".join("?" * len(states))
        row = self._database.execute(
            "SELECT json FROM report JOIN file ON report.file = file.id"
            f" WHERE source = ? AND state IN ({marks})",
            (encode_text(source), *states),
        ).fetchone()
        return None if row is None else str(row[0])

    def read_directories(self, *, earlier: bool) -> Iterator[tuple[str, str]]:
        """Yield (source, target) of DICOMDIRs: found and passed over, or named and converted.

        Args:
            earlier: whether those of earlier runs count.
        """
        from dicodec.batch.sources.recognition import DICOMDIR

        self.flush()
        rows = self._database.execute(
            "SELECT source, target FROM file WHERE (state = 'skipped' AND error_code = ?"
            " OR state IN ('done', 'left alone') AND source LIKE '%/DICOMDIR')"
            " AND target IS NOT NULL AND (? OR run = ?) ORDER BY id",
            (DICOMDIR, earlier, self.run),
        ).fetchall()
        for source, target in rows:
            yield decode_value(source), decode_value(target)

    def find_by_target(self, target: str, besides: str) -> LedgerEntry | None:
        """Return another source with this target, of this run or converted by an earlier one."""
        self._database.execute(
            "CREATE INDEX IF NOT EXISTS by_target ON file (target) WHERE target IS NOT NULL"
        )
        row = self._database.execute(
            f"SELECT {COLUMNS} FROM file WHERE target = ? AND source <> ?"
            " AND (run = ? OR state IN ('done', 'left alone')) ORDER BY run DESC LIMIT 1",
            (encode_text(target), encode_text(besides), self.run),
        ).fetchone()
        return None if row is None else _make_entry(row)

    def claim(self, source: str, target: str) -> None:
        """Enter the target of a source that is running."""
        self._database.execute(
            "UPDATE file SET target = ? WHERE source = ?",
            (encode_text(target), encode_text(source)),
        )

    def read_run_options(self) -> dict[int, str]:
        """Return the options' digest of each run."""
        return dict(self._database.execute("SELECT number, options FROM run"))

    def read_ended(
        self, position: int, *, past_pending: bool = False
    ) -> Iterator[tuple[int, str, State, str]]:
        """Yield (position, source, state, json) of this run's ended sources, in order.

        Args:
            position: of the first source, from 0.
            past_pending: whether to go on after a source that has not ended, instead of stopping.
        """
        rows = self._database.execute(
            "SELECT position, source, state, json FROM file"
            " LEFT JOIN report ON report.file = file.id"
            " WHERE run = ? AND position >= ? ORDER BY position",
            (self.run, position),
        )
        for number, source, state, json in rows:
            if state not in {State.RUNNING, State.PENDING}:
                yield number, decode_value(source), State(state), json
            elif not past_pending:
                break

    def read_entries(
        self, states: Sequence[str] = (), *, reports: bool = False
    ) -> Iterator[tuple[LedgerEntry, str | None]]:
        """Yield (entry, report as JSON or None) in the order of finding.

        Args:
            states: only entries in these states; empty for all.
            reports: whether to read the reports too.
        """
        marks = ", ".join("?" * len(states))
        json = "(SELECT json FROM report WHERE report.file = file.id)" if reports else "NULL"
        where = f"WHERE state IN ({marks})" if states else ""
        rows = self._database.execute(
            f"SELECT {json}, {COLUMNS} FROM file {where} ORDER BY id", tuple(states)
        )
        for text, *row in rows:
            yield _make_entry(tuple(row)), text

    def read_totals(self) -> list[tuple[str, str | None, str | None, int, int, int]]:
        """Return rows (state, action, error code, sources, bytes before, bytes after)."""
        return self._database.execute(
            "SELECT state, action, error_code, count(*), total(source_size), total(target_size)"
            " FROM file GROUP BY state, action, error_code ORDER BY state, action, error_code"
        ).fetchall()

    def read_totals_by(self, by: By, states: Sequence[str] = ()) -> list[Total]:
        """Return totals by a property of the files.

        Args:
            by: the property.
            states: only files in these states; empty for all.
        """
        rows = self._database.execute(make_query(by, len(states)), tuple(states))
        return [make_total(by, row) for row in rows]

    def read_runs(self) -> list[tuple[str, float, float | None]]:
        """Return (arguments, start, end or None) of each run, in seconds since 1970."""
        rows = self._database.execute("SELECT arguments, started, ended FROM run ORDER BY number")
        return [(decode_value(arguments), *times) for arguments, *times in rows]


def _make_entry(row: tuple[Any, ...]) -> LedgerEntry:
    values = [decode_value(value) for value in row]
    values[2] = State(values[2])
    return LedgerEntry(*values)


def _check_there(path: str) -> None:
    """Check that there is a file to be read.

    Raises:
        InvalidOptionError: there is none, or nobody may look whether there is.
    """
    try:
        if stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a path object costs more
            return
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as cause:
        text = cause.strerror if isinstance(cause, OSError) else str(cause)
        raise InvalidOptionError(f"the ledger cannot be read: {text}", path=path) from cause
    raise InvalidOptionError(
        "there is no ledger",
        path=path,
        hint="a batch makes one in its OUTPUT, or where --ledger says",
    )
