"""Producers and readers of brokers that know nothing of dicodec: the clients' own calls only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

QUEUE = "dicodec.requests"

type Letter = tuple[bytes, dict[str, str]]
"""Body and headers."""


def produce(kind: str, url: str, bodies: Sequence[bytes], queue: str = QUEUE) -> None:
    """Send messages; the queues are there."""
    asyncio.run(_PRODUCE[kind](url, queue, bodies))


def dead_letters(kind: str, url: str, queue: str = QUEUE) -> list[Letter]:
    """Return what is in the queue of dead letters, and leave it there."""
    return asyncio.run(_DEAD[kind](url, f"{queue}.dead"))


def history(letter: Letter) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(letter[1]["dicodec-history"])
    return found


async def _to_redis(url: str, queue: str, bodies: Sequence[bytes]) -> None:
    from redis.asyncio import Redis

    async with Redis.from_url(url) as client:
        for body in bodies:
            await client.xadd(queue, {"body": body})


async def _dead_at_redis(url: str, queue: str) -> list[Letter]:
    from redis.asyncio import Redis

    async with Redis.from_url(url) as client:
        found: list[Letter] = []
        entries: Any = await client.xrange(queue)
        for _, fields in entries:
            texts = {name.decode(): value for name, value in fields.items()}
            body = texts.pop("body")
            found.append((body, {name: value.decode() for name, value in texts.items()}))
        return found


async def _to_nats(url: str, queue: str, bodies: Sequence[bytes]) -> None:
    import nats

    client = await nats.connect(url)
    stream = client.jetstream()
    for body in bodies:
        await stream.publish(queue, body)
    await client.close()


async def _dead_at_nats(url: str, queue: str) -> list[Letter]:
    import nats
    from nats.js.errors import NotFoundError

    client = await nats.connect(url)
    stream = client.jetstream()
    name = queue.replace(".", "_")
    state = (await stream.stream_info(name)).state
    found = []
    for number in range(max(1, state.first_seq), state.last_seq + 1):
        with suppress(NotFoundError):  # one that was taken
            message = await stream.get_msg(name, number)
            found.append((message.data or b"", dict(message.headers or {})))
    await client.close()
    return found


async def _to_rabbitmq(url: str, queue: str, bodies: Sequence[bytes]) -> None:
    import aio_pika

    async with await aio_pika.connect(url) as connection:
        exchange = (await connection.channel()).default_exchange
        for body in bodies:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await exchange.publish(message, queue)


async def _dead_at_rabbitmq(url: str, queue: str) -> list[Letter]:
    import aio_pika

    found = []
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        there = await channel.get_queue(queue)
        # Not acknowledged, they go back when the connection closes.
        while (message := await there.get(fail=False)) is not None:
            headers = {name: str(value) for name, value in message.headers.items()}
            found.append((message.body, headers))
    return found


async def _to_kafka(url: str, queue: str, bodies: Sequence[bytes]) -> None:
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=urlsplit(url).netloc)
    await producer.start()
    for number, body in enumerate(bodies):
        await producer.send(queue, body, key=str(number).encode())
    await producer.stop()


async def _dead_at_kafka(url: str, queue: str) -> list[Letter]:
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(
        queue, bootstrap_servers=urlsplit(url).netloc, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: list[Letter] = []
    try:
        while batches := await consumer.getmany(timeout_ms=1500):
            for records in batches.values():
                for one in records:
                    headers = {name: value.decode() for name, value in one.headers}
                    found.append((one.value, headers))
    finally:
        await consumer.stop()
    return found


_PRODUCE = {
    "redis": _to_redis, "nats": _to_nats, "rabbitmq": _to_rabbitmq, "kafka": _to_kafka,
}  # fmt: skip
_DEAD = {
    "redis": _dead_at_redis, "nats": _dead_at_nats, "rabbitmq": _dead_at_rabbitmq,
    "kafka": _dead_at_kafka,
}  # fmt: skip
