"""Raise a Bits Stored that samples are past, because the streams count (PS3.5 8.2).

To know it, all frames have to be decoded, and bits above Bits Stored may not belong to samples.
So it is done only if a file is standardized.
"""

from __future__ import annotations

from dicodec.codecs.table import find_decoder
from dicodec.errors import DicodecError, FrameMismatchError
from dicodec.model import tags
from dicodec.model.records import replace
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.frames import Frames
from dicodec.repair.image_attributes import Known, describe_corrections, make_corrections
from dicodec.rules.claimed_sizes import check_decoded_size

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # few files need a codec here
    from dicodec.codecs.base import Decoder, Samples
    from dicodec.model.image import ImagePixelDescription


def raise_bits_stored(file: DicomFile) -> DicomFile:
    """Return a file whose Bits Stored holds all samples, if it did not.

    A frame that cannot be decoded leaves the file as it is: its own error comes when it has to be.
    """
    frames = file.frames
    image = frames.description
    if image is None or frames.encapsulated is None or not file.syntax.reads:
        return file
    decoder = find_decoder(file.syntax)
    try:
        stream = decoder.describe(frames.read(frames.first_whole))
        if stream.precision is None or stream.precision <= image.bits_stored or image.overlay_bits:
            return file
        limits = file.data_set.limits
        needed = image.bits_stored
        for frame in range(len(frames.encapsulated)):
            if frame not in frames.filled:
                check_decoded_size(image, limits)
                needed = max(needed, _count_needed_bits(frames, frame, decoder, image))
    except DicodecError:
        return file
    if needed == image.bits_stored:
        return file
    known: Known = {tags.BITS_STORED: needed, tags.HIGH_BIT: needed - 1}
    described = replace(image, bits_stored=needed, high_bit=needed - 1)
    return replace(
        file,
        frames=replace(frames, description=described),
        oddities=(
            *file.oddities,
            *describe_corrections(file.data_set, known, "by the samples in the streams"),
        ),
        corrections=(*file.corrections, *make_corrections(file.data_set, known)),
    )


def _count_needed_bits(
    frames: Frames, frame: int, decoder: Decoder, image: ImagePixelDescription
) -> int:
    """Return Bits Stored, or more if a frame's samples cannot be brought to it."""
    stream = frames.read(frame)
    try:
        decoder.decode(stream, image)
    except FrameMismatchError as error:
        if error.attribute != "BitsStored":
            raise
    else:
        return image.bits_stored
    whole = replace(image, bits_stored=image.bits_allocated, high_bit=image.bits_allocated - 1)
    return _measure_width(decoder.decode(stream, whole), signed=image.signed)


def _measure_width(samples: Samples, *, signed: bool) -> int:
    """Return the bits that hold all samples."""
    smallest, largest = int(samples.min()), int(samples.max())
    return max(largest.bit_length(), (~smallest).bit_length() if signed else 0) + signed
