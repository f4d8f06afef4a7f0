"""Translate the operating system's errors of writing into ours."""

from __future__ import annotations

import errno
from types import TracebackType

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


class _Translation:
    """Has no state, so one serves all; a generator would take four times as long."""

    __slots__ = ()

    def __enter__(self) -> None:
        """Begin nothing."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        cause: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            return
        if isinstance(cause, OSError):
            if cause.errno in _FULL:
                raise DiskFullError("the target's file system is full") from cause
            if text := _UNAVAILABLE.get(cause.errno or 0):
                hint = "make it first" if cause.errno == errno.ENOENT else None
                raise TargetUnavailableError(text, hint=hint) from cause
            raise WriteError(f"cannot write: {cause.strerror or cause}") from cause
        # A NUL in a path: its message differs between versions of Python.
        if isinstance(cause, ValueError) and "embedded null" in str(cause):
            raise TargetUnavailableError("the target's name holds a NUL") from cause


_TRANSLATION = _Translation()


def translate_write_errors() -> _Translation:
    """Return a context that turns the operating system's errors of writing into our errors.

    The errors of reading never come here as OSError: sources translate their own.
    """
    return _TRANSLATION
