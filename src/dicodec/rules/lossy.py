"""The record of lossy compression (PS3.3 C.7.6.1.1.5), as edits."""

from __future__ import annotations

from collections.abc import Sequence

from dicodec.model import tags
from dicodec.model.edits import Edit, Item, SetAttribute, SetSequence
from dicodec.model.records import NamedTuple

RATIO_LENGTH = 16
"""Characters of a DS value; the room that is reserved for a ratio not yet known."""

_LONGEST_DESCRIPTION = 1024
"""Characters of an ST value."""

RATIO_TO_FOLLOW = " " * RATIO_LENGTH

STREAM_METHODS = {
    "jpeg": "ISO_10918_1",
    "jpeg-ls": "ISO_14495_1",
    "jpeg2000": "ISO_15444_1",
    "htj2k": "ISO_15444_15",
    "jpegxl": "ISO_18181_1",
}
"""Lossy Image Compression Method by the kind of a stream, under any transfer syntax."""


VIDEO_METHODS = frozenset({"ISO_13818_2", "ISO_14496_10", "ISO_23008_2"})
"""The other values that PS3.3 C.7.6.1.1.5.1 defines."""

_PARTS_OF_JPEG_2000 = frozenset({"ISO_15444_1", "ISO_15444_2", "ISO_15444_15"})
"""Files name one of them for another."""


def is_same_method(one: str, other: str) -> bool:
    """Whether two values of Lossy Image Compression Method name the same compression."""
    return one == other or {one, other} <= _PARTS_OF_JPEG_2000


def is_defined_method(method: str) -> bool:
    """Whether the standard defines a value of Lossy Image Compression Method."""
    return method in STREAM_METHODS.values() or method in VIDEO_METHODS


def format_ratio(native_size: int, encoded_size: int) -> str:
    """Return a measured compression ratio as a DS value, padded to the room reserved for it.

    PS3.3 C.7.6.1.1.5.2: the ratio is approximate; four decimals are more than it means.
    """
    ratio = native_size / max(encoded_size, 1)
    return f"{ratio:.4f}"[:RATIO_LENGTH].ljust(RATIO_LENGTH)


def append_compression(
    methods: Sequence[str], ratios: Sequence[str], method: str, ratio: str
) -> tuple[list[str], list[str]]:
    """Return methods and ratios with one more of each, the n-th of one with the n-th of the other.

    If a file has fewer ratios than methods, or the reverse, the shorter list is filled with
    empty values.
    """
    length = max(len(methods), len(ratios))
    return (
        [*methods, *[""] * (length - len(methods)), method],
        [*ratios, *[""] * (length - len(ratios)), ratio],
    )


def record_compression(
    method: str, earlier_methods: Sequence[str], earlier_ratios: Sequence[str], ratio: str
) -> tuple[Edit, ...]:
    """Record one more lossy compression; earlier records stay (C.7.6.1.1.5.2)."""
    return record_history(*append_compression(earlier_methods, earlier_ratios, method, ratio))


def record_history(methods: Sequence[str], ratios: Sequence[str]) -> tuple[Edit, ...]:
    """Record all lossy compressions of an image, the first one first.

    Methods are left out if none has a name.
    """
    edits: list[Edit] = [
        SetAttribute(tags.LOSSY_IMAGE_COMPRESSION, "CS", "01"),
        SetAttribute(tags.LOSSY_IMAGE_COMPRESSION_RATIO, "DS", "\\".join(ratios)),
    ]
    if any(methods):
        edits.append(SetAttribute(tags.LOSSY_IMAGE_COMPRESSION_METHOD, "CS", "\\".join(methods)))
    return tuple(edits)


DICOM_SCHEME = "DCM"
"""Coding Scheme Designator of DICOM's own terminology."""


class Derivation(NamedTuple):
    """How an image came to be from another, as codes of DICOM's own terminology (PS3.16 D).

    Attributes:
        code: value and meaning for Derivation Code Sequence; None if no code fits.
        purpose: value and meaning of the purpose of the reference to the other image.
    """

    code: tuple[str, str] | None
    purpose: tuple[str, str]


LOSSY_COMPRESSION = Derivation(
    ("113040", "Lossy Compression"), ("121320", "Uncompressed predecessor")
)
PROCESSING = Derivation(None, ("121322", "Source image for image processing operation"))


class Identity(NamedTuple):
    """Attributes that identify an image.

    Attributes:
        image_type: Image Type.
        derivation_description: Derivation Description.
        class_uid: SOP Class UID.
        instance_uid: SOP Instance UID.
    """

    image_type: str
    derivation_description: str
    class_uid: str
    instance_uid: str

    @property
    def reference(self) -> Item:
        """The item that refers to the image (PS3.3 table 10-11)."""
        return (
            SetAttribute(tags.REFERENCED_SOP_CLASS_UID, "UI", self.class_uid),
            SetAttribute(tags.REFERENCED_SOP_INSTANCE_UID, "UI", self.instance_uid),
        )


def derive_image(
    source: Identity,
    description: str,
    new_instance_uid: str | None,
    derivation: Derivation = LOSSY_COMPRESSION,
    earlier_codes: tuple[bytes, ...] = (),
    earlier_sources: tuple[bytes, ...] = (),
    listed: tuple[Item | bytes, ...] = (),
) -> tuple[Edit, ...]:
    """Say that the image is derived from another one (C.7.6.1.1.3, C.12.4).

    Args:
        source: the image this one is made from; value 1 of its type becomes DERIVED.
        description: of the derivation, for people; appended if there is room.
        new_instance_uid: SOP Instance UID of the result; None keeps the old one, and then no
            reference is made, because an image cannot be derived from itself. None is made either
            if the source has no UID to refer to.
        derivation: the codes of the derivation.
        earlier_codes: items of Derivation Code Sequence that are kept, encoded for the target.
        earlier_sources: items of Source Image Sequence that are kept, encoded for the target.
        listed: items of Referenced Series Sequence that list the source too; none if references
            need not be listed by series.
    """
    values = source.image_type.split("\\") if source.image_type else ["DERIVED", "PRIMARY"]
    values[0] = "DERIVED"
    joined = "; ".join(text for text in (source.derivation_description, description) if text)
    if len(joined) > _LONGEST_DESCRIPTION:  # cutting could cut a character of several bytes
        joined = source.derivation_description
    edits: list[Edit] = [
        SetAttribute(tags.IMAGE_TYPE, "CS", "\\".join(values)),
        SetAttribute(tags.DERIVATION_DESCRIPTION, "ST", joined),
    ]
    if derivation.code is not None:
        codes: tuple[Item | bytes, ...] = (*earlier_codes, _make_code(*derivation.code))
        edits.append(SetSequence(tags.DERIVATION_CODE_SEQUENCE, codes))
    if new_instance_uid is None:
        return tuple(edits)
    edits.append(SetAttribute(tags.SOP_INSTANCE_UID, "UI", new_instance_uid))
    if source.class_uid and source.instance_uid:
        purpose = SetSequence(
            tags.PURPOSE_OF_REFERENCE_CODE_SEQUENCE, (_make_code(*derivation.purpose),)
        )
        sources: tuple[Item | bytes, ...] = (*earlier_sources, (*source.reference, purpose))
        edits.append(SetSequence(tags.SOURCE_IMAGE_SEQUENCE, sources))
        if listed:
            edits.append(SetSequence(tags.REFERENCED_SERIES_SEQUENCE, listed))
    return tuple(edits)


def _make_code(value: str, meaning: str) -> Item:
    return (
        SetAttribute(tags.CODE_VALUE, "SH", value),
        SetAttribute(tags.CODING_SCHEME_DESIGNATOR, "SH", DICOM_SCHEME),
        SetAttribute(tags.CODE_MEANING, "LO", meaning),
    )
