"""Changes to a data set as values: decided by rules, shown in a dry run, applied by the writer."""

from __future__ import annotations

from dicodec.model.records import dataclass


@dataclass(frozen=True, slots=True)
class SetAttribute:
    """Give an attribute a value, whether it is there or not.

    Attributes:
        tag: 0xggggeeee.
        vr: value representation, any but SQ.
        value: text as DataSet.text returns it, one character a byte, values joined by backslashes;
            numbers; or bytes that are already encoded for the target, unpadded.
    """

    tag: int
    vr: str
    value: bytes | str | tuple[int | float, ...]


@dataclass(frozen=True, slots=True)
class SetSequence:
    """Give a sequence its items, whether it is there or not.

    Attributes:
        tag: 0xggggeeee.
        items: each a tuple of edits, or the bytes of a whole item, encoded for the target.
    """

    tag: int
    items: tuple[Item | bytes, ...]


@dataclass(frozen=True, slots=True)
class RemoveAttribute:
    """Remove an attribute if it is there."""

    tag: int


type Item = tuple[SetAttribute | SetSequence, ...]
type Edit = SetAttribute | SetSequence | RemoveAttribute
