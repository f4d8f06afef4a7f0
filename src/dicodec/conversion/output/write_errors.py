"""Translate the operating system's errors of writing into ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from dicodec.errors import DiskFullError, TargetUnavailableError, WriteError

_UNAVAILABLE = {
    errno.ENOENT: "the target's folder does not exist",
    errno.ENOTDIR: "the target's folder does not exist",
    errno.EACCES: "the target's folder may not be written to",
    errno.EPERM: "the target's folder may not be written to",
    errno.EROFS: "the target's file system is read-only",
    errno.EISDIR: "the target is a folder",
    errno.ENAMETOOLONG: "the target's name is too long",
    errno.EBUSY: "the target is a mount point and cannot be replaced",
}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def translate_write_errors() -> Iterator[None]:
    """Turn the operating system's errors of writing into our errors.

    The errors of reading never come here as OSError: sources translate their own.
    """
    try:
        yield
    except OSError as cause:
        if cause.errno in _FULL:
            raise DiskFullError("the target's file system is full") from cause
        if text := _UNAVAILABLE.get(cause.errno or 0):
            raise TargetUnavailableError(text) from cause
        raise WriteError(f"cannot write: {cause.strerror or cause}") from cause
    except ValueError as cause:  # a NUL in a path: its message differs between versions of Python
        if "embedded null" not in str(cause):
            raise
        raise TargetUnavailableError("the target's name holds a NUL") from cause
