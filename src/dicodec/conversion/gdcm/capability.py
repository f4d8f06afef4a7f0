"""The conversions that GDCM can do, and its known faults: tables, measured with GDCM 3.2.6.

A fault stands here when GDCM reports success and the result is wrong, or when it ends its process.
Its own refusals are left to it. Every row has its test in tests/gdcm_engine.
"""

from __future__ import annotations

from collections.abc import Callable

from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import dataclass
from dicodec.model.transfer_syntax import TransferSyntax

GDCM_SOURCES = frozenset(
    {
        "implicit-le", "explicit-le", "explicit-be", "deflated", "ge-private", "papyrus",
        "rle", "jpeg", "jpeg-extended", "jpeg-lossless-p14", "jpeg-lossless",
        "jpeg-ls", "jpeg-ls-near", "jpeg2000-lossless", "jpeg2000",
        "htj2k-lossless", "htj2k-rpcl", "htj2k",
    }
)  # fmt: skip
"""Short names of the transfer syntaxes that GDCM reads."""

GDCM_TARGETS: dict[str, frozenset[str]] = {
    "implicit-le": frozenset(),
    "explicit-le": frozenset(),
    "explicit-be": frozenset(),
    "deflated": frozenset(),
    "rle": frozenset(),
    "jpeg": frozenset({"quality"}),
    "jpeg-extended": frozenset({"quality"}),
    "jpeg-lossless-p14": frozenset(),
    "jpeg-lossless": frozenset(),
    "jpeg-ls": frozenset(),
    "jpeg-ls-near": frozenset({"near"}),
    "jpeg2000-lossless": frozenset(),
    "jpeg2000": frozenset({"ratio", "psnr"}),
}
"""Short names of the transfer syntaxes that GDCM writes, each with the settings it heeds."""


@dataclass(frozen=True, slots=True)
class GdcmFault:
    """One thing that GDCM gets wrong.

    Attributes:
        syntaxes: short names of the source or target it happens with.
        applies: the images it happens to.
        what: the fault, to follow "GDCM".
        lossy_only: it happens only if samples may change.
    """

    syntaxes: frozenset[str]
    applies: Callable[[ImagePixelDescription], bool]
    what: str
    lossy_only: bool = False


_JPEG_DCT = frozenset({"jpeg", "jpeg-extended"})
_JPEG_LS = frozenset({"jpeg-ls", "jpeg-ls-near"})
_JPEG_2000 = frozenset({"jpeg2000-lossless", "jpeg2000"})
_COMPRESSED = frozenset(GDCM_TARGETS) - {"implicit-le", "explicit-le", "explicit-be", "deflated"}

READING_FAULTS = (
    GdcmFault(
        frozenset({"rle"}),
        lambda image: image.samples_per_pixel > 1 and image.bits_allocated > 8,
        "mixes up the bytes of RLE color images of more than 8 bits",
    ),
    GdcmFault(
        frozenset({"rle", "deflated"}),
        lambda image: image.bits_allocated == 32 and image.bits_stored < 32,
        "clears bits of 32-bit samples that store fewer bits",
    ),
    GdcmFault(
        frozenset({"explicit-be"}),
        lambda image: image.bits_allocated == 32,
        "swaps the halves of 32-bit samples in big endian",
    ),
    GdcmFault(
        frozenset({"deflated"}) | _COMPRESSED - _JPEG_2000,
        lambda image: image.bits_allocated == 8 and image.bits_stored < 8,
        "aborts if fewer than 8 bits are stored",
    ),
    GdcmFault(
        _COMPRESSED - _JPEG_2000,
        lambda image: image.bits_allocated == 1,
        "aborts on compressed 1-bit pixels",
    ),
)

WRITING_FAULTS = (
    GdcmFault(
        frozenset({"explicit-be"}),
        lambda image: image.bits_allocated == 32,
        "swaps the halves of 32-bit samples in big endian",
    ),
    GdcmFault(
        _COMPRESSED,
        lambda image: image.bits_allocated == 1,
        "refuses or aborts on 1-bit pixels",
    ),
    GdcmFault(
        _JPEG_DCT,
        lambda image: image.samples_per_pixel > 1,
        "writes subsampled YCbCr and leaves Photometric Interpretation as it was",
    ),
    GdcmFault(_JPEG_DCT, lambda image: image.signed, "wraps negative samples"),
    GdcmFault(
        _JPEG_DCT,
        lambda image: image.bits_allocated > 8,
        "writes JPEG of 12 bits with a precision of 16, which no other decoder takes",
    ),
    GdcmFault(
        _JPEG_DCT | _JPEG_LS,
        lambda image: image.bits_allocated == 8 and image.bits_stored < 8,
        "aborts on fewer than 8 bits stored",
    ),
    GdcmFault(
        _JPEG_LS | _JPEG_2000,
        lambda image: image.bits_allocated > 16,
        "writes images of more than 16 bits that no decoder reads",
    ),
    GdcmFault(
        _JPEG_LS | _JPEG_2000,
        lambda image: image.bits_stored < image.bits_allocated,
        "codes the bits above Bits Stored too, so that errors pass the largest value",
        lossy_only=True,
    ),
    GdcmFault(
        _JPEG_LS,
        lambda image: image.signed,
        "codes signed samples as unsigned, so that an error turns the smallest into the largest",
        lossy_only=True,
    ),
    GdcmFault(
        _JPEG_2000,
        lambda image: (
            min(image.rows, image.columns) < 2
            or image.samples_per_frame * image.bits_allocated < 8 * 1024
        ),
        "gives JPEG 2000 no more room than the samples take, and overruns it on small images",
    ),
)


def find_reason_against(
    source: TransferSyntax,
    target: TransferSyntax,
    image: ImagePixelDescription | None,
    *,
    lossless: bool,
) -> str | None:
    """Say why GDCM must not be given a conversion; None if nothing is known against it.

    Args:
        source: the transfer syntax to read.
        target: the transfer syntax to write.
        image: the source's pixels; None for a data set without any.
        lossless: the target is to hold the samples unchanged.
    """
    if source.name not in GDCM_SOURCES:
        return f"GDCM does not read {source.name}"
    if target.name not in GDCM_TARGETS:
        return f"GDCM does not write {target.name}"
    if image is None:
        return None
    for side, faults in ((source, READING_FAULTS), (target, WRITING_FAULTS)):
        for fault in faults:
            met = side.name in fault.syntaxes and not (lossless and fault.lossy_only)
            if met and fault.applies(image):
                return f"GDCM {fault.what}"
    return None
