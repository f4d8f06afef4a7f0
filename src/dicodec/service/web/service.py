"""What the routes share: store, executor, runner, folders, numbers; begun and ended as one."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from starlette.requests import Request as HttpRequest

from dicodec.errors import DicodecError, DiskFullError, InvalidOptionError, TargetUnavailableError
from dicodec.service.jobs.confinement import Roots
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.execution_work import JobRules
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.runner import StoreRunner
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import Ending, Job
from dicodec.service.jobs.submission import new_job
from dicodec.service.web.error_answers import Refusal
from dicodec.service.web.limits import Places, RateLimit
from dicodec.service.web.metrics import Metrics
from dicodec.service.web.settings import ServiceSettings
from dicodec.service.web.throughput import Throughput

QUEUE_NAME = "queue.sqlite"

_DISCONNECT_SECONDS = 0.5


class Service:
    """A running service.

    Args:
        settings: of the operator.
        log: of the service.

    Raises:
        InvalidOptionError: another service uses the folder.
        TargetUnavailableError: the folder cannot be made or written to.
    """

    def __init__(self, settings: ServiceSettings, log: Log) -> None:
        self.settings = settings
        self.log = log
        self.uploads = settings.data / "uploads"
        self.results = settings.data / "results"
        self.spool = settings.data / "spool"
        self.started = time.time()
        self.is_closing: Callable[[], bool] = lambda: False
        try:
            for folder in (self.uploads, self.results, self.spool):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (settings.data / "lock").open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            raise InvalidOptionError(
                "another service is using this folder", path=str(settings.data), hint="--data"
            ) from cause
        except OSError as cause:
            raise TargetUnavailableError(
                f"the folder cannot be used: {cause.strerror}", path=str(settings.data)
            ) from cause
        for left in self.spool.iterdir():  # of a service that was killed
            left.unlink(missing_ok=True)
        self.named_roots = Roots.of(settings.roots, settings.roots)
        """Where jobs by path may lead; uploads of others are not among it."""
        self.store = JobStore(settings.data / QUEUE_NAME, lease=settings.lease)
        own = (self.uploads, self.results, self.spool)
        self.rules = JobRules(
            roots=Roots.of([*settings.roots, *own], [*settings.roots, *own]),
            policies=settings.policies,
        )
        self.executor = Executor(
            self.rules,
            jobs=settings.jobs,
            timeout=settings.timeout,
            memory=settings.memory,
        )
        self.metrics = Metrics(self.store)
        self.throughput = Throughput()
        self.rate = RateLimit(settings.rate)
        self.places = Places(settings.concurrent, "conversions")
        self.streams = Places(settings.streams, "listeners")
        self.runner = StoreRunner(self.store, self.executor, settings.retries, log, self._observe)

    def start(self) -> None:
        """Begin to carry out jobs."""
        self.runner.start()

    def close(self) -> None:
        """Let what is worked at come to its end, within the time for that, and close."""
        self.runner.stop(self.settings.drain)
        self.store.close()
        self._lock.close()

    def _observe(self, job: Job, ending: Ending, report: Mapping[str, Any]) -> None:
        self.metrics.of_job(job, ending, report)
        failed = ending.error_code is not None
        self.throughput.count(failed=failed, size=ending.source_size or 0)

    # Jobs.

    def put(self, request: Request, *, shown_as: str | None = None) -> tuple[Job, bool]:
        """Put a job into the queue; return it, and whether it is new."""
        added = self.store.put([new_job(request, shown_as=shown_as)])
        self.runner.look()
        job = self.store.find(request.id)
        if job is None:
            raise Refusal(409, "the job was removed at once")
        return job, bool(added)

    def check_room(self, size: int) -> None:
        """Make sure that a file has room on the disk.

        Raises:
            DiskFullError: it has none.
        """
        free = shutil.disk_usage(self.settings.data).free
        if free - size < self.settings.reserve:
            raise DiskFullError("no room is left for files", path=str(self.settings.data))

    async def outcome[Result](self, future: Future[Result], http: HttpRequest) -> Result:
        """Wait for what a future comes to; give it up when the client goes.

        Raises:
            DicodecError: it failed.
            Refusal: it was given up.
        """
        waiting = asyncio.wrap_future(future)
        try:
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=_DISCONNECT_SECONDS)
                if not waiting.done() and await http.is_disconnected():
                    raise Refusal(503, "the client has gone")
        except BaseException:
            self.executor.give_up(future)
            raise
        if waiting.cancelled():
            raise Refusal(503, "the service is ending", headers={"Retry-After": "5"})
        return waiting.result()

    def remove_old_files(self) -> int:
        """Remove uploads and results that were kept long enough, and forget old jobs."""
        now = time.time()
        removed = 0
        for folder in (self.uploads, self.results):
            for path in folder.iterdir():
                with suppress(OSError):
                    job = self.store.find(path.stem)
                    over = job is None or job.state.over
                    if over and now - path.stat().st_mtime > self.settings.keep_files:
                        path.unlink()
                        removed += 1
        while self.store.remove_finished(now - self.settings.keep_jobs):
            pass
        return removed

    # Whether all is well.

    def problems(self) -> dict[str, str]:
        """Return what keeps the service from its work: part and reason; empty where all is well."""
        checks: dict[str, Callable[[], None]] = {
            "store": self.store.check,
            "disk": self._check_disk,
            "workers": self._check_workers,
        }
        found = {}
        for name, check in checks.items():
            try:
                check()
            except DicodecError as error:
                found[name] = error.code
        return found

    def _check_disk(self) -> None:
        self.check_room(0)
        probe = self.spool / f"probe-{uuid.uuid4().hex}"
        try:
            probe.write_bytes(b"1")
        except OSError as cause:
            raise TargetUnavailableError(str(cause.strerror), path=os.fspath(probe)) from cause
        finally:
            probe.unlink(missing_ok=True)

    def _check_workers(self) -> None:
        if not self.runner.alive or self.is_closing():
            raise TargetUnavailableError("jobs are not carried out")
