"""Inflate a deflated data set (PS3.5 A.5) into memory or a temporary file."""

from __future__ import annotations

import zlib

from dicodec.errors import LimitExceededError, MalformedFileError, TruncatedFileError
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.limits import Limits, make_limit_hint
from dicodec.part10.source import (
    SPOOL_SIZE,
    ByteSource,
    BytesSource,
    FileSource,
    abandon,
    read_chunks,
    write_spool,
)

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO

_RAW = -zlib.MAX_WBITS
_GZIP = b"\x1f\x8b"  # no raw stream begins so, because no such kind of block exists


def inflate_data_set(
    source: ByteSource, start: int, limits: Limits, oddities: list[Oddity]
) -> BytesSource | FileSource:
    """Inflate the bytes after group 2; in memory while they are few, else in a temporary file.

    Some writers put a zlib or gzip header before the raw stream, which PS3.5 A.5 does not allow; it
    is recognized by its check bits, or its signature, and read.

    Args:
        source: the file.
        start: offset of the stream.
        limits: bounds on the inflated size.
        oddities: bytes after the stream are added, if they are more than padding.

    Raises:
        MalformedFileError: the bytes are not a deflate stream.
        TruncatedFileError: the stream has no end.
        LimitExceededError: the data set inflates to more bytes than the limit.
    """
    inflater = zlib.decompressobj(_read_window_bits(source.read(start, 2)))
    spool = _Spool(limits.inflated_size)
    end = start
    try:
        for chunk in read_chunks(source, start, source.size):
            end += len(chunk)
            pending = chunk
            while pending and not inflater.eof:
                spool.write(inflater.decompress(pending, SPOOL_SIZE))
                pending = inflater.unconsumed_tail
            if inflater.eof:
                break
        if not inflater.eof:
            raise TruncatedFileError("the deflated data set has no end", offset=source.size)
        end -= len(inflater.unused_data)
        if source.size - end > 1 or source.read(end, 1).strip(b"\0"):
            text = f"{source.size - end} bytes after the deflated data set"
            oddities.append(Oddity(OddityId.BYTES_AFTER_DEFLATE, text, end))
        return spool.as_source()
    except zlib.error as cause:
        spool.abandon()
        raise MalformedFileError(
            f"the deflated data set cannot be inflated: {cause}", offset=start
        ) from cause
    except BaseException:
        spool.abandon()
        raise


class _Spool:
    """Collects bytes: in memory while they are few, then in a temporary file."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._parts: list[bytes] = []
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise LimitExceededError(
                f"the data set inflates to more than {self._limit} bytes",
                hint=make_limit_hint("inflated_size=SIZE"),
            )
        self._parts.append(data)
        if self._size > SPOOL_SIZE:
            if self._file is None:
                import tempfile  # seldom needed, and it takes milliseconds to load

                self._file = tempfile.TemporaryFile(prefix="dicodec-")  # noqa: SIM115
            write_spool(self._file, self._parts)
            self._parts.clear()

    def as_source(self) -> BytesSource | FileSource:
        if self._file is None:
            return BytesSource(b"".join(self._parts))
        write_spool(self._file, (), flush=True)
        return FileSource(self._file)

    def abandon(self) -> None:
        if self._file is not None:
            abandon(self._file)


def _read_window_bits(head: bytes) -> int:
    if head == _GZIP:
        return zlib.MAX_WBITS + 16
    is_zlib = len(head) == 2 and head[0] == 0x78 and (head[0] << 8 | head[1]) % 31 == 0
    return zlib.MAX_WBITS if is_zlib else _RAW
