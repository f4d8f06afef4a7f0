"""A receiver of the gateway's in this process, with its spool and its store."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from pynetdicom import _config

from dicodec.service.gateway.config import GatewayConfig
from dicodec.service.gateway.config_file import parse_config
from dicodec.service.gateway.receiving import Receiver
from dicodec.service.gateway.spool import STORE_NAME, Spool
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import Job, JobFilter

CONFIG = """
[receive]
aet = "DICODEC"
port = 0
spool = "spool"
processes = 1
{more}

[[route]]
to = ["A", "B"]

[[peer]]
name = "A"
host = "127.0.0.1"
aet = "A"

[[peer]]
name = "B"
host = "127.0.0.1"
aet = "B"
"""


class Reception:
    """A receiver that runs, its spool and its store."""

    def __init__(self, folder: Path, more: str) -> None:
        self.config: GatewayConfig = parse_config(CONFIG.format(more=more), folder)
        self.spool = Spool(self.config.receive.spool)
        self.store = JobStore(self.spool.path / STORE_NAME)
        self.out = StringIO()
        self.announced = 0
        self.receiver = Receiver(
            self.config, self.spool, self.store, Log(self.out), self.spool.parts, self._announce
        )
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.receiver.start(self.listening)

    def _announce(self) -> None:
        self.announced += 1

    def jobs(self) -> list[Job]:
        """Return all jobs."""
        return self.store.list_jobs(JobFilter(), 100)

    def files(self, folder: str) -> list[str]:
        """Return the names in one of the spool's folders."""
        return sorted(path.name for path in (self.spool.path / folder).iterdir())


type Receive = Callable[[str], Reception]
"""Starts a receiver, with more keys of its configuration."""


@contextmanager
def receptions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receive]:
    """Yield a function that starts receivers; the settings of pynetdicom are put back."""
    for name in ("STORE_RECV_CHUNKED_DATASET", "LOG_HANDLER_LEVEL", "UNRESTRICTED_STORAGE_SERVICE"):
        monkeypatch.setattr(_config, name, getattr(_config, name))
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)
    opened: list[Reception] = []

    def start(more: str = "") -> Reception:
        opened.append(Reception(folder, more))
        return opened[-1]

    yield start
    for one in opened:
        one.receiver.stop(5.0)
        one.store.close()
        one.listening.close()
