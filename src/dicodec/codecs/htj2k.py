"""High-Throughput JPEG 2000 (ISO/IEC 15444-15; PS3.5 10.18): .201, .202 and .203."""

from __future__ import annotations

from functools import partial

from dicodec import _kernels
from dicodec.codecs.base import Buffer, Samples
from dicodec.codecs.checks import check_encodable, encode_exactly, translate_encoding_errors
from dicodec.codecs.jpeg2000 import (
    LOSSY_BITS,
    MOST_LINES,
    describe_with_transform,
    make_decoder,
    make_rate,
)
from dicodec.codecs.rate import Rate
from dicodec.codecs.sample_notes import PSNR_TOLERANCE
from dicodec.codecs.words import has_words, view_words
from dicodec.errors import UnsupportedImageError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import MONOCHROME, ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass, field, replace
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.pixels import bits
from dicodec.pixels.metrics import measure_errors

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import imagecodecs
    import numpy as np
else:
    imagecodecs = import_late("imagecodecs")
    np = import_late("numpy")

__all__ = ["Htj2kEncoder", "make_decoder", "make_encoder"]

SMALLEST_RESOLUTION = 64  # pixels, PS3.5 10.18.1
DEFAULT_DECOMPOSITIONS = 5
# Below the first OpenJPH runs out of bits, above the second nothing is left of the image.
FINEST_STEP, COARSEST_STEP = 0.0001, 0.5

_RETRIES = 3

_PHOTOMETRIC = MONOCHROME | {"RGB", "YBR_FULL"}


@dataclass(frozen=True, slots=True)
class Htj2kEncoder:
    """Writes an HTJ2K codestream in one tile, RPCL progression, with TLM markers.

    So .201 and .203 also meet the demands of .202: this costs a few bytes and lets a viewer fetch a
    small resolution alone.

    Attributes:
        lossless: 5-3 wavelet and RCT, or 9-7 wavelet and ICT.
        small_resolution: refuse an image whose smallest resolution would have a side of more than
            64 pixels, as .202 demands; others are long and thin.
        mct: whether RGB is transformed, which gives YBR_RCT or YBR_ICT.
        rate: size or quality that a lossy stream has to reach. OpenJPH takes only a step size,
            which is within a few decibels of a PSNR; one that is asked for is measured.
        threads: for each frame that the kernel encodes.
    """

    lossless: bool = True
    small_resolution: bool = False
    mct: bool = True
    rate: Rate = field(default_factory=Rate)
    threads: int = 1

    def describe_encoded(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Describe the image as it will be stored: see `Encoder`."""
        photometric = _PHOTOMETRIC | {"PALETTE COLOR"} if self.lossless else _PHOTOMETRIC
        allowed = (1, 32) if self.lossless else (2, LOSSY_BITS)
        check_encodable(
            image, "HTJ2K as encoded here", bits_stored=allowed, photometric=photometric
        )
        if image.bits_allocated > 32:
            raise UnsupportedImageError(
                f"HTJ2K cannot hold Bits Allocated {image.bits_allocated}",
                attribute="BitsAllocated",
            )
        levels = _count_levels(image)
        if self.small_resolution and max(image.rows, image.columns) > SMALLEST_RESOLUTION << levels:
            raise UnsupportedImageError(
                f"HTJ2K with RPCL options cannot hold {image.rows} x {image.columns} pixels: no "
                f"resolution would be of {SMALLEST_RESOLUTION} pixels or less"
            )
        return describe_with_transform(image, lossless=self.lossless, mct=self._uses_mct(image))

    def encode(self, samples: Samples, image: ImagePixelDescription) -> Buffer:
        """Return the stream of one frame: see `Encoder`."""
        if self.lossless and has_words(image):
            stream = self.encode_words(view_words(samples), image)
            if stream is not None:
                return stream
        self.describe_encoded(image)
        bits.check_range(samples, image)
        if self.lossless and image.bits_stored == 1:
            return self._encode_bits(samples, image)
        if self.lossless:
            return self._encode(samples, image, None)
        return self.rate.encode(lambda psnr: self._encode_at(psnr, samples, image), samples, image)

    def encode_words(self, words: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return the stream of one frame of 8 or 16 bits without loss: see `WordEncoder`."""
        if _kernels.COMPILED is None or not self.lossless or not has_words(image):
            return None
        self.describe_encoded(image)
        if max(image.rows, image.columns) > MOST_LINES:
            return None
        stream: Buffer | None = _kernels.COMPILED.encode_htj2k(
            words, image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
            image.bits_stored, image.signed, self._uses_mct(image), _count_levels(image),
            self.threads,
        )  # fmt: skip
        return stream

    def _encode_at(self, psnr: float, samples: Samples, image: ImagePixelDescription) -> bytes:
        """Encode with the step for a PSNR, and with a finer one if the PSNR is missed."""
        stream = self._encode(samples, image, find_step(psnr))
        if self.rate.ratio is not None or self.rate.psnr is None:
            return stream
        finer = psnr
        for _ in range(_RETRIES):
            with translate_encoding_errors("HTJ2K"):
                # OpenJPH wraps lossy samples that leave the range, OpenJPEG clamps them.
                decoded = np.asarray(imagecodecs.jpeg2k_decode(stream, planar=False))
            reached = measure_errors(samples, decoded).find_psnr((1 << image.bits_stored) - 1)
            if reached is None or reached >= psnr - PSNR_TOLERANCE:
                break
            finer += psnr - reached
            stream = self._encode(samples, image, find_step(finer))
        return stream

    def _uses_mct(self, image: ImagePixelDescription) -> bool:
        return self.mct and image.photometric_interpretation == "RGB"

    def _encode_bits(self, samples: Samples, image: ImagePixelDescription) -> bytes:
        """Encode 1-bit samples, whose wavelet coefficients OpenJPH 0.32 at times loses silently.

        One noise image in 200 does not come back; coded with a precision of 2, each did.
        """
        attempts = [
            partial(self._encode, samples, replace(image, bits_stored=precision), None)
            for precision in (1, 2)
        ]
        return encode_exactly(attempts, samples, _decode, "HTJ2K")

    def _encode(self, samples: Samples, image: ImagePixelDescription, step: float | None) -> bytes:
        with translate_encoding_errors("HTJ2K"):
            stream = imagecodecs.htj2k_encode(
                bits.narrow(samples, image.bits_stored),
                step,
                rgb=self._uses_mct(image),
                planar=False,
                bitspersample=image.bits_stored,
                resolutions=count_decompositions(image.rows, image.columns),
                reversible=self.lossless,
                tlm=True,
                tilepart="RESOLUTIONS",
                prog_order="RPCL",
            )
        return bytes(stream)


def _decode(stream: bytes) -> Samples:
    return np.asarray(imagecodecs.htj2k_decode(stream, planar=False))


def _count_levels(image: ImagePixelDescription) -> int:
    return count_decompositions(image.rows, image.columns) or DEFAULT_DECOMPOSITIONS


def count_decompositions(rows: int, columns: int) -> int | None:
    """Return the decomposition levels that an image needs, None if the usual five are enough.

    Enough to bring the longer side to 64 pixels, if the shorter has pixels to be halved. A number
    must be given only if it is needed, because the library lowers it to the most that the shorter
    side allows, and with no or one level OpenJPH 0.32 loses the smallest possible value in images
    of a single row or column.
    """
    levels = DEFAULT_DECOMPOSITIONS
    while max(rows, columns) > SMALLEST_RESOLUTION << levels:
        levels += 1
    levels = min(levels, min(rows, columns).bit_length() - 1)
    return levels if levels > DEFAULT_DECOMPOSITIONS else None


def find_step(psnr: float) -> float:
    """Return the quantization step, as a share of the range, that gives about a PSNR.

    Measured: step 0.001 gives 69 dB, 0.002 62 dB, 0.005 53 to 55 dB.
    """
    step: float = 10 ** ((9 - psnr) / 20)
    return min(max(step, FINEST_STEP), COARSEST_STEP)


def make_encoder(syntax: TransferSyntax, settings: EncoderSettings) -> Htj2kEncoder:
    """Return the encoder of .201, .202 or .203."""
    mct = settings.photometric != "RGB"
    if syntax.name == "htj2k":
        return Htj2kEncoder(lossless=False, mct=mct, rate=make_rate(settings))
    return Htj2kEncoder(small_resolution=syntax.name == "htj2k-rpcl", mct=mct)
