"""Count the signals that ask a command to end, so that it ends at a good moment."""

from __future__ import annotations

import signal
from types import FrameType

from dicodec.cli.printing import HUNG_UP, INTERRUPTED, TERMINATED
from dicodec.model.platforms import find_ending_signals

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Self


class Interruptions:
    """Counts SIGINT and signals that end programs while it is entered, instead of ending.

    Attributes:
        status: exit status for the last of them.
    """

    def __init__(self) -> None:
        self.status = INTERRUPTED
        self._count = 0

    def count(self) -> int:
        """Return the number of signals."""
        return self._count

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._count_signal)
            for number in (signal.SIGINT, *find_ending_signals())
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _count_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._count += 1
        if number != signal.SIGINT:
            self.status = TERMINATED if number == signal.SIGTERM else HUNG_UP
