"""The pool's side of a worker process: start it, talk to it, watch it, end it."""

from __future__ import annotations

import os
import pickle
import socket
from contextlib import suppress

from dicodec.batch.pool.channel import Channel
from dicodec.batch.pool.current_item import CurrentItem
from dicodec.batch.pool.messages import Word
from dicodec.batch.pool.words_file import WordsFile
from dicodec.model.wording import describe_end

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.batch.pool.messages import GroupMessage
    from dicodec.batch.pool.template import Template

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Worker:
    """A worker process.

    Args:
        template: starts it, as soon as it can; the caller does not wait.

    Attributes:
        channel: becomes readable when the worker sent a message, or ended.
        item: the item of its group that it is at.
        ready: whether it has sent a message.
    """

    def __init__(self, template: Template) -> None:
        ours, theirs = socket.socketpair()
        self.item = CurrentItem()
        self._words = WordsFile()
        self._template = template
        with theirs:
            self._number = template.start(
                theirs.fileno(), self._words.descriptor, self.item.descriptor
            )
        self.channel = Channel(ours.detach())
        self._process = 0

    @property
    def ready(self) -> bool:
        """Whether it has sent a message."""
        return self._process > 0

    def send(self, group: GroupMessage) -> None:
        """Send a group. That the worker has ended is found when its answer is awaited."""
        self._words.clear()
        self.item.clear()
        message = pickle.dumps(group)
        with suppress(ConnectionError):
            self.channel.send(message)

    def stop_after_item(self) -> None:
        """Ask it to finish the current item and to return the others of its group."""
        with suppress(ConnectionError):
            self.channel.send(b"")

    def receive(self) -> tuple[int, int, Any] | None:
        """Return its next message, (word, index of the item, value); None if it has ended."""
        try:
            message: tuple[int, int, Any] = pickle.loads(self.channel.receive())  # noqa: S301
        except (EOFError, ConnectionError):
            return None
        if message[0] == Word.READY:
            self._process = message[2]
        return message

    def measure_memory(self) -> int:
        """Return its resident memory in bytes; 0 if the system does not tell."""
        try:
            with open(f"/proc/{self._process}/statm", "rb") as file:  # noqa: PTH123
                fields = file.read().split()
        except OSError:
            return 0
        return int(fields[1]) * _PAGE

    def ask_to_leave(self) -> None:
        """Make it abandon its item and end, without leaving a temporary file."""
        self._template.leave(self._number)

    def end(self, patience: float = 0) -> str:
        """End it and the processes that it started, and return how it ended, in words.

        Args:
            patience: seconds until it is killed.

        Raises:
            InternalError: it could not be started, as any other worker could not.
        """
        self.channel.close()
        try:
            status = self._template.end(self._number, patience)
            words = self._words.read()
        finally:
            self._words.close()
            self.item.close()
        if status is None:
            return "the worker ended because the process that starts workers did"
        return describe_end("the worker", status) + (f": {words}" if words else "")
