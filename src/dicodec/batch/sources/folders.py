"""Walk folders in an order that does not depend on the file system, in bounded memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from dicodec.batch.ledger.tables import LEDGER_NAMES
from dicodec.batch.sources.references import SourceReference
from dicodec.conversion.output.kept_originals import LIST_NAME, is_kept_original, read_kept_names
from dicodec.conversion.output.part_file import is_part_file
from dicodec.errors import SourceUnavailableError
from dicodec.model.records import dataclass

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO

HIDDEN, LINK, LOOP, SPECIAL, OUTPUT = "hidden", "symbolic-link", "link-loop", "special", "output"
BACKUP, NAMED_BACKUP = "backup", "named-backup"
"""Reasons for skipping a file or folder."""

_NAMES_HELD = 50_000
"""Names of one folder that are sorted in memory; more names are sorted in temporary files."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file or folder that is skipped.

    Attributes:
        path: its path; everything in a folder is skipped with it.
        reason: one of the constants above.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file in a folder.

    Attributes:
        reference: the file.
        relative: its path from the walked folder.
    """

    reference: SourceReference
    relative: str


type FolderEntry = FoundFile | PassedOver | SourceUnavailableError


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """Options for walking folders, and for listing the objects below a prefix.

    Attributes:
        hidden: whether to take names that begin with a dot.
        follow_links: whether to follow symbolic links; links to a folder above are never followed.
        excluded: (device, inode) of folders that are not entered.
        backup: suffix of the names of originals that this run keeps, which are skipped; None for
            none. Those that any run kept are skipped too, because their folder lists them.
        skips_named_backups: whether those that any run kept are skipped though they are named.
        own_folders, own_files: (device, inode) of folders, and paths without links of files, that
            are sources of their own: a walk leaves them out without a word, unless it begins there.
        own_objects: URLs of objects and prefixes that are sources of their own, likewise.
    """

    hidden: bool = False
    follow_links: bool = True
    excluded: frozenset[tuple[int, int]] = frozenset()
    backup: str | None = None
    skips_named_backups: bool = False
    own_folders: frozenset[tuple[int, int]] = frozenset()
    own_files: frozenset[str] = frozenset()
    own_objects: frozenset[str] = frozenset()


def walk(folder: str, options: WalkOptions) -> Iterator[FolderEntry]:
    """Yield all files below a folder, in the order of the bytes of their names.

    Memory does not grow with the number of files. A folder that cannot be listed, because its path
    is too long for the system for example, is yielded as an error.
    """
    open_folders: list[Iterator[FolderEntry | _Below]] = []
    above: list[tuple[int, int]] = []
    entry: FolderEntry | _Below | None = _Below(folder, "")
    while True:  # a stack and no recursion: folders may be deeper than Python's calls
        if isinstance(entry, _Below):
            open_folders.append(_list(entry, options, above))
        elif entry is not None:
            yield entry
        while (entry := next(open_folders[-1], None)) is None:
            open_folders.pop()
            if not open_folders:
                return


@dataclass(frozen=True, slots=True)
class _Below:
    """A folder that is walked next; its path, and the beginning of those of its entries."""

    path: str
    relative: str


def _list(
    folder: _Below, options: WalkOptions, above: list[tuple[int, int]]
) -> Iterator[FolderEntry | _Below]:
    """Yield the entries of one folder; meanwhile its identity is among those above."""
    try:
        found = os.stat(folder.path)  # noqa: PTH116 - path objects cost more than the calls
        identity = (found.st_dev, found.st_ino)
        if above and identity in options.own_folders:
            return
        if identity in options.excluded or identity in above:
            yield PassedOver(folder.path, OUTPUT if identity in options.excluded else LOOP)
            return
        kept = read_kept_names(folder.path)
        with ExitStack() as spools:
            with os.scandir(folder.path) as entries:
                names = _sort((os.fsencode(entry.name) for entry in entries), spools)
            above.append(identity)
            for encoded in names:
                name = os.fsdecode(encoded)
                path, below = os.path.join(folder.path, name), folder.relative + name  # noqa: PTH118
                if name in kept:
                    yield PassedOver(path, BACKUP)
                elif (entry := _look_at(path, below, options)) is not None:
                    yield entry
            above.pop()
    except OSError as cause:
        yield _make_error(folder.path, cause)


def _look_at(path: str, relative: str, options: WalkOptions) -> FolderEntry | _Below | None:
    """Return an entry of a folder; None if it is a file of ours."""
    name = relative.rpartition("/")[2]
    if name.startswith("."):
        if name.startswith(LEDGER_NAMES) or name == LIST_NAME or is_part_file(name):
            return None  # a ledger, a list or a part file of ours
        if not options.hidden:
            return PassedOver(path, HIDDEN)
    if options.backup is not None and name.endswith(options.backup):
        return PassedOver(path, BACKUP)
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            if not options.follow_links:
                return PassedOver(path, LINK)
            found = os.stat(path)  # noqa: PTH116
            if is_kept_original(os.path.realpath(path)):
                return PassedOver(path, BACKUP)
    except OSError as cause:
        return _make_error(path, cause)
    if stat.S_ISDIR(found.st_mode):
        return _Below(path, f"{relative}/")
    if not stat.S_ISREG(found.st_mode):
        return PassedOver(path, SPECIAL)
    if options.own_files and os.path.realpath(path) in options.own_files:
        return None
    root = None if options.follow_links else path[: -len(relative) - 1] or "/"
    reference = SourceReference(path, found.st_size, found.st_mtime_ns, root=root)
    return FoundFile(reference, relative)


def _make_error(path: str, cause: OSError) -> SourceUnavailableError:
    return SourceUnavailableError(f"cannot be listed: {cause.strerror or cause}", path=path)


def _sort(names: Iterable[bytes], spools: ExitStack) -> Iterator[bytes]:
    """Return names in order; if there are very many, most of them are in files meanwhile."""
    runs: list[Iterator[bytes]] = []
    held: list[bytes] = []
    for name in names:
        held.append(name)
        if len(held) == _NAMES_HELD:
            runs.append(_spool_run(sorted(held), spools))
            held = []
    held.sort()
    if not runs:
        return iter(held)
    from heapq import merge

    return merge(*runs, held)


def _spool_run(names: list[bytes], spools: ExitStack) -> Iterator[bytes]:
    import tempfile

    spool = spools.enter_context(tempfile.TemporaryFile(prefix="dicodec-names-"))  # noqa: SIM115
    # A name can hold a line feed but not a slash, so a slash stands for a line feed here.
    spool.writelines(name.replace(b"\n", b"/") + b"\n" for name in names)
    spool.seek(0)
    return _read_names(spool)


def _read_names(spool: BinaryIO) -> Iterator[bytes]:
    for line in spool:
        yield line[:-1].replace(b"/", b"\n")
