"""The template of workers: a process that has imported their modules, and forks them.

It has one thread, so a fork is safe, and it takes no part in conversions. A worker that was killed
is replaced within milliseconds, because a new one has nothing to import either. The template ends
when the other end of its socket is closed; its workers abandon their items if it ends before them.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import socket
import sys
import time
from contextlib import suppress

from dicodec.batch.pool.messages import ANSWER, END, LEAVE, PREPARE, REQUEST, START
from dicodec.batch.pool.worker_process import serve_pool

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_FIRST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.005
"""Seconds between two looks whether a worker has ended."""

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_KEPT: list[object] = []
"""Objects that must not be freed, because that would end them."""


def main(control: int) -> None:
    """Serve as a program of its own: standard output and error are the template's words already.

    Args:
        control: descriptor of the socket to the pool.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    _serve(control)
    os._exit(0)


def run_forked(control: int, words: int) -> NoReturn:
    """Serve in a process that was forked from the command's, with all signals blocked.

    Args:
        control: as in `main`.
        words: descriptor of the file for this process's output.
    """
    status = 1
    try:
        os.setsid()  # a terminal's Ctrl-C is for the pool to answer
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(words, 1)
        os.dup2(words, 2)
        os.closerange(3, control)
        os.closerange(control + 1, os.sysconf("SC_OPEN_MAX"))
        # The old ones stay, because to end them would write what they hold.
        _KEPT.append((sys.stdout, sys.stderr))
        sys.stdout = sys.stderr = open(  # noqa: SIM115 - for good
            1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
        )
        os.environ["OPENBLAS_NUM_THREADS"] = "1"  # it starts its threads as it is imported
        for number in _ENDING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, _ENDING)
        _serve(control)
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    os._exit(status)


def _serve(control: int) -> None:
    workers: dict[int, int] = {}
    lifeline, held = os.pipe()
    with socket.socket(fileno=control) as pool:
        while True:
            request, descriptors, _, _ = socket.recv_fds(
                pool, REQUEST.size, 3, flags=socket.MSG_WAITALL
            )
            if len(request) < REQUEST.size:
                return
            wish, number, patience = REQUEST.unpack(request)
            if wish == PREPARE:
                pickle.loads(pool.recv(number, socket.MSG_WAITALL)).carry_out()  # noqa: S301 - the pool's own
            elif wish == START:
                workers[number] = _start(descriptors, lifeline, (control, held))
            elif wish == LEAVE:
                if workers[number] > 0:
                    os.kill(workers[number], signal.SIGTERM)
            elif wish == END:
                pool.sendall(_end(workers.pop(number), patience))


def _start(descriptors: Sequence[int], lifeline: int, others: Sequence[int]) -> int:
    """Fork a worker, and return its process id; or the number of the error, negative."""
    gc.freeze()  # a collection would write to the memory that workers share, and so copy it
    try:
        process = os.fork()
    except OSError as error:
        process = -(error.errno or 1)
    if process == 0:
        _become_worker(descriptors, lifeline, others)
    for descriptor in descriptors:
        os.close(descriptor)
    return process


def _become_worker(descriptors: Sequence[int], lifeline: int, others: Sequence[int]) -> NoReturn:
    try:
        os.setsid()
        channel, words, item = descriptors
        os.dup2(words, 1)
        os.dup2(words, 2)
        for descriptor in (words, *others):
            os.close(descriptor)
        serve_pool(channel, lifeline, item)
    except BaseException:
        import traceback

        traceback.print_exc()
    os._exit(1)


def _end(process: int, patience: float) -> bytes:
    """End a worker and the processes it started, and return the answer for the pool."""
    if process < 0:
        return ANSWER.pack(0, -process)
    until = time.monotonic() + patience
    pause = _FIRST_PAUSE
    while not _is_over(process) and time.monotonic() < until:
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    # Its status is not read yet, so the number still is its own, and that of its process group,
    # unless it is too young to have one.
    for kill in (os.kill, os.killpg):
        with suppress(ProcessLookupError, PermissionError):
            kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return ANSWER.pack(1, os.waitstatus_to_exitcode(status))


def _is_over(process: int) -> bool:
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
