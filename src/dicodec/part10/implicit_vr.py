"""Find the VR of an element without one: dictionary, private creators, Pixel Representation.

PS3.5 6.2, 7.8.1, A.1. An item's own attributes decide for its elements; those that it lacks are
taken from the data set around it.
"""

from __future__ import annotations

from functools import lru_cache

from dicodec.model import tags
from dicodec.model.findings import Oddity
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.records import NamedTuple, Protocol, dataclass, field
from dicodec.part10.dictionary import find_private_vr, find_vr
from dicodec.part10.elements import KnownEnds, Walker
from dicodec.part10.encoding import DataSetEncoding, encode_tag
from dicodec.part10.other_kinds import read_stated_number
from dicodec.part10.source import BytesSource
from dicodec.part10.vr import VALUE_REPRESENTATIONS

_WAVEFORM_GROUP = 0x5400
_WORDS = {"OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW"}
"""Implicit VR has words there (PS3.5 A.1); OW also holds values of US, of any length."""


class VrHeader(NamedTuple):
    """The properties of a VR that an element's header in explicit VR needs."""

    name: bytes
    long_form: bool
    swap_unit: int


HEADERS: dict[bytes, VrHeader] = {
    name.encode(): VrHeader(name.encode(), row.long_form, row.swap_unit)
    for name, row in VALUE_REPRESENTATIONS.items()
}
UN = HEADERS[b"UN"]


@dataclass(slots=True)
class ReencodingContext:
    """The facts of the data set's top level that the re-encoding of one element needs.

    Make one for a data set and hand it on from element to element, in file order.

    Attributes:
        signed: Pixel Representation (0028,0103) is 1; items may have their own.
        creators: private creators seen so far, by group and block; grows on the way.
        limits: bounds on the depth of sequences.
        oddities: departures from the standard that were carried over; grows on the way.
    """

    signed: bool = False
    creators: dict[int, str] = field(default_factory=dict)
    limits: Limits = DEFAULT_LIMITS
    oddities: list[Oddity] = field(default_factory=list)

    def read_number(self, tag: int) -> int | None:
        """Return the top level's number, known for Pixel Representation only."""
        return int(self.signed) if tag == tags.PIXEL_REPRESENTATION else None


class Level(Protocol):
    """One level of nesting: the top of a data set or an item."""

    creators: dict[int, str]

    def read_number(self, tag: int) -> int | None:
        """Return the value of an US element of this level or else of a level around it."""


class Occurrences:
    """Finds tags in a buffer, for levels one after the other and the levels around them.

    Args:
        buffer: the bytes.
        encoding: of the elements in it.
        limits: bounds on walking.
        ends: of sequences of the buffer, see KnownEnds.
    """

    def __init__(
        self, buffer: bytes, encoding: DataSetEncoding, limits: Limits, ends: KnownEnds
    ) -> None:
        self._buffer = buffer
        self._encoding = encoding
        self._limits = limits
        self._ends = ends
        self._found: dict[int, tuple[int, int]] = {}

    def read_number(self, tag: int, start: int, end: int) -> int | None:
        """Return the value of an US element of the level at `start`, None if it has none."""
        # The bytes before `place`, from `searched` on, do not hold the tag.
        searched, place = self._found.get(tag, (0, -1))
        if not searched <= start <= place:
            found = self._buffer.find(encode_tag(tag, self._encoding), start, end)
            place = end if found < 0 else found
            self._found[tag] = start, place
        if place >= end:
            return None
        walker = Walker(BytesSource(self._buffer), self._limits, self._ends, end)
        for span in walker.walk_elements(start, end, self._encoding, depth=1):
            if span.tag == tag and span.length:
                value = self._buffer[span.value : span.value + span.length]
                return read_stated_number(span.vr, value, self._encoding)
        return None


class ItemLevel:
    """An item of a sequence.

    Args:
        occurrences: over the buffer that holds the item.
        start, end: offset of its elements, and an offset that they certainly do not pass.
        parent: the level around it.
    """

    __slots__ = ("_end", "_numbers", "_occurrences", "_parent", "_start", "creators")

    def __init__(self, occurrences: Occurrences, start: int, end: int, parent: Level) -> None:
        self.creators: dict[int, str] = {}
        self._occurrences = occurrences
        self._start = start
        self._end = end
        self._parent = parent
        self._numbers: dict[int, int | None] = {}

    def read_number(self, tag: int) -> int | None:
        """Return the value of an US element of this item or else of a level around it."""
        if tag not in self._numbers:
            own = self._occurrences.read_number(tag, self._start, self._end)
            self._numbers[tag] = self._parent.read_number(tag) if own is None else own
        return self._numbers[tag]


@lru_cache(maxsize=1 << 14)
def find_header_by_tag(tag: int) -> VrHeader | None:
    """Return the VR of an element whose tag alone decides it, else None; UN if unknown."""
    if tag & 0x10000:  # an odd group: private
        return HEADERS[b"UL"] if tag & 0xFFFF == 0 else None
    vr = find_vr(tag)
    if vr is None:
        return UN
    return HEADERS.get(vr.encode())


def find_header_by_level(tag: int, value: bytes, level: Level) -> VrHeader:
    """Return the VR of an element whose tag alone does not decide it; creators are remembered.

    Args:
        tag: of the element.
        value: its bytes, up to the longest Private Creator.
        level: the level of nesting that it is in.
    """
    vr: str | None
    if tag & 0x10000:
        number = tag & 0xFFFF
        if 0x10 <= number <= 0xFF:
            level.creators[tag] = value.strip(b" \0").decode("latin-1")
            return HEADERS[b"LO"]
        creator = level.creators.get(tag & 0xFFFF0000 | number >> 8, "")
        vr = find_private_vr(creator, tag) if number >= 0x1000 else None
    else:
        vr = find_vr(tag)
    if vr == "US or SS":
        vr = "SS" if level.read_number(tags.PIXEL_REPRESENTATION) == 1 else "US"
    elif vr == "OB or OW" and tag >> 16 == _WAVEFORM_GROUP:
        vr = "OB" if level.read_number(tags.WAVEFORM_BITS_ALLOCATED) == 8 else "OW"
    elif vr in _WORDS:
        vr = _WORDS[vr]
    return HEADERS[vr.encode()] if vr else UN
