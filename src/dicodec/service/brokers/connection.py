"""Keep a broker connected, and repeat failed calls when the connection is back."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress

from dicodec.service.brokers.broker import Broker, BrokerUnavailableError, Delivery, Outgoing
from dicodec.service.jobs.logs import Log

_FIRST_PAUSE, _LONGEST_PAUSE = 0.3, 15.0
"""Seconds between two attempts to connect; each pause is twice as long as the one before."""

_LOOK_SECONDS = 1.0
"""How often a broker is asked whether it is there."""


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
        self._lost_at: float | None = None

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
                self._note_loss("the broker cannot be reached", str(cause))
                await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - no secret
                pause = min(_LONGEST_PAUSE, pause * 2)
                continue
            self._note_connection()
            pause = _FIRST_PAUSE
            self._down.clear()
            self._up.set()
            await self._watch()

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

    async def _watch(self) -> None:
        """Wait until the connection is lost, and notice losses that a client mends itself."""
        while not self._down.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._down.wait(), _LOOK_SECONDS)
            asked = time.monotonic()
            if await self.broker.answers():
                if self._lost_at is not None and self.up:
                    self._note_connection()
            elif self._lost_at is None:
                self._note_loss("the broker does not answer", since=asked)

    def _note_loss(
        self, event: str, message: str | None = None, since: float | None = None
    ) -> None:
        self._log.write("warning", event, message=message)
        if self._lost_at is None:
            self._lost_at = time.monotonic() if since is None else since

    def _note_connection(self) -> None:
        """Say that the broker is there, and how many seconds it was away, if it was."""
        lost, self._lost_at = self._lost_at, None
        away = None if lost is None else round(time.monotonic() - lost, 1)
        self._log.write("info", "connected to the broker", away=away)

    def _reconnect(self, session: int, cause: BrokerUnavailableError) -> None:
        """Start a new connection, unless there is one since."""
        if self.up and session == self.broker.session:
            self._note_loss("the connection to the broker was lost", str(cause))
            self._up.clear()
            self._down.set()
