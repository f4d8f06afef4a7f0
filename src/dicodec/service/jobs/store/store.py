"""The job store: one SQLite file that is queue, record of jobs and duplicate check at once.

Many processes and threads may use it. A running job holds a lease, renewed by heartbeats. When the
heartbeats stop, another process may take the job. A job is entered once by its id, so a request
that is sent twice is carried out once. New jobs survive a power cut; outcomes of the last moments
may not, and those jobs are then carried out again.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice

from dicodec.batch.ledger.sqlite_file import DatabaseFormat, encode_text, open_database
from dicodec.errors import TargetUnavailableError
from dicodec.service.jobs.store.fence import Fence
from dicodec.service.jobs.store.queries import StoreReading, parse_job, translate_store_errors
from dicodec.service.jobs.store.tables import (
    APPLICATION,
    COLUMNS,
    SCHEMA,
    VERSION,
    AttemptOutcome,
    Job,
    NewJob,
)

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, Self

LEASE_SECONDS = 15.0
"""Seconds that a lease lasts without a heartbeat."""

BEATS_PER_LEASE = 4
"""Heartbeats in the time of a lease."""

EVENTS_KEPT = 20_000
"""Events that are kept for clients that come back after a break."""

_BATCH = 1000
"""Jobs of one transaction at most."""

_FORMAT = DatabaseFormat("job store", APPLICATION, VERSION, SCHEMA)


class JobStore(StoreReading):
    """An open job store.

    Args:
        path: its file, in an existing folder; the file is made if it is missing.
        lease: seconds until a job is taken from a process without heartbeats.
        clock: returns the time in seconds since 1970.

    Raises:
        InvalidOptionError: the file is not a job store.
        TargetUnavailableError: the file cannot be made or opened.
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
        try:
            self._examine()
        except BaseException:
            self._connection.close()
            raise

    def _examine(self) -> None:
        """Check that the store is whole, because a damaged one would lose jobs without a word."""
        ((found,),) = self._query("PRAGMA quick_check(1)")
        if found != "ok":
            raise TargetUnavailableError(
                f"the job store is damaged: {found.splitlines()[-1]}",
                path=self.path,
                hint="`sqlite3 FILE .recover` saves what is left of it; or move it away",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the jobs that this object holds, and close."""
        with self._lock, closing(self._connection):
            self._give_back("owner = ?", (self.owner,))

    @contextmanager
    def _begin_writing(self, *, durable: bool = False) -> Iterator[None]:
        with self._lock, translate_store_errors(self.path):
            if durable:
                self._connection.execute("PRAGMA synchronous = FULL")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield
                except BaseException:
                    if self._connection.in_transaction:  # a full disk has ended it already
                        self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            finally:
                if durable:
                    self._connection.execute("PRAGMA synchronous = NORMAL")

    # Jobs come and go.

    def put(self, jobs: Iterable[NewJob]) -> int:
        """Add jobs, and return the number of new ones; they survive a power cut after that.

        A job with a known id is left as it is.
        """
        jobs = iter(jobs)
        added = 0
        while batch := [*islice(jobs, _BATCH)]:
            with self._begin_writing(durable=True):
                added += sum([self._add(job) for job in batch])
        return added

    def _add(self, job: NewJob) -> bool:
        new = self._connection.execute(
            "INSERT INTO job (id, request, source, tenant, trace, priority, state, not_before,"
            " created) VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?) ON CONFLICT (id) DO NOTHING",
            (job.id, job.request, _escape(job.source), job.tenant,
             job.trace, job.priority, job.not_before, self._clock()),
        ).rowcount  # fmt: skip
        if new and job.event is not None:
            self._add_event(job.id, job.event)
        return bool(new)

    def claim(self, limit: int = 1) -> list[Job]:
        """Take due jobs, the most urgent first; jobs with an expired lease are due too.

        Returns:
            At most `limit` jobs. They are running, and this object holds their leases; their
            attempts are counted up.
        """
        with self._lock:
            now = self._clock()
            due = self._query(
                "SELECT EXISTS (SELECT 1 FROM job WHERE state = 'pending' AND not_before <= ?)"
                f" OR EXISTS (SELECT 1 FROM job WHERE state = 'running' AND {_EXPIRED})",
                (now, *self._find_bounds(now)),
            )[0][0]
            if not due:  # nothing is written, so nobody has to wait
                return []
            with self._begin_writing():
                self._give_back(_EXPIRED, self._find_bounds(now))
                rows = self._query(
                    f"{_TAKE} WHERE number IN (SELECT number FROM job"
                    " INDEXED BY waiting WHERE state = 'pending'"
                    " AND not_before <= ? ORDER BY priority DESC, number LIMIT ?)"
                    f" RETURNING {COLUMNS}",
                    (self.owner, now + self.lease, now, now, limit),
                )
        return sorted(map(parse_job, rows), key=lambda job: (-job.priority, job.number))

    def _find_bounds(self, now: float) -> tuple[float, float]:
        """Return the earliest and the latest end of a lease that holds; see _EXPIRED.

        No lease ends later than its length from now: the clock was set back, or the store is of
        another machine.
        """
        return now, now + 2 * max(self.lease, LEASE_SECONDS)

    def take(self, jobs: Iterable[NewJob]) -> list[tuple[Job, bool]]:
        """Add unknown jobs, and take those that are neither running elsewhere nor over.

        It is for callers that get jobs from a broker, which decides when a job is due.

        Returns:
            Each job as it is now, and whether this object took it.
        """
        with self._begin_writing():
            now = self._clock()
            return [self._take(job, now) for job in jobs]

    def _take(self, job: NewJob, now: float) -> tuple[Job, bool]:
        if not self._add(job):
            self._give_back(f"id = ? AND {_EXPIRED}", (job.id, *self._find_bounds(now)))
        rows = self._query(
            f"{_TAKE} WHERE id = ? AND state = 'pending' RETURNING {COLUMNS}",
            (self.owner, now + self.lease, now, job.id),
        )
        if rows:
            return parse_job(rows[0]), True
        known = self._query(f"SELECT {COLUMNS} FROM job WHERE id = ?", (job.id,))
        return parse_job(known[0]), False

    def renew_leases(self) -> list[str]:
        """Renew the leases of this object's jobs; return the ids of jobs to cancel."""
        with self._begin_writing():
            self._query(
                "UPDATE job SET lease = ? WHERE state = 'running' AND owner = ?",
                (self._clock() + self.lease, self.owner),
            )
            rows = self._query(
                "SELECT id FROM job WHERE state = 'running' AND owner = ? AND cancelled",
                (self.owner,),
            )
        return [row[0] for row in rows]

    def report_progress(self, rows: Sequence[tuple[str, int, int, str]]) -> None:
        """Enter the progress of jobs: rows (id, frames done, frames, event as JSON)."""
        with self._begin_writing():
            for job, done, frames, event in rows:
                self._query(
                    "UPDATE job SET frames_done = ?, frames = ? WHERE id = ? AND owner = ?",
                    (done, frames, job, self.owner),
                )
                self._add_event(job, event)

    def make_fence(self, job: Job) -> Fence:
        """Return the fence for the result of a job that this object has taken."""
        return Fence(self.path, job.id, self.owner, job.attempts)

    def finish(self, outcomes: Iterable[AttemptOutcome], *, lost: set[str] | None = None) -> int:
        """Enter outcomes of attempts whose jobs this object still has.

        Args:
            outcomes: the outcomes.
            lost: gets the ids of the jobs that others have taken meanwhile; nothing is entered.

        Returns:
            How many were entered.
        """
        count = 0
        with self._begin_writing():
            now = self._clock()
            for one in outcomes:
                entered = self._finish(one, now)
                count += entered
                if not entered and lost is not None:
                    lost.add(one.id)
        return count

    def _finish(self, one: AttemptOutcome, now: float) -> int:
        failed = one.error_code is not None
        note = json.dumps({"at": now, "code": one.error_code, "message": one.error_text})
        ended = self._connection.execute(
            _FINISH.format(history=_NOTED if failed else "history"),
            (one.state, one.not_before, now if one.state.over else None, one.frames, one.frames,
             one.source_size, one.target_size, one.action, one.error_code, _escape(one.error_text),
             one.seconds, encode_text(one.target), one.result, *([note] if failed else []), one.id,
             self.owner, one.attempts),
        ).rowcount  # fmt: skip
        if ended:
            self._add_event(one.id, one.event)
        return ended

    def give_back(self, ids: Iterable[str]) -> None:
        """Enter that jobs did not start, or were abandoned: they are due again."""
        with self._begin_writing():
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
        """Cancel a waiting job at once; mark a running one to be cancelled.

        Returns:
            The job as it is now; None if there is none. A job that is over does not change.
        """
        with self._begin_writing():
            waited = self._query(
                "UPDATE job SET state = 'cancelled', finished = ?"
                " WHERE id = ? AND state = 'pending' RETURNING id",
                (self._clock(), job),
            )
            if waited:
                self._add_event(job, event)
            self._query("UPDATE job SET cancelled = 1 WHERE id = ? AND state = 'running'", (job,))
        return self.find(job)

    def retry(self, job: str, event: str) -> Job | None:
        """Make a dead or cancelled job due again; return the job as it is now, or None."""
        with self._begin_writing(durable=True):
            if self._query(f"{_AGAIN} AND id = ? RETURNING id", (job,)):
                self._add_event(job, event)
        return self.find(job)

    def retry_dead(self, cause: str | None = None) -> int:
        """Make all dead jobs due again, or those with an error code; return their number."""
        with self._begin_writing(durable=True):
            return self._connection.execute(
                f"{_AGAIN} AND state = 'dead' AND (? IS NULL OR error_code = ?)", (cause, cause)
            ).rowcount

    def remove_finished(self, before: float) -> list[Job]:
        """Remove some of the jobs that were over before a time; return them, none at the end."""
        with self._begin_writing():
            rows = self._query(
                "DELETE FROM job WHERE number IN (SELECT number FROM job WHERE state IN"
                f" ('done', 'dead', 'cancelled') AND finished < ? LIMIT ?) RETURNING {COLUMNS}",
                (before, _BATCH),
            )
        return [*map(parse_job, rows)]

    def check(self) -> None:
        """Check that the store can be written.

        Raises:
            DiskFullError, TargetUnavailableError: it cannot be written.
        """
        with self._begin_writing():
            self._query("UPDATE tally SET jobs = jobs WHERE state = ''")

    def add_events(self, events: Iterable[tuple[str, str]]) -> None:
        """Add events without a change of the jobs: rows (id of the job, JSON)."""
        with self._begin_writing():
            for job, event in events:
                self._add_event(job, event)

    def _add_event(self, job: str, event: str) -> None:
        number = self._connection.execute(
            "INSERT INTO event (job, json) VALUES (?, ?)", (job, event)
        ).lastrowid
        if number is not None and number % _BATCH == 0:
            self._connection.execute("DELETE FROM event WHERE number <= ?", (number - EVENTS_KEPT,))


_EXPIRED = "(lease < ? OR lease > ?)"
_TAKE = (
    "UPDATE job SET state = 'running', owner = ?, lease = ?, started = ?, attempts = attempts + 1,"
    " frames_done = NULL"
)
_FINISH = (
    "UPDATE job SET state = ?, not_before = ?, finished = ?, frames = ifnull(?, frames),"
    " frames_done = ifnull(?, frames_done), source_size = ?, target_size = ?, action = ?,"
    " error_code = ?, error_text = ?, seconds = ?, target = ?, result = ?, owner = NULL,"
    " lease = NULL, history = {history} WHERE state = 'running' AND id = ? AND owner = ?"
    " AND attempts = ifnull(?, attempts)"
)
_NOTED = "json_insert(history, '$[#]', json(?))"
_AGAIN = (
    "UPDATE job SET state = 'pending', not_before = 0, attempts = 0, cancelled = 0,"
    " finished = NULL, error_code = NULL, error_text = NULL WHERE state IN ('dead', 'cancelled')"
)


def _escape(text: str | None) -> str | None:
    """Return a text for people; bytes that are not text are escaped."""
    return None if text is None else text.encode(errors="backslashreplace").decode()
