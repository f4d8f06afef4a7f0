"""Limits of requests: a rate for each client, and a number of simultaneous ones for all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

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


_WAITING_SECONDS, _MOST_WAITING = 5.0, 256
"""Time for which a request may wait for a place, and number of requests that may."""


class ConcurrencyLimit:
    """Limits how many activities run at once.

    Args:
        count: activities at once.
        what: the activities' name, for people.
    """

    def __init__(self, count: int, what: str) -> None:
        self._count = count
        self._what = what
        self._lock = threading.Lock()
        self._waiting: deque[asyncio.Future[None]] = deque()
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

    @asynccontextmanager
    async def hold_in_turn(self) -> AsyncIterator[None]:
        """Hold a place within the block; wait for it a while if all are taken.

        A request that waits has not been read beyond its headers, so it costs next to nothing: with
        more clients than places, those that are refused would send their files for nothing.

        Raises:
            Refusal: too many wait, or no place became free in time.
        """
        await self._take_in_turn()
        try:
            yield
        finally:
            self.leave()

    async def _take_in_turn(self) -> None:
        if not self._waiting and self.taken < self._count:
            self.take()
            return
        if len(self._waiting) >= _MOST_WAITING:
            raise self._refuse()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(_WAITING_SECONDS):
                await turn
        except BaseException as cause:
            if turn.done() and not turn.cancelled():
                self.leave()  # the place came too late
            else:
                turn.cancel()
            if isinstance(cause, TimeoutError):
                raise self._refuse() from None
            raise

    def _refuse(self) -> Refusal:
        return Refusal(
            503,
            f"too many {self._what} at once",
            headers={"Retry-After": "2", "Connection": "close"},
        )

    def take(self) -> None:
        """Take a place until `leave`.

        Raises:
            Refusal: all places are taken.
        """
        with self._lock:
            if self.taken >= self._count:
                raise self._refuse()
            self.taken += 1

    def leave(self) -> None:
        """Release a place that was taken, to the one who has waited longest."""
        with self._lock:
            while self._waiting:
                turn = self._waiting.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
            self.taken -= 1
