"""Encoding of a data set: with or without VRs, and its byte order (PS3.5 section 7)."""

from __future__ import annotations

import struct

from dicodec.model.records import NamedTuple
from dicodec.model.transfer_syntax import TransferSyntax


class DataSetEncoding(NamedTuple):
    """The encoding of a data set's elements; deflate is outside of it."""

    explicit_vr: bool
    little_endian: bool

    @classmethod
    def of(cls, syntax: TransferSyntax) -> DataSetEncoding:
        """Return the encoding of a transfer syntax."""
        return cls(syntax.explicit_vr, syntax.little_endian)

    @property
    def order(self) -> str:
        """The byte order as the struct module writes it."""
        return "<" if self.little_endian else ">"

    def __str__(self) -> str:
        vr = "explicit" if self.explicit_vr else "implicit"
        return f"{vr} VR {'little' if self.little_endian else 'big'} endian"


EXPLICIT_LITTLE = DataSetEncoding(explicit_vr=True, little_endian=True)
EXPLICIT_BIG = DataSetEncoding(explicit_vr=True, little_endian=False)
IMPLICIT_LITTLE = DataSetEncoding(explicit_vr=False, little_endian=True)
IMPLICIT_BIG = DataSetEncoding(explicit_vr=False, little_endian=False)
"""Of no transfer syntax; an element without VR in a big endian data set may be in it."""

_PACK_TAG = {True: struct.Struct("<HH").pack, False: struct.Struct(">HH").pack}

UNDEFINED_LENGTH = 0xFFFFFFFF

DELIMITER_GROUP = 0xFFFE
"""Group of items and delimiters, which are no elements (PS3.5 7.5)."""

RESERVED_GROUPS = frozenset({0x0000, 0x0002, DELIMITER_GROUP})
"""Groups of which no data set has elements: also those of commands and of File Meta Information
(PS3.5 7.1)."""


def encode_tag(tag: int, encoding: DataSetEncoding) -> bytes:
    """Return the four bytes of a tag, group first (PS3.5 7.1.1)."""
    return _PACK_TAG[encoding.little_endian](tag >> 16, tag & 0xFFFF)


def format_tag(tag: int) -> str:
    """Return a tag as the standard prints it: (gggg,eeee)."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
