"""What is in folders, in an order that does not depend on the file system, in bounded memory."""

from __future__ import annotations

import heapq
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from dicodec.batch.ledger.tables import LEDGER_NAME
from dicodec.batch.sources.references import SourceReference
from dicodec.conversion.output.part_file import is_part_file
from dicodec.errors import SourceUnavailableError

HIDDEN, LINK, LOOP, SPECIAL, OUTPUT = "hidden", "symbolic-link", "link-loop", "special", "output"
BACKUP = "backup"
"""Why something in a folder is passed over."""

_NAMES_HELD = 50_000
"""Names of one folder that are sorted in memory; more are sorted in runs, in temporary files."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Something that no conversion is tried with.

    Attributes:
        path: a file or a folder; what is in a folder is passed over with it.
        reason: one of the constants above.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file.

    Attributes:
        reference: to it.
        relative: its path from the folder that was named.
    """

    reference: SourceReference
    relative: str


type Entry = Found | PassedOver | SourceUnavailableError


@dataclass(frozen=True, slots=True)
class WalkRules:
    """How folders are walked.

    Attributes:
        hidden: whether names that begin with a dot are taken too.
        follow_links: whether symbolic links are followed; a link to a folder that is being walked
            is not.
        excluded: (device, inode) of folders that are not entered.
        backup: suffix of the names of originals that this run, or one before it, keeps.
    """

    hidden: bool = False
    follow_links: bool = True
    excluded: frozenset[tuple[int, int]] = frozenset()
    backup: str | None = None


def walk(folder: str, rules: WalkRules) -> Iterator[Entry]:
    """Yield all files below a folder, in the order of their names' bytes, folders where they stand.

    Memory does not grow with the number of files. What cannot be listed is yielded as an error.
    """
    yield from _walk(folder, "", rules, ())


def _walk(
    folder: str, relative: str, rules: WalkRules, above: tuple[tuple[int, int], ...]
) -> Iterator[Entry]:
    try:
        found = os.stat(folder)  # noqa: PTH116 - path objects cost more than the calls
        identity = (found.st_dev, found.st_ino)
        if identity in rules.excluded or identity in above:
            yield PassedOver(folder, OUTPUT if identity in rules.excluded else LOOP)
            return
        with ExitStack() as spools, os.scandir(folder) as entries:
            names = _sorted((os.fsencode(entry.name) for entry in entries), spools)
            for encoded in names:
                name = os.fsdecode(encoded)
                path, below = os.path.join(folder, name), relative + name  # noqa: PTH118
                yield from _entry(path, below, rules, (*above, identity))
    except OSError as cause:
        yield _unavailable(folder, cause)


def _entry(
    path: str, relative: str, rules: WalkRules, above: tuple[tuple[int, int], ...]
) -> Iterator[Entry]:
    name = relative.rpartition("/")[2]
    if name.startswith("."):
        if name.startswith(LEDGER_NAME) or is_part_file(name):
            return  # our own
        if not rules.hidden:
            yield PassedOver(path, HIDDEN)
            return
    if rules.backup is not None and name.endswith(rules.backup):
        yield PassedOver(path, BACKUP)
        return
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            if not rules.follow_links:
                yield PassedOver(path, LINK)
                return
            found = os.stat(path)  # noqa: PTH116
    except OSError as cause:
        yield _unavailable(path, cause)
        return
    if stat.S_ISDIR(found.st_mode):
        yield from _walk(path, f"{relative}/", rules, above)
    elif stat.S_ISREG(found.st_mode):
        yield Found(SourceReference(path, found.st_size, found.st_mtime_ns), relative)
    else:
        yield PassedOver(path, SPECIAL)


def _unavailable(path: str, cause: OSError) -> SourceUnavailableError:
    return SourceUnavailableError(f"cannot be listed: {cause.strerror or cause}", path=path)


def _sorted(names: Iterable[bytes], spools: ExitStack) -> Iterator[bytes]:
    """Return names in order; of very many, all but a few are in files meanwhile."""
    runs: list[Iterator[bytes]] = []
    held: list[bytes] = []
    for name in names:
        held.append(name)
        if len(held) == _NAMES_HELD:
            runs.append(_run(sorted(held), spools))
            held = []
    held.sort()
    return heapq.merge(*runs, held) if runs else iter(held)


def _run(names: list[bytes], spools: ExitStack) -> Iterator[bytes]:
    spool = spools.enter_context(tempfile.TemporaryFile(prefix="dicodec-names-"))  # noqa: SIM115
    # A name can hold a line feed, so it is a slash, which none can hold, that goes for one here.
    spool.writelines(name.replace(b"\n", b"/") + b"\n" for name in names)
    spool.seek(0)
    return _lines(spool)


def _lines(spool: BinaryIO) -> Iterator[bytes]:
    for line in spool:
        yield line[:-1].replace(b"/", b"\n")
