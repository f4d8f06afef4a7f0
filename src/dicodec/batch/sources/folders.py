"""Walk folders in an order that does not depend on the file system, in bounded memory."""

from __future__ import annotations

import heapq
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import BinaryIO

from dicodec.batch.ledger.tables import LEDGER_NAME
from dicodec.batch.sources.references import SourceReference
from dicodec.conversion.output.kept_originals import LIST_NAME, is_kept_original, read_kept_names
from dicodec.conversion.output.part_file import is_part_file
from dicodec.errors import SourceUnavailableError
from dicodec.model.records import dataclass

HIDDEN, LINK, LOOP, SPECIAL, OUTPUT = "hidden", "symbolic-link", "link-loop", "special", "output"
BACKUP = "backup"
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
    """Options for walking folders.

    Attributes:
        hidden: whether to take names that begin with a dot.
        follow_links: whether to follow symbolic links; links to a folder above are never followed.
        excluded: (device, inode) of folders that are not entered.
        backup: suffix of the names of originals that this run keeps, which are skipped; None for
            none. Those that any run kept are skipped too, because their folder lists them.
    """

    hidden: bool = False
    follow_links: bool = True
    excluded: frozenset[tuple[int, int]] = frozenset()
    backup: str | None = None


def walk(folder: str, options: WalkOptions) -> Iterator[FolderEntry]:
    """Yield all files below a folder, in the order of the bytes of their names.

    Memory does not grow with the number of files. A folder that cannot be listed is yielded as an
    error.
    """
    yield from _walk(folder, "", options, ())


def _walk(
    folder: str, relative: str, options: WalkOptions, above: tuple[tuple[int, int], ...]
) -> Iterator[FolderEntry]:
    try:
        found = os.stat(folder)  # noqa: PTH116 - path objects cost more than the calls
        identity = (found.st_dev, found.st_ino)
        if identity in options.excluded or identity in above:
            yield PassedOver(folder, OUTPUT if identity in options.excluded else LOOP)
            return
        kept = read_kept_names(folder)
        with ExitStack() as spools, os.scandir(folder) as entries:
            names = _sort((os.fsencode(entry.name) for entry in entries), spools)
            for encoded in names:
                name = os.fsdecode(encoded)
                path, below = os.path.join(folder, name), relative + name  # noqa: PTH118
                if name in kept:
                    yield PassedOver(path, BACKUP)
                else:
                    yield from _check(path, below, options, (*above, identity))
    except OSError as cause:
        yield _make_error(folder, cause)


def _check(
    path: str, relative: str, options: WalkOptions, above: tuple[tuple[int, int], ...]
) -> Iterator[FolderEntry]:
    name = relative.rpartition("/")[2]
    if name.startswith("."):
        if name.startswith(LEDGER_NAME) or name == LIST_NAME or is_part_file(name):
            return  # a ledger, a list or a part file of ours
        if not options.hidden:
            yield PassedOver(path, HIDDEN)
            return
    if options.backup is not None and name.endswith(options.backup):
        yield PassedOver(path, BACKUP)
        return
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            if not options.follow_links:
                yield PassedOver(path, LINK)
                return
            found = os.stat(path)  # noqa: PTH116
            if is_kept_original(os.path.realpath(path)):
                yield PassedOver(path, BACKUP)
                return
    except OSError as cause:
        yield _make_error(path, cause)
        return
    if stat.S_ISDIR(found.st_mode):
        yield from _walk(path, f"{relative}/", options, above)
    elif stat.S_ISREG(found.st_mode):
        root = None if options.follow_links else path[: -len(relative) - 1] or "/"
        reference = SourceReference(path, found.st_size, found.st_mtime_ns, root=root)
        yield FoundFile(reference, relative)
    else:
        yield PassedOver(path, SPECIAL)


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
    return heapq.merge(*runs, held) if runs else iter(held)


def _spool_run(names: list[bytes], spools: ExitStack) -> Iterator[bytes]:
    spool = spools.enter_context(tempfile.TemporaryFile(prefix="dicodec-names-"))  # noqa: SIM115
    # A name can hold a line feed but not a slash, so a slash stands for a line feed here.
    spool.writelines(name.replace(b"\n", b"/") + b"\n" for name in names)
    spool.seek(0)
    return _read_names(spool)


def _read_names(spool: BinaryIO) -> Iterator[bytes]:
    for line in spool:
        yield line[:-1].replace(b"/", b"\n")
