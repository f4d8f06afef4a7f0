"""JPEG XL (ISO/IEC 18181; PS3.5 8.2.16): lossless .110, repacked JPEG .111, lossy .112."""

from __future__ import annotations

from functools import partial

from dicodec.codecs.base import Buffer, Samples
from dicodec.codecs.checks import (
    bring_to_image,
    check_containers,
    check_decodable,
    check_encodable,
    check_size,
    describe_plain,
    encode_exactly,
    translate_encoding_errors,
)
from dicodec.codecs.jpeg import JpegDecoder
from dicodec.codecs.jpeg_repacking import explain_refusal, unpack_jpeg
from dicodec.codecs.sample_notes import SampleNotes
from dicodec.codecs.streams import jpeg as jpeg_headers
from dicodec.codecs.streams import jpegxl as headers
from dicodec.errors import InvalidOptionError, UnsupportedSourceError, UnsupportedTargetError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import MONOCHROME, ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass, replace
from dicodec.model.stream import StreamDescription
from dicodec.model.threads import count_startable
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.pixels import bits

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import imagecodecs
    import numpy as np
else:
    imagecodecs = import_late("imagecodecs")
    np = import_late("numpy")

# libjxl's effort 1 is an encoder of its own, and loses samples in silence: in 8-bit color, black
# becomes another color if its hash is black's too (libjxl 0.11 and 0.12; FAULTY_EFFORT names it).
# So each of its streams of 8 bits is decoded before it is used, and if it is wrong the next effort
# is taken, which was right in 40,000 images made to fail. With 16 bits it has no palette (LLPrepare
# in enc_fast_lossless.cc), and 20,000 such images were right. Measured with libjxl 0.12, one
# thread, MB/s and ratio, effort 1 and decoding against effort 2 alone: RGB of 8 bits 71 (1.78) and
# 31 (1.85), gray of 8 bits 51 (1.66) and 47 (1.74). So the proof costs half as much as the next
# effort. No setting keeps effort 1 from its palette of colors.
LOSSLESS_EFFORT, LOSSY_EFFORT = 1, 5
FAULTY_EFFORT = 1
FAULTY_BITS = 8
# Factor of the distance for each bit that samples do not use; libjxl takes none below 0.01.
DARKER = 0.73
LEAST_DISTANCE = 0.01

_JPEG = JpegDecoder()


@dataclass(frozen=True, slots=True)
class JpegXlDecoder:
    """Reads JPEG XL of up to 16 bits. XYB and YCbCr come as RGB.

    A stream with the data to rebuild a JPEG stream (.111) is that JPEG stream: it is rebuilt,
    described and decoded as such. libjxl's own samples of it differ, by 3 levels in smooth colors
    and by 24 or more in noise, and have the orientation that the JPEG carries.

    Attributes:
        threads: for each frame.
    """

    threads: int = 1

    def describe(self, stream: Buffer) -> StreamDescription:
        """Describe the stream by its headers: see `Decoder`."""
        description = headers.describe(stream)
        if not description.details.get("jpeg_reconstruction"):
            return description
        rebuilt = jpeg_headers.describe(unpack_jpeg(stream))
        details = {**rebuilt.details, "jpeg_reconstruction": 1}
        if color := description.details.get("color"):
            details["jpegxl_color"] = color
        return replace(rebuilt, details=details)

    def describe_decoded(
        self, stream: StreamDescription, image: ImagePixelDescription
    ) -> ImagePixelDescription:
        """Describe the samples that `decode` returns: see `Decoder`."""
        if stream.kind == "jpeg":
            return _JPEG.describe_decoded(stream, image)
        pi = image.photometric_interpretation
        if image.samples_per_pixel == 3 and (stream.component_transform or pi == "XYB"):
            return describe_plain(image, "RGB")
        return describe_plain(image)

    def decode(
        self, stream: Buffer, image: ImagePixelDescription, notes: SampleNotes | None = None
    ) -> Samples:
        """Return the frame's samples: see `Decoder`."""
        check_decodable(image)
        description = headers.describe(stream)
        if notes is not None and headers.begins_another(stream):
            notes.note_followed()
        if description.details.get("jpeg_reconstruction"):
            # A profile in the JPEG may have another number of components than its image.
            check_size(replace(description, components=None), image)
            return _JPEG.decode(unpack_jpeg(stream), image, notes)
        check_size(description, image)
        if description.details.get("floating"):
            raise UnsupportedSourceError("JPEG XL with floating point samples")
        try:
            # The first image asked for, libjxl does not run through the stream to count them.
            samples = imagecodecs.jpegxl_decode(stream, 0, numthreads=_bound_threads(self.threads))
        except Exception as cause:  # the library's errors have no common base
            raise explain_refusal(cause) from cause
        return bring_to_image(samples, description, image, notes)


@dataclass(frozen=True, slots=True)
class JpegXlLosslessEncoder:
    """Writes Modular JPEG XL without a color transform (.110), the precision being Bits Allocated.

    dicom-rs and pydcm ask decoders for samples of 8 or 16 bits, which libjxl and jxl-oxide scale
    from any other precision: 31 of 12 bits would be 496. A CT takes 1 % more with 16 bits than
    with 12. JPEG XL knows no sign: signed samples are coded as the words of their two's complement.

    Attributes:
        effort: 1 (fast) to 9.
        threads: for each frame.
    """

    effort: int = LOSSLESS_EFFORT
    threads: int = 1

    def __post_init__(self) -> None:
        _check_effort(self.effort)

    def describe_encoded(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Describe the image as it will be stored: see `Encoder`."""
        check_encodable(image, "JPEG XL", bits_stored=(1, 16), photometric=MONOCHROME | {"RGB"})
        check_containers(image, "JPEG XL")
        return replace(image, planar_configuration=0, high_bit=image.bits_stored - 1)

    def encode(self, samples: Samples, image: ImagePixelDescription) -> bytes:
        """Return the stream of one frame: see `Encoder`."""
        self.describe_encoded(image)
        bits.check_range(samples, image)
        coded = bits.mask(samples, image.bits_allocated)
        encode = partial(self._encode, coded, image.bits_allocated)
        if self.effort > FAULTY_EFFORT or image.bits_allocated > FAULTY_BITS:
            return encode(self.effort)
        efforts = (self.effort, self.effort + 1)
        attempts = [partial(encode, effort) for effort in efforts]
        return encode_exactly(attempts, coded, self._decode, "JPEG XL")

    def _encode(self, coded: Samples, precision: int, effort: int) -> bytes:
        with translate_encoding_errors("JPEG XL"):
            stream = imagecodecs.jpegxl_encode(
                coded,
                effort=effort,
                lossless=True,
                bitspersample=precision,
                planar=False,
                numthreads=_bound_threads(self.threads),
            )
        return bytes(stream)

    def _decode(self, stream: bytes) -> Samples:
        threads = _bound_threads(self.threads)
        return np.asarray(imagecodecs.jpegxl_decode(stream, 0, numthreads=threads))


@dataclass(frozen=True, slots=True)
class JpegXlLossyEncoder:
    """Writes VarDCT JPEG XL (.112); color is coded as XYB.

    The result has 8 or 16 bits stored: dicom-rs and pydcm ask decoders for so many, and get samples
    of any other precision scaled. Values stay as they are, so those of 12 bits are dark for the
    model of vision that chooses the loss. Such samples are coded as linear light, in which dark
    samples weigh more, and at a smaller distance, so that the error is that of a
    stream of 12 bits: within 20 %, measured with 10 to 14 bits at qualities 30 to 95. Above, the
    least distance that libjxl takes ends it, at a mean error of 0.1 to 0.4 % of the range.

    Attributes:
        quality: 1 to 100; see `distance`.
        effort: 1 (fast) to 9.
        threads: for each frame.
    """

    quality: int = 90
    effort: int = LOSSY_EFFORT
    threads: int = 1

    def __post_init__(self) -> None:
        _check_effort(self.effort)
        if not 1 <= self.quality <= 100:
            raise InvalidOptionError(f"quality is 1 to 100, not {self.quality}")

    @property
    def distance(self) -> float:
        """Butteraugli distance on the scale of the cjxl program; never 0, which is lossless."""
        if self.quality >= 30:
            return 0.1 + (100 - self.quality) * 0.09
        return 53 / 3000 * self.quality**2 - 23 / 20 * self.quality + 25

    def describe_encoded(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Describe the image as it will be stored: see `Encoder`."""
        check_encodable(
            image,
            "lossy JPEG XL",
            bits_stored=(2, 16),
            photometric=MONOCHROME | {"RGB"},
            signed=False,
        )
        check_containers(image, "JPEG XL")
        color = image.samples_per_pixel == 3
        bits_stored = 8 if image.bits_stored <= 8 else 16
        return replace(
            image,
            photometric_interpretation="XYB" if color else image.photometric_interpretation,
            planar_configuration=0,
            bits_allocated=bits_stored,
            bits_stored=bits_stored,
            high_bit=bits_stored - 1,
        )

    def encode(self, samples: Samples, image: ImagePixelDescription) -> bytes:
        """Return the stream of one frame: see `Encoder`."""
        precision = self.describe_encoded(image).bits_stored
        bits.check_range(samples, image)
        unused = precision - image.bits_stored
        with translate_encoding_errors("JPEG XL"):
            stream = imagecodecs.jpegxl_encode(
                bits.narrow(samples, precision),
                effort=self.effort,
                distance=max(self.distance * DARKER**unused, LEAST_DISTANCE),
                lossless=False,
                bitspersample=precision,
                planar=False,
                # 16-bit samples would pass for linear light, and dark ones lose their detail.
                transfer="LINEAR" if unused else "SRGB",
                numthreads=_bound_threads(self.threads),
            )
        return bytes(stream)


def _bound_threads(threads: int) -> int:
    """Return how many threads libjxl may be given: it aborts if it cannot start them."""
    return threads if threads == 1 else max(1, count_startable(threads))


def _check_effort(effort: int) -> None:
    if not 1 <= effort <= 9:
        raise InvalidOptionError(f"effort is 1 to 9, not {effort}")


def make_decoder(syntax: TransferSyntax) -> JpegXlDecoder:  # noqa: ARG001
    """Return the decoder of any JPEG XL syntax."""
    return JpegXlDecoder()


def make_encoder(
    syntax: TransferSyntax, settings: EncoderSettings
) -> JpegXlLosslessEncoder | JpegXlLossyEncoder:
    """Return the encoder of .110 or .112.

    Raises:
        UnsupportedTargetError: .111 is made from JPEG streams alone, by `repack_jpeg`.
    """
    if syntax.name == "jpegxl-lossless":
        return JpegXlLosslessEncoder(settings.effort or LOSSLESS_EFFORT)
    if syntax.name == "jpegxl":
        quality = 90 if settings.quality is None else settings.quality
        return JpegXlLossyEncoder(quality, settings.effort or LOSSY_EFFORT)
    raise UnsupportedTargetError(
        f"{syntax.title} is made from JPEG streams, not from samples",
        hint="convert to jpeg first, or choose jpegxl",
    )
