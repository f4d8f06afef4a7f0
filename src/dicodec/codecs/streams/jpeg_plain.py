"""Bring JPEG and JPEG-LS streams to a form that libjpeg and CharLS take; samples stay as coded."""

from __future__ import annotations

from dicodec.codecs.streams.jpeg_markers import (
    DNL,
    LSE,
    SOF_MARKERS,
    SOS,
    Segment,
    walk,
)
from dicodec.errors import CorruptFrameError
from dicodec.model.records import dataclass, field
from dicodec.model.stream import StreamDescription

_HEAD = 4
"""Bytes of a marker and of the length behind it."""
_UNUSUAL = frozenset({"lines_apart", "spectral_end", "mapped", "mapping_tables"})

_CONTINUED = 3
"""Type of an LSE segment that continues a mapping table."""


@dataclass(slots=True)
class MappingTables:
    """The tables of a JPEG-LS stream that replace decoded samples (ISO/IEC 14495-1 C.2.4.1.2).

    Attributes:
        entries: by the table's number, its entries one behind the other.
        widths: by the same, bytes of an entry.
        by_component: the table's number of each component, in the order of the scans; 0 for none.
    """

    entries: dict[int, bytes] = field(default_factory=dict)
    widths: dict[int, int] = field(default_factory=dict)
    by_component: list[int] = field(default_factory=list)

    def add(self, body: bytes) -> None:
        """Take in an LSE segment of type 2, or of type 3, which continues one."""
        number, width = body[1], body[2]
        known = self.entries.get(number, b"") if body[0] == _CONTINUED else b""
        self.entries[number] = known + body[3:]
        self.widths[number] = width


def make_plain(stream: memoryview, description: StreamDescription) -> memoryview:
    """Return a stream without the rare things that the libraries refuse; most are returned as is.

    The number of lines goes from a DNL segment into the frame header (ISO/IEC 10918-1 B.2.5), the
    end of the spectral selection of lossless JPEG becomes 0 (Table B.3), and mapping tables leave.

    Args:
        stream: from SOI to EOI.
        description: of this stream.
    """
    if not description.details.keys() & _UNUSUAL:
        return stream
    data = bytearray(stream)
    left_out: list[Segment] = []
    is_jpeg_ls = description.kind == "jpeg-ls"
    for segment in walk(bytes(stream), 0):
        if segment.marker in SOF_MARKERS and not any(data[segment.start + 1 : segment.start + 3]):
            data[segment.start + 1 : segment.start + 3] = (description.rows or 0).to_bytes(2)
        elif segment.marker == SOS and is_jpeg_ls:
            components = data[segment.start]
            first = segment.start + 2
            data[first : first + 2 * components : 2] = bytes(components)
        elif segment.marker == SOS and description.predictor is not None:
            data[segment.end - 2] = 0
        elif segment.marker == DNL or _is_mapping_table(data, segment):
            left_out.append(segment)
    for segment in reversed(left_out):
        del data[segment.start - _HEAD : segment.end]
    return memoryview(bytes(data))


def read_mapping_tables(stream: memoryview) -> MappingTables:
    """Return the mapping tables of a JPEG-LS stream, and which components use them.

    Raises:
        CorruptFrameError: a table is named that is not there, or one makes no sense.
    """
    data = bytes(stream)
    tables = MappingTables()
    for segment in walk(data, 0):
        body = data[segment.start : segment.end]
        if _is_mapping_table(data, segment):
            if len(body) <= _HEAD or not body[2]:
                raise CorruptFrameError("a JPEG-LS mapping table without entries")
            tables.add(body)
        elif segment.marker == SOS:
            tables.by_component += body[2 : 2 + 2 * body[0] : 2]
    for number in set(tables.by_component) - {0}:
        if number not in tables.entries:
            raise CorruptFrameError(f"the JPEG-LS stream lacks its mapping table {number}")
        if len(tables.entries[number]) % tables.widths[number]:
            raise CorruptFrameError(f"the JPEG-LS mapping table {number} ends within an entry")
    return tables


def _is_mapping_table(data: bytes | bytearray, segment: Segment) -> bool:
    return segment.marker == LSE and data[segment.start] in {2, _CONTINUED}
