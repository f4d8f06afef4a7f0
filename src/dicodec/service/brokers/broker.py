"""What the worker asks of a message broker; one file beside this for each kind.

A broker here does what it is told and decides nothing: when a message is acknowledged, sent again
or buried is decided in `settlement.py`, for all of them alike.
"""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

RETRY_TIERS = (1, 5, 20, 80, 320, 1280)
"""Seconds; where a broker keeps what waits in queues by delay, a message waits in the first one
that is long enough, and never behind one that waits longer than that."""

NOT_BEFORE = "dicodec-not-before"
"""Header that says when a message that waits is due, in seconds since 1970."""


class BrokerUnavailableError(Exception):
    """The broker cannot be reached, or the connection was lost; opening it anew may help."""


class Place(Enum):
    """Where a message goes."""

    REQUESTS = "requests"
    RETRY = "retry"
    DEAD = "dead"
    EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of queues, topics, streams or subjects.

    Attributes:
        requests: as the operator has it; the others follow from it.
    """

    requests: str = "dicodec.requests"

    @property
    def dead(self) -> str:
        """What was given up."""
        return f"{self.requests}.dead"

    @property
    def events(self) -> str:
        """What happens."""
        return f"{self.requests}.events"

    @property
    def retry(self) -> str:
        """What waits for another attempt."""
        return f"{self.requests}.retry"

    def tier(self, seconds: int) -> str:
        """What waits for at most so many seconds."""
        return f"{self.retry}.{seconds}s"


@dataclass(frozen=True, slots=True)
class Consumption:
    """How messages are taken.

    Attributes:
        names: of the queues.
        source: REQUESTS; DEAD to read what was given up; None to read nothing.
        prefetch: messages at most that are taken and not acknowledged.
        silence: seconds after which messages of a worker that says nothing go to another.
        partitions: of the topic of requests, where it has to be made.
        group: name of the workers that share the load.
    """

    names: Names = Names()
    source: Place | None = Place.REQUESTS
    prefetch: int = 32
    silence: float = 30.0
    partitions: int = 12
    group: str = "dicodec"

    @property
    def queue(self) -> str:
        """The name of what is read; of the requests where nothing is."""
        return self.names.dead if self.source is Place.DEAD else self.names.requests


@dataclass(slots=True, eq=False)
class Delivery:
    """A message that was delivered, and is not acknowledged yet.

    Attributes:
        body: as it was sent.
        headers: texts by lower-case name.
        token: by which its broker knows it.
        session: number of the connection it came by.
    """

    body: bytes
    headers: Mapping[str, str]
    token: Any
    session: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent.

    Attributes:
        place: where to.
        body: bytes.
        headers: texts of ASCII by lower-case name.
        key: what messages that belong together have in common: the job's id.
        delay: seconds before which it does not come back; for RETRY.
    """

    place: Place
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    delay: float = 0.0


class Broker(ABC):
    """A connection to a broker.

    All methods but `close` raise BrokerUnavailableError where the broker does not answer; `open`
    then makes a new connection.

    Args:
        url: of the broker, with credentials.
        how: messages are taken.
    """

    remembers = True
    """Whether what came by a connection that was lost can be acknowledged by a new one."""

    def __init__(self, url: str, how: Consumption) -> None:
        self.url = url
        self.how = how
        self.names = how.names
        self.session = 0
        self.consumer = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"

    @abstractmethod
    async def open(self) -> None:
        """Connect, and make what is missing of queues; close what was open before."""

    @abstractmethod
    async def close(self) -> None:
        """Disconnect. What is not acknowledged comes again, to others at once if possible."""

    @abstractmethod
    async def fetch(self, count: int, seconds: float) -> list[Delivery]:
        """Return up to so many messages, waiting so long for the first."""

    @abstractmethod
    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker to forget messages. What came by a lost connection comes again."""

    @abstractmethod
    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Have messages delivered to somebody else, at once."""

    @abstractmethod
    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Send messages; when this returns the broker has them, but for events perhaps."""

    @abstractmethod
    async def beat(self, deliveries: Sequence[Delivery]) -> None:
        """Say that messages are being worked at; called three times in `silence`."""


def tier_of(delay: float) -> int:
    """Return the tier that a delay belongs to."""
    return next((tier for tier in RETRY_TIERS if delay <= tier), RETRY_TIERS[-1])


def due_of(headers: dict[str, str]) -> float:
    """Take out of headers when a message is due; 0 where that is not said."""
    try:
        return float(headers.pop(NOT_BEFORE, "0"))
    except ValueError:
        return 0.0
