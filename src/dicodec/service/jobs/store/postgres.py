"""A job store in PostgreSQL, which workers and services of many machines share.

One transaction writes at a time, as in SQLite: an advisory lock orders them. So events are numbered
in the order in which they can be seen, and counts by state never deadlock. Time is the server's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from itertools import batched
from os import fsencode
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from dicodec.errors import (
    DiskFullError,
    InvalidOptionError,
    TargetUnavailableError,
    UnsupportedTargetError,
)
from dicodec.model.installation import describe_extra
from dicodec.service.jobs.store.database import HOME_INDEXES, Statement

try:
    import psycopg
except ImportError as cause:
    raise UnsupportedTargetError(
        "a store in PostgreSQL needs a package that is not installed",
        hint=describe_extra("postgres"),
    ) from cause

if TYPE_CHECKING:
    from psycopg import Connection

_VERSION = 1
_AT_ONCE = 200
"""Statements that the server is sent in one message."""

_CONNECT_SECONDS = 10
_IDLE_SECONDS = 5
"""How long a transaction may wait for its client: one that stands still would keep all others out.

The server ends it, and the client has to do without. If its machine is lost, TCP says so."""

_SESSION = {
    "idle_in_transaction_session_timeout": f"{_IDLE_SECONDS}s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

_POLL_SECONDS = 2.0
"""Jobs are announced, but for those that become due, or whose lease ends, by themselves."""

_SCHEMA = """
CREATE TABLE store (version INTEGER NOT NULL);
CREATE TABLE job (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- in the order of arrival
    id TEXT NOT NULL UNIQUE,
    request TEXT NOT NULL,
    source TEXT NOT NULL,
    tenant TEXT,
    trace TEXT,
    home TEXT,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    not_before DOUBLE PRECISION NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    lease DOUBLE PRECISION,
    cancelled INTEGER NOT NULL DEFAULT 0,
    began DOUBLE PRECISION,
    created DOUBLE PRECISION NOT NULL,
    started DOUBLE PRECISION,
    finished DOUBLE PRECISION,
    frames BIGINT,
    frames_done BIGINT,
    source_size BIGINT,
    target_size BIGINT,
    action TEXT,
    error_code TEXT,
    error_text TEXT,
    seconds DOUBLE PRECISION,
    target BYTEA,               -- a file's name, which may not be text
    result TEXT,
    history TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX waiting ON job (priority DESC, number) WHERE state = 'pending';
CREATE INDEX leased ON job (lease) WHERE state = 'running';
CREATE INDEX by_state ON job (state, number);
CREATE INDEX by_cause ON job (error_code, number) WHERE error_code IS NOT NULL;
CREATE TABLE event (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job TEXT NOT NULL,
    json TEXT NOT NULL
);
CREATE TABLE tally (
    state TEXT NOT NULL,
    cause TEXT NOT NULL,
    jobs BIGINT NOT NULL,
    source_bytes BIGINT NOT NULL,
    target_bytes BIGINT NOT NULL,
    PRIMARY KEY (state, cause)
);
CREATE FUNCTION count_job() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE tally SET jobs = jobs - 1,
            source_bytes = source_bytes - coalesce(old.source_size, 0),
            target_bytes = target_bytes - coalesce(old.target_size, 0)
            WHERE state = old.state AND cause = coalesce(old.error_code, '');
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO tally AS known VALUES (new.state, coalesce(new.error_code, ''), 1,
            coalesce(new.source_size, 0), coalesce(new.target_size, 0))
            ON CONFLICT (state, cause) DO UPDATE SET jobs = known.jobs + 1,
            source_bytes = known.source_bytes + excluded.source_bytes,
            target_bytes = known.target_bytes + excluded.target_bytes;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER job_counted AFTER INSERT OR DELETE OR
    UPDATE OF state, error_code, source_size, target_size ON job
    FOR EACH ROW EXECUTE FUNCTION count_job();
"""


class PostgresDatabase:
    """A job store's database on a PostgreSQL server: see `StoreDatabase`.

    A connection that broke is opened anew at the next use. A transaction whose answer was lost
    raises an error, though it may have been committed.

    Args:
        url: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with the parameters of libpq, and
            `schema=NAME` for the schema of the store's tables (default: dicodec).
        clock: returns the time in seconds since 1970; None for the server's clock.

    Raises:
        InvalidOptionError: the URL is wrong, or the tables are of a newer dicodec.
        TargetUnavailableError: the server cannot be reached.
        UnsupportedTargetError: psycopg is not installed.
    """

    contains = "strpos({}, ?) > 0"
    waiting_hint = ""
    fails_alone = True
    poll_seconds = _POLL_SECONDS

    def __init__(self, url: str, clock: Callable[[], float] | None = None) -> None:
        self._dsn, self._schema = _parse_url(url)
        self.place = hide_password(url)
        self.lock = threading.RLock()
        self._clock = clock
        self._connection: Connection[Any] | None = None
        self._writing = False
        self._closed = threading.Event()
        # Of 64 bits, as an advisory lock has; one for each schema.
        digest = blake2b(self._schema.encode(), digest_size=8, person=b"dicodec").digest()
        self._key = int.from_bytes(digest, signed=True)
        self._channel = f"dicodec_{digest.hex()}"
        with self._translate_errors():
            self._make_tables()

    def close(self) -> None:
        """Close the connections."""
        self._closed.set()
        with self.lock:
            self._drop()

    def query(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement: see `StoreDatabase`."""
        with self.lock, self._translate_errors():
            return self._run(text, values).fetchall()

    def execute(self, text: str, values: Sequence[Any] = ()) -> int:
        """Carry out a statement, and return the number of rows: see `StoreDatabase`."""
        with self.lock, self._translate_errors():
            return self._run(text, values).rowcount

    def execute_all(self, statements: Iterable[Statement]) -> list[int]:
        """Carry out statements, and return the numbers of rows: see `StoreDatabase`."""
        counts: list[int] = []
        with self.lock, self._translate_errors():
            for some in batched(statements, _AT_ONCE):
                cursor = psycopg.ClientCursor(self._open())
                texts = [
                    cursor.mogrify(text.replace("?", "%s"), values or None) for text, values in some
                ]
                cursor.execute("; ".join(texts))
                counts.append(cursor.rowcount)
                while cursor.nextset():
                    counts.append(cursor.rowcount)
        return counts

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[float]:
        """Begin a transaction that writes: see `StoreDatabase`."""
        with self.lock, self._translate_errors():
            begin = "BEGIN" if durable else "BEGIN; SET LOCAL synchronous_commit = off"
            try:
                started = self._run(
                    f"{begin}; SELECT pg_advisory_xact_lock(?),"
                    " extract(epoch FROM clock_timestamp())::float8",
                    (self._key,),
                )
                while started.nextset():
                    pass
                ((_, now),) = started.fetchall()
                self._writing = True
                yield now if self._clock is None else self._clock()
                self._run("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._writing = False

    def _roll_back(self) -> None:
        if self._connection is not None and not self._connection.closed:
            try:
                self._connection.execute("ROLLBACK")
            except psycopg.Error:
                self._drop()

    def index_homes(self) -> str:
        """Make the indexes of homes and traces: see `StoreDatabase`."""
        with self.write():
            for text in HOME_INDEXES:
                self.execute(text)
        return ""

    def read_clock(self) -> float:
        """Return the time on the server's clock."""
        if self._clock is not None:
            return self._clock()
        ((now,),) = self.query("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(now)

    def encode_name(self, name: str | None) -> str | bytes | None:
        """Return a file's name as bytes: see `StoreDatabase`."""
        return None if name is None else fsencode(name)

    def announce(self) -> None:
        """Tell all that listen that jobs are due: see `StoreDatabase`."""
        self._run("SELECT pg_notify(?, '')", (self._channel,))

    def listen(self, hear: Callable[[], None]) -> None:
        """Have a function called for each announcement: see `StoreDatabase`."""
        threading.Thread(
            target=self._listen, args=(hear,), name="dicodec-listen", daemon=True
        ).start()

    def _listen(self, hear: Callable[[], None]) -> None:
        while not self._closed.is_set():
            with suppress(psycopg.Error), self._connect() as connection:
                connection.execute(f"LISTEN {self._channel}")
                hear()  # what was announced before
                while not self._closed.is_set():
                    for _ in connection.notifies(timeout=0.5, stop_after=1):
                        hear()
            self._closed.wait(1)

    # The connection.

    def _run(self, text: str, values: Sequence[Any] = ()) -> psycopg.Cursor[Any]:
        """Carry out a statement; one that only reads is tried again if the connection was broken.

        One that writes is not, because it may have been done, and neither is a transaction's.
        """
        try:
            return self._open().execute(text.replace("?", "%s"), values or None)
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError):
            if self._connection is not None and not self._connection.closed:
                raise
            self._drop()
            if self._writing or not text.startswith(("SELECT", "BEGIN")):
                raise
            return self._open().execute(text.replace("?", "%s"), values or None)

    def _open(self) -> Connection[Any]:
        if self._connection is None:
            if self._writing:  # a statement outside of its transaction would be another one
                raise psycopg.OperationalError("the connection broke within a transaction")
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Connection[Any]:
        return connect(self._dsn, self._schema)

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _make_tables(self) -> None:
        """Make the tables, if they are missing; bring older ones up to date."""
        with connect(self._dsn, "pg_catalog") as connection:
            execute = connection.execute
            execute("BEGIN")
            execute("SELECT pg_advisory_xact_lock(%s)", (self._key,))
            execute(f"CREATE SCHEMA IF NOT EXISTS {_quote(self._schema)}")
            execute(f"SET LOCAL search_path = {_quote(self._schema)}")
            if execute("SELECT to_regclass('store')").fetchone() == (None,):
                execute(_SCHEMA)
                execute("INSERT INTO store VALUES (%s)", (_VERSION,))
            ((version,),) = execute("SELECT version FROM store").fetchall()
            if version != _VERSION:
                raise InvalidOptionError(
                    f"the job store is of version {version}, and this dicodec knows {_VERSION}",
                    path=self.place,
                    hint="a newer dicodec made it",
                )
            execute("COMMIT")

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Turn errors of a server that is full or away into ours; those of a value pass."""
        try:
            yield
        except psycopg.errors.DiskFull as cause:
            raise DiskFullError("no room is left for the job store", path=self.place) from cause
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError) as cause:
            raise make_unavailable(self.place, cause) from cause


def connect(dsn: str, schema: str) -> Connection[Any]:
    """Open a connection whose tables are those of a schema.

    Values are put into statements on this side, because the server cannot always tell their types.
    """
    settings = {"search_path": _quote(schema), **_SESSION}
    return psycopg.connect(
        dsn,
        autocommit=True,
        connect_timeout=_CONNECT_SECONDS,
        options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
        cursor_factory=psycopg.ClientCursor,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )


def make_unavailable(place: str, cause: Exception) -> TargetUnavailableError:
    """Return the error of a server that cannot be used; its words may name hosts, no passwords."""
    text = str(cause).strip().splitlines()
    return TargetUnavailableError(
        f"the job store cannot be used: {text[0] if text else type(cause).__name__}", path=place
    )


def hide_password(url: str) -> str:
    """Return a URL for people: without password and parameters."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username else ""
    return urlunsplit((parts.scheme, user + host, parts.path, "", ""))


def _parse_url(url: str) -> tuple[str, str]:
    """Return the URL for libpq, and the schema, which is a parameter of ours."""
    try:
        parts = urlsplit(url)
    except ValueError as cause:  # "[" without "]"
        raise InvalidOptionError(f"the URL of the store is wrong: {cause}") from cause
    given = parse_qsl(parts.query, keep_blank_values=True)
    schemas = [value for name, value in given if name == "schema"] or ["dicodec"]
    if len(schemas) > 1 or not schemas[0].isidentifier() or len(schemas[0]) > 63:
        raise InvalidOptionError(f"schema={schemas[0]} is no name of a schema")
    rest = urlencode([(name, value) for name, value in given if name != "schema"])
    dsn = urlunsplit(("postgresql", parts.netloc, parts.path, rest, ""))
    try:
        psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as cause:
        raise InvalidOptionError(f"the URL of the store is wrong: {cause}") from cause
    return dsn, schemas[0]


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


_kept: dict[str, PostgresDatabase] = {}
_kept_lock = threading.Lock()


def ask(url: str, text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a query, over a connection that is kept until this process ends.

    Raises:
        TargetUnavailableError: the server cannot be asked.
    """
    with _kept_lock:
        if url not in _kept:
            _kept[url] = PostgresDatabase(url)
        return _kept[url].query(text, values)
