"""Open a file of many frames without walking the items that its offset table leads past."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dicodec.model.findings import Oddity
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.part10.data_set import WalkedDataSet
from dicodec.part10.dicom_file import DicomFile, Source, open_dicom
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.frame_table import TableWalker, UnsureTableError
from dicodec.repair.opening import StandardRepairs


class _TableRepairs(StandardRepairs):
    """The same, for a file whose offset table finds its frames; such a one may need no repair."""

    walker = TableWalker

    def find_syntax(
        self,
        stated: str,
        syntax: TransferSyntax | None,
        walked: WalkedDataSet,
        span: ElementSpan | None,
        oddities: list[Oddity],
    ) -> TransferSyntax | None:
        if walked.table is not None and (syntax is None or not syntax.encapsulated):
            raise UnsureTableError
        return super().find_syntax(stated, syntax, walked, span, oddities)

    def complete(self, file: DicomFile, walked: WalkedDataSet) -> DicomFile:
        if walked.table is None:
            return super().complete(file, walked)
        from dicodec.repair.tabled_frames import judge_tabled_file

        return judge_tabled_file(file, walked)


_BY_TABLE = _TableRepairs()


@contextmanager
def open_by_table(source: Source, limits: Limits = DEFAULT_LIMITS) -> Iterator[DicomFile]:
    """Open a DICOM file as `open_tolerantly` does, but walk no items that its table leads past.

    `frames.tabled` has the frames then. There is no difference for a file of few frames, of native
    ones, or without an offset table.

    Args:
        source: a path, a buffer, or a binary stream.
        limits: bounds on the file's claims.

    Raises:
        UnsureTableError: the table does not fit, or the file needs to be repaired.
        ReadError: as of `open_tolerantly`, or because the table misleads.
    """
    with open_dicom(source, limits, _BY_TABLE) as file:
        yield file
