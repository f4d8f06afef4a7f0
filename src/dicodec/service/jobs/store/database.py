"""The interface of a job store's database: one writer at a time, whichever machine it is on.

The statements of a store are the same for every database; the differences are here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

POSTGRES_SCHEMES = ("postgresql://", "postgres://")


type Statement = tuple[str, Sequence[Any]]
"""The text of a statement, and its values."""


class StoreDatabase(Protocol):
    """An open database; any thread may use it, one at a time.

    Attributes:
        place: its path, or its URL without the password, for errors.
        lock: held by the thread that uses it; a thread may take it again.
        contains: condition that one text contains another: `{}` is the column, `?` the other text.
        waiting_hint: follows the table's name in a query of the waiting jobs.
        fails_alone: whether it can crash and lose facts that its clients and their brokers know.
        poll_seconds: how often to look for rows that another process has added.
    """

    place: str
    lock: threading.RLock
    contains: str
    waiting_hint: str
    fails_alone: bool
    poll_seconds: float

    def query(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement; a `?` stands for each value.

        Raises:
            DiskFullError: no room is left.
            TargetUnavailableError: the database is damaged or away.
        """
        ...

    def execute(self, text: str, values: Sequence[Any] = ()) -> int:
        """Carry out a statement, and return the number of rows that it changed; see `query`."""
        ...

    def execute_all(self, statements: Iterable[Statement]) -> list[int]:
        """Carry out statements in their order, and return the number of rows that each changed.

        It is for many: a server is asked once for some hundred of them.
        """
        ...

    def write(self, *, durable: bool = False) -> AbstractContextManager[float]:
        """Begin a transaction that writes, alone; its end commits it, an error takes it back.

        Args:
            durable: whether it survives a power cut once it is committed.

        Returns:
            A context that gives the time, in seconds since 1970, on one clock for all.
        """
        ...

    def index_homes(self) -> str:
        """Make the indexes that jobs of one home, and traces, are found by, if they are missing.

        Returns:
            Follows the table's name in a query of the waiting jobs of one home.
        """
        ...

    def read_clock(self) -> float:
        """Return the time, in seconds since 1970."""
        ...

    def encode_name(self, name: str | None) -> str | bytes | None:
        """Return a file's name as a column can hold it, though it may not be text."""
        ...

    def announce(self) -> None:
        """Tell all that listen, once this transaction is committed, that jobs are due."""
        ...

    def listen(self, hear: Callable[[], None]) -> None:
        """Have a function called, in another thread, for each announcement, if that is possible."""
        ...

    def close(self) -> None:
        """Close the database."""
        ...


HOME_INDEXES = (
    (
        "CREATE INDEX IF NOT EXISTS waiting_at_home ON job (home, priority DESC, number)"
        " WHERE state = 'pending'"
    ),
    "CREATE INDEX IF NOT EXISTS by_trace ON job (trace) WHERE trace IS NOT NULL",
)
"""Without the first one, each look for jobs passes all that wait for others."""


def is_postgres(place: str) -> bool:
    """Return whether the place of a store is the URL of a PostgreSQL database."""
    return place.startswith(POSTGRES_SCHEMES)
