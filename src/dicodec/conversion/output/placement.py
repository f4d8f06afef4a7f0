"""Results that take their places together: all are synced, then renamed, then their folders synced.

A file system keeps a journal, and to sync a file is to wait until its content is on the disk.
For results that wait together that is twice, not twice for each. Each keeps its guarantees: it is
synced before it takes its target's name, and a failure with one is its own error.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from dicodec.conversion.output.kept_originals import enter_kept_original, sync_list
from dicodec.conversion.output.original import Original, read_original, replace_original
from dicodec.conversion.output.part_file import PartFile, is_named
from dicodec.conversion.output.replacement import (
    check_backup,
    keep_backup,
    make_backup_path,
    release_backup,
)
from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import (
    DicodecError,
    SourceChangedError,
    TargetExistsError,
    WriteError,
    find_kind,
)
from dicodec.model.platforms import OPENS_FOLDERS
from dicodec.model.records import dataclass
from dicodec.part10.beneath import OpenFolders, PinnedPath

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Self

type Permit = Callable[[], None]
"""Called just before a result takes its place; it raises a DicodecError if it may not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenResult:
    """A result that is whole, in its part file, and has not taken its target's name.

    Attributes:
        target: the name that the part file gets.
        part: the part file.
        overwrite: whether a file that is there may be replaced.
        backup: suffix of the name under which the file that is replaced is kept; None for none.
        original: the state of the file to be replaced since before it was read as the source;
            None if the source is another.
        permit: see `Permit`; None if nobody else may be at the result.
        synced: whether it is synced before it takes its name, and its folder after that.
    """

    target: Path
    part: PartFile
    overwrite: bool
    backup: str | None
    original: Original | None
    permit: Permit | None = None
    synced: bool = True

    def sync(self) -> None:
        """Wait until the part file's content is on the disk."""
        _sync(self.part.descriptor)

    def enter_backup(self) -> None:
        """Enter the file that is about to be replaced in the list of kept originals."""
        assert self.backup is not None
        check_backup(self.target, self.backup)  # a file of its name is not an original of ours
        original = self.original or read_original(self.target)
        enter_kept_original(make_backup_path(self.target, self.backup), original.digest)

    def back_up(self) -> None:
        """Give the file that is about to be replaced its second name."""
        assert self.backup is not None
        if self.original is not None:
            self.original.check_same(self.target)
        keep_backup(self.target, self.backup)

    def rename(self) -> None:
        """Give the part file its name, without replacing a file unless that may be done.

        Raises:
            WriteError: another file has the part file's name.
        """
        if not is_named(self.part.path, self.part.descriptor):
            raise WriteError("another process has put a file in the place of the result")
        if self.permit is not None:
            self.permit()
        if self.original is not None:
            self._replace(self.original)
        elif self.overwrite:
            os.replace(self.part.path, self.target)  # noqa: PTH105 - it is hot
        else:
            _rename_new(self.part.path, self.target)
        self.part.release()

    def _replace(self, original: Original) -> None:
        try:
            replace_original(self.part.path, self.target, original)
        except SourceChangedError:
            if self.backup is not None:
                release_backup(self.target, self.backup)
            raise


class Placement:
    """Results that wait to take their places together. Those left at the end are removed.

    Use it from one thread.

    Attributes:
        permit: permit of the results that are written next; see `Permit`.
        folders: folders that are open for results, until those that wait have their places.
    """

    def __init__(self) -> None:
        self.folders = OpenFolders()
        self._waiting: list[WrittenResult] = []
        self.permit: Permit | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.give_up(0)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def add(self, result: WrittenResult) -> None:
        """Have a result wait for its place; meanwhile it is on its way to the disk."""
        self._waiting.append(result)
        if result.synced and hasattr(os, "posix_fadvise"):
            # Linux begins to write the changes, and waits for nothing. So the changes of all
            # are in the journal before the first is synced.
            with suppress(OSError):
                os.posix_fadvise(result.part.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def find_part_of_last(self) -> Path:
        """Return the path of the result that was added last, until it has its place."""
        return self._waiting[-1].part.path

    def read_state_of_last(self) -> os.stat_result:
        """Return the state of the result that was added last."""
        return os.fstat(self._waiting[-1].part.descriptor)

    def give_up(self, start: int) -> None:
        """Remove all results but the first `start`."""
        if not start:
            self.folders.clear()
        while len(self._waiting) > start:
            self._waiting.pop().part.close()

    def place(self) -> list[DicodecError | None]:
        """Put all results in their places; see the function `place`."""
        errors = place(self._waiting)
        for result, error in zip(self._waiting, errors, strict=True):
            if error is not None and find_kind(error) == "writing":
                error.with_location(path=str(result.target))
        self.give_up(0)
        return errors


def place(results: Sequence[WrittenResult]) -> list[DicodecError | None]:
    """Put results in their places, and wait until that is on the disk, if they are to be synced.

    Returns:
        For each the error, or None. After an error its target is as it was, unless the last
        step failed, which is to sync the folder.
    """
    errors: list[DicodecError | None] = [None] * len(results)

    def take(step: Callable[[WrittenResult], None], numbers: Iterable[int]) -> None:
        """Take a step with the results that are well so far."""
        for number in numbers:
            if errors[number] is None:
                try:
                    with translate_write_errors():
                        step(results[number])
                except DicodecError as error:
                    errors[number] = error

    every = range(len(results))
    kept = [number for number in every if results[number].backup is not None]
    synced = [number for number in every if results[number].synced]
    take(WrittenResult.sync, synced)
    take(WrittenResult.enter_backup, kept)
    take(_make_once_a_folder(sync_list), kept)
    take(WrittenResult.back_up, kept)
    take(_make_once_a_folder(_sync_folder), kept)
    take(WrittenResult.rename, every)
    take(_make_once_a_folder(_sync_folder), synced)
    return errors


def _make_once_a_folder(sync: Callable[[Path], None]) -> Callable[[WrittenResult], None]:
    """Return a step that syncs something of a result's folder, unless another one's did."""
    synced: set[Path] = set()

    def sync_folder(result: WrittenResult) -> None:
        folder = result.target.parent
        if folder not in synced:
            sync(folder)
            synced.add(folder)

    return sync_folder


def _rename_new(part: Path, target: Path) -> None:
    """Give the file its name without replacing one that appeared meanwhile."""
    try:
        if isinstance(part, PinnedPath) and isinstance(target, PinnedPath):
            part.link_as(target)
        else:
            os.link(part, target)
    except FileExistsError:
        raise TargetExistsError.at(str(target)) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise TargetExistsError.at(str(target)) from None
        part.replace(target)
    else:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if not OPENS_FOLDERS:  # Windows writes names with their files
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # folders on some file systems
            raise
