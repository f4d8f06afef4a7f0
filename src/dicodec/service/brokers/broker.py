"""The interface of message brokers; each kind of broker is a module beside this one.

Brokers decide nothing: `settlement.py` decides for all of them when a message is acknowledged, sent
again or becomes a dead letter.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from dicodec.model.records import dataclass, field, replace

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, Self

RETRY_TIERS = (1, 5, 20, 80, 320, 1280)
"""Delays in seconds, for brokers with a queue for each delay. A message waits in the first queue
with a sufficient delay, so it never waits behind a message with a much longer delay."""

_LONGEST_DELAY = 86_400.0
"""Seconds that a message waits at most, whatever it says."""

_HEADERS_SIZE = 48 << 10
"""Characters of the headers of a message that are read. A history has about half of them."""

_NAME = re.compile(r"[!-9;-~]{1,200}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")

CUT = "dicodec-cut"
"""Header of a message that was too large for its broker: what was cut, "headers" or "body"."""

_SHORT = 200
"""Characters of a header that is not cut."""

NOT_BEFORE = "dicodec-not-before"
"""Header of a waiting message with the time when it is due, in seconds since 1970."""


class BrokerUnavailableError(Exception):
    """The broker cannot be reached, or the connection was lost; `open` may help."""

    @classmethod
    def of(cls, cause: BaseException | None) -> Self:
        """Return the error for one of a broker's client."""
        return cls(str(cause) or type(cause).__name__)


class Queue(Enum):
    """The queues of one broker."""

    REQUESTS = "requests"
    RETRY = "retry"
    DEAD = "dead"
    EVENTS = "events"


@dataclass(frozen=True, slots=True)
class QueueNames:
    """Names of queues, topics, streams or subjects.

    Attributes:
        requests: name of the queue of requests; the other names are made from it.
    """

    requests: str = "dicodec.requests"

    @property
    def dead(self) -> str:
        """Name for dead letters."""
        return f"{self.requests}.dead"

    @property
    def events(self) -> str:
        """Name for events."""
        return f"{self.requests}.events"

    @property
    def retry(self) -> str:
        """Name for messages that wait for another attempt."""
        return f"{self.requests}.retry"

    def find(self, queue: Queue) -> str:
        """Return the name of a queue."""
        return {
            Queue.REQUESTS: self.requests,
            Queue.RETRY: self.retry,
            Queue.DEAD: self.dead,
            Queue.EVENTS: self.events,
        }[queue]

    def name_tier(self, seconds: int) -> str:
        """Return the name for messages that wait for a delay of RETRY_TIERS."""
        return f"{self.retry}.{seconds}s"


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Options for the use of a broker.

    Attributes:
        names: names of the queues.
        source: queue to read: REQUESTS, DEAD for dead letters, or None for none.
        prefetch: messages at most that are delivered and not yet acknowledged.
        silence: seconds without a heartbeat until the messages of a worker go to another one.
        partitions: partitions of the topic of requests, if it has to be made.
        group: name of the group of workers that share the messages.
    """

    names: QueueNames = QueueNames()
    source: Queue | None = Queue.REQUESTS
    prefetch: int = 32
    silence: float = 30.0
    partitions: int = 12
    group: str = "dicodec"

    @property
    def queue(self) -> str:
        """Name of the queue to read; that of the requests if none is read."""
        return self.names.dead if self.source is Queue.DEAD else self.names.requests


@dataclass(slots=True, eq=False)
class Delivery:
    """A delivered message that is not acknowledged yet.

    Attributes:
        body: content, as it was sent.
        headers: texts by lower-case name.
        token: the broker's handle of the message.
        session: number of the connection that delivered it.
        sent: when it was sent, in seconds since 1970 by the clock of the broker or the producer;
            None if that is not known.
    """

    body: bytes
    headers: Mapping[str, str]
    token: Any
    session: int
    sent: float | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send.

    Attributes:
        queue: destination.
        body: content.
        headers: ASCII texts by lower-case name.
        key: id of the job, which is the key of messages that belong together.
        delay: seconds until it is delivered, for RETRY.
    """

    queue: Queue
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    delay: float = 0.0

    def cut(self) -> Self:
        """Return the message as it fits into a broker that finds it too large.

        Its history and other long headers go first, then half of its body.
        """
        headers = {name: text for name, text in self.headers.items() if len(text) <= _SHORT}
        if len(headers) < len(self.headers):
            return replace(self, headers={**headers, CUT: "headers"})
        half = self.body[: len(self.body) // 2]
        return replace(self, body=half, headers={**headers, CUT: "body"})


class Broker(ABC):
    """A connection to a broker.

    All methods but `close` and `answers` raise BrokerUnavailableError if the broker does not
    answer. Then `open` makes a new connection.

    Args:
        url: URL of the broker, with credentials.
        options: options for its use.
    """

    remembers = True
    """Whether a new connection can acknowledge messages of a lost one."""

    def __init__(self, url: str, options: BrokerOptions) -> None:
        self.url = url
        self.options = options
        self.names = options.names
        self.session = 0
        self.consumer = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"

    @abstractmethod
    async def open(self) -> None:
        """Connect, and make missing queues; close an earlier connection."""

    @abstractmethod
    async def close(self) -> None:
        """Disconnect. Unacknowledged messages are delivered again, at once if possible."""

    @abstractmethod
    async def fetch(self, count: int, seconds: float) -> list[Delivery]:
        """Return up to `count` messages; wait up to some seconds for the first one."""

    @abstractmethod
    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge messages. Those of a lost connection may be delivered again."""

    @abstractmethod
    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Return messages, to be delivered to another worker at once."""

    @abstractmethod
    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Send messages. The broker has them when this returns, except perhaps events."""

    @abstractmethod
    async def beat(self, deliveries: Sequence[Delivery]) -> None:
        """Send a heartbeat for messages in work; called several times within `silence`."""

    async def answers(self) -> bool:
        """Return whether the broker is there.

        Only clients that connect again by themselves have to ask it, because nothing else tells
        of the loss.
        """
        return True


def choose_tier(delay: float) -> int:
    """Return the first delay of RETRY_TIERS that is sufficient, or the longest."""
    return next((tier for tier in RETRY_TIERS if delay <= tier), RETRY_TIERS[-1])


def read_headers(given: Iterable[tuple[object, object]]) -> dict[str, str]:
    """Return the headers of a delivered message: texts by lower-case name, bounded in size.

    A message may come from anybody, and clients hand over whatever its bytes bring: absent values,
    objects, lone surrogates. Bytes that are not text are escaped. Headers that have no proper name,
    or for which no room is left, are dropped.

    Args:
        given: names and values, as a client has them.
    """
    headers: dict[str, str] = {}
    room = _HEADERS_SIZE
    for name, value in given:
        key, text = _read_text(name).lower(), _read_text(value)
        room -= len(key) + len(text)
        if room < 0:
            break
        if _NAME.fullmatch(key):
            headers[key] = text
    return headers


def _read_text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    elif not isinstance(value, str | int | float):
        value = ""  # nothing of ours; printing nested values has no bound
    return _CONTROLS.sub(" ", str(value).encode("utf-8", "backslashreplace").decode())


def take_due_time(headers: dict[str, str]) -> float:
    """Remove NOT_BEFORE from headers and return its time; 0 if it is missing or no time of ours."""
    try:
        due = float(headers.pop(NOT_BEFORE, "0"))
    except ValueError:
        return 0.0
    return due if 0 < due < time.time() + _LONGEST_DELAY else 0.0


async def cancel(task: asyncio.Task[None] | None) -> None:
    """Cancel a task, if there is one, and wait for its end."""
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
