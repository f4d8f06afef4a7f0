"""A `dicodec serve` in a process of its own, on a free port of the loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx

from helpers.patience import give_up_at

START_SECONDS = 60.0
OVER = {"done", "dead", "cancelled"}


class RunningService:
    """A running service, and a client for it."""

    def __init__(self, folder: Path, *arguments: str, token: str | None = None) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.root.mkdir(parents=True, exist_ok=True)
        self.log_path = folder / "log"
        environment = {key: value for key, value in os.environ.items() if key != "DICODEC_TOKEN"}
        if token is not None:
            environment["DICODEC_TOKEN"] = token
        serve = [sys.executable, "-m", "dicodec.cli.main", "serve", "--port", "0"]
        command = [*serve, "--data", str(folder / "data"), "--root", str(self.root), *arguments]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, env=environment
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()
        assert self.url, self.log_path.read_text()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.client = httpx.Client(base_url=self.url, timeout=60, headers=headers)
        self.wait(self._answers, START_SECONDS)

    def _answers(self) -> bool:
        try:
            return self.client.get("/health/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def wait(self, true: Callable[[], Any], seconds: float = 30.0) -> Any:
        """Return what a function returns once that is true."""
        until = give_up_at(seconds)
        while time.monotonic() < until:
            if found := true():
                return found
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s\n{self.log_path.read_text()[-2000:]}")

    def job(self, job: str) -> dict[str, Any]:
        """Return a job as the service tells it."""
        answer = self.client.get(f"/api/jobs/{job}")
        assert answer.status_code == httpx.codes.OK, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def ended(self, job: str, seconds: float = 30.0) -> dict[str, Any]:
        """Return a job once it is over."""

        def over() -> dict[str, Any] | None:
            told = self.job(job)
            return told if told["state"] in OVER else None

        found: dict[str, Any] = self.wait(over, seconds)
        return found

    def submit(self, **fields: Any) -> httpx.Response:
        """Ask for a job."""
        return self.client.post("/api/jobs", json=fields)

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of its log."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]


@contextmanager
def running(folder: Path, *arguments: str, token: str | None = None) -> Iterator[RunningService]:
    """Yield a service that runs within the block."""
    with RunningService(folder, *arguments, token=token) as service:
        yield service
