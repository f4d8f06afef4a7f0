"""What the result of a salvage says of itself, and of its frames, in its attributes."""

from __future__ import annotations

from dicodec.conversion.edits.nested_pixels import encoded_items
from dicodec.errors import ConversionError, DicodecError
from dicodec.model import tags
from dicodec.model.edits import Edit, SetAttribute, SetSequence
from dicodec.model.option_table import DROP
from dicodec.model.overlays import OVERLAY_GROUPS
from dicodec.model.salvage import Salvage
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import entry_of, keyword_of
from dicodec.part10.encoding import DataSetEncoding, tag_text
from dicodec.part10.values import NUMBER_CODES, parse_values
from dicodec.rules.per_frame_attributes import (
    ORDERED_ORGANIZATIONS,
    OVERLAY_FRAMES,
    PER_FRAME,
    values_of_frames,
)

_LONGEST_COMMENTS = 10240
"""Characters of an LT value."""

_DIMENSION_ORGANIZATION_TYPE = 0x00209311


def salvage_edits(data_set: DataSet, salvage: Salvage, encoding: DataSetEncoding) -> list[Edit]:
    """Return the edits that mark a result as salvaged, and that leave frames out of it.

    Derivation Description is not among them: what else was done is told there, too.

    Args:
        data_set: the source.
        salvage: what becomes of it.
        encoding: of the result.

    Raises:
        ConversionError: what the data set says of single frames cannot surely be said of those
            that are left; or Image Comments has no room.
    """
    before = data_set.text(tags.IMAGE_COMMENTS)
    comments = "; ".join(filter(None, (before, salvage.text)))
    if len(comments) > _LONGEST_COMMENTS:
        raise ConversionError(
            "Image Comments has no room to say that the file is a salvaged one",
            attribute="ImageComments",
            hint='`remove_attributes=["ImageComments"]` makes room',
        )
    edits: list[Edit] = [SetAttribute(tags.IMAGE_COMMENTS, "LT", comments)]
    if salvage.mode == DROP and salvage.frames:
        edits += _without_frames(data_set, salvage, encoding)
    return edits


def _without_frames(data_set: DataSet, salvage: Salvage, encoding: DataSetEncoding) -> list[Edit]:
    damaged = {one.frame for one in salvage.frames}
    count = salvage.number_of_frames
    whole = [frame for frame in range(count) if frame not in damaged]
    _check_order(data_set, whole)
    edits: list[Edit] = [SetAttribute(tags.NUMBER_OF_FRAMES, "IS", str(len(whole)))]
    for span in data_set.elements:
        kind = PER_FRAME.get(span.tag)
        if kind is None or not span.length:
            continue
        values = _values(data_set, span.tag)
        left = values_of_frames(kind, values, whole, count)
        if left is None:
            raise _refusal(span.tag)
        if left != values:
            edits.append(_with_values(span.tag, left))
    groups = data_set.find(tags.PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE)
    if groups is not None and groups.length:
        items = encoded_items(
            data_set.raw(groups), data_set.encoding_of(groups), encoding, data_set
        )
        if len(items) != count:
            raise _refusal(groups.tag)
        edits.append(SetSequence(groups.tag, tuple(items[frame] for frame in whole)))
    return edits


def _check_order(data_set: DataSet, whole: list[int]) -> None:
    """Check what says how frames follow each other.

    Raises:
        ConversionError: the frames that are left would not follow each other so.
    """
    pointer = data_set.value(tags.FRAME_INCREMENT_POINTER)
    if pointer:
        for target in parse_values("AT", pointer, data_set.encoding):
            known = target in PER_FRAME or target == tags.PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE
            if not known:
                raise _refusal(int(target))
    together = whole[-1] + 1 == len(whole)
    organization = data_set.text(_DIMENSION_ORGANIZATION_TYPE)
    if organization in ORDERED_ORGANIZATIONS and not (together and organization == "3D"):
        raise _refusal(_DIMENSION_ORGANIZATION_TYPE)
    for group in OVERLAY_GROUPS:
        if data_set.find(group << 16 | OVERLAY_FRAMES) is not None:
            raise _refusal(group << 16 | OVERLAY_FRAMES)


def _refusal(tag: int) -> ConversionError:
    return ConversionError(
        "frames cannot be left out: it is not sure what this attribute would say of the others",
        attribute=keyword_of(tag) or tag_text(tag),
        hint='`salvage="fill"` keeps their places',
    )


def _values(data_set: DataSet, tag: int) -> list[str]:
    """Return an element's values as text; none of a sequence."""
    vr = _vr(tag)
    if vr not in NUMBER_CODES:
        return [] if vr == "SQ" else [one.strip() for one in data_set.text(tag).split("\\")]
    try:
        return [str(one) for one in parse_values(vr, data_set.value(tag) or b"", data_set.encoding)]
    except DicodecError as error:
        raise _refusal(tag) from error


def _with_values(tag: int, values: list[str]) -> SetAttribute:
    vr = _vr(tag)
    if vr in NUMBER_CODES:
        return SetAttribute(tag, vr, tuple(map(int, values)))
    return SetAttribute(tag, vr, "\\".join(values))


def _vr(tag: int) -> str:
    entry = entry_of(tag)
    assert entry is not None, "the table names attributes of the dictionary"
    return entry.vr
