"""The public calls: convert a file, bytes, a pydicom data set, or without blocking an event loop.

asyncio and pydicom are loaded by the calls that need them; pydicom is the caller's, not a
dependency.
"""

from __future__ import annotations

import copy
import io
import threading
from collections.abc import Buffer, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Unpack

from dicodec.conversion.convert import convert_with
from dicodec.conversion.output.placement import Placement
from dicodec.conversion.output.result_file import Target
from dicodec.errors import InvalidOptionError
from dicodec.model import implementation, tags
from dicodec.model.conversion_settings import ConversionSettings
from dicodec.model.late_import import import_late
from dicodec.model.transfer_syntax import find_by_uid
from dicodec.options import ConversionOptions, Targets
from dicodec.part10.dicom_file import Source, open_dicom
from dicodec.part10.directory_records import (
    RECORD_OFFSETS,
    ROOT_OFFSETS,
    link_records,
    write_offsets,
)
from dicodec.part10.file_meta import FileHead
from dicodec.part10.writer import write_file_meta
from dicodec.report import ConversionReport
from dicodec.rules.targets import check_quality

if TYPE_CHECKING:
    import pydicom
    from pydicom.uid import UID
else:  # not everybody has it, and those who do not convert its data sets need not wait for it
    pydicom = import_late("pydicom")


def convert(
    source: Source, target: Target | None, *, to: Targets, **options: Unpack[ConversionSettings]
) -> ConversionReport:
    """Convert one DICOM file.

    Args:
        source: a path, a buffer, or a binary stream.
        target: a path, or a binary stream; None only plans. A path gets the
            whole result or nothing; it may be the source itself if `overwrite` is set, and is then
            replaced only by a verified result.
        to: acceptable transfer syntaxes, the first preferred: "htj2k-lossless", a UID, a keyword, a
            TransferSyntax, or a sequence of them.
        **options: fields of ConversionOptions; `set_attributes` may be a mapping.

    Returns:
        The report: how the result came about.

    Raises:
        ReadError: the source cannot be read or understood.
        ConversionError: it cannot be converted as requested.
        WriteError: the result cannot be put in its place. In all three cases nothing is written,
            and the source is untouched.
    """
    settings = ConversionOptions.of(to, **options)
    check_quality(settings)
    return convert_with(source, target, settings)


def convert_bytes(data: Buffer, *, to: Targets, **options: Unpack[ConversionSettings]) -> bytes:
    """Convert a DICOM file that is in memory, and return the result; see `convert`."""
    out = io.BytesIO()
    convert(data, out, to=to, **options)
    return out.getvalue()


async def convert_async(
    source: Source, target: Target | None, *, to: Targets, **options: Unpack[ConversionSettings]
) -> ConversionReport:
    """Convert one DICOM file in a thread, without blocking the event loop; see `convert`.

    If the task is cancelled, the conversion stops behind the frame that it is at, and then the call
    ends: a path is as it was before, unless the whole result was taking its place already. A stream
    keeps the bytes that were written to it.
    """
    import asyncio

    settings = ConversionOptions.of(to, **options)
    check_quality(settings)
    cancelled = threading.Event()
    conversion = asyncio.create_task(
        asyncio.to_thread(_convert_unless, cancelled, source, target, settings)
    )
    try:
        return await asyncio.shield(conversion)
    except asyncio.CancelledError:
        cancelled.set()
        while not conversion.done():  # it may be cancelled again, and the thread would go on
            with suppress(asyncio.CancelledError):
                await asyncio.wait([conversion])
        if not conversion.cancelled():
            conversion.exception()  # asked for, so that nobody warns of it
        raise


def _convert_unless(
    cancelled: threading.Event, source: Source, target: Target | None, options: ConversionOptions
) -> ConversionReport:
    """Convert a file, but stop and leave the target as it was if an event is set meanwhile."""
    from asyncio import CancelledError

    def check(*_: object) -> None:
        if cancelled.is_set():
            raise CancelledError

    with Placement() as placement:
        placement.permit = check
        report = convert_with(source, target, options, check, placement)
        for error in placement.place():
            if error is not None:
                raise error
    return report


def convert_dataset(
    dataset: pydicom.Dataset, *, to: Targets, **options: Unpack[ConversionSettings]
) -> pydicom.FileDataset:
    """Convert a pydicom data set, and return the result as another one; see `convert`.

    Args:
        dataset: as pydicom reads or makes it; it is not changed. Without a Transfer Syntax UID in
            its file meta it is taken as pydicom would write it: native, in the byte order that it
            was read in.
        to: acceptable transfer syntaxes, the first preferred.
        **options: fields of ConversionOptions.

    Raises:
        DicodecError: as `convert` does; InvalidOptionError if Pixel Data is encapsulated and the
            data set does not say in which transfer syntax.
        AttributeError, ValueError: pydicom cannot write the data set.
    """
    from pydicom import dcmread

    return dcmread(io.BytesIO(convert_bytes(encode_dataset(dataset), to=to, **options)))


def encode_dataset(dataset: pydicom.Dataset) -> bytes:
    """Return a pydicom data set as the bytes of a file.

    Raises:
        InvalidOptionError: as of `convert_dataset`.
        AttributeError, ValueError: pydicom cannot write the data set.
    """
    from pydicom.uid import UID, ExplicitVRLittleEndian

    completed = _complete_file_meta(dataset)
    uid = UID(str(completed.file_meta.TransferSyntaxUID))
    if find_by_uid(uid) is not None and not uid.is_transfer_syntax:
        return _encode_bare(completed, uid)
    if not all(_names_itself(completed, name) for name in ("SOPClassUID", "SOPInstanceUID")):
        # pydicom writes no file of it; a conversion leaves out what is missing, and says so.
        deflated = uid.is_transfer_syntax and uid.is_deflated
        return _encode_bare(completed, ExplicitVRLittleEndian if deflated else uid)
    written = io.BytesIO()
    completed.save_as(written, enforce_file_format=True)
    if "DirectoryRecordSequence" in dataset:
        _restate_offsets(dataset, written)
    return written.getvalue()


def _names_itself(dataset: pydicom.Dataset, name: str) -> bool:
    return bool(dataset.file_meta.get(f"MediaStorage{name}") or dataset.get(name))


def _encode_bare(dataset: pydicom.Dataset, uid: UID) -> bytes:
    """Return a data set that pydicom does not write as a file, with our own File Meta Information.

    Transfer syntaxes that pydicom does not know, JPEG XL and newer ones, have Explicit VR Little
    Endian (PS3.5 A.4).
    """
    known = uid.is_transfer_syntax
    bare = copy.copy(dataset)
    del bare.file_meta
    bare.preamble = None
    elements, written = io.BytesIO(), io.BytesIO()
    bare.save_as(
        elements,
        implicit_vr=known and uid.is_implicit_VR,
        little_endian=not known or uid.is_little_endian,
    )
    content = elements.getvalue()
    write_file_meta(
        written,
        FileHead(has_preamble=False, elements=(), data_set_start=0, oddities=()),
        {
            tags.MEDIA_STORAGE_SOP_CLASS_UID: dataset.get("SOPClassUID", ""),
            tags.MEDIA_STORAGE_SOP_INSTANCE_UID: dataset.get("SOPInstanceUID", ""),
            tags.TRANSFER_SYNTAX_UID: uid,
            tags.IMPLEMENTATION_CLASS_UID: implementation.CLASS_UID,
        },
    )
    return written.getvalue() + content


def _complete_file_meta(dataset: pydicom.Dataset) -> pydicom.Dataset:
    """Return the data set, or a shallow copy of it that says in which transfer syntax it is."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

    given = getattr(dataset, "file_meta", None) or FileMetaDataset()
    if "TransferSyntaxUID" in given:
        return dataset
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        raise InvalidOptionError(
            "the data set does not say in which transfer syntax its Pixel Data is",
            hint="set dataset.file_meta.TransferSyntaxUID",
        )
    completed = copy.copy(dataset)
    completed.file_meta = copy.copy(given)
    big = dataset.original_encoding[1] is False
    completed.file_meta.TransferSyntaxUID = ExplicitVRBigEndian if big else ExplicitVRLittleEndian
    return completed


def _restate_offsets(dataset: pydicom.Dataset, written: io.BytesIO) -> None:
    """Have the records of a DICOMDIR that pydicom has written name each other by new offsets.

    pydicom keeps the offsets of the file that it read. Records that were not read from one, or
    offsets that name none of them, are left to the conversion, which will say so.
    """
    records = [
        (getattr(record, "seq_item_tell", -1), _list_offsets(record, RECORD_OFFSETS))
        for record in dataset.DirectoryRecordSequence
    ]
    links = link_records(_list_offsets(dataset, ROOT_OFFSETS), records)
    if links is not None:
        with open_dicom(written.getvalue()) as made:
            write_offsets(written, made, links)


def _list_offsets(holder: pydicom.Dataset, wanted: Collection[int]) -> list[tuple[int, int]]:
    return [
        (int(tag), int(holder[tag].value))
        for tag in sorted(holder.keys())
        if tag in wanted and holder[tag].value is not None
    ]
