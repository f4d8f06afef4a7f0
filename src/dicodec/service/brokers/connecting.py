"""Make the broker for a URL, and import its client."""

from __future__ import annotations

import re
from importlib import import_module
from urllib.parse import urlsplit

from dicodec.errors import InvalidOptionError
from dicodec.model.installation import describe_extra
from dicodec.service.brokers.broker import Broker, BrokerOptions

_BROKERS = {
    "kafka": ("dicodec.service.brokers.kafka_topics", "KafkaBroker"),
    "amqp": ("dicodec.service.brokers.rabbitmq", "RabbitBroker"),
    "amqps": ("dicodec.service.brokers.rabbitmq", "RabbitBroker"),
    "nats": ("dicodec.service.brokers.jetstream", "NatsBroker"),
    "tls": ("dicodec.service.brokers.jetstream", "NatsBroker"),
    "redis": ("dicodec.service.brokers.redis_streams", "RedisBroker"),
    "rediss": ("dicodec.service.brokers.redis_streams", "RedisBroker"),
}


def make_broker(url: str, options: BrokerOptions) -> Broker:
    """Return the broker for a URL, not opened yet.

    Raises:
        InvalidOptionError: the URL is not that of a broker, or its client is not installed.
    """
    scheme, colon, rest = url.partition("://")
    row = _BROKERS.get(scheme)
    if row is None or not colon or not rest.strip("/"):
        raise InvalidOptionError(
            f"{hide_credentials(url)!r} is not the URL of a broker",
            hint="such as kafka://HOST:9092, amqp://HOST, nats://HOST:4222, redis://HOST:6379",
        )
    _check_ports(url)
    module, name = row
    try:
        kind: type[Broker] = getattr(import_module(module), name)
    except ImportError as cause:
        raise InvalidOptionError(
            f"the client for {scheme}:// is not installed ({cause.name})",
            hint=describe_extra("worker"),
        ) from cause
    return kind(url, options)


def _check_ports(url: str) -> None:
    """Raise InvalidOptionError if a port in a URL of one server or several is none."""
    servers: list[str] = []
    for one in re.split(r",(?=\w+://)", url):  # NATS has a scheme for each
        place = one.partition("://")[2].partition("?")[0].rpartition("@")[2]
        servers += place.partition("/")[0].split(",")
    for server in servers:
        try:
            _ = urlsplit(f"//{server}").port
        except ValueError as cause:
            raise InvalidOptionError(
                f"{hide_credentials(url)!r} has a port that is none: 1 to 65535"
            ) from cause


def hide_credentials(url: str) -> str:
    """Return a URL as it may be logged: the scheme, and the last host with its path."""
    scheme, colon, rest = url.partition("://")
    place, _, query = rest.partition("?")
    if not colon or "@" in query:  # perhaps the end of a password
        return "***"
    return f"{scheme}://{place.rpartition('@')[2]}"
