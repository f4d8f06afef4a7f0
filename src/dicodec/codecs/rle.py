"""RLE Lossless (PS3.5 Annex G): each byte plane is a segment, compressed by PackBits."""

from __future__ import annotations

from collections.abc import Sequence

from dicodec import _kernels
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
from dicodec.codecs.words import fit_words, has_words, stores_words, view_samples, view_words
from dicodec.errors import UnsupportedImageError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass, replace
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.pixels import bits

TYPE_CHECKING = False  # for type checkers it is true
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
        words = self.decode_words(stream, image)
        if words is not None:
            return view_samples(words, image)
        check_decodable(image)
        segments = _find_planes(stream, image)
        if notes is not None and _is_followed(stream, image):
            notes.note_followed()
        if image.bits_allocated == 1:
            pixels = image.rows * image.columns
            packed = [_join_planes([segment], (pixels + 7) // 8, 1) for segment in segments]
            planes = [bits.unpack(plane, pixels) for plane in packed]
            return np.ascontiguousarray(np.stack(planes, axis=-1).reshape(image.shape))
        size = image.bits_allocated // 8
        joined = _join_planes(segments, image.rows * image.columns, size)
        samples = np.frombuffer(joined, f"<u{size}")
        return extract_samples(samples, image, notes).reshape(image.shape)

    def decode_words(self, stream: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return the frame's samples as words: see `WordDecoder`."""
        if not stores_words(image):
            return None
        segments = _find_planes(stream, image)
        if _is_followed(stream, image):
            return None
        words = _join_planes(segments, image.rows * image.columns, image.bits_allocated // 8)
        return words if fit_words(words, image) else None


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

    def encode(self, samples: Samples, image: ImagePixelDescription) -> Buffer:
        """Return one RLE frame: see `Encoder`."""
        frame = self.encode_words(view_words(samples), image)
        if frame is not None:
            return frame
        self.describe_encoded(image)
        bits.check_range(samples, image)
        with translate_encoding_errors("RLE"):
            if image.bits_allocated != 1:
                return _encode_image(view_words(samples), image)
            # Rows that end inside a byte cannot be told apart: all of it is one row then.
            rows = image.rows if image.columns % 8 == 0 else 1
            packed = bits.pack(samples)
            return _encode_planes(packed, rows, len(packed) // rows, 1, 1)

    def encode_words(self, words: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return one RLE frame: see `WordEncoder`."""
        if not has_words(image):
            return None
        self.describe_encoded(image)
        if not fit_words(words, image):
            return None
        with translate_encoding_errors("RLE"):
            return _encode_image(words, image)


def _encode_image(words: Buffer, image: ImagePixelDescription) -> Buffer:
    size = image.bits_allocated // 8
    return _encode_planes(words, image.rows, image.columns, image.samples_per_pixel, size)


def _encode_planes(words: Buffer, rows: int, columns: int, samples: int, size: int) -> Buffer:
    """Return the frame of an image's words, which are little endian and by pixel."""
    if _kernels.COMPILED is not None:
        frame: bytearray = _kernels.COMPILED.encode_rle(words, rows, columns, samples, size)
        return frame
    array = np.frombuffer(words, f"<u{size}").reshape(rows, columns, samples)
    planes = _split_planes(array, size)
    segments = [bytes(imagecodecs.packbits_encode(plane, axis=1)) for plane in planes]
    return headers.join_segments(segments)


def _split_planes(words: Samples, size: int) -> list[Samples]:
    """Return the byte planes in the order of the segments: most significant byte first (G.2)."""
    samples = range(words.shape[2])
    if size == 1:  # ascontiguousarray would keep odd strides of a 1x1 image
        return [words[:, :, sample].copy() for sample in samples]
    return [
        # Words that are shifted and narrowed are moved many at a time, single bytes are not.
        (words[:, :, sample] >> words.dtype.type(8 * byte)).astype(np.uint8, order="C")
        for sample in samples
        for byte in reversed(range(size))
    ]


def _find_planes(stream: Buffer, image: ImagePixelDescription) -> list[memoryview]:
    """Return the segments of an image's planes; those of 1-bit samples are packed."""
    packed = image.bits_allocated == 1
    check_length(image, len(stream), _MOST_PIXELS * (8 if packed else 1), "RLE")
    return headers.find_planes(stream, *_measure_planes(image))


def _measure_planes(image: ImagePixelDescription) -> tuple[int, int]:
    """Return the number of an image's planes, and the bytes of each."""
    pixels = image.rows * image.columns
    needed = image.samples_per_pixel * max(image.bits_allocated // 8, 1)
    return needed, (pixels + 7) // 8 if image.bits_allocated == 1 else pixels


def _is_followed(stream: Buffer, image: ImagePixelDescription) -> bool:
    return headers.begins_another(stream, *_measure_planes(image))


def _join_planes(segments: Sequence[memoryview], pixels: int, size: int) -> Buffer:
    """Decode the segments and put their bytes together, little endian and by pixel.

    Bytes after the runs that fill a plane are ignored.
    """
    if _kernels.COMPILED is not None:
        try:
            words: bytearray = _kernels.COMPILED.decode_rle(segments, pixels, size)
        except EOFError:
            for segment in segments:
                headers.find_end_of_runs(segment, pixels)  # says what is missing
            raise
        return words
    joined = np.empty((pixels, len(segments) // size, size), np.uint8)
    plane = np.empty(pixels, np.uint8)
    for index, segment in enumerate(segments):
        _unpack(segment, plane)
        joined[:, index // size, size - 1 - index % size] = plane
    return joined.reshape(-1).data


def _unpack(segment: memoryview, plane: Samples) -> None:
    """Decode one segment into `plane` by the library."""
    try:
        if len(imagecodecs.packbits_decode(segment, out=memoryview(plane))) == plane.size:
            return
    except RuntimeError:
        pass
    runs = segment[: headers.find_end_of_runs(segment, plane.size)]
    longer = bytearray(plane.size + _LONGEST_RUN)  # the last run may be longer than it should
    with translate_decoding_errors("RLE"):
        imagecodecs.packbits_decode(runs, out=longer)
    plane[:] = np.frombuffer(longer, np.uint8, plane.size)


def make_decoder(syntax: TransferSyntax) -> RleDecoder:  # noqa: ARG001
    """Return the decoder of .5."""
    return RleDecoder()


def make_encoder(syntax: TransferSyntax, settings: EncoderSettings) -> RleEncoder:  # noqa: ARG001
    """Return the encoder of .5."""
    return RleEncoder()
