"""Write a result to a stream: every byte, however few the stream takes at a time."""

from __future__ import annotations

import io
import operator
from collections.abc import Buffer

from dicodec.errors import TargetUnavailableError, WriteError
from dicodec.part10.source import COPY_SIZE
from dicodec.part10.stream_waiting import StreamWaiting

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO


def check_stream(target: object) -> None:
    """Raise TargetUnavailableError unless a target is a stream that takes bytes."""
    if isinstance(target, io.TextIOBase) or not callable(getattr(target, "write", None)):
        raise TargetUnavailableError(
            f"a {type(target).__name__} is not a path or a stream that takes bytes"
        )
    if getattr(target, "closed", False) is True:
        raise TargetUnavailableError("the target is a stream that is closed")
    file = getattr(target, "raw", target)
    if isinstance(file, io.FileIO) and not file.writable():
        raise TargetUnavailableError("the target is a stream that is not open for writing")


def copy_to_stream(content: BinaryIO, target: BinaryIO) -> None:
    """Write all that follows in `content` to a stream, and flush it if it can be.

    A stream may take fewer bytes than it is given: a pipe that does not block, a socket, a file
    without a buffer. The number that its `write` returns is heeded, and it is waited for.

    Args:
        content: a file of ours.
        target: the caller's stream.

    Raises:
        WriteError: the stream does not take all of the bytes.
        OSError: as the stream has it; see `translate_write_errors`.
    """
    sink = _Sink(target)
    while chunk := content.read(COPY_SIZE):
        sink.write(chunk)
    sink.flush()


class WaitingFile(io.FileIO):
    """A descriptor that does not block, written as if it did: `write` takes all it is given."""

    def write(self, data: Buffer, /) -> int:
        """Write all of the bytes, and return how many they are."""
        chunk = bytes(data)
        _Sink(io.FileIO(self.fileno(), "wb", closefd=False)).write(chunk)
        return len(chunk)


class _Sink:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: StreamWaiting | None = None
        # A raw stream returns None if it took nothing; other objects, if they never say how much.
        self._counts = isinstance(stream, io.RawIOBase)

    def write(self, chunk: bytes) -> None:
        while chunk:
            taken = self._take(chunk)
            chunk = chunk[taken:]
            if not taken:
                self._wait()
            elif self._waiting is not None:
                self._waiting.note_progress()

    def flush(self) -> None:
        flush = getattr(self._stream, "flush", None)
        while callable(flush):
            try:
                flush()
            except BlockingIOError:
                self._wait()
            else:
                return

    def _take(self, chunk: bytes) -> int:
        """Return how many bytes the stream took."""
        try:
            taken: object = self._stream.write(chunk)
        except BlockingIOError as full:  # a buffer over a stream that does not block
            self._counts = True
            taken = getattr(full, "characters_written", 0)
        except ValueError as cause:
            if getattr(self._stream, "closed", False) is True:
                raise WriteError("cannot write: the stream was closed") from cause
            raise
        if taken is None:
            return 0 if self._counts else len(chunk)
        self._counts = True
        count = operator.index(taken) if hasattr(taken, "__index__") else -1
        if not 0 <= count <= len(chunk):
            raise WriteError(
                f"cannot write: the stream says it took {taken!r} of {len(chunk)} bytes"
            )
        return count

    def _wait(self) -> None:
        self._waiting = self._waiting or StreamWaiting(self._stream, writing=True)
        self._waiting.wait()
