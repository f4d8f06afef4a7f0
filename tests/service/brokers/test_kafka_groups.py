"""Workers of one queue at Kafka have nothing to do with those of another."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dicodec.service.brokers.broker import BrokerOptions, Delivery, QueueNames
from dicodec.service.brokers.kafka_topics import KafkaBroker
from dicodec.service.worker.publishing import make_queues
from helpers.brokers import running_broker
from helpers.plain_clients import produce

PATIENCE = 45.0


async def opened(url: str, queue: str) -> KafkaBroker:
    broker = KafkaBroker(url, BrokerOptions(QueueNames(queue), silence=6, partitions=2))
    await broker.open()
    return broker


async def received(broker: KafkaBroker) -> list[bytes]:
    """Return the first messages that come, and acknowledge them."""
    found: list[Delivery] = []
    while not found:
        found = await broker.fetch(10, 1.0)
    await broker.acknowledge(found)
    return [one.body for one in found]


async def left_in_disorder(url: str, queue: str) -> None:
    """Have a group's leader leave while the leaving of another is not settled yet.

    Tansu 0.6 then has whoever comes to the group wait for that leader, forever.
    """
    leading = await opened(url, queue)
    await received(leading)
    following = await opened(url, queue)
    await following.close()
    await leading.close()


async def received_at(url: str, queue: str) -> list[bytes]:
    async with asyncio.timeout(PATIENCE):
        broker = await opened(url, queue)
        bodies = await received(broker)
    await broker.close()
    return bodies


def test_a_queue_does_not_wait_for_the_group_of_another(tmp_path: Path) -> None:
    with running_broker("kafka", tmp_path) as broker:
        for queue in ("one", "two"):
            make_queues(broker.url, BrokerOptions(QueueNames(queue), partitions=2))
            produce("kafka", broker.url, [queue.encode()], queue)
        asyncio.run(left_in_disorder(broker.url, "one"))
        assert asyncio.run(received_at(broker.url, "two")) == [b"two"]
