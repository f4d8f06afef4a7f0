"""Workers as processes of their own, which can be killed; and what their store of jobs says."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from dicodec.service.jobs.store.database import is_postgres
from helpers.patience import give_up_at


class Fleet:
    """Workers that share a folder, a store and a broker.

    Args:
        url: of the broker.
        folder: root of all files, with the store and the workers' logs.
        options: of every worker.
        environment: besides that of this process.
        store: URL of the store; None for a file in the folder.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        options: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        store: str | None = None,
    ) -> None:
        self.folder = folder
        self.store = store or str(folder / "jobs.sqlite")
        self.log = folder / "worker.log"
        self._command = [
            sys.executable, "-m", "dicodec.cli.main", "worker", "--broker", url, "--root",
            str(folder / "files"), "--store", self.store, *options,
        ]  # fmt: skip
        self._environment = {**os.environ, **(environment or {})}
        self.workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def prepare(self) -> None:
        """Make the queues."""
        subprocess.run([*self._command, "--prepare"], check=True, timeout=60)

    def start(self, count: int = 1, by: Sequence[str] = ()) -> None:
        """Start workers.

        Args:
            count: how many.
            by: the program that starts each, with its options.
        """
        for _ in range(count):
            with self.log.open("ab") as log:
                self.workers.append(
                    subprocess.Popen([*by, *self._command], stderr=log, env=self._environment)
                )

    def kill(self, index: int) -> None:
        """Kill a worker as a power cut would."""
        worker = self.workers.pop(index)
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def stop(self, patience: float = 60) -> list[int]:
        """Ask all to end; return their exit statuses."""
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        return [worker.wait(patience) for worker in self.workers]

    def query(self, text: str) -> list[tuple[Any, ...]]:
        if is_postgres(self.store):
            return self._ask_server(text)
        if not Path(self.store).exists():
            return []
        connection = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(text).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return []  # it is being made
        finally:
            connection.close()

    def _ask_server(self, text: str) -> list[tuple[Any, ...]]:
        url, _, schema = self.store.partition("?schema=")
        try:
            with psycopg.connect(url, options=f"-c search_path={schema}") as connection:
                return connection.execute(text.encode()).fetchall()
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
            return []  # it restarts, or the tables are being made

    def states(self) -> dict[str, str]:
        """Return the state of each job by its id."""
        return {row[0]: row[1] for row in self.query("SELECT id, state FROM job")}

    def successes(self) -> Counter[str]:
        """Return how often each job was done, as the store was told."""
        rows = self.query('SELECT job FROM event WHERE json LIKE \'{"kind":"succeeded"%\'')
        return Counter(row[0] for row in rows)

    def wait_for(self, done: Callable[[], bool], seconds: float) -> None:
        until = give_up_at(seconds)
        while not done():
            if time.monotonic() > until:
                states = Counter(self.states().values())
                text = self.log.read_text(errors="replace")[-3000:]
                raise AssertionError(f"not within {seconds} s: {states}\n{text}")
            time.sleep(0.1)
