"""Make a file of one frame, which is converted as the whole file would be."""

from __future__ import annotations

import io
from collections.abc import Iterator

from dicodec.model import implementation, tags
from dicodec.model.edits import SetAttribute
from dicodec.model.image import ImagePixelDescription
from dicodec.model.transfer_syntax import EXPLICIT_LE, IMPLICIT_LE, TransferSyntax
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.edit_bytes import encode_element
from dicodec.part10.encoding import EXPLICIT_LITTLE, DataSetEncoding
from dicodec.part10.file_meta import FileHead
from dicodec.part10.pixel_writer import EncapsulatedWriter, NativeWriter
from dicodec.part10.writer import write_file_meta

_KEPT = (
    tags.SPECIFIC_CHARACTER_SET,
    tags.IMAGE_TYPE,
    tags.SOP_CLASS_UID,
    tags.SOP_INSTANCE_UID,
    tags.MODALITY,
)
_PIXEL_GROUP = 0x0028
_OVERLAY_DATA = 0x3000
_LARGEST = 1 << 18
"""Bytes of a value that is kept: tables of palettes have up to 131,072."""

_OF_ALL_FRAMES = frozenset(
    {
        tags.FRAME_INCREMENT_POINTER,
        tags.FRAME_DIMENSION_POINTER,
        tags.SMALLEST_IMAGE_PIXEL_VALUE,
        tags.LARGEST_IMAGE_PIXEL_VALUE,
        tags.FRAME_NUMBERS_OF_INTEREST,
        tags.FRAME_OF_INTEREST_DESCRIPTION,
        tags.FRAME_OF_INTEREST_TYPE,
        tags.REPRESENTATIVE_FRAME_NUMBER,
        tags.R_WAVE_POINTER,
    }
)
"""Attributes of the group of pixels that say something of several frames."""


def make_single_frame(file: DicomFile, frame: int) -> bytes:
    """Return a file with one frame of another, in the same transfer syntax.

    It has the Image Pixel Module, palettes, overlays in unused bits, and the SOP class, because
    these decide how a frame is converted; it has nothing of the patient.

    Args:
        file: the open file.
        frame: its number, from 0.

    Raises:
        ReadError: the frame is missing, or ends too early.
    """
    frames = file.frames
    image = frames.image
    stream = frames.read(frame)
    # The data set of a deflated file was inflated to be read.
    syntax = EXPLICIT_LE if file.syntax.deflated else file.syntax
    encoding = file.data_set.encoding
    if syntax is EXPLICIT_LE and not encoding.explicit_vr:
        syntax = IMPLICIT_LE
    out = io.BytesIO()
    sop_class = file.data_set.read_text(tags.SOP_CLASS_UID)
    _write_head(out, file.head, sop_class, file.data_set.read_text(tags.SOP_INSTANCE_UID), syntax)
    elements = dict(_copy_elements(file.data_set))
    for edit in _describe(image):
        elements[edit.tag] = encode_element(edit, encoding)
    for tag in sorted(elements):
        out.write(elements[tag])
    if frames.encapsulated is not None:
        _write_stream(out, stream)
    else:
        vr = "OB" if image.bits_allocated <= 8 and not encoding.little_endian else frames.span.vr
        _write_native(out, frames.span.tag, vr or "OW", stream, encoding)
    return out.getvalue()


def make_file_of_stream(
    image: ImagePixelDescription,
    syntax: TransferSyntax,
    sop_class: str,
    instance: str,
    stream: bytes,
) -> bytes:
    """Return a file of one frame that somebody else has sent, with what was said about it.

    Args:
        image: its description, whose samples are integers.
        syntax: its transfer syntax, little endian, and not of a deflated data set.
        sop_class: SOP Class UID.
        instance: SOP Instance UID.
        stream: its stream, or native samples.
    """
    out = io.BytesIO()
    _write_head(out, FileHead(True, (), 0, ()), sop_class, instance, syntax)
    elements = {edit.tag: encode_element(edit, EXPLICIT_LITTLE) for edit in _describe(image)}
    for tag, uid in ((tags.SOP_CLASS_UID, sop_class), (tags.SOP_INSTANCE_UID, instance)):
        elements[tag] = encode_element(SetAttribute(tag, "UI", uid), EXPLICIT_LITTLE)
    if image.lossy:
        lossy = SetAttribute(tags.LOSSY_IMAGE_COMPRESSION, "CS", "01")
        elements[lossy.tag] = encode_element(lossy, EXPLICIT_LITTLE)
    for tag in sorted(elements):
        out.write(elements[tag])
    if syntax.encapsulated:
        _write_stream(out, stream)
    else:
        vr = "OB" if image.bits_allocated <= 8 else "OW"
        _write_native(out, tags.PIXEL_DATA, vr, stream, EXPLICIT_LITTLE)
    return out.getvalue()


def _write_head(
    out: io.BytesIO, head: FileHead, sop_class: str, instance: str, syntax: TransferSyntax
) -> None:
    stated = {
        tags.MEDIA_STORAGE_SOP_CLASS_UID: sop_class,
        tags.MEDIA_STORAGE_SOP_INSTANCE_UID: instance,
        tags.TRANSFER_SYNTAX_UID: syntax.uid,
        tags.IMPLEMENTATION_CLASS_UID: implementation.CLASS_UID,
    }
    write_file_meta(out, head, stated)


def _write_stream(out: io.BytesIO, stream: bytes) -> None:
    encapsulated = EncapsulatedWriter(out, 1, "empty")
    encapsulated.write(stream)
    encapsulated.finish()


def _write_native(
    out: io.BytesIO, tag: int, vr: str, samples: bytes, encoding: DataSetEncoding
) -> None:
    native = NativeWriter(out, tag, vr, len(samples), encoding)
    native.write(samples)
    native.finish()


def _copy_elements(data_set: DataSet) -> Iterator[tuple[int, bytes]]:
    for span in data_set.elements:
        group, element = span.tag >> 16, span.tag & 0xFFFF
        overlay = group & 0xFF01 == 0x6000 and element != _OVERLAY_DATA
        kept = group == _PIXEL_GROUP or overlay or span.tag in _KEPT
        if not kept or span.tag in _OF_ALL_FRAMES or span.vr == "SQ" or span.undefined:
            continue
        if span.length <= _LARGEST:
            yield span.tag, data_set.read_raw(span)


def _describe(image: ImagePixelDescription) -> Iterator[SetAttribute]:
    """Yield the attributes of the Image Pixel Module, as they are known to be right."""
    numbers = {
        tags.SAMPLES_PER_PIXEL: image.samples_per_pixel,
        tags.ROWS: image.rows,
        tags.COLUMNS: image.columns,
        tags.BITS_ALLOCATED: image.bits_allocated,
    }
    if image.samples_per_pixel > 1:
        numbers[tags.PLANAR_CONFIGURATION] = image.planar_configuration
    if not image.floating:
        numbers |= {
            tags.BITS_STORED: image.bits_stored,
            tags.HIGH_BIT: image.high_bit,
            tags.PIXEL_REPRESENTATION: image.pixel_representation,
        }
    yield SetAttribute(tags.PHOTOMETRIC_INTERPRETATION, "CS", image.photometric_interpretation)
    yield SetAttribute(tags.NUMBER_OF_FRAMES, "IS", "1")
    for tag, number in numbers.items():
        yield SetAttribute(tag, "US", (number,))
