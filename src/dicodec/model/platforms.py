"""What operating systems do differently: locks, reads at an offset, open folders, signals.

Linux has all of it. Where another system lacks something, the functions here do what comes nearest,
or say that it is not to be had. No other module imports fcntl, msvcrt or resource. See
docs/platforms.md.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from _thread import allocate_lock  # of the library reference; `threading` takes 2 ms

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
"""Flag of `os.open`: a link is an error. Where it is missing, callers look for links before."""

NO_WAIT: int = getattr(os, "O_NONBLOCK", 0)
"""Flag of `os.open`: the other end of a pipe is not waited for."""

BINARY: int = getattr(os, "O_BINARY", 0)
"""Flag of `os.open`: line feeds stay as they are, as they do everywhere but on Windows."""

FOLDER: int = getattr(os, "O_DIRECTORY", 0)
"""Flag of `os.open`: what is not a folder is an error."""

OPENS_FOLDERS = os.open in os.supports_dir_fd
"""Whether folders can be opened, and files be named from there."""

HAS_WORKER_PROCESSES = (
    sys.platform == "linux" and hasattr(os, "fork") and hasattr(os, "waitid") and fcntl is not None
)
"""Whether batches have processes that are forked from a template; otherwise they have threads."""

_LOCKED_BYTE = 1 << 30
"""Offset of the byte that stands for a whole file where locks are of bytes."""

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})
"""Numbers of errors by which file systems say that they have no locks; ENOLCK is one of NFS."""

_seeking = allocate_lock()


class NoLocksError(OSError):
    """The file system, or the operating system, has no locks of the kind asked for."""


def lock_file(descriptor: int, *, shared: bool = False, waits: bool = False) -> None:
    """Lock an open file or folder until it is closed.

    Args:
        descriptor: of the file or folder.
        shared: whether others may have such a lock too.
        waits: whether to wait for others.

    Raises:
        BlockingIOError: somebody else has a lock.
        NoLocksError: the file system, or the operating system, has no such locks.
        OSError: the file cannot be locked for another reason.
    """
    if fcntl is not None:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind if waits else kind | fcntl.LOCK_NB)
        except OSError as cause:
            if cause.errno in _NO_LOCKS:
                raise NoLocksError(cause.errno, cause.strerror) from cause
            raise
        return
    try:
        import msvcrt
    except ImportError:
        msvcrt = None
    if msvcrt is None or shared:
        raise NoLocksError(errno.ENOTSUP, "the system has no such locks")
    _lock_byte(msvcrt, descriptor, waits=waits)


def _lock_byte(msvcrt: object, descriptor: int, *, waits: bool) -> None:
    """Lock a byte far behind the end of a file, which bars nobody from reading it."""
    lock, kind = getattr(msvcrt, "locking"), "LK_LOCK" if waits else "LK_NBLCK"  # noqa: B009 - not of this system
    with _seeking:
        before = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            lock(descriptor, getattr(msvcrt, kind), 1)
        except PermissionError as cause:
            raise BlockingIOError(errno.EAGAIN, "somebody else has a lock") from cause
        finally:
            os.lseek(descriptor, before, os.SEEK_SET)


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Return up to `length` bytes of an open file from an offset; any thread may call it."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, length, offset)
    with _seeking:
        before = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, length)
        finally:
            os.lseek(descriptor, before, os.SEEK_SET)


def refuses_lease(descriptor: int) -> bool:
    """Whether the system refuses a lease on a file for reading, as if somebody could write to it.

    False if it is open for nobody, is not the caller's, or the system knows no leases (fcntl(2)).

    Args:
        descriptor: open for reading only.
    """
    if fcntl is None or not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        # The kernel tells of a writer that comes just now by this signal; SIGIO would end us.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:  # of somebody else, or on a file system without leases
        return False
    return False


def write_at_end(descriptor: int) -> None:
    """Have every write to an open file go to its end, whoever makes it."""
    if fcntl is not None:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)


def is_own(status: os.stat_result) -> bool:
    """Whether a file is the user's own; True where files have no owner by number."""
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def find_ending_signals() -> tuple[signal.Signals, ...]:
    """Return SIGTERM, and SIGHUP unless it is ignored, as under nohup, or not known here."""
    hang_up: signal.Signals | None = getattr(signal, "SIGHUP", None)
    if hang_up is None or signal.getsignal(hang_up) is signal.SIG_IGN:
        return (signal.SIGTERM,)
    return (signal.SIGTERM, hang_up)


def bound_memory(size: int) -> None:
    """Bound the data of this process, and write no core; nothing happens where that is not known.

    Data are bounded, not addresses: runtimes such as Node.js reserve far more than they use.

    Args:
        size: bytes.
    """
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return


def kill_group(process: int) -> None:
    """Kill the processes of a group; where there are no groups, the one that would lead it.

    Args:
        process: id of the process that leads the group; it may have ended.
    """
    kill = getattr(os, "killpg", os.kill)
    try:
        kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    except (ProcessLookupError, PermissionError):
        return
