"""Changes to a data set as values: decided by rules, shown in a dry run, applied by the writer."""

from __future__ import annotations

from dataclasses import dataclass

type Scalar = str | int | float
type Item = tuple[SetAttribute, ...]
type AttributeValue = bytes | Scalar | tuple[Scalar, ...] | tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class SetAttribute:
    """Give an attribute a value, whether it is there or not.

    Attributes:
        tag: 0xggggeeee.
        vr: value representation; "SQ" with items as the value.
        value: Python values, or bytes that are already encoded for the target.
    """

    tag: int
    vr: str
    value: AttributeValue


@dataclass(frozen=True, slots=True)
class RemoveAttribute:
    """Remove an attribute if it is there."""

    tag: int


type Edit = SetAttribute | RemoveAttribute
