"""Collect oddities: the first ten of each kind in full, then only a count."""

from __future__ import annotations

from dicodec.model.findings import Oddity, OddityId

_EACH = 10


class Notes:
    """The oddities of one data set, in the order they were found."""

    def __init__(self) -> None:
        self._oddities: list[Oddity] = []
        self._counts: dict[OddityId, int] = {}  # a Counter takes ten times as long to copy

    def add(self, oddity: OddityId, text: str, offset: int | None = None) -> None:
        """Take one down; beyond ten of a kind they are only counted."""
        self._counts[oddity] = self._counts.get(oddity, 0) + 1
        if self._counts[oddity] <= _EACH:
            self._oddities.append(Oddity(oddity, text, offset))

    def mark(self) -> tuple[int, dict[OddityId, int]]:
        """Return a place to go back to."""
        return len(self._oddities), self._counts.copy()

    def back_to(self, mark: tuple[int, dict[OddityId, int]]) -> None:
        """Forget the notes since a mark, because the reading was given up."""
        length, self._counts = mark[0], mark[1].copy()
        del self._oddities[length:]

    def list_oddities(self) -> tuple[Oddity, ...]:
        """Return the oddities."""
        more = [
            Oddity(oddity, f"the same {count - _EACH} more times")
            for oddity, count in self._counts.items()
            if count > _EACH
        ]
        return (*self._oddities, *more)
