"""Apache Kafka itself: passwords, TLS, and the groups of its workers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.consumer.fetcher import Fetcher

from dicodec.errors import TargetUnavailableError
from dicodec.service.brokers import kafka_topics
from dicodec.service.brokers.broker import (
    BrokerOptions,
    BrokerUnavailableError,
    Outgoing,
    Queue,
    QueueNames,
)
from dicodec.service.brokers.kafka_topics import KafkaBroker
from dicodec.service.worker.publishing import make_queues
from helpers.brokers import RunningBroker, make_kafka, running
from helpers.certificates import make_certificates
from helpers.kafka_server import PASSWORD, PLAIN, USER

PATIENCE = 45.0
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def kafka(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with running(make_kafka(tmp_path_factory.mktemp("kafka"), certificates=certificates)) as broker:
        yield broker


def name(broker: RunningBroker, listener: str, password: str = "", **parameters: str) -> str:
    """Return the URL of a listener."""
    user = f"{USER}:{quote(password, safe='')}@" if password else ""
    return f"kafka://{user}localhost:{broker.ports[listener]}?{urlencode(parameters)}"


async def opened(url: str, queue: str) -> KafkaBroker:
    broker = KafkaBroker(url, BrokerOptions(QueueNames(queue), silence=6, partitions=2))
    await broker.open()
    return broker


async def received(broker: KafkaBroker) -> list[bytes]:
    """Return the first messages that come, and acknowledge them."""
    while not (found := await broker.fetch(10, 1.0)):
        pass
    await broker.acknowledge(found)
    return [one.body for one in found]


async def sent_and_received(url: str, queue: str) -> list[bytes]:
    async with asyncio.timeout(PATIENCE):
        broker = await opened(url, queue)
        try:
            await broker.send([Outgoing(Queue.REQUESTS, queue.encode(), {}, "1")])
            return await received(broker)
        finally:
            await broker.close()


@pytest.mark.parametrize("mechanism", ["PLAIN", *SCRAM])
def test_a_password_lets_a_worker_in(kafka: RunningBroker, mechanism: str) -> None:
    url = name(kafka, "PASSWORD", PASSWORD, sasl_mechanism=mechanism)
    queue = f"password.{mechanism}"
    assert asyncio.run(sent_and_received(url, queue)) == [queue.encode()]


@pytest.mark.parametrize("mechanism", ["PLAIN", *SCRAM])
def test_a_wrong_password_is_named_as_the_cause(kafka: RunningBroker, mechanism: str) -> None:
    url = name(kafka, "PASSWORD", f"{PASSWORD}!", sasl_mechanism=mechanism)
    with pytest.raises(TargetUnavailableError, match=r"(?i)authentication failed") as refused:
        make_queues(url, BrokerOptions())
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("mechanism", ["", *SCRAM])
def test_tls_needs_the_authority(kafka: RunningBroker, mechanism: str, certificates: Path) -> None:
    if mechanism:
        given = {"security_protocol": "SASL_SSL", "sasl_mechanism": mechanism}
        listener, password = "PASSWORD_TLS", PASSWORD
    else:
        given, listener, password = {"security_protocol": "SSL"}, "TLS", ""
    queue = f"tls.{mechanism or 'alone'}"
    trusting = name(kafka, listener, password, **given, ssl_cafile=f"{certificates}/ca.pem")
    assert asyncio.run(sent_and_received(trusting, queue)) == [queue.encode()]

    with pytest.raises(TargetUnavailableError, match=r"(?i)certificate verify failed"):
        make_queues(name(kafka, listener, password, **given), BrokerOptions(QueueNames(queue)))


def test_a_certificate_of_the_worker_lets_it_in(kafka: RunningBroker, certificates: Path) -> None:
    given = {"security_protocol": "SSL", "ssl_cafile": f"{certificates}/ca.pem"}
    own = {
        "ssl_certfile": f"{certificates}/server.pem", "ssl_keyfile": f"{certificates}/server.key",
    }  # fmt: skip
    url = name(kafka, "MUTUAL_TLS", **given, **own)
    assert asyncio.run(sent_and_received(url, "mutual")) == [b"mutual"]

    with pytest.raises(TargetUnavailableError):
        make_queues(name(kafka, "MUTUAL_TLS", **given), BrokerOptions(QueueNames("mutual")))


def test_dead_letters_are_kept_until_somebody_takes_them(kafka: RunningBroker) -> None:
    async def read_retention(topic: str) -> str:
        admin = AIOKafkaAdminClient(bootstrap_servers=urlsplit(kafka.url).netloc)
        await admin.start()
        try:
            wanted = ConfigResource(ConfigResourceType.TOPIC, topic)
            (answer,) = await admin.describe_configs([wanted])
        finally:
            await admin.close()
        settings = {name: value for name, value, *_ in answer.resources[0][4]}
        return str(settings["retention.ms"])

    make_queues(kafka.url, BrokerOptions(QueueNames("kept")))
    assert asyncio.run(read_retention("kept.dead")) == "-1"
    assert asyncio.run(read_retention("kept")) == str(7 * 24 * 3600 * 1000)


def test_a_queue_does_not_wait_for_the_group_of_another(kafka: RunningBroker) -> None:
    url = name(kafka, PLAIN)

    async def leave_in_disorder() -> None:
        """Have a group's leader leave while the leaving of another is not settled yet."""
        leading = await opened(url, "one")
        await leading.send([Outgoing(Queue.REQUESTS, b"one", {}, "1")])
        await received(leading)
        following = await opened(url, "one")
        await following.close()
        await leading.close()

    asyncio.run(leave_in_disorder())
    assert asyncio.run(sent_and_received(url, "two")) == [b"two"]
    assert asyncio.run(sent_and_received(url, "one")) == [b"one"]  # nor for one that left


def test_the_end_of_a_fetch_does_not_end_the_worker(
    kafka: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = Fetcher.close

    async def close(self: Any) -> None:
        """Do what the client does if it is closed while a fetch waits after a failure."""
        await closed(self)
        raise asyncio.CancelledError

    async def open_and_close() -> None:
        broker = await opened(kafka.url, "closing")
        await broker.close()

    monkeypatch.setattr(Fetcher, "close", close)
    asyncio.run(open_and_close())  # a connection that it left open would be a warning


def test_a_fetch_that_commits_while_the_connection_is_lost_ends(
    kafka: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client repeats a commit without end, so that such a worker took nothing any more."""
    monkeypatch.setattr(kafka_topics, "_ANSWER_SECONDS", 5.0)

    async def lose_connection() -> None:
        broker = await opened(kafka.url, "lost")
        await broker.send([Outgoing(Queue.REQUESTS, b"lost", {}, "1")])
        while not (found := await broker.fetch(1, 1.0)):
            pass
        kafka.down(signal.SIGKILL)
        broker._committed_at = float("inf")  # not yet: the fetch is what commits
        await broker.acknowledge(found)
        broker._committed_at = 0.0
        fetching = asyncio.create_task(broker.fetch(1, 1.0))
        await asyncio.sleep(0)  # it begins
        async with asyncio.timeout(PATIENCE):
            await broker.close()
            with pytest.raises(BrokerUnavailableError):
                await fetching

    try:
        asyncio.run(lose_connection())
    finally:
        kafka.up()
    assert asyncio.run(sent_and_received(kafka.url, "found")) == [b"found"]
