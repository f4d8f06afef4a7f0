"""Originals: files that a result replaces, and that nobody may have changed meanwhile.

A writer can set a file's times back, write through memory that it has mapped, and write at the same
tick of the clock as somebody else. So the content is compared, by its digest, and the last
comparison comes when the file has no name any more by which a writer could open it.
"""

from __future__ import annotations

import os
from pathlib import Path

from dicodec.conversion.output.part_file import make_part_name, remove_leftover
from dicodec.errors import SourceChangedError, SourceUnavailableError
from dicodec.model.platforms import (
    BINARY,
    NO_LINK,
    NO_WAIT,
    NoLocksError,
    lock_file,
    refuses_lease,
)
from dicodec.model.records import dataclass


@dataclass(frozen=True, slots=True)
class Original:
    """A file that is to be replaced, as it was before anything of it was used.

    Attributes:
        status: size, times and file number, from the operating system.
        digest: SHA-256 of its content, in hexadecimal.
    """

    status: os.stat_result
    digest: str

    def check(self, path: Path) -> None:
        """Check that a file is unchanged, and that nobody can be changing it now.

        Args:
            path: a name of the file.

        Raises:
            SourceChangedError: another file has its name, or a process has it open for writing, or
                its content is another.
        """
        descriptor = _open(path)
        try:
            if not os.path.samestat(os.fstat(descriptor), self.status):
                raise _make_changed_error()
            if is_open_for_writing(descriptor, path.parent):
                raise SourceChangedError(
                    "another process has the source open for writing",
                    hint="convert it once that process has closed it",
                )
            if digest_open_file(descriptor) != self.digest:
                raise _make_changed_error()
        finally:
            os.close(descriptor)

    def check_same(self, path: Path) -> None:
        """Check at no cost that a file has the size and the times that it had.

        Raises:
            SourceChangedError: it was written to, or removed, or another file has its name.
        """
        try:
            now = path.stat()
        except FileNotFoundError:
            raise _make_removed_error() from None
        if identify(now) != identify(self.status):
            raise _make_changed_error()


def read_original(path: Path) -> Original:
    """Return the state of a file that will be replaced; all of it is read.

    Raises:
        SourceUnavailableError: it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | BINARY)
        try:
            return Original(os.fstat(descriptor), digest_open_file(descriptor))
        finally:
            os.close(descriptor)
    except OSError as cause:
        raise SourceUnavailableError(
            f"the source cannot be read: {cause.strerror}", path=str(path)
        ) from cause


def identify(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return the facts that usually change when a file is written to, or replaced by another."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def replace_original(part: Path, target: Path, original: Original) -> None:
    """Give a result the name of its original, unless that was changed until the very moment.

    The two exchange their names; then the original, which has none by which it could be opened, is
    compared once more. If it has changed, they exchange their names again. Without such an
    exchange, as on network file systems, a hard link keeps the original meanwhile; without links
    too, the comparison comes just before the rename.

    Args:
        part: the result, in its part file.
        target: the original.
        original: its state since before it was read.

    Raises:
        SourceChangedError: it has changed; its name keeps the new file.
        OSError: the operating system refused.
    """
    from dicodec.conversion.output import exchange  # ctypes takes milliseconds to load

    original.check_same(target)
    # A part file that is not locked would be taken for a leftover.
    descriptor = _lock(target)
    try:
        if exchange.exchange_names(part, target):
            aside: Path | None = part
        else:
            aside = _make_second_name(target)
            if aside is None:
                original.check(target)
            part.replace(target)
        if aside is None:
            return
        try:
            original.check(aside)
        except BaseException:
            if aside == part:
                exchange.exchange_names(part, target)
            else:
                aside.replace(target)
            raise
        aside.unlink()
    finally:
        os.close(descriptor)


def remove_leftovers(target: Path) -> None:
    """Remove the leftover of a process killed just after its result had taken a file's name."""
    target = target.resolve()
    for aside in (make_part_name(target.name), _format_second_name(target.name)):
        remove_leftover(target.with_name(aside))


def is_open_for_writing(descriptor: int, folder: Path) -> bool:
    """Whether a process of this machine can write to an open file; False if that is unknown.

    A lease for reading is refused then (fcntl(2)), memory that is mapped for writing counts too.
    Only a file's owner may ask for one, and network file systems refuse it for reasons of their
    own.

    Args:
        descriptor: open for reading only.
        folder: of the file; a file of ours there shows whether leases are given at all.
    """
    return refuses_lease(descriptor) and _gives_leases(folder)


def _gives_leases(folder: Path) -> bool:
    probe = folder / make_part_name(os.urandom(8).hex())
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            descriptor = os.open(probe, os.O_RDONLY)
            try:
                return not refuses_lease(descriptor)
            finally:
                os.close(descriptor)
        finally:
            probe.unlink()
    except OSError:
        return False


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | NO_LINK | NO_WAIT | BINARY)
    except FileNotFoundError:
        raise _make_removed_error() from None


def _lock(target: Path) -> int:
    """Open a file and keep others from taking it for a leftover under any name."""
    descriptor = _open(target)
    try:
        lock_file(descriptor, shared=True)
    except BlockingIOError:
        os.close(descriptor)
        raise SourceChangedError("another process has locked the source") from None
    except NoLocksError:
        pass
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _make_second_name(target: Path) -> Path | None:
    """Give a file another name beside its own; return None if it cannot have two."""
    aside = target.with_name(_format_second_name(target.name))
    try:
        os.link(target, aside)
    except FileExistsError:
        if not remove_leftover(aside):
            raise SourceChangedError("another process is replacing the source") from None
        return _make_second_name(target)
    except OSError:
        return None
    return aside


def _format_second_name(name: str) -> str:
    return make_part_name(f"{name}.replaced")


def digest_open_file(descriptor: int) -> str:
    """Return the SHA-256 of an open file from where it stands, in hexadecimal."""
    from hashlib import file_digest  # it takes milliseconds to load

    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        return file_digest(file, "sha256").hexdigest()


def _make_changed_error() -> SourceChangedError:
    return SourceChangedError("the source changed while it was read")


def _make_removed_error() -> SourceChangedError:
    return SourceChangedError("the source was removed while it was read")
