"""What a batch names as a source: a file, or a member of an archive; picklable, and small."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dicodec.batch.sources.locations import absolute, object_standing
from dicodec.errors import SourceUnavailableError
from dicodec.model.object_url import is_object_url, parse_object_url

if TYPE_CHECKING:
    from dicodec.batch.sources.cloud import ObjectFacts

_MEMBER = "!/"
"""Between an archive's path and its member's name."""


@dataclass(frozen=True, slots=True)
class SourceReference:
    """A source that was found or named.

    Attributes:
        path: of the file, or of the archive; or URL of the object.
        size: bytes, as listed.
        modified: when it was changed, in nanoseconds since 1970; of a member that of its archive;
            of an object a number that stands for its etag, see `Standing`.
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
        return replace(self, path=absolute(self.path)).name


def object_reference(facts: ObjectFacts, *, named: bool = False) -> SourceReference:
    """Return the reference to an object."""
    return SourceReference(str(facts.url), *object_standing(facts), named=named)


def file_reference(path: str, *, named: bool = False) -> SourceReference:
    """Return the reference to a file or an object that is there.

    Raises:
        SourceUnavailableError: it is not, or cannot be looked at.
        ReadError: a store does not answer as it should.
    """
    if is_object_url(path):
        from dicodec.batch.sources.cloud import head

        return object_reference(head(parse_object_url(path)), named=named)
    try:
        found = os.stat(path)  # noqa: PTH116 - a path object costs more than the call
    except (OSError, ValueError) as cause:
        text = cause.strerror if isinstance(cause, OSError) else str(cause)
        raise SourceUnavailableError(
            f"the source cannot be looked at: {text}", path=path
        ) from cause
    return SourceReference(path, found.st_size, found.st_mtime_ns, named=named)


def release(reference: SourceReference) -> None:
    """Remove what was only there for this source."""
    if reference.spool is not None:
        Path(reference.spool).unlink(missing_ok=True)
