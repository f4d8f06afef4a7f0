"""SOP Classes whose instances have pixels (PS3.4 B.5, PS3.3 A)."""

from __future__ import annotations

_ROOT = "1.2.840.10008.5.1.4.1.1."
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


def is_image_class(sop_class_uid: str) -> bool:
    """Whether instances of a SOP Class always have pixels."""
    return sop_class_uid.removeprefix(_ROOT) in _IMAGES and sop_class_uid.startswith(_ROOT)
