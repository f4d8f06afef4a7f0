"""Writing a file: head, elements with edits, and what follows Pixel Data.

Elements that nothing changes are copied as the bytes they were, in runs. Others are re-encoded one
by one; values too large to hold are moved in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from dicodec.model import tags
from dicodec.model.edits import Edit, SetAttribute, SetSequence
from dicodec.part10.data_set import DataSet
from dicodec.part10.edit_bytes import element_bytes, element_header
from dicodec.part10.elements import PIXEL_DATA_TAGS, ElementSpan
from dicodec.part10.encoding import EXPLICIT_LITTLE, DataSetEncoding
from dicodec.part10.file_meta import PREAMBLE_LENGTH, FileHead
from dicodec.part10.reencode import Reencoder
from dicodec.part10.source import ByteSource, read_chunks
from dicodec.part10.swap import swapped

_STREAMED_SIZE = 1 << 20
"""Values above this many bytes are moved in pieces."""

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


class Sink(Protocol):
    """Takes bytes in order."""

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take all of the bytes."""
        ...


def write_file_meta(sink: Sink, head: FileHead, stated: Mapping[int, str]) -> None:
    """Write preamble, prefix and File Meta Information (PS3.10 7.1).

    The preamble is zeroed: what another format kept there (TIFF) points at bytes that have moved.

    Args:
        sink: where it goes.
        head: the source's; elements that are not the converter's own are carried over.
        stated: values of the UIDs and names that the converter itself states; empty ones are
            left out.
    """
    elements: dict[int, bytes] = {}
    for element in head.elements:
        if element.tag not in _OWN_META:
            vr = element.vr or "UN"
            elements[element.tag] = element_bytes(
                SetAttribute(element.tag, vr, element.value), EXPLICIT_LITTLE
            )
    elements[tags.FILE_META_VERSION] = element_bytes(
        SetAttribute(tags.FILE_META_VERSION, "OB", b"\0\1"), EXPLICIT_LITTLE
    )
    for tag, value in stated.items():
        vr = "SH" if tag == tags.IMPLEMENTATION_VERSION_NAME else "UI"
        if value:
            elements[tag] = element_bytes(SetAttribute(tag, vr, value), EXPLICIT_LITTLE)
    group = b"".join(elements[tag] for tag in sorted(elements))
    length = SetAttribute(tags.FILE_META_GROUP_LENGTH, "UL", (len(group),))
    sink.write(bytes(PREAMBLE_LENGTH) + b"DICM" + element_bytes(length, EXPLICIT_LITTLE) + group)


class ElementWriter:
    """Writes a data set's elements in another encoding and with edits, in two parts.

    Args:
        data_set: the source.
        encoding: of the result.
        edits: what is changed; edits of Pixel Data itself are not among them.
        pixel_representation: for elements whose VR depends on it (PS3.3 C.7.6.3.1.1).
    """

    def __init__(
        self,
        data_set: DataSet,
        encoding: DataSetEncoding,
        edits: Sequence[Edit],
        reencoder: Reencoder,
    ) -> None:
        self._data_set = data_set
        self._encoding = encoding
        self._edits = {edit.tag: edit for edit in edits}
        self._reencoder = reencoder
        spans = [span for span in data_set.elements if not _is_group_length(span.tag)]
        place = next((i for i, span in enumerate(spans) if span.tag in PIXEL_DATA_TAGS), None)
        self._before = spans if place is None else spans[:place]
        self._after = [] if place is None else spans[place + 1 :]

    def write_before_pixel_data(self, sink: Sink) -> dict[int, int]:
        """Write all that comes before Pixel Data, or everything where there is none.

        Returns:
            For each attribute set by an edit, the offset of its element from the first byte
            written and so the room that may be patched.
        """
        limit = tags.FLOAT_PIXEL_DATA if self._after or self._has_pixels() else 1 << 32
        edits = [edit for tag, edit in sorted(self._edits.items()) if tag < limit]
        return self._write(sink, self._before, edits)

    def write_after_pixel_data(self, sink: Sink) -> None:
        """Write all that comes after Pixel Data."""
        edits = [
            edit for tag, edit in sorted(self._edits.items()) if tag >= tags.FLOAT_PIXEL_DATA
        ]
        self._write(sink, self._after, edits)

    def _has_pixels(self) -> bool:
        return any(span.tag in PIXEL_DATA_TAGS for span in self._data_set.elements)

    def _write(
        self, sink: Sink, spans: Sequence[ElementSpan], edits: Iterable[Edit]
    ) -> dict[int, int]:
        offsets: dict[int, int] = {}
        written = 0
        for edit, chunk in self._chunks(spans, edits):
            if edit is not None:
                offsets[edit.tag] = written
            sink.write(chunk)
            written += len(chunk)
        return offsets

    def _chunks(
        self, spans: Sequence[ElementSpan], edits: Iterable[Edit]
    ) -> Iterator[tuple[Edit | None, bytes]]:
        """Yield the bytes of elements and edits, merged by tag; untouched runs come as one."""
        waiting = list(edits)
        run_start = run_end = 0
        for span in spans:
            touched = span.tag in self._edits
            due = bool(waiting) and waiting[0].tag <= span.tag
            if not touched and not due and self._keeps(span) and span.start == run_end:
                run_end = span.end
                continue
            yield from self._run(run_start, run_end)
            run_start = run_end = span.start
            while waiting and waiting[0].tag <= span.tag:
                yield from self._edited(waiting.pop(0))
            if touched:
                run_start = run_end = span.end
            elif self._keeps(span):
                run_end = span.end
            else:
                run_start = run_end = span.end
                for chunk in self._reencoded(span):
                    yield None, chunk
        yield from self._run(run_start, run_end)
        for edit in waiting:
            yield from self._edited(edit)

    def _edited(self, edit: Edit) -> Iterator[tuple[Edit, bytes]]:
        if isinstance(edit, SetAttribute | SetSequence):
            yield edit, element_bytes(edit, self._encoding)

    def _run(self, start: int, end: int) -> Iterator[tuple[None, bytes]]:
        for chunk in read_chunks(self._data_set.source, start, end):
            yield None, chunk

    def _keeps(self, span: ElementSpan) -> bool:
        """Whether an element's bytes are right as they are."""
        return self._data_set.encoding_of(span) == self._encoding

    def _reencoded(self, span: ElementSpan) -> Iterator[bytes]:
        source_encoding = self._data_set.encoding_of(span)
        if span.length > _STREAMED_SIZE and not span.undefined:
            vr = self._reencoder.vr_of(span)
            if vr != "SQ":
                yield element_header(span.tag, vr, span.length, self._encoding)
                unit = self._reencoder.swap_unit(vr, source_encoding, self._encoding)
                yield from swapped_chunks(
                    self._data_set.source, span.value, span.value + span.length, unit
                )
                return
        yield self._reencoder.element(self._data_set.raw(span), source_encoding, self._encoding)


def swapped_chunks(source: ByteSource, start: int, end: int, unit: int) -> Iterator[bytes]:
    """Yield bytes with the order within each unit of 2, 4 or 8 bytes reversed; 1 for as they are."""
    for chunk in read_chunks(source, start, end):
        yield swapped(chunk, unit)


def _is_group_length(tag: int) -> bool:
    """Group lengths outside group 2 are retired (PS3.5 7.2) and would no longer be true."""
    return tag & 0xFFFF == 0


def element_value_offset(vr: str, encoding: DataSetEncoding) -> int:
    """Return how far a value is from its element's first byte."""
    return len(element_header(0, vr, 0, encoding))


