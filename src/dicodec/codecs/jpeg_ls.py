"""JPEG-LS (ISO/IEC 14495-1; PS3.5 8.2.3): lossless .80 and near-lossless .81."""

from __future__ import annotations

from dicodec import _kernels
from dicodec.codecs.base import Buffer, Samples
from dicodec.codecs.checks import (
    bring_to_image,
    check_containers,
    check_decodable,
    check_encodable,
    check_kind,
    check_size,
    choose_predictive_precision,
    describe_plain,
    translate_decoding_errors,
    translate_encoding_errors,
)
from dicodec.codecs.sample_notes import SampleNotes
from dicodec.codecs.streams import jpeg as headers
from dicodec.codecs.streams.jpeg_ls_presets import (
    FEWEST_BITS,
    insert_preset,
    make_dcmtk_preset,
    make_preset,
)
from dicodec.codecs.streams.jpeg_plain import MappingTables, make_plain, read_mapping_tables
from dicodec.codecs.words import has_words, view_samples, view_words
from dicodec.errors import (
    CorruptFrameError,
    InvalidOptionError,
    SampleRangeError,
    UnsupportedImageError,
    UnsupportedSourceError,
)
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import MONOCHROME, ImagePixelDescription
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

DEFAULT_NEAR = 2

_MOST_LINES = 65535
"""And columns, that a frame header can state (ISO/IEC 14495-1 C.2.2)."""
_MOST_LINES_A_BYTE = 8
"""A line has a bit at least: that of a run (A.7.1.2)."""


@dataclass(frozen=True, slots=True)
class JpegLsDecoder:
    """Reads JPEG-LS of 2 to 16 bits in all interleave modes.

    DCMTK codes fewer than 8 bits with other thresholds than the standard has, and does not state
    them. Such streams are decoded both ways, which is an error for one of them; a stream that is
    sound in both ways, and gives different samples, is refused.
    """

    def describe(self, stream: Buffer) -> StreamDescription:
        """Describe the stream by its headers: see `Decoder`."""
        return check_kind(headers.describe(stream), "jpeg-ls", "JPEG-LS")

    def describe_decoded(
        self, stream: StreamDescription, image: ImagePixelDescription
    ) -> ImagePixelDescription:
        """Describe the samples that `decode` returns: see `Decoder`."""
        if stream.component_transform:
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
        # CharLS would search a stream without EOI for seconds.
        description, whole = headers.check_whole(stream)
        check_size(check_kind(description, "jpeg-ls", "JPEG-LS"), image)
        if description.subsampled:
            raise UnsupportedSourceError("JPEG-LS with subsampled components (PS3.5 8.2.3)")
        samples = _decode(make_plain(whole, description), description)
        if description.details.get("mapped"):
            samples = _map(samples, read_mapping_tables(whole))
        return bring_to_image(samples, description, image, notes)

    def decode_words(self, stream: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return the samples as words: see `WordDecoder`."""
        if _kernels.COMPILED is None or not _may_be_words(image, len(stream)):
            return None
        try:
            words: Buffer | None = _kernels.COMPILED.decode_jpeg_ls(
                stream, image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
                image.bits_stored, image.signed,
            )  # fmt: skip
        except MemoryError:  # the stream may have claimed too much, or may be no such stream
            return None
        return words


def _may_be_words(image: ImagePixelDescription, length: int) -> bool:
    """Return whether the kernel decodes such images, and a stream may hold one."""
    return (
        has_words(image)
        and image.samples_per_pixel in {1, 3}
        and not image.overlay_bits  # samples past Bits Stored may be such ones
        and min(image.rows, image.columns) > 0
        and max(image.rows, image.columns) <= _MOST_LINES
        and image.rows <= _MOST_LINES_A_BYTE * length
    )


def _decode(stream: memoryview, description: StreamDescription) -> Samples:
    coded, near = description.details.get("coded_bits", description.precision), description.near
    if int(coded or 0) >= FEWEST_BITS or description.details.get("preset"):
        with translate_decoding_errors("JPEG-LS"):
            return np.asarray(imagecodecs.jpegls_decode(stream))
    preset = make_dcmtk_preset(int(coded or 0), near or 0)
    readings: list[Samples] = []
    error: CorruptFrameError | None = None
    for reading in (bytes(stream), insert_preset(bytes(stream), preset)):
        try:
            with translate_decoding_errors("JPEG-LS"):
                readings.append(np.asarray(imagecodecs.jpegls_decode(reading)))
        except CorruptFrameError as found:
            error = error or found
    if not readings:
        assert error is not None, "it was tried"
        raise error
    if not np.array_equal(readings[0], readings[-1]):
        raise CorruptFrameError(
            f"the JPEG-LS stream of {coded} bits gives other samples with the thresholds of the "
            "standard than with those of DCMTK, and does not say which it was coded with",
            hint="coded anew with 8 bits, it is read by all",
        )
    return readings[0]


def _map(samples: Samples, tables: MappingTables) -> Samples:
    """Replace samples by the entries of their components' mapping tables."""
    widths = {tables.widths.get(number, 0) for number in tables.by_component}
    if len(widths) > 1 or not widths <= {1, 2}:
        raise UnsupportedSourceError(
            "JPEG-LS with mapping tables, but not of one or two bytes for all components"
        )
    kind = np.dtype(f">u{widths.pop()}")
    components = samples.reshape(*samples.shape[:2], -1)
    mapped = np.empty(components.shape, kind.newbyteorder("="))
    for component, number in enumerate(tables.by_component):
        entries = np.frombuffer(tables.entries[number], kind)
        indices = components[..., component]
        if int(indices.max()) >= entries.size:
            raise CorruptFrameError(
                f"the JPEG-LS mapping table {number} has {entries.size} entries, and a sample is "
                f"{int(indices.max())}"
            )
        mapped[..., component] = entries[indices]
    return mapped.reshape(samples.shape)


@dataclass(frozen=True, slots=True)
class JpegLsEncoder:
    """Writes JPEG-LS; for the precision see `choose_predictive_precision`.

    JPEG-LS knows no sign: signed samples are coded as the words of their two's complement. With
    NEAR, a coded sample may move by that much, which is harmless but at the ends of the signed
    range, because 32767 + 1 would be -32768: such samples are refused.

    Attributes:
        near: 0 for lossless; else the largest error of a sample.
    """

    near: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.near <= 255:
            raise InvalidOptionError(f"near is 0 to 255, not {self.near}")

    def describe_encoded(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Describe the image as it will be stored: see `Encoder`."""
        photometric = MONOCHROME | {"RGB", "YBR_FULL"}
        if not self.near:
            photometric |= {"PALETTE COLOR"}
        check_encodable(image, "JPEG-LS", bits_stored=(1, 16), photometric=photometric)
        check_containers(image, "JPEG-LS")
        largest = ((1 << image.bits_stored) - 1) // 2
        if self.near > largest:
            raise UnsupportedImageError(
                f"JPEG-LS cannot hold Bits Stored {image.bits_stored} with NEAR {self.near}, only "
                f"with NEAR up to {largest}",
                attribute="BitsStored",
            )
        return replace(image, planar_configuration=0, high_bit=image.bits_stored - 1)

    def encode(self, samples: Samples, image: ImagePixelDescription) -> Buffer:
        """Return the stream of one frame: see `Encoder`."""
        stream = self.encode_words(view_words(samples), image)
        if stream is not None:
            return stream
        self.describe_encoded(image)
        bits.check_range(samples, image)
        if self.near and image.signed:
            self._check_ends(samples, image)
        precision = self._choose_precision(image)
        coded = bits.mask(samples, precision)
        with translate_encoding_errors("JPEG-LS"):
            try:
                return self._encode(coded, precision, None)
            except imagecodecs.JpeglsError as error:
                if "too small" not in str(error):
                    raise
            # CharLS estimates the stream's size, too low for noise. A sample takes at most four
            # times its bits (LIMIT, ISO/IEC 14495-1 A.2.1), and bit stuffing an eighth more.
            return self._encode(coded, precision, 5 * coded.nbytes + 4096)

    def encode_words(self, words: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return the stream of one frame: see `WordEncoder`. It is the one that CharLS makes."""
        self.describe_encoded(image)
        if _kernels.COMPILED is None or max(image.rows, image.columns) > _MOST_LINES:
            return None
        stream: Buffer | None = _kernels.COMPILED.encode_jpeg_ls(
            words, image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
            image.bits_stored, image.signed, self._choose_precision(image), self.near,
        )  # fmt: skip
        return stream

    def _choose_precision(self, image: ImagePixelDescription) -> int:
        if self.near and not image.signed:
            # Samples may move past Bits Stored if the stream has more bits.
            return max(image.bits_stored, 2)
        return choose_predictive_precision(image)

    def _encode(self, coded: Samples, precision: int, room: int | None) -> bytes:
        stream = bytes(
            imagecodecs.jpegls_encode(
                coded, self.near, bitspersample=precision, spiff=False, out=room
            )
        )
        # Stated, although it is the standard's: DCMTK assumes another one.
        few = precision < FEWEST_BITS
        return insert_preset(stream, make_preset(precision, self.near)) if few else stream

    def _check_ends(self, samples: Samples, image: ImagePixelDescription) -> None:
        low, high = image.sample_range
        smallest, largest = int(samples.min()), int(samples.max())
        if smallest - self.near < low or largest + self.near > high:
            raise SampleRangeError(
                f"signed samples reach from {smallest} to {largest}: an error of {self.near} could "
                "turn the largest into the smallest",
                hint="jpeg-ls, or JPEG 2000, which knows signs",
            )


def make_decoder(syntax: TransferSyntax) -> JpegLsDecoder:  # noqa: ARG001
    """Return the decoder of .80 and .81."""
    return JpegLsDecoder()


def make_encoder(syntax: TransferSyntax, settings: EncoderSettings) -> JpegLsEncoder:
    """Return the encoder of .80 or .81."""
    if syntax.name == "jpeg-ls":
        return JpegLsEncoder()
    return JpegLsEncoder(DEFAULT_NEAR if settings.near is None else settings.near)
