"""The executor: carry out requests from any thread in a pool of processes.

The broker worker, the service and `dicodec watch` use it. It knows no queue: the caller of `submit`
waits for the future, and stores its result.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from dicodec.batch.pool.grouping import Grouping
from dicodec.batch.pool.making import make_pool
from dicodec.batch.pool.messages import CleanUp, Work
from dicodec.batch.pool.pool import (
    ItemGroup,
    ItemOutcome,
    ItemProgress,
    ItemReturned,
    PoolEvent,
)
from dicodec.errors import DicodecError, InternalError
from dicodec.model.wording import describe_fault
from dicodec.service.jobs.execution_work import (
    ConversionResult,
    JobOptions,
    Task,
    carry_out,
    clean_up,
)

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, Self

_GROUP_SECONDS, _GROUP_JOBS, _NEWEST_WEIGHT = 0.2, 32, 0.1
"""Time and jobs of a group at most, and share of the newest job in the mean time of jobs."""

_TURN_SECONDS = 0.1
"""How often the executor looks for requests to abandon."""

type ReportProgress = Callable[[int, int], None]
"""Called now and then with the number of written frames and of all frames."""


class _Submission(Future["Any"]):
    """The future of a request, which knows the request's key in the pool."""

    def __init__(self, key: int, progress: ReportProgress | None) -> None:
        super().__init__()
        self.key = key
        self.progress = progress


def make_grouping() -> Grouping:
    """Return the rules for groups of jobs; see `submit_group`."""
    return Grouping(_GROUP_SECONDS, _GROUP_JOBS, _NEWEST_WEIGHT)


class Executor:
    """Carries out requests in processes.

    Args:
        options: options that all jobs share.
        jobs: processes at most; None for one a core.
        timeout: seconds that one file may take; None for no bound.
        memory: bytes of resident memory that one process may use; None for no bound.

    Attributes:
        jobs: processes at most.
        fault: error that ended the executor; None while it works.
    """

    def __init__(
        self,
        options: JobOptions,
        *,
        jobs: int | None = None,
        timeout: float | None = None,
        memory: int | None = None,
    ) -> None:
        self._options = options
        self._pool = make_pool(jobs, timeout=timeout, memory=memory)
        self.jobs = self._pool.jobs
        self._submissions: dict[int, _Submission] = {}
        self._numbers = itertools.count()
        self._unwanted: deque[Future[Any]] = deque()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._discarding = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dicodec-executor", daemon=True)
        self.fault: InternalError | None = None
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close(patience=0)

    @property
    def unfinished(self) -> int:
        """Number of requests that wait or run."""
        return len(self._submissions)

    def submit(
        self, task: Task, progress: ReportProgress | None = None
    ) -> Future[ConversionResult]:
        """Carry out a request.

        Returns:
            Future of the result, or of a DicodecError. It is cancelled if the request was
            abandoned, or did not start because the executor was closed.
        """
        return self.submit_group([task], [progress])[0]

    def submit_group(
        self, tasks: Sequence[Task], progress: Sequence[ReportProgress | None]
    ) -> list[Future[ConversionResult]]:
        """Carry out requests one after the other in one process: faster for small files."""
        return self.run(carry_out, self._options, tasks, progress, clean_up)

    def run(
        self,
        work: Work,
        settings: Any,
        items: Sequence[Any],
        progress: Sequence[ReportProgress | None],
        clean_up: CleanUp | None = None,
    ) -> list[Future[Any]]:
        """Do other work in the pool, one item after the other; see `dicodec.batch.pool.pool`."""
        submissions = [_Submission(next(self._numbers), report) for report in progress]
        with self._lock:
            if self._stopping.is_set() or self.fault is not None:
                for submission in submissions:
                    submission.cancel()
            else:
                self._submissions.update((one.key, one) for one in submissions)
                keys = [one.key for one in submissions]
                self._pool.submit(ItemGroup(work, settings, items, keys, clean_up=clean_up))
        return [*submissions]

    def give_up(self, future: Future[Any]) -> None:
        """Abandon a request; its future is cancelled soon, unless the request ends before."""
        self._unwanted.append(future)

    def close(self, patience: float) -> None:
        """Start no further request, let running ones finish, and end the processes.

        Args:
            patience: seconds until running requests are abandoned.
        """
        with self._lock:
            self._stopping.set()
        self._thread.join(patience)
        self._discarding.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._pool:
                self._serve()
                self._hear(self._pool.discard())
        except InternalError as fault:
            self._break(fault)
        except Exception as cause:  # the thread ends, and waiting jobs have to be told
            self._break(InternalError(describe_fault(cause)))

    def _serve(self) -> None:
        stopped = False
        while not self._discarding.is_set():
            self._hear(self._pool.wait(_TURN_SECONDS))
            while self._unwanted:
                self._give_up(self._unwanted.popleft())
            if self._stopping.is_set() and not stopped:
                stopped = True
                self._hear(self._pool.stop())
            if stopped and not self._pool.busy:
                return

    def _give_up(self, future: Future[Any]) -> None:
        if isinstance(future, _Submission) and future.key in self._submissions:
            self._hear(self._pool.give_up(future.key))

    def _hear(self, events: Sequence[PoolEvent]) -> None:
        for event in events:
            match event:
                case ItemProgress(key, value):
                    submission = self._submissions.get(key)
                    if submission is not None and submission.progress is not None:
                        submission.progress(*value)
                case ItemReturned(key):
                    self._submissions.pop(key).cancel()
                case ItemOutcome(key, result, error):
                    _settle(self._submissions.pop(key), result, error)

    def _break(self, fault: InternalError) -> None:
        """Fail all requests, because no process can be started any more."""
        with self._lock:
            self.fault = fault
            submissions = [*self._submissions.values()]
            self._submissions.clear()
        for submission in submissions:
            _settle(submission, None, fault)


def _settle(future: Future[Any], result: Any, error: DicodecError | None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
