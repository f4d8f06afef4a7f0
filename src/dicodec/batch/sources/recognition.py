"""Recognize DICOM files among others by their first bytes."""

from __future__ import annotations

import struct

from dicodec.part10.dictionary import find_vr
from dicodec.part10.encoding import DataSetEncoding
from dicodec.part10.file_meta import PREAMBLE_LENGTH, guess_encoding
from dicodec.part10.vr import LONG_FORM

SNIFFED = 1024
"""Bytes at the start of a file that recognition needs; fewer if the file is shorter."""

EMPTY, NOT_DICOM, DICOMDIR = "empty-file", "not-dicom", "dicomdir"

_PREFIX = b"DICM"
_ELEMENTS = 3
_DIRECTORY = b"\x02\x00\x02\x00UI\x14\x001.2.840.10008.1.3.10"
"""Media Storage SOP Class UID of the Media Storage Directory, as its element (PS3.10 8.6)."""


def find_skip_reason(first: bytes) -> str | None:
    """Return why a found file is not converted; None if it is.

    Args:
        first: the first SNIFFED bytes of the file.

    Returns:
        EMPTY, NOT_DICOM, or DICOMDIR: an index of files, which describes the originals only.
    """
    if not first:
        return EMPTY
    if first[PREAMBLE_LENGTH : PREAMBLE_LENGTH + 4] == _PREFIX or first.startswith(_PREFIX):
        return DICOMDIR if _DIRECTORY in first else None
    encoding = guess_encoding(first)
    if encoding is None or not _begins_data_set(first, encoding):
        return NOT_DICOM
    return None


def _begins_data_set(first: bytes, encoding: DataSetEncoding) -> bool:
    """Whether the bytes begin with elements of the dictionary, in ascending order."""
    position, previous = 0, -1
    for _ in range(_ELEMENTS):
        if position + 12 > len(first):
            break
        group, element = struct.unpack_from(encoding.order + "HH", first, position)
        tag = group << 16 | element
        if tag <= previous or not (find_vr(tag) or element == 0 or group % 2):
            return False
        position, previous = _find_end(first, position, encoding), tag
    return previous >= 0


def _find_end(first: bytes, position: int, encoding: DataSetEncoding) -> int:
    if not encoding.explicit_vr:
        return position + 8 + int(struct.unpack_from(encoding.order + "I", first, position + 4)[0])
    if first[position + 4 : position + 6] in LONG_FORM:
        return position + 12 + int(struct.unpack_from(encoding.order + "I", first, position + 8)[0])
    return position + 8 + int(struct.unpack_from(encoding.order + "H", first, position + 6)[0])
