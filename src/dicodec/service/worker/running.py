"""Running a worker's service in an event loop of its own, until signals end it."""

from __future__ import annotations

import asyncio
import logging
import signal

from dicodec.service.brokers.broker import Broker
from dicodec.service.ending_signals import ending_signals
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.worker.options import Conduct
from dicodec.service.worker.service import WorkerService


def run_worker(
    broker: Broker,
    store: JobStore,
    executor: Executor,
    log: Log,
    conduct: Conduct,
    *,
    grace: float,
) -> None:
    """Work until a signal; what is worked at is finished, at the second signal given up.

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

    clients = _ClientsWords(log, broker.url)
    logging.getLogger().addHandler(clients)
    logging.captureWarnings(True)  # of clients whose connection broke: lines of the log too
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, *ending_signals())
    for number in numbers:
        loop.add_signal_handler(number, hear)
    try:
        await service.run(grace, hurry)
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
        logging.getLogger().removeHandler(clients)


class _ClientsWords(logging.Handler):
    """Writes what the brokers' clients have to say as lines of our own."""

    def __init__(self, log: Log, url: str) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        credentials = url.partition("://")[2].rpartition("@")[0]
        self._secrets = [url, *filter(None, (credentials, credentials.partition(":")[2]))]

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, without the broker's password."""
        text = record.getMessage()
        for secret in self._secrets:
            text = text.replace(secret, "***")
        level = "error" if record.levelno >= logging.ERROR else "warning"
        self._log.write(level, "the broker's client says", client=record.name, message=text[:500])
