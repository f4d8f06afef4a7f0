"""Ask, from any process, whether a job is still that of the process which took it.

A process that stood still longer than its lease loses its jobs to others, and does not know it. So
its results ask just before they take their places: the store is the only one that knows.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from urllib.parse import quote

from dicodec.errors import TargetUnavailableError
from dicodec.model.records import dataclass

_BUSY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to put a job's result in its place, as long as nobody else has taken the job.

    Attributes:
        store: path of the job store.
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
        # A connection for each question: one that is kept sees a store that has been replaced.
        try:
            url = f"file:{quote(self.store)}?mode=ro"
            with closing(sqlite3.connect(url, uri=True, timeout=_BUSY_SECONDS)) as connection:
                held = connection.execute(
                    "SELECT 1 FROM job WHERE id = ? AND owner = ? AND attempts = ?"
                    " AND state = 'running'",
                    (self.job, self.owner, self.attempts),
                ).fetchone()
        except sqlite3.Error as cause:
            raise TargetUnavailableError(f"the job store cannot be asked: {cause}") from cause
        if held is None:
            raise TargetUnavailableError(
                "another process has taken the job, and its result is the one that counts"
            )
