"""Native frames (PS3.5 8.1): plain samples, packed bits, any byte and planar order."""

from __future__ import annotations

from dicodec.codecs.base import Buffer, Samples
from dicodec.codecs.checks import check_decodable, describe_plain
from dicodec.codecs.sample_notes import SampleNotes
from dicodec.codecs.subsampled import is_subsampled, subsample, upsample
from dicodec.codecs.words import (
    fit_words,
    has_words,
    stores_words,
    swap_words,
    view_samples,
    view_words,
)
from dicodec.errors import (
    FrameMismatchError,
    TruncatedFrameError,
    UnsupportedImageError,
    UnsupportedSourceError,
)
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import WITH_ALL_CHROMA, YBR_PARTIAL, ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass, replace
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.pixels import bits

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import numpy as np
else:
    np = import_late("numpy")


def extract_samples(
    words: Samples, image: ImagePixelDescription, notes: SampleNotes | None = None
) -> Samples:
    """Return the samples that containers of Bits Allocated hold, given as unsigned words.

    The lowest of the sample's bits stands at High Bit + 1 - Bits Stored; bits above High Bit are
    dropped, and replaced by the sign if there is one.

    Raises:
        FrameMismatchError: bits below the sample are set, and no overlay is said to lie there.
    """
    if image.floating:
        return words.view(image.dtype)
    shift = image.high_bit + 1 - image.bits_stored
    if shift > 0:
        below = (1 << shift) - 1 & ~image.overlay_bits
        if below and (words & words.dtype.type(below)).any():
            raise FrameMismatchError(
                f"High Bit {image.high_bit} and Bits Stored {image.bits_stored} leave out bits at "
                "the low end that are set",
                attribute="HighBit",
                hint="a conversion that only moves its words keeps all bits as they are",
            )
        words = words >> words.dtype.type(shift)
    if notes is not None and image.bits_stored < 8 * words.itemsize:
        overlays = image.overlay_bits >> shift
        if count := bits.count_words_with_more(
            words, image.bits_stored, overlays, signed=image.signed
        ):
            notes.note_masked(count)
    if image.signed:
        return bits.extend_sign(words, image.bits_stored, image.dtype)
    if image.bits_stored < 8 * words.itemsize:
        words = words & words.dtype.type((1 << image.bits_stored) - 1)
    return words


def describe_samples(image: ImagePixelDescription) -> ImagePixelDescription:
    """Describe a native frame's samples once decoded.

    Raises:
        UnsupportedSourceError: PS3.3 gives no native order of samples for the Photometric
            Interpretation.
    """
    if image.photometric_interpretation == "YBR_PARTIAL_420":
        raise UnsupportedSourceError(
            "native YBR_PARTIAL_420 has no defined order of samples",
            attribute="PhotometricInterpretation",
        )
    return describe_plain(image)


@dataclass(frozen=True, slots=True)
class NativeDecoder:
    """Reads native frames.

    Attributes:
        big_endian: byte order of the samples. Bytes of OW that big endian exchanges within words
            are put right by the reader of the element.
        first_bit: for 1-bit samples, the bit of the first byte at which the frame begins.
    """

    big_endian: bool = False
    first_bit: int = 0

    def describe(self, stream: Buffer) -> StreamDescription:  # noqa: ARG002
        """Describe the stream as native samples, which say nothing about themselves."""
        return StreamDescription(kind="native", process="uncompressed", lossless=True)

    def describe_decoded(
        self,
        stream: StreamDescription,  # noqa: ARG002
        image: ImagePixelDescription,
    ) -> ImagePixelDescription:
        """Describe the samples that `decode` returns: see `Decoder`."""
        return describe_samples(image)

    def decode(
        self, stream: Buffer, image: ImagePixelDescription, notes: SampleNotes | None = None
    ) -> Samples:
        """Return the frame's samples; a view of `stream` if nothing has to change."""
        plain = self.decode_words(stream, image)
        if plain is not None:
            return view_samples(plain, image)
        check_decodable(image)
        describe_samples(image)
        first_bit = self.first_bit if image.bits_allocated == 1 else 0
        needed = (first_bit + image.native_frame_bits + 7) // 8
        if (length := len(stream)) < needed:
            raise TruncatedFrameError(f"the frame has {length} of the {needed} bytes that it needs")
        if length >= 2 * needed and notes is not None:
            notes.note_followed()
        if image.high_bit >= max(image.bits_allocated, 1) or image.high_bit < image.bits_stored - 1:
            raise FrameMismatchError(
                f"High Bit {image.high_bit} contradicts Bits Allocated {image.bits_allocated} and "
                f"Bits Stored {image.bits_stored}",
                attribute="HighBit",
            )
        if image.bits_allocated == 1:
            samples = bits.unpack(stream, image.samples_per_frame, first_bit)
            return _order_by_pixel(samples, image)
        size = image.bits_allocated // 8
        words = np.frombuffer(
            stream,
            f"{'>' if self.big_endian else '<'}u{size}",
            image.native_frame_bits // 8 // size,
        ).astype(f"<u{size}", copy=False)
        samples = extract_samples(words, image, notes)
        if is_subsampled(image):
            return upsample(samples, image)
        return _order_by_pixel(samples, image)

    def decode_words(self, stream: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return the frame's words, which may be those of `stream` itself: see `WordDecoder`."""
        by_plane = image.samples_per_pixel > 1 and image.planar_configuration == 1
        if not stores_words(image) or by_plane or not _keeps_all_chroma(image):
            return None
        needed = image.native_frame_bits // 8
        if not needed <= len(stream) < 2 * needed:
            return None
        words = stream if len(stream) == needed else memoryview(stream)[:needed]
        if self.big_endian:
            words = swap_words(words, image)
        return words if fit_words(words, image) else None


@dataclass(frozen=True, slots=True)
class NativeEncoder:
    """Writes native frames: samples by pixel, in the lowest bits of their container.

    Attributes:
        big_endian: byte order of the samples.
        first_bit: for 1-bit samples, the bit of its first byte at which the frame begins; the
            bits before are 0, so that the byte can be joined with the end of the frame before.
    """

    big_endian: bool = False
    first_bit: int = 0

    def describe_encoded(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Describe the image as it will be stored: see `Encoder`."""
        if image.photometric_interpretation == YBR_PARTIAL:
            raise UnsupportedImageError(
                "no native Photometric Interpretation has the range of YBR_PARTIAL_422 and chroma "
                "for each pixel",
                attribute="PhotometricInterpretation",
            )
        if image.photometric_interpretation == "YBR_PARTIAL_420":
            raise UnsupportedImageError(
                "native YBR_PARTIAL_420 has no defined order of samples",
                attribute="PhotometricInterpretation",
            )
        if is_subsampled(image) and image.columns % 2:
            raise UnsupportedImageError(
                f"{image.columns} columns are odd, and native {image.photometric_interpretation} "
                "shares chroma between two: it needs an even number of columns",
                attribute="Columns",
                hint="YBR_FULL and RGB hold any width, and so does jpeg as YBR_FULL_422",
            )
        if image.bits_allocated not in {1, 8, 16, 32, 64}:
            raise UnsupportedImageError(
                f"Bits Allocated {image.bits_allocated} is not encoded", attribute="BitsAllocated"
            )
        return replace(image, planar_configuration=0, high_bit=image.bits_stored - 1)

    def encode(self, samples: Samples, image: ImagePixelDescription) -> Buffer:
        """Return the bytes of one native frame, without padding: see `Encoder`.

        They are those of `samples` themselves if nothing has to change.
        """
        words = view_words(samples)
        frame = self.encode_words(words, image)
        if frame is not None:
            return frame
        self.describe_encoded(image)
        bits.check_range(samples, image)
        if image.bits_allocated == 1:
            return bits.pack(samples, self.first_bit)
        if is_subsampled(image):
            samples = subsample(samples)
        ordered = samples.dtype.newbyteorder(">" if self.big_endian else "<")
        return view_words(samples.astype(ordered, copy=False))

    def encode_words(self, words: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return the bytes of one native frame, `words` if they are those: see `WordEncoder`."""
        if not has_words(image) or not _keeps_all_chroma(image):
            return None
        self.describe_encoded(image)
        if not fit_words(words, image):
            return None
        return swap_words(words, image) if self.big_endian else words


def _keeps_all_chroma(image: ImagePixelDescription) -> bool:
    return image.photometric_interpretation not in WITH_ALL_CHROMA


def _order_by_pixel(samples: Samples, image: ImagePixelDescription) -> Samples:
    if image.samples_per_pixel > 1 and image.planar_configuration == 1:
        planes = samples.reshape(image.samples_per_pixel, image.rows, image.columns)
        return np.ascontiguousarray(np.moveaxis(planes, 0, -1))
    return samples.reshape(image.shape)


def _is_big_endian(syntax: TransferSyntax) -> bool:
    # GE's private syntax keeps the data set little endian and the samples big endian.
    return not syntax.little_endian or syntax.name == "ge-private"


def make_decoder(syntax: TransferSyntax) -> NativeDecoder:
    """Return the decoder of a native syntax."""
    return NativeDecoder(big_endian=_is_big_endian(syntax))


def make_encoder(syntax: TransferSyntax, settings: EncoderSettings) -> NativeEncoder:  # noqa: ARG001
    """Return the encoder of a native syntax."""
    return NativeEncoder(big_endian=_is_big_endian(syntax))
