"""A real PostgreSQL server, started on a free port of the loopback, stopped by its own number."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from helpers.brokers import LOOPBACK, listens
from helpers.dicom_network import find_free_port
from helpers.installed import end_without
from helpers.patience import give_up_at

_START_SECONDS = 60.0
_NUMBERS = count(1)


@dataclass
class RunningPostgres:
    """A server; each store gets a schema of its own."""

    folder: Path
    programs: Path
    port: int
    host: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://tester@{self.host}:{self.port}/postgres"

    def name_store(self) -> str:
        """Return the URL of a store that is new."""
        return f"{self.url}?schema=store_{os.getpid()}_{next(_NUMBERS)}"

    def up(self) -> None:
        command = [
            str(self.programs / "postgres"), "-D", str(self.folder / "data"),
            "-p", str(self.port), "-c", f"listen_addresses={self.host}",
            "-c", f"unix_socket_directories={self.folder}", "-c", "shared_buffers=16MB",
            "-c", "max_connections=60",
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                start_new_session=True, user=_find_user(),
            )  # fmt: skip
        until = give_up_at(_START_SECONDS)
        ready = [str(self.programs / "pg_isready"), "-q", "-h", self.host, "-p", str(self.port)]
        while (
            not listens(self.port, host=self.host) or subprocess.run(ready, check=False).returncode
        ):
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "PostgreSQL did not start"
            time.sleep(0.05)

    def down(self, number: int = signal.SIGINT) -> None:
        """Stop it: SIGINT closes connections at once, SIGQUIT is as a crash."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(30)
        self.process = None

    def restart(self, number: int = signal.SIGINT) -> None:
        self.down(number)
        self.up()


@cache
def _find_programs() -> Path:
    needed = ("initdb", "pg_isready", "postgres")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)  # Debian's place
    folders += [Path(path) for path in os.environ.get("PATH", "").split(os.pathsep)]
    whole = (folder for folder in folders if all((folder / name).exists() for name in needed))
    return next(whole, None) or end_without("postgresql")


def _find_user() -> int | None:
    """Return the user who starts it, because PostgreSQL refuses root; None for this one."""
    return pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else None


@contextmanager
def running_postgres(host: str = LOOPBACK) -> Iterator[RunningPostgres]:
    """Yield a server that takes connections; its data are gone afterwards.

    Args:
        host: address where it listens; it lets in whoever reaches it there.
    """
    programs = _find_programs()
    folder = Path(tempfile.mkdtemp(prefix="dicodec-postgres-"))  # whoever it runs as may get there
    server = RunningPostgres(folder, programs, find_free_port(), host)
    try:
        if (user := _find_user()) is not None:
            os.chown(folder, user, -1)
        subprocess.run(
            [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "tester", "-A", "trust",
             "--no-sync", "-E", "UTF8", "--locale=C"],
            check=True, stdout=subprocess.DEVNULL, cwd=folder, user=_find_user(),
        )  # fmt: skip
        if host != LOOPBACK:
            with (folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write("host all all samenet trust\n")
        server.up()
        yield server
    finally:
        if server.process is not None:
            server.down(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
