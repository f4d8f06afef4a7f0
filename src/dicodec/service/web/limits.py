"""Limits of requests: a rate for each client, and a number of simultaneous ones for all."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dicodec.service.web.error_answers import Refusal

_CLIENTS_KNOWN = 10_000
"""Clients whose requests are counted; the one with the oldest request is forgotten."""

_BURST_SECONDS = 10.0
"""Time whose share of requests a client may send at once."""


class RateLimit:
    """Limits the requests of each client to a number a minute, a sixth of that at once.

    Args:
        per_minute: requests a minute; None for no bound.
        clock: returns the time in seconds.
    """

    def __init__(self, per_minute: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60 if per_minute is not None else None
        self._clock = clock
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def spend(self, client: str) -> None:
        """Count a request.

        Raises:
            Refusal: the client sends too many requests.
        """
        if self._rate is None:
            return
        room = max(1.0, self._rate * _BURST_SECONDS)
        with self._lock:
            now = self._clock()
            left, at = self._clients.pop(client, (room, now))
            left = min(room, left + (now - at) * self._rate)
            allowed = left >= 1
            self._clients[client] = (left - 1 if allowed else left, now)
            if len(self._clients) > _CLIENTS_KNOWN:
                self._clients.popitem(last=False)
        if not allowed:
            seconds = int((1 - left) / self._rate) + 1
            raise Refusal(
                429, "too many requests from this address", headers={"Retry-After": str(seconds)}
            )


class ConcurrencyLimit:
    """Limits how many activities run at once.

    Args:
        count: activities at once.
        what: the activities, for people.
    """

    def __init__(self, count: int, what: str) -> None:
        self._count = count
        self._what = what
        self._lock = threading.Lock()
        self.taken = 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold a place within the block.

        Raises:
            Refusal: all places are taken.
        """
        self.take()
        try:
            yield
        finally:
            self.leave()

    def take(self) -> None:
        """Take a place until `leave`.

        Raises:
            Refusal: all places are taken.
        """
        with self._lock:
            if self.taken >= self._count:
                raise Refusal(503, f"too many {self._what} at once", headers={"Retry-After": "2"})
            self.taken += 1

    def leave(self) -> None:
        """Release a place that was taken."""
        with self._lock:
            self.taken -= 1
