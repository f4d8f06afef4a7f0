"""Native Pixel Data whose value is moved as it is, at most in another byte order."""

from __future__ import annotations

from dicodec.model import tags
from dicodec.model.records import NamedTuple
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.part10.dicom_file import DicomFile
from dicodec.rules.image_edits import choose_native_vr, choose_swap_unit

_BYTE = 8
_MOST_BITS = 64


class MovedValue(NamedTuple):
    """How a value is written that is moved.

    Attributes:
        vr: of Pixel Data in the result.
        swap_unit: bytes whose order changes; 1 for none.
    """

    vr: str
    swap_unit: int


def plan_moved_value(file: DicomFile, target: TransferSyntax) -> MovedValue | None:
    """Return how native Pixel Data is written in another native transfer syntax.

    None if its byte order changes and nothing tells the size of its samples.

    Args:
        file: the source.
        target: the transfer syntax of the result.
    """
    span, image = file.frames.span, file.frames.description
    swapped = file.syntax.pixels_little_endian != target.pixels_little_endian
    if image is None:
        if not swapped or not span.length:
            return MovedValue(span.vr or "OW", 1)
        size = find_unread_sample_size(file)
        return MovedValue("OW", size) if size else None
    # Without VRs Pixel Data is OW (PS3.5 A.1), which tells in big endian.
    stated_vr = span.vr or ("" if file.syntax.pixels_little_endian else "OW")
    unit = choose_swap_unit(image, stated_vr) if swapped else 1
    return MovedValue(choose_native_vr(image, stated_vr), unit)


def find_unread_sample_size(file: DicomFile) -> int | None:
    """Return the bytes of a sample of a size that nothing here reads, such as 24 or 40 bits."""
    bits = file.data_set.read_number(tags.BITS_ALLOCATED) or 0
    return bits // 8 if _BYTE < bits <= _MOST_BITS and bits % _BYTE == 0 else None


def warn_of_wide_samples(bits: int) -> str:
    """Return the warning of samples whose byte order readers disagree on.

    PS3.5 7.3 swaps OW by 16-bit word.
    """
    return (
        f"big endian samples of {bits} bits are taken with their most significant byte first; "
        "some readers exchange 16-bit words only"
    )
