"""Which broker a URL means; its client is loaded only then."""

from __future__ import annotations

from importlib import import_module

from dicodec.errors import InvalidOptionError
from dicodec.service.brokers.broker import Broker, Consumption

_BROKERS = {
    "kafka": ("dicodec.service.brokers.kafka_topics", "KafkaBroker"),
    "amqp": ("dicodec.service.brokers.rabbitmq", "RabbitBroker"),
    "amqps": ("dicodec.service.brokers.rabbitmq", "RabbitBroker"),
    "nats": ("dicodec.service.brokers.jetstream", "NatsBroker"),
    "tls": ("dicodec.service.brokers.jetstream", "NatsBroker"),
    "redis": ("dicodec.service.brokers.redis_streams", "RedisBroker"),
    "rediss": ("dicodec.service.brokers.redis_streams", "RedisBroker"),
}


def broker_at(url: str, how: Consumption) -> Broker:
    """Return the broker that a URL names, not opened yet.

    Raises:
        InvalidOptionError: it names none, or what it needs is not installed.
    """
    scheme, colon, rest = url.partition("://")
    row = _BROKERS.get(scheme)
    if row is None or not colon or not rest.strip("/"):
        raise InvalidOptionError(
            f"{without_credentials(url)!r} is no broker's URL",
            hint="such as kafka://HOST:9092, amqp://HOST, nats://HOST:4222, redis://HOST:6379",
        )
    module, name = row
    try:
        kind: type[Broker] = getattr(import_module(module), name)
    except ImportError as cause:
        raise InvalidOptionError(
            f"the client for {scheme}:// is not installed ({cause.name})",
            hint="pip install 'dicodec[worker]'",
        ) from cause
    return kind(url, how)


def without_credentials(url: str) -> str:
    """Return a URL as it may be logged: scheme, and the last host with its path."""
    scheme, colon, rest = url.partition("://")
    place, _, query = rest.partition("?")
    if not colon or "@" in query:  # the end of a password, perhaps
        return "***"
    return f"{scheme}://{place.rpartition('@')[2]}"
