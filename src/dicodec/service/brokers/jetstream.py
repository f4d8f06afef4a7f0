"""NATS JetStream: a pull consumer; waiting messages are in a stream of their own until due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from dicodec.service.brokers.broker import (
    NOT_BEFORE,
    Broker,
    BrokerUnavailableError,
    Delivery,
    Outgoing,
    Queue,
    cancel,
    read_headers,
    take_due_time,
)

_EVENTS_KEPT, _EVENTS_SECONDS = 100_000, 24 * 3600.0
"""Number and age of events that are kept."""

_IN_FLIGHT = 100_000
"""Unacknowledged messages of all workers together; the bound of each worker is smaller."""

_RETRY_TURN = 200
"""Waiting messages that are moved at once."""

_ANSWER_SECONDS = 10.0


class NatsBroker(Broker):
    """See the base class. Queues are subjects; streams have the same names with `_` for `.`."""

    _client: Client | None = None
    _context: JetStreamContext
    _messages: JetStreamContext.PullSubscription
    _waiting: JetStreamContext.PullSubscription
    _forwarding: asyncio.Task[None] | None = None
    _streams: dict[str, str]

    async def open(self) -> None:
        """See the base class."""
        await self._disconnect()
        self.session += 1
        self._client = await self._connect()
        async with self._translate_errors():
            self._context = self._client.jetstream(timeout=_ANSWER_SECONDS)
            await self._make_streams()
            if self.options.source is not None:
                self._messages = await self._make_consumer(self.options.queue, _IN_FLIGHT)
            if self.options.source is Queue.REQUESTS:
                self._waiting = await self._make_consumer(self.names.retry, -1)
                self._forwarding = asyncio.create_task(self._forward_due())

    async def close(self) -> None:
        """See the base class."""
        await self._disconnect()

    async def fetch(self, count: int, seconds: float) -> list[Delivery]:
        """See the base class."""
        self._check_open()
        if self._forwarding is not None and self._forwarding.done():
            raise BrokerUnavailableError("waiting messages cannot be read")
        async with self._translate_errors():
            try:
                messages = await self._messages.fetch(count, timeout=seconds)
            except TimeoutError:
                if not self._check_open().is_connected:
                    raise BrokerUnavailableError("the connection was lost") from None
                return []
        return [
            Delivery(
                one.data,
                read_headers((one.headers or {}).items()),
                one,
                self.session,
                one.metadata.timestamp.timestamp(),
            )
            for one in messages
            if one.reply
        ]

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class."""
        await self._reply(deliveries, b"+ACK")

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class."""
        await self._reply(deliveries, b"-NAK")

    async def beat(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class."""
        await self._reply(deliveries, b"+WPI")

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """See the base class."""
        client = self._check_open()
        async with self._translate_errors():
            for one in messages:
                if one.queue is Queue.EVENTS:
                    await client.publish(
                        self.names.events, one.body, headers=dict(one.headers) or None
                    )
            await asyncio.gather(
                *(self._publish(one) for one in messages if one.queue is not Queue.EVENTS)
            )

    async def _publish(self, one: Outgoing) -> None:
        headers = dict(one.headers)
        subject = self.names.find(one.queue)
        if one.queue is Queue.RETRY:
            headers[NOT_BEFORE] = f"{time.time() + one.delay:.3f}"
        try:
            await self._context.publish(subject, one.body, headers=headers or None)
        except MaxPayloadError:
            if not one.body:
                raise
            await self._publish(one.cut())

    async def _reply(self, deliveries: Sequence[Delivery], words: bytes) -> None:
        client = self._check_open()
        async with self._translate_errors():
            for delivery in deliveries:
                message: Msg = (
                    delivery.token
                )  # perhaps of another connection: its reply is still valid
                await client.publish(message.reply, words)
            if deliveries:
                await client.flush(timeout=int(_ANSWER_SECONDS))

    async def _connect(self) -> Client:
        cause: Exception | None = None
        for server in self.url.split(","):
            try:
                return await nats.connect(
                    server, allow_reconnect=False, connect_timeout=5, error_cb=_ignore,
                    ping_interval=10, max_reconnect_attempts=1, reconnect_time_wait=0,
                )  # fmt: skip
            except (NatsError, OSError, TimeoutError) as error:
                cause = error
        raise BrokerUnavailableError.of(cause) from cause

    async def _make_streams(self) -> None:
        names, work, limits = self.names, RetentionPolicy.WORK_QUEUE, RetentionPolicy.LIMITS
        wanted = [
            StreamConfig(_name_stream(names.requests), subjects=[names.requests], retention=work),
            StreamConfig(_name_stream(names.retry), subjects=[names.retry], retention=work),
            StreamConfig(_name_stream(names.dead), subjects=[names.dead], retention=work),
            StreamConfig(
                _name_stream(names.events), subjects=[names.events], retention=limits,
                max_msgs=_EVENTS_KEPT, max_age=_EVENTS_SECONDS, discard=DiscardPolicy.OLD,
            ),
        ]  # fmt: skip
        self._streams = {}
        for config in wanted:
            assert config.subjects is not None
            subject = config.subjects[0]
            try:  # perhaps the operator's, under another name
                name = await self._context.find_stream_name_by_subject(subject)
            except NotFoundError:
                config.storage = StorageType.FILE
                await self._context.add_stream(config)
                name = _name_stream(subject)
            self._streams[subject] = name

    async def _make_consumer(
        self, subject: str, in_flight: int
    ) -> JetStreamContext.PullSubscription:
        config = ConsumerConfig(
            ack_policy=AckPolicy.EXPLICIT, ack_wait=self.options.silence, max_deliver=-1,
            max_ack_pending=in_flight,
        )  # fmt: skip
        stream = self._streams[subject]
        return await self._context.pull_subscribe(subject, self.options.group, stream, config)

    async def _forward_due(self) -> None:
        """Move due messages to the requests; others are delivered again when they are due."""
        while True:
            with suppress(TimeoutError):
                for message in await self._waiting.fetch(_RETRY_TURN, timeout=1):
                    headers = read_headers((message.headers or {}).items())
                    wait = take_due_time(headers) - time.time()
                    if wait > 0:
                        await message.nak(delay=wait)
                        continue
                    await self._context.publish(self.names.requests, message.data, headers=headers)
                    await message.ack()

    def _check_open(self) -> Client:
        if self._client is None or self._client.is_closed:
            raise BrokerUnavailableError("not connected")
        return self._client

    async def _disconnect(self) -> None:
        await cancel(self._forwarding)
        self._forwarding = None
        if self._client is not None:
            with suppress(NatsError, OSError, TimeoutError):
                await self._client.flush(timeout=2)
            with suppress(NatsError, OSError, TimeoutError):
                await self._client.close()
            self._client = None

    @asynccontextmanager
    async def _translate_errors(self) -> AsyncIterator[None]:
        try:
            yield
        except (NatsError, OSError, TimeoutError) as cause:
            raise BrokerUnavailableError.of(cause) from cause


async def _ignore(_: Exception) -> None:
    """Ignore an error that a call raises too; the client would print it."""


def _name_stream(subject: str) -> str:
    return subject.replace(".", "_").replace("*", "_").replace(">", "_")
