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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from multiprocessing.connection import Connection
from typing import Any

from dicodec.errors import DicodecError, InternalError, MemoryExceededError

_GRACE = 10.0
"""Seconds in which a worker whose pool is gone may clean up."""


class Word(IntEnum):
    """The first field of every message to the pool."""

    READY = 0
    RESULT = 1
    ERROR = 2
    PROGRESS = 3
    NOT_BEGUN = 4


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an item's work may know and use.

    Attributes:
        threads: how many it may have working at once.
        attempt: 1, or 2 where the first one ended with its process, whatever it had done by then.
        tell: sends anything that can be pickled to the pool, as progress.
    """

    threads: int
    attempt: int
    tell: Callable[[Any], None]


type Work = Callable[[Any, Any, Surroundings], Any]
"""A function of a module: (settings of the group, item, surroundings) -> result, all picklable."""


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
    """Serve the pool at the other end of a socket until it closes it."""
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
    except (EOFError, ConnectionError):
        return


def _leave(*_: object) -> None:
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
    for index, item in enumerate(group.items):
        if connection.poll():  # an empty message: begin nothing more
            connection.send((Word.NOT_BEGUN, index, None))
            return

        def tell(value: Any, index: int = index) -> None:
            connection.send((Word.PROGRESS, index, value))

        try:
            around = Surroundings(group.threads, group.attempt, tell)
            result = group.work(group.settings, item, around)
            message = pickle.dumps((Word.RESULT, index, result))
        except DicodecError as error:
            message = pickle.dumps((Word.ERROR, index, error))
        except MemoryError:
            told = MemoryExceededError("no memory is left")
            message = pickle.dumps((Word.ERROR, index, told))
        except Exception as cause:
            fault = InternalError(
                f"a fault in dicodec: {cause!r}", hint="please report it with the file"
            )
            message = pickle.dumps((Word.ERROR, index, fault))
        connection.send_bytes(message)


if __name__ == "__main__":
    main(int(sys.argv[1]))
