"""Running a worker's service in an event loop of its own, until signals end it."""

from __future__ import annotations

import asyncio
import signal

from dicodec.jobs.execution import Executor
from dicodec.jobs.logs import Log
from dicodec.jobs.store import JobStore
from dicodec.worker.broker import Broker
from dicodec.worker.service import Conduct, WorkerService


def run_worker(
    broker: Broker,
    store: JobStore,
    executor: Executor,
    log: Log,
    conduct: Conduct,
    *,
    grace: float,
) -> None:
    """Work until SIGTERM or SIGINT; what is worked at is finished, at the second one given up.

    Args:
        broker: see WorkerService, as for the others.
        store: of jobs.
        executor: that carries them out.
        log: that each attempt is written to.
        conduct: how the worker goes about it.
        grace: seconds that conversions get to finish.

    Raises:
        InternalError: processes cannot be started.
    """
    asyncio.run(_run(broker, store, executor, log, conduct, grace))


async def _run(
    broker: Broker,
    store: JobStore,
    executor: Executor,
    log: Log,
    conduct: Conduct,
    grace: float,
) -> None:
    service = WorkerService(broker, store, executor, log, conduct)
    hurry = asyncio.Event()
    signals = 0

    def hear() -> None:
        nonlocal signals
        signals += 1
        service.stop()
        if signals > 1:
            hurry.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, hear)
    try:
        await service.run(grace, hurry)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
