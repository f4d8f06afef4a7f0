"""Put the originals back that `--backup` kept beside their results, each one after its digest."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from shlex import quote

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.resume import find_kept_original
from dicodec.batch.ledger.tables import LedgerEntry, State
from dicodec.batch.sources.locations import resolve_links
from dicodec.conversion.output.kept_originals import (
    find_kept_beside,
    find_owner,
    read_kept_digests,
    remove_unused_list,
)
from dicodec.conversion.output.original import digest_open_file
from dicodec.model.platforms import BINARY, NO_LINK, NO_WAIT
from dicodec.model.records import NamedTuple, StrEnum, replace
from dicodec.model.source_names import is_object_url
from dicodec.part10.beneath import sync_names

_SAMPLES = 100
"""Files that are looked for where a ledger's folder may have been moved to."""

_TOGETHER = 200
"""Files after which their folders are synced, and the ledger says that they are restored."""


class Refusal(StrEnum):
    """Why an original is not put back."""

    NOT_KEPT = "not-kept"
    KEPT_CHANGED = "kept-changed"
    RESULT_CHANGED = "result-changed"
    TIME_CHANGED = "time-changed"
    UNFINISHED = "unfinished"
    OBJECT = "object-storage"
    UNWRITABLE = "target-unavailable"


class Restoration(NamedTuple):
    """What became of one file.

    Attributes:
        path: the file.
        kept: where its original was; "" if that is not known.
        done: whether its original is back, or would be in a dry run.
        before: whether it was back already.
        refusal: why it is not put back; None if it is.
        detail: more about that, for people.
    """

    path: str
    kept: str = ""
    done: bool = False
    before: bool = False
    refusal: Refusal | None = None
    detail: str = ""


def restore(
    ledger: Ledger, *, overwrite: bool, dry_run: bool, interruptions: Callable[[], int]
) -> Iterator[Restoration]:
    """Put the originals of all files back that the ledger has as replaced.

    A file takes its name in one step, and the ledger is told after that. So the same call goes on
    after an interruption, whatever moment it came at.

    Args:
        ledger: of the batch that replaced them, open for writing unless it is a dry run.
        overwrite: whether results are given up that were changed since.
        dry_run: whether nothing is changed; originals are read all the same.
        interruptions: returns the number of interruptions; after the first one no file is begun.

    Raises:
        WriteError: the ledger cannot be written.
    """
    waiting: list[str] = []
    folders: set[str] = set()
    move = _find_move(ledger)
    entries = [
        entry.source
        for entry, _ in ledger.read_entries()
        if _was_replaced(entry) or find_kept_original(move.follow(entry)) is not None
    ]
    for source in entries:
        if interruptions():
            break
        entry = ledger.find(source)
        assert entry is not None, "it was just read"
        found = _restore(move.follow(entry), overwrite=overwrite, dry_run=dry_run)
        if found.done and not dry_run:
            waiting.append(source)
            folders.add(os.path.dirname(found.path))  # noqa: PTH120 - it is hot
        if len(waiting) >= _TOGETHER:
            _finish(ledger, waiting, folders)
        yield found
    _finish(ledger, waiting, folders)


def _was_replaced(entry: LedgerEntry) -> bool:
    """Whether a file's result took its place, and no later run has replaced that."""
    if is_object_url(entry.target):
        return entry.state is State.DONE and entry.source == entry.target
    if not entry.source_digest or entry.target is None or entry.state is State.RESTORED:
        return False
    if entry.state not in {State.DONE, State.SKIPPED}:  # of those skipped, a DICOMDIR has a digest
        now = (entry.source_size, entry.source_modified)
        if now != (entry.target_size, entry.target_modified):
            return False
        if entry.source_digest == entry.target_digest:  # `--digests` of a file that was right
            return False
    return resolve_links(entry.source) == resolve_links(entry.target)


class _Move(NamedTuple):
    """A move of a folder with its ledger, which has the paths from before.

    Attributes:
        before: the folder as the ledger has it; "" if nothing was moved.
        now: the folder as it is.
    """

    before: str = ""
    now: str = ""

    def follow(self, entry: LedgerEntry) -> LedgerEntry:
        """Return the entry of a file that was replaced, with the path that the file has now."""
        place = self.follow_path(entry.target or "")
        if not place or resolve_links(entry.source) != entry.target:
            return entry
        return replace(entry, source=place, target=place)

    def follow_path(self, path: str) -> str:
        """Return the path that a file has now; "" if it was not moved."""
        beneath = self.before and path.startswith(f"{self.before}{os.sep}")
        return self.now + path[len(self.before) :] if beneath else ""


def _find_move(ledger: Ledger) -> _Move:
    """Return the move of a ledger's folder, if the folder is no more where the ledger has it.

    It is believed if the list of kept originals at the new place has the SHA-256 that the ledger
    has of a replaced file. Each original is compared with its own, before it is put back.
    """
    common = ""
    samples: list[tuple[str, str]] = []
    for entry, _ in ledger.read_entries():
        path, digest = entry.target, entry.source_digest
        if path is None or digest is None or is_object_url(path) or not _was_replaced(entry):
            continue
        folder = os.path.dirname(path)  # noqa: PTH120 - it is a text
        if os.path.lexists(folder):
            return _Move()
        try:
            common = os.path.commonpath([common or folder, folder])
        except ValueError:  # they are on several drives of Windows
            return _Move()
        if len(samples) < _SAMPLES:
            samples.append((path, digest))
    now = os.path.dirname(os.path.realpath(ledger.path))  # noqa: PTH120
    for before in (common, *map(str, Path(common).parents)):
        if os.path.lexists(before):
            break
        move = _Move(before, now)
        if any(_is_listed(move.follow_path(path), digest) for path, digest in samples):
            return move
    return _Move()


def _is_listed(path: str, digest: str) -> bool:
    """Whether the list of a file's folder has an original of it with a digest."""
    try:
        return any(one == digest for _, one in find_kept_beside(path))
    except OSError:
        return False


def _finish(ledger: Ledger, waiting: list[str], folders: set[str]) -> None:
    """Sync folders, remove lists of originals that are all gone, and tell the ledger."""
    for folder in folders:
        with suppress(OSError):
            remove_unused_list(Path(folder))
        sync_names(folder)
    if waiting:
        ledger.enter_restored(waiting)
    waiting.clear()
    folders.clear()


def _restore(entry: LedgerEntry, *, overwrite: bool, dry_run: bool) -> Restoration:
    assert entry.target is not None
    path = entry.target
    if is_object_url(path):
        return Restoration(path, refusal=Refusal.OBJECT)
    if found := find_kept_original(entry):
        return _restore_unfinished(path, *found, overwrite=overwrite, dry_run=dry_run)
    assert entry.source_digest is not None
    kept, changed = _find_kept(path, entry.source_digest)
    if kept is None:
        if _digest(path) == entry.source_digest:  # an interrupted run has put it back
            return Restoration(path, done=True, before=True)
        if changed:
            return Restoration(path, changed, refusal=Refusal.KEPT_CHANGED)
        return _refuse_not_kept(path)
    if not overwrite and (refusal := _check_result(entry)) is not None:
        return Restoration(path, kept, refusal=refusal)
    return _put_back(path, kept, dry_run=dry_run)


def _refuse_not_kept(path: str) -> Restoration:
    """Refuse a file whose last original was not kept; the ways out are for people."""
    folder = os.path.dirname(path)  # noqa: PTH120 - it is a text
    if not os.path.lexists(folder):
        text = f"the ledger speaks of the folder {folder}, which is not there"
        return Restoration(path, refusal=Refusal.NOT_KEPT, detail=text)
    older = _find_older(path)
    if not older:
        return Restoration(path, refusal=Refusal.NOT_KEPT)
    others = "".join(f", and {kept}" for kept in older[1:])
    text = f"an earlier run kept that original{others}; {describe_putting_back(older[0], path)}"
    return Restoration(path, older[0], refusal=Refusal.NOT_KEPT, detail=text)


def _find_older(path: str) -> list[str]:
    """Return the paths of originals that earlier runs kept of a file, if they are unchanged."""
    folder = os.path.dirname(path)  # noqa: PTH120 - it is a text
    try:
        beside = find_kept_beside(path)
    except OSError:
        return []
    listed = {(os.path.join(folder, name), digest): None for name, digest in beside}  # noqa: PTH118
    return [kept for kept, digest in listed if find_owner(kept) == path and _digest(kept) == digest]


def describe_putting_back(kept: str, path: str) -> str:
    """Return how an original gets its name back by hand, for people."""
    return f"`mv {quote(kept)} {quote(path)}` puts it back"


def _restore_unfinished(
    path: str, kept: str, digest: str, *, overwrite: bool, dry_run: bool
) -> Restoration:
    """Put the original of a file back whose result the ledger does not have."""
    if _digest(kept) != digest:
        return Restoration(path, kept, refusal=Refusal.KEPT_CHANGED)
    if not overwrite and os.path.lexists(path) and not _is_same(kept, path):
        return Restoration(path, kept, refusal=Refusal.UNFINISHED)
    return _put_back(path, kept, dry_run=dry_run)


def _put_back(path: str, kept: str, *, dry_run: bool) -> Restoration:
    if not dry_run:
        try:
            if _is_same(kept, path):  # the run was killed before the result took its name
                os.unlink(kept)  # noqa: PTH108 - it is a text
            else:
                os.replace(kept, path)  # noqa: PTH105
        except OSError as error:
            return Restoration(
                path, kept, refusal=Refusal.UNWRITABLE, detail=error.strerror or str(error)
            )
    return Restoration(path, kept, done=True)


def _find_kept(path: str, digest: str) -> tuple[str | None, str]:
    """Return the path of a file's kept original, or None; and of one that has changed, or ""."""
    folder, name = os.path.split(path)
    changed = ""
    try:
        listed = read_kept_digests(folder)
    except OSError:
        return None, ""
    for other in listed.get(digest, ()):
        if not other.startswith(name) or other == name:
            continue
        kept = os.path.join(folder, other)  # noqa: PTH118 - it is hot
        found = _digest(kept)
        if found == digest:
            return kept, ""
        if found is not None:
            changed = kept
    return None, changed


def _check_result(entry: LedgerEntry) -> Refusal | None:
    """Return why a file may not be what the run has put there; None if it is, or nothing is there.

    Its content is read only if its time differs, and the run had --digests.
    """
    path = entry.target or ""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode) or entry.target_modified is None:
        return Refusal.RESULT_CHANGED
    if found.st_size != entry.target_size:
        return Refusal.RESULT_CHANGED
    if found.st_mtime_ns == entry.target_modified:
        return None
    if entry.target_digest is None:
        return Refusal.TIME_CHANGED
    return None if _digest(path) == entry.target_digest else Refusal.RESULT_CHANGED


def _is_same(one: str, two: str) -> bool:
    try:
        return os.path.samestat(os.lstat(one), os.lstat(two))
    except OSError:
        return False


def _digest(path: str) -> str | None:
    """Return the SHA-256 of a regular file, in hexadecimal; None if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_LINK | NO_WAIT | BINARY)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return digest_open_file(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
