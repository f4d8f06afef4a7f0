"""Files of which something is missing or false past repair, and the right files they were."""

from __future__ import annotations

import struct

from dicodec import convert_bytes
from dicodec.conformance.fault_files import (
    Files,
    make_right,
    read_streams,
    replace_once,
    start_of,
)
from dicodec.conformance.made_files import EXPLICIT_BE, encapsulated, encode_elements, make_file
from dicodec.model.late_import import import_late

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import numpy as np
else:
    np = import_late("numpy")


def cut_native() -> Files:
    """The last frame lacks its second half."""
    right = make_right()
    return right[: -24 * 20], right


def cut_big_endian() -> Files:
    """An odd number of 8-bit samples in OW, big endian: the last byte of the file is missing."""
    right, pixels = make_file(5, 5, bits_allocated=8, bits_stored=8)
    made, _ = make_file(
        5, 5, bits_allocated=8, bits_stored=8, pixels=pixels, transfer_syntax=EXPLICIT_BE
    )
    start = made.rindex(struct.pack(">HH", 0x7FE0, 0x0010))
    words = np.frombuffer(made[start + 12 :], "<u2").byteswap().tobytes()
    value = struct.pack(">HH2sHI", 0x7FE0, 0x0010, b"OW", 0, len(words)) + words
    return (made[:start] + value)[:-1], right


def cut_frame(syntax: str) -> Files:
    """The second of four streams lacks its second half."""
    right = make_right()
    made = convert_bytes(right, to=syntax)
    streams = read_streams(made)
    streams[1] = streams[1][: len(streams[1]) // 2]
    return start_of(made) + encapsulated([[one] for one in streams]), right


def empty_frame() -> Files:
    """The second of four frames has an empty fragment."""
    right = make_right()
    made = convert_bytes(right, to="jpeg2000-lossless")
    streams = read_streams(made)
    streams[1] = b""
    return start_of(made) + encapsulated([[one] for one in streams]), right


def break_segments() -> Files:
    """The RLE header of the second frame points behind its end."""
    right = make_right()
    made = convert_bytes(right, to="rle")
    streams = read_streams(made)
    streams[1] = streams[1][:8] + struct.pack("<I", 0x7FFFFFF0) + streams[1][12:]
    return start_of(made) + encapsulated([[one] for one in streams]), right


def break_size() -> Files:
    """The stream of the second frame says that it has other columns than the data set."""
    right = make_right()
    made = convert_bytes(right, to="jpeg-ls")
    streams = read_streams(made)
    old, new = struct.pack(">HH", 24, 20), struct.pack(">HH", 24, 19)
    streams[1] = replace_once(streams[1], old, new)
    return start_of(made) + encapsulated([[one] for one in streams]), right


def cut_deflated() -> Files:
    """The deflated data set lacks its last quarter."""
    right = make_right()
    made = convert_bytes(right, to="deflated")
    return made[: len(made) * 3 // 4], right


def claim_huge_image() -> Files:
    """Rows and Columns are 65,535, Number of Frames 2,147,483,647, and there are 40 bytes."""
    huge = [
        (0x00280010, "US", b"\xff\xff"),
        (0x00280011, "US", b"\xff\xff"),
        (0x00280008, "IS", b"2147483647"),
    ]
    right = make_right()
    made = make_right(extra=huge)
    start = start_of(made)
    return start + encode_elements([(0x7FE00010, "OW", bytes(40))]), right
