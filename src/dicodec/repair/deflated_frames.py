"""Deflated frames (PS3.5 A.4.13: raw deflate, RFC 1951): whole ones, and those in a wrapper."""

from __future__ import annotations

import zlib

from dicodec.errors import (
    CorruptFrameError,
    FrameError,
    FrameMismatchError,
    TruncatedFrameError,
)
from dicodec.model.records import dataclass

HEAD_SIZE = 3
_ZLIB_HEADER, _ZLIB_TRAILER, _GZIP_TRAILER = 2, 4, 8
_GZIP = b"\x1f\x8b\x08"
_GZIP_FIXED = 10
_HEADER_CHECK, _EXTRA, _NAME, _COMMENT = 2, 4, 8, 16
"""Flags of a gzip header (RFC 1952 2.3.1)."""
_PIECE = 1 << 20


class DeflatedFrame:
    """One deflate stream that is fed in fragments; no more than a piece of it is inflated at once.

    Args:
        size: bytes of the native frame.
        window_bits: as zlib takes them: of a raw stream, or of one in a wrapper.
    """

    def __init__(self, size: int, window_bits: int = -zlib.MAX_WBITS) -> None:
        self._size = size
        self._inflater = zlib.decompressobj(window_bits)
        self._inflated = 0

    @property
    def ended(self) -> bool:
        """Whether the stream has ended and held the whole frame."""
        whole = self._inflated in {self._size, self._size + self._size % 2}
        return self._inflater.eof and whole

    @property
    def goes_on(self) -> bool:
        """Whether other bytes than zeros came behind the end of the stream."""
        return bool(self._inflater.unused_data.strip(b"\0"))

    def takes(self, data: bytes) -> bool:
        """Inflate a fragment; return False if it is not of such a frame."""
        if self._inflater.eof:
            return False
        try:
            self.inflate(data)
        except FrameError:
            return False
        return True

    def inflate(self, data: bytes) -> int | None:
        """Inflate a part of the stream; return how many bytes come behind its end, None before it.

        Raises:
            CorruptFrameError: the stream is damaged.
            FrameMismatchError: it holds more than a frame.
        """
        try:
            while data and not self._inflater.eof:
                self._inflated += len(self._inflater.decompress(data, _PIECE))
                if self._inflated > self._size + 1:
                    raise FrameMismatchError(f"the frame inflates to more than {self._size} bytes")
                data = self._inflater.unconsumed_tail
        except zlib.error as cause:
            raise CorruptFrameError(f"the deflated frame is damaged: {cause}") from cause
        return len(self._inflater.unused_data) if self._inflater.eof else None


def inflates_to(data: bytes, size: int) -> bool:
    """Whether a raw deflate stream holds exactly one native frame."""
    frame = DeflatedFrame(size)
    return frame.takes(data) and frame.ended


def find_wrapper(head: bytes) -> str:
    """Return "zlib", "gzip", or "" if a raw deflate stream may begin with these bytes.

    A raw one cannot begin as gzip does, with a block of type 3 (RFC 1951 3.2.3). As zlib does it
    would with a stored block behind bits that no encoder sets.
    """
    if head.startswith(_GZIP):
        return "gzip"
    is_zlib = len(head) > 1 and head[0] & 15 == zlib.DEFLATED and (head[0] << 8 | head[1]) % 31 == 0
    return "zlib" if is_zlib and not head[1] & 0x20 else ""  # FDICT would need a dictionary


@dataclass(frozen=True, slots=True)
class DeflateMender:
    """Takes a frame's deflate stream out of its wrapper, whose checksum has to be right.

    Attributes:
        size: bytes of a native frame.
    """

    size: int

    def __call__(self, stream: bytes) -> bytes:
        """Return the raw deflate stream of one frame.

        Raises:
            TruncatedFrameError, CorruptFrameError: the stream in the wrapper is damaged.
            FrameMismatchError: it holds more than a frame.
        """
        wrapper = find_wrapper(stream[:HEAD_SIZE])
        if not wrapper:
            return stream
        frame = DeflatedFrame(self.size, zlib.MAX_WBITS + (16 if wrapper == "gzip" else 0))
        rest = frame.inflate(stream)
        if rest is None:
            raise TruncatedFrameError("the deflated frame ends before its last block")
        start = _ZLIB_HEADER if wrapper == "zlib" else _measure_gzip_header(stream)
        trailer = _ZLIB_TRAILER if wrapper == "zlib" else _GZIP_TRAILER
        return stream[start : len(stream) - rest - trailer]


def _measure_gzip_header(stream: bytes) -> int:
    """Return the length of a gzip header that zlib takes (RFC 1952 2.3)."""
    flags, at = stream[3], _GZIP_FIXED
    if flags & _EXTRA:
        at += 2 + int.from_bytes(stream[at : at + 2], "little")
    for text in (_NAME, _COMMENT):
        if flags & text:
            at = stream.index(b"\0", at) + 1
    return at + (2 if flags & _HEADER_CHECK else 0)
