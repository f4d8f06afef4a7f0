"""Expectations of a conversion: which images each transfer syntax holds, and how exactly.

An account of its own of PS3.5 section 8, independent of the refusals of our encoders.
"""

from __future__ import annotations

from dicodec.conformance.made_files import ImageKind

MONO = {"MONOCHROME1", "MONOCHROME2"}

NATIVE = ("implicit-le", "explicit-le", "explicit-be", "deflated")
FRAMED = ("encapsulated-uncompressed", "deflated-frame")
ANY = (*NATIVE, *FRAMED)
LOSSLESS = (
    *ANY, "rle", "jpeg-lossless-p14", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless",
    "jpegxl-lossless", "htj2k-lossless", "htj2k-rpcl",
)  # fmt: skip
LOSSY = ("jpeg", "jpeg-extended", "jpeg-ls-near", "jpeg2000", "jpegxl", "htj2k")
ALL = (*LOSSLESS, *LOSSY, "jpegxl-jpeg")

LOWEST_PSNR = {
    "jpeg": 28.0,
    "jpeg-extended": 28.0,
    "jpeg2000": 38.0,
    "htj2k": 38.0,
    "jpegxl": 28.0,
    "jpegxl-jpeg": 28.0,
}
"""Decibels below which no image of the matrix may fall at the default settings."""

NEAR = 2
"""Largest error of a sample that jpeg-ls-near makes at its default."""


def holds(syntax: str, kind: ImageKind) -> bool:
    """Whether a transfer syntax can hold an image of a kind, converted by default settings.

    PALETTE COLOR becomes RGB where it has to.
    """
    mono = kind.photometric in MONO
    eight = kind.bits_allocated == 8
    to_sixteen = kind.bits_allocated in {8, 16}
    rows = {
        **dict.fromkeys(ANY, True),
        "rle": True,
        "jpeg-lossless": to_sixteen,
        "jpeg-lossless-p14": to_sixteen,
        "jpeg-ls": to_sixteen,
        "jpeg2000-lossless": kind.bits_allocated <= 16,
        "htj2k-lossless": True,
        "htj2k-rpcl": True,
        "jpegxl-lossless": to_sixteen and kind.photometric != "YBR_FULL",
        "jpeg": eight and not kind.signed,
        "jpegxl-jpeg": False,  # from JPEG only
        "jpeg-extended": mono
        and not kind.signed
        and (eight or kind.bits_stored <= 12)
        and to_sixteen,
        # Signed samples of the whole range: an error could wrap the largest to the smallest.
        "jpeg-ls-near": to_sixteen and not kind.signed,
        "jpeg2000": to_sixteen,
        "htj2k": to_sixteen,
        "jpegxl": to_sixteen and not kind.signed,
    }
    return rows[syntax]
