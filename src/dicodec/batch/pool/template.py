"""The pool's side of the template: start it, and have it start, watch and end workers."""

from __future__ import annotations

import itertools
import os
import pickle
import socket
import sys
from contextlib import suppress

from dicodec.batch.pool.messages import ANSWER, END, LEAVE, PREPARE, REQUEST, START
from dicodec.batch.pool.words_file import WordsFile
from dicodec.errors import InternalError
from dicodec.model.environment import has_secrets, make_child_environment

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

    from dicodec.batch.pool.messages import Preparation

_PROGRAM = """
import sys
sys.path[:] = {path!r}
from dicodec.batch.pool.template_process import main
main({descriptor})
"""


class Template:
    """The process that forks workers; see `dicodec.batch.pool.template_process`.

    Nothing waits until it is prepared, except who asks how a worker ended. Without a preparation
    each worker imports the modules of its work itself.

    Args:
        forks: whether to fork it from this process, which takes a fifth of the time. It
            starts as a program of its own all the same if this process has other threads, or
            secrets in its environment: workers decode files from anybody.

    Attributes:
        ended: whether it was found to have ended; it starts no workers any more.
    """

    def __init__(self, *, forks: bool) -> None:
        self.ended = False
        self._numbers = itertools.count()
        self._words = WordsFile()
        self._program: subprocess.Popen[bytes] | None = None
        self._process = 0
        self._status: int | None = None
        self._socket, theirs = socket.socketpair()
        with theirs:
            if forks and not has_secrets() and _has_one_thread():
                self._fork(theirs.fileno())
            else:
                self._start_program(theirs.fileno())

    def prepare(self, preparation: Preparation) -> None:
        """Have it import modules of the workers that are started from now on."""
        message = pickle.dumps(preparation)
        with suppress(ConnectionError):  # who starts a worker will find that it has ended
            self._socket.sendall(REQUEST.pack(PREPARE, len(message), 0) + message)

    def start(self, channel: int, words: int, item: int) -> int:
        """Have a worker started, and return the number by which the template knows it.

        Args:
            channel: descriptor of the worker's end of its channel.
            words: descriptor of the file for the worker's output.
            item: descriptor of the file of its current item.
        """
        number = next(self._numbers)
        self._send(START, number, 0, (channel, words, item))
        return number

    def leave(self, number: int) -> None:
        """Have a worker abandon its item and end, without leaving a temporary file."""
        self._send(LEAVE, number)

    def end(self, number: int, patience: float) -> int | None:
        """End a worker and the processes that it started.

        Args:
            number: of the worker.
            patience: seconds until it is killed.

        Returns:
            Its exit status, or the signal that ended it, negative; None if the template ended
            before the worker, which ends by itself then.

        Raises:
            InternalError: the worker could not be started, or the template failed, as the next
                one would.
        """
        if self.ended:
            return None
        self._send(END, number, patience)
        answer = b""
        with suppress(ConnectionError):
            answer = self._socket.recv(ANSWER.size, socket.MSG_WAITALL)
        if len(answer) < ANSWER.size:
            self.ended = True
            status, words = self._wait()
            if status > 0:
                raise InternalError(f"no worker can be started: {words}")
            return None
        started, status = ANSWER.unpack(answer)
        if not started:
            raise InternalError(f"no worker can be started: {os.strerror(status)}")
        return int(status)

    def close(self) -> None:
        """Have it end, and wait for that; once is enough."""
        if self._socket.fileno() >= 0:
            self._socket.close()
            self._wait()
            self._words.close()

    def _wait(self) -> tuple[int, str]:
        """Wait for its end, and return its exit status and its last words."""
        if self._program is not None:
            self._status = self._program.wait()
        elif self._status is None:
            _, ended = os.waitpid(self._process, 0)
            self._status = os.waitstatus_to_exitcode(ended)
        return self._status, self._words.read()

    def _send(
        self, wish: int, number: int, patience: float = 0, descriptors: Sequence[int] = ()
    ) -> None:
        try:
            socket.send_fds(self._socket, [REQUEST.pack(wish, number, patience)], descriptors)
        except ConnectionError:
            self.ended = True

    def _fork(self, control: int) -> None:
        import signal

        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self._process = os.fork()
        if self._process == 0:
            from dicodec.batch.pool.template_process import run_forked

            run_forked(control, self._words.descriptor)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start_program(self, control: int) -> None:
        import subprocess

        program = _PROGRAM.format(path=sys.path, descriptor=control)
        self._program = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.DEVNULL,
            stdout=self._words.descriptor,
            stderr=self._words.descriptor,
            pass_fds=(control,),
            start_new_session=True,  # a terminal's Ctrl-C is for the pool to answer
            env=make_child_environment(OPENBLAS_NUM_THREADS="1"),
        )


def _has_one_thread() -> bool:
    """Whether this process has no thread but this one; False if the system does not tell."""
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 - a path costs more
    except OSError:
        return False
