"""moto's S3 in a process of its own, behind a relay that counts what it sends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from helpers.dicom_network import answers, find_free_port
from helpers.patience import wait_for


class ObjectStore:
    """A running store with one bucket, `bucket`.

    Args:
        port: of the server.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._sent = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def put(self, key: str, content: bytes) -> None:
        """Put an object into the bucket."""
        call_moto(self._port, "PUT", f"bucket/{key}", content)

    def read_sent(self) -> int:
        """Return the bytes that were sent through the relay so far."""
        return self._sent

    def close(self) -> None:
        """Accept no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listening.accept()
                theirs = socket.create_connection(("127.0.0.1", self._port))
                for pair in ((ours, theirs, False), (theirs, ours, True)):
                    threading.Thread(target=self._relay, args=pair, daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
                self._sent += len(data) * counts
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        if counts:
            source.close()
            target.close()


@contextmanager
def running_moto() -> Iterator[int]:
    """Yield the port of moto's server, in a process of its own."""
    port = find_free_port()
    code = f"import sys; from moto.server import main; sys.exit(main(['-H127.0.0.1', '-p{port}']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: answers(port) or process.poll() is not None)
        assert process.poll() is None, "moto's server did not start"
        yield port
    finally:
        process.terminate()
        process.wait()


def call_moto(port: int, method: str, path: str, content: bytes = b"") -> None:
    """Send a request to moto's server, which needs no signature.

    Args:
        port: of the server.
        method: of HTTP.
        path: without the first slash, such as that of a bucket.
        content: body of the request.
    """
    url = f"http://127.0.0.1:{port}/{path}"
    found = httpx.request(method, url, content=content, timeout=60, trust_env=False)
    found.raise_for_status()


def lead_to_store(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the environment lead clients of S3 to a server within the test."""
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    settings = {
        "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "do-not-tell",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@contextmanager
def running_object_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """Yield a store, which the environment leads to within the test."""
    with running_moto() as port:
        store = ObjectStore(port)
        lead_to_store(store.url, monkeypatch)
        call_moto(port, "PUT", "bucket")
        yield store
        store.close()
