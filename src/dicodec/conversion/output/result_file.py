"""Put a result in its place: whole or not at all.

Output goes to a part file in the target's folder, is synced, and takes the target's name by one
rename (`placement.py`). Until then the target is untouched; after a failure nothing is left behind.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Buffer, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dicodec.conversion.output.kept_originals import LIST_NAME, is_kept_original
from dicodec.conversion.output.original import Original
from dicodec.conversion.output.part_file import PartFile
from dicodec.conversion.output.placement import Placement, WrittenResult, place
from dicodec.conversion.output.replacement import check_backup, take_over
from dicodec.conversion.output.target_stream import check_stream, copy_to_stream
from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import TargetExistsError, TargetUnavailableError, WriteError
from dicodec.model.option_table import EACH, NEVER, TOGETHER
from dicodec.part10.beneath import PinnedPath, to_path

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO

type Target = str | os.PathLike[str] | BinaryIO
"""A target of a caller: a path, or a binary stream that bytes are written to."""

_NEW_FILE_MODE = 0o666
_PRIVATE_MODE = 0o600
_EARLY_SIZE = 8 << 20
_JOINED_SIZE = 1 << 16
"""Bytes in which small writes are joined. Larger pieces are not copied once more before they go."""
_OTHER_NAMES = "the file has {} other name(s) (hard links), which keep the original"


@contextmanager
def create_result(
    target: Path,
    *,
    overwrite: bool,
    backup: str | None = None,
    original: Original | None = None,
    notes: list[str] | None = None,
    placement: Placement | None = None,
    durability: str = TOGETHER,
) -> Iterator[PartFile]:
    """Yield a new, empty part file that becomes `target` when the block succeeds.

    Until then `target` stays as it was, even if the process is killed; the next process that
    writes the same target removes the leftovers of a killed one. A file that is replaced gives
    its owner, permission bits and extended attributes to the new one. If `target` is a symbolic
    link to a file, that file is replaced and the link stays.

    Args:
        target: path of the result.
        overwrite: whether a file that is there may be replaced.
        backup: suffix of the name under which a file that is replaced is kept.
        original: the state of the file to be replaced since before it was read as the source.
        notes: warnings of a replacement are added.
        placement: takes the result over, which gets its place later, with others.
        durability: NEVER, TOGETHER or EACH; EACH gives the result its place at once. Results that
            replace an original, or keep a backup of it, are synced always.

    Raises:
        TargetExistsError: the target is there and may not be replaced; or the backup is.
        TargetUnavailableError: the folder is missing or may not be written to.
        DiskFullError: no room is left.
        SourceChangedError: the file to be replaced has changed since it was read.
    """
    replaced = check_target(target, overwrite=overwrite)
    if replaced is not None:
        target = target.resolve()
        check_not_kept(target)
        if backup is not None:
            check_backup(target, backup)
        if notes is not None and replaced.st_nlink > 1:
            notes.append(_OTHER_NAMES.format(replaced.st_nlink - 1))
    # The new file may be read, while it is written, only by those who may read the replaced one.
    mode = _NEW_FILE_MODE if replaced is None else _PRIVATE_MODE
    with translate_write_errors():
        part = PartFile(target, mode)
        later = False
        try:
            yield part
            if replaced is not None:
                kept = take_over(part.path, target, replaced)
                if notes is not None:
                    notes += kept
            result = WrittenResult(
                target=target,
                part=part,
                overwrite=overwrite,
                backup=backup if replaced is not None else None,
                original=original,
                permit=None if placement is None else placement.permit,
                synced=durability != NEVER or original is not None or backup is not None,
            )
            if placement is not None and durability != EACH:
                placement.add(result)
                later = True
                return
            (error,) = place([result])
            if error is not None:
                raise error
        finally:
            if not later:
                part.close()


@contextmanager
def create_side_output(target: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Yield the path of a new file as `create_result` does, for a picture or a page.

    Args:
        target: path of the file, as the caller named it; errors name it, too.
        overwrite: whether a file that is there may be replaced.

    Raises:
        WriteError: it cannot be written, or is there already.
    """
    try:
        with (
            create_result(Path(target), overwrite=overwrite) as part,
            translate_write_errors(),
        ):
            yield part.path
    except WriteError as error:
        error.with_location(path=os.fspath(target))
        raise


def check_target(target: Path, *, overwrite: bool) -> os.stat_result | None:
    """Report now, before any work, failures that would come at the end; see `create_result`.

    Returns:
        The state of the file that will be replaced; None if there is none.

    Raises:
        TargetExistsError: the target is there and may not be replaced.
        TargetUnavailableError: the target is a folder, a device or a pipe, or nothing can be there.
    """
    with translate_write_errors():
        try:
            found = target.stat()
        except FileNotFoundError:
            found = None
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise TargetUnavailableError("the target is a folder", path=str(target))
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise TargetUnavailableError(
            "the target is a device or a pipe, and would be replaced by a file",
            path=str(target),
            hint="- writes to standard output",
        )
    # A pinned path does not follow links, so a link was found already.
    linked = found is None and not isinstance(target, PinnedPath) and target.is_symlink()
    if not overwrite and (found is not None or linked):
        raise TargetExistsError.at(str(target))
    return found


def check_not_kept(target: Path) -> None:
    """Check that a file to be replaced is not an original that `--backup` has kept.

    Args:
        target: its path, without links.

    Raises:
        TargetExistsError: it is.
        TargetUnavailableError: the list of kept originals cannot be read.
    """
    try:
        kept = is_kept_original(target)
    except OSError as cause:
        raise TargetUnavailableError(
            f"the list of kept originals cannot be read: {cause.strerror}", path=str(target)
        ) from cause
    if kept:
        raise TargetExistsError.of_kept_original(str(target), f"its line in {LIST_NAME}")


def check_place(
    target: Path,
    *,
    overwrite: bool,
    backup: str | None = None,
    makes_folders: bool = False,
) -> None:
    """Report everything that would keep a result from its place, writing nothing.

    Args:
        target: path of the result.
        overwrite: whether a file that is there may be replaced.
        backup: suffix of the name under which a file that is replaced would be kept.
        makes_folders: whether folders that are missing would be made.

    Raises:
        TargetExistsError: the target is there and may not be replaced; or the backup is.
        TargetUnavailableError: the target is not a file, or nothing can be written there.
    """
    try:
        replaced = check_target(target, overwrite=overwrite)
        if replaced is not None:
            check_not_kept(target.resolve())
        if replaced is not None and backup is not None:
            check_backup(target.resolve(), backup)
        with translate_write_errors():
            _check_folder((target if replaced is None else target.resolve()).parent, makes_folders)
    except WriteError as error:
        error.with_location(path=str(target))
        raise


def _check_folder(folder: Path, makes_folders: bool) -> None:
    while makes_folders and not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not stat.S_ISDIR(folder.stat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


class _EarlyFile(io.FileIO):
    """A file whose bytes begin to go to the disk while more are written, so that syncing is short.

    Linux begins to write a range that will not be needed again, and waits for nothing; bytes
    patched later are written once more when the file is synced.
    """

    _behind = 0

    def write(self, data: Buffer, /) -> int:
        written = super().write(data)
        self._behind += written
        if self._behind >= _EARLY_SIZE and hasattr(os, "posix_fadvise"):
            start = max(0, self.tell() - self._behind)
            with suppress(OSError):
                os.posix_fadvise(self.fileno(), start, self._behind, os.POSIX_FADV_DONTNEED)
            self._behind = 0
        return written


@contextmanager
def open_for_writing(descriptor: int, *, synced: bool = True) -> Iterator[BinaryIO]:
    """Open a part file for writing and patching, by a descriptor that stays open; errors are ours.

    What is closed here is a second descriptor, because some file systems tell of a failure then.

    Args:
        descriptor: of the part file.
        synced: whether somebody will wait until its bytes are on the disk.
    """
    kind = _EarlyFile if synced else io.FileIO  # to begin early takes time of whoever does not wait
    with translate_write_errors():
        file = io.BufferedRandom(kind(os.dup(descriptor), "r+"), _JOINED_SIZE)
    with translate_write_errors(), file:  # closing writes the rest, and may fail too
        yield file


@contextmanager
def open_result(
    target: Target,
    *,
    overwrite: bool,
    backup: str | None = None,
    original: Original | None = None,
    notes: list[str] | None = None,
    placement: Placement | None = None,
    durability: str = TOGETHER,
) -> Iterator[BinaryIO]:
    """Yield a seekable file whose content becomes the target when the block succeeds.

    A path is written by `create_result`, which takes the other arguments; a stream gets the
    result once it is whole, see `copy_to_stream`.

    Raises:
        WriteError: see `create_result`; or the stream does not take the result.
    """
    if isinstance(target, str | os.PathLike):
        with (
            create_result(
                to_path(target),
                overwrite=overwrite,
                backup=backup,
                original=original,
                notes=notes,
                placement=placement,
                durability=durability,
            ) as part,
            open_for_writing(part.descriptor, synced=durability != NEVER) as out,
        ):
            yield out
        return
    check_stream(target)
    if type(target) is io.BytesIO and not target.getbuffer().nbytes:
        try:
            yield target
        except BaseException:
            target.seek(0)
            target.truncate()
            raise
        return
    import tempfile  # it takes milliseconds to load, and most targets are files

    with translate_write_errors(), tempfile.TemporaryFile(prefix="dicodec-") as spool:
        yield spool
        spool.seek(0)
        copy_to_stream(spool, target)
