"""Read a job store: its jobs, their numbers by state, and its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import batched

from dicodec.batch.ledger.sqlite_file import decode_value
from dicodec.service.jobs.store.database import StoreDatabase
from dicodec.service.jobs.store.tables import COLUMNS, Job, JobFilter, JobState, Tally

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_AT_ONCE = 500
"""Values in one query."""


class StoreReading:
    """The reading half of a job store; see `JobStore`, which opens and writes it."""

    _database: StoreDatabase

    def find(self, job: str) -> Job | None:
        """Return a job by its id; None if there is none."""
        rows = self._query(f"SELECT {COLUMNS} FROM job WHERE id = ?", (job,))
        return parse_job(rows[0]) if rows else None

    def list_jobs(self, wanted: JobFilter, limit: int) -> list[Job]:
        """Return at most `limit` of the wanted jobs, the latest first."""
        contains = self._database.contains.format("source")
        rows = [
            ("state = ?", wanted.state),
            ("error_code = ?", wanted.cause),
            ("tenant = ?", wanted.tenant),
            ("number < ?", wanted.before),
            (f"({contains} OR id = ? OR trace = ?)", wanted.text),
        ]
        given = [(condition, value) for condition, value in rows if value is not None]
        where = " AND ".join(condition for condition, _ in given) or "1 = 1"
        values = [one for condition, value in given for one in [value] * condition.count("?")]
        found = self._query(
            f"SELECT {COLUMNS} FROM job WHERE {where} ORDER BY number DESC LIMIT ?",
            (*values, limit),
        )
        return [*map(parse_job, found)]

    def find_traces(self, traces: Iterable[str]) -> list[Job]:
        """Return all jobs with one of some trace ids."""
        found: list[Job] = []
        for some in batched(dict.fromkeys(traces), _AT_ONCE):
            marks = ", ".join("?" * len(some))
            rows = self._query(f"SELECT {COLUMNS} FROM job WHERE trace IN ({marks})", some)
            found += map(parse_job, rows)
        return found

    def read_tallies(self) -> list[Tally]:
        """Return the numbers of jobs by state and error code; the time does not grow with them."""
        rows = self._query(
            "SELECT state, cause, jobs, source_bytes, target_bytes FROM tally WHERE jobs > 0"
        )
        return [Tally(JobState(state), *rest) for state, *rest in rows]

    def count_by_tenant(self) -> dict[tuple[str, JobState], int]:
        """Return the numbers of jobs by tenant and state; the time grows with them."""
        rows = self._query("SELECT tenant, state, count(*) FROM job GROUP BY tenant, state")
        return {(tenant or "", JobState(state)): count for tenant, state, count in rows}

    def measure_queue_age(self) -> float:
        """Return the seconds that the oldest due job has waited; 0 if none is due."""
        now = self._database.read_clock()
        oldest = self._query(
            "SELECT created, not_before FROM job"
            " WHERE state = 'pending' AND not_before <= ? ORDER BY number LIMIT 1",
            (now,),
        )
        return max(0.0, now - max(oldest[0])) if oldest else 0.0

    def read_events(self, number: int, limit: int = 500) -> list[tuple[int, str, str]]:
        """Return rows (number, job's id, event as JSON) after an event, the oldest first."""
        rows = self._query(
            "SELECT number, job, json FROM event WHERE number > ? ORDER BY number LIMIT ?",
            (number, limit),
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def find_last_event(self) -> int:
        """Return the number of the latest event; 0 if there is none."""
        return int(self._query("SELECT coalesce(max(number), 0) FROM event")[0][0])

    def _query(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._database.query(text, values)


def parse_job(row: tuple[Any, ...]) -> Job:
    """Return a row of COLUMNS as a job."""
    values = [decode_value(value) for value in row]
    values[7] = JobState(values[7])
    return Job(*values)
