"""The service behind the routes: store, executor, runner, folders and numbers as one."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from starlette.requests import Request as HttpRequest

from dicodec.errors import DicodecError, InvalidOptionError, TargetUnavailableError
from dicodec.model.platforms import lock_file
from dicodec.part10.beneath import make_folders, open_private
from dicodec.service.jobs.confinement import AllowedRoots
from dicodec.service.jobs.execution_work import JobOptions
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.runner import StoreRunner
from dicodec.service.jobs.runtime import open_jobs
from dicodec.service.jobs.store.tables import AttemptOutcome, Job
from dicodec.service.jobs.submission import make_job
from dicodec.service.jobs.tracing import Tracing
from dicodec.service.metrics.recording import Metrics
from dicodec.service.web.disk_room import DiskRoom
from dicodec.service.web.error_answers import Refusal
from dicodec.service.web.limits import ConcurrencyLimit, RateLimit
from dicodec.service.web.options import ServiceOptions
from dicodec.service.web.throughput import Throughput
from dicodec.service.web.tickets import Tickets
from dicodec.service.web.zip_stream import ZipEntry

QUEUE_NAME = "queue.sqlite"

_DISCONNECT_SECONDS = 0.5


class Service:
    """A running service.

    Args:
        options: options of the service.
        log: log of the service.
        tracing: records attempts and conversions.

    Raises:
        InvalidOptionError: another service uses the folder.
        TargetUnavailableError: the folder cannot be made or written.
    """

    def __init__(self, options: ServiceOptions, log: Log, tracing: Tracing | None = None) -> None:
        self.options = options
        self.tracing = tracing or Tracing()
        self.log = log
        data = Path(os.path.realpath(options.data))  # it never raises
        self.uploads, self.results, self.spool = data / "uploads", data / "results", data / "spool"
        self.started = time.time()
        self.is_closing: Callable[[], bool] = lambda: False
        self._closing = ExitStack()
        self._lock_folder()
        self._home = _name_home(data / "home")
        for left in self.spool.iterdir():  # files of a service that was killed
            left.unlink(missing_ok=True)
        self.job_options = JobOptions(
            roots=AllowedRoots.of(options.roots, options.roots, closed=[data]),
            own=AllowedRoots.of([self.uploads, self.spool], [self.results, self.spool]),
            policies=options.policies,
        )
        self.store, self.executor = self._closing.enter_context(
            open_jobs(
                options.store or options.data / QUEUE_NAME,
                self.job_options,
                options.execution,
                self._home,
            )
        )
        self.metrics = Metrics(self.store)
        self.throughput = Throughput()
        self.tickets: Tickets[list[ZipEntry]] = Tickets()
        self.rate = RateLimit(options.rate)
        self.places = ConcurrencyLimit(options.concurrent, "conversions")
        self.room = DiskRoom(options.data, options.reserve)
        self.streams = ConcurrencyLimit(options.streams, "listeners")
        self.runner = StoreRunner(
            self.store, self.executor, options.execution.retries, log, self._count, self.tracing
        )

    def _lock_folder(self) -> None:
        """Make the folder, and keep other services out of it."""
        data = self.options.data
        try:
            for folder in (self.uploads, self.results, self.spool):
                make_folders(folder, 0o700)
            for folder in (data, self.uploads, self.results, self.spool):
                folder.chmod(0o700)  # also one that an earlier version or the operator has made
            lock = self._closing.enter_context(open_private(data / "lock"))
            lock_file(lock.fileno())
        except BlockingIOError as cause:
            raise InvalidOptionError(
                "another service is using this folder", path=str(data), hint="--data"
            ) from cause
        except OSError as cause:
            raise TargetUnavailableError(
                f"the folder cannot be used: {cause.strerror}", path=str(data)
            ) from cause

    def start(self) -> None:
        """Start to carry out jobs."""
        self.runner.start()

    def close(self) -> None:
        """Let running jobs finish within the time for that, and close; once is enough."""
        self.runner.stop(self.options.execution.drain)
        self._closing.close()

    def _count(self, job: Job, outcome: AttemptOutcome, report: Mapping[str, Any]) -> None:  # noqa: ARG002
        self.metrics.count_attempt(outcome, report)
        failed = outcome.error_code is not None
        self.throughput.count(failed=failed, size=outcome.source_size or 0)

    # Jobs.

    def put(self, request: Request, *, shown_as: str | None = None) -> tuple[Job, bool]:
        """Add a job to the queue; return it, and whether it is new."""
        # What was uploaded is on this machine, and others may take jobs from the same store.
        home = None if shown_as is None else self._home
        added = self.store.put([make_job(request, shown_as=shown_as, home=home)])
        self.runner.look()
        job = self.store.find(request.id)
        if job is None:
            raise Refusal(409, "the job was removed at once")
        return job, bool(added)

    async def wait_for[Result](self, future: Future[Result], http: HttpRequest) -> Result:
        """Wait for a future; abandon it if the client disconnects.

        Raises:
            DicodecError: the work failed.
            Refusal: the work was abandoned.
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

    def list_uploads(self, tenant: str | None, limit: int) -> list[Job]:
        """Return the jobs of uploaded files that are still kept here, the latest first.

        Args:
            tenant: only jobs of this tenant; None for those that belong to none.
            limit: number of jobs at most.
        """
        times = []
        for path in self.uploads.iterdir():
            with suppress(FileNotFoundError):  # removed meanwhile
                times.append((path.stat().st_mtime, path.stem))
        found: list[Job] = []
        for _, name in sorted(times, reverse=True):
            job = self.store.find(name)
            if job is not None and job.tenant == tenant:
                found.append(job)
            if len(found) == limit:
                break
        return found

    def remove_old_files(self) -> int:
        """Remove old uploads, results and jobs; return the number of removed files."""
        now = time.time()
        removed = 0
        for folder in (self.uploads, self.results):
            for path in folder.iterdir():
                with suppress(OSError):
                    job = self.store.find(path.stem)
                    over = job is None or job.state.over
                    if over and now - path.stat().st_mtime > self.options.keep_files:
                        path.unlink()
                        removed += 1
        while self.store.remove_finished(now - self.options.keep_jobs):
            pass
        return removed

    # Health.

    def find_problems(self) -> dict[str, str]:
        """Return the problems of the service, as error codes by part; empty if there are none."""
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
        self.room.check()
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


def _name_home(file: Path) -> str:
    """Return the name of a service's folder, which is made up once and stays in it."""
    with open_private(file) as home:
        home.seek(0)
        name = home.read().decode("ascii") or uuid.uuid4().hex
        if not home.tell():
            home.write(name.encode())
    return name
