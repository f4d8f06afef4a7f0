"""The Kafka protocol: a consumer group; waiting messages are in topics by delay.

An offset is committed only when all messages before it are acknowledged. So a worker may work on
many messages of one partition, and a killed worker loses none.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ConsumerStoppedError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
)

from dicodec.service.brokers.broker import (
    NOT_BEFORE,
    RETRY_TIERS,
    Broker,
    BrokerUnavailableError,
    Delivery,
    Outgoing,
    Queue,
    cancel,
    choose_tier,
    read_headers,
    take_due_time,
)
from dicodec.service.brokers.kafka_url import parse_kafka_url
from dicodec.service.brokers.offsets import PartitionOffsets

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_A_DAY = 24 * 3600 * 1000
_COMMIT_SECONDS = 0.5
_ANSWER_SECONDS = 20.0
_ASK_SECONDS = 5.0
_DEAL_SECONDS = 120.0
"""How long a new member waits for partitions, because the group's other members have to answer."""

_COPIES = 3
"""Replicas of each new topic, if there are as many brokers."""

_KEPT = {"retention.ms": "-1"}
"""Of dead letters, which else were deleted after a week, as other messages are."""

_EXISTS = 36  # TOPIC_ALREADY_EXISTS


class KafkaBroker(Broker):
    """See the base class."""

    remembers = False

    _messages: AIOKafkaConsumer | None = None
    _waiting: AIOKafkaConsumer | None = None
    _producer: AIOKafkaProducer | None = None
    _forwarding: asyncio.Task[None] | None = None
    _committed_at = 0.0

    async def open(self) -> None:
        """See the base class."""
        await self.close()
        self.session += 1
        self._offsets: dict[TopicPartition, PartitionOffsets] = {}
        async with self._translate_errors():
            with _name_refusals():
                await self._make_topics()
            self._producer = AIOKafkaProducer(
                acks="all", linger_ms=2, request_timeout_ms=10_000, **parse_kafka_url(self.url)
            )
            await self._producer.start()
            self._producer.client.add_topic(self.names.requests)  # else `answers` gets all topics
            if self.options.source is None:
                return
            # A group for each queue, so that workers of one queue never wait for those of another.
            group = f"{self.options.group}.{self.options.queue}"
            self._messages = self._make_consumer(group)
            self._messages.subscribe(
                [self.options.queue], listener=_Rebalance(self._commit, self._forget)
            )
            starting = [self._messages.start()]
            if self.options.source is Queue.REQUESTS:
                self._waiting = self._make_consumer(f"{group}.retry")
                self._waiting.subscribe([self.names.name_tier(tier) for tier in RETRY_TIERS])
                starting.append(self._waiting.start())
            try:
                await asyncio.wait_for(asyncio.gather(*starting), _DEAL_SECONDS)
            except TimeoutError as cause:
                raise BrokerUnavailableError(
                    f"group {group} was dealt no partitions in {_DEAL_SECONDS:.0f} s"
                ) from cause
            if self._waiting is not None:
                self._forwarding = asyncio.create_task(self._forward_due())

    async def close(self) -> None:
        """See the base class."""
        await cancel(self._forwarding)
        self._forwarding = None
        if self._messages is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(self._commit(), _ASK_SECONDS)
        for one in (self._messages, self._waiting, self._producer):
            if one is not None:
                await _stop(one)
        self._messages = self._waiting = self._producer = None

    async def fetch(self, count: int, seconds: float) -> list[Delivery]:
        """See the base class."""
        if self._messages is None or (self._forwarding is not None and self._forwarding.done()):
            raise BrokerUnavailableError("not connected")
        async with self._translate_errors():
            await self._commit_now_and_then()
            batches = await self._messages.getmany(
                timeout_ms=int(min(seconds, _COMMIT_SECONDS) * 1000), max_records=count
            )
        deliveries = []
        for partition, records in batches.items():
            offsets = self._offsets.setdefault(partition, PartitionOffsets())
            for record in records:
                offsets.add(record.offset)
                token = (record.offset, offsets)
                body = record.value or b""
                sent = (record.timestamp or 0) / 1000  # none in the oldest form of records
                headers = read_headers(record.headers or ())
                deliveries.append(Delivery(body, headers, token, self.session, sent))
        return deliveries

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class."""
        for delivery in deliveries:
            offset, offsets = delivery.token
            offsets.acknowledge(offset)
        async with self._translate_errors():
            await self._commit_now_and_then()

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """See the base class: uncommitted messages go to others when this worker leaves."""

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """See the base class."""
        if self._producer is None:
            raise BrokerUnavailableError("not connected")
        async with self._translate_errors():
            sent = [await self._send(self._producer, one) for one in messages]
            answers = [
                answer for one, answer in zip(messages, sent, strict=True)
                if one.queue is not Queue.EVENTS
            ]  # fmt: skip
            if answers:
                await asyncio.wait_for(asyncio.gather(*answers), _ANSWER_SECONDS)

    async def beat(self, deliveries: Sequence[Delivery]) -> None:  # noqa: ARG002
        """See the base class: the client sends heartbeats itself."""
        async with self._translate_errors():
            await self._commit_now_and_then()

    async def answers(self) -> bool:
        """See the base class."""
        if self._producer is None:
            return False
        asked = self._producer.client.force_metadata_update()
        with suppress(KafkaError, OSError, TimeoutError):
            return bool(await asyncio.wait_for(asked, _ASK_SECONDS))
        return False

    async def _send(self, producer: AIOKafkaProducer, one: Outgoing) -> asyncio.Future[Any]:
        headers = dict(one.headers)
        topic = self.names.find(one.queue)
        if one.queue is Queue.RETRY:
            topic = self.names.name_tier(choose_tier(one.delay))
            headers[NOT_BEFORE] = f"{time.time() + one.delay:.3f}"
        try:
            answer: asyncio.Future[Any] = await producer.send(
                topic, one.body, key=one.key.encode() or None,
                headers=[(name, value.encode()) for name, value in headers.items()],
            )  # fmt: skip
        except MessageSizeTooLargeError:
            if not one.body:
                raise
            return await self._send(producer, one.cut())
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        return answer

    def _make_consumer(self, group: str) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            group_id=group, enable_auto_commit=False, auto_offset_reset="earliest",
            session_timeout_ms=max(6000, int(self.options.silence * 1000)),
            # Also the time until a member hears of new partitions, for which all members wait.
            heartbeat_interval_ms=min(3000, max(1000, int(self.options.silence * 1000 / 4))),
            max_poll_interval_ms=_A_DAY,  # a job may take long
            fetch_max_wait_ms=200, rebalance_timeout_ms=10_000, **parse_kafka_url(self.url),
        )  # fmt: skip

    async def _make_topics(self) -> None:
        names, many = self.names, self.options.partitions
        wanted = {names.requests: many, names.dead: 1, names.events: many}
        wanted |= {names.name_tier(tier): 1 for tier in RETRY_TIERS}
        admin = AIOKafkaAdminClient(**parse_kafka_url(self.url))
        try:
            await admin.start()
            there = set(await admin.list_topics())
            copies = min(_COPIES, len((await admin.describe_cluster())["brokers"]))
            missing = [
                NewTopic(name, count, copies, topic_configs=_KEPT if name == names.dead else {})
                for name, count in wanted.items()
                if name not in there
            ]
            if missing:
                answer = await admin.create_topics(missing, timeout_ms=int(_ANSWER_SECONDS * 1000))
                for topic, code, *text in answer.topic_errors:
                    if code not in (0, _EXISTS):
                        raise BrokerUnavailableError(f"no topic {topic}: {text or code}")
        finally:
            await admin.close()

    def _forget(self, partitions: Collection[TopicPartition]) -> None:
        """Forget partitions that go to other members; their acknowledged messages are committed."""
        for partition in partitions:
            self._offsets.pop(partition, None)

    async def _commit_now_and_then(self) -> None:
        if time.monotonic() - self._committed_at > _COMMIT_SECONDS:
            await self._commit()

    async def _commit(self) -> None:
        self._committed_at = time.monotonic()
        offsets = {}
        for partition, known in self._offsets.items():
            offset = known.take_commit()
            if offset is not None:
                offsets[partition] = offset
        if offsets and self._messages is not None:
            # The client repeats it without end, even if the consumer was stopped in between.
            await asyncio.wait_for(self._messages.commit(offsets), _ANSWER_SECONDS)

    async def _forward_due(self) -> None:
        """Move due messages to the requests; a topic is paused until its first message is due."""
        consumer, producer = self._waiting, self._producer
        assert consumer is not None
        assert producer is not None
        paused: dict[TopicPartition, float] = {}
        while True:
            now = time.time()
            for partition in [one for one, due in paused.items() if due <= now]:
                del paused[partition]
                if partition in consumer.assignment():
                    consumer.resume(partition)
            batches = await consumer.getmany(timeout_ms=300)
            for partition, records in batches.items():
                committed = None
                for record in records:
                    headers = read_headers(record.headers or ())
                    due = take_due_time(headers)
                    if due > time.time():
                        consumer.pause(partition)
                        consumer.seek(partition, record.offset)
                        paused[partition] = due
                        break
                    body, key = record.value or b"", (record.key or b"").decode(errors="replace")
                    await self.send([Outgoing(Queue.REQUESTS, body, headers, key)])
                    committed = record.offset + 1
                if committed is not None:
                    await consumer.commit({partition: committed})

    @asynccontextmanager
    async def _translate_errors(self) -> AsyncIterator[None]:
        try:
            yield
        except (KafkaError, ConsumerStoppedError, OSError, TimeoutError) as cause:
            raise BrokerUnavailableError.of(cause) from cause


async def _stop(one: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    with suppress(KafkaError, OSError, TimeoutError):
        try:
            await asyncio.wait_for(one.stop(), _ANSWER_SECONDS)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # A consumer lets out the end of a fetch that it cancels while the fetch waits after
            # a failure, and leaves its connections open.
            await one._client.close()  # noqa: SLF001 - what `stop` has not done


@contextmanager
def _name_refusals() -> Iterator[None]:
    """Add to an error of a first connection why the servers refused it.

    The client writes that to its log only: a wrong password, a certificate that it does not trust.
    """
    said = _LastRefusal()
    log = logging.getLogger("aiokafka")
    log.addHandler(said)
    try:
        yield
    except KafkaConnectionError as cause:
        raise BrokerUnavailableError(said.text or str(cause)) from cause
    finally:
        log.removeHandler(said)


class _LastRefusal(logging.Handler):
    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, commit: Any, forget: Any) -> None:
        self._commit = commit
        self._forget = forget

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        with suppress(KafkaError, TimeoutError):
            await self._commit()
        self._forget(revoked)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._forget(assigned)
