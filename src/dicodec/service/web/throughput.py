"""Count the jobs of the last minutes, for the page."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from dicodec.model.records import dataclass

SLOT_SECONDS, SLOTS = 5, 60
"""Seconds of an interval, and number of intervals."""


@dataclass(slots=True)
class Slot:
    """Numbers of one interval of SLOT_SECONDS.

    Attributes:
        number: number of the interval, by the clock.
        done: converted files.
        failed: failed attempts.
        bytes: bytes of the converted sources.
    """

    number: int
    done: int = 0
    failed: int = 0
    bytes: int = 0


class Throughput:
    """Counts attempts in SLOTS intervals of SLOT_SECONDS, and forgets older ones."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._slots: deque[Slot] = deque(maxlen=SLOTS)

    def count(self, *, failed: bool, size: int) -> None:
        """Count an attempt that ended."""
        number = self._find_current()
        with self._lock:
            if not self._slots or self._slots[-1].number != number:
                self._slots.append(Slot(number))
            slot = self._slots[-1]
            slot.failed += failed
            slot.done += not failed
            slot.bytes += 0 if failed else size

    def read_slots(self) -> list[Slot]:
        """Return all slots, the oldest first, empty ones included."""
        now = self._find_current()
        with self._lock:
            known = {slot.number: slot for slot in self._slots}
        return [known.get(number, Slot(number)) for number in range(now - SLOTS + 1, now + 1)]

    def _find_current(self) -> int:
        return int(self._clock() // SLOT_SECONDS)
