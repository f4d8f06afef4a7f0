"""RabbitMQ: quorum queues; waiting messages expire in a queue by delay and are requests again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import aio_pika
from aio_pika.abc import (
    AbstractChannel,
    AbstractConnection,
    AbstractExchange,
    AbstractIncomingMessage,
)
from aio_pika.exceptions import AMQPError, ChannelPreconditionFailed
from aiormq.exceptions import AMQPError as LowerError

from dicodec.service.brokers.broker import (
    RETRY_TIERS,
    Broker,
    BrokerUnavailableError,
    Delivery,
    Outgoing,
    Queue,
    choose_tier,
    read_headers,
)

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_ANSWER_SECONDS = 15.0
_DELIVERIES = 1000
"""Deliveries until RabbitMQ itself makes a dead letter; we do so long before."""

_JOB_MILLISECONDS = 24 * 3600 * 1000
"""How long a delivery may stay unacknowledged; before RabbitMQ 3.12 a setting of the server."""

_GONE = (AMQPError, LowerError, OSError, TimeoutError, RuntimeError, asyncio.InvalidStateError)


class RabbitBroker(Broker):
    """See the base class. Events go to a topic exchange, to which clients bind queues."""

    remembers = False

    _connection: AbstractConnection | None = None
    _consuming: AbstractChannel
    _sending: AbstractChannel
    _events: AbstractExchange

    async def open(self) -> None:
        """See the base class."""
        await self._disconnect()
        self.session += 1
        self._delivered: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        async with self._translate_errors():
            self._connection = await aio_pika.connect(self.url, timeout=_ANSWER_SECONDS)
            self._sending = await self._connection.channel(publisher_confirms=True)
            await self._make_queues(self._connection)
            self._consuming = await self._connection.channel()
            if self.options.source is None:
                return
            await self._consuming.set_qos(prefetch_count=self.options.prefetch)
            queue = await self._consuming.get_queue(self.options.queue, ensure=False)
            await queue.consume(self._delivered.put)

    async def close(self) -> None:
        """See the base class."""
        await self._disconnect()

    async def fetch(self, count: int, seconds: float) -> list[Delivery]:
        """See the base class."""
        self._check_open()
        messages: list[AbstractIncomingMessage] = []
        with suppress(TimeoutError):
            messages.append(await asyncio.wait_for(self._delivered.get(), seconds))
        while messages and len(messages) < count and not self._delivered.empty():
            messages.append(self._delivered.get_nowait())
        return [
            Delivery(
                one.body,
                read_headers((one.headers or {}).items()),
                one,
                self.session,
                None if one.timestamp is None else one.timestamp.timestamp(),
            )
            for one in messages
        ]

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class."""
        async with self._translate_errors():
            for delivery in self._select_current(deliveries):
                await delivery.token.ack()

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class."""
        async with self._translate_errors():
            for delivery in self._select_current(deliveries):
                await delivery.token.reject(requeue=True)

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """See the base class."""
        self._check_open()
        async with self._translate_errors():
            await asyncio.wait_for(asyncio.gather(*map(self._publish, messages)), _ANSWER_SECONDS)

    async def beat(self, deliveries: Sequence[Delivery]) -> None:  # noqa: ARG002
        """See the base class: the connection itself has heartbeats."""
        self._check_open()

    async def _publish(self, one: Outgoing) -> None:
        message = aio_pika.Message(
            one.body,
            headers=dict(one.headers),
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            content_type="application/json",
            timestamp=int(time.time()),
            expiration=one.delay if one.queue is Queue.RETRY else None,
        )
        if one.queue is Queue.EVENTS:
            await self._events.publish(message, one.headers.get("dicodec-event", ""),
                mandatory=False)  # fmt: skip
            return
        queue = self.names.find(one.queue)
        if one.queue is Queue.RETRY:
            queue = self.names.name_tier(choose_tier(one.delay))
        await self._sending.default_exchange.publish(message, queue)

    async def _make_queues(self, connection: AbstractConnection) -> None:
        quorum: dict[str, Any] = {"x-queue-type": "quorum"}
        dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": self.names.dead}
        back = {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": self.names.requests,
            # An expired message is kept until the other queue has it.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        limit = {"x-delivery-limit": _DELIVERIES, "x-consumer-timeout": _JOB_MILLISECONDS}
        wanted: dict[str, dict[str, Any]] = {
            self.names.dead: quorum,
            self.names.requests: {**dead, **limit},
            **{self.names.name_tier(tier): back for tier in RETRY_TIERS},
        }
        for name, arguments in wanted.items():
            try:
                await self._sending.declare_queue(
                    name, durable=True, arguments={**quorum, **arguments}, timeout=_ANSWER_SECONDS
                )
            except ChannelPreconditionFailed:  # the operator made it, with other arguments
                self._sending = await connection.channel(publisher_confirms=True)
        self._events = await self._sending.declare_exchange(
            self.names.events, aio_pika.ExchangeType.TOPIC, durable=True
        )

    def _select_current(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        self._check_open()
        return [delivery for delivery in deliveries if delivery.session == self.session]

    def _check_open(self) -> None:
        if (
            self._connection is None
            or self._connection.is_closed
            or self._consuming.is_closed
            or self._sending.is_closed
        ):
            raise BrokerUnavailableError("the connection was lost")

    async def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(*_GONE):
                await self._connection.close()
            self._connection = None

    @asynccontextmanager
    async def _translate_errors(self) -> AsyncIterator[None]:
        try:
            yield
        except _GONE as cause:
            raise BrokerUnavailableError.of(cause) from cause
        except asyncio.CancelledError as cause:  # the client cancels calls that wait for an answer
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise BrokerUnavailableError("the connection was lost") from cause
