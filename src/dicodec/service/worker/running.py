"""Run a worker in an event loop of its own, until signals end it."""

from __future__ import annotations

import asyncio
import logging
import signal

from dicodec.model.platforms import find_ending_signals
from dicodec.service.worker.client_log import ClientLog
from dicodec.service.worker.service import WorkerService


def run_worker(service: WorkerService, *, grace: float) -> None:
    """Work until a signal. Running jobs may finish; a second signal abandons them.

    Args:
        service: the worker.
        grace: seconds that jobs get to finish.

    Raises:
        InternalError: processes cannot be started.
    """
    asyncio.run(_run(service, grace))


async def _run(service: WorkerService, grace: float) -> None:
    hurry = asyncio.Event()
    signals = 0

    def stop() -> None:
        nonlocal signals
        signals += 1
        service.stop()
        if signals > 1:
            hurry.set()

    clients = ClientLog(service.log, service.broker.url)
    logging.getLogger().addHandler(clients)
    logging.captureWarnings(True)  # warnings of clients whose connection broke go to the log too
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, *find_ending_signals())
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        await service.run(grace, hurry)
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
        logging.getLogger().removeHandler(clients)
