"""Pixel Data whose structure is none that the standard has, around right samples and streams."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
)
from dicodec.part10.file_meta import read_head
from dicodec.part10.source import BytesSource
from helpers.data_set_bytes import element, header, item, marker
from helpers.made import (
    DEFLATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMAGE_KINDS,
    IMPLICIT_LE,
    Samples,
    file_head,
)

PIXEL_DATA = 0x7FE00010
ENCODINGS = {
    IMPLICIT_LE: IMPLICIT_LITTLE,
    EXPLICIT_LE: EXPLICIT_LITTLE,
    EXPLICIT_BE: EXPLICIT_BIG,
    DEFLATED: EXPLICIT_LITTLE,
}
ENDS = ("delimiter", "file", "elements", "delimiter and elements", "delimiter and zeros")
"""What comes behind a value of undefined length."""


def ending(end: str, encoding: DataSetEncoding = EXPLICIT_LITTLE) -> bytes:
    """Return one of ENDS, or one of a fragment's other ends."""
    delimiter = marker(0xFFFEE0DD, 0, encoding)
    of_item = marker(0xFFFEE00D, 0, encoding)
    behind = element(0xFFFCFFFC, "OB", bytes(6), encoding)
    return {
        "delimiter": delimiter,
        "file": b"",
        "elements": behind,
        "delimiter and elements": delimiter + behind,
        "delimiter and zeros": delimiter + bytes(32),
        "item delimiter": of_item,
        "item delimiter and elements": of_item + behind,
        "both delimiters": of_item + delimiter,
        "both delimiters and elements": of_item + delimiter + behind,
        "zeros": bytes(8),
        "more zeros": bytes(64),
        "zeros and elements": bytes(8) + behind,
    }[end]


def without_pixel_data(content: bytes, encoding: DataSetEncoding = EXPLICIT_LITTLE) -> bytes:
    """Return a made file up to Pixel Data, its last element."""
    tag = struct.pack(encoding.order + "HH", 0x7FE0, 0x0010)
    return content[: content.rindex(tag)]


def native(kind: str, syntax: str) -> tuple[bytes, str, bytes, Samples]:
    """Return a native file up to Pixel Data; its VR, its padded value, and the samples."""
    content, samples = IMAGE_KINDS[kind].make(
        transfer_syntax=EXPLICIT_LE if syntax == DEFLATED else syntax
    )
    encoding = ENCODINGS[syntax]
    start = without_pixel_data(content, encoding)
    skipped = 12 if encoding.explicit_vr else 8
    value = content[len(start) + skipped :]
    vr = "OW" if IMAGE_KINDS[kind].bits_allocated > 8 else "OB"
    return start, vr, value, samples


def undefined(
    value: bytes, end: str, encoding: DataSetEncoding = EXPLICIT_LITTLE, vr: str = "OW"
) -> bytes:
    """Return Pixel Data of undefined length with a value and what follows it."""
    return header(PIXEL_DATA, vr, UNDEFINED_LENGTH, encoding) + value + ending(end, encoding)


def items(parts: Iterable[bytes], encoding: DataSetEncoding = EXPLICIT_LITTLE) -> bytes:
    """Return items around some parts of a value."""
    return b"".join(item(part + b"\0" * (len(part) % 2), encoding) for part in parts)


def deflated(content: bytes) -> bytes:
    """Return a file in explicit VR little endian with its data set deflated."""
    head = read_head(BytesSource(content))
    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(content[head.data_set_start :]) + deflater.flush()
    uids = [head.read_text(tag) for tag in (0x00020002, 0x00020003)]
    return file_head(DEFLATED, *uids) + data + b"\0" * (len(data) % 2)
