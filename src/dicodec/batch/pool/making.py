"""Make the pool that this system can have: of processes, or of threads."""

from __future__ import annotations

from dicodec.batch.pool.pool import Pool
from dicodec.model.platforms import HAS_WORKER_PROCESSES

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.batch.pool.messages import Preparation
    from dicodec.batch.pool.template import Template


def make_pool(
    jobs: int | None = None,
    *,
    timeout: float | None = None,
    memory: int | None = None,
    preparation: Preparation | None = None,
    forks: bool = False,
    template: Template | None = None,
) -> Pool:
    """Return a pool; see `Pool` for the arguments.

    Raises:
        InvalidOptionError: a bound on time or memory is asked for where there are only threads.
    """
    if HAS_WORKER_PROCESSES:
        return Pool(
            jobs,
            timeout=timeout,
            memory=memory,
            preparation=preparation,
            forks=forks,
            template=template,
        )
    from dicodec.batch.pool.thread_pool import ThreadPool

    return ThreadPool(jobs, timeout=timeout, memory=memory)
