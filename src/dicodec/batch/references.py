"""What a batch names as a source: a file, or a member of an archive; picklable, and small."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dicodec.errors import SourceUnavailableError
from dicodec.part10.dicom_file import Source

_MEMBER = "!/"
"""Between an archive's path and its member's name."""


@dataclass(frozen=True, slots=True)
class SourceReference:
    """A source that was found or named.

    Attributes:
        path: of the file, or of the archive.
        size: bytes, as listed.
        modified: when it was changed, in nanoseconds since 1970; of a member that of its archive.
        member: name within the archive, as it is there; None for a file.
        offset: where a member's bytes begin in an uncompressed tar, or its header in a zip.
        zipped: whether the archive is a zip.
        spool: a temporary file that holds the member's bytes, where they could be read only once.
        named: whether the user named it, so that it is an error where it is no DICOM.
    """

    path: str
    size: int
    modified: int
    member: str | None = None
    offset: int = 0
    zipped: bool = False
    spool: str | None = None
    named: bool = False

    @property
    def name(self) -> str:
        """The name for people, reports and the ledger."""
        return self.path if self.member is None else f"{self.path}{_MEMBER}{self.member}"

    @property
    def key(self) -> str:
        """The name that does not depend on the current folder."""
        return replace(self, path=os.path.abspath(self.path)).name  # noqa: PTH100 - it is hot


def file_reference(path: str, *, named: bool = False) -> SourceReference:
    """Return the reference to a file that is there.

    Raises:
        SourceUnavailableError: it is not, or cannot be looked at.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - a path object costs more than the call
    except (OSError, ValueError) as cause:
        text = cause.strerror if isinstance(cause, OSError) else str(cause)
        raise SourceUnavailableError(
            f"the source cannot be looked at: {text}", path=path
        ) from cause
    return SourceReference(path, found.st_size, found.st_mtime_ns, named=named)


@contextmanager
def open_source(reference: SourceReference) -> Iterator[Source]:
    """Yield what a conversion takes as its source: a path, or a stream over a member's bytes.

    Raises:
        ReadError: an archive or its member cannot be read.
    """
    if reference.spool is not None:
        yield reference.spool
    elif reference.member is not None:
        from dicodec.batch.archives import open_member

        with open_member(reference) as stream:
            yield stream
    else:
        yield reference.path


def release(reference: SourceReference) -> None:
    """Remove what was only there for this source."""
    if reference.spool is not None:
        Path(reference.spool).unlink(missing_ok=True)
