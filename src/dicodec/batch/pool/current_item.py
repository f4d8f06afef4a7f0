"""The item that a worker is at, in a file that it shares with the pool: read only if that matters.

A message for each item would wake the pool as often, which takes as long as a tenth of the work on
a small one.
"""

from __future__ import annotations

import os
import struct
import time

from dicodec.batch.pool.words_file import open_unnamed
from dicodec.model.platforms import read_at

_STATE = struct.Struct("=qd")


class CurrentItem:
    """The shared file. The worker writes, the pool reads and clears.

    Args:
        descriptor: of the file; None to make it.

    Attributes:
        descriptor: of the file.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = open_unnamed("dicodec-item") if descriptor is None else descriptor

    def begin(self, index: int) -> None:
        """Enter that an item of the group begins now."""
        os.pwrite(self.descriptor, _STATE.pack(index, time.monotonic()), 0)

    def clear(self) -> None:
        """Enter that no item of a new group has begun."""
        os.truncate(self.descriptor, 0)

    def find_index(self) -> int:
        """Return the index of the item; 0 if none has begun."""
        return self._read()[0]

    def measure_seconds(self, now: float) -> float:
        """Return how long the item has taken; 0 if none has begun.

        Args:
            now: the time by time.monotonic(), which all processes of a system share.
        """
        _, since = self._read()
        return now - since if since else 0.0

    def _read(self) -> tuple[int, float]:
        state = read_at(self.descriptor, _STATE.size, 0)
        if len(state) < _STATE.size:
            return 0, 0.0
        index, since = _STATE.unpack(state)
        return index, since

    def close(self) -> None:
        """Close the file, which ends when nobody has it open any more."""
        os.close(self.descriptor)
