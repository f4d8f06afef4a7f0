"""The pool's side of one worker: starting it, talking to it, ending it, and what is known of it."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from dicodec.batch.pool.worker_process import Group, Word
from dicodec.errors import InternalError

_WORDS_KEPT = 500
"""Characters of what a worker printed that an error carries, from the end."""

_PAGE = os.sysconf("SC_PAGE_SIZE")

_PROGRAM = """
import sys
sys.path[:] = {path!r}
if {module!r}:
    __import__({module!r})
from dicodec.batch.pool.worker_process import main
main({descriptor})
"""


class Worker:
    """A child process. Starting takes about 0.1 s of it, and nothing of the caller.

    Args:
        module: is imported before there is work; None for none.

    Attributes:
        number: of its process.
        connection: becomes readable when it has something to say, or is gone.
        ready: whether it has said that it runs.
    """

    def __init__(self, module: str | None = None) -> None:
        ours, theirs = socket.socketpair()
        self._printed = tempfile.TemporaryFile(mode="a+b")  # noqa: SIM115 - closed with it
        program = _PROGRAM.format(path=sys.path, module=module, descriptor=theirs.fileno())
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=self._printed,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # a terminal's Ctrl-C is for the pool to answer
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )
        self.number = self._process.pid
        self.connection = Connection(ours.detach())
        self.ready = False

    def send(self, group: Group) -> None:
        """Give it items to work at. One that is gone is found out when its answer is awaited."""
        self._printed.truncate(0)
        with suppress(ConnectionError):
            self.connection.send_bytes(pickle.dumps(group))

    def begin_nothing_more(self) -> None:
        """Ask it to finish its item and to leave the others of its group."""
        with suppress(ConnectionError):
            self.connection.send_bytes(b"")

    def receive(self) -> tuple[Word, int, Any] | None:
        """Return its next message, (word, index of the item, value); None if it is gone."""
        try:
            message: tuple[Word, int, Any] = self.connection.recv()
        except (EOFError, ConnectionError):
            return None
        self.ready = True
        return message

    def memory(self) -> int:
        """Return the bytes of memory that it has resident; 0 where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.number}/statm").read_bytes().split()
        except OSError:
            return 0
        return int(fields[1]) * _PAGE

    def ask_to_leave(self) -> None:
        """Make it give up its item and end, leaving no temporary file."""
        self._process.send_signal(signal.SIGTERM)

    def end(self, patience: float = 0) -> str:
        """End it and what it started, and return how it ended, in words.

        Args:
            patience: seconds until it is killed.

        Raises:
            InternalError: it ended by itself before it was ready, as any other would.
        """
        self.connection.close()
        until = time.monotonic() + patience
        while not self._over() and time.monotonic() < until:
            time.sleep(0.005)
        # It is not waited for yet, so its number still is that of its own process group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.number, signal.SIGKILL)
        status = self._process.wait()
        words = self._words()
        self._printed.close()
        if status > 0 and not self.ready:
            raise InternalError(f"no worker can be started: {words}")
        return _end(status) + (f": {words}" if words else "")

    def _over(self) -> bool:
        return os.waitid(os.P_PID, self.number, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def _words(self) -> str:
        size = self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(0, size - _WORDS_KEPT))
        return " ".join(self._printed.read().decode(errors="replace").split())


def _end(status: int) -> str:
    if status >= 0:
        return f"the worker ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the worker was ended by {name}"
