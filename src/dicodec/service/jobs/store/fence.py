"""Ask, from any process, whether a job is still that of the process which took it.

A process that stood still longer than its lease loses its jobs to others, and does not know it. So
its results ask just before they take their places: the store is the only one that knows.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
import threading
from urllib.parse import quote

from dicodec.errors import TargetUnavailableError
from dicodec.model.records import dataclass
from dicodec.service.jobs.store.database import is_postgres

_BUSY_SECONDS = 5
_HELD = "SELECT 1 FROM job WHERE id = ? AND owner = ? AND attempts = ? AND state = 'running'"


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to put a job's result in its place, as long as nobody else has taken the job.

    Attributes:
        store: path or URL of the job store.
        job: id of the job.
        owner: the object that took it; see `JobStore`.
        attempts: number of the attempts when it was taken, which grows each time it is.
    """

    store: str
    job: str
    owner: str
    attempts: int

    def check(self) -> None:
        """Check that the job has not been taken by another process, or ended.

        Raises:
            TargetUnavailableError: it has been, or the store cannot be asked.
        """
        if not _ask(self.store, (self.job, self.owner, self.attempts)):
            raise TargetUnavailableError(
                "another process has taken the job, and its result is the one that counts"
            )


def _ask(store: str, values: tuple[str, str, int]) -> list[tuple[int]]:
    if is_postgres(store):
        from dicodec.service.jobs.store.postgres import ask

        return ask(store, _HELD, values)
    try:
        return _open(store).execute(_HELD, values).fetchall()
    except (OSError, sqlite3.Error) as cause:
        text = cause.strerror if isinstance(cause, OSError) else cause
        raise TargetUnavailableError(f"the job store cannot be asked: {text}") from cause


class _KeptConnection:
    """The connection to the store that was asked last: to open one takes longer than to ask."""

    def __init__(self) -> None:
        self._file: tuple[str, int, int] | None = None
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def open(self, path: str) -> sqlite3.Connection:
        """Return a connection that only reads; a new one if another file has the path by now."""
        found = os.stat(path)  # noqa: PTH116 - it is hot
        file = path, found.st_dev, found.st_ino
        with self._lock:
            if self._connection is None or file != self._file:
                self.close()
                url = f"file:{quote(path)}?mode=ro"
                self._connection = sqlite3.connect(
                    url, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False
                )
                self._file = file
            return self._connection

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_kept = _KeptConnection()
_open = _kept.open
atexit.register(_kept.close)
