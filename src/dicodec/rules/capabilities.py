"""The images that each transfer syntax can be written with, within PS3.5: a table to show."""

from __future__ import annotations

from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import NamedTuple
from dicodec.model.transfer_syntax import TransferSyntax


class Capability(NamedTuple):
    """The images that this program can write in a transfer syntax.

    Attributes:
        photometric_interpretations: as stored.
        bits: Bits Allocated and Bits Stored of images that it takes; if samples are coded with
            fewer or more bits, the result's attributes state it.
        section: of PS3.5.
    """

    photometric_interpretations: str
    bits: str
    section: str


_MONO = "MONOCHROME1/2"
_ANY = Capability("any", "any, floating point too", "8.1, 8.2.3")
_JPEG_2000 = f"{_MONO}, PALETTE COLOR, RGB, YBR_FULL, YBR_RCT"
_JPEG_2000_BITS = "1/1, 8/1-8, 16/1-16, 32/1-25"
_LOSSY_WAVELET_BITS = "8/2-8, 16/2-16, 32/2-16"
_HTJ2K_BITS = "1/1, 8/1-8, 16/1-16, 32/1-32"

_BY_FAMILY = {
    "native": _ANY,
    "encapsulated-uncompressed": Capability("any", "1, 8, 16, 32, 64", "A.4.11"),
    "deflated-frame": Capability("any", "1, 8, 16, 32, 64", "A.4.13"),
    "rle": Capability(
        f"{_MONO}, PALETTE COLOR, RGB, YBR_FULL", "1/1, 8/1-8, 16/1-16, 32/1-32, 64/1-64", "8.2.2"
    ),
}
_BY_NAME = {
    "jpeg": Capability(f"{_MONO}, YBR_FULL_422, RGB; unsigned", "8/2-8, 16/2-8", "8.2.1"),
    "jpeg-extended": Capability(f"{_MONO}; unsigned", "8/2-8, 16/2-12", "8.2.1"),
    "jpeg-lossless": Capability(
        f"{_MONO}, PALETTE COLOR, RGB, YBR_FULL", "8/1-8, 16/1-16", "8.2.1"
    ),
    "jpeg-ls": Capability(f"{_MONO}, PALETTE COLOR, RGB, YBR_FULL", "8/1-8, 16/1-16", "8.2.3"),
    "jpeg-ls-near": Capability(f"{_MONO}, RGB, YBR_FULL", "8/2-8, 16/2-16", "8.2.3"),
    "jpeg2000-lossless": Capability(_JPEG_2000, _JPEG_2000_BITS, "8.2.4"),
    "jpeg2000": Capability(f"{_MONO}, RGB, YBR_FULL, YBR_ICT", _LOSSY_WAVELET_BITS, "8.2.4"),
    "htj2k-lossless": Capability(_JPEG_2000, _HTJ2K_BITS, "8.2.14"),
    "htj2k-rpcl": Capability(_JPEG_2000, _HTJ2K_BITS, "8.2.14, 10.18.1"),
    "htj2k": Capability(f"{_MONO}, RGB, YBR_FULL, YBR_ICT", _LOSSY_WAVELET_BITS, "8.2.14"),
    "jpegxl-lossless": Capability(f"{_MONO}, RGB", "8/1-8, 16/1-16", "8.2.15"),
    "jpegxl-jpeg": Capability(f"{_MONO}, YBR_FULL_422, RGB; unsigned", "8/8", "8.2.15"),
    "jpegxl": Capability(f"{_MONO}, RGB, XYB; unsigned", "8/2-8, 16/2-16", "8.2.15"),
}
_BY_NAME["jpeg-lossless-p14"] = _BY_NAME["jpeg-lossless"]


def find_capability(syntax: TransferSyntax) -> Capability | None:
    """Return the images that a transfer syntax can hold; None if it is not a target."""
    return _BY_NAME.get(syntax.name) or _BY_FAMILY.get(syntax.family or "")


_READ_BY_OTHERS = 28
"""Bits of HTJ2K: OpenJPEG decodes no more, so GDCM, pydicom and Orthanc do not."""


def warn_of_readers(syntax: TransferSyntax, image: ImagePixelDescription) -> list[str]:
    """Return a warning if most other readers do not take such a result.

    Args:
        syntax: of the result.
        image: as it is stored.
    """
    if syntax.family != "htj2k" or image.bits_stored <= _READ_BY_OTHERS:
        return []
    reached = f"those that use OpenJPEG end at {_READ_BY_OTHERS}"
    return [f"few readers decode {syntax.name} of {image.bits_stored} bits: {reached}"]
