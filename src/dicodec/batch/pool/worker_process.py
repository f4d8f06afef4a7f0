"""A worker process of a pool: it converts groups of items, one item after the other.

It is forked from the template, so it starts with all modules that it needs, and inherits only one
socket. It ends when the other end of the socket is closed. If the pool's process or the template
was killed, it abandons its item and removes its temporary files.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import time
from _thread import start_new_thread  # of the library reference; `threading` takes 2 ms

from dicodec.batch.pool.channel import Channel
from dicodec.batch.pool.current_item import CurrentItem
from dicodec.batch.pool.messages import GroupMessage, Word, WorkContext, translate_failure
from dicodec.conversion.output.placement import Placement
from dicodec.model.records import replace

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, NoReturn


_LONGEST_WAIT = 0.3
"""Seconds of work after which results are put in place without waiting for others."""

_GRACE = 10.0
"""Seconds that a worker gets to clean up after its pool has ended."""


def serve_pool(descriptor: int, lifeline: int, item: int) -> NoReturn:
    """Serve the pool at the other end of a socket until it is closed; then end this process.

    Args:
        descriptor: of the socket. Signals that end programs are blocked yet.
        lifeline: descriptor that the template's end closes at the other end.
        item: descriptor of the file of the current item.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the pool answers an interruption
    signal.signal(signal.SIGTERM, _leave)
    channel, current = Channel(descriptor), CurrentItem(item)
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        start_new_thread(_watch, (descriptor, lifeline))
        _send(channel, pickle.dumps((int(Word.READY), 0, os.getpid())))
        kept: dict[type, Any] = {}
        while True:
            message = channel.receive()
            if message:
                carry_out(pickle.loads(message), channel, current, kept)  # noqa: S301 - the pool's own
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


def _send(channel: Channel, message: bytes) -> None:
    """Send a message to the pool; if that has gone, leave as if it had asked for it.

    Otherwise its request, which comes just before its end, would interrupt the clean-up.
    """
    try:
        channel.send(message)
    except ConnectionError:
        _leave()


def _watch(descriptor: int, lifeline: int) -> None:
    """Wait until pool or template has ended, then end this process, if possible with a clean-up."""
    poll = select.poll()
    poll.register(descriptor, 0)
    poll.register(lifeline, 0)
    poll.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(1)


def carry_out(
    group: GroupMessage, channel: Channel, current: CurrentItem, kept: dict[type, Any]
) -> None:
    """Work on the items of a group, and put their results in place together.

    If this process ends, the pool holds the current item responsible: that which is worked on, or
    the last one before results are put in place. Of others without a message it knows that their
    results may be in place or not.

    Args:
        group: the items.
        channel: to the pool.
        current: is told which item begins.
        kept: see `WorkContext`.
    """
    group = _share_settings(group, kept)
    with Placement() as placement:
        waiting: list[tuple[int, bytes]] = []  # messages about results that are not in place yet
        since = time.monotonic()
        for index, item in enumerate(group.items):
            if channel.is_readable():  # an empty message: start no further item
                _put_in_place(placement, waiting, channel)
                _send(channel, pickle.dumps((int(Word.NOT_BEGUN), index, None)))
                return
            current.begin(index)
            message = _work_on(group, index, item, placement, channel, kept)
            if held := len(placement) > len(waiting):
                waiting.append((index, message))
            if index + 1 == len(group.items) or time.monotonic() - since > _LONGEST_WAIT:
                _put_in_place(placement, waiting, channel)
                since = time.monotonic()
            if not held:
                _send(channel, message)


def _share_settings(group: GroupMessage, kept: dict[type, Any]) -> GroupMessage:
    """Return a group with the settings of the one before, if they are equal.

    What is remembered about them is then found by their identity: they have many fields.
    """
    known = kept.get(GroupMessage)
    if known == group.settings:
        return replace(group, settings=known)
    kept[GroupMessage] = group.settings
    return group


def _work_on(
    group: GroupMessage,
    index: int,
    item: Any,
    placement: Placement,
    channel: Channel,
    kept: dict[type, Any],
) -> bytes:
    """Work on one item, and return the message for the pool."""

    def report(value: Any) -> None:
        _send(channel, pickle.dumps((int(Word.PROGRESS), index, value)))

    waiting = len(placement)
    try:
        context = WorkContext(group.threads, group.began, report, placement, kept)
        return pickle.dumps((int(Word.RESULT), index, group.work(group.settings, item, context)))
    except Exception as cause:  # whatever a work raises is its item's outcome
        placement.give_up(waiting)
        return _describe_failure(index, cause)


def _describe_failure(index: int, cause: Exception) -> bytes:
    return pickle.dumps((int(Word.ERROR), index, translate_failure(cause)))


def _put_in_place(placement: Placement, waiting: list[tuple[int, bytes]], channel: Channel) -> None:
    """Put all waiting results in place, and send the messages of all together."""
    if not waiting:
        return
    messages = [
        message if error is None else _describe_failure(index, error)
        for (index, message), error in zip(waiting, placement.place(), strict=True)
    ]
    waiting.clear()
    _send(channel, pickle.dumps((int(Word.PLACED), 0, messages)))
