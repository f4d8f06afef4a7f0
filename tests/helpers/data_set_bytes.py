"""Writes elements, sequences and whole files byte by byte, as odd as a test wants them."""

from __future__ import annotations

import struct

from dicodec.part10.encoding import EXPLICIT_LITTLE, UNDEFINED_LENGTH, DataSetEncoding
from dicodec.part10.file_meta import read_head
from dicodec.part10.source import BytesSource
from helpers.made import EXPLICIT_LE, file_head

LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
SOP_CLASS = "1.2.840.10008.5.1.4.1.1.7"


def header(tag: int, vr: str, length: int, encoding: DataSetEncoding = EXPLICIT_LITTLE) -> bytes:
    start = struct.pack(encoding.order + "HH", tag >> 16, tag & 0xFFFF)
    if not encoding.explicit_vr or not vr:
        return start + struct.pack(encoding.order + "I", length)
    if vr in LONG:
        return start + vr.encode() + struct.pack(encoding.order + "HI", 0, length)
    return start + vr.encode() + struct.pack(encoding.order + "H", length)


def element(tag: int, vr: str, value: bytes, encoding: DataSetEncoding = EXPLICIT_LITTLE) -> bytes:
    """Return an element; the value is taken as it is, in any byte order and of any length."""
    return header(tag, vr, len(value), encoding) + value


def marker(tag: int, length: int = 0, encoding: DataSetEncoding = EXPLICIT_LITTLE) -> bytes:
    return struct.pack(encoding.order + "HHI", tag >> 16, tag & 0xFFFF, length)


def item(
    content: bytes, encoding: DataSetEncoding = EXPLICIT_LITTLE, *, undefined: bool = False
) -> bytes:
    if undefined:
        end = marker(0xFFFEE00D, 0, encoding)
        return marker(0xFFFEE000, UNDEFINED_LENGTH, encoding) + content + end
    return marker(0xFFFEE000, len(content), encoding) + content


def sequence(
    tag: int,
    *items: bytes,
    encoding: DataSetEncoding = EXPLICIT_LITTLE,
    undefined: bool = False,
    vr: str = "SQ",
) -> bytes:
    content = b"".join(items)
    if undefined:
        inner = DataSetEncoding(explicit_vr=False, little_endian=True) if vr == "UN" else encoding
        end = marker(0xFFFEE0DD, 0, inner)
        return header(tag, vr, UNDEFINED_LENGTH, encoding) + content + end
    return header(tag, vr, len(content), encoding) + content


def nested(depth: int, encoding: DataSetEncoding = EXPLICIT_LITTLE) -> bytes:
    """Return a sequence of undefined length with `depth` sequences in each other."""
    content = element(0x00100020, "LO", b"deep", encoding)
    for _ in range(depth):
        content = sequence(
            0x00081140, item(content, encoding, undefined=True), encoding=encoding, undefined=True
        )
    return content


def file_of(data_set: bytes, syntax: str = EXPLICIT_LE) -> bytes:
    return file_head(syntax, SOP_CLASS, "1.2.3.4") + data_set


def data_set_of(content: bytes) -> bytes:
    """Return what follows File Meta Information."""
    return content[read_head(BytesSource(content)).data_set_start :]
