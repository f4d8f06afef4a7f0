"""Edits that mark the result of a salvage, and describe its frames, in its attributes."""

from __future__ import annotations

from dicodec.conversion.edits.items import edit_item, encode_items, parse_item
from dicodec.errors import ConversionError, DicodecError
from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetAttribute, SetSequence
from dicodec.model.findings import Salvage
from dicodec.model.option_table import DROP
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_entry, find_keyword
from dicodec.part10.encoding import DataSetEncoding, format_tag
from dicodec.part10.values import NUMBER_CODES, parse_values
from dicodec.rules.per_frame_attributes import (
    ORDERED_ORGANIZATIONS,
    PER_FRAME,
    PerFrame,
    renumber_frames,
    select_frame_values,
)

_LONGEST_COMMENTS = 10240
"""Characters of an LT value."""


def make_salvage_edits(
    data_set: DataSet, salvage: Salvage, encoding: DataSetEncoding
) -> list[Edit]:
    """Return the edits that mark a result as salvaged, and that leave frames out of it.

    Derivation Description is not among them: it describes the whole conversion.

    Args:
        data_set: the source.
        salvage: the plan of the salvage.
        encoding: of the result.

    Raises:
        ConversionError: the data set's statements on single frames cannot surely be made of those
            that are left; or Image Comments has no room.
    """
    before = data_set.read_text(tags.IMAGE_COMMENTS)
    comments = "; ".join(filter(None, (before, salvage.text)))
    if len(comments) > _LONGEST_COMMENTS:
        raise ConversionError(
            "Image Comments has no room to say that the file is a salvaged one",
            attribute="ImageComments",
            hint='`remove_attributes=["ImageComments"]` makes room',
        )
    edits: list[Edit] = [SetAttribute(tags.IMAGE_COMMENTS, "LT", comments)]
    if salvage.mode == DROP and salvage.frames:
        edits += _leave_out_frames(data_set, salvage, encoding)
    return edits


def _leave_out_frames(data_set: DataSet, salvage: Salvage, encoding: DataSetEncoding) -> list[Edit]:
    damaged = {one.frame for one in salvage.frames}
    count = salvage.number_of_frames
    whole = [frame for frame in range(count) if frame not in damaged]
    _check_order(data_set, whole)
    edits: list[Edit] = [SetAttribute(tags.NUMBER_OF_FRAMES, "IS", str(len(whole)))]
    for span in data_set.elements:
        kind = PER_FRAME.get(span.tag)
        if kind is None or not span.length:
            continue
        if kind is PerFrame.ITEMS:
            edits += _renumber_items(data_set, span.tag, whole, encoding)
            continue
        values = _read_values(data_set, span.tag)
        left = select_frame_values(kind, values, whole, count)
        if left is None:
            raise _make_refusal(span.tag)
        if left != values:
            edits.append(_with_values(span.tag, left))
    groups = tags.PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE
    if items := encode_items(data_set, groups, encoding):
        if len(items) != count:
            raise _make_refusal(groups)
        edits.append(SetSequence(groups, tuple(items[frame] for frame in whole)))
    return edits + _renumber_overlay_origins(data_set, whole)


def _renumber_items(
    data_set: DataSet, tag: int, whole: list[int], encoding: DataSetEncoding
) -> list[Edit]:
    """Return the edits of a sequence whose items name frames: numbers follow, items may go."""
    before = encode_items(data_set, tag, encoding)
    after: list[bytes] = []
    for raw in before:
        item = parse_item(raw, encoding)
        if not item.has_value(tags.REFERENCED_FRAME_NUMBER):
            after.append(raw)
            continue
        try:
            texts = item.read_text(tags.REFERENCED_FRAME_NUMBER).split("\\")
            numbers = [int(text) for text in texts]
        except ValueError as error:
            raise _make_refusal(tag) from error
        left = renumber_frames(numbers, whole)
        if left == numbers:
            after.append(raw)
        elif left:
            value = "\\".join(map(str, left))
            after.append(edit_item(item, [SetAttribute(tags.REFERENCED_FRAME_NUMBER, "IS", value)]))
    if after == [*before]:
        return []
    return [SetSequence(tag, tuple(after)) if after else RemoveAttribute(tag)]


def _renumber_overlay_origins(data_set: DataSet, whole: list[int]) -> list[Edit]:
    """Return the numbers that frames with overlays have afterwards.

    Raises:
        ConversionError: the frame of an overlay is left out.
    """
    edits: list[Edit] = []
    for group in tags.OVERLAY_GROUPS:
        tag = group << 16 | tags.IMAGE_FRAME_ORIGIN
        origin = data_set.read_number(tag)
        if origin is None:
            continue
        left = renumber_frames([origin], whole)
        if not left:
            raise _make_refusal(tag)
        if left != [origin]:
            edits.append(SetAttribute(tag, "US", tuple(left)))
    return edits


def _check_order(data_set: DataSet, whole: list[int]) -> None:
    """Check the attributes for the order of frames.

    Raises:
        ConversionError: the frames that are left would not follow each other so.
    """
    for pointer in (tags.FRAME_INCREMENT_POINTER, tags.FRAME_DIMENSION_POINTER):
        for target in parse_values("AT", data_set.read_value(pointer) or b"", data_set.encoding):
            known = target in PER_FRAME or target == tags.PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE
            if not known:
                raise _make_refusal(int(target))
    together = whole[-1] + 1 == len(whole)
    organization = data_set.read_text(tags.DIMENSION_ORGANIZATION_TYPE)
    if organization in ORDERED_ORGANIZATIONS and not (together and organization == "3D"):
        raise _make_refusal(tags.DIMENSION_ORGANIZATION_TYPE)
    for group in tags.OVERLAY_GROUPS:
        if data_set.find(group << 16 | tags.NUMBER_OF_FRAMES_IN_OVERLAY) is not None:
            raise _make_refusal(group << 16 | tags.NUMBER_OF_FRAMES_IN_OVERLAY)


def _make_refusal(tag: int) -> ConversionError:
    return ConversionError(
        "frames cannot be left out: the value of this attribute for the others is not sure",
        attribute=find_keyword(tag) or format_tag(tag),
        hint='`salvage="fill"` keeps their places',
    )


def _read_values(data_set: DataSet, tag: int) -> list[str]:
    """Return an element's values as text; none of a sequence."""
    vr = _find_vr(tag)
    if vr not in NUMBER_CODES:
        return [] if vr == "SQ" else [one.strip() for one in data_set.read_text(tag).split("\\")]
    try:
        return [
            str(one) for one in parse_values(vr, data_set.read_value(tag) or b"", data_set.encoding)
        ]
    except DicodecError as error:
        raise _make_refusal(tag) from error


def _with_values(tag: int, values: list[str]) -> SetAttribute:
    vr = _find_vr(tag)
    if vr in NUMBER_CODES:
        return SetAttribute(tag, vr, tuple(map(int, values)))
    return SetAttribute(tag, vr, "\\".join(values))


def _find_vr(tag: int) -> str:
    entry = find_entry(tag)
    assert entry is not None, "the table names attributes of the dictionary"
    return entry.vr
