"""Moving bytes that stay as they are from a source to a sink."""

from __future__ import annotations

import io
import os
from typing import BinaryIO

from dicodec.part10.source import ByteSource, FileSource, read_chunks
from dicodec.part10.writer import Sink

_WORTH_ASKING = 1 << 20
_AT_A_TIME = 64 << 20
"""So that an interruption does not wait for all of a large file."""


def move_bytes(source: ByteSource, start: int, end: int, sink: Sink) -> None:
    """Write the bytes from `start` to `end` of a source.

    From file to file the operating system does it, where it can: nothing passes through memory of
    ours, and file systems that know shared blocks only note that the two files have them.

    Raises:
        ReadError: the source ends before `end`.
        OSError: the sink does not take it all.
    """
    if end - start >= _WORTH_ASKING and isinstance(source, FileSource):
        start += _moved_by_system(source, start, end, sink)
    for chunk in read_chunks(source, start, end):
        sink.write(chunk)


def _moved_by_system(source: FileSource, start: int, end: int, sink: Sink) -> int:
    """Return how many bytes the operating system moved; what is left is to be moved otherwise.

    That is so for its errors too, so that they are told as those of reading or of writing.
    """
    if not hasattr(os, "copy_file_range") or not isinstance(sink, io.BufferedRandom):
        return 0
    file: BinaryIO = sink
    file.flush()
    first = file.tell()
    moved = 0
    try:
        while start + moved < end:
            count = os.copy_file_range(
                source.fileno(),
                file.fileno(),
                min(end - start - moved, _AT_A_TIME),
                start + moved,
                first + moved,
            )
            if not count:
                break
            moved += count
    except OSError:
        pass
    file.seek(first + moved)
    return moved
