"""Apache Kafka as one server without another beside it: its configuration, and how it is started.

`tools/kafka/fetch.sh`, which `make setup-test` calls, fetches its jars.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from helpers.installed import end_without, program

PLAIN, CONTROLLER = "PLAIN", "CONTROLLER"
SECURED = ("PASSWORD", "TLS", "PASSWORD_TLS", "MUTUAL_TLS")
"""Listeners that ask for a password, speak TLS, do both, and ask for the client's certificate."""

USER, PASSWORD = "tester", "p@ss/word"

_PROTOCOLS = {
    PLAIN: "PLAINTEXT", CONTROLLER: "PLAINTEXT", "PASSWORD": "SASL_PLAINTEXT", "TLS": "SSL",
    "PASSWORD_TLS": "SASL_SSL", "MUTUAL_TLS": "SSL",
}  # fmt: skip
_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")

_QUICK = {
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
}


def prepare(
    folder: Path, host: str, ports: Mapping[str, int], certificates: Path | None
) -> list[str]:
    """Write the configuration, make the store of the server's data, return its command.

    Args:
        folder: for all that; it is there.
        host: address of the listeners.
        ports: of the listeners, by name.
        certificates: folder with ca.pem, server.pem, server.key; needed by listeners of SECURED.
    """
    java = [
        "env", "LC_ALL=C.UTF-8", program("java"), "-Xmx512m", "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp", f"{_find_jars()}/*",
    ]  # fmt: skip
    configuration = folder / "server.properties"
    settings = _describe(folder, host, ports) | (
        _secure(folder, certificates) if certificates else {}
    )
    configuration.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    form = [
        *java, "kafka.tools.StorageTool", "format", "-t", "dicodec", "-c", str(configuration),
    ]  # fmt: skip
    for mechanism in _MECHANISMS if certificates else ():
        form += ["--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]"]
    subprocess.run(form, check=True, capture_output=True, cwd=folder)
    return [*java, "kafka.Kafka", str(configuration)]


def _find_jars() -> Path:
    folder = Path(sys.prefix) / "kafka"
    return folder if folder.exists() else end_without("Apache Kafka (make setup-test)")


def _describe(folder: Path, host: str, ports: Mapping[str, int]) -> dict[str, str]:
    listeners = {name: f"{name}://{host}:{port}" for name, port in ports.items()}
    voted = f"1@{host}:{ports[CONTROLLER]}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": voted,
        "controller.listener.names": CONTROLLER,
        "inter.broker.listener.name": PLAIN,
        "listeners": ",".join(listeners.values()),
        "listener.security.protocol.map": ",".join(
            f"{name}:{_PROTOCOLS[name]}" for name in listeners
        ),
        "log.dirs": os.fspath(folder / "data"),
        **_QUICK,
    }


def _secure(folder: Path, certificates: Path) -> dict[str, str]:
    """Return the settings of listeners that ask for passwords and speak TLS."""
    own = folder / "server.pem"
    own.write_text(
        (certificates / "server.key").read_text() + (certificates / "server.pem").read_text()
    )
    modules = "org.apache.kafka.common.security"
    login = {
        "plain": f'{modules}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
        **{name.lower(): f"{modules}.scram.ScramLoginModule required;" for name in _MECHANISMS},
    }
    settings = {
        "sasl.enabled.mechanisms": ",".join(("PLAIN", *_MECHANISMS)),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": os.fspath(own),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": os.fspath(certificates / "ca.pem"),
        "listener.name.mutual_tls.ssl.client.auth": "required",
    }
    for listener in ("password", "password_tls"):
        for mechanism, module in login.items():
            settings[f"listener.name.{listener}.{mechanism}.sasl.jaas.config"] = module
    return settings
