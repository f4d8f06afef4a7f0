"""Which broker a URL means, and what of it may be shown."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dicodec.cli import main, printing
from dicodec.errors import InvalidOptionError
from dicodec.service.brokers.broker import BrokerOptions
from dicodec.service.brokers.connecting import hide_credentials, make_broker
from dicodec.service.brokers.kafka_url import parse_kafka_url


@pytest.mark.parametrize("url", ["", "redis", "redis://", "http://host", "redis:/host", "://x"])
def test_what_is_no_broker_is_refused(url: str) -> None:
    with pytest.raises(InvalidOptionError):
        make_broker(url, BrokerOptions())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://me:secret@host:5672/vhost", "amqp://host:5672/vhost"),
        ("kafka://me:sec@ret@a:1,b:2?ssl_cafile=secret", "kafka://a:1,b:2"),
        ("nats://secret@a,nats://me:secret@b", "nats://b"),
        ("amqp://me:s/secret?x/secret@host", "***"),
        ("redis://h?password=a@secret", "***"),
        ("redis://:secret@h/0?password=secret", "redis://h/0"),
        ("me:secret@host", "***"),
    ],
)
def test_credentials_are_not_shown(url: str, shown: str) -> None:
    assert hide_credentials(url) == shown


def test_kafka_urls_say_all_that_the_client_needs() -> None:
    plain = parse_kafka_url("kafka://a,b:1")
    assert plain == {"bootstrap_servers": ["a:9092", "b:1"], "security_protocol": "PLAINTEXT"}

    url = "kafka://me:p%40ss@a:1?security_protocol=SASL_SSL&sasl_mechanism=SCRAM-SHA-512"
    secure = parse_kafka_url(url)
    assert secure["sasl_plain_password"] == "p@ss"
    assert secure["sasl_mechanism"] == "SCRAM-SHA-512"
    assert secure["ssl_context"].check_hostname
    with pytest.raises(InvalidOptionError):
        parse_kafka_url("kafka://a?sasl_mechanisms=PLAIN")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--root", "."], ["--broker", "redis://127.0.0.1:1"],
        ["--broker", "redis://127.0.0.1:1", "--root", "/no/such/folder"],
        ["--broker", "carrier-pigeon://x", "--root", "."],
        ["--broker", "redis://127.0.0.1:1", "--root", ".", "--mapping", "none-such"],
        ["--broker", "redis://127.0.0.1:1", "--root", ".", "--mapping", "storage-event"],
    ],
)  # fmt: skip
def test_wrong_usage_is_said_at_once(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DICODEC_BROKER", raising=False)

    assert main.run(["worker", *arguments]) == printing.WRONG_USAGE
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("scheme", ["redis", "nats", "amqp", "kafka"])
def test_a_broker_that_is_not_there_is_said_without_the_password(
    scheme: str, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"{scheme}://me:secret@127.0.0.1:1"

    assert main.run(["jobs", "retry", "--broker", url]) == printing.SOME_FAILED
    error = capfd.readouterr().err
    assert "target-unavailable" in error
    assert "secret" not in error


def test_clients_are_loaded_when_a_broker_is_named() -> None:
    program = (
        "import sys; import dicodec.cli.arguments, dicodec.cli.worker;"
        "dicodec.cli.arguments.make_parser('worker');"
        "print([n for n in ('asyncio','redis','nats','aio_pika','aiokafka','faststream','sqlite3')"
        " if n in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert out.stdout == "[]\n"
