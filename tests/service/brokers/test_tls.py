"""TLS at brokers: an authority of one's own is trusted where it is named, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers import brokers
from helpers.certificates import make_certificates
from helpers.dicom_network import find_free_port
from helpers.installed import program


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("tls"))


def redis(port: int, folder: Path) -> tuple[str, list[str]]:
    return f"rediss://localhost:{port}", [
        program("redis-server"), "--port", "0", "--tls-port", str(port), "--save", "",
        "--tls-cert-file", f"{folder}/server.pem", "--tls-key-file", f"{folder}/server.key",
        "--tls-ca-cert-file", f"{folder}/ca.pem", "--tls-auth-clients", "no",
    ]  # fmt: skip


def nats(port: int, folder: Path) -> tuple[str, list[str]]:
    return f"tls://localhost:{port}", [
        program("nats-server"), "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", "data",
        "--tls", "--tlscert", f"{folder}/server.pem", "--tlskey", f"{folder}/server.key",
    ]  # fmt: skip


@contextmanager
def listening(command: list[str], port: int, folder: Path) -> Iterator[None]:
    process = brokers.started(folder, command)
    try:
        while not brokers.listens(port):
            assert process.poll() is None, (folder / "log").read_text()
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("kind", [redis, nats])
def test_an_authority_is_trusted_where_it_is_named(
    kind: Callable[[int, Path], tuple[str, list[str]]], certificates: Path, tmp_path: Path
) -> None:
    port = find_free_port()
    url, command = kind(port, certificates)
    prepare = [sys.executable, "-m", "dicodec.cli.main", "worker", "--prepare"]

    def prepared(**more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "DICODEC_BROKER": url, **more}
        return subprocess.run(
            prepare, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    with listening(command, port, tmp_path):
        refused = prepared()
        trusted = prepared(SSL_CERT_FILE=str(certificates / "ca.pem"))

    assert refused.returncode == 1
    assert "certificate verify failed" in refused.stderr.lower()
    assert trusted.returncode == 0, trusted.stderr
