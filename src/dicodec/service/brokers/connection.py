"""Keep a broker connected, and repeat failed calls when the connection is back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from dicodec.service.brokers.broker import Broker, BrokerUnavailableError, Delivery, Outgoing
from dicodec.service.jobs.logs import Log

_FIRST_PAUSE, _LONGEST_PAUSE = 0.3, 15.0
"""Seconds between two attempts to connect; each pause is twice as long as the one before."""


class Connection:
    """A connection to a broker for the worker's loops.

    Args:
        broker: the broker; `keep` opens it, `close` closes it.
        log: gets a line for each change of the connection.
    """

    def __init__(self, broker: Broker, log: Log) -> None:
        self.broker = broker
        self._log = log
        self._up = asyncio.Event()
        self._down = asyncio.Event()

    @property
    def up(self) -> bool:
        """Whether the broker was connected at the last call."""
        return self._up.is_set()

    async def keep(self) -> None:
        """Connect, and connect again whenever the connection is lost; never returns."""
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
        """Return messages, or none; see Broker.fetch. It waits while there is no connection."""
        await self._up.wait()
        session = self.broker.session
        try:
            return await self.broker.fetch(count, seconds)
        except BrokerUnavailableError as cause:
            self._reconnect(session, cause)
            return []

    async def deliver(
        self, copies: Sequence[Outgoing], done: Sequence[Delivery], back: Sequence[Delivery] = ()
    ) -> None:
        """Send messages, then acknowledge some and give others back; repeat it until it succeeds.

        If the connection is lost on the way, the part before that may be done twice.

        Args:
            copies: messages to send.
            done: messages to acknowledge.
            back: messages to give back.
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
                self._reconnect(session, cause)
            else:
                return

    async def beat(self, deliveries: Sequence[Delivery]) -> None:
        """Send a heartbeat for messages in work, if there is a connection."""
        session = self.broker.session
        if not self.up:
            return
        try:
            await self.broker.beat(deliveries)
        except BrokerUnavailableError as cause:
            self._reconnect(session, cause)

    def _reconnect(self, session: int, cause: BrokerUnavailableError) -> None:
        """Start a new connection, unless there is one since."""
        if self.up and session == self.broker.session:
            self._log.write("warning", "the connection to the broker was lost", message=str(cause))
            self._up.clear()
            self._down.set()
