"""Real ends of DICOM associations on loopback: a gateway in its process, and DCMTK's programs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pydicom

from helpers.installed import program
from helpers.patience import wait_for

START_SECONDS = 60.0
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}
"""Without it DCMTK waits 40 ms for each message."""


SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
"""Real files that pydicom ships."""


def find_free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def answers(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running_storescp(
    folder: Path, *profile: str, title: str = "STORE", port: int | None = None
) -> Iterator[int]:
    """Yield the port of a storescp, which writes each object that it gets to a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or find_free_port()
    command = [program("storescp"), *profile, "-od", str(folder), "+uf", "-aet", title, str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT
    )
    try:
        wait_for(lambda: answers(port))
        yield port
    finally:
        process.kill()
        process.wait()


def send(
    port: int,
    *paths: Path | str,
    sender: str = "SENDER",
    called: str = "DICODEC",
    options: str = "",
) -> subprocess.CompletedProcess[str]:
    """Send files with DCMTK's dcmsend, as they are."""
    command = [
        program("dcmsend"), "-v", *options.split(), "-aet", sender, "-aec", called, "127.0.0.1",
        str(port), *map(str, paths),
    ]  # fmt: skip
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=ENVIRONMENT
    )


class RunningGateway:
    """A `dicodec gateway run` in a process of its own."""

    def __init__(self, folder: Path, config: str, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.spool = folder / "spool"
        self.config = folder / "gateway.toml"
        self.config.write_text(config)
        self.log_path = folder / "log"
        self.arguments = arguments
        self.start()

    def start(self) -> None:
        """Start it, and wait until it receives."""
        command = [sys.executable, "-m", "dicodec.cli.main", "gateway", "run", str(self.config)]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.arguments], stdout=subprocess.PIPE, stderr=log
            )
        assert self.process.stdout is not None
        words = self.process.stdout.readline().decode().split()
        assert words, self.log_path.read_text()
        self.port = int(words[-1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def kill(self) -> None:
        """End it as a power cut would, and close its end of the pipe."""
        self.process.send_signal(signal.SIGKILL)
        self.__exit__()

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of its log."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of its log with an event."""
        return [line for line in self.log() if line["event"] == event]

    def wait_for_events(self, event: str, count: int, seconds: float = 30.0) -> None:
        """Wait until an event stands so many times in the log."""
        wait_for(
            lambda: len(self.events(event)) >= count,
            seconds,
            f"for {event}\n{self.log_path.read_text()[-3000:]}",
        )

    def wait_until_empty(self, seconds: float = 30.0) -> None:
        """Wait until the spool holds no object, no part and no result."""
        wait_for(
            lambda: not self.held(),
            seconds,
            f"{self.held()}\n{self.log_path.read_text()[-3000:]}",
        )

    def held(self) -> list[Path]:
        """Return the files in the spool's folders."""
        folders = ("objects", "parts", "results")
        found = (path for name in folders for path in (self.spool / name).rglob("*"))
        return [path for path in found if path.is_file()]
