"""The job store: one SQLite file that is queue, ledger of jobs and duplicate check at once.

Many processes and threads may use it. A job that is being worked at is leased: who has it says from
time to time that it lives, and when it no longer does, somebody else gets the job. A job is entered
once by its id, so what is sent twice is done once. What was put survives a power cut; of what
became of jobs a power cut may cost the last moments, which are then done again.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Self

from dicodec.batch.ledger.sqlite_file import DatabaseFormat, encode_text, open_database
from dicodec.errors import TargetUnavailableError
from dicodec.service.jobs.store.queries import StoreReading, job_of
from dicodec.service.jobs.store.tables import (
    APPLICATION,
    COLUMNS,
    SCHEMA,
    VERSION,
    Ending,
    Job,
    NewJob,
)

LEASE_SECONDS = 15.0
"""How long a job is left to whoever took it and says nothing."""

EVENTS_KEPT = 20_000
"""Events that are kept for those who come back after a break."""

_BATCH = 1000

_FORMAT = DatabaseFormat("job store", APPLICATION, VERSION, SCHEMA)


class JobStore(StoreReading):
    """An open job store.

    Args:
        path: its file; made where it is missing, in a folder that exists.
        lease: seconds until a job is taken from a process that says nothing.
        clock: seconds since 1970.

    Raises:
        InvalidOptionError: the file is something else.
        TargetUnavailableError: it cannot be made or opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        lease: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = os.fspath(path)
        self.lease = lease
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._clock = clock
        self._lock = threading.RLock()
        self._connection = open_database(self.path, _FORMAT, create=True, check_same_thread=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back what this object holds, and close."""
        with self._lock:
            self._give_back("owner = ?", (self.owner,))
            self._connection.close()

    @contextmanager
    def _writing(self, *, durable: bool = False) -> Iterator[None]:
        with self._lock:
            if durable:
                self._connection.execute("PRAGMA synchronous = FULL")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            finally:
                if durable:
                    self._connection.execute("PRAGMA synchronous = NORMAL")

    # Jobs come and go.

    def put(self, jobs: Iterable[NewJob]) -> int:
        """Add jobs, many to a transaction; return how many were new. They are safe then.

        A job whose id is known is left as it is.
        """
        jobs = iter(jobs)
        added = 0
        while batch := [*islice(jobs, _BATCH)]:
            with self._writing(durable=True):
                added += sum([self._add(job) for job in batch])
        return added

    def _add(self, job: NewJob) -> bool:
        new = self._connection.execute(
            "INSERT INTO job (id, request, source, tenant, trace, priority, state, not_before,"
            " created) VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?) ON CONFLICT (id) DO NOTHING",
            (job.id, job.request, _shown(job.source), job.tenant,
             job.trace, job.priority, job.not_before, self._clock()),
        ).rowcount  # fmt: skip
        if new and job.event is not None:
            self._tell(job.id, job.event)
        return bool(new)

    def claim(self, limit: int = 1) -> list[Job]:
        """Take jobs that are due, the most urgent first; those of the dead are due again.

        Returns:
            At most `limit`, running and this object's; each had its attempts counted up.
        """
        with self._lock:
            now = self._clock()
            due = self._query(
                "SELECT EXISTS (SELECT 1 FROM job WHERE state = 'pending' AND not_before <= ?)"
                " OR EXISTS (SELECT 1 FROM job WHERE state = 'running' AND lease < ?)",
                (now, now),
            )[0][0]
            if not due:  # nothing is written, and nobody has to wait
                return []
            with self._writing():
                self._give_back("lease < ?", (now,))
                rows = self._query(
                    f"{_TAKE} WHERE number IN (SELECT number FROM job"
                    " INDEXED BY waiting WHERE state = 'pending'"
                    " AND not_before <= ? ORDER BY priority DESC, number LIMIT ?)"
                    f" RETURNING {COLUMNS}",
                    (self.owner, now + self.lease, now, now, limit),
                )
        return sorted(map(job_of, rows), key=lambda job: (-job.priority, job.number))

    def take(self, jobs: Iterable[NewJob]) -> list[tuple[Job, bool]]:
        """Add jobs unless they are known, and take those that nobody is at and that are not over.

        For those who hear of jobs elsewhere and decide themselves when one is due.

        Returns:
            Each job as it is now, and whether it is this object's to do.
        """
        with self._writing():
            now = self._clock()
            return [self._taken(job, now) for job in jobs]

    def _taken(self, job: NewJob, now: float) -> tuple[Job, bool]:
        if not self._add(job):
            self._give_back("id = ? AND lease < ?", (job.id, now))
        rows = self._query(
            f"{_TAKE} WHERE id = ? AND state = 'pending' RETURNING {COLUMNS}",
            (self.owner, now + self.lease, now, job.id),
        )
        if rows:
            return job_of(rows[0]), True
        known = self._query(f"SELECT {COLUMNS} FROM job WHERE id = ?", (job.id,))
        return job_of(known[0]), False

    def heartbeat(self) -> list[str]:
        """Say that this object's jobs are being worked at; return those that shall be given up."""
        with self._writing():
            self._query(
                "UPDATE job SET lease = ? WHERE state = 'running' AND owner = ?",
                (self._clock() + self.lease, self.owner),
            )
            rows = self._query(
                "SELECT id FROM job WHERE state = 'running' AND owner = ? AND cancelled",
                (self.owner,),
            )
        return [row[0] for row in rows]

    def progress(self, told: Sequence[tuple[str, int, int, str]]) -> None:
        """Enter how far jobs are: (id, frames done, frames, event as JSON) each."""
        with self._writing():
            for job, done, frames, event in told:
                self._query(
                    "UPDATE job SET frames_done = ?, frames = ? WHERE id = ? AND owner = ?",
                    (done, frames, job, self.owner),
                )
                self._tell(job, event)

    def finish(self, endings: Iterable[Ending]) -> int:
        """Enter how attempts ended; return how many were still this object's to end."""
        count = 0
        with self._writing():
            now = self._clock()
            for one in endings:
                count += self._finish(one, now)
        return count

    def _finish(self, one: Ending, now: float) -> int:
        failed = one.error_code is not None
        note = json.dumps({"at": now, "code": one.error_code, "message": one.error_text})
        ended = self._connection.execute(
            _FINISH.format(history=_NOTED if failed else "history"),
            (one.state, one.not_before, now if one.state.over else None, one.frames, one.frames,
             one.source_size, one.target_size, one.action, one.error_code, _shown(one.error_text),
             one.seconds, encode_text(one.target), one.result, *([note] if failed else []), one.id,
             self.owner),
        ).rowcount  # fmt: skip
        if ended:
            self._tell(one.id, one.event)
        return ended

    def give_back(self, ids: Iterable[str]) -> None:
        """Enter that jobs were not begun, or given up without an outcome: they are due again."""
        with self._writing():
            for job in ids:
                self._give_back("id = ? AND owner = ?", (job, self.owner), attempts=1)

    def _give_back(self, where: str, values: Sequence[Any], *, attempts: int = 0) -> None:
        self._query(
            "UPDATE job SET state = iif(cancelled, 'cancelled', 'pending'), owner = NULL,"
            " began = ifnull(began, created), lease = NULL, attempts = attempts - ?"
            f" WHERE state = 'running' AND {where}",
            (attempts, *values),
        )

    def cancel(self, job: str, event: str) -> Job | None:
        """Cancel a job that waits at once, and ask for the end of one that runs.

        Returns:
            The job as it is now; None where there is none. One that is over stays as it is.
        """
        with self._writing():
            waited = self._query(
                "UPDATE job SET state = 'cancelled', finished = ?"
                " WHERE id = ? AND state = 'pending' RETURNING id",
                (self._clock(), job),
            )
            if waited:
                self._tell(job, event)
            self._query("UPDATE job SET cancelled = 1 WHERE id = ? AND state = 'running'", (job,))
        return self.find(job)

    def retry(self, job: str, event: str) -> Job | None:
        """Have a job that is dead or cancelled tried again; return it as it is now, or None."""
        with self._writing(durable=True):
            if self._query(f"{_AGAIN} AND id = ? RETURNING id", (job,)):
                self._tell(job, event)
        return self.find(job)

    def retry_dead(self, cause: str | None = None) -> int:
        """Have all dead jobs tried again, or those of one cause; return how many."""
        with self._writing(durable=True):
            return self._connection.execute(
                f"{_AGAIN} AND state = 'dead' AND (? IS NULL OR error_code = ?)", (cause, cause)
            ).rowcount

    def remove_finished(self, before: float) -> list[Job]:
        """Forget jobs that were over before a time; return some of them, none where all are."""
        with self._writing():
            rows = self._query(
                "DELETE FROM job WHERE number IN (SELECT number FROM job WHERE state IN"
                f" ('done', 'dead', 'cancelled') AND finished < ? LIMIT ?) RETURNING {COLUMNS}",
                (before, _BATCH),
            )
        return [*map(job_of, rows)]

    def check(self) -> None:
        """Make sure that the store can be written to.

        Raises:
            TargetUnavailableError: it cannot.
        """
        try:
            with self._writing():
                self._query("UPDATE tally SET jobs = jobs WHERE state = ''")
        except sqlite3.Error as cause:
            raise TargetUnavailableError(f"the job store: {cause}", path=self.path) from cause

    def tell(self, events: Iterable[tuple[str, str]]) -> None:
        """Add events that change nothing: (id of the job, JSON) each."""
        with self._writing():
            for job, event in events:
                self._tell(job, event)

    def _tell(self, job: str, event: str) -> None:
        number = self._connection.execute(
            "INSERT INTO event (job, json) VALUES (?, ?)", (job, event)
        ).lastrowid
        if number is not None and number % _BATCH == 0:
            self._connection.execute("DELETE FROM event WHERE number <= ?", (number - EVENTS_KEPT,))


_TAKE = (
    "UPDATE job SET state = 'running', owner = ?, lease = ?, started = ?, attempts = attempts + 1,"
    " frames_done = NULL"
)
_FINISH = (
    "UPDATE job SET state = ?, not_before = ?, finished = ?, frames = ifnull(?, frames),"
    " frames_done = ifnull(?, frames_done), source_size = ?, target_size = ?, action = ?,"
    " error_code = ?, error_text = ?, seconds = ?, target = ?, result = ?, owner = NULL,"
    " lease = NULL, history = {history} WHERE state = 'running' AND id = ? AND owner = ?"
)
_NOTED = "json_insert(history, '$[#]', json(?))"
_AGAIN = (
    "UPDATE job SET state = 'pending', not_before = 0, attempts = 0, cancelled = 0,"
    " finished = NULL, error_code = NULL, error_text = NULL WHERE state IN ('dead', 'cancelled')"
)


def _shown(text: str | None) -> str | None:
    """Return a text for people; of what is none, the bytes are escaped."""
    return None if text is None else text.encode(errors="backslashreplace").decode()
