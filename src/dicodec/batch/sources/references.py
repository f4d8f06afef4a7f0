"""References to sources: files, members of archives and objects; small and picklable."""

from __future__ import annotations

import os
from pathlib import Path

from dicodec.batch.sources.locations import derive_version, make_absolute
from dicodec.errors import SourceUnavailableError
from dicodec.model.records import dataclass
from dicodec.model.source_names import is_object_url, parse_object_url
from dicodec.part10.beneath import Beneath

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.batch.sources.cloud import ObjectFacts

_MEMBER = "!/"
"""Separator between an archive's path and its member's name."""


@dataclass(frozen=True, slots=True)
class SourceReference:
    """A source that was named, or found in a named one.

    Attributes:
        path: path of the file or of the archive; or URL of the object.
        size: bytes, as listed.
        modified: time of the last change of the file or archive, in nanoseconds since 1970; for an
            object see `FileVersion`.
        member: name of the member in its archive, as it is there; None for a file.
        offset: offset of the member's bytes in an uncompressed tar, or of its header in a zip.
        zipped: whether the archive is a zip.
        spool: path of a temporary file with the member's bytes, if the archive is a compressed tar.
        named: whether the user named it, so it is an error if it is not DICOM.
        root: path of the folder beneath which the file is, through no link; None if the user named
            the file or links are followed, and for an object.
    """

    path: str
    size: int
    modified: int
    member: str | None = None
    offset: int = 0
    zipped: bool = False
    spool: str | None = None
    named: bool = False
    root: str | None = None

    @property
    def place(self) -> Beneath | None:
        """Place of the file beneath its root, if it has one."""
        if self.root is None:
            return None
        return Beneath.of(self.path, self.root)

    @property
    def name(self) -> str:
        """Name for people and reports."""
        return self._add_member(self.path)

    @property
    def key(self) -> str:
        """Name in the ledger, which does not depend on the current folder."""
        return self._add_member(make_absolute(self.path))

    def _add_member(self, path: str) -> str:
        return path if self.member is None else f"{path}{_MEMBER}{self.member}"


def refer_to_object(facts: ObjectFacts, *, named: bool = False) -> SourceReference:
    """Return the reference to an object whose properties are known."""
    return SourceReference(str(facts.url), *derive_version(facts), named=named)


def refer_to_file(path: str, *, named: bool = False) -> SourceReference:
    """Return the reference to an existing file or object.

    Raises:
        SourceUnavailableError: it does not exist, or its properties cannot be read.
        ReadError: the store gives an unexpected answer.
    """
    if is_object_url(path):
        from dicodec.batch.sources.cloud import read_facts

        return refer_to_object(read_facts(parse_object_url(path)), named=named)
    try:
        found = os.stat(path)  # noqa: PTH116 - a path object costs more than the call
    except (OSError, ValueError) as cause:
        text = cause.strerror if isinstance(cause, OSError) else str(cause)
        raise SourceUnavailableError(
            f"the source cannot be looked at: {text}", path=path
        ) from cause
    return SourceReference(path, found.st_size, found.st_mtime_ns, named=named)


def refer_beneath(place: Beneath) -> SourceReference:
    """Return the reference to a file that a job names; it is looked at when it is opened."""
    return SourceReference(place.path, 0, 0, named=True, root=place.root)


def release(reference: SourceReference) -> None:
    """Remove the temporary file of a source, if it has one."""
    if reference.spool is not None:
        Path(reference.spool).unlink(missing_ok=True)
