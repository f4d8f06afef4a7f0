"""A broker that is kept connected: what it refuses is tried again once it is back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from dicodec.service.brokers.broker import Broker, BrokerUnavailableError, Delivery, Outgoing
from dicodec.service.jobs.logs import Log

_FIRST_PAUSE, _LONGEST_PAUSE = 0.3, 15.0


class Connection:
    """The broker, as the worker's loops use it.

    Args:
        broker: opened by `keep`, closed by `close`.
        log: that what happens to the connection is written to.
    """

    def __init__(self, broker: Broker, log: Log) -> None:
        self.broker = broker
        self._log = log
        self._up = asyncio.Event()
        self._down = asyncio.Event()

    @property
    def up(self) -> bool:
        """Whether the broker is connected, as far as is known."""
        return self._up.is_set()

    async def keep(self) -> None:
        """Connect, and connect anew whenever the connection is lost; does not return."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self.broker.open()
            except BrokerUnavailableError as cause:
                self._log.write("warning", "the broker cannot be reached", message=str(cause))
                await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - no secret
                pause = min(_LONGEST_PAUSE, pause * 2)
                continue
            self._log.write("info", "connected to the broker")
            pause = _FIRST_PAUSE
            self._down.clear()
            self._up.set()
            await self._down.wait()

    async def close(self) -> None:
        """Disconnect."""
        await self.broker.close()

    async def fetch(self, count: int, seconds: float) -> list[Delivery]:
        """Return messages, or none; see Broker.fetch. Waits while there is no connection."""
        await self._up.wait()
        session = self.broker.session
        try:
            return await self.broker.fetch(count, seconds)
        except BrokerUnavailableError as cause:
            self._lost(session, cause)
            return []

    async def deliver(
        self, copies: Sequence[Outgoing], done: Sequence[Delivery], back: Sequence[Delivery] = ()
    ) -> None:
        """Send, and only then acknowledge some messages and give others back; until it is done.

        The part that was done when a connection is lost may be done twice.
        """
        while True:
            await self._up.wait()
            session = self.broker.session
            try:
                if copies:
                    await self.broker.send(copies)
                await self.broker.acknowledge(done)
                await self.broker.give_back(back)
            except BrokerUnavailableError as cause:
                self._lost(session, cause)
            else:
                return

    async def beat(self, deliveries: Sequence[Delivery]) -> None:
        """Say that messages are being worked at, if there is a connection."""
        session = self.broker.session
        if not self.up:
            return
        try:
            await self.broker.beat(deliveries)
        except BrokerUnavailableError as cause:
            self._lost(session, cause)

    def _lost(self, session: int, cause: BrokerUnavailableError) -> None:
        """Have the connection made anew, unless it has been since."""
        if self.up and session == self.broker.session:
            self._log.write("warning", "the connection to the broker was lost", message=str(cause))
            self._up.clear()
            self._down.set()
