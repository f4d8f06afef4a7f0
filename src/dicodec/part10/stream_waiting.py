"""Wait for a stream that does not block: a pipe, a socket or a raw stream that is not ready yet."""

from __future__ import annotations

import time

_POLL_SECONDS = 1.0
"""Longest wait by the operating system, because a stream may be ready without its knowledge."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.1
_LONGEST_IDLE = 60.0
"""Seconds after which a stream that is ready, or says nothing, but moves no byte, is given up."""


class StreamWaiting:
    """Waits until a stream can be read or written; one for each transfer.

    A stream with a descriptor is waited for as long as a blocking one would block. One without is
    tried repeatedly, and given up after a minute in which it did nothing.

    Args:
        stream: any object; its `fileno()` is used if it has one.
        writing: whether bytes are written to it, not read.
    """

    def __init__(self, stream: object, *, writing: bool) -> None:
        self._writing = writing
        self._descriptor = _find_descriptor(stream)
        self.note_progress()

    def note_progress(self) -> None:
        """Restart the count, because the stream gave or took a byte."""
        self._pause = _FIRST_PAUSE
        self._idle = 0.0

    def wait(self) -> None:
        """Return when the stream should be tried again.

        Raises:
            TimeoutError: it was ready for a minute, but gave or took no bytes.
        """
        if self._descriptor is not None and not self._is_ready():
            return
        if self._idle >= _LONGEST_IDLE:
            verb = "took" if self._writing else "gave"
            raise TimeoutError(f"the stream {verb} nothing for {_LONGEST_IDLE:.0f} seconds")
        time.sleep(self._pause)
        self._idle += self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _is_ready(self) -> bool:
        """Return whether the operating system says, within a second, that the stream is ready."""
        import select  # seldom needed

        poll = select.poll()
        poll.register(self._descriptor or 0, select.POLLOUT if self._writing else select.POLLIN)
        return bool(poll.poll(1000 * _POLL_SECONDS))


def _find_descriptor(stream: object) -> int | None:
    try:
        number = stream.fileno()  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return None
    return number if isinstance(number, int) and number >= 0 else None
