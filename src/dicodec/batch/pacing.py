"""Pacing: when a batch may start its next file, and how many bytes its results may have."""

from __future__ import annotations

import os
import re
import time

from dicodec.errors import InvalidOptionError
from dicodec.model.records import NamedTuple, Protocol, dataclass

_DAY = 24 * 60

RESERVED_SHARE, RESERVED_MORE = 4, 64 << 10
"""Room that is kept free for a result in work: so many times its source's bytes, and so many more.

A larger result waits until it can have all the room that is left.
"""

_CREDIT_SECONDS = 0.5
"""Idle time that is made up for: a batch looks several times a second whether it may go on."""


class Window(NamedTuple):
    """A part of each day, in minutes since midnight; it may hold midnight."""

    start: int
    end: int

    def holds(self, minute: int) -> bool:
        """Whether a minute of the day is within it."""
        return (minute - self.start) % _DAY < (self.end - self.start) % _DAY

    def format_start(self) -> str:
        """Return its beginning for people: 22:00."""
        return f"{self.start // 60:02}:{self.start % 60:02}"


def parse_window(text: str) -> Window:
    """Return the part of a day that a text such as 22:00-06:00 names.

    Raises:
        InvalidOptionError: the text names none.
    """
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)", text.strip())
    if match:
        hour, minute, last_hour, last_minute = map(int, match.groups())
        window = Window(hour * 60 + minute, last_hour * 60 + last_minute)
        if window.end <= _DAY and window.start != window.end % _DAY:
            return window._replace(end=window.end % _DAY)
    raise InvalidOptionError(f"{text!r} is not a part of a day such as 22:00-06:00")


class Clock(Protocol):
    """Tells the time; tests have one that nobody waits for."""

    def read_seconds(self) -> float:
        """Return seconds since some moment."""

    def read_minute(self) -> int:
        """Return the minute of the day, in local time."""


class SystemClock:
    """The clock of the system."""

    def read_seconds(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()

    def read_minute(self) -> int:
        """Return the minute of the day, in local time."""
        now = time.localtime()
        return now.tm_hour * 60 + now.tm_min


@dataclass(frozen=True, slots=True)
class PaceOptions:
    """Options of pacing.

    Attributes:
        most_bytes: bytes that all results of the run may have; None for no bound.
        rate: bytes of sources that are begun in a second, in the mean; None for no bound.
        window: part of the day in which files are started; None for all of it.
        pause_file: path; while a file has it, no file is started. None for none.
    """

    most_bytes: int | None = None
    rate: int | None = None
    window: Window | None = None
    pause_file: str | None = None


class Pacer:
    """Says when the next file may be started, and keeps count of bytes.

    Args:
        options: the options.
        clock: tells the time; the system's by default.
    """

    def __init__(self, options: PaceOptions, clock: Clock | None = None) -> None:
        self._options = options
        self._clock: Clock = SystemClock() if clock is None else clock
        self._ready = self._clock.read_seconds()
        self._left = options.most_bytes
        self._reserved: dict[int, int] = {}

    def find_hold(self) -> str:
        """Return why no file may be started now, for people; "" if one may."""
        options = self._options
        if options.pause_file is not None and os.path.lexists(options.pause_file):
            return f"paused while {options.pause_file} is there"
        if options.window is not None and not options.window.holds(self._clock.read_minute()):
            return f"waiting for {options.window.format_start()}"
        if options.rate is not None and self._clock.read_seconds() < self._ready:
            return "slowed down"
        return ""

    def bound_group(self, size: int) -> int:
        """Return the bytes of sources that are begun together: some, or fewer because of bounds."""
        if self._options.rate is not None:
            size = min(size, self._options.rate)
        return size if self._left is None else min(size, self._left // (2 * RESERVED_SHARE))

    def begin(self, size: int) -> None:
        """Count bytes of sources that are begun."""
        if self._options.rate is not None:
            now = self._clock.read_seconds()
            self._ready = max(self._ready, now - _CREDIT_SECONDS) + size / self._options.rate

    # Room for results.

    @property
    def bounds_results(self) -> bool:
        """Whether there is a bound on the bytes of results."""
        return self._left is not None

    def reserve(self, number: int, size: int) -> int | None:
        """Keep room free for the result of a source of some bytes.

        Returns:
            The bytes that the result may have; None if there is not so much room now.
        """
        assert self._left is not None
        wanted = RESERVED_SHARE * size + RESERVED_MORE
        if wanted > self._left - sum(self._reserved.values()):
            return None
        self._reserved[number] = wanted
        return wanted

    def reserve_all(self, number: int) -> int:
        """Keep all the room for one result that is the only one in work; return how much it is."""
        assert self._left is not None
        assert not self._reserved
        self._reserved[number] = self._left
        return self._left

    def release(self, number: int, written: int = 0) -> bool:
        """Give back the room of a result, of which some bytes were written.

        Returns:
            Whether it had all the room.
        """
        had = self._reserved.pop(number, None)
        whole = had is not None and had == self._left
        if self._left is not None:
            self._left -= written
        return whole
