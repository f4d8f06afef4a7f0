"""Native samples stated as UN in big endian: they are in little endian there (PS3.5 6.2.2)."""

from __future__ import annotations

from functools import partial

from dicodec.model.findings import Oddity, OddityId
from dicodec.model.records import replace
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.frames import find_frames
from dicodec.part10.reencode import swap_bytes
from dicodec.part10.spliced_source import SourceRange, SplicedSource
from dicodec.part10.unpacked_source import UnpackedSource


def with_words_in_order(
    file: DicomFile, walked: WalkedDataSet
) -> tuple[DicomFile, WalkedDataSet] | None:
    """Return a file whose samples are words in big endian; None if they are not UN, or are bytes.

    Args:
        file: a native file.
        walked: its data set.
    """
    data_set, span, image = file.data_set, file.frames.span, file.frames.description
    if span.vr != "UN" or data_set.encoding.little_endian or image is None:
        return None
    unit = image.bits_allocated // 8
    if unit < 2:
        return None
    swap = partial(swap_bytes, unit=unit)
    swapped = UnpackedSource(data_set.source, span.value, span.length, (unit, unit), swap)
    start = data_set.source.size
    source = SplicedSource(
        (SourceRange(data_set.source, 0, start), SourceRange(swapped, 0, swapped.size))
    )
    moved = span._replace(vr="OW", start=start, value=start, end=start + span.length)
    elements = [moved if one is span else one for one in data_set.elements]
    made = DataSet(source, data_set.encoding, elements, data_set.limits)
    anew = replace(walked, data_set=made)
    text = "Pixel Data is UN, and so in little endian in a file in big endian"
    oddity = Oddity(OddityId.WRONG_PIXEL_DATA_VR, text, span.start)
    frames = find_frames(anew, moved, file.syntax, [])
    return replace(file, data_set=made, frames=frames, oddities=(*file.oddities, oddity)), anew
