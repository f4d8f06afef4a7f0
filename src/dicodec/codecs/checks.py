"""Checks that every codec makes around its library: sizes, precision, sign, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from dicodec.codecs.base import Samples
from dicodec.codecs.sample_notes import SampleNotes
from dicodec.errors import (
    CorruptFrameError,
    DicodecError,
    EncodeError,
    FrameMismatchError,
    LimitExceededError,
    TruncatedFrameError,
    UnsupportedImageError,
    UnsupportedSourceError,
)
from dicodec.model.image import WITH_ALL_CHROMA, ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import replace
from dicodec.model.stream import StreamDescription
from dicodec.pixels import bits

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import numpy as np
else:
    np = import_late("numpy")


@contextmanager
def translate_decoding_errors(kind: str) -> Iterator[None]:
    """Turn any error that a codec library raises while decoding into CorruptFrameError."""
    try:
        yield
    except DicodecError:
        raise
    except MemoryError as cause:
        raise CorruptFrameError(f"no memory for the size that the {kind} stream claims") from cause
    except Exception as cause:  # the libraries have no common base
        raise CorruptFrameError(f"the {kind} stream cannot be decoded: {cause}") from cause


@contextmanager
def translate_encoding_errors(kind: str) -> Iterator[None]:
    """Turn any error that a codec library raises while encoding into EncodeError."""
    try:
        yield
    except DicodecError:
        raise
    except Exception as cause:  # as above
        raise EncodeError(f"the {kind} encoder failed: {cause}") from cause


def choose_predictive_precision(image: ImagePixelDescription) -> int:
    """Return the precision that lossless JPEG and JPEG-LS code samples with so that all read them.

    Signed samples take the whole word, their sign extended: GDCM, DCMTK and dicom-rs do not extend
    it, and show 4095 for -1 of 12 bits. A precision of 8 or less is of samples in a byte each for
    GDCM and dicom-rs (JPEG-LS) or shown scaled (lossless JPEG), so two bytes have 9 at least; and
    GDCM, DCMTK (JPEG-LS) and dicom-rs (lossless JPEG) take none below 8. Others have the precision
    of Bits Stored, with which JPEG-LS is smallest: 8-bit samples with 16 take 3 % more.
    """
    if image.signed:
        return image.bits_allocated
    return max(image.bits_stored, 8 if image.bits_allocated == 8 else 9)


def encode_exactly(
    attempts: Iterable[Callable[[], bytes]],
    samples: Samples,
    decode: Callable[[bytes], Samples],
    kind: str,
) -> bytes:
    """Return the first stream that decodes to the samples it was made from.

    For encoders that are known to fail, or to lose samples silently, with some of their settings.

    Args:
        attempts: encode the samples, each with other settings; the preferred ones come first.
        samples: the encoder's input.
        decode: the library's decoder.
        kind: of the stream, for the message.

    Raises:
        EncodeError: no attempt gave one.
    """
    failure = EncodeError(f"the {kind} encoder lost samples: its stream decodes to others")
    for attempt in attempts:
        try:
            stream = attempt()
        except EncodeError as error:
            failure = error
            continue
        with translate_encoding_errors(kind):
            if np.array_equal(decode(stream), samples):
                return stream
    raise failure


def check_kind(stream: StreamDescription, kind: str, name: str) -> StreamDescription:
    """Return the description of a stream if it is of a codec's kind.

    Raises:
        CorruptFrameError: it is a stream of another kind.
    """
    if stream.kind != kind:
        raise CorruptFrameError(f"this is a {stream.kind} stream, not {name}")
    return stream


def check_size(stream: StreamDescription, image: ImagePixelDescription) -> None:
    """Check a stream's claims against the image, before memory is taken for it.

    Raises:
        FrameMismatchError: the stream holds another image, or samples too wide for Bits Allocated.
    """
    claims = (
        ("Rows", stream.rows, image.rows),
        ("Columns", stream.columns, image.columns),
        ("SamplesPerPixel", stream.components, image.samples_per_pixel),
    )
    for attribute, found, expected in claims:
        if found is not None and found != expected:
            raise FrameMismatchError(
                f"the stream's {attribute} is {found}, the data set's {expected}",
                attribute=attribute,
            )
    if image.floating:
        raise FrameMismatchError("floating point pixels are never compressed")
    if stream.precision is not None and stream.precision > max(image.bits_allocated, 8):
        raise FrameMismatchError(
            f"the stream's samples have {stream.precision} bits, Bits Allocated is "
            f"{image.bits_allocated}",
            attribute="BitsAllocated",
        )


_MOST_SCANS = 128
"""Of a JPEG frame. Encoders write 10, or one for each bit of each band at most; each goes over all
blocks, in a few bytes."""


def check_scans(stream: StreamDescription) -> None:
    """Check the number of scans of a JPEG frame, each of which takes time for all pixels.

    Raises:
        LimitExceededError: there are too many.
    """
    scans = int(stream.details.get("scans", 0))
    if scans > _MOST_SCANS:
        raise LimitExceededError(
            f"the JPEG stream has {scans} scans, more than the limit of {_MOST_SCANS}",
            hint="this limit is fixed; write the stream again as a sequential one to convert it",
        )


def check_length(image: ImagePixelDescription, length: int, most: int, kind: str) -> None:
    """Check that a stream can hold its frame at all, before memory is taken for it.

    Args:
        image: the image as the data set describes it.
        length: bytes of the stream.
        most: the largest number of pixels that a byte of such a stream can hold.
        kind: of the stream, for the message.

    Raises:
        TruncatedFrameError: it is too short.
    """
    if image.rows * image.columns > most * length:
        raise TruncatedFrameError(
            f"{length} bytes of {kind} cannot hold {image.rows} x {image.columns} pixels"
        )


def bring_to_image(
    samples: Samples,
    stream: StreamDescription,
    image: ImagePixelDescription,
    notes: SampleNotes | None = None,
) -> Samples:
    """Return a library's decoded samples in the shape, type and range of the image.

    The stream's sign wins if it has one (PS3.5 8.2.4). If it contradicts Pixel
    Representation, or the stream has none, the coded bits are read again as two's complement, or
    as unsigned: with 12 bits, 0x0FFF becomes -1, and -1 becomes 0x0FFF.

    Args:
        samples: as the library returns them, of any integer type.
        stream: the description of the frame's stream.
        image: the image as the data set describes it.
        notes: takes samples that were clipped, and streams that were followed by others.

    Raises:
        FrameMismatchError: the shape is another, or samples do not fit Bits Stored.
    """
    if notes is not None and stream.details.get("followed"):
        notes.note_followed()
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[:, :, 0]
    if samples.shape != image.shape:
        raise FrameMismatchError(
            f"the stream decodes to {'x'.join(map(str, samples.shape))} samples, the data set "
            f"describes {'x'.join(map(str, image.shape))}"
        )
    precision = stream.precision or image.bits_stored
    if image.overlay_bits and precision > image.bits_stored and stream.lossless:
        samples = _remove_overlays(samples, precision, image)
    if image.signed and samples.dtype.kind == "u":
        samples = _read_signed(samples, precision, image)
    elif not image.signed and samples.dtype.kind == "i":
        samples = bits.mask(samples, precision)
    if precision > image.bits_stored and (found := bits.find_outside_range(samples, image)):
        samples = _clip(samples, found, stream, image, notes)
    return np.ascontiguousarray(samples, dtype=image.dtype)


def _remove_overlays(samples: Samples, precision: int, image: ImagePixelDescription) -> Samples:
    """Return samples without the overlays above them, which the encoder coded like the rest.

    If the other bits of a sample are more than its sign, samples come back as they were, to be
    found past Bits Stored.
    """
    width = np.dtype(image.dtype).itemsize
    words = bits.mask(samples, precision).astype(f"<u{width}", copy=False)
    above = (1 << precision) - (1 << image.bits_stored)
    kept: Samples = words & words.dtype.type((1 << precision) - 1 & ~(image.overlay_bits & above))
    if not image.signed:
        return kept
    extended = bits.extend_sign(words, image.bits_stored, image.dtype)
    unused = words.dtype.type(above & ~image.overlay_bits)
    rest = kept & unused
    signs = extended.view(words.dtype) & unused
    return extended if ((rest == 0) | (rest == signs)).all() else kept


def _clip(
    samples: Samples,
    found: tuple[int, int],
    stream: StreamDescription,
    image: ImagePixelDescription,
    notes: SampleNotes | None,
) -> Samples:
    """Clip samples that a lossy process overshot at edges; refuse those farther away.

    A lossless process brings no sample past Bits Stored, so data set or samples are wrong. A lossy
    one does: JPEG 2000 cut to 45 dB by a quarter of the range, to 30 dB by all of it; JPEG-LS by
    no more than its NEAR (ISO/IEC 14495-1 A.4.2). Samples that are farther belong to another image
    than described.
    """
    low, high = image.sample_range
    room = 0
    if stream.lossless is False:
        room = high - low + 1 if stream.near is None else stream.near
    if found[0] < low - room or found[1] > high + room:
        raise FrameMismatchError(
            f"the stream's samples reach from {found[0]} to {found[1]}, past Bits Stored "
            f"{image.bits_stored}",
            attribute="BitsStored",
            hint="samples or Bits Stored are wrong, the file does not say which: "
            "`standardize=True` takes the samples, and raises Bits Stored",
        )
    clipped: Samples = np.clip(samples, low, high)
    if notes is not None:
        notes.note_clipped(int(np.count_nonzero(clipped != samples)), *found)
    return clipped


def _read_signed(samples: Samples, precision: int, image: ImagePixelDescription) -> Samples:
    """Read unsigned samples as two's complement of the width that their values show.

    A 12-bit image coded with 16 bits holds -1 as 0xFFFF or, its unused bits masked, as 0x0FFF.
    """
    stored = min(image.bits_stored, precision)
    extended = bits.extend_sign(samples, precision, image.dtype)
    if precision > stored and bits.find_outside_range(extended, image):
        largest = int(samples.max())
        if largest < 1 << stored:
            return bits.extend_sign(samples, stored, image.dtype)
    return extended


def describe_plain(
    image: ImagePixelDescription, photometric_interpretation: str | None = None
) -> ImagePixelDescription:
    """Return the image with samples by pixel in the lowest bits, as every decoder gives them.

    Args:
        image: as it is coded.
        photometric_interpretation: of the samples, if the codec changes it; each pixel has chroma
            of its own in any case.
    """
    coded = photometric_interpretation or image.photometric_interpretation
    return replace(
        image,
        photometric_interpretation=WITH_ALL_CHROMA.get(coded, coded),
        planar_configuration=0,
        high_bit=image.bits_stored - 1,
        overlay_bits=0,
    )


def check_decodable(image: ImagePixelDescription) -> None:
    """Check that NumPy has a type for the image's samples.

    Raises:
        UnsupportedSourceError: NumPy has none.
    """
    if image.bits_allocated not in {1, 8, 16, 32, 64}:
        raise UnsupportedSourceError(
            f"Bits Allocated {image.bits_allocated} is not decoded", attribute="BitsAllocated"
        )


def check_encodable(
    image: ImagePixelDescription,
    name: str,
    *,
    bits_stored: tuple[int, int],
    photometric: frozenset[str],
    signed: bool = True,
) -> None:
    """Check that a compressed syntax can hold an image.

    Args:
        image: the image before it is encoded.
        name: of the encoding, for the message.
        bits_stored: smallest and largest Bits Stored, both inclusive.
        photometric: Photometric Interpretations that may come in.
        signed: whether Pixel Representation may be 1.

    Raises:
        UnsupportedImageError: the syntax cannot hold it.
    """
    pi = image.photometric_interpretation
    low, high = bits_stored
    if image.floating:
        raise UnsupportedImageError(f"{name} cannot hold floating point pixels")
    if pi not in photometric:
        raise UnsupportedImageError(
            f"{name} cannot hold Photometric Interpretation {pi}, only "
            f"{', '.join(sorted(photometric))}",
            attribute="PhotometricInterpretation",
        )
    if image.samples_per_pixel not in {1, 3}:
        raise UnsupportedImageError(
            f"{name} cannot hold {image.samples_per_pixel} samples per pixel",
            attribute="SamplesPerPixel",
        )
    if not low <= image.bits_stored <= high:
        raise UnsupportedImageError(
            f"{name} cannot hold Bits Stored {image.bits_stored}, only {low} to {high}",
            attribute="BitsStored",
        )
    if image.signed and not signed:
        raise UnsupportedImageError(
            f"{name} cannot hold signed samples: an error across zero would turn black into white",
            attribute="PixelRepresentation",
        )
    if image.signed and image.samples_per_pixel > 1:
        raise UnsupportedImageError(
            f"{name} cannot hold signed samples of color", attribute="PixelRepresentation"
        )


def check_containers(image: ImagePixelDescription, name: str) -> None:
    """Check that Bits Allocated is 8 or 16.

    Raises:
        UnsupportedImageError: it is not.
    """
    if image.bits_allocated not in {8, 16}:
        raise UnsupportedImageError(
            f"{name} cannot hold Bits Allocated {image.bits_allocated}, only 8 and 16",
            attribute="BitsAllocated",
        )
