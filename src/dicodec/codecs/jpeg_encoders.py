"""Encoders of JPEG (PS3.5 8.2.1): baseline .50, extended .51, lossless .57 and .70."""

from __future__ import annotations

from dicodec import _kernels
from dicodec.codecs.base import Buffer, Samples
from dicodec.codecs.checks import (
    check_containers,
    check_encodable,
    choose_predictive_precision,
    translate_encoding_errors,
)
from dicodec.codecs.words import view_words
from dicodec.errors import InvalidOptionError, UnsupportedImageError
from dicodec.model.image import MONOCHROME, ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass, replace
from dicodec.pixels import bits

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import imagecodecs
else:
    imagecodecs = import_late("imagecodecs")

_YBR = frozenset({"YBR_FULL", "YBR_FULL_422"})
_SUBSAMPLINGS = frozenset({"444", "422", "420"})

MOST_LINES = 65500
"""Largest number of rows or columns: libjpeg takes no more, and kernels leave others to it."""


@dataclass(frozen=True, slots=True)
class BaselineEncoder:
    """Process 1 (.50): lossy, 8 bits.

    Attributes:
        quality: 1 to 100.
        subsampling: of chroma: "444", "422" or "420"; the Photometric Interpretation is
            YBR_FULL_422 in any case (PS3.5 8.2.1), because decoders go by the stream.
        photometric: None, or "RGB" to code RGB as it is, or "YBR_FULL_422".
    """

    quality: int = 90
    subsampling: str = "422"
    photometric: str | None = None

    def __post_init__(self) -> None:
        _check_quality(self.quality)
        if self.subsampling not in _SUBSAMPLINGS:
            raise InvalidOptionError(
                f'subsampling is "444", "422" or "420", not {self.subsampling}'
            )

    def describe_encoded(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Describe the image as it will be stored: see `Encoder`. 8 bits are always stored."""
        check_encodable(
            image,
            "JPEG baseline",
            bits_stored=(2, 8),
            photometric=MONOCHROME | _YBR | {"RGB"},
            signed=False,
        )
        coded = image.photometric_interpretation
        if image.samples_per_pixel == 3:
            wanted = self.photometric or "YBR_FULL_422"
            if wanted not in {"RGB", "YBR_FULL_422"} or (wanted == "RGB" != coded):
                raise UnsupportedImageError(
                    f"JPEG baseline holds colors as YBR_FULL_422 or RGB, and cannot code {coded} "
                    f"as {wanted}",
                    attribute="PhotometricInterpretation",
                )
            coded = wanted
        return _describe_stored(image, 8, coded)

    def encode(self, samples: Samples, image: ImagePixelDescription) -> bytes:
        """Return the stream of one frame: see `Encoder`."""
        encoded = self.describe_encoded(image)
        bits.check_range(samples, image)
        colorspace = outcolorspace = "GRAYSCALE"
        if image.samples_per_pixel == 3:
            colorspace = "RGB" if image.photometric_interpretation == "RGB" else "YCBCR"
            outcolorspace = "RGB" if encoded.photometric_interpretation == "RGB" else "YCBCR"
        with translate_encoding_errors("JPEG"):
            stream = imagecodecs.jpeg8_encode(
                bits.narrow(samples, 8),
                self.quality,
                colorspace=colorspace,
                outcolorspace=outcolorspace,
                subsampling=self.subsampling if outcolorspace == "YCBCR" else None,
            )
        return bytes(stream)


@dataclass(frozen=True, slots=True)
class ExtendedEncoder:
    """Process 2 and 4 (.51): lossy, 8 or 12 bits, gray.

    Attributes:
        quality: 1 to 100.
    """

    quality: int = 90

    def __post_init__(self) -> None:
        _check_quality(self.quality)

    def describe_encoded(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Describe the image as it will be stored: see `Encoder`. 9 to 11 bits become 12."""
        check_encodable(
            image, "JPEG extended", bits_stored=(2, 12), photometric=MONOCHROME, signed=False
        )
        return _describe_stored(image, 8 if image.bits_stored <= 8 else 12)

    def encode(self, samples: Samples, image: ImagePixelDescription) -> bytes:
        """Return the stream of one frame: see `Encoder`."""
        precision = self.describe_encoded(image).bits_stored
        bits.check_range(samples, image)
        with translate_encoding_errors("JPEG"):
            stream = bytearray(
                imagecodecs.jpeg8_encode(
                    bits.narrow(samples, precision),
                    self.quality,
                    colorspace="GRAYSCALE",
                    outcolorspace="GRAYSCALE",
                    bitspersample=precision,
                )
            )
        # With 8 bits the library announces the baseline process, which is a part of process 2:
        # the frame header alone differs (ISO/IEC 10918-1 Table B.1).
        if (frame_header := stream.find(b"\xff\xc0\x00\x0b")) > 0:
            stream[frame_header + 1] = 0xC1
        return bytes(stream)


@dataclass(frozen=True, slots=True)
class LosslessEncoder:
    """Process 14 (.57; .70 with selection value 1): lossless; see `choose_predictive_precision`.

    Attributes:
        predictor: selection value, 1 to 7.
    """

    predictor: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.predictor <= 7:
            raise InvalidOptionError(f"the predictor is 1 to 7, not {self.predictor}")

    def describe_encoded(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Describe the image as it will be stored: see `Encoder`."""
        check_encodable(
            image,
            "JPEG lossless",
            bits_stored=(1, 16),
            photometric=MONOCHROME | {"PALETTE COLOR", "RGB", "YBR_FULL"},
        )
        check_containers(image, "JPEG lossless")
        return replace(image, planar_configuration=0, high_bit=image.bits_stored - 1)

    def encode(self, samples: Samples, image: ImagePixelDescription) -> Buffer:
        """Return the stream of one frame: see `Encoder`."""
        stream = self.encode_words(view_words(samples), image)
        if stream is not None:
            return stream
        self.describe_encoded(image)
        bits.check_range(samples, image)
        precision = choose_predictive_precision(image)
        if image.samples_per_pixel == 1:
            colorspace = "GRAYSCALE"
        else:
            # "YCBCR" would do for YBR_FULL, but libjpeg-turbo 3.2 then codes other samples.
            is_rgb = image.photometric_interpretation == "RGB"
            colorspace = "RGB" if is_rgb else "UNKNOWN"
        with translate_encoding_errors("JPEG lossless"):
            stream = imagecodecs.jpeg8_encode(
                bits.mask(samples, precision),
                lossless=True,
                predictor=self.predictor,
                bitspersample=precision,
                colorspace=colorspace,
                outcolorspace=colorspace,
            )
        return bytes(stream)

    def encode_words(self, words: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return the stream of one frame: see `WordEncoder`. It is the one that libjpeg makes."""
        self.describe_encoded(image)
        if _kernels.COMPILED is None or max(image.rows, image.columns) > MOST_LINES:
            return None
        stream: Buffer | None = _kernels.COMPILED.encode_jpeg_lossless(
            words, image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
            image.bits_stored, image.signed, choose_predictive_precision(image), self.predictor,
            image.photometric_interpretation == "RGB",
        )  # fmt: skip
        return stream


def _check_quality(quality: int) -> None:
    if not 1 <= quality <= 100:
        raise InvalidOptionError(f"quality is 1 to 100, not {quality}")


def _describe_stored(
    image: ImagePixelDescription, bits_stored: int, photometric: str | None = None
) -> ImagePixelDescription:
    """Describe a lossy JPEG image: decoded samples may take all of the process's precision."""
    return replace(
        image,
        photometric_interpretation=photometric or image.photometric_interpretation,
        planar_configuration=0,
        bits_allocated=8 if bits_stored <= 8 else 16,
        bits_stored=bits_stored,
        high_bit=bits_stored - 1,
    )
