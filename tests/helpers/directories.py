"""Makes DICOMDIRs of our own, in any encoding and form of lengths, and reads their records."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from dicodec.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, DataSetEncoding
from helpers.data_set_bytes import element, item, sequence
from helpers.made import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, file_head

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
INSTANCE = "2.25.271828182845904523536028747135266249775"
ENCODINGS = {
    EXPLICIT_LE: EXPLICIT_LITTLE,
    IMPLICIT_LE: IMPLICIT_LITTLE,
    EXPLICIT_BE: EXPLICIT_BIG,
}
NEXT, LOWER, MRDR = 0x00041400, 0x00041420, 0x00041504
FIRST, LAST, RECORDS = 0x00041200, 0x00041202, 0x00041220


@dataclass(frozen=True, slots=True)
class Record:
    """A directory record: the numbers of the records that it names, and further elements.

    Attributes:
        kind: Directory Record Type.
        following, below, through: record named by offset (0004,1400), (0004,1420) and (0004,1504);
            None for none. The last attribute is there only if it names one.
        keys: bytes of elements behind those of group 4, in the encoding of the file.
        file: File ID, SOP Instance UID and transfer syntax UID of the file it names.
    """

    kind: str
    following: int | None = None
    below: int | None = None
    through: int | None = None
    keys: bytes = b""
    file: tuple[str, str, str] | None = None


TREE = (
    Record("PATIENT", following=4, below=1),
    Record("STUDY", below=2),
    Record("SERIES", below=3),
    Record("IMAGE", through=7),
    Record("PATIENT", below=5),
    Record("STUDY", below=6),
    Record("SERIES", below=8),
    Record("MRDR"),
    Record("IMAGE"),
)
"""Two patients with an image each; records are not in the order of the tree."""


def make_directory(
    records: Sequence[Record] = TREE,
    *,
    transfer_syntax: str = EXPLICIT_LE,
    undefined: bool = False,
    roots: tuple[int, int] = (0, 4),
    shift: int = 0,
    vr: str = "SQ",
) -> bytes:
    """Return a DICOMDIR.

    Args:
        records: in the order of the file.
        transfer_syntax: UID of a native one.
        undefined: whether sequence and items have an undefined length.
        roots: numbers of the first and the last record of the root.
        shift: is added to each offset, and makes it wrong.
        vr: of the Directory Record Sequence.
    """
    encoding = ENCODINGS[transfer_syntax]
    head = file_head(transfer_syntax, MEDIA_STORAGE_DIRECTORY, INSTANCE)
    # Lengths do not depend on the offsets, so the second round has the right ones.
    starts: list[int] = [0] * len(records)
    for _ in range(2):
        made = _make_data_set(records, encoding, starts, roots, shift, undefined=undefined, vr=vr)
        data_set, places = made
        starts = [len(head) + place for place in places]
    return head + data_set


def _make_data_set(
    records: Sequence[Record],
    encoding: DataSetEncoding,
    starts: Sequence[int],
    roots: tuple[int, int],
    shift: int,
    *,
    undefined: bool,
    vr: str,
) -> tuple[bytes, list[int]]:
    inner = IMPLICIT_LITTLE if vr == "UN" else encoding

    def offset(tag: int, record: int | None, of: DataSetEncoding) -> bytes:
        value = 0 if record is None else starts[record] + shift
        return element(tag, "UL", struct.pack(of.order + "I", value & 0xFFFFFFFF), of)

    before = b"".join(
        [
            element(0x00041130, "CS", b"MADE", encoding),
            offset(FIRST, roots[0] if records else None, encoding),
            offset(LAST, roots[1] if records else None, encoding),
            element(0x00041212, "US", bytes(2), encoding),
        ]
    )
    items = [_make_item(record, inner, offset, undefined=undefined) for record in records]
    made = sequence(RECORDS, *items, encoding=encoding, undefined=undefined, vr=vr)
    place = len(before) + (12 if encoding.explicit_vr else 8)
    places = []
    for one in items:
        places.append(place)
        place += len(one)
    return before + made, places


def _make_item(
    record: Record, encoding: DataSetEncoding, offset: object, *, undefined: bool
) -> bytes:
    assert callable(offset)
    padded = record.kind.encode() + b" " * (len(record.kind) % 2)
    parts = [
        offset(NEXT, record.following, encoding),
        element(0x00041410, "US", struct.pack(encoding.order + "H", 0xFFFF), encoding),
        offset(LOWER, record.below, encoding),
        element(0x00041430, "CS", padded, encoding),
    ]
    if record.file is not None:
        parts.append(element(0x00041500, "CS", _even(record.file[0].encode(), b" "), encoding))
    if record.through is not None:
        parts.append(offset(MRDR, record.through, encoding))
    if record.file is not None:
        for tag, uid in ((0x00041511, record.file[1]), (0x00041512, record.file[2])):
            parts.append(element(tag, "UI", _even(uid.encode(), b"\0"), encoding))
    return item(b"".join(parts) + record.keys, encoding, undefined=undefined)


def _even(value: bytes, pad: bytes) -> bytes:
    return value + pad * (len(value) % 2)


def read_tree(content: bytes) -> tuple[list[int | None], list[tuple[str, list[int | None]]]]:
    """Return which records the directory and each record name, read by pydicom from the bytes.

    Raises:
        KeyError: an offset names no record.
    """
    import io

    import pydicom

    data_set = pydicom.dcmread(io.BytesIO(content), force=True)
    records = list(data_set.DirectoryRecordSequence)
    numbers = {record.seq_item_tell: number for number, record in enumerate(records)}

    def named(holder: pydicom.Dataset, tag: int) -> int | None:
        value = holder[tag].value if tag in holder else 0
        return numbers[value] if value else None

    roots = [named(data_set, tag) for tag in (FIRST, LAST)]
    links = [
        (str(record.DirectoryRecordType), [named(record, tag) for tag in (NEXT, LOWER, MRDR)])
        for record in records
    ]
    return roots, links
