"""JPEG 2000 (ISO/IEC 15444-1; PS3.5 8.2.4): .90, .91, and plain part 1 streams in .92 and .93."""

from __future__ import annotations

from functools import partial

from dicodec import _kernels
from dicodec.codecs.base import Buffer, Samples
from dicodec.codecs.checks import (
    bring_to_image,
    check_decodable,
    check_encodable,
    check_size,
    describe_plain,
    encode_exactly,
    translate_decoding_errors,
    translate_encoding_errors,
)
from dicodec.codecs.rate import Rate
from dicodec.codecs.sample_notes import SampleNotes
from dicodec.codecs.streams import jpeg2000 as headers
from dicodec.codecs.words import has_words, view_samples, view_words
from dicodec.errors import UnsupportedImageError, UnsupportedSourceError, UnsupportedTargetError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import MONOCHROME, ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass, field, replace
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import Loss, TransferSyntax
from dicodec.pixels import bits

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import imagecodecs
    import numpy as np
else:
    imagecodecs = import_late("imagecodecs")
    np = import_late("numpy")

# Measured with OpenJPEG 2.5.4 on the worst patterns: its encoder is exact to 23 bits with six
# resolutions, one less with the component transform, and to 25 without any wavelet; its decoder
# to 28, one less with the transform. Beyond that low bits are lost in silence.
EXACT_BITS = 23
EXACT_BITS_WITHOUT_WAVELET = 25
DECODED_BITS = 28
LOSSY_BITS = 16
# Its formula for subsampled YCbCr is within two levels of the exact one (C.7.6.3.1.2) up to these.
SUBSAMPLED_BITS = 12
# With one or two bits the component transform is more than OpenJPEG's bit planes hold.
TRANSFORMED_BITS = 8

MOST_LINES = 1 << 20
"""And columns, of a frame that the kernel takes."""

_DECODED_SUBSAMPLINGS = frozenset(((1, 1), (2, rows), (2, rows)) for rows in (1, 2))
"""XRsiz and YRsiz of 4:2:2 and 4:2:0, which OpenJPEG brings to RGB (ISO/IEC 15444-1 A.5.1)."""

_PHOTOMETRIC = MONOCHROME | {"RGB", "YBR_FULL"}


@dataclass(frozen=True, slots=True)
class Jpeg2000Decoder:
    """Reads JPEG 2000 and HTJ2K, bare or in boxes: the stream says which it is.

    A component transform (MCT) is undone, which gives RGB, and so are subsampled YCbCr components,
    each chroma sample counting for all pixels that it covers; sign and precision are those of the
    stream, brought to Pixel Representation (PS3.5 8.2.4).

    Attributes:
        may_be_lossy: the transfer syntax allows loss. A stream with the 5-3 wavelet may then have
            been cut to a rate, which its header does not tell, and overshoot Bits Stored: it is
            taken for lossy if the data set says that the image is.
        threads: for each frame.
    """

    may_be_lossy: bool = False
    threads: int = 1

    def describe(self, stream: Buffer) -> StreamDescription:
        """Describe the codestream by its main header: see `Decoder`."""
        return headers.describe(stream)

    def describe_decoded(
        self, stream: StreamDescription, image: ImagePixelDescription
    ) -> ImagePixelDescription:
        """Describe the samples that `decode` returns: see `Decoder`."""
        _check_supported(stream)
        pi = image.photometric_interpretation
        if stream.subsampled and pi not in {"YBR_FULL", "YBR_FULL_422"}:
            raise UnsupportedSourceError(f"JPEG 2000 with subsampled components in {pi}")
        if stream.component_transform or stream.subsampled or pi in {"YBR_RCT", "YBR_ICT"}:
            return describe_plain(image, "RGB")
        return describe_plain(image)

    def decode(
        self, stream: Buffer, image: ImagePixelDescription, notes: SampleNotes | None = None
    ) -> Samples:
        """Return the frame's samples: see `Decoder`."""
        check_decodable(image)
        description, codestream = _check(stream, image)
        words = _decode_by_kernel(description, codestream, image, self.threads)
        if words is not None:
            return view_samples(words, image)
        samples = self._decode_by_library(description, codestream, 0)
        if self.may_be_lossy and image.lossy:
            description = replace(description, lossless=False)
        return bring_to_image(samples, description, image, notes)

    def decode_halved(
        self, stream: Buffer, image: ImagePixelDescription, halvings: int
    ) -> Samples | None:
        """Return the frame's samples in a lower resolution: see `HalvingDecoder`."""
        check_decodable(image)
        description, codestream = _check(stream, image)
        halvings = min(halvings, int(description.details["decomposition_levels"]))
        if not halvings or not _can_halve(description, image):
            return None
        small = replace(
            image,
            rows=-(-image.rows // (1 << halvings)),
            columns=-(-image.columns // (1 << halvings)),
        )
        words = _decode_by_kernel(description, codestream, image, self.threads, halvings)
        if words is not None:
            return view_samples(words, small)
        samples = self._decode_by_library(description, codestream, halvings)
        return bring_to_image(samples, description, small)

    def _decode_by_library(
        self, description: StreamDescription, codestream: memoryview, halvings: int
    ) -> Samples:
        if description.details.get("bare_markers"):
            codestream = headers.remove_bare_markers(codestream)
        if description.details.get("surplus_parts"):
            codestream = headers.leave_part_counts_open(codestream)
        with translate_decoding_errors("JPEG 2000"):
            if description.kind == "htj2k" and description.lossless and not halvings:
                return imagecodecs.htj2k_decode(codestream, planar=False)
            # OpenJPH wraps samples that leave the range, OpenJPEG clamps them. Those of lower
            # resolutions may, too: at an edge from 0 to 255 black and white would be exchanged.
            return imagecodecs.jpeg2k_decode(
                codestream, planar=False, skipres=halvings, numthreads=self.threads
            )

    def decode_words(self, stream: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return the samples of most streams as words: see `WordDecoder`."""
        if not has_words(image):
            return None
        description, codestream = _check(stream, image)
        return _decode_by_kernel(description, codestream, image, self.threads)


def _check(stream: Buffer, image: ImagePixelDescription) -> tuple[StreamDescription, memoryview]:
    """Return the description of a whole stream of an image, and its codestream.

    Raises:
        FrameError: as `Decoder.decode`.
    """
    description, codestream = headers.check_whole(stream)
    check_size(description, image)
    _check_supported(description)
    return description, codestream


def _can_halve(description: StreamDescription, image: ImagePixelDescription) -> bool:
    """Return whether lower resolutions are means of samples, which then fit Bits Stored.

    Means of samples whose sign has yet to be found are none, nor of indices into a palette.
    """
    return (
        image.photometric_interpretation != "PALETTE COLOR"
        and description.signed == image.signed
        and (description.precision or 0) <= image.bits_stored
        and not image.overlay_bits
        and not description.subsampled
        and "image_offset" not in description.details
    )


def _decode_by_kernel(
    description: StreamDescription,
    codestream: memoryview,
    image: ImagePixelDescription,
    threads: int,
    halvings: int = 0,
) -> Buffer | None:
    """Return the words of a checked codestream; None if the library has to decide."""
    if (
        _kernels.COMPILED is None
        or not has_words(image)
        or description.components not in {1, 3}
        or max(image.rows, image.columns) > MOST_LINES
        or image.overlay_bits  # samples past Bits Stored may be such ones
        or description.details.get("followed")  # to be noted
    ):
        return None
    try:
        words: Buffer | None = _kernels.COMPILED.decode_jpeg2000(
            codestream, image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
            image.bits_stored, image.signed, threads, halvings,
        )  # fmt: skip
    except MemoryError:
        return None  # the library says so, and for what
    return words


@dataclass(frozen=True, slots=True)
class Jpeg2000Encoder:
    """Writes a JPEG 2000 codestream with the true precision and sign, in one tile and layer.

    Attributes:
        lossless: 5-3 wavelet and RCT, or 9-7 wavelet and ICT.
        mct: whether RGB is transformed, which gives YBR_RCT or YBR_ICT.
        rate: the goal of a lossy stream.
        threads: for each frame.
    """

    lossless: bool = True
    mct: bool = True
    rate: Rate = field(default_factory=Rate)
    threads: int = 1

    def describe_encoded(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Describe the image as it will be stored: see `Encoder`."""
        photometric = _PHOTOMETRIC | {"PALETTE COLOR"} if self.lossless else _PHOTOMETRIC
        limit = EXACT_BITS_WITHOUT_WAVELET if self.lossless else LOSSY_BITS
        lowest = 1 if self.lossless else 2
        name = "JPEG 2000 as encoded here"
        check_encodable(image, name, bits_stored=(lowest, limit), photometric=photometric)
        if image.bits_allocated > 32:
            raise UnsupportedImageError(
                f"JPEG 2000 cannot hold Bits Allocated {image.bits_allocated}",
                attribute="BitsAllocated",
            )
        return describe_with_transform(image, lossless=self.lossless, mct=self._uses_mct(image))

    def encode(self, samples: Samples, image: ImagePixelDescription) -> Buffer:
        """Return the stream of one frame: see `Encoder`."""
        if has_words(image):
            stream = self.encode_words(view_words(samples), image)
            if stream is not None:
                return stream
        self.describe_encoded(image)
        bits.check_range(samples, image)
        if self.lossless:
            return self._encode_exactly(samples, image)
        return self.rate.encode(
            lambda psnr: self._encode(samples, image, psnr, None), samples, image
        )

    def encode_words(self, words: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return the stream of one frame of 8 or 16 bits: see `WordEncoder`."""
        if _kernels.COMPILED is None or not has_words(image):
            return None
        self.describe_encoded(image)
        if max(image.rows, image.columns) > MOST_LINES:
            return None
        described = (
            words, image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
            image.bits_stored, image.signed, self._uses_mct(image), self.threads,
        )  # fmt: skip
        stream: Buffer | None
        if self.lossless:
            stream = _kernels.COMPILED.encode_jpeg2000(*described)
        else:
            native = image.samples_per_frame * image.bits_allocated // 8
            goal = self.rate.find_goal(native)
            stream = _kernels.COMPILED.encode_jpeg2000_lossy(*described, *goal)
        return stream

    def _uses_mct(self, image: ImagePixelDescription) -> bool:
        return (
            self.mct
            and image.photometric_interpretation == "RGB"
            and image.bits_stored >= TRANSFORMED_BITS
        )

    def _encode_exactly(self, samples: Samples, image: ImagePixelDescription) -> bytes:
        mct = self._uses_mct(image)
        without_wavelet = partial(self._encode, samples, image, None, 1)
        if image.bits_stored > EXACT_BITS - mct:
            return without_wavelet()
        encode = partial(self._encode, samples, image, None, None)
        if image.bits_stored > 1 and not (mct and _chroma_may_overflow(samples, image.bits_stored)):
            return encode()
        # OpenJPEG loses samples if their chroma overflows, and fails with some noise of 1-bit RGB.
        # Without a wavelet nothing grows.
        return encode_exactly((encode, without_wavelet), samples, self._decode, "JPEG 2000")

    def _decode(self, stream: bytes) -> Samples:
        decoded = imagecodecs.jpeg2k_decode(stream, planar=False, numthreads=self.threads)
        return np.asarray(decoded)

    def _encode(
        self,
        samples: Samples,
        image: ImagePixelDescription,
        psnr: float | None,
        resolutions: int | None,
    ) -> bytes:
        level: Any = psnr  # a PSNR, which need not be whole, whatever the type says
        if psnr is not None and self.rate.ratio is None:
            level = round(psnr)
        with translate_encoding_errors("JPEG 2000"):
            stream = imagecodecs.jpeg2k_encode(
                bits.narrow(samples, image.bits_stored),
                level,
                codecformat="J2K",
                planar=False,
                bitspersample=image.bits_stored,
                resolutions=resolutions,
                reversible=self.lossless,
                mct=self._uses_mct(image),
                numthreads=self.threads,
            )
        return bytes(stream)


def _chroma_may_overflow(samples: Samples, bits_stored: int) -> bool:
    """Return whether chroma swings so far to both sides that wavelet coefficients may not fit.

    The chroma of RCT takes a bit more than the components. OpenJPEG allots bit planes without it,
    which leaves room for twice chroma's range, and silently loses larger values. The low-pass
    kernel of five 5-3 levels weighs at most 1.956 with one sign and 0.956 with the other, the
    high-pass ones reach 1.203 times their room with both: so color saturated to one side fits,
    red beside cyan or blue beside yellow need not.
    """
    green = samples[..., 1].astype(np.int32)
    full = 1 << bits_stored
    for component in (0, 2):
        chroma = samples[..., component] - green
        up, down = max(int(chroma.max()), 0), max(-int(chroma.min()), 0)
        if 1.956 * max(up, down) + 0.956 * min(up, down) > 1.99 * full:
            return True
    return False


def describe_with_transform(
    image: ImagePixelDescription, *, lossless: bool, mct: bool
) -> ImagePixelDescription:
    """Describe an image coded by JPEG 2000 or HTJ2K: RGB becomes YBR_RCT or YBR_ICT by MCT."""
    coded = image.photometric_interpretation
    if mct:
        coded = "YBR_RCT" if lossless else "YBR_ICT"
    return replace(
        image,
        photometric_interpretation=coded,
        planar_configuration=0,
        high_bit=image.bits_stored - 1,
    )


def make_rate(settings: EncoderSettings) -> Rate:
    """Return the goal that the settings set for a lossy stream."""
    if settings.quality is None:
        return Rate(settings.ratio, settings.psnr)
    return Rate(settings.ratio, settings.psnr, settings.quality)


def _check_supported(description: StreamDescription) -> None:
    """Refuse streams that the libraries would decode to other samples than were coded."""
    if description.details.get("part_2"):
        raise UnsupportedSourceError("a multi-component transform of JPEG 2000 part 2")
    if set(description.subsampling) - {(1, 1)}:
        _check_subsampled(description)
    if description.details.get("mixed_depths"):
        raise UnsupportedSourceError("JPEG 2000 whose components differ in precision or sign")
    exact = description.kind == "htj2k" and description.lossless
    limit = 32 if exact else DECODED_BITS - description.component_transform
    if (description.precision or 0) > limit:
        raise UnsupportedSourceError(
            f"JPEG 2000 of {description.precision} bits: decoded exactly are at most {limit}"
        )


def _check_subsampled(description: StreamDescription) -> None:
    exact = (
        description.kind == "jpeg2000"
        and description.subsampling in _DECODED_SUBSAMPLINGS
        and not description.component_transform
        and not description.signed
    )
    if not exact:
        raise UnsupportedSourceError(
            "JPEG 2000 with subsampled components that are not unsigned YCbCr in 4:2:2 or 4:2:0"
        )
    if (description.precision or 0) > SUBSAMPLED_BITS:
        raise UnsupportedSourceError(
            f"JPEG 2000 with subsampled components of {description.precision} bits: decoded are at "
            f"most {SUBSAMPLED_BITS}"
        )


def make_decoder(syntax: TransferSyntax) -> Jpeg2000Decoder:
    """Return the decoder of any JPEG 2000 or HTJ2K syntax."""
    return Jpeg2000Decoder(may_be_lossy=syntax.loss is not Loss.NEVER)


def make_encoder(syntax: TransferSyntax, settings: EncoderSettings) -> Jpeg2000Encoder:
    """Return the encoder of .90 or .91.

    Raises:
        UnsupportedTargetError: the syntax is one of part 2.
    """
    mct = settings.photometric != "RGB"
    if syntax.name == "jpeg2000-lossless":
        return Jpeg2000Encoder(mct=mct)
    if syntax.name == "jpeg2000":
        return Jpeg2000Encoder(lossless=False, mct=mct, rate=make_rate(settings))
    raise UnsupportedTargetError(f"{syntax.title} is not written: {syntax.why_not}")
