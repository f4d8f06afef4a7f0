"""Tickets for downloads: a browser saves a file by its address alone, which carries no token."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

_SECONDS, _MOST = 60.0, 256
"""Time for which a ticket can be used, and number of tickets at most."""


class Tickets[Kept]:
    """Keeps grants asked for with a token, under names that nobody can guess, for one use each.

    Args:
        clock: returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Kept]] = OrderedDict()
        self._lock = threading.Lock()

    def issue(self, kept: Kept) -> str:
        """Return a new ticket; if there are too many, the oldest is worth nothing any more."""
        ticket = secrets.token_urlsafe(32)
        with self._lock:
            self._kept[ticket] = self._clock() + _SECONDS, kept
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return ticket

    def redeem(self, ticket: str) -> Kept | None:
        """Return a ticket's grant, once; None if it is not valid, or no longer."""
        with self._lock:
            until, kept = self._kept.pop(ticket, (0.0, None))
        return kept if self._clock() <= until else None
