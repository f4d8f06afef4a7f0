"""A clock for tests of what depends on time."""

from __future__ import annotations


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return its reading, in seconds."""
        return self.now
