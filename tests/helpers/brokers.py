"""Real message brokers, started on free ports of the loopback, stopped by their own numbers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from helpers import kafka_server
from helpers.dicom_network import find_free_port
from helpers.installed import program
from helpers.patience import give_up_at

_START_SECONDS = 60.0

KINDS = ("redis", "nats", "kafka", "rabbitmq")
LOOPBACK = "127.0.0.1"


@dataclass
class RunningBroker:
    """A broker that keeps its data when it is started again.

    Attributes:
        ports: of Kafka's listeners, by name.
    """

    kind: str
    url: str
    start: Callable[[], subprocess.Popen[bytes]]
    ready: Callable[[], bool]
    helper: Callable[[], subprocess.Popen[bytes]] | None = None
    process: subprocess.Popen[bytes] | None = None
    helping: subprocess.Popen[bytes] | None = None
    ports: dict[str, int] = field(default_factory=dict)

    def up(self) -> None:
        if self.helper is not None and self.helping is None:
            self.helping = self.helper()
        self.process = self.start()
        until = give_up_at(_START_SECONDS)
        while not self.ready():
            assert self.process.poll() is None, f"{self.kind} ended by itself"
            assert time.monotonic() < until, f"{self.kind} did not start"
            time.sleep(0.1)

    def down(self, number: int = signal.SIGTERM) -> None:
        assert self.process is not None
        _stop_group(self.process, number)
        self.process = None

    def restart(self, number: int = signal.SIGTERM) -> None:
        self.down(number)
        self.up()


def _stop_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Stop a process that leads a group of its own, and what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with suppress(ProcessLookupError):  # what the leader left behind
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def running_broker(kind: str, folder: Path, host: str = LOOPBACK) -> Iterator[RunningBroker]:
    """Yield a broker that takes connections.

    Args:
        kind: one of KINDS.
        folder: for its data and log.
        host: address where it listens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    make = {"rabbitmq": _rabbitmq, "nats": _nats, "redis": _redis, "kafka": make_kafka}[kind]
    with running(make(folder, host)) as broker:
        yield broker


@contextmanager
def running(broker: RunningBroker) -> Iterator[RunningBroker]:
    """Start a broker, and stop it afterwards."""
    try:
        broker.up()
        yield broker
    finally:
        if broker.process is not None:
            broker.down(signal.SIGKILL)
        if broker.helping is not None:
            _stop_group(broker.helping, signal.SIGTERM)


def started(
    folder: Path, command: list[str], more: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
            start_new_session=True, env={**os.environ, **(more or {})},
        )  # fmt: skip


def listens(port: int, say: bytes = b"", expect: bytes = b"", host: str = LOOPBACK) -> bool:
    try:
        with socket.create_connection((host, port), 0.5) as one:
            one.settimeout(2)
            if say:
                one.sendall(say)
            return expect in one.recv(200) if expect else True
    except OSError:
        return False


def _redis(folder: Path, host: str) -> RunningBroker:
    port = find_free_port()
    command = [
        program("redis-server"), "--port", str(port), "--bind", host, "--dir", str(folder),
        "--protected-mode", "no",
        "--appendonly", "yes", "--appendfsync", "always", "--save", "",
    ]  # fmt: skip
    return RunningBroker(
        "redis",
        f"redis://{host}:{port}",
        lambda: started(folder, command),
        lambda: listens(port, b"PING\r\n", b"PONG", host),
    )


def _nats(folder: Path, host: str) -> RunningBroker:
    port = find_free_port()
    command = [program("nats-server"), "-a", host, "-p", str(port), "-js", "-sd",
               str(folder / "data")]  # fmt: skip
    return RunningBroker(
        "nats",
        f"nats://{host}:{port}",
        lambda: started(folder, command),
        lambda: listens(port, expect=b"INFO", host=host),
    )


def _rabbitmq(folder: Path, host: str) -> RunningBroker:
    port, between, names = find_free_port(), find_free_port(), find_free_port()
    server = program("rabbitmq-server")
    environment = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"dicodec{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": host,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(between),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    # Without one of ours RabbitMQ leaves a daemon of that kind behind.
    daemon = [program("epmd"), "-port", str(names), "-address", "127.0.0.1"]
    return RunningBroker(
        "rabbitmq",
        f"amqp://guest:guest@{host}:{port}",
        lambda: started(folder, [server], environment),
        lambda: listens(port, b"AMQP\x00\x00\x09\x01", b"\x01", host),
        lambda: started(folder, daemon),
    )


def make_kafka(
    folder: Path, host: str = LOOPBACK, certificates: Path | None = None
) -> RunningBroker:
    """Return Apache Kafka, not started yet.

    Args:
        folder: for its data and log.
        host: address where it listens.
        certificates: a folder of `make_certificates`, for a server that asks for passwords and has
            TLS too; see `kafka_server.SECURED`.
    """
    names: tuple[str, ...] = (kafka_server.PLAIN, kafka_server.CONTROLLER)
    if certificates is not None:
        names += kafka_server.SECURED
    ports = {name: find_free_port() for name in names}
    command = kafka_server.prepare(folder, host, ports, certificates)
    return RunningBroker(
        "kafka",
        f"kafka://{host}:{ports[kafka_server.PLAIN]}",
        lambda: started(folder, command),
        lambda: all(listens(port, host=host) for port in ports.values()),
        ports=ports,
    )
