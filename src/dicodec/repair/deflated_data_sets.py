"""Find out whether a data set is deflated (PS3.5 A.5), under any Transfer Syntax UID."""

from __future__ import annotations

import zlib

from dicodec.model.findings import Oddity, OddityId
from dicodec.part10.file_meta import begins_data_set
from dicodec.part10.source import ByteSource
from dicodec.part10.vr import states_vr

_LOOKED_AT = 1 << 16
"""Bytes of a stream whose start is inflated to recognize a data set."""

_ELEMENT = 16
_WRAPPERS = (
    # zlib's window bits for a wrapper, and the wrapper; the stream of A.5 has none
    (-zlib.MAX_WBITS, ""),
    (zlib.MAX_WBITS, "zlib"),
    (zlib.MAX_WBITS + 16, "gzip"),
)


def detect_deflate(source: ByteSource, start: int, oddities: list[Oddity], *, stated: bool) -> bool:
    """Return whether a deflate stream with a data set in it follows group 2.

    Args:
        source: the file.
        start: offset of the data set.
        oddities: differences from the stated encoding are added.
        stated: whether the Transfer Syntax UID says that it is deflated.
    """
    head = source.read(start, _LOOKED_AT)
    for window_bits, wrapper in _WRAPPERS:
        if not begins_data_set(_inflate(head, window_bits)):
            continue
        if not stated:
            oddities.append(
                Oddity(
                    OddityId.DEFLATED,
                    "the data set is deflated, although that is not stated",
                    start,
                )
            )
        if wrapper:
            oddities.append(
                Oddity(
                    OddityId.WRAPPED_DEFLATE,
                    f"the deflate stream has the header of a {wrapper} stream",
                    start,
                )
            )
        return True
    # Only now: one deflate stream in 2,000 has the letters of a VR where an element has them.
    if stated and states_vr(head[:_ELEMENT]):
        oddities.append(
            Oddity(
                OddityId.NOT_DEFLATED,
                "the data set is not deflated, although that is stated",
                start,
            )
        )
        return False
    return stated


def _inflate(head: bytes, window_bits: int) -> bytes:
    try:
        return zlib.decompressobj(window_bits).decompress(head, _ELEMENT)
    except zlib.error:
        return b""
