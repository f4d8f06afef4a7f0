"""The limits of IODs on pixels, beyond those of transfer syntaxes: all classes of images.

PS3.3 C.8, PS3.4 B.5. The limits do not stop a conversion: the report warns of them.
"""

from __future__ import annotations

from dicodec.model.image import MONOCHROME, ImagePixelDescription
from dicodec.model.records import NamedTuple

_MONOCHROME2 = frozenset({"MONOCHROME2"})
_COLORS = frozenset({"RGB", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_RCT", "YBR_ICT", "XYB"})
_VISIBLE_LIGHT = _MONOCHROME2 | _COLORS
_ULTRASOUND = _VISIBLE_LIGHT | {"PALETTE COLOR", "YBR_PARTIAL_422"}
_OR_PALETTE = frozenset({"MONOCHROME2", "PALETTE COLOR"})
_ANY_BITS = frozenset({1, 8, 16, 32, 64})


class IodLimit(NamedTuple):
    """One IOD's enumerated values.

    Attributes:
        name: of the SOP Class.
        photometric: Photometric Interpretation.
        section: of PS3.3.
        bits_allocated: Bits Allocated.
        ybr_full_in_rle: whether RLE, and no other transfer syntax, may hold YBR_FULL.
    """

    name: str
    photometric: frozenset[str]
    section: str
    bits_allocated: frozenset[int] = _ANY_BITS
    ybr_full_in_rle: bool = False


_ROOT = "1.2.840.10008.5.1.4.1.1."
_16 = frozenset({16})
_ULTRASOUND_IMAGE = IodLimit("Ultrasound Image", _ULTRASOUND, "C.8.5.6", ybr_full_in_rle=True)
_ROWS = {
    "1": IodLimit("Computed Radiography Image", MONOCHROME, "A.2"),
    "1.1": IodLimit("Digital X-Ray Image for presentation", MONOCHROME, "C.8.11.3"),
    "1.1.1": IodLimit("Digital X-Ray Image for processing", MONOCHROME, "C.8.11.3"),
    "1.2": IodLimit("Digital Mammography Image for presentation", MONOCHROME, "C.8.11.3"),
    "1.2.1": IodLimit("Digital Mammography Image for processing", MONOCHROME, "C.8.11.3"),
    "1.3": IodLimit("Digital Intra-Oral Image for presentation", MONOCHROME, "C.8.11.3"),
    "1.3.1": IodLimit("Digital Intra-Oral Image for processing", MONOCHROME, "C.8.11.3"),
    "2": IodLimit("CT Image", MONOCHROME, "C.8.2.1", _16),
    "2.1": IodLimit("Enhanced CT Image", _MONOCHROME2, "C.8.15.2", _16),
    "2.2": IodLimit("Legacy Converted Enhanced CT Image", _MONOCHROME2, "A.70", _16),
    "3.1": _ULTRASOUND_IMAGE._replace(name="Ultrasound Multi-frame Image"),
    "4": IodLimit("MR Image", MONOCHROME, "C.8.3.1", _16),
    "4.1": IodLimit("Enhanced MR Image", _MONOCHROME2, "C.8.13.1", frozenset({8, 16})),
    "4.3": IodLimit("Enhanced MR Color Image", _COLORS, "A.36.4"),
    "4.4": IodLimit("Legacy Converted Enhanced MR Image", _MONOCHROME2, "A.71"),
    "6.1": _ULTRASOUND_IMAGE,
    "6.2": IodLimit("Enhanced US Volume", _MONOCHROME2, "A.59"),
    "7.1": IodLimit("Multi-frame Single Bit Secondary Capture Image", _MONOCHROME2, "A.8.2"),
    "7.2": IodLimit("Multi-frame Grayscale Byte Secondary Capture Image", _MONOCHROME2, "A.8.3"),
    "7.3": IodLimit("Multi-frame Grayscale Word Secondary Capture Image", _MONOCHROME2, "A.8.4"),
    "7.4": IodLimit("Multi-frame True Color Secondary Capture Image", _COLORS, "A.8.5"),
    "12.1": IodLimit("X-Ray Angiographic Image", _MONOCHROME2, "C.8.7.1"),
    "12.1.1": IodLimit("Enhanced XA Image", MONOCHROME, "A.47"),
    "12.2": IodLimit("X-Ray Radiofluoroscopic Image", _MONOCHROME2, "C.8.7.1"),
    "12.2.1": IodLimit("Enhanced XRF Image", MONOCHROME, "A.48"),
    "13.1.1": IodLimit("X-Ray 3D Angiographic Image", _MONOCHROME2, "A.53"),
    "13.1.2": IodLimit("X-Ray 3D Craniofacial Image", _MONOCHROME2, "A.54"),
    "13.1.3": IodLimit("Breast Tomosynthesis Image", _MONOCHROME2, "A.55"),
    "13.1.4": IodLimit("Breast Projection X-Ray Image for presentation", MONOCHROME, "A.74"),
    "13.1.5": IodLimit("Breast Projection X-Ray Image for processing", MONOCHROME, "A.74"),
    "14.1": IodLimit("Intravascular OCT Image for presentation", _MONOCHROME2, "A.66"),
    "14.2": IodLimit("Intravascular OCT Image for processing", _MONOCHROME2, "A.66"),
    "20": IodLimit("Nuclear Medicine Image", _OR_PALETTE, "A.5"),
    "30": IodLimit("Parametric Map", _MONOCHROME2, "A.75"),
    "66.4": IodLimit("Segmentation", _MONOCHROME2, "A.51"),
    "66.7": IodLimit("Label Map Segmentation", _OR_PALETTE, "A.51"),
    "77.1.1": IodLimit("VL Endoscopic Image", _VISIBLE_LIGHT, "C.8.12.1"),
    "77.1.2": IodLimit("VL Microscopic Image", _VISIBLE_LIGHT, "C.8.12.1"),
    "77.1.3": IodLimit("VL Slide-Coordinates Microscopic Image", _VISIBLE_LIGHT, "C.8.12.1"),
    "77.1.4": IodLimit("VL Photographic Image", _VISIBLE_LIGHT, "C.8.12.1"),
    "77.1.5.1": IodLimit("Ophthalmic Photography 8 Bit Image", _VISIBLE_LIGHT, "A.41"),
    "77.1.5.2": IodLimit("Ophthalmic Photography 16 Bit Image", _VISIBLE_LIGHT, "A.42"),
    "77.1.5.4": IodLimit("Ophthalmic Tomography Image", _MONOCHROME2, "A.52"),
    "77.1.5.5": IodLimit("Wide Field Ophthalmic Stereographic Image", _VISIBLE_LIGHT, "A.76"),
    "77.1.5.6": IodLimit("Wide Field Ophthalmic 3D Coordinates Image", _VISIBLE_LIGHT, "A.77"),
    "77.1.5.7": IodLimit("Ophthalmic OCT En Face Image", _OR_PALETTE, "A.83"),
    "77.1.5.8": IodLimit("Ophthalmic OCT B-scan Volume Analysis", _MONOCHROME2, "A.84"),
    "77.1.6": IodLimit("VL Whole Slide Microscopy Image", _VISIBLE_LIGHT, "A.32.8"),
    "77.1.7": IodLimit("Dermoscopic Photography Image", _VISIBLE_LIGHT, "A.32.11"),
    "77.1.8": IodLimit("Confocal Microscopy Image", _VISIBLE_LIGHT, "A.32.13"),
    "77.1.9": IodLimit("Confocal Microscopy Tiled Pyramidal Image", _VISIBLE_LIGHT, "A.32.14"),
    "128": IodLimit("PET Image", _MONOCHROME2, "C.8.9.4", _16),
    "128.1": IodLimit("Legacy Converted Enhanced PET Image", _MONOCHROME2, "A.72", _16),
    "130": IodLimit("Enhanced PET Image", _MONOCHROME2, "C.8.22.3", _16),
    "481.1": IodLimit("RT Image", _MONOCHROME2, "A.17"),
    "481.2": IodLimit("RT Dose", _MONOCHROME2, "A.18"),
}
"""By the end of the SOP Class UID. Secondary Capture (7) takes what C.7.6.3 has."""

_IMAGES = (_ROWS.keys() - {"481.2"}) | {"3", "5", "6", "7", "12.3"}
"""SOP Classes whose instances have pixels (PS3.4 B.5, PS3.3 A); an RT Dose may have none."""


def is_allowed(sop_class: str, image: ImagePixelDescription, target: str) -> bool:
    """Whether an IOD has an image's Photometric Interpretation.

    Args:
        sop_class: SOP Class UID; of classes that are not in the table all is allowed.
        image: as it is stored.
        target: short name of the transfer syntax.
    """
    limit = _find_limit(sop_class)
    return limit is None or _allows(limit, image, target)


def find_iod_departures(
    sop_class: str,
    source: ImagePixelDescription,
    result: ImagePixelDescription,
    syntaxes: tuple[str, str],
) -> tuple[str, ...]:
    """Return in words the departures of a result from its IOD that the source did not have.

    Args:
        sop_class: SOP Class UID.
        source: the image before.
        result: the image after.
        syntaxes: short names of the transfer syntaxes before and after.
    """
    limit = _find_limit(sop_class)
    if limit is None:
        return ()
    before, after = source.photometric_interpretation, result.photometric_interpretation
    found = []
    new = after != before or _allows(limit, source, syntaxes[0])
    if new and not _allows(limit, result, syntaxes[1]):
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


def _allows(limit: IodLimit, image: ImagePixelDescription, target: str) -> bool:
    color = image.photometric_interpretation
    in_rle = limit.ybr_full_in_rle and (color, target) == ("YBR_FULL", "rle")
    return in_rle or color in limit.photometric


def _find_limit(sop_class: str) -> IodLimit | None:
    if not sop_class.startswith(_ROOT):
        return None
    return _ROWS.get(sop_class.removeprefix(_ROOT))
