"""Putting a result in its place: whole or not at all.

Output goes to a temporary file in the target's folder, is synced, and takes the target's name by
one rename. Until then the target is untouched; after a failure nothing is left behind.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from dicodec.errors import DiskFullError, TargetExistsError, TargetUnavailableError, WriteError

_NEW_FILE_MODE = 0o666
_UNAVAILABLE = {
    errno.ENOENT: "the target's folder does not exist",
    errno.ENOTDIR: "the target's folder does not exist",
    errno.EACCES: "the target's folder may not be written to",
    errno.EPERM: "the target's folder may not be written to",
    errno.EROFS: "the target's file system is read-only",
    errno.EISDIR: "the target is a folder",
    errno.ENAMETOOLONG: "the target's name is too long",
}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic_output(target: Path, *, overwrite: bool, mode: int | None = None) -> Iterator[Path]:
    """Yield the path of a new, empty, temporary file that becomes `target` when the block succeeds.

    Args:
        target: where the result goes.
        overwrite: whether a file that is there may be replaced.
        mode: permission bits of the result; by default those of the file that is replaced, and its
            owner where that is allowed, or else those of a new file.

    Raises:
        TargetExistsError: the target is there and may not be replaced.
        TargetUnavailableError: the folder is missing or may not be written to.
        DiskFullError: no room is left.
    """
    replaced = check_target(target, overwrite=overwrite)
    temporary = target.with_name(_temporary_name(target.name))
    try:
        with translated_writes():
            descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, _NEW_FILE_MODE)
            os.close(descriptor)
        yield temporary
        with translated_writes():
            if replaced is not None:
                _take_over(temporary, replaced)
            if mode is not None:
                temporary.chmod(mode)
            _sync(temporary)
            if overwrite:
                temporary.replace(target)
            else:
                _rename_new(temporary, target)
            _sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary_name(name: str) -> str:
    """Return a name that nobody else has, and that is not longer than names may be."""
    start = os.fsencode(name)[:100].decode("utf-8", "ignore")
    return f".{start}.{secrets.token_hex(8)}.dicodec-part"


def _take_over(temporary: Path, replaced: os.stat_result) -> None:
    with suppress(PermissionError):
        os.chown(temporary, replaced.st_uid, replaced.st_gid)
    temporary.chmod(stat.S_IMODE(replaced.st_mode))


def check_target(target: Path, *, overwrite: bool) -> os.stat_result | None:
    """Say now, before any work, what would fail at the end.

    Returns:
        What is known of the file that will be replaced; None where there is none.

    Raises:
        TargetExistsError: the target is there and may not be replaced.
        TargetUnavailableError: the target is a folder, a device or a pipe, or nothing can be there.
    """
    with translated_writes():
        try:
            found = target.stat()
        except FileNotFoundError:
            found = None
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise TargetUnavailableError("the target is a folder", path=str(target))
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise TargetUnavailableError(
            "the target is a device or a pipe, and would be replaced by a file",
            path=str(target),
            hint="- writes to standard output",
        )
    if not overwrite and (found is not None or target.is_symlink()):
        raise TargetExistsError(
            "the target exists", path=str(target), hint="--overwrite replaces it"
        )
    return found


@contextmanager
def translated_writes() -> Iterator[None]:
    """Turn what the operating system says while writing into our errors.

    The errors of reading never come here as OSError: sources translate their own.
    """
    try:
        yield
    except OSError as cause:
        if cause.errno in _FULL:
            raise DiskFullError("no room is left where the output goes") from cause
        if text := _UNAVAILABLE.get(cause.errno or 0):
            raise TargetUnavailableError(text) from cause
        raise WriteError(f"cannot write: {cause.strerror or cause}") from cause
    except ValueError as cause:  # a NUL in a path
        if "null byte" not in str(cause):
            raise
        raise TargetUnavailableError("the target's name holds a NUL") from cause


@contextmanager
def opened_for_writing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file for writing and patching; errors come as ours."""
    with translated_writes():
        file = path.open("r+b", buffering=1 << 20)
    with translated_writes(), file:  # closing writes what is still held, and may fail too
        yield file


def _rename_new(temporary: Path, target: Path) -> None:
    """Give the file its name without replacing one that appeared meanwhile."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise TargetExistsError(
            "the target exists", path=str(target), hint="--overwrite replaces it"
        ) from None
    except OSError:  # a file system without hard links
        check_target(target, overwrite=False)
        temporary.replace(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # folders on some file systems
            raise
    finally:
        os.close(descriptor)
