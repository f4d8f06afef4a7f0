"""JPEG (ISO/IEC 10918-1): the decoder of all its processes, and the encoder of each syntax."""

from __future__ import annotations

from dicodec import _kernels
from dicodec.codecs.base import Buffer, Encoder, Samples
from dicodec.codecs.checks import (
    bring_to_image,
    check_decodable,
    check_kind,
    check_length,
    check_scans,
    check_size,
    describe_plain,
    translate_decoding_errors,
)
from dicodec.codecs.jpeg_completeness import MISSING, decode_complete
from dicodec.codecs.jpeg_encoders import (
    MOST_LINES,
    BaselineEncoder,
    ExtendedEncoder,
    LosslessEncoder,
)
from dicodec.codecs.sample_notes import SampleNotes
from dicodec.codecs.streams import jpeg as headers
from dicodec.codecs.streams.jpeg_plain import make_plain
from dicodec.codecs.words import has_words, view_samples
from dicodec.errors import TruncatedFrameError, UnsupportedSourceError, UnsupportedTargetError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import TransferSyntax

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import imagecodecs
    import numpy as np
else:
    imagecodecs = import_late("imagecodecs")
    np = import_late("numpy")

# A Huffman code has a bit at least: there is one for each sample of a lossless process, and for the
# DC coefficient of each 8 x 8 block of the others (ISO/IEC 10918-1 F.1.2, H.1.2).
_MOST_PIXELS, _MOST_LOSSLESS_PIXELS = 8 * 64, 8

_DCT_PRECISIONS = (8, 12)


@dataclass(frozen=True, slots=True)
class JpegDecoder:
    """Reads baseline, extended, progressive and lossless JPEG of 2 to 16 bits.

    Attributes:
        to_rgb: take the components for YCbCr and let the codec turn them into RGB, which is
            faster than to do so afterwards. Otherwise components come as they are coded, because
            JFIF and Adobe markers and component ids do not count (PS3.5 8.2.1), and only subsampled
            chroma is brought to full resolution. Not for lossless streams.
    """

    to_rgb: bool = False

    def describe(self, stream: Buffer) -> StreamDescription:
        """Describe the stream by its headers: see `Decoder`."""
        return check_kind(headers.describe(stream), "jpeg", "JPEG")

    def describe_decoded(
        self, stream: StreamDescription, image: ImagePixelDescription
    ) -> ImagePixelDescription:
        """Describe the samples that `decode` returns: see `Decoder`."""
        if self.to_rgb and stream.components == 3 and stream.predictor is None:
            return describe_plain(image, "RGB")
        return describe_plain(image)

    def decode(
        self, stream: Buffer, image: ImagePixelDescription, notes: SampleNotes | None = None
    ) -> Samples:
        """Return the frame's samples: see `Decoder`."""
        words = self.decode_words(stream, image)
        if words is not None:
            return view_samples(words, image)
        check_decodable(image)
        description, whole = headers.check_whole(stream)
        check_size(check_kind(description, "jpeg", "JPEG"), image)
        check_scans(description)
        if description.predictor is None and description.precision not in _DCT_PRECISIONS:
            raise UnsupportedSourceError(
                f"JPEG with a DCT of {description.precision} bits; it has 8 or 12 "
                "(ISO/IEC 10918-1 B.2.2)"
            )
        if "arithmetic" not in description.process:
            most = _MOST_PIXELS if description.predictor is None else _MOST_LOSSLESS_PIXELS
            check_length(image, len(whole), most, "JPEG")
        if description.components == 1:
            coded = wanted = "GRAYSCALE"
        elif description.components == 3:
            coded = wanted = "YCBCR"
            if self.to_rgb and description.predictor is None:
                wanted = "RGB"
        else:
            coded = wanted = "CMYK"

        def decode(data: Buffer) -> Samples:
            with translate_decoding_errors("JPEG"):
                decoded = imagecodecs.jpeg8_decode(data, colorspace=coded, outcolorspace=wanted)
            return np.asarray(decoded)

        samples = decode_complete(make_plain(whole, description), description, decode)
        return bring_to_image(samples, description, image, notes)

    def decode_words(self, stream: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return the samples of lossless JPEG with Huffman codes as words: see `WordDecoder`."""
        if _kernels.COMPILED is None or not _may_be_words(image, len(stream)):
            return None
        words: Buffer | None = None
        try:
            words = _kernels.COMPILED.decode_jpeg_lossless(
                stream, image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
                image.bits_stored, image.signed,
            )  # fmt: skip
        except EOFError:
            headers.check_whole(stream)  # markers that are wrong may be the reason
            raise TruncatedFrameError(MISSING) from None
        except MemoryError:
            pass  # the stream may have claimed too much, or may be no such stream
        return words


def _may_be_words(image: ImagePixelDescription, length: int) -> bool:
    """Return whether the kernel decodes such images, and a stream may hold one."""
    lines = max(image.rows, image.columns)
    return (
        has_words(image)
        and image.samples_per_pixel in {1, 3}
        and not image.overlay_bits  # samples past Bits Stored may be such ones
        and min(image.rows, image.columns) > 0
        and lines <= MOST_LINES
        and image.rows * image.columns <= _MOST_LOSSLESS_PIXELS * length
    )


def make_decoder(syntax: TransferSyntax) -> JpegDecoder:  # noqa: ARG001
    """Return the decoder of any JPEG syntax: the stream says which process it is."""
    return JpegDecoder()


def make_encoder(syntax: TransferSyntax, settings: EncoderSettings) -> Encoder:
    """Return the encoder of .50, .51, .57 or .70.

    Raises:
        UnsupportedTargetError: the syntax is a retired one.
    """
    quality = 90 if settings.quality is None else settings.quality
    if syntax.name == "jpeg":
        return BaselineEncoder(quality, settings.subsampling or "422", settings.photometric)
    if syntax.name == "jpeg-extended":
        return ExtendedEncoder(quality)
    if syntax.name == "jpeg-lossless-p14":
        return LosslessEncoder(settings.predictor or 1)
    if syntax.name == "jpeg-lossless":
        return LosslessEncoder(1)
    raise UnsupportedTargetError(f"{syntax.title} is not written: {syntax.why_not}")
