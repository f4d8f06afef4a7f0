"""Redis Streams: a consumer group; waiting messages are in a sorted set by their due times."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from dicodec.service.brokers.broker import (
    Broker,
    BrokerUnavailableError,
    Delivery,
    Outgoing,
    Queue,
    read_headers,
)

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_BODY = "body"
_EVENTS_KEPT = 100_000

_DUE_SECONDS, _MOVED_AT_ONCE = 0.5, 200
"""How often, and how many at once, due messages are moved to the requests."""

_LONG_AGO = 10**9
"""Idle time in milliseconds of messages that are given back, so that any worker takes them."""

_MOVE_DUE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, member in ipairs(due) do
    local fields = cjson.decode(member)
    redis.call('XADD', KEYS[2], '*', unpack(fields.fields))
    redis.call('ZREM', KEYS[1], member)
end
return #due
"""


class RedisBroker(Broker):
    """See the base class. A message is an entry with the field `body`, and headers as fields."""

    _client: Redis | None = None
    _move: Any = None
    _claimed_at = 0.0
    _moved_at = 0.0

    async def open(self) -> None:
        """See the base class."""
        await self._disconnect()
        self.session += 1
        self._client = Redis.from_url(self.url, socket_connect_timeout=5, health_check_interval=15)
        self._move = self._client.register_script(_MOVE_DUE)
        async with self._translate_errors():
            await self._make_group()

    async def close(self) -> None:
        """See the base class."""
        if self._client is None:
            return
        with suppress(RedisError, OSError):
            stream, group = self.options.queue, self.options.group
            pending = await self._client.xpending_range(
                stream, group, "-", "+", 1, consumername=self.consumer
            )
            if not pending:  # its pending messages would be removed too
                await self._client.xgroup_delconsumer(stream, group, self.consumer)
        await self._disconnect()

    async def fetch(self, count: int, seconds: float) -> list[Delivery]:
        """See the base class."""
        client, stream, group = self._check_open(), self.options.queue, self.options.group
        async with self._translate_errors():
            try:
                await self._move_due()
                if time.monotonic() - self._claimed_at > self.options.silence / 4:
                    self._claimed_at = time.monotonic()
                    _, entries, *_ = await client.xautoclaim(
                        stream, group, self.consumer,
                        min_idle_time=int(self.options.silence * 1000), count=count,
                    )  # fmt: skip
                    if len(entries) == count:  # there may be more
                        self._claimed_at = 0.0
                    if entries:
                        return [self._parse_entry(*entry) for entry in entries if entry[1]]
                wait = min(seconds, _DUE_SECONDS)
                answer = await client.xreadgroup(
                    group, self.consumer, {stream: ">"}, count=count, block=max(1, int(wait * 1000))
                )
            except ResponseError as cause:
                if "NOGROUP" not in str(cause):
                    raise
                await self._make_group()  # the broker came back without its data
                return []
        batches = answer.values() if isinstance(answer, dict) else (one[1] for one in answer or [])
        return [self._parse_entry(*entry) for batch in batches for entry in _flatten(batch)]

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class."""
        tokens = [delivery.token for delivery in deliveries]
        if not tokens:
            return
        stream = self.options.queue
        async with self._translate_errors():
            pipeline = self._check_open().pipeline(transaction=True)
            pipeline.xack(stream, self.options.group, *tokens)
            pipeline.xdel(stream, *tokens)
            await pipeline.execute()

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class."""
        tokens = [delivery.token for delivery in deliveries]
        if tokens:
            async with self._translate_errors():
                await self._check_open().xclaim(
                    self.options.queue, self.options.group, "given-back", 0, tokens,
                    idle=_LONG_AGO, justid=True,
                )  # fmt: skip

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """See the base class."""
        async with self._translate_errors():
            pipeline = self._check_open().pipeline(transaction=False)
            for one in messages:
                fields: dict[Any, Any] = {_BODY: one.body, **one.headers}
                if one.queue is Queue.RETRY:
                    due = time.time() + one.delay
                    pipeline.zadd(self.names.retry, {_make_member(fields): due})
                elif one.queue is Queue.EVENTS:
                    pipeline.xadd(self.names.events, fields, maxlen=_EVENTS_KEPT, approximate=True)
                else:
                    pipeline.xadd(self.names.find(one.queue), fields)
            await pipeline.execute()

    async def beat(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class."""
        tokens = [delivery.token for delivery in deliveries]
        if tokens:
            async with self._translate_errors():
                await self._check_open().xclaim(
                    self.options.queue, self.options.group, self.consumer, 0, tokens,
                    justid=True,
                )  # fmt: skip

    async def _make_group(self) -> None:
        try:
            await self._check_open().xgroup_create(
                self.options.queue, self.options.group, id="0", mkstream=True
            )
        except ResponseError as cause:
            if "BUSYGROUP" not in str(cause):
                raise

    async def _move_due(self) -> None:
        if self.options.source is not Queue.REQUESTS or (
            time.monotonic() - self._moved_at < _DUE_SECONDS
        ):
            return
        self._moved_at = time.monotonic()
        keys = [self.names.retry, self.names.requests]
        while await self._move(keys=keys, args=[time.time(), _MOVED_AT_ONCE]) == _MOVED_AT_ONCE:
            await asyncio.sleep(0)

    def _parse_entry(self, token: bytes, fields: dict[bytes, bytes]) -> Delivery:
        headers = read_headers(
            (name, value) for name, value in fields.items() if name != _BODY.encode()
        )
        sent = int(token.partition(b"-")[0]) / 1000  # an id begins with milliseconds
        return Delivery(fields.get(_BODY.encode(), b""), headers, token, self.session, sent)

    def _check_open(self) -> Redis:
        if self._client is None:
            raise BrokerUnavailableError("not connected")
        return self._client

    async def _disconnect(self) -> None:
        if self._client is not None:
            with suppress(RedisError, OSError):
                await self._client.aclose()
            self._client = None

    @asynccontextmanager
    async def _translate_errors(self) -> AsyncIterator[None]:
        try:
            yield
        except (RedisError, OSError, TimeoutError) as cause:
            raise BrokerUnavailableError.of(cause) from cause


def _flatten(batch: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Return the entries of a batch; one protocol of Redis nests them once more."""
    if batch and isinstance(batch[0], list):
        batch = batch[0]
    return [entry for entry in batch if entry[1]]


def _make_member(fields: dict[str, Any]) -> str:
    """Return the fields of an entry with a UTF-8 body as a unique member of the sorted set."""
    listed: list[str] = []
    for name, value in fields.items():
        listed += [name, value.decode() if isinstance(value, bytes) else value]
    return json.dumps({"at": time.time_ns(), "fields": listed})
