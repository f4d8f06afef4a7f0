"""Native samples of 12 bits that follow each other without a gap.

Bits Allocated 12, which PS3.5 8.1.1 and Annex D once allowed, and ACR-NEMA 300 before it: the
first sample is in the lowest 12 bits of the first three bytes, little endian.
"""

from __future__ import annotations

from array import array

from dicodec.errors import DicodecError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.late_import import import_late
from dicodec.model.records import replace
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.frames import find_frames
from dicodec.part10.image_attributes import parse_image_description
from dicodec.part10.spliced_source import SourceRange, SplicedSource
from dicodec.part10.unpacked_source import UnpackedSource
from dicodec.repair.image_attributes import Known, make_corrections

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import numpy as np
else:
    np = import_late("numpy")

_PACKED = 12


def unpack_samples(file: DicomFile) -> DicomFile | None:
    """Return a file whose samples take 16 bits each, None if they are not packed in 12.

    The length of Pixel Data has to show that they are, in little endian: in big endian
    it is unknown which half comes first.
    """
    data_set, span = file.data_set, file.frames.span
    if data_set.read_number(tags.BITS_ALLOCATED) != _PACKED or not file.syntax.pixels_little_endian:
        return None
    known: Known = {tags.BITS_ALLOCATED: 16}
    try:
        image = parse_image_description(data_set, span.tag, [], known)
    except DicodecError:
        return None
    samples = image.samples_per_frame * image.number_of_frames
    length = (samples * _PACKED + 7) // 8
    whole = (samples * 16 + 7) // 8
    fitting = image.native_frame_bits * image.number_of_frames == samples * 16
    if image.bits_stored > _PACKED or not fitting:
        return None
    if length == whole or span.length not in {length, length + length % 2}:
        return None
    unpacked = UnpackedSource(data_set.source, span.value, length, (3, 4), _unpack)
    start = data_set.source.size
    source = SplicedSource(
        (SourceRange(data_set.source, 0, start), SourceRange(unpacked, 0, unpacked.size))
    )
    moved = span._replace(
        vr="OW" if span.vr else "", start=start, value=start, length=whole, end=start + whole
    )
    elements = [moved if one is span else one for one in data_set.elements]
    made = DataSet(source, data_set.encoding, elements, data_set.limits)
    walked = WalkedDataSet(made, array("Q"), array("Q"), 0, ())
    text = f"samples are packed, {_PACKED} bits each; they are unpacked to 16"
    return replace(
        file,
        data_set=made,
        frames=find_frames(walked, moved, file.syntax, [], known),
        oddities=(*file.oddities, Oddity(OddityId.PACKED_SAMPLES, text, span.start)),
        corrections=(*file.corrections, *make_corrections(data_set, known)),
    )


def _unpack(packed: bytes) -> bytes:
    """Return two bytes for each 12 bits; of a last half block one sample is left."""
    blocks = np.frombuffer(packed + bytes(-len(packed) % 3), np.uint8).reshape(-1, 3)
    low, middle, high = (blocks[:, index].astype("<u2") for index in range(3))
    samples = np.stack([low | (middle & 15) << 8, middle >> 4 | high << 4], axis=1)
    return samples.astype("<u2").tobytes()[: 4 * (len(packed) // 3) + 2 * (len(packed) % 3 == 2)]
