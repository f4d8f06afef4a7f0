"""Repack JPEG as JPEG XL and back, bit by bit (ISO/IEC 18181-2 Annex B; PS3.5 8.2.15)."""

from __future__ import annotations

from dicodec.codecs.base import Buffer, Samples
from dicodec.codecs.checks import translate_encoding_errors
from dicodec.codecs.jpeg import JpegDecoder
from dicodec.codecs.streams import jpeg as jpeg_headers
from dicodec.codecs.streams import jpegxl as headers
from dicodec.codecs.streams.boxes import walk_boxes
from dicodec.codecs.streams.jpeg_markers import walk
from dicodec.errors import (
    CorruptFrameError,
    EncodeError,
    TruncatedFrameError,
    UnsupportedImageError,
)
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import replace
from dicodec.model.stream import StreamDescription

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import imagecodecs
    import numpy as np
else:
    imagecodecs = import_late("imagecodecs")
    np = import_late("numpy")

COLOR_TOLERANCE = 8
"""Levels by which the means of 8 x 8 pixels may differ, on average, between the two decoders.

libjxl dequantizes and interpolates otherwise than libjpeg: single samples were off by up to 169
levels, the means of blocks by 2.4 on average at most (noise, checks, smooth colors; quality 1 to
100). Components taken for other colors are off by tens.
"""
_BLOCK = 8

_APPLIED = {0xE1: b"Exif\0\0", 0xE2: b"ICC_PROFILE\0"}
"""Signatures, by APPn marker, of the segments that libjxl applies: orientation, color profile.

They do not count in DICOM, which has attributes for both, and JPEG decoders ignore them.
"""
_OVERLOOKED = b"_"
"""First byte of a signature that libjxl does not know, in place of one that it does."""

_HOLDABLE = frozenset({"YBR_FULL", "YBR_FULL_422", "RGB"})
_WAY_OUT = "jpegxl-lossless holds its decoded samples, jpeg the stream as it is"

_BROTLI_LEVEL = 6  # of 0 to 11


def repack_jpeg(stream: Buffer, image: ImagePixelDescription) -> bytes:
    """Return a JPEG stream as JPEG XL (.111) from which the same bytes can be rebuilt.

    Decoders of JPEG XL and of JPEG show the same: orientation and ICC profile that the JPEG stream
    carries are kept among its bytes, but not in the boxes that a decoder applies. Junk before the
    SOI marker and padding behind the EOI marker are left out.

    Args:
        stream: of one frame.
        image: as the stream is coded; Photometric Interpretation says whether it is YCbCr.

    Raises:
        TruncatedFrameError, CorruptFrameError: the JPEG stream is damaged.
        UnsupportedImageError: JPEG XL does not hold such a JPEG stream.
        EncodeError: the stream cannot be repacked, would not come back bit by bit, or would be
            shown otherwise.
    """
    description, whole = jpeg_headers.check_whole(stream)
    check_repackable(description, image)
    original = bytes(whole)
    disguised, applied = _disguise(original)
    with translate_encoding_errors("JPEG XL"):
        packed = bytes(imagecodecs.jpegxl_encode_jpeg(disguised, numthreads=1))
        if applied:
            packed = _undisguise(packed, applied)
        again = bytes(imagecodecs.jpegxl_decode_jpeg(packed, numthreads=1))
    if again != original:
        raise EncodeError("the JPEG stream would not come back bit by bit from JPEG XL")
    _check_shown(packed, original, image)
    return packed


def unpack_jpeg(stream: Buffer) -> bytes:
    """Return the JPEG stream that was repacked as JPEG XL (.111), bit by bit.

    Raises:
        TruncatedFrameError: the stream ends too early.
        CorruptFrameError: it holds no JPEG stream, or one that cannot be rebuilt.
    """
    if not headers.can_rebuild_jpeg(stream):
        raise CorruptFrameError("the JPEG XL stream holds no JPEG reconstruction data")
    try:
        original = bytes(imagecodecs.jpegxl_decode_jpeg(stream, numthreads=1))
    except Exception as cause:  # the library's errors have no common base
        raise explain_refusal(cause) from cause
    jpeg_headers.check_whole(original)
    return original


def explain_refusal(cause: Exception) -> CorruptFrameError | TruncatedFrameError:
    """Return an error that explains why libjxl refused a stream."""
    if "NEED_MORE_INPUT" in str(cause):
        return TruncatedFrameError("the JPEG XL stream ends too early")
    return CorruptFrameError(f"the JPEG XL stream cannot be decoded: {cause}")


def check_repackable(stream: StreamDescription, image: ImagePixelDescription) -> None:
    """Check that JPEG XL holds such a JPEG stream.

    Args:
        stream: the JPEG stream's description.
        image: as it is coded.

    Raises:
        UnsupportedImageError: it cannot.
    """
    if stream.process != "baseline sequential DCT":
        raise UnsupportedImageError(
            f"jpegxl-jpeg holds JPEG baseline streams only, and this is {stream.process}",
            hint="jpegxl-lossless takes other sources; or convert to jpeg first",
        )
    across, down = (max(factors) for factors in zip(*stream.subsampling, strict=True))
    if any(
        across not in {columns, 2 * columns} or down not in {rows, 2 * rows}
        for columns, rows in stream.subsampling
    ):
        factors = ", ".join(f"{columns}x{rows}" for columns, rows in stream.subsampling)
        raise UnsupportedImageError(
            "JPEG XL holds chroma of all or of half the columns and rows, and the JPEG stream's "
            f"sampling factors are {factors}",
            hint=_WAY_OUT,
        )
    if stream.components == 3 and image.photometric_interpretation not in _HOLDABLE:
        raise UnsupportedImageError(
            f"JPEG repacked as JPEG XL cannot hold {image.photometric_interpretation}: decoders "
            "would show other colors",
            attribute="PhotometricInterpretation",
            hint=_WAY_OUT,
        )


def _disguise(original: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return a JPEG stream in which libjxl finds nothing to apply, of the same length.

    Returns:
        The stream, and of each segment that was changed its bytes in it and in the original.
    """
    stream = bytearray(original)
    applied = []
    for segment in walk(original, 0):
        signature = _APPLIED.get(segment.marker)
        if signature and original.startswith(signature, segment.start, segment.end):
            stream[segment.start : segment.start + 1] = _OVERLOOKED
            place = slice(segment.start, segment.end)
            applied.append((bytes(stream[place]), original[place]))
    return bytes(stream), applied


def _undisguise(packed: bytes, applied: list[tuple[bytes, bytes]]) -> bytes:
    """Return a JPEG XL container whose JPEG has the segments of the original again.

    libjxl keeps segments that it does not know, in the part of the reconstruction box that is
    compressed with Brotli (18181-2 B.2), behind bit fields of any length.

    Raises:
        EncodeError: they are not found there.
    """
    box = next(box for box in walk_boxes(packed) if box.kind == b"jbrd")
    for start in range(box.start, box.end):
        try:
            kept = bytes(imagecodecs.brotli_decode(packed[start : box.end]))
        except imagecodecs.BrotliError:
            continue
        if all(disguised in kept for disguised, _ in applied):
            for disguised, segment in applied:
                kept = kept.replace(disguised, segment)
            body = packed[box.start : start] + bytes(imagecodecs.brotli_encode(kept, _BROTLI_LEVEL))
            head = (len(body) + 8).to_bytes(4) + b"jbrd"
            return packed[: box.start - 8] + head + body + packed[box.end :]
    raise EncodeError(
        "orientation or ICC profile of the JPEG stream would be applied by decoders of JPEG XL",
        hint=_WAY_OUT,
    )


def _check_shown(packed: bytes, original: bytes, image: ImagePixelDescription) -> None:
    """Check that decoders of JPEG XL show the image that decoders of JPEG do.

    Raises:
        EncodeError: they do not.
    """
    shown = headers.describe(packed)
    color = image.samples_per_pixel == 3
    ycbcr = color and image.photometric_interpretation != "RGB"
    expected = JpegDecoder(to_rgb=ycbcr).decode(original, replace(image, pixel_representation=0))
    with translate_encoding_errors("JPEG XL"):
        found = np.asarray(imagecodecs.jpegxl_decode(packed, 0, numthreads=1))
    if found.ndim == 3 and found.shape[2] == 1:
        found = found[:, :, 0]
    if shown.component_transform != ycbcr or found.shape != expected.shape:
        raise EncodeError(
            "decoders of JPEG XL would take the JPEG stream for "
            f"{'YCbCr' if shown.component_transform else 'RGB or gray'} of "
            f"{'x'.join(map(str, found.shape))} samples, and it is "
            f"{image.photometric_interpretation} of {'x'.join(map(str, expected.shape))}",
            hint=_WAY_OUT,
        )
    if (difference := _measure_color_difference(expected, found)) > COLOR_TOLERANCE:
        raise EncodeError(
            f"decoders of JPEG XL would show other colors than the JPEG stream's, {difference:.0f} "
            "levels off on average",
            hint=_WAY_OUT,
        )


def _measure_color_difference(expected: Samples, found: Samples) -> float:
    """Return by how many levels the means of blocks differ on average."""
    sums = expected.astype(np.int32) - found
    for axis in (0, 1):
        sums = np.add.reduceat(sums, np.arange(0, sums.shape[axis], _BLOCK), axis)
    return float(np.abs(sums).sum() / expected.size)
