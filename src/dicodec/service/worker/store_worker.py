"""A worker without a broker: it takes jobs straight from a store, until a signal."""

from __future__ import annotations

import signal
import threading

from dicodec.model.platforms import find_ending_signals
from dicodec.part10.beneath import touch
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.runner import StoreRunner
from dicodec.service.jobs.runtime import ExecutionOptions
from dicodec.service.jobs.store.store import BEATS_PER_LEASE, JobStore
from dicodec.service.jobs.tracing import Tracing
from dicodec.service.metrics.counting import Counting


def run_store_worker(
    store: JobStore,
    executor: Executor,
    execution: ExecutionOptions,
    log: Log,
    metrics: Counting,
    tracing: Tracing,
    alive_file: str | None = None,
) -> None:
    """Work until a signal. Running jobs may finish, and are given back if that takes too long.

    Args:
        store: the store; the caller closes it.
        executor: carries out the jobs.
        execution: options for that.
        log: gets a line for each attempt.
        metrics: counts the attempts.
        tracing: records them.
        alive_file: path of a file that is touched as long as jobs can be carried out; None for
            none.
    """
    stopping = threading.Event()
    numbers = (signal.SIGINT, *find_ending_signals())
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in numbers}
    runner = StoreRunner(
        store, executor, execution.retries, log,
        lambda _, outcome, report: metrics.count_attempt(outcome, report), tracing,
    )  # fmt: skip
    runner.start()
    log.write("info", "working", jobs=executor.jobs)
    try:
        while not stopping.wait(store.lease / BEATS_PER_LEASE):
            if alive_file is not None and runner.alive:
                touch(alive_file)
    finally:
        log.write("info", "stopping")
        runner.stop(execution.drain)
        for number, handler in before.items():
            signal.signal(number, handler)
    log.write("info", "ended")
