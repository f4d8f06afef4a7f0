"""RLE Lossless (PS3.5 Annex G): each byte plane is a segment, compressed by PackBits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dicodec.codecs.base import Buffer, Samples
from dicodec.codecs.checks import (
    check_decodable,
    check_length,
    describe_plain,
    translate_decoding_errors,
    translate_encoding_errors,
)
from dicodec.codecs.native import extract_samples
from dicodec.codecs.sample_notes import SampleNotes
from dicodec.codecs.streams import rle as headers
from dicodec.errors import (
    TruncatedFrameError,
    UnsupportedImageError,
)
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass, replace
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.pixels import bits

if TYPE_CHECKING:
    import imagecodecs
    import numpy as np
else:
    imagecodecs = import_late("imagecodecs")
    np = import_late("numpy")

_PHOTOMETRIC = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL"})
_LONGEST_RUN = 128
_MOST_PIXELS = 64
"""Of a byte, with 8 bits a pixel: two bytes make a run of 128 (G.3.1)."""


@dataclass(frozen=True, slots=True)
class RleDecoder:
    """Reads RLE frames; 1-bit samples come packed, in one segment."""

    def describe(self, stream: Buffer) -> StreamDescription:
        """Describe the stream by its RLE header: see `Decoder`."""
        return headers.describe(stream)

    def describe_decoded(
        self,
        stream: StreamDescription,  # noqa: ARG002
        image: ImagePixelDescription,
    ) -> ImagePixelDescription:
        """Describe the samples that `decode` returns: see `Decoder`.

        A segment holds a whole plane, so chroma has all its columns, even if 4:2:2 is claimed.
        """
        return describe_plain(image)

    def decode(
        self, stream: Buffer, image: ImagePixelDescription, notes: SampleNotes | None = None
    ) -> Samples:
        """Return the frame's samples: see `Decoder`."""
        check_decodable(image)
        most = _MOST_PIXELS * (8 if image.bits_allocated == 1 else 1)
        check_length(image, len(stream), most, "RLE")
        size = max(image.bits_allocated // 8, 1)
        needed = size * image.samples_per_pixel
        pixels = image.rows * image.columns
        plane_size = (pixels + 7) // 8 if image.bits_allocated == 1 else pixels
        segments = headers.find_planes(stream, needed, plane_size)
        if image.bits_allocated == 1:
            packed = np.empty((image.samples_per_pixel, plane_size), np.uint8)
            for plane, segment in zip(packed, segments, strict=True):
                _unpack(segment, plane)
            planes = [bits.unpack(plane.tobytes(), pixels) for plane in packed]
            return np.ascontiguousarray(np.stack(planes, axis=-1).reshape(image.shape))
        if len(segments) == 1:
            words = np.empty(pixels, np.uint8)
            _unpack(segments[0], words)
        else:
            words = _interleave(segments, pixels, image.samples_per_pixel, size)
        return extract_samples(words, image, notes).reshape(image.shape)


@dataclass(frozen=True, slots=True)
class RleEncoder:
    """Writes RLE frames; runs end with the row (G.3.1), segments are of even length."""

    def describe_encoded(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Describe the image as it will be stored: see `Encoder`."""
        if image.floating:
            raise UnsupportedImageError("RLE cannot hold floating point pixels")
        if image.photometric_interpretation not in _PHOTOMETRIC:
            raise UnsupportedImageError(
                f"RLE cannot hold Photometric Interpretation {image.photometric_interpretation}",
                attribute="PhotometricInterpretation",
            )
        planes = image.samples_per_pixel * max(image.bits_allocated // 8, 1)
        if image.bits_allocated not in {1, 8, 16, 32, 64} or planes > headers.MAX_SEGMENTS:
            raise UnsupportedImageError(
                f"RLE holds {headers.MAX_SEGMENTS} byte planes at most, Bits Allocated "
                f"{image.bits_allocated} with {image.samples_per_pixel} samples needs {planes}",
                attribute="BitsAllocated",
            )
        if image.samples_per_pixel > 1 and (image.signed or image.bits_allocated == 1):
            raise UnsupportedImageError("RLE cannot hold signed or 1-bit samples of color")
        return replace(image, planar_configuration=0, high_bit=image.bits_stored - 1)

    def encode(self, samples: Samples, image: ImagePixelDescription) -> bytes:
        """Return one RLE frame: see `Encoder`."""
        self.describe_encoded(image)
        bits.check_range(samples, image)
        with translate_encoding_errors("RLE"):
            segments = [
                bytes(imagecodecs.packbits_encode(plane, axis=1))
                for plane in _split_planes(samples, image)
            ]
        return headers.join_segments(segments)


def _split_planes(samples: Samples, image: ImagePixelDescription) -> list[Samples]:
    """Return the byte planes in the order of the segments: most significant byte first (G.2)."""
    if image.bits_allocated == 1:
        packed = np.frombuffer(bits.pack(samples), np.uint8)
        # Rows that end inside a byte cannot be told apart: all of it is one row then.
        rows = image.rows if image.columns % 8 == 0 else 1
        return [packed.reshape(rows, -1)]
    size = samples.dtype.itemsize
    words = samples.view(f"<u{size}").reshape(image.rows, image.columns, -1)
    if size == 1:  # ascontiguousarray would keep odd strides of a 1x1 image
        return [words[:, :, sample].copy() for sample in range(image.samples_per_pixel)]
    return [
        # Words that are shifted and narrowed are moved many at a time, single bytes are not.
        (words[:, :, sample] >> words.dtype.type(8 * byte)).astype(np.uint8, order="C")
        for sample in range(image.samples_per_pixel)
        for byte in reversed(range(size))
    ]


def _interleave(segments: Sequence[memoryview], pixels: int, samples: int, size: int) -> Samples:
    """Decode the segments and put their bytes together, little endian and by pixel."""
    words = np.empty((pixels, samples, size), np.uint8)
    plane = np.empty(pixels, np.uint8)
    for index, segment in enumerate(segments):
        _unpack(segment, plane)
        words[:, index // size, size - 1 - index % size] = plane
    return words.reshape(-1).view(f"<u{size}")


def _unpack(segment: memoryview, plane: Samples) -> None:
    """Decode one segment into `plane`; bytes after the runs that fill it are ignored."""
    try:
        count = len(imagecodecs.packbits_decode(segment, out=memoryview(plane)))
    except RuntimeError:
        count = plane.size
        runs = segment[: headers.find_end_of_runs(segment, plane.size)]
        longer = bytearray(plane.size + _LONGEST_RUN)  # the last run may be longer than it should
        with translate_decoding_errors("RLE"):
            imagecodecs.packbits_decode(runs, out=longer)
        plane[:] = np.frombuffer(longer, np.uint8, plane.size)
    if count < plane.size:
        raise TruncatedFrameError(f"an RLE segment holds {count} of {plane.size} bytes")


def make_decoder(syntax: TransferSyntax) -> RleDecoder:  # noqa: ARG001
    """Return the decoder of .5."""
    return RleDecoder()


def make_encoder(syntax: TransferSyntax, settings: EncoderSettings) -> RleEncoder:  # noqa: ARG001
    """Return the encoder of .5."""
    return RleEncoder()
