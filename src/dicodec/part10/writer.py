"""Write a file's head, and its elements, with edits, before and after Pixel Data.

Unchanged elements are copied byte for byte, in runs. Others are re-encoded one by one; values too
large to hold are moved in pieces.
"""

from __future__ import annotations

import struct
from array import array
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from dicodec.errors import LimitExceededError
from dicodec.model import tags
from dicodec.model.edits import Edit, SetAttribute, SetSequence
from dicodec.model.limits import make_limit_hint
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_vr
from dicodec.part10.edit_bytes import encode_element, encode_element_header
from dicodec.part10.element_span import PackedSpans
from dicodec.part10.elements import walk_elements
from dicodec.part10.encoding import EXPLICIT_LITTLE, DataSetEncoding
from dicodec.part10.file_meta import PREAMBLE_LENGTH, FileHead, MetaElement
from dicodec.part10.implicit_vr import ReencodingContext, find_header_by_tag
from dicodec.part10.reencode import reencode_elements, swap_bytes
from dicodec.part10.source import COPY_SIZE, ByteSource, Sink, read_chunks
from dicodec.part10.vr import SHORT_FORM_LIMIT, VALUE_REPRESENTATIONS, is_padded_wrongly

_STREAMED_SIZE = 1 << 20
"""Values above this many bytes are moved in pieces."""

_NO_TAG = 1 << 32
"""A number above all tags."""

_LONGEST_AE = 16

_OWN_META = frozenset(
    {
        tags.FILE_META_GROUP_LENGTH,
        tags.FILE_META_VERSION,
        tags.MEDIA_STORAGE_SOP_CLASS_UID,
        tags.MEDIA_STORAGE_SOP_INSTANCE_UID,
        tags.TRANSFER_SYNTAX_UID,
        tags.IMPLEMENTATION_CLASS_UID,
        tags.IMPLEMENTATION_VERSION_NAME,
    }
)


def write_file_meta(sink: Sink, head: FileHead, stated: Mapping[int, str]) -> None:
    """Write preamble, prefix and File Meta Information (PS3.10 7.1).

    The preamble is zeroed, because offsets that another format (TIFF) kept there are wrong now.

    Args:
        sink: takes the bytes.
        head: the source's; elements that are not the converter's own are carried over.
        stated: values of the UIDs and names that the converter itself states; empty ones are
            left out.
    """
    elements: dict[int, bytes] = {}
    for element in head.elements:
        if element.tag not in _OWN_META and element.tag not in elements:
            elements[element.tag] = encode_element(make_standard_meta(element), EXPLICIT_LITTLE)
    elements[tags.FILE_META_VERSION] = _encode_meta(tags.FILE_META_VERSION, "OB", b"\0\1")
    for tag, value in stated.items():
        vr = "SH" if tag == tags.IMPLEMENTATION_VERSION_NAME else "UI"
        if value:
            elements[tag] = _encode_meta(tag, vr, value)
    group = b"".join(elements[tag] for tag in sorted(elements))
    length = struct.pack("<I", len(group))
    start = bytes(PREAMBLE_LENGTH) + b"DICM"
    sink.write(start + _encode_meta(tags.FILE_META_GROUP_LENGTH, "UL", length) + group)


def make_standard_meta(element: MetaElement) -> SetAttribute:
    """Return an element of group 2 in the dictionary's VR, padded as PS3.5 section 6.2 has it.

    An AE has 16 bytes at most, and blanks around it mean nothing: readers refuse a whole file for
    a title that was filled with blanks beyond that.
    """
    value = element.value
    vr = find_vr(element.tag) or element.vr
    row = VALUE_REPRESENTATIONS.get(vr)
    if row is not None and not row.long_form and len(value) > SHORT_FORM_LIMIT:
        return SetAttribute(element.tag, element.vr, value)
    if vr == "AE" and len(value) > _LONGEST_AE:
        value = value.strip(b" \0")
    elif row is not None and row.text and is_padded_wrongly(vr, value):
        value = value.rstrip(b"\0 ")
    return SetAttribute(element.tag, vr, value)


@lru_cache(maxsize=64)  # of one file to the next, only the instance's own UID differs
def _encode_meta(tag: int, vr: str, value: bytes | str) -> bytes:
    return encode_element(SetAttribute(tag, vr, value), EXPLICIT_LITTLE)


class ElementWriter:
    """Writes a data set's elements in another encoding and with edits, in two parts.

    Args:
        data_set: the source.
        encoding: of the result.
        edits: the changes; Pixel Data itself is not among them.

    Attributes:
        oddities: departures from the standard that were carried over.
    """

    def __init__(self, data_set: DataSet, encoding: DataSetEncoding, edits: Sequence[Edit]) -> None:
        self._data_set = data_set
        self._encoding = encoding
        self._edits = {edit.tag: edit for edit in edits}
        self._edited = array("I", self._edits).tobytes()
        self._context = make_reencoding_context(data_set)
        self.oddities = self._context.oddities
        pixel_data = data_set.find_pixel_data()
        self._has_pixels = bool(pixel_data)
        count = len(data_set.elements)
        place = pixel_data[0] if pixel_data else count
        self._before = range(place)
        self._after = range(place + 1, count)

    def write_before_pixel_data(self, sink: Sink) -> dict[int, int]:
        """Write all elements before Pixel Data, or all if the data set has none.

        Returns:
            For each attribute that an edit sets, the offset of its element from the first byte
            written here, so that its value can be patched.
        """
        offsets: dict[int, int] = {}
        written = 0
        for edit, chunk in self._merge_chunks(
            self._before, self._list_edits_between(0, self._boundary)
        ):
            if edit is not None:
                offsets[edit.tag] = written
            sink.write(chunk)
            written += len(chunk)
        return offsets

    def write_after_pixel_data(self, sink: Sink) -> None:
        """Write all elements after Pixel Data."""
        for _, chunk in self._merge_chunks(
            self._after, self._list_edits_between(self._boundary, _NO_TAG)
        ):
            sink.write(chunk)

    @property
    def _boundary(self) -> int:
        return tags.FLOAT_PIXEL_DATA if self._has_pixels else _NO_TAG

    def _list_edits_between(self, first: int, end: int) -> list[Edit]:
        return [edit for tag, edit in sorted(self._edits.items()) if first <= tag < end]

    def _merge_chunks(
        self, places: range, edits: list[Edit]
    ) -> Iterator[tuple[Edit | None, bytes]]:
        """Yield the bytes of elements and edits, merged by tag.

        Adjacent elements that need the same treatment are taken as one run.

        Args:
            places: indices of the elements.
            edits: those that may fall among them, by tag.
        """
        spans = self._data_set.elements
        packed = spans if isinstance(spans, PackedSpans) else None
        waiting = deque(edits)
        next_edit = waiting[0].tag if waiting else _NO_TAG
        find_encoding = self._data_set.find_encoding
        start, end, encoding = 0, 0, self._encoding
        index = places.start
        while index < places.stop:
            span = spans[index]
            tag, of_span = span.tag, find_encoding(span)
            edited = tag in self._edits
            if not tag & 0xFFFF:
                # Group lengths outside group 2 are retired (PS3.5 7.2), and not true any longer.
                index += 1
                continue
            if edited or tag >= next_edit or span.start != end or of_span != encoding:
                yield from self._encode_run(start, end, encoding)
                while waiting and waiting[0].tag <= tag:
                    yield from self._encode_edit(waiting.popleft())
                next_edit = waiting[0].tag if waiting else _NO_TAG
                encoding = of_span
                start = span.end if edited else span.start
            alike = 1
            if packed is not None and not edited:
                alike = packed.count_adjacent(index, places.stop, self._edited, next_edit)
            index += alike
            end = spans[index - 1].end
        yield from self._encode_run(start, end, encoding)
        for edit in waiting:
            yield from self._encode_edit(edit)

    def _encode_edit(self, edit: Edit) -> Iterator[tuple[Edit, bytes]]:
        if isinstance(edit, SetAttribute | SetSequence):
            yield edit, encode_element(edit, self._encoding)

    def _encode_run(
        self, start: int, end: int, encoding: DataSetEncoding
    ) -> Iterator[tuple[None, bytes]]:
        """Yield the bytes of elements that follow each other, in one encoding."""
        if start == end:
            return
        if encoding == self._encoding:
            for chunk in read_chunks(self._data_set.source, start, end):
                yield None, chunk
        elif end - start > _STREAMED_SIZE:
            for chunk in self._encode_long_run(start, end, encoding):
                yield None, chunk
        else:
            yield None, self._reencode(start, end, encoding)

    def _encode_long_run(self, start: int, end: int, encoding: DataSetEncoding) -> Iterator[bytes]:
        """Re-encode element by element; large values go through in pieces."""
        for span in walk_elements(
            self._data_set.source, start, end, encoding, limits=self._data_set.limits
        ):
            vr = None
            if span.length > _STREAMED_SIZE and not span.undefined:
                vr = span.vr or _find_vr_by_tag(span.tag)
            if vr is None or vr == "SQ":
                yield self._reencode(span.start, span.end, encoding)
                continue
            row = VALUE_REPRESENTATIONS.get(vr)
            swaps = encoding.little_endian != self._encoding.little_endian
            unit = row.swap_unit if row and swaps else 1
            if row and not row.long_form:
                # PS3.5 6.2.2: too long for a 16-bit length field, and then in little endian.
                vr, unit = "UN", 1
            yield encode_element_header(span.tag, vr, span.length, self._encoding)
            yield from swap_chunks(
                self._data_set.source, span.value, span.value + span.length, unit
            )

    def _reencode(self, start: int, end: int, encoding: DataSetEncoding) -> bytes:
        size = end - start
        if size > self._data_set.limits.element_size:
            raise LimitExceededError(
                f"an element has {size} bytes, more than may be held in memory",
                offset=start,
                hint=make_limit_hint("element_size=SIZE"),
            )
        return reencode_elements(
            self._data_set.source.read(start, size),
            encoding,
            self._encoding,
            self._context,
            offset=start,
        )


def make_reencoding_context(data_set: DataSet) -> ReencodingContext:
    """Return the facts of a data set's top level that re-encoding needs."""
    signed = data_set.read_number(tags.PIXEL_REPRESENTATION) == 1
    return ReencodingContext(signed=signed, limits=data_set.limits)


def _find_vr_by_tag(tag: int) -> str | None:
    header = find_header_by_tag(tag)
    return None if header is None else header.name.decode()


def swap_chunks(
    source: ByteSource, start: int, end: int, unit: int, padding: int = 0
) -> Iterator[bytes]:
    """Yield bytes with each unit of some bytes reversed; 1 leaves them as they are.

    Args:
        source: the bytes.
        start: offset of the first byte.
        end: offset behind the last byte.
        unit: 1 to 8.
        padding: zeros that are added before the last unit is reversed.
    """
    position = start
    for chunk in read_chunks(source, start, end, COPY_SIZE - COPY_SIZE % unit):
        position += len(chunk)
        yield swap_bytes(chunk + bytes(padding) if position == end else chunk, unit)
