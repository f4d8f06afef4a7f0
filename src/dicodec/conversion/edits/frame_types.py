"""Have Frame Type in functional groups follow Image Type (PS3.3 C.8.16.1)."""

from __future__ import annotations

from collections.abc import Iterable

from dicodec.conversion.edits.items import edit_item, encode_items, parse_item
from dicodec.model import tags
from dicodec.model.edits import Edit, SetAttribute, SetSequence
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_vr
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.encoding import DataSetEncoding, encode_tag

_DERIVED = "DERIVED"


def make_frame_type_edits(
    data_set: DataSet, edits: Iterable[Edit], encoding: DataSetEncoding
) -> list[Edit]:
    """Return the edits that derive the frames, too, if the image becomes derived.

    Image Type holds for all frames; Frame Type for each, shared by them or frame by frame.

    Args:
        data_set: the source's.
        edits: changes made anyway; frames that are left out get none.
        encoding: of the result.

    Raises:
        MalformedFileError, TruncatedFileError: functional groups cannot be read.
    """
    changed = {edit.tag: edit for edit in edits}
    if not isinstance(changed.get(tags.IMAGE_TYPE), SetAttribute):
        return []
    found: list[Edit] = []
    for group in tags.FUNCTIONAL_GROUPS:
        before = changed.get(group)
        items = before.items if isinstance(before, SetSequence) else ()
        whole = [item for item in items if isinstance(item, bytes)]
        made = derive_groups(data_set, group, encoding, whole)
        found += [made] if made is not None else []
    return found


def derive_groups(
    data_set: DataSet,
    group: int,
    encoding: DataSetEncoding,
    items: list[bytes] | None = None,
) -> SetSequence | None:
    """Return functional groups whose frames are derived; None if nothing has to change.

    Args:
        data_set: that has them.
        group: tag of Shared or Per-Frame Functional Groups Sequence.
        encoding: of the result.
        items: the items of the result, if they are known already.
    """
    span = data_set.find(group)
    if span is None or encode_tag(tags.FRAME_TYPE, data_set.find_encoding(span)) not in (
        data_set.read_raw(span)
    ):
        return None
    before = items or encode_items(data_set, group, encoding)
    after: list[bytes] = []
    for raw in before:
        item = parse_item(raw, encoding)
        edits = _derive(item)
        after.append(edit_item(item, edits) if edits else raw)
    return SetSequence(group, tuple(after)) if after != [*before] else None


def _derive(item: DataSet) -> list[Edit]:
    """Return the edits of an item in which a Frame Type changes, at any depth."""
    edits: list[Edit] = []
    for span in item.elements:
        if span.tag == tags.FRAME_TYPE:
            first, *others = item.read_text(span.tag).split("\\")
            if first != _DERIVED:
                value = "\\".join((_DERIVED, *others))
                edits.append(SetAttribute(span.tag, "CS", value))
        elif _is_sequence(span):
            inner = [(one, _derive(one)) for one in item.read_items(span.tag)]
            if any(changes for _, changes in inner):
                items = tuple(edit_item(one, changes) for one, changes in inner)
                edits.append(SetSequence(span.tag, items))
    return edits


def _is_sequence(span: ElementSpan) -> bool:
    return span.vr == "SQ" or (not span.vr and find_vr(span.tag) == "SQ")
