"""Take zlib and gzip headers off deflated frames (PS3.5 A.4.13: raw deflate, RFC 1951)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from dicodec.errors import CorruptFrameError, FrameMismatchError, TruncatedFrameError

HEAD_SIZE = 3
_ZLIB_HEADER, _ZLIB_TRAILER, _GZIP_TRAILER = 2, 4, 8
_GZIP = b"\x1f\x8b\x08"
_GZIP_FIXED = 10
_HEADER_CHECK, _EXTRA, _NAME, _COMMENT = 2, 4, 8, 16
"""Flags of a gzip header (RFC 1952 2.3.1)."""
_PIECE = 1 << 20


def wrapper_of(head: bytes) -> str:
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
        wrapper = wrapper_of(stream[:HEAD_SIZE])
        if not wrapper:
            return stream
        inflater = zlib.decompressobj(zlib.MAX_WBITS + (16 if wrapper == "gzip" else 0))
        inflated, data = 0, stream
        try:
            while not inflater.eof:
                piece = inflater.decompress(data, _PIECE)
                inflated += len(piece)
                if inflated > self.size + 1:
                    raise FrameMismatchError(f"the frame inflates to more than {self.size} bytes")
                data = inflater.unconsumed_tail
                if not piece and not data and not inflater.eof:
                    raise TruncatedFrameError("the deflated frame ends before its last block")
        except zlib.error as cause:
            raise CorruptFrameError(f"the deflated frame is damaged: {cause}") from cause
        start = _ZLIB_HEADER if wrapper == "zlib" else _gzip_header(stream)
        trailer = _ZLIB_TRAILER if wrapper == "zlib" else _GZIP_TRAILER
        return stream[start : len(stream) - len(inflater.unused_data) - trailer]


def _gzip_header(stream: bytes) -> int:
    """Return the length of a gzip header that zlib takes (RFC 1952 2.3)."""
    flags, at = stream[3], _GZIP_FIXED
    if flags & _EXTRA:
        at += 2 + int.from_bytes(stream[at : at + 2], "little")
    for text in (_NAME, _COMMENT):
        if flags & text:
            at = stream.index(b"\0", at) + 1
    return at + (2 if flags & _HEADER_CHECK else 0)
