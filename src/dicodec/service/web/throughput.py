"""How many jobs came to an end lately, for the page."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

SLOT_SECONDS = 5
SLOTS = 60


@dataclass(slots=True)
class Slot:
    """What came to an end within SLOT_SECONDS.

    Attributes:
        number: of the slot, by the clock.
        done: jobs.
        failed: attempts.
        bytes: of the sources of those that are done.
    """

    number: int
    done: int = 0
    failed: int = 0
    bytes: int = 0


class Throughput:
    """Counts in slots of some seconds, and forgets after some minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._slots: deque[Slot] = deque(maxlen=SLOTS)

    def count(self, *, failed: bool, size: int) -> None:
        """Count an attempt that ended."""
        number = self._now()
        with self._lock:
            if not self._slots or self._slots[-1].number != number:
                self._slots.append(Slot(number))
            slot = self._slots[-1]
            slot.failed += failed
            slot.done += not failed
            slot.bytes += 0 if failed else size

    def slots(self) -> list[Slot]:
        """Return all slots, the oldest first, those without anything too."""
        now = self._now()
        with self._lock:
            known = {slot.number: slot for slot in self._slots}
        return [known.get(number, Slot(number)) for number in range(now - SLOTS + 1, now + 1)]

    def _now(self) -> int:
        return int(self._clock() // SLOT_SECONDS)
