"""The limits of some IODs on pixels, beyond those of transfer syntaxes, and the IODs with pixels.

PS3.3 C.8, PS3.4 B.5. The limits do not stop a conversion: the report warns of them.
"""

from __future__ import annotations

from typing import NamedTuple

from dicodec.model.image import MONOCHROME, ImagePixelDescription

_US = frozenset(
    {
        "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL_422", "YBR_PARTIAL_422",
        "YBR_PARTIAL_420", "YBR_RCT", "YBR_ICT",
    }
)  # fmt: skip
_MONOCHROME2 = frozenset({"MONOCHROME2"})
_ANY_BITS = frozenset({1, 8, 16, 32, 64})


class IodLimit(NamedTuple):
    """One IOD's enumerated values.

    Attributes:
        name: of the SOP Class.
        photometric: Photometric Interpretation.
        bits_allocated: Bits Allocated.
        section: of PS3.3.
    """

    name: str
    photometric: frozenset[str]
    bits_allocated: frozenset[int]
    section: str


_ROOT = "1.2.840.10008.5.1.4.1.1."
_ROWS = {
    "2": IodLimit("CT Image", MONOCHROME, frozenset({16}), "C.8.2.1"),
    "2.1": IodLimit("Enhanced CT Image", _MONOCHROME2, frozenset({16}), "C.8.15.2"),
    "4": IodLimit("MR Image", MONOCHROME, frozenset({16}), "C.8.3.1"),
    "4.1": IodLimit("Enhanced MR Image", _MONOCHROME2, frozenset({8, 16}), "C.8.13.1"),
    "128": IodLimit("PET Image", _MONOCHROME2, frozenset({16}), "C.8.9.4"),
    "130": IodLimit("Enhanced PET Image", _MONOCHROME2, frozenset({16}), "C.8.22.3"),
    "6.1": IodLimit("Ultrasound Image", _US, _ANY_BITS, "C.8.5.6"),
    "3.1": IodLimit("Ultrasound Multi-frame Image", _US, _ANY_BITS, "C.8.5.6"),
}
_IMAGES = frozenset(
    {
        "1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1",  # CR, DX, mammography, intra-oral
        "2", "2.1", "2.2", "4", "4.1", "4.3",  # CT, MR
        "3", "3.1", "5", "6", "6.1", "6.2", "20",  # ultrasound, nuclear medicine
        "7", "7.1", "7.2", "7.3", "7.4",  # Secondary Capture
        "12.1", "12.1.1", "12.2", "12.2.1", "12.3",  # X-ray angiography and fluoroscopy
        "13.1.1", "13.1.2", "13.1.3", "13.1.4", "13.1.5", "14.1", "14.2",  # 3D, breast, IVOCT
        "30", "66.4", "66.7", "128", "128.1", "130", "481.1",  # maps, segmentations, PET, RT Image
        "77.1.1", "77.1.2", "77.1.3", "77.1.4", "77.1.6", "77.1.7",  # visible light
        "77.1.5.1", "77.1.5.2", "77.1.5.4", "77.1.5.5", "77.1.5.6", "77.1.5.7", "77.1.5.8",
    }
)  # fmt: skip
"""SOP Classes whose instances have pixels (PS3.4 B.5, PS3.3 A)."""


def iod_departures(
    sop_class: str, source: ImagePixelDescription, result: ImagePixelDescription, target: str
) -> tuple[str, ...]:
    """Return in words the departures of a result from its IOD that the source did not have.

    Args:
        sop_class: SOP Class UID.
        source: the image before.
        result: the image after.
        target: short name of the transfer syntax; YBR_FULL of ultrasound is allowed in rle.
    """
    limit = _ROWS.get(sop_class.removeprefix(_ROOT))
    if limit is None or not sop_class.startswith(_ROOT):
        return ()
    before, after = source.photometric_interpretation, result.photometric_interpretation
    found = []
    in_rle = after == "YBR_FULL" and target == "rle"
    if after not in limit.photometric and after != before and not in_rle:
        found.append(f"Photometric Interpretation {after}")
    bits = result.bits_allocated
    if bits not in limit.bits_allocated and bits != source.bits_allocated:
        found.append(f"Bits Allocated {bits}")
    return tuple(
        f"{one} is not among the values that PS3.3 {limit.section} allows for {limit.name} Storage"
        for one in found
    )


def is_image_class(sop_class_uid: str) -> bool:
    """Whether instances of a SOP Class always have pixels."""
    return sop_class_uid.removeprefix(_ROOT) in _IMAGES and sop_class_uid.startswith(_ROOT)
