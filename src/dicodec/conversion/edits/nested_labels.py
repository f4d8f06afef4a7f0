"""Judge the colors that nested Pixel Data is said to have by its streams, or by its length.

The same rules as for the Pixel Data of a file (`repair/`): an item with pixels is read as if it
were one.
"""

from __future__ import annotations

from array import array

from dicodec.errors import MalformedFileError
from dicodec.model import tags
from dicodec.model.edits import SetAttribute
from dicodec.model.findings import Oddity
from dicodec.model.image import YBR_PARTIAL
from dicodec.model.transfer_syntax import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, TransferSyntax
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.encoding import DataSetEncoding
from dicodec.part10.file_meta import FileHead
from dicodec.part10.frames import find_frames
from dicodec.repair.image_attributes import Known
from dicodec.repair.pixel_data import repair_pixel_data
from dicodec.rules.color_space import colors_agree

_LABELS = frozenset({tags.SAMPLES_PER_PIXEL, tags.PHOTOMETRIC_INTERPRETATION})
_NO_HEAD = FileHead(has_preamble=False, elements=(), data_set_start=0, oddities=())
_NATIVE = {DataSetEncoding.of(syntax): syntax for syntax in (EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE)}


def deduce_stream_labels(
    data_set: DataSet,
    span: ElementSpan,
    starts: array[int],
    lengths: array[int],
    syntax: TransferSyntax,
) -> Known:
    """Return the right color attributes of an item with fragments; nothing if its own are right.

    Args:
        data_set: the elements of the item.
        span: its Pixel Data.
        starts: offsets of the fragments, the Basic Offset Table first.
        lengths: of the same.
        syntax: that the streams are in.

    Raises:
        MalformedFileError: they contradict each other, and the streams fit neither.
    """
    return _deduce(WalkedDataSet(data_set, starts, lengths, 0, ()), span, syntax)


def deduce_native_labels(data_set: DataSet, span: ElementSpan) -> Known:
    """Return the right color attributes of an item with native pixels, by their length.

    Raises:
        MalformedFileError: they contradict each other, and the length fits neither.
    """
    walked = WalkedDataSet(data_set, array("Q"), array("Q"), 0, ())
    return _deduce(walked, span, _NATIVE[data_set.encoding])


def _deduce(walked: WalkedDataSet, span: ElementSpan, syntax: TransferSyntax) -> Known:
    oddities: list[Oddity] = []
    data_set = walked.data_set
    frames = find_frames(walked, span, syntax, oddities)
    image = frames.description
    if image is None:
        return {}
    usual = frames.native is None or frames.excess in {0, 1}
    if usual and frames.native is not None and colors_agree(image, syntax.family):
        return {}
    file = DicomFile(
        data_set.source, _NO_HEAD, syntax, syntax.uid, data_set, frames, tuple(oddities)
    )
    repaired = repair_pixel_data(file, walked)
    if isinstance(fault := repaired.frames.fault, MalformedFileError):
        raise fault
    known: Known = {}
    for edit in repaired.corrections:
        if isinstance(edit, SetAttribute) and edit.tag in _LABELS:
            known[edit.tag] = edit.value if isinstance(edit.value, str) else int(edit.value[0])
    described = repaired.frames.description
    if described is not None and described.photometric_interpretation == YBR_PARTIAL:
        known[tags.PHOTOMETRIC_INTERPRETATION] = YBR_PARTIAL  # it is read so, and never stated
    return known
