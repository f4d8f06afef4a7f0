"""Find the sequences that may hold Pixel Data, such as icons; most files have none.

The module is apart from the work on them because every conversion searches.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from itertools import compress
from operator import itemgetter

from dicodec.model import tags
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_vr
from dicodec.part10.element_span import ElementSpan, PackedSpans
from dicodec.part10.elements import PIXEL_DATA_TAGS
from dicodec.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, encode_tag
from dicodec.part10.source import read_chunks

PIXEL_DATA = {
    order.little_endian: encode_tag(tags.PIXEL_DATA, order)
    for order in (EXPLICIT_LITTLE, EXPLICIT_BIG)
}
"""The tag of Pixel Data as it is stored, by whether the data set is little endian."""

UNDEFINED_BYTES = re.compile(rb"[OU][A-Z]\0\0\xff\xff\xff\xff")
"""VR and length of an element of bytes that has no end of its own; Pixel Data alone may."""

_VR = itemgetter(1)
_SEQUENCE_VRS = {"SQ": True, "": True}
"""VRs of elements that are sequences, or may be."""

_HELD_SIZE = 1 << 20
"""Longer sequences are looked through in pieces."""
_OVERLAP = 16
_LEAST_SIZE = 24
"""Bytes of an item with Pixel Data of undefined length: three headers without a VR."""


def find_suspicious_sequences(
    data_set: DataSet, left_out: Container[int] = ()
) -> Iterator[tuple[ElementSpan, bytes]]:
    """Yield the sequences that may hold Pixel Data or undefined lengths, with all their bytes.

    Args:
        data_set: the source's top level.
        left_out: tags of elements that the result does not have.

    Raises:
        LimitExceededError: a sequence is too long to be read as a whole.
    """
    held_size = min(_HELD_SIZE, data_set.limits.element_size)
    pixel_data = PIXEL_DATA[data_set.encoding.little_endian]
    elements = data_set.elements
    # Most elements have another VR and are left here, and most sequences hold no Pixel Data.
    if isinstance(elements, PackedSpans):
        spans = elements.list_possible_sequences(_LEAST_SIZE)
    else:
        spans = compress(elements, map(_SEQUENCE_VRS.get, map(_VR, elements)))
    for span in spans:
        if span.length < _LEAST_SIZE or span.tag in left_out:
            continue
        if span.vr == "" and not may_hold_items(span):
            continue
        short = span.end - span.start < held_size
        raw = data_set.read_raw(span) if short else _read_if_suspicious(data_set, span)
        if pixel_data in raw or UNDEFINED_BYTES.search(raw) is not None:
            yield span, raw


def may_hold_items(span: ElementSpan) -> bool:
    """Return whether an element is a sequence that has room for Pixel Data."""
    if span.length < _LEAST_SIZE or span.tag in PIXEL_DATA_TAGS:
        return False
    return span.vr == "SQ" or (span.vr == "" and (span.undefined or find_vr(span.tag) == "SQ"))


def _read_if_suspicious(data_set: DataSet, span: ElementSpan) -> bytes:
    """Return a long sequence if it may hold Pixel Data or undefined lengths, else nothing."""
    pixel_data = PIXEL_DATA[data_set.encoding.little_endian]
    tail = b""
    for chunk in read_chunks(data_set.source, span.value, span.value + span.length):
        part = tail + chunk
        if pixel_data in part or UNDEFINED_BYTES.search(part):
            return data_set.read_raw(span)
        tail = chunk[-_OVERLAP:]
    return b""
