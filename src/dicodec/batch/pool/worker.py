"""The pool's side of a worker process: start it, talk to it, watch it, end it."""

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

from dicodec.batch.pool.worker_process import GroupMessage
from dicodec.errors import InternalError
from dicodec.model.environment import make_child_environment
from dicodec.model.wording import describe_end

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_WORDS_KEPT = 500
"""Characters of a worker's output that an error quotes, from the end."""

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
    """A worker process. It starts in about 0.1 s, for which the caller does not wait.

    Args:
        module: module that it imports before there is work; None for none.

    Attributes:
        number: process id.
        connection: becomes readable when the worker sent a message, or ended.
        ready: whether it has sent a message.
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
                env=make_child_environment(OPENBLAS_NUM_THREADS="1"),
            )
        self.number = self._process.pid
        self.connection = Connection(ours.detach())
        self.ready = False

    def send(self, group: GroupMessage) -> None:
        """Send a group. That the worker has ended is found when its answer is awaited."""
        self._printed.truncate(0)
        with suppress(ConnectionError):
            self.connection.send_bytes(pickle.dumps(group))

    def stop_after_item(self) -> None:
        """Ask it to finish the current item and to return the others of its group."""
        with suppress(ConnectionError):
            self.connection.send_bytes(b"")

    def receive(self) -> tuple[int, int, Any] | None:
        """Return its next message, (word, index of the item, value); None if it has ended."""
        try:
            message: tuple[int, int, Any] = self.connection.recv()
        except (EOFError, ConnectionError):
            return None
        self.ready = True
        return message

    def measure_memory(self) -> int:
        """Return its resident memory in bytes; 0 if the system does not tell."""
        try:
            fields = Path(f"/proc/{self.number}/statm").read_bytes().split()
        except OSError:
            return 0
        return int(fields[1]) * _PAGE

    def ask_to_leave(self) -> None:
        """Make it abandon its item and end, without leaving a temporary file."""
        self._process.send_signal(signal.SIGTERM)

    def end(self, patience: float = 0) -> str:
        """End it and the processes that it started, and return how it ended, in words.

        Args:
            patience: seconds until it is killed.

        Raises:
            InternalError: it ended before it was ready, as any other worker would.
        """
        self.connection.close()
        until = time.monotonic() + patience
        while not self._is_over() and time.monotonic() < until:
            time.sleep(0.005)
        # Its status is not read yet, so its number still is that of its own process group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.number, signal.SIGKILL)
        status = self._process.wait()
        words = self._read_words()
        self._printed.close()
        if status > 0 and not self.ready:
            raise InternalError(f"no worker can be started: {words}")
        return describe_end("the worker", status) + (f": {words}" if words else "")

    def _is_over(self) -> bool:
        return os.waitid(os.P_PID, self.number, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def _read_words(self) -> str:
        size = self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(0, size - _WORDS_KEPT))
        return " ".join(self._printed.read().decode(errors="replace").split())
