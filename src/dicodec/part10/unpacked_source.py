"""A source that unpacks the blocks of another as they are read."""

from __future__ import annotations

from collections.abc import Callable

from dicodec.part10.source import ByteSource


class UnpackedSource:
    """Bytes of a source with each block unpacked to a block of another size.

    Args:
        source: the bytes that hold the blocks.
        start: of the first block.
        length: bytes of all blocks; the last one may be cut.
        sizes: of a block, before and after.
        unpack: unpacks blocks.
    """

    def __init__(
        self,
        source: ByteSource,
        start: int,
        length: int,
        sizes: tuple[int, int],
        unpack: Callable[[bytes], bytes],
    ) -> None:
        self._source = source
        self._start = start
        self._length = length
        self._packed, self._unpacked = sizes
        self._unpack = unpack
        self.size = length // self._packed * self._unpacked
        if rest := length % self._packed:
            self.size += len(unpack(bytes(rest)))

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        first, last = offset // self._unpacked, -(-end // self._unpacked)
        begin, stop = first * self._packed, min(last * self._packed, self._length)
        blocks = self._unpack(self._source.read(self._start + begin, stop - begin))
        skipped = offset - first * self._unpacked
        return blocks[skipped : skipped + end - offset]
