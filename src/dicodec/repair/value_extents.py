"""Find how far a value of undefined length reaches that is not fragments up to their delimiter.

PS3.5 A.4 and 7.5: fragments end with a Sequence Delimitation Item. Some writers close them with an
Item Delimitation Item or with zeros, and some state an undefined length for samples or for a bare
stream. An end is believed if the data set goes on behind it, or ends there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from dicodec.errors import MalformedFileError
from dicodec.model.findings import OddityId
from dicodec.model.image import ImagePixelDescription
from dicodec.model.limits import Limits
from dicodec.model.records import NamedTuple, dataclass
from dicodec.part10.elements import ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
    encode_tag,
    format_tag,
)
from dicodec.part10.source import ByteSource, read_chunks
from dicodec.repair.bare_streams import describe_bare_stream, measure_first_stream
from dicodec.repair.element_headers import DELIMITERS, ElementHeader, HeaderReader

_HEADER = 8
_MOST_DELIMITERS = 1000
"""Delimiters that are looked at in samples or streams, where they are accidents."""


class Extent(NamedTuple):
    """How far a value reaches.

    Attributes:
        fragments: offset and length of each; none if the value is bytes without items.
        content_end: offset of the end of the value.
        end: offset behind its delimiter, or behind its last byte.
        oddities: its departures from the standard, and their texts; none if it is right.
        items: whether it is items up to their end, a table or fragments.
    """

    fragments: tuple[tuple[int, int], ...]
    content_end: int
    end: int
    oddities: tuple[tuple[OddityId, str], ...] = ()
    items: bool = True


class UndelimitedValueError(MalformedFileError):
    """A value of undefined length is neither fragments, nor samples or a stream with a sure end."""


@dataclass(frozen=True, slots=True)
class UndelimitedValue:
    """The value of an element of undefined length that may hold fragments.

    Attributes:
        source: holds the bytes.
        headers: reads headers there.
        limits: bounds on counts and on bytes held in memory.
        header: of the element.
        limit: offset that it cannot reach beyond.
        describe: describes the image that it is the pixels of; None if it is of no image.
        nested: whether the element is in an item, which may end behind it.
    """

    source: ByteSource
    headers: HeaderReader
    limits: Limits
    header: ElementHeader
    limit: int
    describe: Callable[[], ImagePixelDescription | None] | None
    nested: bool

    def find_extent(self) -> Extent:
        """Return how far it reaches.

        Raises:
            MalformedFileError: something else is among its fragments.
            UndelimitedValueError: no end is sure, or more than one.
        """
        for order in _list_orders(self.header.encoding):
            fragments, position = self._read_fragments(order)
            if fragments or self._read_tag(position, order) == SEQUENCE_DELIMITER:
                return self._close_fragments(tuple(fragments), position, order)
        return self._find_end_of_bytes(None if self.describe is None else self.describe())

    @property
    def _name(self) -> str:
        return format_tag(self.header.tag)

    def _read_fragments(self, order: DataSetEncoding) -> tuple[list[tuple[int, int]], int]:
        """Return the fragments in a byte order, and where they end."""
        found: list[tuple[int, int]] = []
        position = self.header.value
        while len(found) <= self.limits.fragments:
            tag, length = self.headers.read_delimiter(position, order)
            behind = position + _HEADER + length
            if tag != ITEM or length == UNDEFINED_LENGTH or behind > self.limit:
                return found, position
            found.append((position + _HEADER, length))
            position = behind
        raise MalformedFileError(f"{self._name} has too many fragments", offset=position)

    def _close_fragments(
        self, fragments: tuple[tuple[int, int], ...], position: int, order: DataSetEncoding
    ) -> Extent:
        """Return the extent of fragments, by the bytes behind them."""
        oddities: list[tuple[OddityId, str]] = []
        if order != self.header.encoding:
            text = f"the fragments of {self._name} are in the other byte order"
            oddities.append((OddityId.OTHER_BYTE_ORDER, text))
        tag = self._read_tag(position, order)
        if tag == SEQUENCE_DELIMITER:
            return Extent(fragments, position, position + _HEADER, tuple(oddities))
        after = self._find_next(position, order)
        if after is None:
            raise MalformedFileError(
                f"expected a fragment of {self._name}, found {format_tag(tag)}", offset=position
            )
        if tag == ITEM_DELIMITER and after > position:
            text = f"the fragments of {self._name} end with the delimiter of an item"
            oddities.append((OddityId.OTHER_DELIMITER, text))
        else:
            zeros = not any(self.headers.read_bytes(position, _HEADER)) and position < self.limit
            text = f"{self._name} ends with{' zeros for' if zeros else 'out'} its delimiter"
            oddities.append((OddityId.NO_DELIMITER, text))
        return Extent(fragments, position, after, tuple(oddities))

    def _find_end_of_bytes(self, image: ImagePixelDescription | None) -> Extent:
        """Return the extent of a value without items, by the size of its image or by its stream."""
        start = self.header.value
        kind, ends = "samples", self._find_ends_of_samples(image)
        if not ends:
            # An item ends at its first sure end; those of other sequences follow.
            ends = list(islice(self._find_delimiters(), 1 if self.nested else 2))
            length = (ends[0][0] if ends else self.limit) - start
            if describe_bare_stream(self.source, start, length, image) is not None:
                kind, ends = "a stream", ends or self._find_ends_behind_stream(image)
            elif image is None or self.nested:  # an icon's fault is none of the image around it
                kind = "bytes"
            elif length % 2 or length % image.native_frame_size not in {0, 1}:
                ends = []
        if len(ends) != 1:
            raise self._make_error(image, [one - start for one, _ in ends])
        content_end, after = ends[0]
        size = content_end - start
        text = f"{self._name} has an undefined length and no items; it is {kind} of {size} bytes"
        oddities = [(OddityId.UNDEFINED_LENGTH, text)]
        if kind != "samples" and content_end == after == self.limit:
            oddities.append((OddityId.NO_DELIMITER, f"{self._name} ends without its delimiter"))
        return Extent((), content_end, after, tuple(oddities), items=False)

    def _find_ends_of_samples(self, image: ImagePixelDescription | None) -> list[tuple[int, int]]:
        """Return the end of native samples, if all frames are there and nothing more."""
        if image is None:
            return []
        end = self.header.value + image.native_size + image.native_size % 2
        after = self._find_next(end, self.header.encoding)
        return [] if after is None else [(end, after)]

    def _find_ends_behind_stream(
        self, image: ImagePixelDescription | None
    ) -> list[tuple[int, int]]:
        """Return the end of a stream that no delimiter follows."""
        start = self.header.value
        size = min(self.limit - start, self.limits.element_size)
        length = measure_first_stream(self.source.read(start, size), image)
        if length:
            end = start + length + length % 2
            after = self._find_next(end, self.header.encoding)
            if after is not None:
                return [(end, after)]
        return [] if self.nested else [(self.limit, self.limit)]

    def _find_delimiters(self) -> Iterator[tuple[int, int]]:
        """Yield the ends before delimiters that the data set goes on behind."""
        delimiter = encode_tag(SEQUENCE_DELIMITER, self.header.encoding) + bytes(4)
        base, tail, seen = self.header.value, b"", 0
        for chunk in read_chunks(self.source, base, self.limit):
            part = tail + chunk
            at = part.find(delimiter)
            while at >= 0 and (seen := seen + 1) <= _MOST_DELIMITERS:
                after = self._find_next(base + at, self.header.encoding)
                if after is not None:
                    yield base + at, after
                at = part.find(delimiter, at + 1)
            tail = part[1 - len(delimiter) :]
            base += len(part) - len(tail)

    def _find_next(self, position: int, order: DataSetEncoding) -> int | None:
        """Return the offset behind the end of a value at an offset; None if it goes on there."""
        if position > self.limit:
            return None
        behind = position + _HEADER
        tag = self._read_tag(position, order)
        zeros = tag == 0 and behind <= self.limit and not any(self.headers.read_bytes(position, 8))
        if tag in {ITEM_DELIMITER, SEQUENCE_DELIMITER} or zeros:
            second = tag == ITEM_DELIMITER and not self.nested
            if second and self._read_tag(behind, order) == SEQUENCE_DELIMITER:
                behind += _HEADER
            if behind == self.limit or self._goes_on(behind):
                return behind
        return position if self._goes_on(position) else None

    def _goes_on(self, position: int) -> bool:
        """Whether the level around the element ends at an offset, or has other elements there."""
        tag = self._read_tag(position, self.header.encoding)
        if position == self.limit:
            # Before a delimiter that was not counted, the value has not ended yet; a file that
            # ends within an item was cut off.
            uncounted, _ = self.headers.read_delimiter(position, self.header.encoding)
            cut = self.nested and position == self.source.size
            return uncounted != SEQUENCE_DELIMITER and not cut
        if tag in DELIMITERS:
            return self.nested and tag == ITEM_DELIMITER
        if not self.nested and self._has_only_zeros(position):
            return True
        return self.headers.follows(position, self.limit, self.header.encoding, self.header.tag)

    def _read_tag(self, position: int, order: DataSetEncoding) -> int:
        """Return the tag at an offset; 0 if there is no room for one."""
        if position + _HEADER > self.limit:
            return 0
        return self.headers.read_delimiter(position, order)[0]

    def _has_only_zeros(self, position: int) -> bool:
        if any(self.headers.read_bytes(position, _HEADER)):
            return False
        return not any(map(any, read_chunks(self.source, position, self.limit)))

    def _make_error(
        self, image: ImagePixelDescription | None, sizes: list[int]
    ) -> UndelimitedValueError:
        if len(sizes) > 1:
            fault = f"it may end after {' or '.join(map(str, sizes))} bytes"
        elif self.describe is None or image is None:
            fault = "nothing tells where it ends"
        else:
            fault = (
                f"it is neither {image.number_of_frames} native frame(s) of "
                f"{image.native_frame_size} bytes nor a stream of such frames"
            )
        return UndelimitedValueError(
            f"{self._name} has an undefined length and no fragments, and {fault}",
            attribute=self._name,
            offset=self.header.start,
            hint="if you know what it holds, state its length in a copy of the file",
        )


def _list_orders(encoding: DataSetEncoding) -> tuple[DataSetEncoding, DataSetEncoding]:
    """Return an encoding, and one in the other byte order."""
    return encoding, EXPLICIT_BIG if encoding.little_endian else EXPLICIT_LITTLE
