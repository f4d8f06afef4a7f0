"""A worker of a pool: a process that carries out groups of items, one item after the other.

It is started as a program of its own, so it inherits nothing but one socket. It ends when the other
end of the socket is closed, also where the pool's process was killed: then it gives up what it is
doing, so that temporary files go.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from dicodec.conversion.output.placement import Placement
from dicodec.errors import DicodecError, InternalError, MemoryExceededError

_LONGEST_WAIT = 0.3
"""Seconds of work from which on results wait for no others."""

_GRACE = 10.0
"""Seconds in which a worker whose pool is gone may clean up."""


class Word(IntEnum):
    """The first field of every message to the pool."""

    READY = 0
    RESULT = 1
    ERROR = 2
    PROGRESS = 3
    NOT_BEGUN = 4
    WRITTEN = 5
    """Its result waits for its place; what it came to is told once it has it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an item's work may know and use.

    Attributes:
        threads: how many it may have working at once.
        attempt: 1, or 2 where the first one ended with its process, whatever it had done by then.
        tell: sends anything that can be pickled to the pool, as progress.
        placement: takes over a file that is to get its place before the item is done.
    """

    threads: int
    attempt: int
    tell: Callable[[Any], None]
    placement: Placement


type Work = Callable[[Any, Any, Surroundings], Any]
"""A function of a module: (settings of the group, item, surroundings) -> result, all picklable."""


@dataclass(frozen=True, slots=True)
class WorkOfModule:
    """A work that the pool's side names, and that only a worker loads.

    Attributes:
        module, function: where it is.
    """

    module: str
    function: str

    def __call__(self, settings: Any, item: Any, around: Surroundings) -> Any:
        """Do the work."""
        return getattr(import_module(self.module), self.function)(settings, item, around)


@dataclass(frozen=True, slots=True)
class Group:
    """Items for one worker.

    Attributes:
        work: what is done to each.
        settings: what all of them share.
        items: one after the other.
        threads: for each.
        attempt: 1, or 2 where they are tried again.
    """

    work: Work
    settings: Any
    items: Sequence[Any]
    threads: int
    attempt: int


def main(descriptor: int) -> None:
    """Serve the pool at the other end of a socket until it closes it; then end this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the pool decides what an interruption means
    signal.signal(signal.SIGTERM, _leave)
    connection = Connection(descriptor)
    threading.Thread(target=_watch, args=(descriptor,), daemon=True).start()
    try:
        connection.send((Word.READY, 0, None))
        while True:
            message = connection.recv_bytes()
            if message:
                _carry_out(pickle.loads(message), connection)  # noqa: S301 - the pool's own
    except (EOFError, ConnectionError, SystemExit):
        pass
    # All that is to be cleaned up is, since no exception holds it any more. Python would take its
    # modules apart one by one.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _leave(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would interrupt the cleaning up
    raise SystemExit(0)


def _watch(descriptor: int) -> None:
    """Wait until the pool's end is closed, then end this process, tidily if it lets itself."""
    poll = select.poll()
    poll.register(descriptor, 0)
    poll.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_GRACE)
    os._exit(1)


def _carry_out(group: Group, connection: Connection) -> None:
    """Work at the items of a group, and put their results in their places together.

    The pool takes the item at hand for what ends this process. So no result is told of as written
    after which there is nothing but to put all in their places: that belongs to the last one.
    """
    with Placement() as placement:
        waiting: list[tuple[int, bytes]] = []  # what is told of each result once it has its place
        since = time.monotonic()
        for index, item in enumerate(group.items):
            if connection.poll():  # an empty message: begin nothing more
                _place(placement, waiting, connection)
                connection.send((Word.NOT_BEGUN, index, None))
                return
            message = _worked(group, index, item, placement, connection)
            held = len(placement) > len(waiting)
            if held:
                waiting.append((index, message))
            if index + 1 == len(group.items) or time.monotonic() - since > _LONGEST_WAIT:
                _place(placement, waiting, connection)
                since = time.monotonic()
            elif held:
                connection.send((Word.WRITTEN, index, None))
            if not held:
                connection.send_bytes(message)


def _worked(
    group: Group, index: int, item: Any, placement: Placement, connection: Connection
) -> bytes:
    """Work at one item, and return what the pool is to be told."""

    def tell(value: Any) -> None:
        connection.send((Word.PROGRESS, index, value))

    waiting = len(placement)
    try:
        around = Surroundings(group.threads, group.attempt, tell, placement)
        return pickle.dumps((Word.RESULT, index, group.work(group.settings, item, around)))
    except Exception as cause:
        placement.give_up(waiting)
        return _failure(index, cause)


def _failure(index: int, cause: Exception) -> bytes:
    match cause:
        case DicodecError():
            error = cause
        case MemoryError():
            error = MemoryExceededError("no memory is left")
        case _:
            error = InternalError(
                f"a fault in dicodec: {cause!r}", hint="please report it with the file"
            )
    return pickle.dumps((Word.ERROR, index, error))


def _place(placement: Placement, waiting: list[tuple[int, bytes]], connection: Connection) -> None:
    """Put the results that wait in their places, and tell what became of each."""
    for (index, message), error in zip(waiting, placement.place(), strict=True):
        connection.send_bytes(message if error is None else _failure(index, error))
    waiting.clear()


if __name__ == "__main__":
    main(int(sys.argv[1]))
