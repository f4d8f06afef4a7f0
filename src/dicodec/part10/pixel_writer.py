"""Write Pixel Data: native values, and fragments with their offset table (PS3.5 A.1 to A.4).

Room is reserved for sizes that are known only at the end, and patched.
"""

from __future__ import annotations

import struct
from array import array

from dicodec.errors import ConversionError
from dicodec.model import tags
from dicodec.part10.edit_bytes import encode_element_header, encode_item_header
from dicodec.part10.elements import SEQUENCE_DELIMITER
from dicodec.part10.encoding import (
    EXPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
    encode_tag,
)
from dicodec.part10.fragments import make_basic_offset_table, make_offsets
from dicodec.part10.source import Sink

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO

NATIVE_LIMIT = 0xFFFFFFFE
"""Largest length of native Pixel Data: a 32-bit field, of which FFFFFFFF means undefined."""

_DELIMITER = encode_tag(SEQUENCE_DELIMITER, EXPLICIT_LITTLE) + bytes(4)


class NativeWriter:
    """Writes native Pixel Data of a length known before; pads it to even length."""

    def __init__(
        self, sink: Sink, tag: int, vr: str, length: int, encoding: DataSetEncoding
    ) -> None:
        self._sink = sink
        self._padding = length % 2
        sink.write(encode_element_header(tag, vr, length + self._padding, encoding))

    def write(self, samples: bytes | bytearray | memoryview) -> None:
        """Write the next samples, in frame order."""
        self._sink.write(samples)

    def finish(self) -> None:
        """Write the pad byte, if one is due (PS3.5 8.1.1)."""
        self._sink.write(bytes(self._padding))


class EncapsulatedWriter:
    """Writes one fragment a frame, and the offset table when all sizes are known.

    Args:
        out: a seekable file; written from its current position.
        number_of_frames: the number of frames to come.
        table: "basic", "extended" or "empty".
        extended_room: offsets in `out` of the values of Extended Offset Table and of its Lengths,
            eight bytes a frame each; for "extended" only.
    """

    def __init__(
        self,
        out: BinaryIO,
        number_of_frames: int,
        table: str,
        extended_room: tuple[int, int] | None = None,
    ) -> None:
        self._out = out
        self._table = table
        self._extended_room = extended_room
        self._lengths = array("Q")
        room = 4 * number_of_frames if table == "basic" else 0
        out.write(encode_element_header(tags.PIXEL_DATA, "OB", UNDEFINED_LENGTH, EXPLICIT_LITTLE))
        out.write(encode_item_header(room, EXPLICIT_LITTLE))
        self._basic_room = out.tell()
        out.write(bytes(room))

    @property
    def encoded_size(self) -> int:
        """Bytes of all frames so far, padding included."""
        return sum(self._lengths)

    def write(self, stream: bytes | bytearray | memoryview) -> None:
        """Write the next frame as one fragment, padded to even length with a NUL."""
        padding = len(stream) % 2
        length = len(stream) + padding
        if length >= UNDEFINED_LENGTH:
            raise ConversionError(
                "a frame's stream is too long for one fragment", frame=len(self._lengths)
            )
        self._out.write(encode_item_header(length, EXPLICIT_LITTLE))
        self._out.write(stream)
        if padding:
            self._out.write(b"\0")
        self._lengths.append(length)

    def finish(self) -> None:
        """Write the delimiter and patch the offset table.

        Raises:
            ConversionError: the offsets do not fit the Basic Offset Table.
        """
        self._out.write(_DELIMITER)
        if self._table == "basic":
            value = make_basic_offset_table(self._lengths)
            if value is None:
                raise ConversionError(
                    "the frames are too large for a Basic Offset Table",
                    attribute="PixelData",
                    hint="ask for an Extended Offset Table",
                )
            if any(value):  # the room of a single frame holds its offset, 0, already
                patch(self._out, self._basic_room, value)
        elif self._extended_room is not None:
            offsets = make_offsets(self._lengths)
            count = len(offsets)
            patch(self._out, self._extended_room[0], struct.pack(f"<{count}Q", *offsets))
            patch(self._out, self._extended_room[1], struct.pack(f"<{count}Q", *self._lengths))


def patch(out: BinaryIO, start: int, value: bytes) -> None:
    """Put `value` into reserved room and return to the end of the file."""
    end = out.tell()
    out.seek(start)
    out.write(value)
    out.seek(end)
