"""Which offset of a partition may be committed, where work at it ends in any order."""

from __future__ import annotations


class PartitionOffsets:
    """The offsets of one partition that were delivered here.

    A commit says that everything before it is done, so it stops at the first that is not.
    """

    def __init__(self) -> None:
        self._open: dict[int, bool] = {}

    def delivered(self, offset: int) -> None:
        """Enter a message; they come in the order of their offsets."""
        self._open.setdefault(offset, False)

    def done(self, offset: int) -> None:
        """Enter that a message is done."""
        if offset in self._open:
            self._open[offset] = True

    def to_commit(self) -> int | None:
        """Return the offset behind all that are done without a gap; None where it is known."""
        last: int | None = None
        for offset, done in [*self._open.items()]:
            if not done:
                break
            last = offset
            del self._open[offset]
        return None if last is None else last + 1
