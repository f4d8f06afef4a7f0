"""Bookkeeping of lossy compression (PS3.3 C.7.6.1.1.5) as edits."""

from __future__ import annotations

from collections.abc import Sequence

from dicodec.model import tags
from dicodec.model.edits import Edit, Item, SetAttribute, SetSequence

RATIO_LENGTH = 16
"""Characters of a DS value; the room that is reserved for a ratio not yet known."""

_LONGEST_DESCRIPTION = 1024
"""Characters of an ST value."""

RATIO_TO_FOLLOW = " " * RATIO_LENGTH


def ratio_text(native_size: int, encoded_size: int) -> str:
    """Return a measured compression ratio as a DS value, padded to the room reserved for it.

    PS3.3 C.7.6.1.1.5.2: the ratio is approximate; four decimals are more than it means.
    """
    ratio = native_size / max(encoded_size, 1)
    return f"{ratio:.4f}"[:RATIO_LENGTH].ljust(RATIO_LENGTH)


def record_compression(
    method: str, earlier_methods: Sequence[str], earlier_ratios: Sequence[str], ratio: str
) -> tuple[Edit, ...]:
    """Record one more lossy compression; what was recorded before stays (C.7.6.1.1.5.2).

    Ratios and methods are kept in step: where a file has fewer ratios than methods, or the
    reverse, the shorter list is filled with empty values.
    """
    length = max(len(earlier_methods), len(earlier_ratios))
    methods = [*earlier_methods, *[""] * (length - len(earlier_methods)), method]
    ratios = [*earlier_ratios, *[""] * (length - len(earlier_ratios)), ratio]
    return (
        SetAttribute(tags.LOSSY_IMAGE_COMPRESSION, "CS", "01"),
        SetAttribute(tags.LOSSY_IMAGE_COMPRESSION_RATIO, "DS", "\\".join(ratios)),
        SetAttribute(tags.LOSSY_IMAGE_COMPRESSION_METHOD, "CS", "\\".join(methods)),
    )


def derived_image(
    image_type: str,
    derivation_description: str,
    description: str,
    source_class_uid: str,
    source_instance_uid: str,
    new_instance_uid: str | None,
    earlier_sources: tuple[bytes, ...] = (),
) -> tuple[Edit, ...]:
    """Say that the image is derived from another one by lossy compression (C.7.6.1.1.3, C.12.4).

    Args:
        image_type: Image Type as it is; value 1 becomes DERIVED.
        derivation_description: Derivation Description as it is; the new one is appended where
            there is room.
        description: what was done, for people.
        source_class_uid: SOP Class UID of the image this one is made from.
        source_instance_uid: its SOP Instance UID.
        new_instance_uid: SOP Instance UID of the result; None keeps the old one, and then no
            reference is made, as an image cannot be derived from itself.
        earlier_sources: items of Source Image Sequence that are kept, encoded for the target.
    """
    values = image_type.split("\\") if image_type else ["DERIVED", "PRIMARY"]
    values[0] = "DERIVED"
    joined = "; ".join(text for text in (derivation_description, description) if text)
    if len(joined) > _LONGEST_DESCRIPTION:  # cutting could cut a character of several bytes
        joined = derivation_description
    edits: list[Edit] = [
        SetAttribute(tags.IMAGE_TYPE, "CS", "\\".join(values)),
        SetAttribute(tags.DERIVATION_DESCRIPTION, "ST", joined),
        SetSequence(tags.DERIVATION_CODE_SEQUENCE, (_code("113040", "Lossy Compression"),)),
    ]
    if new_instance_uid is not None:
        source: Item = (
            SetAttribute(tags.REFERENCED_SOP_CLASS_UID, "UI", source_class_uid),
            SetAttribute(tags.REFERENCED_SOP_INSTANCE_UID, "UI", source_instance_uid),
            SetSequence(
                tags.PURPOSE_OF_REFERENCE_CODE_SEQUENCE,
                (_code("121320", "Uncompressed predecessor"),),
            ),
        )
        edits += [
            SetAttribute(tags.SOP_INSTANCE_UID, "UI", new_instance_uid),
            SetSequence(tags.SOURCE_IMAGE_SEQUENCE, (*earlier_sources, source)),
        ]
    return tuple(edits)


def _code(value: str, meaning: str) -> Item:
    return (
        SetAttribute(tags.CODE_VALUE, "SH", value),
        SetAttribute(tags.CODING_SCHEME_DESIGNATOR, "SH", "DCM"),
        SetAttribute(tags.CODE_MEANING, "LO", meaning),
    )
