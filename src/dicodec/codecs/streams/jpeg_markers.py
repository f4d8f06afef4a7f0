"""Walk the marker segments of JPEG (ISO/IEC 10918-1 Annex B) and JPEG-LS (ISO/IEC 14495-1)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dicodec.errors import CorruptFrameError, TruncatedFrameError
from dicodec.model.records import dataclass
from dicodec.model.stream import JPEG_START

type Buffer = bytes | bytearray | memoryview

SOI, EOI, SOS, DNL, DHT, DQT, DRI, LSE = 0xD8, 0xD9, 0xDA, 0xDC, 0xC4, 0xDB, 0xDD, 0xF8
SOF55 = 0xF7
RST0 = 0xD0
DAC = 0xCC
SOF_MARKERS = (frozenset(range(0xC0, 0xD0)) | {SOF55}) - {DHT, 0xC8, DAC}
STANDALONE = frozenset({0x01, SOI, *range(0xD0, 0xD8)})

# The end of entropy-coded data. In JPEG a data byte FF is followed by 00, and restart markers
# (FFD0 to FFD7) belong to the data; in JPEG-LS it is followed by a 0 bit.
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_AFTER_LS_SCAN = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
_FILL = re.compile(rb"\xff+")
_START = b"\xff\xd8"
_MORE_STARTS = re.compile(rb"\xff\xd8(?:\xff+\xd8)+")

# Restart markers within entropy-coded data aside, real streams have a few dozen.
MAX_MARKERS = 65536


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker segment.

    Attributes:
        marker: the marker's second byte.
        start: offset of the segment's parameters.
        end: offset behind the segment.
    """

    marker: int
    start: int
    end: int


def find_start(data: bytes) -> int:
    """Return the offset of the SOI marker: 0, or more if junk or other SOI markers precede it.

    Raises:
        CorruptFrameError: the data has none.
    """
    start = 0 if data.startswith(b"\xff\xd8") else data.find(JPEG_START)
    if start < 0:
        if len(data) < 3:
            raise TruncatedFrameError("the JPEG stream ends before its first marker")
        raise CorruptFrameError("no SOI marker: not a JPEG stream", offset=0)
    again = _MORE_STARTS.match(data, start)
    return start if again is None else again.end() - len(_START)


def walk(data: bytes, start: int) -> Iterator[Segment]:
    """Yield the marker segments after the SOI marker at `start`, up to and including EOI.

    Entropy-coded data is passed over. Time is linear in the length of `data`, and no more of it
    is read than the caller asks for.

    Raises:
        TruncatedFrameError: `data` ends before the EOI marker.
        CorruptFrameError: other bytes stand where a marker must be.
    """
    at = start + 2
    after_scan = _AFTER_SCAN
    for _ in range(MAX_MARKERS):
        if at + 1 >= len(data):
            raise TruncatedFrameError("the JPEG stream ends before its EOI marker", offset=at)
        fill = _FILL.match(data, at)  # a marker may begin with any number of FF, B.1.1.2
        if fill is None:
            raise CorruptFrameError("expected a JPEG marker", offset=at)
        at = fill.end()
        if at >= len(data):
            raise TruncatedFrameError("the JPEG stream ends before its EOI marker", offset=at)
        marker = data[at]
        at += 1
        if marker == EOI:
            yield Segment(marker, at, at)
            return
        if marker in STANDALONE:
            continue
        if marker == 0:
            raise CorruptFrameError("expected a JPEG marker", offset=at - 2)
        if at + 2 > len(data):
            raise TruncatedFrameError("the JPEG stream ends in a marker segment", offset=at)
        length = data[at] << 8 | data[at + 1]
        end = at + length
        if length < 2:
            raise CorruptFrameError("a JPEG marker segment has no length", offset=at)
        if end > len(data):
            raise TruncatedFrameError("the JPEG stream ends in a marker segment", offset=at)
        yield Segment(marker, at + 2, end)
        if marker == SOF55:
            after_scan = _AFTER_LS_SCAN
        at = end
        if marker == SOS:
            found = after_scan.search(data, end)
            if found is None:
                raise TruncatedFrameError(
                    "the JPEG stream ends before its EOI marker", offset=len(data)
                )
            at = found.start()
    raise CorruptFrameError(f"the JPEG stream has more than {MAX_MARKERS} markers", offset=at)
