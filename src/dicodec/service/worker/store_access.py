"""The store of jobs, as the worker's loops use it: in a thread, and until it can be written."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import Ending, Job, NewJob

_PAUSE = 1.0


class JobBook:
    """Enters what is taken and what becomes of it.

    Args:
        store: closed by the caller.
        log: that failures of the store are written to.
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
        """Enter requests.

        Args:
            requests: each with whether it begins anew where it is known as dead.

        Returns:
            For each its job, and whether that is this worker's to do.
        """
        return await self._call(self._take, requests)

    async def end(self, endings: Sequence[Ending], undone: Iterable[str]) -> None:
        """Enter how attempts ended, and which jobs were returned undone."""
        await self._call(self._end, endings, [*undone])

    async def beat(self) -> list[str]:
        """Say that this worker's jobs are worked at; return those that shall be given up."""
        return await self._call(self._store.heartbeat)

    def _take(self, requests: Sequence[tuple[Request, bool]]) -> list[tuple[Job, bool]]:
        jobs = []
        for request, anew in requests:
            event = Event.of(request, EventKind.ACCEPTED).to_json()
            if anew:
                self._store.retry(request.id, event)
            jobs.append(
                NewJob(
                    id=request.id,
                    request=request.to_json(),
                    source=request.source,
                    tenant=request.tenant,
                    trace=request.trace_id,
                    priority=request.priority,
                    event=event,
                )
            )
        return self._store.take(jobs) if jobs else []

    def _end(self, endings: Sequence[Ending], undone: Sequence[str]) -> None:
        if endings:
            self._store.finish(endings)
        if undone:
            self._store.give_back(undone)

    async def _call[**P, R](self, call: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await loop.run_in_executor(self._thread, partial(call, *arguments, **named))
            except sqlite3.Error as cause:  # such as a full disk: it may pass
                self._log.write("error", "the job store cannot be used", message=str(cause))
                await asyncio.sleep(_PAUSE)
