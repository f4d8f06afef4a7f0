"""Encode items of the source's sequences for the result, read them there, and edit them."""

from __future__ import annotations

import io
from collections.abc import Sequence

from dicodec.model.edits import Edit
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_vr
from dicodec.part10.edit_bytes import encode_item_header
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import walk_elements
from dicodec.part10.encoding import UNDEFINED_LENGTH, DataSetEncoding
from dicodec.part10.source import BytesSource
from dicodec.part10.writer import ElementWriter

_HEADER_LENGTH = 8
"""Bytes of an item's tag and length, and of its delimiter."""


def encode_items(data_set: DataSet, tag: int, encoding: DataSetEncoding) -> tuple[bytes, ...]:
    """Return the items of a top-level sequence, each whole, as the result will hold them.

    Args:
        data_set: the source's top level.
        tag: of the sequence; without it there are no items.
        encoding: of the result.

    Raises:
        MalformedFileError, TruncatedFileError: it is not a sequence of items.
    """
    span = data_set.find(tag)
    if span is None or not span.length:
        return ()
    from dicodec.conversion.edits.nested_pixels import encode_native_items  # for few files

    return encode_native_items(
        data_set.read_raw(span), data_set.find_encoding(span), encoding, data_set
    )


def is_sequence(span: ElementSpan) -> bool:
    """Return whether an element is a sequence, by its VR or by the dictionary."""
    if span.vr == "SQ":
        return True
    return span.vr in {"", "UN"} and find_vr(span.tag) == "SQ"


def parse_item(item: bytes, encoding: DataSetEncoding) -> DataSet:
    """Return the elements of a whole item."""
    undefined = item[4:_HEADER_LENGTH] == UNDEFINED_LENGTH.to_bytes(4, "little")
    content = item[_HEADER_LENGTH : -_HEADER_LENGTH if undefined else None]
    source = BytesSource(content)
    elements = walk_elements(source, 0, len(content), encoding, depth=1)
    return DataSet(source, encoding, list(elements))


def edit_item(item: DataSet, edits: Sequence[Edit]) -> bytes:
    """Return a whole item with some of its attributes changed; it has a defined length then."""
    out = io.BytesIO()
    ElementWriter(item, item.encoding, edits).write_before_pixel_data(out)
    content = out.getvalue()
    return encode_item_header(len(content), item.encoding) + content
