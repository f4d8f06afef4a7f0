"""The deflated data set (PS3.5 A.5): inflating it to a place where it can be walked, and back."""

from __future__ import annotations

import tempfile
import zlib
from typing import BinaryIO

from dicodec.errors import LimitExceededError, MalformedFileError, TruncatedFileError
from dicodec.model.limits import Limits
from dicodec.part10.source import SPOOL_SIZE, ByteSource, BytesSource, FileSource, read_chunks

_RAW = -zlib.MAX_WBITS
_LEVEL = 6


def inflate_data_set(source: ByteSource, start: int, limits: Limits) -> BytesSource | FileSource:
    """Inflate what follows group 2; in memory while it is small, else in a temporary file.

    Some writers put a zlib header before the raw stream, which PS3.5 A.5 does not allow; it is
    recognised by its check bits and read.

    Raises:
        MalformedFileError: what is there is no deflate stream.
        TruncatedFileError: the stream has no end.
        LimitExceededError: more bytes come out than the limit allows.
    """
    inflater = zlib.decompressobj(_window_bits(source.read(start, 2)))
    parts: list[bytes] = []
    spool: BinaryIO | None = None
    size = 0
    try:
        for chunk in read_chunks(source, start, source.size):
            pending = chunk
            while pending and not inflater.eof:
                inflated = inflater.decompress(pending, SPOOL_SIZE)
                pending = inflater.unconsumed_tail
                size += len(inflated)
                if size > limits.inflated_size:
                    raise LimitExceededError(
                        f"the data set inflates to more than {limits.inflated_size} bytes"
                    )
                if spool is None and size > SPOOL_SIZE:
                    spool = tempfile.TemporaryFile(prefix="dicodec-")  # noqa: SIM115
                    spool.writelines(parts)
                    parts.clear()
                if spool is None:
                    parts.append(inflated)
                else:
                    spool.write(inflated)
            if inflater.eof:
                break
    except zlib.error as cause:
        raise MalformedFileError(
            f"the deflated data set cannot be inflated: {cause}", offset=start
        ) from cause
    if not inflater.eof:
        raise TruncatedFileError("the deflated data set has no end", offset=source.size)
    if spool is None:
        return BytesSource(b"".join(parts))
    spool.flush()
    return FileSource(spool)


def _window_bits(head: bytes) -> int:
    is_zlib = len(head) == 2 and head[0] == 0x78 and (head[0] << 8 | head[1]) % 31 == 0
    return zlib.MAX_WBITS if is_zlib else _RAW


class DeflatingWriter:
    """Deflates what is written to it; `finish` pads the stream to even length (PS3.5 A.5)."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
        self._written = 0

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take bytes of the data set."""
        self._put(self._deflater.compress(data))
        return len(data)

    def finish(self) -> None:
        """Write what is left, and one NUL if the stream's length is odd."""
        self._put(self._deflater.flush())
        if self._written % 2:
            self._put(b"\0")

    def _put(self, data: bytes) -> None:
        self._out.write(data)
        self._written += len(data)
