"""The Directory Records of a DICOMDIR, and the byte offsets by which they name each other.

An offset is that of a record's Item tag, counted from the first byte of the file, preamble included
(PS3.3 F.3.2.2). So it is another one wherever a DICOMDIR is written with other lengths.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

from dicodec.errors import ContradictionError, LimitExceededError
from dicodec.model import tags
from dicodec.model.records import NamedTuple, dataclass
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.dictionary import find_keyword
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import Walker, walk_elements
from dicodec.part10.encoding import DataSetEncoding, encode_tag
from dicodec.part10.pixel_writer import patch
from dicodec.part10.source import BytesSource
from dicodec.part10.spliced_source import find_origin

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO

ROOT_OFFSETS = (
    tags.OFFSET_OF_THE_FIRST_DIRECTORY_RECORD_OF_THE_ROOT_DIRECTORY_ENTITY,
    tags.OFFSET_OF_THE_LAST_DIRECTORY_RECORD_OF_THE_ROOT_DIRECTORY_ENTITY,
)
DIRECTORY_TAGS = (*ROOT_OFFSETS, tags.DIRECTORY_RECORD_SEQUENCE)
"""Attributes of a DICOMDIR's top level that hold offsets of records."""

RECORD_OFFSETS = frozenset(
    {
        tags.OFFSET_OF_THE_NEXT_DIRECTORY_RECORD,
        tags.OFFSET_OF_REFERENCED_LOWER_LEVEL_DIRECTORY_ENTITY,
        tags.MRDR_DIRECTORY_RECORD_OFFSET,
    }
)
_LAST_OFFSET = max(RECORD_OFFSETS)
_OFFSET_SIZE = 4
_LARGEST_OFFSET = 0xFFFFFFFF
_ITEM_HEADER = 8


class RecordLink(NamedTuple):
    """A relation between records: who names which one.

    Attributes:
        owner: number of the record that has the offset, from 0; -1 for the directory itself.
        tag: attribute that holds the offset.
        record: number of the record that it names; -1 if it names none.
    """

    owner: int
    tag: int
    record: int


class ReferencedFile(NamedTuple):
    """The facts that a directory record states of the file that it names.

    Attributes:
        record: number of the record, from 0.
        path: components of Referenced File ID, in capitals.
        instance_uid, syntax_uid: Referenced SOP Instance UID and Transfer Syntax UID in File; "" if
            the record has none.
    """

    record: int
    path: tuple[str, ...]
    instance_uid: str
    syntax_uid: str


class _StoredOffset(NamedTuple):
    """An offset as it is stored: the byte that its value begins at, its order, and the value."""

    owner: int
    tag: int
    place: int
    order: str
    value: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """A directory as it is stored: where its records begin, and all offsets."""

    starts: Sequence[int]
    offsets: Sequence[_StoredOffset]


def is_directory(data_set: DataSet) -> bool:
    """Return whether a data set is one of a DICOMDIR."""
    return data_set.find(tags.DIRECTORY_RECORD_SEQUENCE) is not None


def read_links(file: DicomFile) -> tuple[RecordLink, ...]:
    """Return the relations between the records of a DICOMDIR, in file order.

    Raises:
        ContradictionError: an offset does not name a record.
        MalformedFileError, TruncatedFileError: the records cannot be read.
    """
    stored = _read_stored(file.data_set)
    numbers = {start: number for number, start in enumerate(_find_starts(file, stored))}
    links = []
    for offset in stored.offsets:
        record = numbers.get(offset.value, -1) if offset.value else -1
        if offset.value and record < 0:
            raise _make_error(file, offset)
        links.append(RecordLink(offset.owner, offset.tag, record))
    return tuple(links)


def _find_starts(file: DicomFile, stored: _Stored) -> Iterator[int]:
    """Yield the offset in the given file of each record, and -1 for one that is not in it as is."""
    source = file.data_set.source
    for start in stored.starts:
        origin = find_origin(source, start, file.source)
        if origin is None:  # a header that was repaired: the content may still be as it was
            behind = find_origin(source, start + _ITEM_HEADER, file.source)
            origin = -1 if behind is None else behind - _ITEM_HEADER
        yield origin


def _make_error(file: DicomFile, offset: _StoredOffset) -> ContradictionError:
    owner = "the directory" if offset.owner < 0 else f"directory record {offset.owner}"
    why = "no record begins there"
    if file.syntax.deflated:
        why = "a deflated file has no byte where a record begins"
    return ContradictionError(
        f"{owner} names a record at byte {offset.value}, and {why}",
        attribute=find_keyword(offset.tag),
        offset=find_origin(file.data_set.source, offset.place, file.source),
        hint="only tools that read the files themselves can make this DICOMDIR anew",
    )


def _read_stored(data_set: DataSet) -> _Stored:
    """Read the directory of a data set, wherever it lies."""
    starts: list[int] = []
    offsets = [
        _read_offset(data_set, span, data_set.find_encoding(span), -1)
        for span in data_set.elements
        if span.tag in ROOT_OFFSETS and span.length
    ]
    sequence = data_set.find(tags.DIRECTORY_RECORD_SEQUENCE)
    if sequence is None or not sequence.length:
        return _Stored(starts, offsets)
    encoding = data_set.find_encoding_of_items(sequence)
    walker = Walker(data_set.source, data_set.limits)
    end = sequence.end if sequence.undefined else sequence.value + sequence.length
    marks = [encode_tag(tag, encoding) for tag in RECORD_OFFSETS]
    for item in walker.walk_items(sequence.value, end, encoding, undefined=sequence.undefined):
        stop = item.value + item.length
        for span in walker.walk_elements(item.value, stop, encoding, depth=1):
            if span.tag in RECORD_OFFSETS and span.length:
                offsets.append(_read_offset(data_set, span, encoding, len(starts)))
            elif span.tag > _LAST_OFFSET:  # most elements of a record are keys, behind the offsets
                rest = data_set.source.read(span.start, stop - span.start)
                if not any(mark in rest for mark in marks):
                    break
        starts.append(item.start)
    return _Stored(starts, offsets)


def _read_offset(
    data_set: DataSet, span: ElementSpan, encoding: DataSetEncoding, owner: int
) -> _StoredOffset:
    if span.length != _OFFSET_SIZE:
        raise ContradictionError(
            f"a record's offset has {span.length} bytes instead of 4",
            attribute=find_keyword(span.tag),
            offset=span.start,
        )
    order = "<" if span.vr == "UN" else encoding.order  # PS3.5 6.2.2
    (value,) = struct.unpack(order + "I", data_set.source.read(span.value, _OFFSET_SIZE))
    return _StoredOffset(owner, span.tag, span.value, order, value)


def read_referenced_files(data_set: DataSet) -> Iterator[ReferencedFile]:
    """Yield the files that the records of a DICOMDIR name.

    Raises:
        MalformedFileError, TruncatedFileError: the records cannot be read.
    """
    for number, record in enumerate(data_set.read_items(tags.DIRECTORY_RECORD_SEQUENCE)):
        if name := record.read_text(tags.REFERENCED_FILE_ID):
            yield ReferencedFile(
                number,
                tuple(part.strip().upper() for part in name.split("\\")),
                record.read_text(tags.REFERENCED_SOP_INSTANCE_UID_IN_FILE),
                record.read_text(tags.REFERENCED_TRANSFER_SYNTAX_UID_IN_FILE),
            )


def link_records(
    roots: Iterable[tuple[int, int]],
    records: Iterable[tuple[int, Iterable[tuple[int, int]]]],
) -> tuple[RecordLink, ...] | None:
    """Return the relations between records that somebody else has read; None if one is not sound.

    Args:
        roots: (tag, offset) of the directory itself.
        records: for each record the byte at which it was found, and its (tag, offset).
    """
    found = [(start, [*offsets]) for start, offsets in records]
    numbers = {start: number for number, (start, _) in enumerate(found)} | {0: -1}
    stated = [(-1, *offset) for offset in roots]
    stated += [(owner, *offset) for owner, (_, offsets) in enumerate(found) for offset in offsets]
    if any(value not in numbers for _, _, value in stated):
        return None
    return tuple(RecordLink(owner, tag, numbers[value]) for owner, tag, value in stated)


def write_offsets(out: BinaryIO, made: DicomFile, links: Sequence[RecordLink]) -> None:
    """Write into a finished result the offsets at which its records lie.

    Args:
        out: the result, seekable.
        made: the same file, read again.
        links: the relations that the offsets state.

    Raises:
        ContradictionError: the result has not the offsets of its source.
        LimitExceededError: a record lies too far behind for an offset of 32 bits.
    """
    stored = _read_stored(made.data_set)
    known = [(offset.owner, offset.tag) for offset in stored.offsets]
    if known != [(link.owner, link.tag) for link in links]:
        raise ContradictionError("the result has other directory records than its source")
    if stored.starts and stored.starts[-1] > _LARGEST_OFFSET:
        raise LimitExceededError("a directory record lies beyond 4 GB, and no offset reaches it")
    if not stored.offsets:
        return
    first = min(offset.place for offset in stored.offsets)
    last = max(offset.place for offset in stored.offsets)
    written = bytearray(made.data_set.source.read(first, last + _OFFSET_SIZE - first))
    for offset, link in zip(stored.offsets, links, strict=True):
        value = stored.starts[link.record] if link.record >= 0 else 0
        struct.pack_into(offset.order + "I", written, offset.place - first, value)
    patch(out, first, bytes(written))


def clear_offsets(element: bytes, encoding: DataSetEncoding) -> bytes:
    """Return a whole Directory Record Sequence with zeros in place of its offsets."""
    source = BytesSource(element)
    data_set = DataSet(source, encoding, list(walk_elements(source, 0, len(element), encoding)))
    cleared = bytearray(element)
    for offset in _read_stored(data_set).offsets:
        cleared[offset.place : offset.place + _OFFSET_SIZE] = bytes(_OFFSET_SIZE)
    return bytes(cleared)
