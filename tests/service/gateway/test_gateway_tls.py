"""TLS both ways, with DCMTK's programs at the other ends, and certificates of our own."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.certificates import make_certificates
from helpers.dicom_network import (
    ENVIRONMENT,
    SHIPPED,
    RunningGateway,
    running_storescp,
)
from helpers.installed import program

CONFIG = """
[receive]
aet = "DICODEC"
port = 0
spool = "spool"
processes = 1
tls = {{cert = "ours/server.pem", key = "ours/server.key", ca = "theirs/ca.pem"}}

[[route]]
to = ["GOOD", "STRANGE"]

[[peer]]
name = "GOOD"
host = "127.0.0.1"
port = {good}
aet = "STORE"
tls = {{ca = "theirs/ca.pem", cert = "ours/server.pem", key = "ours/server.key"}}

[[peer]]
name = "STRANGE"
host = "127.0.0.1"
port = {strange}
aet = "STORE"
tls = {{ca = "ours/ca.pem"}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("tls")
    for name in ("ours", "theirs"):
        (folder / name).mkdir()
        make_certificates(folder / name)
    accepting = ["+tls", *list_files(folder), "+cf", str(folder / "ours" / "ca.pem")]
    with running_storescp(folder / "good", *accepting) as port:
        config = CONFIG.format(good=port, strange=port)
        with RunningGateway(folder, config, "--jobs", "1", "--retry-after", "0.5") as running:
            yield running


def list_files(folder: Path) -> list[str]:
    """Return the key and the certificate of the other side."""
    return [str(folder / "theirs" / name) for name in ("server.key", "server.pem")]


def trust(folder: Path) -> list[str]:
    """Return the options of a sender that the gateway trusts, and that trusts the gateway."""
    return [*list_files(folder), "+cf", str(folder / "ours" / "ca.pem")]


def storescu(gateway: RunningGateway, *options: str) -> int:
    """Send a file with storescu, and return its exit status."""
    command = [program("storescu"), *options, "-aec", "DICODEC", "127.0.0.1", str(gateway.port)]
    sent = subprocess.run(
        [*command, str(SHIPPED / "CT_small.dcm")],
        capture_output=True,
        timeout=60,
        env=ENVIRONMENT,
        check=False,
    )
    return sent.returncode


def test_plain_senders_and_those_without_a_certificate_are_refused(
    gateway: RunningGateway,
) -> None:
    ours = str(gateway.folder / "ours" / "ca.pem")
    assert storescu(gateway)
    assert storescu(gateway, "+tla", "+cf", ours)
    assert not [*(gateway.spool / "objects").iterdir()]


def test_objects_travel_encrypted_and_only_to_the_peer_that_is_meant(
    gateway: RunningGateway,
) -> None:
    folder = gateway.folder
    assert storescu(gateway, "+tls", *trust(folder)) == 0
    gateway.wait_for_events("done", 1)
    assert len([*(folder / "good").iterdir()]) == 1
    gateway.wait_for_events("peer is down", 1)
    assert gateway.events("peer is down")[0]["peer"] == "STRANGE"
    assert [path.name.split(".")[1] for path in gateway.held()] == ["STRANGE"]


def test_a_silent_connection_keeps_nobody_out(gateway: RunningGateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)):
        assert storescu(gateway, "+tls", *trust(gateway.folder)) == 0
