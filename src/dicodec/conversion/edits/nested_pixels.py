"""Pixel Data inside sequences, such as icons: never left encapsulated where that is not true.

The transfer syntax of a file is that of nested Pixel Data too (PS3.5 A.4), which may also be
native. So where the outer frames are stored anew, nested ones that are encapsulated become native.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Container

from dicodec.codecs.table import decoder_for
from dicodec.errors import DicodecError, ReadError
from dicodec.model import tags
from dicodec.model.edits import Edit, SetSequence
from dicodec.model.findings import Oddity
from dicodec.model.limits import Limits
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.part10.data_set import DataSet
from dicodec.part10.edit_bytes import item_header
from dicodec.part10.elements import Walker, walk_elements, walk_items
from dicodec.part10.encoding import DataSetEncoding, tag_bytes, tag_text
from dicodec.part10.fragments import assign_fragments
from dicodec.part10.image_attributes import image_description, image_pixel_values
from dicodec.part10.pixel_writer import NativeWriter
from dicodec.part10.reencode import reencode_elements
from dicodec.part10.source import BytesSource
from dicodec.part10.writer import ElementWriter, reencoding_context
from dicodec.rules.claimed_sizes import check_decoded_size
from dicodec.rules.image_edits import image_edits, native_vr


def nested_pixel_edits(
    data_set: DataSet,
    syntax: TransferSyntax,
    encoding: DataSetEncoding,
    left_out: Container[int] = (),
) -> list[Edit]:
    """Return the edits that make nested encapsulated Pixel Data native.

    Args:
        data_set: the source's top level.
        syntax: of the source.
        encoding: of the result.
        left_out: tags of elements that the result does not have.

    Raises:
        ReadError: nested Pixel Data cannot be decoded; the sequence is named.
    """
    edits: list[Edit] = []
    for span in data_set.elements:
        if span.vr not in {"SQ", ""} or span.length < 8 or span.tag in left_out:
            continue
        if span.tag in _PIXEL_DATA or (span.vr == "" and not span.undefined):
            continue
        source_encoding = data_set.encoding_of(span)
        raw = data_set.raw(span)
        if tag_bytes(tags.PIXEL_DATA, source_encoding) not in raw:
            continue
        try:
            items = _native_items(raw, source_encoding, syntax, data_set.limits)
        except DicodecError as error:
            raise ReadError(
                f"nested Pixel Data cannot be made native: {error.message}",
                attribute=tag_text(span.tag),
                hint=f'`remove_attributes=["{tag_text(span.tag)}"]` leaves it out',
            ) from error
        if items is not None:
            element = _sequence(raw, items, source_encoding)
            edits.append(
                SetSequence(span.tag, encoded_items(element, source_encoding, encoding, data_set))
            )
    return edits


_PIXEL_DATA = frozenset({tags.PIXEL_DATA, tags.FLOAT_PIXEL_DATA, tags.DOUBLE_FLOAT_PIXEL_DATA})


def encoded_items(
    raw: bytes, source: DataSetEncoding, target: DataSetEncoding, data_set: DataSet
) -> tuple[bytes, ...]:
    """Return the items of a sequence, each whole, in another encoding.

    Args:
        raw: the whole sequence element.
        source: its encoding.
        target: the encoding of the result.
        data_set: the top level around it.
    """
    raw = reencode_elements(raw, source, target, reencoding_context(data_set))
    sequence = BytesSource(raw)
    (span,) = walk_elements(sequence, 0, len(raw), target)
    return tuple(raw[item.start : item.end] for item in walk_items(sequence, span, target))


def _sequence(raw: bytes, items: list[bytes], encoding: DataSetEncoding) -> bytes:
    """Return a sequence element of defined length with the tag of another."""
    content = b"".join(items)
    length = struct.pack(encoding.order + "I", len(content))
    head = raw[:4] + (b"SQ\0\0" if encoding.explicit_vr else b"")
    return head + length + content


def _native_items(
    raw: bytes, encoding: DataSetEncoding, syntax: TransferSyntax, limits: Limits
) -> list[bytes] | None:
    """Return a sequence's items with native Pixel Data; None where they have it already."""
    source = BytesSource(raw)
    (span,) = walk_elements(source, 0, len(raw), encoding, limits=limits)
    if span.length == 0:
        return None
    items: list[bytes] = []
    changed = False
    for item in walk_items(source, span, encoding, limits=limits):
        content = raw[item.value : item.value + item.length]
        native = _native_item(content, encoding, syntax, limits)
        changed = changed or native is not None
        content = content if native is None else native
        items.append(item_header(len(content), encoding) + content)
    return items if changed else None


def _native_item(
    content: bytes, encoding: DataSetEncoding, syntax: TransferSyntax, limits: Limits
) -> bytes | None:
    """Return an item's elements with native Pixel Data; None where nothing has to change."""
    source = BytesSource(content)
    walker = Walker(source, limits)
    data_set = DataSet(source, encoding, list(walker.elements(0, len(content), encoding)), limits)
    edits: list[Edit] = []
    for span in data_set.elements:
        if span.vr == "SQ" and span.length:
            items = _native_items(data_set.raw(span), encoding, syntax, limits)
            if items is not None:
                edits.append(SetSequence(span.tag, tuple(items)))
    pixel_data = data_set.find(tags.PIXEL_DATA)
    if pixel_data is not None and pixel_data.undefined:
        return _with_native_pixels(data_set, walker, syntax, edits)
    if not edits:
        return None
    out = io.BytesIO()
    writer = ElementWriter(data_set, encoding, edits)
    writer.write_before_pixel_data(out)
    if pixel_data is not None:
        out.write(data_set.raw(pixel_data))
    writer.write_after_pixel_data(out)
    return out.getvalue()


def _with_native_pixels(
    data_set: DataSet,
    walker: Walker,
    syntax: TransferSyntax,
    edits: list[Edit],
) -> bytes:
    from dicodec.codecs.native import NativeEncoder  # NumPy comes along

    oddities: list[Oddity] = []
    stated = image_description(data_set, tags.PIXEL_DATA, oddities)
    frames = assign_fragments(
        data_set.source,
        walker.fragment_starts,
        walker.fragment_lengths,
        stated.number_of_frames,
        syntax.fragments_per_frame,
        None,
    )
    decoder = decoder_for(syntax)
    check_decoded_size(stated, frames.total_length(), data_set.limits)
    decoded = decoder.decoded_description(decoder.describe(frames.read(data_set.source, 0)), stated)
    encoder = NativeEncoder()
    result = encoder.encoded_description(decoded)
    value = b"".join(
        encoder.encode(decoder.decode(frames.read(data_set.source, frame), stated), decoded)
        for frame in range(stated.number_of_frames)
    )
    out = io.BytesIO()
    edits = [*edits, *image_edits(image_pixel_values(data_set), result)]
    writer = ElementWriter(data_set, data_set.encoding, edits)
    writer.write_before_pixel_data(out)
    pixels = NativeWriter(
        out, tags.PIXEL_DATA, native_vr(result, ""), len(value), data_set.encoding
    )
    pixels.write(value)
    pixels.finish()
    writer.write_after_pixel_data(out)
    return out.getvalue()
