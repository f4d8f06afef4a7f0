"""Attributes of one level that decide how others are read (PS3.5 7.8.1, A.1)."""

from __future__ import annotations

from dicodec.errors import ReadError
from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.part10.data_set import DataSet
from dicodec.part10.elements import walk_elements
from dicodec.part10.encoding import DataSetEncoding
from dicodec.part10.image_attributes import describe_image
from dicodec.part10.implicit_vr import Level
from dicodec.part10.other_kinds import read_stated_number
from dicodec.part10.source import ByteSource
from dicodec.repair.element_headers import ElementHeader

_NUMBERS = frozenset({tags.PIXEL_REPRESENTATION, tags.WAVEFORM_BITS_ALLOCATED})


class TreeLevel:
    """The top of a data set or an item, as far as it was read.

    Args:
        source: holds the elements.
        start, end: offset of the first, and one that they surely do not pass.
        encoding: of the elements.
        parent: the level around it; None for the top.
        numbers: values of the level that are known beforehand.

    Attributes:
        creators: private creators, by group and block.
        character_set: Specific Character Set, its values joined by backslashes.
    """

    def __init__(
        self,
        source: ByteSource,
        start: int,
        end: int,
        encoding: DataSetEncoding,
        parent: Level | None,
        numbers: dict[int, int | None] | None = None,
    ) -> None:
        self.creators: dict[int, str] = {}
        self.character_set: str = parent.character_set if isinstance(parent, TreeLevel) else ""
        self._source = source
        self._range = start, end
        self._encoding = encoding
        self._parent = parent
        self._numbers = dict(numbers or {})

    def note(self, header: ElementHeader, first: bytes) -> None:
        """Remember an element if others depend on it.

        Args:
            header: of the element.
            first: as much of its value as a Private Creator would have.
        """
        tag = header.tag
        if tag & 0x10000 and 0x10 <= tag & 0xFFFF <= 0xFF:
            self.creators.setdefault(tag, first.strip(b" \0").decode("latin-1"))
        elif tag in _NUMBERS:
            self._numbers[tag] = read_stated_number(header.vr, first, header.encoding)
        elif tag == tags.SPECIFIC_CHARACTER_SET:
            self.character_set = first.strip(b" \0").decode("latin-1")

    def read_number(self, tag: int) -> int | None:
        """Return the value of an US element of this level or else of a level around it."""
        if tag not in self._numbers and tag == tags.WAVEFORM_BITS_ALLOCATED:
            self._numbers[tag] = self._read_ahead(tag)  # it comes after elements that depend on it
        own = self._numbers.get(tag)
        if own is not None or self._parent is None:
            return own
        return self._parent.read_number(tag)

    def describe_image(self, header: ElementHeader) -> ImagePixelDescription | None:
        """Return the description of this level's pixels; None if it is incomplete.

        Args:
            header: of Pixel Data, before which its attributes lie.
        """
        start = self._range[0]
        try:
            spans = list(walk_elements(self._source, start, header.start, self._encoding, depth=1))
        except ReadError:
            return None
        return describe_image(DataSet(self._source, self._encoding, spans), header.tag)

    def _read_ahead(self, tag: int) -> int | None:
        try:
            for span in walk_elements(self._source, *self._range, self._encoding, depth=1):
                if span.tag == tag and span.length:
                    value = self._source.read(span.value, span.length)
                    return read_stated_number(span.vr, value, self._encoding)
        except ReadError:
            pass
        return None
