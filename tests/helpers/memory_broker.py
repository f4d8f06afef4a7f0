"""A broker in memory, for a worker that is to meet messages which no broker's client would send."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from dicodec.errors import InternalError, NotDicomError
from dicodec.service.brokers.broker import (
    Broker,
    BrokerOptions,
    Delivery,
    Outgoing,
    Queue,
    read_headers,
)
from dicodec.service.jobs.execution import Executor, ReportProgress
from dicodec.service.jobs.execution_work import ConversionResult, Task

type Message = tuple[bytes, list[tuple[Any, Any]]]
"""Body, and headers as a client hands them over."""


class MemoryBroker(Broker):
    """Delivers messages once, and keeps what it is sent."""

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        super().__init__("memory://", BrokerOptions(prefetch=64))
        self.waiting = [*messages]
        self.acknowledged: list[int] = []
        self.sent: list[Outgoing] = []
        self._delivered = 0

    async def open(self) -> None:
        """Count the connection."""
        self.session += 1

    async def close(self) -> None:
        """Do nothing."""

    async def fetch(self, count: int, seconds: float) -> list[Delivery]:
        """Return the messages that wait."""
        if not self.waiting:
            await asyncio.sleep(min(seconds, 0.01))
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        found = []
        for body, headers in taken:
            found.append(Delivery(body, read_headers(headers), self._delivered, self.session))
            self._delivered += 1
        return found

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Note them."""
        self.acknowledged += [one.token for one in deliveries]

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Do nothing."""

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Keep them, if they are such as any broker takes."""
        for one in messages:
            for name, value in one.headers.items():
                name.encode("ascii")
                assert name == name.lower()
                assert "\n" not in value
                value.encode()
            one.key.encode()
        self.sent += messages

    async def beat(self, deliveries: Sequence[Delivery]) -> None:
        """Do nothing."""

    def sent_to(self, queue: Queue) -> list[Outgoing]:
        """Return what was sent to one of its queues."""
        return [one for one in self.sent if one.queue is queue]


class RefusingExecutor(Executor):
    """Fails every request at once, in no process."""

    def __init__(self) -> None:
        self.jobs = 1
        self.fault: InternalError | None = None

    def submit_group(
        self, tasks: Sequence[Task], progress: Sequence[ReportProgress | None]
    ) -> list[Future[ConversionResult]]:
        """Return failed futures."""
        del progress
        futures: list[Future[ConversionResult]] = []
        for _ in tasks:
            futures.append(Future())
            futures[-1].set_exception(NotDicomError("not DICOM"))
        return futures

    def close(self, patience: float) -> None:
        """Do nothing."""


class HoldingExecutor(RefusingExecutor):
    """Leaves it to the test when and how a request ends."""

    def __init__(self) -> None:
        super().__init__()
        self.futures: list[Future[ConversionResult]] = []

    def submit_group(
        self, tasks: Sequence[Task], progress: Sequence[ReportProgress | None]
    ) -> list[Future[ConversionResult]]:
        """Return futures, and keep them."""
        del progress
        futures: list[Future[ConversionResult]] = [Future() for _ in tasks]
        self.futures += futures
        return futures
