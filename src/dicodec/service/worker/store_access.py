"""Access the job store from the worker's loops: in a thread, repeated until it succeeds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dicodec.errors import WriteError
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.fence import Fence
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, Job
from dicodec.service.jobs.submission import make_job

_PAUSE = 1.0
"""Seconds until a failed call is repeated."""


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

    async def end(
        self, outcomes: Sequence[AttemptOutcome], undone: Iterable[str]
    ) -> dict[str, Job]:
        """Enter outcomes of attempts, and give back jobs that were returned without one.

        Returns:
            The jobs, by id, that other workers have taken meanwhile; nothing is entered for them.
        """
        return await self._call(self._end, outcomes, [*undone])

    def make_fence(self, job: Job) -> Fence:
        """Return the fence for the result of a job that this worker has taken."""
        return self._store.make_fence(job)

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

    def _end(self, outcomes: Sequence[AttemptOutcome], undone: Sequence[str]) -> dict[str, Job]:
        lost: set[str] = set()
        if outcomes:
            self._store.finish(outcomes, lost=lost)
        if undone:
            self._store.give_back(undone)
        return {job.id: job for one in lost if (job := self._store.find(one)) is not None}

    async def _call[**P, R](self, call: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await loop.run_in_executor(self._thread, partial(call, *arguments, **named))
            except WriteError as cause:  # such as a full disk: it may pass
                self._log.write("error", "the job store cannot be used", message=cause.message)
                await asyncio.sleep(_PAUSE)
