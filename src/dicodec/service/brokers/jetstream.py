"""NATS JetStream: a pull consumer; what waits is in a stream of its own until it is due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
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
    Place,
    due_of,
)

_EVENTS_KEPT = 100_000
_EVENTS_SECONDS = 24 * 3600.0
_IN_FLIGHT = 100_000
"""Messages of all workers together that may be taken; our own bound is below."""

_RETRY_TURN = 200
_ANSWER_SECONDS = 10.0


class NatsBroker(Broker):
    """See the base class. Queues are subjects; streams have their names with `_` for `.`."""

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
        self._client = await self._connected()
        async with self._answers():
            self._context = self._client.jetstream(timeout=_ANSWER_SECONDS)
            await self._make_streams()
            if self.how.source is not None:
                self._messages = await self._consumer(self.how.queue, _IN_FLIGHT)
            if self.how.source is Place.REQUESTS:
                self._waiting = await self._consumer(self.names.retry, -1)
                self._forwarding = asyncio.create_task(self._forward_due())

    async def close(self) -> None:
        """See the base class."""
        await self._disconnect()

    async def fetch(self, count: int, seconds: float) -> list[Delivery]:
        """See the base class."""
        self._there()
        if self._forwarding is not None and self._forwarding.done():
            raise BrokerUnavailableError("what waits cannot be read")
        async with self._answers():
            try:
                messages = await self._messages.fetch(count, timeout=seconds)
            except TimeoutError:
                if not self._there().is_connected:
                    raise BrokerUnavailableError("the connection was lost") from None
                return []
        return [
            Delivery(one.data, _lower(one.headers), one, self.session)
            for one in messages
            if one.reply
        ]

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class."""
        await self._answer(deliveries, b"+ACK")

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class."""
        await self._answer(deliveries, b"-NAK")

    async def beat(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class."""
        await self._answer(deliveries, b"+WPI")

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """See the base class."""
        client = self._there()
        async with self._answers():
            for one in messages:
                if one.place is Place.EVENTS:
                    await client.publish(self.names.events, one.body)
            await asyncio.gather(
                *(self._publish(one) for one in messages if one.place is not Place.EVENTS)
            )

    async def _publish(self, one: Outgoing) -> None:
        headers = dict(one.headers)
        subject = {
            Place.REQUESTS: self.names.requests,
            Place.RETRY: self.names.retry,
            Place.DEAD: self.names.dead,
        }[one.place]
        if one.place is Place.RETRY:
            headers[NOT_BEFORE] = f"{time.time() + one.delay:.3f}"
        await self._context.publish(subject, one.body, headers=headers or None)

    async def _answer(self, deliveries: Sequence[Delivery], words: bytes) -> None:
        client = self._there()
        async with self._answers():
            for delivery in deliveries:
                message: Msg = delivery.token  # of another connection, perhaps: its reply still is
                await client.publish(message.reply, words)
            if deliveries:
                await client.flush(timeout=int(_ANSWER_SECONDS))

    async def _connected(self) -> Client:
        cause: Exception | None = None
        for server in self.url.split(","):
            try:
                return await nats.connect(
                    server, allow_reconnect=False, connect_timeout=5, error_cb=_ignore,
                    ping_interval=10, max_reconnect_attempts=1, reconnect_time_wait=0,
                )  # fmt: skip
            except (NatsError, OSError, TimeoutError) as error:
                cause = error
        raise BrokerUnavailableError(str(cause) or type(cause).__name__) from cause

    async def _make_streams(self) -> None:
        names, work, limits = self.names, RetentionPolicy.WORK_QUEUE, RetentionPolicy.LIMITS
        wanted = [
            StreamConfig(_stream(names.requests), subjects=[names.requests], retention=work),
            StreamConfig(_stream(names.retry), subjects=[names.retry], retention=work),
            StreamConfig(_stream(names.dead), subjects=[names.dead], retention=work),
            StreamConfig(
                _stream(names.events), subjects=[names.events], retention=limits,
                max_msgs=_EVENTS_KEPT, max_age=_EVENTS_SECONDS, discard=DiscardPolicy.OLD,
            ),
        ]  # fmt: skip
        self._streams = {}
        for config in wanted:
            assert config.subjects is not None
            subject = config.subjects[0]
            try:  # the operator's, perhaps, under another name
                name = await self._context.find_stream_name_by_subject(subject)
            except NotFoundError:
                config.storage = StorageType.FILE
                await self._context.add_stream(config)
                name = _stream(subject)
            self._streams[subject] = name

    async def _consumer(self, subject: str, in_flight: int) -> JetStreamContext.PullSubscription:
        config = ConsumerConfig(
            ack_policy=AckPolicy.EXPLICIT, ack_wait=self.how.silence, max_deliver=-1,
            max_ack_pending=in_flight,
        )  # fmt: skip
        stream = self._streams[subject]
        return await self._context.pull_subscribe(subject, self.how.group, stream, config)

    async def _forward_due(self) -> None:
        """Move what is due to the requests; what is not is delivered again when it is."""
        while True:
            with suppress(TimeoutError):
                for message in await self._waiting.fetch(_RETRY_TURN, timeout=1):
                    headers = _lower(message.headers)
                    wait = due_of(headers) - time.time()
                    if wait > 0:
                        await message.nak(delay=wait)
                        continue
                    await self._context.publish(self.names.requests, message.data, headers=headers)
                    await message.ack()

    def _there(self) -> Client:
        if self._client is None or self._client.is_closed:
            raise BrokerUnavailableError("not connected")
        return self._client

    async def _disconnect(self) -> None:
        if self._forwarding is not None:
            self._forwarding.cancel()
            await asyncio.gather(self._forwarding, return_exceptions=True)
            self._forwarding = None
        if self._client is not None:
            with suppress(NatsError, OSError, TimeoutError):
                await self._client.flush(timeout=2)
            with suppress(NatsError, OSError, TimeoutError):
                await self._client.close()
            self._client = None

    @asynccontextmanager
    async def _answers(self) -> AsyncIterator[None]:
        try:
            yield
        except (NatsError, OSError, TimeoutError) as cause:
            raise BrokerUnavailableError(str(cause) or type(cause).__name__) from cause


async def _ignore(_: Exception) -> None:
    """Be told of an error that a call raises too; the client would print it."""


def _stream(subject: str) -> str:
    return subject.replace(".", "_").replace("*", "_").replace(">", "_")


def _lower(headers: dict[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}
