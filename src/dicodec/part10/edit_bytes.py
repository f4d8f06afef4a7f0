"""Encode the elements that edits set (PS3.5 7.1, 7.5)."""

from __future__ import annotations

import struct
from functools import lru_cache

from dicodec.errors import ConversionError
from dicodec.model.edits import Item, SetAttribute, SetSequence
from dicodec.part10.elements import ITEM
from dicodec.part10.encoding import DataSetEncoding, encode_tag, format_tag
from dicodec.part10.values import NUMBER_CODES
from dicodec.part10.vr import SHORT_FORM_LIMIT, VALUE_REPRESENTATIONS


def encode_element(edit: SetAttribute | SetSequence, encoding: DataSetEncoding) -> bytes:
    """Return the whole element, header and padded value; sequences have defined length.

    Raises:
        ConversionError: the value is longer than its VR allows.
    """
    if isinstance(edit, SetSequence):
        items = b"".join(_encode_item(item, encoding) for item in edit.items)
        return encode_element_header(edit.tag, "SQ", len(items), encoding) + items
    value = _encode_value(edit, encoding)
    return encode_element_header(edit.tag, edit.vr, len(value), encoding) + value


@lru_cache(maxsize=1024)  # the files of a series have the same ones
def encode_element_header(tag: int, vr: str, length: int, encoding: DataSetEncoding) -> bytes:
    """Return tag, VR and length as the encoding writes them.

    Raises:
        ConversionError: a 16-bit length field cannot state the length.
    """
    head = encode_tag(tag, encoding)
    if not encoding.explicit_vr:
        return head + struct.pack(encoding.order + "I", length)
    row = VALUE_REPRESENTATIONS.get(vr)
    if row is None or row.long_form:
        return head + vr.encode() + struct.pack(encoding.order + "HI", 0, length)
    if length > SHORT_FORM_LIMIT:
        raise ConversionError(
            f"{length} bytes are too many for the VR {vr}", attribute=format_tag(tag)
        )
    return head + vr.encode() + struct.pack(encoding.order + "H", length)


def encode_item_header(length: int, encoding: DataSetEncoding) -> bytes:
    """Return the tag and the length of an item, or of a fragment (PS3.5 7.5)."""
    return struct.pack(encoding.order + "HHI", ITEM >> 16, ITEM & 0xFFFF, length)


def _encode_value(edit: SetAttribute, encoding: DataSetEncoding) -> bytes:
    if isinstance(edit.value, bytes):
        encoded = edit.value
    elif isinstance(edit.value, str):
        encoded = edit.value.encode("latin-1")
    else:
        code = NUMBER_CODES[edit.vr]
        encoded = struct.pack(f"{encoding.order}{len(edit.value)}{code}", *edit.value)
    if len(encoded) % 2:
        row = VALUE_REPRESENTATIONS.get(edit.vr)
        encoded += row.padding if row else b"\0"
    return encoded


def _encode_item(item: Item | bytes, encoding: DataSetEncoding) -> bytes:
    if isinstance(item, bytes):
        return item
    elements = b"".join(encode_element(edit, encoding) for edit in item)
    return encode_item_header(len(elements), encoding) + elements
