"""What the IODs of some SOP Classes ask of pixels, beyond what transfer syntaxes hold (PS3.3 C.8).

Conversions are not stopped by these: who asks for something else gets it, and is told.
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


def iod_departures(
    sop_class: str, source: ImagePixelDescription, result: ImagePixelDescription, target: str
) -> tuple[str, ...]:
    """Return in words what a result has that its IOD does not allow, and the source had not.

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
        f"{one} is not among what PS3.3 {limit.section} has for {limit.name} Storage"
        for one in found
    )
