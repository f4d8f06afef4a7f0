"""Open files and name results beneath a root, by descriptor.

Whoever may write beneath a root can exchange a folder for a link between a check of its path and
its use. So a folder is opened component by component from the root, no component may be a link, and
whatever is done in it afterwards is done by its descriptor. The root itself belongs to whoever
named it, and may be a link.

On Linux a descriptor of a folder is also the start of a path, /proc/self/fd/N, which stands for the
opened folder whatever happens to its name. Paths of this kind work with calls that take no `dir_fd`
(extended attributes, exchanging names) too. Systems without it use names.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, partial
from pathlib import Path, PosixPath

from dicodec.errors import PathNotAllowedError, SourceUnavailableError
from dicodec.model.platforms import BINARY, NO_LINK, NO_WAIT, is_own, read_at
from dicodec.model.records import dataclass

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO, Self

    from _typeshed import StrPath

_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", 0)
_FOUND = os.O_RDONLY | NO_WAIT | BINARY
"""How a source is opened: never waiting for the other end of a pipe."""


@dataclass(frozen=True, slots=True)
class Beneath:
    """The place of a file beneath a root.

    Attributes:
        root: path of a folder, which may lead through links.
        relative: path from there, through no link when it was resolved.
    """

    root: str
    relative: str

    @classmethod
    def resolve(cls, path: str, roots: Iterable[str]) -> Self | None:
        """Return the place of a path beneath the first root that it leads to; None if to none.

        Args:
            path: path of a file, which need not exist.
            roots: paths of folders, without links.

        Raises:
            OSError, ValueError: the path cannot be followed.
        """
        real = os.path.realpath(path)
        for root in roots:
            start = root.rstrip("/") + "/"
            if real.startswith(start):
                return cls(root, real.removeprefix(start))
        return None

    @classmethod
    def of(cls, path: str, root: str) -> Self:
        """Return the place of a path that begins with that of its root."""
        start = root.rstrip("/") + "/"
        if not path.startswith(start):
            raise ValueError(f"{path!r} does not begin with {root!r}")
        return cls(root, path.removeprefix(start).lstrip("/"))

    @property
    def path(self) -> str:
        """The path for people and records."""
        return os.path.join(self.root, self.relative)  # noqa: PTH118 - it is hot


class _OpenFolder:
    """A folder that stays open as long as a path in it is in use.

    Args:
        descriptor: of the folder.
        path: its path for people.
    """

    __slots__ = ("descriptor", "path", "prefix", "reached_by")

    def __init__(self, descriptor: int, path: str) -> None:
        self.descriptor = descriptor
        self.path = path
        self.prefix = "" if path == "." else path.rstrip("/") + "/"
        self.reached_by = f"/proc/self/fd/{descriptor}" if _has_descriptor_paths() else path

    def __del__(self) -> None:
        os.close(self.descriptor)

    @property
    def removed(self) -> bool:
        """Whether nobody can reach the folder by a name any more."""
        return os.fstat(self.descriptor).st_nlink == 0


class OpenFolders:
    """Folders that stay open for several results, which are opened once for all of them.

    A folder that is renamed meanwhile is still the one that they go to; so let that not be long.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[str, ...], _OpenFolder] = {}

    def find(self, root: str, parts: Sequence[str]) -> _OpenFolder | None:
        """Return a folder that was added, unless it was removed meanwhile."""
        found = self._open.get((root, *parts))
        return None if found is None or found.removed else found

    def add(self, root: str, parts: Sequence[str], folder: _OpenFolder) -> None:
        """Keep a folder open."""
        self._open[root, *parts] = folder

    def clear(self) -> None:
        """Let go of all, which are closed with the last path in them."""
        self._open.clear()


class PinnedPath(PosixPath):
    """The path of an entry of an open folder: for people by name, for the system by descriptor.

    `str` shows the name that the folder had when it was opened; calls of the operating system get
    the open folder. Links are not followed: an entry that is a link is one, in `stat` too.
    """

    _folder: _OpenFolder
    _entry: str
    _reached_by: str

    @classmethod
    def in_folder(cls, folder: _OpenFolder, name: str) -> Self:
        """Return the path of an entry; of the folder itself if the name is empty.

        Raises:
            ValueError: the name is not one of an entry.
        """
        if name in {".", ".."} or "/" in name:
            raise ValueError(f"{name!r} is not the name of a file")
        path = cls(folder.prefix + name if name else folder.path)
        path._folder = folder
        path._entry = name
        path._reached_by = f"{folder.reached_by}/{name or '.'}"
        return path

    def with_segments(self, *segments: StrPath) -> Path:  # type: ignore[override]
        """Return a path in the same folder pinned as this one; any other as it is."""
        path = Path(*segments)
        if str(path) == self._folder.path:
            return self.in_folder(self._folder, "")
        if str(path.parent) == self._folder.path:
            return self.in_folder(self._folder, path.name)
        return path

    def with_name(self, name: str) -> Path:  # type: ignore[override]
        """Return the path of another entry of the folder; of the folder itself, as in Path."""
        if not name or str(self) == self._folder.path:
            return super().with_name(name)
        return self.in_folder(self._folder, name)  # in a tenth of the time

    # Those that follow do as in Path, with fewer steps, or by a shorter way of the system.

    def __str__(self) -> str:
        return self._folder.prefix + self._entry if self._entry else self._folder.path

    @property
    def name(self) -> str:
        """The name of the entry."""
        return self._entry or super().name

    def open_descriptor(self, flags: int, mode: int) -> int:
        """Open the entry, as `os.open` does."""
        return os.open(self._entry or ".", flags, mode, dir_fd=self._folder.descriptor)

    def link_as(self, other: PinnedPath) -> None:
        """Give the entry a second name, as `os.link` does."""
        os.link(
            self._entry,
            other._entry,
            src_dir_fd=self._folder.descriptor,
            dst_dir_fd=other._folder.descriptor,
            follow_symlinks=False,
        )

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the entry, as in Path."""
        with suppress(FileNotFoundError) if missing_ok else nullcontext():
            os.unlink(self._entry or ".", dir_fd=self._folder.descriptor)

    def __fspath__(self) -> str:
        return self._reached_by

    def __reduce__(self) -> tuple[type[Path], tuple[str]]:
        raise TypeError("an open folder belongs to its process")

    def resolve(self, strict: bool = False) -> Self:  # noqa: ARG002 - as in Path
        """Return this path: no part of it is a link that may be followed."""
        return self

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:  # noqa: ARG002
        """Return the state of the entry itself, also if it is a link."""
        return self.lstat()

    def lstat(self) -> os.stat_result:
        """Return the same as `stat`."""
        folder = self._folder.descriptor
        return os.stat(self._entry or ".", dir_fd=folder, follow_symlinks=False)


class PinnedFile(os.PathLike[str]):
    """An open regular file as a source that can be opened again and again.

    Args:
        descriptor: of the file, for reading; its owner closes it.
        path: its path for people.
        status: the operating system's record of it when it was opened.
    """

    def __init__(self, descriptor: int, path: str, status: os.stat_result) -> None:
        self._descriptor = descriptor
        self._path = path
        self.status = status

    @property
    def descriptor(self) -> int:
        """The descriptor; reads state their offset, because others may use it too."""
        return self._descriptor

    def __str__(self) -> str:
        return self._path

    def __fspath__(self) -> str:
        return f"/proc/self/fd/{self._descriptor}" if _has_descriptor_paths() else self._path


def show_path(given: str | os.PathLike[str]) -> str:
    """Return a path as people and records have it."""
    return str(given) if isinstance(given, PinnedPath | PinnedFile) else os.fspath(given)


def to_path(given: str | os.PathLike[str]) -> Path:
    """Return a path as an object; a pinned one stays pinned."""
    return given if isinstance(given, Path) else Path(given)


@contextmanager
def open_beneath(place: Beneath) -> Iterator[PinnedFile]:
    """Open a regular file beneath a root, for reading.

    Raises:
        PathNotAllowedError: it is not a regular file, or a link has taken the place of a folder.
        SourceUnavailableError: it is not there, or may not be read.
    """
    folder, name = _split(place)
    try:
        if folder:
            opened = _open_folder(place.root, folder)
            descriptor = os.open(name, _FOUND | NO_LINK, dir_fd=opened.descriptor)
        else:  # only the root lies in between, which may be a link
            root = place.root.rstrip("/")
            descriptor = os.open(f"{root}/{name}", _FOUND | NO_LINK)
    except (OSError, ValueError) as cause:
        raise _translate(cause, place.path) from cause
    try:
        yield _pin(descriptor, place.path)
    finally:
        os.close(descriptor)


@contextmanager
def open_found(path: str) -> Iterator[PinnedFile]:
    """Open a regular file that was found in a folder, whose links may be followed.

    Raises:
        PathNotAllowedError: it is not a regular file any more.
        SourceUnavailableError: it is not there any more, or may not be read.
    """
    try:
        descriptor = os.open(path, _FOUND)
    except (OSError, ValueError) as cause:
        raise _translate(cause, path) from cause
    try:
        yield _pin(descriptor, path)
    finally:
        os.close(descriptor)


def _pin(descriptor: int, path: str) -> PinnedFile:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise _make_special(path)
    return PinnedFile(descriptor, path, status)


def pin_target(
    place: Beneath,
    *,
    makes_folders: bool = True,
    synced: bool = True,
    folders: OpenFolders | None = None,
) -> PinnedPath:
    """Return the path of a result beneath a root, in its folder, which stays open.

    Args:
        place: place of the result.
        makes_folders: whether folders that are missing are made.
        synced: whether new folders survive a power cut, which has to be waited for.
        folders: those that are open for other results; the result's is added.

    Raises:
        PathNotAllowedError: a link has taken the place of a folder.
        OSError: a folder is missing, or cannot be opened or made.
    """
    folder, name = _split(place)
    opened = None if folders is None else folders.find(place.root, folder)
    try:
        if opened is None:
            opened = _open_folder(place.root, folder, makes=makes_folders, synced=synced)
            if folders is not None:
                folders.add(place.root, folder, opened)
        return PinnedPath.in_folder(opened, name)
    except OSError as cause:
        if cause.errno == errno.ELOOP:
            raise _make_led_away(place.path) from cause
        raise


_HEAD_SIZE = 128
"""Bytes by which a file shows whether it is ours."""


def open_private(path: StrPath, *, is_ours: Callable[[bytes], bool] | None = None) -> BinaryIO:
    """Open a file of our own for reading and writing, which only its owner may use.

    A file that is missing is made. One that is there keeps its content.

    Args:
        path: of the file.
        is_ours: tells by its first 128 bytes whether a file that somebody named is one of ours;
            if not, it keeps its mode.

    Raises:
        OSError: a link, or another kind of file, has its name; or it cannot be made or opened.
    """
    return open(path, "r+b", buffering=0, opener=partial(_open_private, is_ours=is_ours))


def _open_private(path: str, _: int, *, is_ours: Callable[[bytes], bool] | None) -> int:
    flags = os.O_RDWR | os.O_CREAT | NO_WAIT | BINARY | NO_LINK
    descriptor = os.open(path, flags, 0o600)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        private = not found.st_mode & 0o077 or not is_own(found) or not hasattr(os, "fchmod")
        if not private and (is_ours is None or is_ours(read_at(descriptor, _HEAD_SIZE, 0))):
            os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def touch(path: StrPath) -> None:
    """Set the time of a file to now, and make it if it is missing; a link there is not followed.

    Raises:
        OSError: a link has its name, or it cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | NO_WAIT | BINARY | NO_LINK
    descriptor = os.open(path, flags, 0o644)
    try:
        os.utime(descriptor)
    finally:
        os.close(descriptor)


def follow_named(path: str) -> str:
    """Return the path of a file of ours that a user has named; a link there is the user's own."""
    return os.path.realpath(path) if os.path.islink(path) else path  # noqa: PTH114 - it is a text


def make_folders(path: StrPath, mode: int = 0o777, *, synced: bool = True) -> None:
    """Make a folder, and those above it that are missing.

    Args:
        path: path of the folder.
        mode: permission bits of the new folders, before the process's mask.
        synced: whether they survive a power cut, which has to be waited for.

    Raises:
        OSError: one cannot be made.
    """
    folder = os.path.abspath(path)  # noqa: PTH100 - links stay
    missing = [folder]
    while missing:
        try:
            os.mkdir(missing[-1], mode)  # noqa: PTH102 - it is hot
        except FileNotFoundError:
            missing.append(os.path.dirname(missing[-1]))  # noqa: PTH120
            continue
        except OSError:  # it is there, or on a file system that is read-only
            if not os.path.isdir(missing[-1]):  # noqa: PTH112
                raise
        else:
            if synced:
                sync_names(os.path.dirname(missing[-1]))  # noqa: PTH120
        missing.pop()


def _split(place: Beneath) -> tuple[list[str], str]:
    *folder, name = place.relative.split("/")
    if not name or not {"", ".", ".."}.isdisjoint(folder):
        raise PathNotAllowedError("the path does not name a file", path=place.path)
    return folder, name


def _open_folder(
    root: str, parts: list[str], *, makes: bool = False, synced: bool = True
) -> _OpenFolder:
    descriptor = os.open(root, _FOLDER)
    try:
        for part in parts:
            below = _open_part(descriptor, part, makes=makes, synced=synced)
            os.close(descriptor)
            descriptor = below
    except BaseException:
        os.close(descriptor)
        raise
    return _OpenFolder(descriptor, str(Path(root, *parts)))


def _open_part(folder: int, name: str, *, makes: bool, synced: bool) -> int:
    try:
        return os.open(name, _FOLDER | NO_LINK, dir_fd=folder)
    except FileNotFoundError:
        if not makes:
            raise
    except NotADirectoryError:
        if not stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
    with suppress(FileExistsError):  # another process has made it just now
        os.mkdir(name, dir_fd=folder)
        if synced:
            sync_names(".", folder)
    return _open_part(folder, name, makes=False, synced=synced)


def sync_names(path: StrPath, folder: int | None = None) -> None:
    """Wait until the names in a folder are on the disk.

    Args:
        path: path of the folder.
        folder: descriptor of the folder that the path begins in; None for the current one.
    """
    with suppress(OSError):  # it may not be listed, or its file system cannot sync folders
        descriptor = os.open(path, os.O_RDONLY, dir_fd=folder)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@cache
def _has_descriptor_paths() -> bool:
    return sys.platform == "linux" and os.path.isdir("/proc/self/fd")  # noqa: PTH112


def _translate(
    cause: OSError | ValueError, path: str
) -> PathNotAllowedError | SourceUnavailableError:
    """Return our error for one of opening a source."""
    if isinstance(cause, ValueError):
        return SourceUnavailableError("the source's name holds a NUL", path=path)
    if cause.errno == errno.ELOOP:
        return _make_led_away(path)
    if cause.errno == errno.ENXIO:  # a socket, or a device without a driver
        return _make_special(path)
    missing = cause.errno in {errno.ENOENT, errno.ENOTDIR}
    text = "does not exist" if missing else f"cannot be opened: {cause.strerror}"
    return SourceUnavailableError(f"the source {text}", path=path)


def _make_led_away(path: str) -> PathNotAllowedError:
    return PathNotAllowedError(
        "a symbolic link in the path leads out of its folder, or has just been put there",
        path=path,
    )


def _make_special(path: str) -> PathNotAllowedError:
    return PathNotAllowedError(
        "it is not a regular file but a folder, a pipe, a socket or a device", path=path
    )
