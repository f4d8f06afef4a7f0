"""The job store: queue, record of jobs and duplicate check at once, in SQLite or PostgreSQL.

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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import batched

from dicodec.service.jobs.store.database import Statement
from dicodec.service.jobs.store.fence import Fence
from dicodec.service.jobs.store.opening import open_store_database
from dicodec.service.jobs.store.queries import StoreReading, parse_job
from dicodec.service.jobs.store.tables import (
    COLUMNS,
    AttemptOutcome,
    Job,
    JobState,
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

_ADD = (
    "INSERT INTO job (id, request, source, tenant, trace, home, priority, state, not_before,"
    " created) VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?) ON CONFLICT (id) DO NOTHING"
)
_DUE = "not_before <= ? AND (home IS NULL OR home = ?)"
_DUE_AT_HOME = "not_before <= ? AND home = ?"
_EXPIRED = "(lease < ? OR lease > ?)"
_TAKE = (
    "UPDATE job SET state = 'running', owner = ?, lease = ?, started = ?, attempts = attempts + 1,"
    " frames_done = NULL"
)
_FINISH = (
    "UPDATE job SET state = ?, not_before = ?, finished = ?, frames = coalesce(?, frames),"
    " frames_done = coalesce(?, frames_done), source_size = ?, target_size = ?, action = ?,"
    " error_code = ?, error_text = ?, seconds = ?, target = ?, result = ?, owner = NULL,"
    " lease = NULL, history = {history} WHERE state = 'running' AND id = ? AND owner = ?"
    " AND attempts = coalesce(?, attempts)"
)
_NOTED = (  # one more element of a JSON array, in SQL that both databases have
    "CASE history WHEN '[]' THEN '[' ELSE substr(history, 1, length(history) - 1) || ',' END"
    " || ? || ']'"
)
_AGAIN = (
    "UPDATE job SET state = 'pending', not_before = 0, attempts = 0, cancelled = 0,"
    " finished = NULL, error_code = NULL, error_text = NULL WHERE state IN ('dead', 'cancelled')"
)


class JobStore(StoreReading):
    """An open job store.

    Args:
        place: path of its file, in an existing folder, or URL of a PostgreSQL database; it is made
            if it is missing.
        lease: seconds until a job is taken from a process without heartbeats.
        clock: returns the time in seconds since 1970; None for the computer's, or the server's.
        home: see `NewJob`; None to claim the jobs that anybody may claim, and no others.
        alone: whether to claim the jobs of `home` alone, and none that anybody may claim.

    Raises:
        InvalidOptionError: it is not a job store.
        TargetUnavailableError: it cannot be made or opened.
    """

    def __init__(
        self,
        place: str | os.PathLike[str],
        *,
        lease: float = LEASE_SECONDS,
        clock: Callable[[], float] | None = None,
        home: str | None = None,
        alone: bool = False,
    ) -> None:
        self._place = os.fspath(place)
        self.lease = lease
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._database = open_store_database(self._place, clock)
        self._home = home or ""
        self._due, self._hint = _DUE, self._database.waiting_hint
        if alone:
            self._due, self._hint = _DUE_AT_HOME, self._database.index_homes()
        self._held: set[str] = set()
        self._may_hold_more = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the jobs that this object holds, and close."""
        with self._database.lock, closing(self._database):
            if self._database.query(
                "SELECT 1 FROM job WHERE state = 'running' AND owner = ? LIMIT 1", (self.owner,)
            ):
                with self._database.write():
                    self._give_back("owner = ?", (self.owner,))

    @property
    def poll_seconds(self) -> float:
        """How often to look for jobs that other processes have added."""
        return self._database.poll_seconds

    def listen(self, hear: Callable[[], None]) -> None:
        """Have a function called, in another thread, if others add jobs and can tell of it."""
        self._database.listen(hear)

    # Jobs come and go.

    def put(self, jobs: Iterable[NewJob]) -> int:
        """Add jobs, and return the number of new ones; they survive a power cut after that.

        A job with a known id is left as it is.
        """
        added = 0
        for batch in batched(jobs, _BATCH):
            with self._database.write(durable=True) as now:
                new = sum(self._add(batch, now))
                if new:
                    self._database.announce()
            added += new
        return added

    def _add(self, jobs: Sequence[NewJob], now: float) -> list[bool]:
        """Add jobs, and return which of them are new."""
        counts = self._database.execute_all(
            (_ADD, (job.id, job.request, _escape(job.source), job.tenant, job.trace, job.home,
                    job.priority, job.not_before, now))
            for job in jobs
        )  # fmt: skip
        new = [count > 0 for count in counts]
        self._add_events(
            (job.id, job.event)
            for job, added in zip(jobs, new, strict=True)
            if added and job.event is not None
        )
        return new

    def claim(self, limit: int = 1) -> list[Job]:
        """Take due jobs, the most urgent first; jobs with an expired lease are due too.

        Returns:
            At most `limit` jobs. They are running, and this object holds their leases; their
            attempts are counted up.
        """
        with self._database.lock:
            now = self._database.read_clock()
            due = self._query(
                f"SELECT EXISTS (SELECT 1 FROM job WHERE state = 'pending' AND {self._due})"
                f" OR EXISTS (SELECT 1 FROM job WHERE state = 'running' AND {_EXPIRED})",
                (now, self._home, *self._find_bounds(now)),
            )[0][0]
            if not due:  # nothing is written, so nobody has to wait
                return []
            with self._taking(), self._database.write() as now:
                self._give_back(_EXPIRED, self._find_bounds(now))
                rows = self._query(
                    f"{_TAKE} WHERE number IN (SELECT number FROM job"
                    f"{self._hint} WHERE state = 'pending' AND {self._due}"
                    " ORDER BY priority DESC, number LIMIT ?)"
                    f" RETURNING {COLUMNS}",
                    (self.owner, now + self.lease, now, now, self._home, limit),
                )
            jobs = [parse_job(row) for row in rows]
            self._held.update(job.id for job in jobs)
        return sorted(jobs, key=lambda job: (-job.priority, job.number))

    @contextmanager
    def _taking(self) -> Iterator[None]:
        """Note if jobs may have been taken without a word: the answer to a commit can be lost."""
        try:
            yield
        except BaseException:
            self._may_hold_more = True
            raise

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
        with self._database.lock:
            with self._taking(), self._database.write() as now:
                taken = self._take([*jobs], now)
            self._held.update(job.id for job, ours in taken if ours)
        return taken

    def _take(self, jobs: Sequence[NewJob], now: float) -> list[tuple[Job, bool]]:
        new = self._add(jobs, now)
        known = [job.id for job, added in zip(jobs, new, strict=True) if not added]
        for ids in batched(known, _BATCH):
            expired = f"id IN ({_mark(ids)}) AND {_EXPIRED}"
            self._give_back(expired, (*ids, *self._find_bounds(now)))
        found: dict[str, tuple[Job, bool]] = {}
        for ids in batched(dict.fromkeys(job.id for job in jobs), _BATCH):
            rows = self._query(
                f"{_TAKE} WHERE id IN ({_mark(ids)}) AND state = 'pending' RETURNING {COLUMNS}",
                (self.owner, now + self.lease, now, *ids),
            )
            ours = {job.id for job in map(parse_job, rows)}
            rows = self._query(f"SELECT {COLUMNS} FROM job WHERE id IN ({_mark(ids)})", ids)
            found |= {job.id: (job, job.id in ours) for job in map(parse_job, rows)}
        taken = []
        for job in jobs:
            row, is_ours = found[job.id]
            taken.append((row, is_ours))
            found[job.id] = row, False  # a job that is there twice is taken once
        return taken

    def renew_leases(self) -> list[str]:
        """Renew the leases of this object's jobs; return the ids of jobs to cancel."""
        with self._database.write() as now:
            if self._may_hold_more:
                self._give_back_unknown()
            self._database.execute(
                "UPDATE job SET lease = ? WHERE state = 'running' AND owner = ?",
                (now + self.lease, self.owner),
            )
            rows = self._query(
                "SELECT id FROM job WHERE state = 'running' AND owner = ? AND cancelled <> 0",
                (self.owner,),
            )
        return [row[0] for row in rows]

    def _give_back_unknown(self) -> None:
        """Give back jobs that this object was given, and did not hear of."""
        running = self._query(
            "SELECT id FROM job WHERE state = 'running' AND owner = ?", (self.owner,)
        )
        for (job,) in running:
            if job not in self._held:
                self._give_back("id = ? AND owner = ?", (job, self.owner), attempts=1)
        self._may_hold_more = False

    def report_progress(self, rows: Sequence[tuple[str, int, int, str]]) -> None:
        """Enter the progress of jobs: rows (id, frames done, frames, event as JSON)."""
        with self._database.write():
            self._database.execute_all(
                (
                    "UPDATE job SET frames_done = ?, frames = ? WHERE id = ? AND owner = ?",
                    (done, frames, job, self.owner),
                )
                for job, done, frames, _ in rows
            )
            self._add_events((job, event) for job, *_, event in rows)

    def make_fence(self, job: Job) -> Fence:
        """Return the fence for the result of a job that this object has taken."""
        return Fence(self._place, job.id, self.owner, job.attempts)

    def finish(
        self,
        outcomes: Iterable[AttemptOutcome],
        *,
        lost: set[str] | None = None,
        durable: bool = False,
    ) -> int:
        """Enter outcomes of attempts whose jobs this object still has.

        Args:
            outcomes: the outcomes.
            lost: gets the ids of the jobs that others have taken meanwhile; nothing is entered.
            durable: whether they survive a power cut, because their messages are removed then.

        Returns:
            How many were entered.
        """
        outcomes = [*outcomes]
        # A broker forgets a message once its outcome is entered here.
        with self._database.write(durable=durable or self._database.fails_alone) as now:
            entered = self._database.execute_all(self._state_end(one, now) for one in outcomes)
            self._add_events(
                (one.id, one.event) for one, done in zip(outcomes, entered, strict=True) if done
            )
            if any(one.state is JobState.PENDING for one in outcomes):
                self._database.announce()
        for one, done in zip(outcomes, entered, strict=True):
            self._held.discard(one.id)
            if not done and lost is not None:
                lost.add(one.id)
        return sum(entered)

    def _state_end(self, one: AttemptOutcome, now: float) -> Statement:
        """Return the statement that enters an outcome."""
        failed = one.error_code is not None
        note = json.dumps({"at": now, "code": one.error_code, "message": one.error_text})
        return (
            _FINISH.format(history=_NOTED if failed else "history"),
            (one.state, one.not_before, now if one.state.over else None, one.frames, one.frames,
             one.source_size, one.target_size, one.action, one.error_code, _escape(one.error_text),
             one.seconds, self._database.encode_name(one.target), one.result,
             *([note] if failed else []), one.id, self.owner, one.attempts),
        )  # fmt: skip

    def give_back(self, ids: Iterable[str]) -> None:
        """Enter that jobs did not start, or were abandoned: they are due again."""
        ids = [*ids]
        with self._database.write():
            for job in ids:
                self._give_back("id = ? AND owner = ?", (job, self.owner), attempts=1)
        self._held.difference_update(ids)

    def reclaim(self) -> None:
        """Make the running jobs of this object's home due again, whose processes have ended.

        The caller knows that, because it has the home alone; so nobody waits for their leases.
        """
        with self._database.write():
            self._give_back("home = ? AND owner <> ?", (self._home, self.owner))

    def _give_back(self, where: str, values: Sequence[Any], *, attempts: int = 0) -> None:
        given = self._database.execute(
            "UPDATE job SET state = CASE cancelled WHEN 0 THEN 'pending' ELSE 'cancelled' END,"
            " owner = NULL, began = coalesce(began, created), lease = NULL, attempts = attempts - ?"
            f" WHERE state = 'running' AND {where}",
            (attempts, *values),
        )
        if given:
            self._database.announce()

    def cancel(self, job: str, event: str) -> Job | None:
        """Cancel a waiting job at once; mark a running one to be cancelled.

        Returns:
            The job as it is now; None if there is none. A job that is over does not change.
        """
        with self._database.write() as now:
            waited = self._database.execute(
                "UPDATE job SET state = 'cancelled', finished = ?"
                " WHERE id = ? AND state = 'pending'",
                (now, job),
            )
            if waited:
                self._add_events([(job, event)])
            self._database.execute(
                "UPDATE job SET cancelled = 1 WHERE id = ? AND state = 'running'", (job,)
            )
        return self.find(job)

    def retry(self, job: str, event: str) -> Job | None:
        """Make a dead or cancelled job due again; return the job as it is now, or None."""
        with self._database.write(durable=True):
            if self._database.execute(f"{_AGAIN} AND id = ?", (job,)):
                self._add_events([(job, event)])
                self._database.announce()
        return self.find(job)

    def retry_dead(self, cause: str | None = None) -> int:
        """Make all dead jobs due again, or those with an error code; return their number."""
        wanted, values = ("", ()) if cause is None else (" AND error_code = ?", (cause,))
        with self._database.write(durable=True):
            count = self._database.execute(f"{_AGAIN} AND state = 'dead'{wanted}", values)
            self._database.announce()
        return count

    def remove_finished(self, before: float) -> list[Job]:
        """Remove some of the jobs that were over before a time; return them, none at the end."""
        with self._database.write():
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
        with self._database.write():
            self._database.execute(  # a row of no jobs; what does not change it is not written
                "INSERT INTO tally VALUES ('', '', 0, 0, 0)"
                " ON CONFLICT (state, cause) DO UPDATE SET target_bytes = tally.target_bytes + 1"
            )

    def add_events(self, events: Iterable[tuple[str, str]]) -> None:
        """Add events without a change of the jobs: rows (id of the job, JSON)."""
        with self._database.write():
            self._add_events(events)

    def _add_events(self, events: Iterable[tuple[str, str]]) -> None:
        """Add events, and remove the oldest ones now and then."""
        count = len(
            self._database.execute_all(
                ("INSERT INTO event (job, json) VALUES (?, ?)", event) for event in events
            )
        )
        if not count:
            return
        last = self.find_last_event()
        if last // _BATCH != (last - count) // _BATCH:
            self._database.execute("DELETE FROM event WHERE number <= ?", (last - EVENTS_KEPT,))


def _mark(values: Sequence[object]) -> str:
    """Return a mark for each of some values."""
    return ", ".join("?" * len(values))


def _escape(text: str | None) -> str | None:
    """Return a text for people; NUL and bytes that are not text are escaped."""
    if text is None:
        return None
    return text.replace("\0", "\\x00").encode(errors="backslashreplace").decode()
