"""References to other instances, by Referenced SOP Instance UID: find them, and map them to others.

PS3.3 10.3, 10.8, C.12.4 and many more: in all of them the same attribute names the instance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from dicodec.conversion.edits.items import edit_item, encode_items, is_sequence, parse_item
from dicodec.errors import DicodecError
from dicodec.model import tags
from dicodec.model.edits import Edit, SetAttribute, SetSequence
from dicodec.part10.data_set import DataSet
from dicodec.part10.directory_records import ReferencedFile
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.encoding import EXPLICIT_LITTLE, DataSetEncoding, encode_tag


def find_references(data_set: DataSet) -> frozenset[str]:
    """Return the UIDs of all instances that a data set refers to, at any depth.

    Sequences that cannot be read refer to nothing.
    """
    found: set[str] = set()
    for span in _find_referring(data_set):
        try:
            found.update(_list_references(data_set, span))
        except DicodecError:
            continue
    return frozenset(found)


def map_references(
    data_set: DataSet, uids: Mapping[str, str], encoding: DataSetEncoding
) -> list[Edit]:
    """Return the edits that have references lead to other instances.

    An instance is never made to refer to itself: the one it was derived from stays its source.

    Args:
        data_set: the top level.
        uids: new SOP Instance UIDs by old ones.
        encoding: of the result.

    Raises:
        MalformedFileError, TruncatedFileError: a sequence cannot be read.
    """
    own = data_set.read_text(tags.SOP_INSTANCE_UID)
    others = {old: new for old, new in uids.items() if new != own}
    edits: list[Edit] = []
    for span in _find_referring(data_set):
        items = encode_items(data_set, span.tag, encoding)
        mapped = tuple(_map_item(item, others, encoding) for item in items)
        if mapped != items:
            edits.append(SetSequence(span.tag, mapped))
    return edits


def map_records(
    data_set: DataSet,
    records: Iterable[ReferencedFile],
    uids: Mapping[str, str],
    encoding: DataSetEncoding,
) -> list[Edit]:
    """Return the edits that have the records of a DICOMDIR state the facts of their files.

    Args:
        data_set: of the DICOMDIR.
        records: those that change, with the facts they have to state.
        uids: new SOP Instance UIDs by old ones; references within records follow.
        encoding: of the result.

    Raises:
        MalformedFileError, TruncatedFileError: the records cannot be read.
    """
    stated = {one.record: one for one in records}
    items = encode_items(data_set, tags.DIRECTORY_RECORD_SEQUENCE, encoding)
    mapped = tuple(
        _state_facts(_map_item(item, uids, encoding), stated.get(number), encoding)
        for number, item in enumerate(items)
    )
    return [] if mapped == items else [SetSequence(tags.DIRECTORY_RECORD_SEQUENCE, mapped)]


def _state_facts(raw: bytes, right: ReferencedFile | None, encoding: DataSetEncoding) -> bytes:
    if right is None:
        return raw
    facts = {
        tags.REFERENCED_SOP_INSTANCE_UID_IN_FILE: right.instance_uid,
        tags.REFERENCED_TRANSFER_SYNTAX_UID_IN_FILE: right.syntax_uid,
    }
    edits = [SetAttribute(tag, "UI", uid) for tag, uid in facts.items() if uid]
    return edit_item(parse_item(raw, encoding), edits)


def _find_referring(data_set: DataSet) -> Iterator[ElementSpan]:
    """Yield the sequences of the top level that may refer to an instance."""
    for span in data_set.elements:
        if is_sequence(span) and span.length:
            encodings = (data_set.find_encoding(span), EXPLICIT_LITTLE)  # as in UN
            raw = data_set.read_raw(span)
            if any(encode_tag(tags.REFERENCED_SOP_INSTANCE_UID, one) in raw for one in encodings):
                yield span


def _list_references(data_set: DataSet, span: ElementSpan) -> Iterator[str]:
    for item in data_set.read_items(span.tag):
        for inner in item.elements:
            if inner.tag == tags.REFERENCED_SOP_INSTANCE_UID:
                yield item.read_text(inner.tag)
            elif is_sequence(inner):
                yield from _list_references(item, inner)


def _map_item(raw: bytes, uids: Mapping[str, str], encoding: DataSetEncoding) -> bytes:
    item = parse_item(raw, encoding)
    edits: list[Edit] = []
    for span in item.elements:
        if span.tag == tags.REFERENCED_SOP_INSTANCE_UID:
            if (new := uids.get(item.read_text(span.tag))) is not None:
                edits.append(SetAttribute(span.tag, "UI", new))
        elif is_sequence(span) and span.length:
            items = encode_items(item, span.tag, encoding)
            mapped = tuple(_map_item(one, uids, encoding) for one in items)
            if mapped != items:
                edits.append(SetSequence(span.tag, mapped))
    return edit_item(item, edits) if edits else raw
