"""Access the job store from the worker's loops: in a thread, repeated until it succeeds."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, Job
from dicodec.service.jobs.submission import make_job

_PAUSE = 1.0
"""Seconds until a failed call is repeated."""


_OF_VALUES = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""Errors that a value brings, and that come again as often as it is entered."""


class AsyncJobStore:
    """The job store for the loops of a worker.

    Args:
        store: the store; the caller closes it.
        log: gets a line for each failure of the store.
    """

    def __init__(self, store: JobStore, log: Log) -> None:
        self.lease = store.lease
        self._store = store
        self._log = log
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dicodec-store")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    async def take(self, requests: Sequence[tuple[Request, bool]]) -> list[tuple[Job, bool]]:
        """Enter requests, and take their jobs.

        Args:
            requests: requests, each with whether a dead job starts anew.

        Returns:
            The job of each request, and whether this worker took it.
        """
        return await self._call(self._take, requests)

    async def end(self, outcomes: Sequence[AttemptOutcome], undone: Iterable[str]) -> None:
        """Enter outcomes of attempts, and give back jobs that were returned without one."""
        await self._call(self._end, outcomes, [*undone])

    async def beat(self) -> list[str]:
        """Renew the leases of this worker's jobs; return the ids of jobs to cancel."""
        return await self._call(self._store.renew_leases)

    def _take(self, requests: Sequence[tuple[Request, bool]]) -> list[tuple[Job, bool]]:
        jobs = []
        for request, anew in requests:
            job = make_job(request)
            if anew and job.event is not None:
                self._store.retry(job.id, job.event)
            jobs.append(job)
        return self._store.take(jobs) if jobs else []

    def _end(self, outcomes: Sequence[AttemptOutcome], undone: Sequence[str]) -> None:
        if outcomes:
            self._store.finish(outcomes)
        if undone:
            self._store.give_back(undone)

    async def _call[**P, R](self, call: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await loop.run_in_executor(self._thread, partial(call, *arguments, **named))
            except _OF_VALUES:
                raise
            except sqlite3.Error as cause:  # such as a full disk: it may pass
                self._log.write("error", "the job store cannot be used", message=str(cause))
                await asyncio.sleep(_PAUSE)
