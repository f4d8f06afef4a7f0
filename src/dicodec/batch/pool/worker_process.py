"""A worker process of a pool: it converts groups of items, one item after the other.

It starts as a program of its own, so it inherits only one socket. It ends when the other end of
the socket is closed. If the pool's process was killed, it abandons its item and removes its
temporary files.
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
from enum import IntEnum
from importlib import import_module
from multiprocessing.connection import Connection

from dicodec.conversion.output.placement import Placement
from dicodec.errors import DicodecError, InternalError, MemoryExceededError
from dicodec.model.records import dataclass
from dicodec.model.wording import describe_fault

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_LONGEST_WAIT = 0.3
"""Seconds of work after which results are put in place without waiting for others."""

_GRACE = 10.0
"""Seconds that a worker gets to clean up after its pool has ended."""


class Word(IntEnum):
    """First field of every message to the pool, sent as a number: names take longer to pickle."""

    READY = 0
    RESULT = 1
    ERROR = 2
    PROGRESS = 3
    NOT_BEGUN = 4
    WRITTEN = 5
    """The result waits to be put in place; its RESULT or ERROR follows after that."""
    PLACED = 6
    """Several messages, each as it would be sent, about results that were put in place."""


@dataclass(frozen=True, slots=True)
class WorkContext:
    """The worker's services for the work on one item.

    Attributes:
        threads: threads that the work may use at once.
        attempt: 1, or 2 if the first attempt ended with its process, at an unknown point.
        report: sends a picklable value to the pool, as progress.
        placement: takes over a finished file and puts it in place later, with others.
    """

    threads: int
    attempt: int
    report: Callable[[Any], None]
    placement: Placement


type Work = Callable[[Any, Any, WorkContext], Any]
"""Function of a module: (settings of the group, item, context) -> result, all picklable."""


@dataclass(frozen=True, slots=True)
class WorkOfModule:
    """A work that the pool's process only names, because it is slow to import.

    Attributes:
        module: dotted name of the module.
        function: name of the function in it.
    """

    module: str
    function: str

    def __call__(self, settings: Any, item: Any, context: WorkContext) -> Any:
        """Import the module and call the function."""
        return getattr(import_module(self.module), self.function)(settings, item, context)


@dataclass(frozen=True, slots=True)
class GroupMessage:
    """A group of items, as it is sent to a worker.

    Attributes:
        work: function that is called for each item.
        settings: value that all items share.
        items: the items, in order.
        threads: threads for each item.
        attempt: 1, or 2 if the items are tried again.
    """

    work: Work
    settings: Any
    items: Sequence[Any]
    threads: int
    attempt: int


def main(descriptor: int) -> None:
    """Serve the pool at the other end of a socket until it is closed; then end this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the pool answers an interruption
    signal.signal(signal.SIGTERM, _leave)
    connection = Connection(descriptor)
    threading.Thread(target=_watch, args=(descriptor,), daemon=True).start()
    try:
        connection.send((int(Word.READY), 0, None))
        while True:
            message = connection.recv_bytes()
            if message:
                carry_out(pickle.loads(message), connection)  # noqa: S301 - the pool's own
    except (EOFError, ConnectionError, SystemExit):
        pass
    # Everything is cleaned up, because no exception holds it any more. Python itself would now take
    # its modules apart one by one, which takes long.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _leave(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal would interrupt the clean-up
    raise SystemExit(0)


def _watch(descriptor: int) -> None:
    """Wait until the pool's end is closed, then end this process, if possible with a clean-up."""
    poll = select.poll()
    poll.register(descriptor, 0)
    poll.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_GRACE)
    os._exit(1)


def carry_out(group: GroupMessage, connection: Connection) -> None:
    """Work on the items of a group, and put their results in place together.

    If this process ends, the pool holds the current item responsible. So the last result before
    all are put in place is not sent as WRITTEN: putting in place belongs to its item.
    """
    with Placement() as placement:
        waiting: list[tuple[int, bytes]] = []  # messages about results that are not in place yet
        since = time.monotonic()
        for index, item in enumerate(group.items):
            if connection.poll():  # an empty message: start no further item
                _put_in_place(placement, waiting, connection)
                connection.send((int(Word.NOT_BEGUN), index, None))
                return
            message = _work_on(group, index, item, placement, connection)
            held = len(placement) > len(waiting)
            if held:
                waiting.append((index, message))
            if index + 1 == len(group.items) or time.monotonic() - since > _LONGEST_WAIT:
                _put_in_place(placement, waiting, connection)
                since = time.monotonic()
            elif held:
                connection.send((int(Word.WRITTEN), index, None))
            if not held:
                connection.send_bytes(message)


def _work_on(
    group: GroupMessage, index: int, item: Any, placement: Placement, connection: Connection
) -> bytes:
    """Work on one item, and return the message for the pool."""

    def report(value: Any) -> None:
        connection.send((int(Word.PROGRESS), index, value))

    waiting = len(placement)
    try:
        context = WorkContext(group.threads, group.attempt, report, placement)
        return pickle.dumps((int(Word.RESULT), index, group.work(group.settings, item, context)))
    except Exception as cause:
        placement.give_up(waiting)
        return _describe_failure(index, cause)


def _describe_failure(index: int, cause: Exception) -> bytes:
    match cause:
        case DicodecError():
            error = cause
        case MemoryError():
            error = MemoryExceededError("no memory is left")
        case _:
            error = InternalError(describe_fault(cause), hint="please report it with the file")
    return pickle.dumps((int(Word.ERROR), index, error))


def _put_in_place(
    placement: Placement, waiting: list[tuple[int, bytes]], connection: Connection
) -> None:
    """Put all waiting results in place, and send the messages of all together."""
    if not waiting:
        return
    messages = [
        message if error is None else _describe_failure(index, error)
        for (index, message), error in zip(waiting, placement.place(), strict=True)
    ]
    waiting.clear()
    connection.send((int(Word.PLACED), 0, messages))


if __name__ == "__main__":
    main(int(sys.argv[1]))
