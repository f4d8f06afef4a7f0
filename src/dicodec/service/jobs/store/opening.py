"""Open the database of a job store: a file, or one on a server."""

from __future__ import annotations

from collections.abc import Callable

from dicodec.service.jobs.store.database import StoreDatabase, is_postgres


def open_store_database(place: str, clock: Callable[[], float] | None) -> StoreDatabase:
    """Open the database of a store, which is made if it is missing.

    Args:
        place: path of a file, or URL of PostgreSQL.
        clock: returns the time; None for the computer's, or for the server's.

    Raises:
        InvalidOptionError: it is no job store.
        TargetUnavailableError: it cannot be made or opened.
    """
    if is_postgres(place):
        from dicodec.service.jobs.store.postgres import PostgresDatabase

        return PostgresDatabase(place, clock)
    from dicodec.service.jobs.store.sqlite import SqliteDatabase

    return SqliteDatabase(place, clock)
