"""Open a job store and the executor for its jobs, as `dicodec serve`, `watch` and `worker` do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dicodec.conversion.frames.window import count_cores
from dicodec.model.records import dataclass, field
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.execution_work import JobOptions
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.store.store import LEASE_SECONDS, JobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionOptions:
    """Options for carrying out jobs.

    Attributes:
        jobs: processes at most; None for one a core.
        timeout: seconds that one file may take; None for no bound.
        memory: bytes of resident memory that one process may use; None for `share_memory`.
        retries: rules for further attempts after a failure.
        lease: seconds until the jobs of a killed process are taken up again.
        drain: seconds that conversions get to finish when the program ends.
    """

    jobs: int | None = None
    timeout: float | None = 3600.0
    memory: int | None = None
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    lease: float = LEASE_SECONDS
    drain: float = 30.0


_SHARE = 0.75
"""Of the memory: the rest is for the program itself, and for the cache of the disk."""

_LEAST_MEMORY = 512 << 20
"""Bytes that a process gets on any machine: a file below 1 MB takes 400 MB at most."""

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def share_memory(jobs: int) -> int | None:
    """Return the bytes of memory that each of some processes may use by default.

    Three quarters of the machine's memory, or of the container's, in equal parts.

    Returns:
        At least 512 MB; None if the system does not tell how much memory there is.
    """
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf, others no such names
        return None
    with suppress(OSError, ValueError):  # "max", or no cgroup
        memory = min(memory, int(_CGROUP_LIMIT.read_text(encoding="ascii")))
    return max(int(memory * _SHARE) // jobs, _LEAST_MEMORY)


@contextmanager
def open_jobs(
    place: str | os.PathLike[str],
    jobs: JobOptions,
    execution: ExecutionOptions,
    home: str | None = None,
) -> Iterator[tuple[JobStore, Executor]]:
    """Open a job store and an executor; both are closed at the end, running jobs given back.

    Args:
        place: file of the job store, or URL of a PostgreSQL database.
        jobs: options that all jobs share.
        execution: options for carrying them out.
        home: see `JobStore`.

    Raises:
        InvalidOptionError: it is not a job store.
        TargetUnavailableError: it cannot be made or opened.
    """
    with (
        JobStore(place, lease=execution.lease, home=home) as store,
        Executor(
            jobs,
            jobs=execution.jobs,
            timeout=execution.timeout,
            memory=execution.memory or share_memory(execution.jobs or count_cores()),
        ) as executor,
    ):
        yield store, executor
