"""Find the offset of a partition to commit, because its messages end in any order."""

from __future__ import annotations


class PartitionOffsets:
    """Delivered offsets of one partition.

    A commit covers all messages before its offset, so it stops at the first one in work.
    """

    def __init__(self) -> None:
        self._open: dict[int, bool] = {}

    def add(self, offset: int) -> None:
        """Enter a delivered message; messages come in the order of their offsets."""
        self._open.setdefault(offset, False)

    def acknowledge(self, offset: int) -> None:
        """Enter that a message is acknowledged."""
        if offset in self._open:
            self._open[offset] = True

    def take_commit(self) -> int | None:
        """Return the offset after the last message without a gap; None if nothing is new."""
        last: int | None = None
        for offset, done in [*self._open.items()]:
            if not done:
                break
            last = offset
            del self._open[offset]
        return None if last is None else last + 1
