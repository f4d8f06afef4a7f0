"""Files of known samples: those that `dicodec.conformance` makes, and GE's private form of them.

The bytes are checked against pydicom in test_made.py.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicodec.conformance.made_files import (
    DEFLATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMAGE_KINDS,
    IMPLICIT_LE,
    PIXEL_DATA,
    Element,
    ImageKind,
    encapsulated,
    encode_elements,
    file_head,
    make_file,
    make_samples,
    native_bytes,
)
from dicodec.model.transfer_syntax import find_by_name

__all__ = [
    "DEFLATED", "EXPLICIT_BE", "EXPLICIT_LE", "GE_PRIVATE", "IMAGE_KINDS", "IMPLICIT_LE",
    "PIXEL_DATA", "Element", "ImageKind", "Samples", "encapsulated", "encode_elements", "file_head",
    "in_ge_private", "make_file", "make_samples", "native_bytes", "uid_of",
]  # fmt: skip

GE_PRIVATE = "1.2.840.113619.5.2"
Samples = NDArray[Any]


def in_ge_private(content: bytes) -> bytes:
    """Return a file in Implicit VR Little Endian in GE's private syntax: with Pixel Data swapped.

    Samples are of at most 16 bits, and Pixel Data is the last element.
    """
    start = content.index(struct.pack("<HH", 0x7FE0, 0x0010)) + 8
    words = np.frombuffer(content[start:], "<u2").byteswap().tobytes()
    stated, private = f"{IMPLICIT_LE}\0".encode(), GE_PRIVATE.encode()  # of one length
    return content[:start].replace(stated, private) + words


def uid_of(name: str) -> str:
    """Return the UID of a transfer syntax by its short name."""
    syntax = find_by_name(name)
    assert syntax is not None
    return syntax.uid
