"""Open the SQLite files of ledgers and job stores, and encode names for them."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from dicodec.errors import DicodecError, InvalidOptionError, TargetUnavailableError
from dicodec.model.records import dataclass, field
from dicodec.part10.beneath import open_private

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_BUSY_SECONDS = 30
"""How long a statement waits for other connections."""

_APPLICATION_PLACE = 68
"""Offset of the application's number in a file of SQLite."""

_PAGE_SIZE = 8192
_CHECKPOINT_PAGES = 4000


@dataclass(frozen=True, slots=True)
class DatabaseFormat:
    """One kind of SQLite file.

    Attributes:
        name: the kind in words, for errors: "ledger".
        application: number that the schema puts into the header of a file (PRAGMA
            application_id); a file with another one is refused.
        version: number of the tables' version there (PRAGMA user_version).
        schema: SQL script that makes the tables and sets both numbers.
        migrations: by version, the SQL script that brings a file of it to the next one.
    """

    name: str
    application: int
    version: int
    schema: str
    migrations: Mapping[int, str] = field(default_factory=dict)

    def begins(self, head: bytes) -> bool:
        """Return whether a file with these first bytes is of this kind, or has none so far."""
        number = head[_APPLICATION_PLACE : _APPLICATION_PLACE + 4]
        return not head or int.from_bytes(number, "big") == self.application


class Rows:
    """The rows of a statement; reading them raises only our errors.

    Args:
        cursor: of the statement.
        translate: returns the error that takes the place of one of SQLite.
    """

    def __init__(
        self, cursor: sqlite3.Cursor, translate: Callable[[sqlite3.Error], DicodecError]
    ) -> None:
        self._cursor = cursor
        self._translate = translate

    def __iter__(self) -> Iterator[Any]:
        try:
            # `yield from` would close the cursor with this generator, maybe after the database.
            for row in self._cursor:  # noqa: UP028
                yield row
        except sqlite3.Error as cause:
            raise self._translate(cause) from cause

    def fetchone(self) -> Any:
        """Return the next row; None if there is none."""
        return next(iter(self), None)

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        return list(self)


class Database:
    """A connection to an SQLite file whose statements raise only our errors.

    Args:
        connection: to the file, in autocommit mode; it is closed with this object.
        form: kind of the file.
        path: of the file, for errors; "" for a temporary one.
        error: class of the errors, which all methods raise.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        form: DatabaseFormat,
        path: str,
        error: type[DicodecError],
    ) -> None:
        self.connection = connection
        self._form = form
        self._path = path
        self._error = error

    def execute(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Rows:
        """Carry out a statement, and return its rows."""
        try:
            return Rows(self.connection.execute(statement, values), self._translate)
        except sqlite3.Error as cause:
            raise self._translate(cause) from cause

    def executemany(self, statement: str, values: Iterable[Any]) -> None:
        """Carry out a statement once for each of some tuples or mappings of values."""
        try:
            self.connection.executemany(statement, values)
        except sqlite3.Error as cause:
            raise self._translate(cause) from cause

    def executescript(self, script: str) -> None:
        """Carry out several statements."""
        try:
            self.connection.executescript(script)
        except sqlite3.Error as cause:
            raise self._translate(cause) from cause

    def copy_from(self, other: Database) -> None:
        """Replace the content by that of another database."""
        try:
            other.connection.backup(self.connection)
        except sqlite3.Error as cause:
            raise self._translate(cause) from cause

    def end_transaction(self) -> None:
        """Undo what was done in a transaction that is not committed; do nothing without one."""
        if self.connection.in_transaction:
            self.connection.rollback()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _translate(self, cause: sqlite3.Error) -> DicodecError:
        return self._error(f"the {self._form.name}: {cause}", path=self._path or None)


def open_database(
    path: str, form: DatabaseFormat, *, create: bool, check_same_thread: bool = True
) -> sqlite3.Connection:
    """Open a database, in autocommit mode.

    Committed rows survive a killed process; a power cut may lose the last moments.

    Args:
        path: its file; "" for a temporary database.
        form: its kind.
        create: whether to make the tables of a file that is missing or empty.
        check_same_thread: whether only the calling thread may use the connection.

    Raises:
        InvalidOptionError: the file is another kind of file, or of a version that is not known.
        TargetUnavailableError: the file cannot be made or opened.
    """
    connection: sqlite3.Connection | None = None
    try:
        if path and create:
            _make_private(path, form)
        connection = sqlite3.connect(
            path,
            isolation_level=None,
            timeout=_BUSY_SECONDS,
            check_same_thread=check_same_thread,
        )
        _prepare(connection, path, form, create=create)
    except sqlite3.OperationalError as cause:
        _close(connection)
        raise TargetUnavailableError(f"the {form.name}: {cause}", path=path) from cause
    except sqlite3.DatabaseError as cause:
        _close(connection)
        raise InvalidOptionError(f"not a {form.name} of dicodec: {cause}", path=path) from cause
    except InvalidOptionError:
        _close(connection)
        raise
    return connection


def _make_private(path: str, form: DatabaseFormat) -> None:
    """Make the file, or see that only its owner may use it; links planted there are refused."""
    try:
        open_private(path, is_ours=form.begins).close()
        for suffix in ("-wal", "-shm", "-journal"):  # the file's mode is theirs, too
            if os.path.islink(path + suffix):  # noqa: PTH114 - a path object costs more
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    except OSError as cause:
        raise TargetUnavailableError(
            f"the {form.name} cannot be opened: {cause.strerror}", path=path
        ) from cause


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        connection.close()


def _prepare(
    connection: sqlite3.Connection, path: str, form: DatabaseFormat, *, create: bool
) -> None:
    execute = connection.execute
    if create and not _has_tables(connection):
        execute(f"PRAGMA page_size = {_PAGE_SIZE}")
        execute("PRAGMA journal_mode = WAL")
        execute("BEGIN IMMEDIATE")  # all or nothing: a process may be killed here as anywhere
        if not _has_tables(connection):  # another process may have made them meanwhile
            for statement in _split_statements(form.schema):
                execute(statement)
        execute("COMMIT")
    (application,) = execute("PRAGMA application_id").fetchone()
    if application != form.application:
        raise InvalidOptionError(f"not a {form.name} of dicodec", path=path)
    if _read_version(connection) != form.version:
        _migrate(connection, path, form)
    execute("PRAGMA synchronous = NORMAL")
    execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")


def _read_version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _migrate(connection: sqlite3.Connection, path: str, form: DatabaseFormat) -> None:
    """Bring a file of an older version up to date, a version at a time; refuse a newer one."""
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have done it meanwhile.
    while (version := _read_version(connection)) != form.version:
        if version not in form.migrations:
            raise InvalidOptionError(
                f"the {form.name} is of version {version}, and this dicodec knows {form.version}",
                path=path,
                hint="a newer dicodec made it",
            )
        for statement in _split_statements(form.migrations[version]):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version + 1}")
    connection.execute("COMMIT")


def _has_tables(connection: sqlite3.Connection) -> bool:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return bool(tables)


def _split_statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; `executescript` would end the transaction."""
    held = ""
    for line in script.splitlines(keepends=True):
        held += line
        if sqlite3.complete_statement(held):
            yield held
            held = ""


def encode_text(text: str | None) -> str | bytes | None:
    """Return a text as SQLite can hold it: a file name that is not text becomes its bytes."""
    if text is None or text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def decode_value(value: Any) -> Any:
    """Return a value of a row as it was before `encode_text`."""
    return os.fsdecode(value) if isinstance(value, bytes) else value
