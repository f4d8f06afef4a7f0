"""Deflated Image Frame Compression (PS3.5 A.4.13): raw deflate (RFC 1951) of each native frame."""

from __future__ import annotations

import zlib

from dicodec.codecs.base import Buffer, Samples
from dicodec.codecs.checks import check_length, translate_encoding_errors
from dicodec.codecs.native import NativeDecoder, NativeEncoder
from dicodec.codecs.sample_notes import SampleNotes
from dicodec.errors import CorruptFrameError, FrameMismatchError, TruncatedFrameError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import TransferSyntax

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import imagecodecs
else:
    imagecodecs = import_late("imagecodecs")

_MOST_PIXELS = 8 * 1032
"""Of a byte: a match of 258 bytes takes two bits (RFC 1951 3.2.5), and a byte may hold 8 pixels."""

_NATIVE_DECODER = NativeDecoder()
_NATIVE_ENCODER = NativeEncoder()


@dataclass(frozen=True, slots=True)
class DeflatedFrameDecoder:
    """Inflates frames; 1-bit frames begin at a byte."""

    def describe(self, stream: Buffer) -> StreamDescription:
        """Describe the stream as deflate, which says nothing about the image: see `Decoder`."""
        if not len(stream):
            raise TruncatedFrameError("the deflated frame is empty")
        if stream[0] >> 1 & 3 == 3:  # BTYPE of the first block, RFC 1951 3.2.3
            raise CorruptFrameError("the frame does not begin with a deflate block")
        return StreamDescription(kind="deflate", process="raw deflate", lossless=True)

    def describe_decoded(
        self, stream: StreamDescription, image: ImagePixelDescription
    ) -> ImagePixelDescription:
        """Describe the samples that `decode` returns: see `Decoder`."""
        return _NATIVE_DECODER.describe_decoded(stream, image)

    def decode(
        self, stream: Buffer, image: ImagePixelDescription, notes: SampleNotes | None = None
    ) -> Samples:
        """Return the frame's samples: see `Decoder`.

        No more is inflated than the image can need, however much the stream holds. One pad byte of
        the frame may be inside the deflated data, and any number behind it.
        """
        size = image.native_frame_size
        self.describe(stream)
        check_length(image, len(stream), _MOST_PIXELS, "deflate")
        try:
            native = imagecodecs.deflate_decode(stream, raw=True, out=size + size % 2)
        except Exception as cause:  # the library's errors have no common base
            raise _explain_failure(stream, size) from cause
        if len(native) < size:
            raise FrameMismatchError(f"the frame inflates to {len(native)} of {size} bytes")
        if notes is not None and image.number_of_frames == 1 and _is_followed(stream, size):
            notes.note_followed()
        return _NATIVE_DECODER.decode(native, image, notes)


@dataclass(frozen=True, slots=True)
class DeflatedFrameEncoder:
    """Deflates frames.

    Attributes:
        level: 1 (fast) to 12 (small).
    """

    level: int = 6

    def describe_encoded(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Describe the image as it will be stored: see `Encoder`. Any native image will do."""
        return _NATIVE_ENCODER.describe_encoded(image)

    def encode(self, samples: Samples, image: ImagePixelDescription) -> bytes:
        """Return one deflated frame: see `Encoder`."""
        native = _NATIVE_ENCODER.encode(samples, image)
        with translate_encoding_errors("deflate"):
            return bytes(imagecodecs.deflate_encode(native, self.level, raw=True))


def _is_followed(stream: Buffer, size: int) -> bool:
    """Return whether another frame of a size is deflated behind the first one.

    libdeflate does not tell where a stream ends, so the frame is inflated once more: only single
    ones are looked at.
    """
    first, second = zlib.decompressobj(wbits=-15), zlib.decompressobj(wbits=-15)
    first.decompress(stream, size + 2)
    rest = first.unused_data.lstrip(b"\0") if first.eof else b""
    try:
        return bool(rest) and len(second.decompress(rest, size)) == size
    except zlib.error:
        return False


def _explain_failure(
    stream: Buffer, size: int
) -> CorruptFrameError | TruncatedFrameError | FrameMismatchError:
    """Return the kind of damage: truncated, corrupt or oversized; libdeflate does not tell."""
    inflater = zlib.decompressobj(wbits=-15)
    try:
        native = inflater.decompress(stream, size + 2)
    except zlib.error as error:
        return CorruptFrameError(f"the deflated frame is damaged: {error}")
    if len(native) > size + size % 2:
        return FrameMismatchError(f"the frame inflates to more than {size} bytes")
    if not inflater.eof:
        return TruncatedFrameError("the deflated frame ends before its last block")
    return CorruptFrameError("the deflated frame is damaged")


def make_decoder(syntax: TransferSyntax) -> DeflatedFrameDecoder:  # noqa: ARG001
    """Return the decoder of .8.1."""
    return DeflatedFrameDecoder()


def make_encoder(syntax: TransferSyntax, settings: EncoderSettings) -> DeflatedFrameEncoder:  # noqa: ARG001
    """Return the encoder of .8.1."""
    return DeflatedFrameEncoder()
