"""Objects in object storage as sources: read by ranges, each byte fetched at most once.

A header costs one request. Frames that are read one after the other are fetched in growing ranges.
The fetched bytes of a small object stay in memory, those of a large one in a sparse temporary
file, so verification, which reads the source again, fetches nothing.
"""

from __future__ import annotations

import tempfile
import threading
from contextlib import suppress

from dicodec.batch.sources.cloud import fetch, read_facts
from dicodec.errors import ReadError, SourceUnavailableError
from dicodec.model.platforms import read_at
from dicodec.model.source_names import ObjectUrl
from dicodec.part10.source import SPOOL_SIZE, write_spool

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Self

BLOCK_SIZE = 256 << 10
"""Bytes of the smallest range that is fetched."""

MOST_AHEAD = 32
"""Blocks that are fetched ahead at most."""


class CloudObject:
    """An object as a ByteSource; safe to use from several threads.

    Args:
        url: URL of the object.

    Raises:
        SourceUnavailableError: the object does not exist, or may not be read.
        ReadError: the store gives an unexpected answer.

    Attributes:
        facts: size, time and etag of the object; all ranges are of this version.
        size: bytes.
        requests: number of ranges that were fetched.
    """

    def __init__(self, url: ObjectUrl) -> None:
        self.url = url
        self.requests = 1
        try:
            self.facts, first = fetch(url, 0, BLOCK_SIZE, None)
        except SourceUnavailableError:
            raise
        except ReadError:  # an empty object has no range
            self.facts, first = read_facts(url), b""
            if self.facts.size:
                raise
        self.size = self.facts.size
        self._fetched = _FetchedBytes(self.size)
        self._there = bytearray((self.size + BLOCK_SIZE - 1) // BLOCK_SIZE)
        self._lock = threading.Lock()
        self._ahead = 1
        self._next = 0
        if first:
            self._keep(0, first)

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`.

        Raises:
            SourceChangedError: the object was replaced after it was opened.
            ReadError: the store gives an unexpected answer.
        """
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        first, last = offset // BLOCK_SIZE, (end - 1) // BLOCK_SIZE
        with self._lock:
            block = first
            while block <= last:
                if self._there[block]:
                    block += 1
                    continue
                missing = self._there.find(1, block, last + 1)
                block = self._fetch(block, last if missing < 0 else missing - 1)
        return self._fetched.read(offset, end - offset)

    def _fetch(self, first: int, last: int) -> int:
        """Fetch blocks, more of them the longer reading goes on; return the next one's number."""
        self._ahead = min(self._ahead * 2, MOST_AHEAD) if first == self._next else 1
        stop = min(max(last + 1, first + self._ahead), len(self._there))
        there = self._there.find(1, last + 1, stop)
        stop = stop if there < 0 else there
        start, end = first * BLOCK_SIZE, min(stop * BLOCK_SIZE, self.size)
        self.requests += 1
        _, content = fetch(self.url, start, end, self.facts.etag)
        if len(content) != end - start:
            raise ReadError("the store returned fewer bytes than there are", offset=start)
        self._keep(first, content)
        return stop

    def _keep(self, first: int, content: bytes) -> None:
        self._fetched.write(first * BLOCK_SIZE, content)
        count = (len(content) + BLOCK_SIZE - 1) // BLOCK_SIZE
        self._there[first : first + count] = b"\1" * count
        self._next = first + count

    def close(self) -> None:
        """Release the fetched bytes."""
        self._fetched.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _FetchedBytes:
    """Fetched bytes of an object at their offsets, in memory or in a temporary file."""

    def __init__(self, size: int) -> None:
        self._memory = bytearray(size) if size <= SPOOL_SIZE else None
        self._file = None if size <= SPOOL_SIZE else tempfile.TemporaryFile(prefix="dicodec-")  # noqa: SIM115

    def write(self, offset: int, content: bytes) -> None:
        if self._memory is not None:
            self._memory[offset : offset + len(content)] = content
            return
        assert self._file is not None
        self._file.seek(offset)
        write_spool(self._file, [content], flush=True)

    def read(self, offset: int, length: int) -> bytes:
        if self._memory is not None:
            return bytes(self._memory[offset : offset + length])
        assert self._file is not None
        data = b""
        while len(data) < length:
            data += read_at(self._file.fileno(), length - len(data), offset + len(data))
        return data

    def close(self) -> None:
        self._memory = None
        if self._file is not None:
            with suppress(OSError):
                self._file.close()


def open_object(url: ObjectUrl) -> CloudObject:
    """Open an object for reading; the caller closes it.

    Raises:
        SourceUnavailableError: the object does not exist, or may not be read.
        ReadError: the store gives an unexpected answer.
    """
    return CloudObject(url)
