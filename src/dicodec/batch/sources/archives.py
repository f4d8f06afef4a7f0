"""Zip and tar archives as sources: list their members, and read each one as a stream.

Any process reads members of a zip or an uncompressed tar directly. A compressed tar can only be
read from its start, so its members are written to temporary files, one after the other, just
before they are needed.
"""

from __future__ import annotations

import atexit
import io
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Buffer, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from lzma import LZMAError
from pathlib import Path
from posixpath import dirname, join, normpath

from dicodec.batch.sources.recognition import SNIFFED, find_skip_reason
from dicodec.batch.sources.references import SourceReference, refer_to_file
from dicodec.errors import (
    LimitExceededError,
    MalformedFileError,
    ReadError,
    SourceUnavailableError,
    UnsupportedSourceError,
)
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.records import replace
from dicodec.part10.source import COPY_SIZE, translate_spool_errors, write_spool
from dicodec.part10.temporary import TemporaryFolder

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import IO, BinaryIO

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
_ZSTANDARD = _COMPRESSED[-1]
_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, NotImplementedError,
    RuntimeError,  # a password is needed
)  # fmt: skip


def list_members(
    path: str, limits: Limits = DEFAULT_LIMITS
) -> Iterator[SourceReference | ReadError]:
    """Yield the regular members of an archive, in its order; errors for unreadable members.

    What a tar holds as a link to a member, as it does with the further names of a file, comes last.
    Links to anything else, such as folders, are left out.

    Args:
        path: path of the archive.
        limits: the claimed sizes of all members may add up to `inflated_size`.

    Raises:
        ReadError: the rest of the archive cannot be read.
    """
    archive = refer_to_file(path)
    total = 0
    with _translate_errors(path):
        listed = (
            _list_zip_members(archive) if zipfile.is_zipfile(path) else _list_tar_members(archive)
        )
        for member in listed:
            if isinstance(member, ReadError):
                yield member
                continue
            total += member.size
            if total > limits.inflated_size:
                raise LimitExceededError(
                    f"the members of the archive claim more than {limits.inflated_size} bytes",
                    path=path,
                )
            yield member


def _list_zip_members(archive: SourceReference) -> Iterator[SourceReference]:
    with zipfile.ZipFile(archive.path) as file:
        for member in file.infolist():
            if not member.is_dir():
                yield replace(
                    archive,
                    member=member.orig_filename,
                    size=member.file_size,
                    offset=member.header_offset,
                    zipped=True,
                )


def _list_tar_members(archive: SourceReference) -> Iterator[SourceReference | ReadError]:
    with Path(archive.path).open("rb") as file:
        first = file.read(6)
    packed = first.startswith(_COMPRESSED)
    if first.startswith(_ZSTANDARD) and "zst" not in tarfile.TarFile.OPEN_METH:
        raise UnsupportedSourceError(
            "Zstandard archives are read from Python 3.14 on", path=archive.path
        )
    links: dict[str, list[str]] = {}
    with _open_tar(archive, packed=packed) as file:
        for member in _yield_tar_members(file):
            if member.islnk():
                links.setdefault(normpath(member.linkname), []).append(member.name)
            elif member.issym():
                target = normpath(join(dirname(member.name), member.linkname))
                links.setdefault(target, []).append(member.name)
            elif member.isreg():
                yield from _refer_to_tar_member(archive, file, member, [member.name], packed=packed)
    if not links:
        return
    with _open_tar(archive, packed=packed) as file:  # what a link leads to may be anywhere
        for member in _yield_tar_members(file):
            if member.isreg() and (names := links.pop(normpath(member.name), [])):
                yield from _refer_to_tar_member(archive, file, member, names, packed=packed)


def _open_tar(archive: SourceReference, *, packed: bool) -> tarfile.TarFile:
    return tarfile.open(archive.path, "r|*" if packed else "r:")


def _yield_tar_members(file: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in file:
        file.__dict__["members"] = []  # otherwise it keeps all members
        yield member


def _refer_to_tar_member(
    archive: SourceReference,
    file: tarfile.TarFile,
    member: tarfile.TarInfo,
    names: Sequence[str],
    *,
    packed: bool,
) -> Iterator[SourceReference | ReadError]:
    """Refer to a regular member, once by each of its names."""
    references = [replace(archive, member=name, size=member.size) for name in names]
    if member.issparse():
        for one in references:
            yield MalformedFileError("a sparse file in an archive is not read", path=one.name)
    elif packed:
        content = file.extractfile(member)
        assert content is not None
        first = _spool(references[0], content)
        assert first.spool is not None
        for one in references[1:]:
            with Path(first.spool).open("rb") as again:
                other = _spool(one, again)
            yield other
        yield first
    else:
        for one in references:
            yield replace(one, offset=member.offset_data)


def _spool(reference: SourceReference, content: IO[bytes]) -> SourceReference:
    """Write a member of a compressed tar to a temporary file, unless it is not DICOM."""
    first = content.read(SNIFFED)
    path = _make_spool()
    try:
        with path.open("wb", buffering=0) as spool:
            write_spool(spool, [first])
            while find_skip_reason(first) is None and (part := content.read(COPY_SIZE)):
                write_spool(spool, [part])
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return replace(reference, spool=str(path))


def _make_spool() -> Path:
    """Return the path of a new, empty file in the folder for members.

    Raises:
        DiskFullError: its disk is full.
        ReadError: it cannot be made.
    """
    with translate_spool_errors():
        descriptor, name = tempfile.mkstemp(dir=_make_member_folder())
        os.close(descriptor)
    return Path(name)


@cache
def _make_member_folder() -> str:
    """Return the path of the folder for members, which is there until this process ends."""
    folder = TemporaryFolder()
    atexit.register(folder.cleanup)
    return folder.name


@contextmanager
def open_member(reference: SourceReference) -> Iterator[BinaryIO]:
    """Open a member for reading, as a stream.

    Raises:
        ReadError: the archive or the member cannot be read.
    """
    with _translate_errors(reference.name):
        content = _open_content(reference)
    with content:
        yield io.BufferedReader(_MemberBytes(content, reference), COPY_SIZE)


def _open_content(reference: SourceReference) -> IO[bytes]:
    if reference.zipped:
        archive, by_offset = _open_zip(reference.path, reference.modified)
        return archive.open(by_offset[reference.offset])
    file = Path(reference.path).open("rb", buffering=0)  # noqa: SIM115 - the caller closes it
    file.seek(reference.offset)
    return file


@lru_cache(maxsize=1)
def _open_zip(
    path: str,
    modified: int,  # noqa: ARG001 - one that was changed is another one
) -> tuple[zipfile.ZipFile, dict[int, zipfile.ZipInfo]]:
    archive = zipfile.ZipFile(path)
    return archive, {member.header_offset: member for member in archive.infolist()}


class _MemberBytes(io.RawIOBase):
    """A stream of one member, at most as long as its stated size; it raises our errors."""

    def __init__(self, content: IO[bytes], reference: SourceReference) -> None:
        self._content = content
        self._left = reference.size
        self._name = reference.name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        with _translate_errors(self._name):
            part = self._content.read(min(len(view), self._left))
        view[: len(part)] = part
        self._left -= len(part)
        return len(part)


@contextmanager
def _translate_errors(name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as cause:
        raise MalformedFileError(f"the archive cannot be read: {cause}", path=name) from cause
    except OSError as cause:
        text = cause.strerror or str(cause)
        raise SourceUnavailableError(f"the archive cannot be read: {text}", path=name) from cause
