"""Small files that claim to be large, and what many small parts cost to read."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from dicodec import convert_bytes
from helpers.made import EXPLICIT_LE, make_file

_US = struct.Struct("<H")
_SIZE = 30000
"""Rows and columns: 900 million pixels."""


def element(tag: int, vr: str, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in {"OB", "OW", "SQ", "UN", "UT"}:
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def item(content: bytes, *, undefined: bool = False) -> bytes:
    if undefined:
        return b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + content + b"\xfe\xff\x0d\xe0\0\0\0\0"
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(content)) + content


def sequence(tag: int, items: bytes, *, undefined: bool = False) -> bytes:
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + b"SQ\0\0"
    if undefined:
        return head + b"\xff\xff\xff\xff" + items + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return head + struct.pack("<I", len(items)) + items


def file_with(content: bytes) -> bytes:
    uid = element(0x00020010, "UI", EXPLICIT_LE.encode())
    return (
        bytes(128)
        + b"DICM"
        + element(0x00020000, "UL", struct.pack("<I", len(uid)))
        + uid
        + content
    )


def claiming_size(syntax: str) -> bytes:
    """Return a file of a thousand bytes whose frame would take 1.8 GB; its stream agrees."""
    data, _ = make_file(4, 4, bits_stored=16)
    data = convert_bytes(data, to=syntax)
    for tag in (b"\x28\0\x10\0US\2\0", b"\x28\0\x11\0US\2\0"):
        at = data.index(tag) + len(tag)
        data = data[:at] + _US.pack(_SIZE) + data[at + 2 :]
    for marker in (b"\xff\xc3\0", b"\xff\xf7\0"):  # SOF of JPEG lossless, of JPEG-LS
        if (at := data.find(marker)) > 0:
            data = data[: at + 5] + struct.pack(">HH", _SIZE, _SIZE) + data[at + 9 :]
    if (at := data.find(b"\xff\x4f\xff\x51")) > 0:  # SIZ
        size = struct.pack(">II", _SIZE, _SIZE)
        data = data[: at + 8] + size + bytes(8) + size + data[at + 32 :]
    return data


def claiming_frames(number: int) -> bytes:
    return make_file(4, 4, extra=[(0x00280008, "IS", str(number).encode())])[0]


def claiming_fragment(length: int) -> bytes:
    data = convert_bytes(make_file(4, 4)[0], to="jpeg-ls")
    at = data.rindex(b"\xfe\xff\x00\xe0")
    return data[: at + 4] + struct.pack("<I", length) + data[at + 8 :]


def claiming_element(length: int) -> bytes:
    return file_with(b"\x10\0\x20\0UN\0\0" + struct.pack("<I", length) + b"AB")


def nested(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = sequence(0x00081140, item(content, undefined=True), undefined=True)
    return file_with(content)


def _fragments(count: int, *, table: bool) -> bytes:
    offsets = struct.pack(f"<{count}I", *range(0, 10 * count, 10)) if table else b""
    data, _ = make_file(
        1, 2, bits_allocated=8, bits_stored=8, frames=count,
        transfer_syntax="1.2.840.10008.1.2.1.98", streams=[[b"AB"]] * count,
    )  # fmt: skip
    at = data.index(b"\xfe\xff\x00\xe0")
    (old,) = struct.unpack("<I", data[at + 4 : at + 8])
    return data[: at + 4] + struct.pack("<I", len(offsets)) + offsets + data[at + 8 + old :]


GROWING: Mapping[str, Callable[[int], bytes]] = {
    "elements": lambda n: file_with(
        b"".join(element(0x00091000 + i % 4000, "LO", b"AB") for i in range(n))
    ),
    "items": lambda n: file_with(
        sequence(0x00081140, item(element(0x00081150, "UI", b"1.2")) * n)
    ),
    "items of undefined length": lambda n: file_with(
        sequence(
            0x00081140, item(element(0x00081150, "UI", b"1.2"), undefined=True) * n, undefined=True
        )
    ),
    "sequences": lambda n: file_with(
        sequence(
            0x00081140, item(element(0x00081150, "UI", b"1.2"), undefined=True), undefined=True
        ) * n
    ),
    "private creators": lambda n: file_with(
        b"".join(
            element(0x00090010 + (i // 200 << 17) + i % 200, "LO", b"C%d" % i) for i in range(n)
        )
    ),
    "cut off": lambda n: file_with(element(0x00100010, "PN", b"AB") * n + b"\x10\0\x20\0LO\xff"),
    "stray delimiters": lambda n: file_with(
        element(0x00100010, "PN", b"AB") + b"\xfe\xff\x0d\xe0\0\0\0\0" * n
    ),
    "fragments": lambda n: _fragments(n, table=False),
    "fragments with a table": lambda n: _fragments(n, table=True),
    "frames of a pixel": lambda n: make_file(
        1, 1, bits_allocated=8, bits_stored=8, frames=n
    )[0],
}  # fmt: skip
"""By what there is much of: a file with so many."""
