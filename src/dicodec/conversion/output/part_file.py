"""The file that a result is written to before it takes its name: beside the target, locked, marked.

Its name is that of its result with a suffix: `.NAME.dicodec-part`. The process that writes it
holds a lock on it, which ends with the process, however that ends. So a part file that is not
locked is a leftover of a process that was killed, and the next one that wants the name removes it.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from dicodec.model.platforms import BINARY, NO_LINK, NO_WAIT, NoLocksError, lock_file
from dicodec.part10.beneath import PinnedPath

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Self

PART_SUFFIX = ".dicodec-part"

_LONGEST_NAME = 255
"""Bytes of a file's name on the usual file systems."""


class PartFile:
    """A new part file of a target, which is removed when it is closed, if it is still there.

    It is closed at the end of a `with` block, or by who takes it over from one.

    Args:
        target: the file that it may become.
        mode: permission bits, before the process's mask.

    Attributes:
        path: of the part file.
        descriptor: open for reading and writing; it holds the lock. -1 once it is closed.

    Raises:
        OSError: it cannot be created.
    """

    __slots__ = ("descriptor", "path")

    def __init__(self, target: Path, mode: int) -> None:
        self.path, self.descriptor = _create(target, mode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the part file, unless it has taken another name, and unlock it; once is enough."""
        try:
            # Once it has been renamed, another process may have begun its own under this name.
            if self.descriptor >= 0 and is_named(self.path, self.descriptor):
                self.path.unlink()
        finally:
            self.release()

    def release(self) -> None:
        """Unlock the part file, which has lost its name to the target; once is enough."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def is_part_file(name: str) -> bool:
    """Whether a file's name is that of a part file, in the works or left over."""
    return name.startswith(".") and name.endswith(PART_SUFFIX)


def remove_leftover(path: Path) -> bool:
    """Remove a part file unless a process is writing it; return whether it is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR | NO_LINK | NO_WAIT | BINARY)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        lock_file(descriptor)
        # Between opening and locking somebody else may have done the same and begun anew.
        if is_named(path, descriptor):
            path.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def make_part_name(name: str) -> str:
    """Return the name of the part file of a file; shortened if names may not be so long."""
    whole = f".{name}{PART_SUFFIX}"
    if len(os.fsencode(whole)) <= _LONGEST_NAME:
        return whole
    from hashlib import blake2s  # it takes milliseconds to load

    start = os.fsencode(name)[:150].decode("utf-8", "ignore")
    return f".{start}.{blake2s(os.fsencode(name), digest_size=8).hexdigest()}{PART_SUFFIX}"


def _create(target: Path, mode: int) -> tuple[Path, int]:
    """Create and lock a part file; under another name if a process is writing it just now."""
    path = target.with_name(make_part_name(target.name))
    while True:
        try:
            descriptor = _open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | BINARY, mode)
        except FileExistsError:
            if not remove_leftover(path):
                path = target.with_name(make_part_name(f"{target.name[:40]}.{os.urandom(8).hex()}"))
            continue
        except (KeyboardInterrupt, SystemExit):
            # They come when a call returns: the file may be there, and not yet known here.
            remove_leftover(path)
            raise
        try:
            if _lock(path, descriptor):
                return path, descriptor
        except BaseException:
            os.close(descriptor)
            with suppress(OSError):
                path.unlink()
            raise
        os.close(descriptor)


def _open(path: Path, flags: int, mode: int) -> int:
    if isinstance(path, PinnedPath):
        return path.open_descriptor(flags, mode)
    return os.open(path, flags, mode)


def _lock(path: Path, descriptor: int) -> bool:
    """Lock a new part file; False if it was taken for a leftover before it was locked."""
    try:
        lock_file(descriptor)
    except BlockingIOError:
        return False
    except NoLocksError:  # leftovers stay on such a file system
        return True
    return is_named(path, descriptor)


def is_named(path: Path, descriptor: int) -> bool:
    """Whether a path still is the name of an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
