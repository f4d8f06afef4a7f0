"""Mirror tables of gray levels for samples that are inverted (PS3.3 C.11.2)."""

from __future__ import annotations

import struct

from dicodec.conversion.edits.items import edit_item, encode_items, parse_item
from dicodec.conversion.planning.conversion_plan import PixelPlan
from dicodec.conversion.planning.gray_and_color import read_gray_attributes, read_table
from dicodec.model import tags
from dicodec.model.edits import Edit, SetAttribute, SetSequence
from dicodec.model.image import MONOCHROME
from dicodec.part10.data_set import DataSet
from dicodec.part10.encoding import DataSetEncoding
from dicodec.rules.photometric_edits import (
    LookUpTable,
    mirror_table,
)


def make_mirrored_table_edits(
    data_set: DataSet, pixels: PixelPlan, encoding: DataSetEncoding
) -> tuple[Edit, ...]:
    """Return the edit of VOI LUT Sequence if stored values are inverted; none if they are not.

    Args:
        data_set: the source's.
        pixels: the plan of the frames.
        encoding: of the result.
    """
    inverts = [one for one in pixels.steps if {one.source, one.target} == MONOCHROME]
    if not inverts or not data_set.has_value(tags.VOI_LUT_SEQUENCE):
        return ()
    image = pixels.decoded
    gray = read_gray_attributes(data_set)
    items = []
    for raw in encode_items(data_set, tags.VOI_LUT_SEQUENCE, encoding):
        item = parse_item(raw, encoding)
        table = mirror_table(read_table(item, image), gray, image)
        items.append(edit_item(item, _make_edits(item, table)))
    return (SetSequence(tags.VOI_LUT_SEQUENCE, tuple(items)),)


def _make_edits(item: DataSet, table: LookUpTable) -> tuple[Edit, ...]:
    order, count = item.encoding.order, len(table.entries)
    descriptor, data = item.find(tags.LUT_DESCRIPTOR), item.find(tags.LUT_DATA)
    assert descriptor is not None
    assert data is not None
    vr = "SS" if table.first < 0 else descriptor.vr or "US"
    numbers = (count & 0xFFFF, table.first & 0xFFFF, table.bits)
    words = table.entries
    if data.length < 2 * count:  # two entries of 8 bits in a word, the first one in its lower half
        packed = bytes(table.entries) + b"\0" * (count % 2)
        words = struct.unpack(f"<{len(packed) // 2}H", packed)
    if data.vr in {"OB", "UN"}:  # bytes in pairs, in any byte order
        order = "<"
    return (
        SetAttribute(tags.LUT_DESCRIPTOR, vr, struct.pack(f"{item.encoding.order}3H", *numbers)),
        SetAttribute(tags.LUT_DATA, data.vr or "OW", struct.pack(f"{order}{len(words)}H", *words)),
    )
