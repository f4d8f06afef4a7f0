"""The list of kept originals: the files of a folder that `--backup` has kept.

It is the file `.dicodec-kept` beside them, with a line for each as sha256sum(1) writes it: digest
and name. So it works on any file system, moves with its folder, and `sha256sum -c .dicodec-kept`
shows whether the originals are unchanged.
"""

from __future__ import annotations

import errno
import os
import stat
from _thread import allocate_lock
from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import islice, takewhile
from pathlib import Path

from dicodec.errors import TargetUnavailableError
from dicodec.model.platforms import BINARY, NO_LINK, NO_WAIT, NoLocksError, lock_file, read_at

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO

LIST_NAME = ".dicodec-kept"

_DIGEST_LENGTH = 64
_ESCAPED = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r"}


class KeptNames:
    """The names of a folder's kept originals; 8 bytes of memory for each.

    A batch adds a line to the list for each file that it replaces, and asks for each whether it is
    listed. So a list that has grown is read on from where it ended.
    """

    def __init__(self) -> None:
        self._hashes = array("q")
        self._version = 0, 0, 0
        self._end = 0
        self._last = b""
        self._lock = allocate_lock()

    def __contains__(self, name: str) -> bool:
        hashes = self._hashes
        if not hashes:
            return False
        wanted = hash(os.fsencode(name))
        place = bisect_left(hashes, wanted)
        return place < len(hashes) and hashes[place] == wanted

    def update(self, path: str, version: tuple[int, int, int]) -> None:
        """Read what was added to a list since; all of it if it is another list, or was rewritten.

        Args:
            path: path of the list.
            version: its file number, size and time.

        Raises:
            OSError: the list cannot be read.
        """
        with self._lock:
            if version == self._version:
                return
            with open(path, "rb") as lines:  # noqa: PTH123 - it is hot
                grown = version[0] == self._version[0] and version[1] > self._version[1]
                lines.seek(self._end - len(self._last))
                if not grown or lines.read(len(self._last)) != self._last:
                    self._hashes, self._end, self._last = array("q"), 0, b""
                    lines.seek(0)
                self._read_on(lines)
            self._version = version

    def _read_on(self, lines: BinaryIO) -> None:
        added = array("q")
        for line in lines:
            if not line.endswith(b"\n"):  # the rest of it is still to come
                break
            self._end, self._last = self._end + len(line), line
            if (name := _name(line)) is not None:
                added.append(hash(name))
        if len(added) > 1:
            self._hashes = array("q", sorted(self._hashes + added))
        elif added:
            hashes = self._hashes[:]  # whoever searches the old ones is not disturbed
            insort(hashes, added[0])
            self._hashes = hashes


def enter_kept_original(kept: Path, digest: str) -> None:
    """Enter a file in the list of its folder, before it is there.

    Args:
        kept: the file.
        digest: SHA-256 of its content, in hexadecimal.

    Raises:
        TargetUnavailableError: the list may not be written to, or is not a file.
        OSError: it cannot be written.
    """
    descriptor = _open(kept.with_name(LIST_NAME), os.O_CREAT | os.O_RDWR | os.O_APPEND)
    try:
        with suppress(NoLocksError):
            lock_file(descriptor, waits=True)
        size = os.fstat(descriptor).st_size
        whole = not size or read_at(descriptor, 1, size - 1) == b"\n"
        line = (b"" if whole else b"\n") + _format_line(kept.name, digest)
        while line:
            line = line[os.write(descriptor, line) :]
    finally:
        os.close(descriptor)


def sync_list(folder: Path) -> None:
    """Wait until a folder's list is on the disk."""
    descriptor = _open(folder / LIST_NAME, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_kept_names(folder: str | Path) -> KeptNames:
    """Return the names of the originals that are kept in a folder.

    Raises:
        OSError: the list cannot be read.
    """
    return _read_list(folder, _read) or KeptNames()


def is_kept_original(path: str | Path) -> bool:
    """Whether a file is one that `--backup` has kept."""
    folder, name = os.path.split(path)
    return name in read_kept_names(folder or ".")


def read_kept_digests(folder: str | Path) -> Mapping[str, Sequence[str]]:
    """Return the names in a folder's list by the digest of their content, in hexadecimal.

    Raises:
        OSError: the list cannot be read.
    """
    return _read_list(folder, _read_digests) or {}


def find_kept_beside(path: str) -> Sequence[tuple[str, str]]:
    """Return the names of originals that a folder's list may have kept of a file, and digests.

    Args:
        path: the file; the names of its originals begin with its name.

    Raises:
        OSError: the list cannot be read.
    """
    folder, name = os.path.split(path)
    listed = _read_list(folder, _read_sorted) or []
    first = bisect_left(listed, (name,))
    beside = takewhile(lambda one: one[0].startswith(name), islice(listed, first, None))
    return [one for one in beside if one[0] != name]


def list_kept(folder: str) -> list[str]:
    """Return the paths of the files that a folder's list names and that are there, in order.

    Raises:
        OSError: the list cannot be read.
    """
    listed = _read_list(folder, _read_sorted) or []
    names = dict.fromkeys(name for name, _ in listed)
    paths = [os.path.join(folder, name) for name in names]  # noqa: PTH118 - it is a text
    return [path for path in paths if os.path.lexists(path)]


def find_owner(kept: str) -> str | None:
    """Return the path of the file that an original was kept of; None if no such file is there.

    The name alone tells: IM10.orig is that of IM10, and of IM1 only if there is no IM10.
    """
    folder, name = os.path.split(kept)
    ends = range(len(name) - 1, 0, -1)
    paths = (os.path.join(folder, name[:end]) for end in ends)  # noqa: PTH118 - it is a text
    return next((path for path in paths if os.path.lexists(path)), None)


def _read_list[Found](
    folder: str | Path, read: Callable[[str, tuple[int, int, int]], Found]
) -> Found | None:
    """Return what `read` returns of a folder's list and its version; None if it has none."""
    path = os.path.join(folder, LIST_NAME)  # noqa: PTH118 - it is hot
    try:
        found = os.lstat(path)
        if stat.S_ISREG(found.st_mode):
            return read(path, (found.st_ino, found.st_size, found.st_mtime_ns))
    except FileNotFoundError:
        pass
    return None


@lru_cache(maxsize=2)
def _read_digests(path: str, version: tuple[int, int, int]) -> dict[str, list[str]]:  # noqa: ARG001
    listed: dict[str, list[str]] = {}
    with open(path, "rb") as lines:  # noqa: PTH123 - it is hot
        for line in lines:
            name = _name(line)
            if name is not None:
                digest = line.removeprefix(b"\\")[:_DIGEST_LENGTH].decode("ascii", "replace")
                listed.setdefault(digest, []).append(os.fsdecode(name))
    return listed


@lru_cache(maxsize=2)
def _read_sorted(path: str, version: tuple[int, int, int]) -> list[tuple[str, str]]:
    listed = _read_digests(path, version)
    return sorted((name, digest) for digest, names in listed.items() for name in names)


def remove_unused_list(folder: Path) -> None:
    """Remove a folder's list if none of the files that it names is there.

    Raises:
        OSError: it cannot be read or removed.
    """
    listed = [name for names in read_kept_digests(folder).values() for name in names]
    if listed and not any(os.path.lexists(folder / name) for name in listed):
        (folder / LIST_NAME).unlink()


def _open(path: Path, flags: int) -> int:
    try:
        descriptor = os.open(path, flags | NO_LINK | NO_WAIT | BINARY, 0o666)
    except OSError as cause:
        if cause.errno not in {errno.EACCES, errno.EPERM, errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise
        raise _make_unavailable(path) from cause
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _make_unavailable(path)
    return descriptor


def _make_unavailable(path: Path) -> TargetUnavailableError:
    return TargetUnavailableError(
        "the list of kept originals may not be written to, or is not a file", path=str(path)
    )


def _read(path: str, version: tuple[int, int, int]) -> KeptNames:
    names = _make_names(path)
    names.update(path, version)
    return names


@lru_cache(maxsize=2)
def _make_names(path: str) -> KeptNames:  # noqa: ARG001 - the cache has them by it
    return KeptNames()


def _format_line(name: str, digest: str) -> bytes:
    encoded = os.fsencode(name)
    escaped = b"".join(_ESCAPED.get(bytes([byte]), bytes([byte])) for byte in encoded)
    return (b"\\" if escaped != encoded else b"") + f"{digest}  ".encode() + escaped + b"\n"


def _name(line: bytes) -> bytes | None:
    """Return the name in a line; None if it is damaged, as after a power cut."""
    escaped = line.startswith(b"\\")
    text = line[1:] if escaped else line
    if len(text) <= _DIGEST_LENGTH + 3 or not text.endswith(b"\n"):
        return None
    name = text[_DIGEST_LENGTH + 2 : -1]
    if not escaped:
        return name
    parts = name.split(b"\\\\")
    return b"\\".join(part.replace(b"\\n", b"\n").replace(b"\\r", b"\r") for part in parts)
