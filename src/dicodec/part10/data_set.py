"""One level of a data set as spans, and the values of single elements on demand."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter

from dicodec.errors import LimitExceededError, TruncatedFileError
from dicodec.model.findings import Oddity
from dicodec.model.limits import DEFAULT_LIMITS, Limits, make_limit_hint
from dicodec.model.records import dataclass
from dicodec.part10.element_span import ElementSpan, FoundSpans, PackedSpans
from dicodec.part10.elements import PIXEL_DATA_TAGS, KnownEnds, Walker, items_state_vrs
from dicodec.part10.encoding import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    DataSetEncoding,
    format_tag,
)
from dicodec.part10.other_kinds import read_stated_number, read_stated_text
from dicodec.part10.source import ByteSource
from dicodec.part10.values import NUMBER_CODES

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # few files need it, and the command starts without it
    from dicodec.part10.frame_table import TabledFrames

_NUMBER_FORMATS = {
    little_endian: {
        vr: struct.Struct(order + code)
        for vr, code in (("US", "H"), ("SS", "h"), ("UL", "I"), ("SL", "i"), ("", "H"))
    }
    for little_endian, order in ((True, "<"), (False, ">"))
}
"""By whether the data set is little endian, and VR."""

_TAG = itemgetter(0)
_LONGEST_NUMBER = 256


class _SpansByTag(dict[int, "ElementSpan | None"]):
    """Spans by tag; None for tags that are absent."""

    def __missing__(self, tag: int) -> None:
        return None


class DataSet:
    """The elements of one level, a data set's top level or an item of a sequence, in file order.

    Args:
        source: the bytes.
        encoding: of the elements.
        elements: the spans, in file order; of duplicates the first counts.
        limits: bounds on walking.
        ends: of sequences of the source, see KnownEnds.

    Attributes:
        find: returns the span of an element by its tag, or None if it is absent.
    """

    def __init__(
        self,
        source: ByteSource,
        encoding: DataSetEncoding,
        elements: Sequence[ElementSpan],
        limits: Limits = DEFAULT_LIMITS,
        ends: KnownEnds | None = None,
    ) -> None:
        self.source = source
        self.encoding = encoding
        self.elements = elements
        self.limits = limits
        self.ends: KnownEnds = {} if ends is None else ends
        self._by_tag: FoundSpans | _SpansByTag
        if isinstance(elements, PackedSpans):
            self._by_tag = FoundSpans(elements)
        else:  # as {span.tag: span for span in reversed(elements)}, in a fifth of the time
            backwards = zip(map(_TAG, reversed(elements)), reversed(elements), strict=True)
            self._by_tag = _SpansByTag(backwards)
        # Not a method, because it is asked twenty times a file.
        self.find: Callable[[int], ElementSpan | None] = self._by_tag.__getitem__

    def find_pixel_data(self) -> list[int]:
        """Return the indices of Pixel Data, Float and Double Float Pixel Data, in file order."""
        elements = self.elements
        if isinstance(elements, PackedSpans):
            return elements.find_all(PIXEL_DATA_TAGS)
        return [index for index, span in enumerate(elements) if span.tag in PIXEL_DATA_TAGS]

    def read_raw(self, span: ElementSpan) -> bytes:
        """Return all bytes of an element, header and delimiter included.

        Raises:
            LimitExceededError: the element is larger than the limit.
        """
        return self._read(span.start, span.end - span.start, span.tag)

    def read_raw_value(self, span: ElementSpan) -> bytes:
        """Return the bytes of an element's value, which may be a duplicate's.

        Raises:
            LimitExceededError: it is larger than the limit.
        """
        return self._read(span.value, span.length, span.tag)

    def read_value(self, tag: int) -> bytes | None:
        """Return the bytes of an element's value, or None if it is absent."""
        span = self._by_tag[tag]
        return None if span is None else self._read(span.value, span.length, tag)

    def read_text(self, tag: int) -> str:
        """Return a value without padding, "" if absent; bytes above ASCII come as Latin-1.

        So they do not change if the text, or more text around it, is written again. Numbers that
        are stated as such are written as text.
        """
        span = self._by_tag[tag]
        if span is None:
            return ""
        value = self._read(span.value, span.length, tag)
        if span.vr in NUMBER_CODES:
            return read_stated_text(span.vr, value, self.encoding)
        return value.strip(b"\0 ").decode("latin-1")

    def read_number(self, tag: int) -> int | None:
        """Return the first value of an element as a whole number; None if it is not one.

        It is read by the VR that is stated, by US if none is; None also if it is absent or empty.
        """
        span = self._by_tag[tag]
        if span is None or not span.length:
            return None
        form = _NUMBER_FORMATS[self.encoding.little_endian].get(span.vr)
        if form is None or span.length < 2:
            value = self._read(span.value, min(span.length, _LONGEST_NUMBER), tag)
            return read_stated_number(span.vr, value, self.encoding)
        number: int
        (number,) = form.unpack(self._read(span.value, form.size, tag))
        return number

    def choose_value_encoding(self, span: ElementSpan) -> DataSetEncoding:
        """Return the encoding of a value; that of UN is little endian everywhere (PS3.5 6.2.2)."""
        return IMPLICIT_LITTLE if span.vr == "UN" else self.find_encoding(span)

    def has_value(self, tag: int) -> bool:
        """Return whether an element is there and has a value of any length, or an item."""
        span = self._by_tag[tag]
        return span is not None and span.length > 0

    def read_items(self, tag: int) -> Iterator[DataSet]:
        """Yield the items of a sequence in order; none if it is absent or empty.

        A sequence whose VR is UN is in Implicit VR Little Endian (PS3.5 6.2.2), unless its elements
        state their VRs.

        Args:
            tag: of the sequence.

        Raises:
            MalformedFileError, TruncatedFileError: the value is not a sequence of items.
        """
        span = self._by_tag[tag]
        if span is None or not span.length:
            return
        encoding = self.find_encoding_of_items(span)
        end = span.end if span.undefined else span.value + span.length
        walker = Walker(self.source, self.limits, self.ends, end)  # one window over all items
        for item in walker.walk_items(span.value, end, encoding, undefined=span.undefined):
            elements = walker.list_elements(item.value, item.value + item.length, encoding, depth=1)
            yield DataSet(self.source, encoding, elements, self.limits, self.ends)

    def find_encoding(self, span: ElementSpan) -> DataSetEncoding:
        """Return the encoding of one element, because one without VR may stand among others."""
        if span.vr or not self.encoding.explicit_vr:
            return self.encoding
        return self.encoding._replace(explicit_vr=False)

    def find_encoding_of_items(self, span: ElementSpan) -> DataSetEncoding:
        """Return the encoding of a sequence's items; in UN it is implicit VR little endian."""
        if span.vr != "UN":
            return self.find_encoding(span)
        stated = items_state_vrs(self.source.read(span.value, 16))
        return EXPLICIT_LITTLE if stated else IMPLICIT_LITTLE

    def _read(self, offset: int, length: int, tag: int) -> bytes:
        if length > self.limits.element_size:
            raise LimitExceededError(
                f"element {format_tag(tag)} has {length} bytes, more than may be held in memory",
                offset=offset,
                attribute=format_tag(tag),
                hint=make_limit_hint("element_size=SIZE"),
            )
        value = self.source.read(offset, length)
        if len(value) < length:
            raise TruncatedFileError("the source ends inside an element", offset=offset)
        return value


@dataclass(frozen=True, slots=True)
class WalkedDataSet:
    """The top level of a data set, walked.

    Attributes:
        data_set: the elements; in other bytes than the file's if they had to be repaired.
        fragment_starts, fragment_lengths, missing: of Pixel Data, see Walker; the first fragment
            is the Basic Offset Table.
        oddities: departures from the standard found on the way.
        table: the frames of Pixel Data if they were found by their offset table, and not walked.
        first_fragments: how many fragments of the first frame there are then, see TableWalker.
    """

    data_set: DataSet
    fragment_starts: array[int]
    fragment_lengths: array[int]
    missing: int
    oddities: tuple[Oddity, ...]
    table: TabledFrames | None = None
    first_fragments: int = 0
