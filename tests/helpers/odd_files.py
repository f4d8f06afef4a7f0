"""Right files made wrong, byte by byte, and what is found in them."""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import Any

import numpy as np
import pytest

from dicodec import convert, convert_bytes, inspect
from dicodec.errors import ContradictionError
from dicodec.part10.file_meta import read_head
from dicodec.part10.source import BytesSource
from dicodec.repair.catalogue import ODDITIES
from dicodec.repair.opening import open_tolerantly
from helpers.data_set_bytes import data_set_of
from helpers.made import IMAGE_KINDS, Samples, encapsulated, file_head
from helpers.samples import native_samples

DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
PIXEL_DATA = struct.pack("<HH", 0x7FE0, 0x0010)


@cache
def right(kind: str, syntax: str) -> bytes:
    """Return a right file of a kind of image; its chroma is not halved."""
    if syntax == "jpegxl-jpeg":
        return convert_bytes(right(kind, "jpeg"), to=syntax)
    return convert_bytes(IMAGE_KINDS[kind].make()[0], to=syntax, lossy=True)


@cache
def right_samples(kind: str, syntax: str) -> Samples:
    """Return what the right file decodes to."""
    return samples_of(right(kind, syntax))


def samples_of(content: bytes, **options: Any) -> Samples:
    """Return the samples of a file, converted and verified, read by pydicom."""
    return native_samples(convert_bytes(content, to="explicit-le", verify=True, **options))


def relabelled(content: bytes, uid: str) -> bytes:
    """Return the file under another Transfer Syntax UID; "" leaves it out."""
    head = read_head(BytesSource(content))
    uids = [head.read_text(tag) for tag in (0x00020002, 0x00020003)]
    made = file_head(uid or "1.2", *uids)
    if not uid:
        element = struct.pack("<HH2sH", 2, 0x10, b"UI", 4) + b"1.2\0"
        at = made.index(element)
        length = struct.unpack_from("<I", made, 140)[0] - len(element)
        made = made[:140] + struct.pack("<I", length) + made[144:at] + made[at + len(element) :]
    return made + data_set_of(content)


def frames_of(content: bytes) -> list[bytes]:
    """Return the frames' streams as they are stored."""
    with open_tolerantly(content) as file:
        assert file.frames.present
        frames = file.frames.encapsulated
        assert frames is not None
        return [frames.read_stored(file.data_set.source, frame) for frame in range(len(frames))]


def with_streams(content: bytes, streams: list[bytes], *, offset_table: bool = False) -> bytes:
    """Return the file with other fragments, one a frame."""
    start = content.index(PIXEL_DATA)
    return content[:start] + encapsulated([[one] for one in streams], offset_table=offset_table)


def with_value(content: bytes, value: bytes, vr: bytes = b"OB") -> bytes:
    """Return the file with Pixel Data of defined length."""
    start = content.index(PIXEL_DATA)
    value += b"\0" * (len(value) % 2)
    return content[:start] + PIXEL_DATA + vr + struct.pack("<HI", 0, len(value)) + value


def found(content: bytes) -> list[str]:
    """Return the ids of what is odd; each has its row in the catalogue."""
    ids = [oddity.id for oddity in inspect(content).oddities]
    assert set(ids) <= set(ODDITIES)
    return ids


def syntax_of(content: bytes) -> str:
    """Return the transfer syntax that a file is taken for."""
    return inspect(content).transfer_syntax


def reported(content: bytes, to: str = "explicit-le") -> list[str]:
    """Return what the report of a conversion names."""
    return [oddity.id for oddity in convert(content, io.BytesIO(), to=to).oddities]


def same(one: Samples, other: Samples) -> bool:
    """Whether samples and their shape are equal."""
    return one.shape == other.shape and bool(np.array_equal(one, other))


def check_streams(wrong: bytes, oddity: str, kind: str, syntax: str) -> None:
    """It is named, decodes to what the right file does, moves as right streams; strict refuses."""
    assert oddity in found(wrong)
    assert oddity in reported(wrong)
    assert same(samples_of(wrong), right_samples(kind, syntax))
    moved = convert_bytes(wrong, to=syntax, verify=True)
    assert found(moved) == []
    assert same(samples_of(moved), right_samples(kind, syntax))
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to=syntax, strict=True)
