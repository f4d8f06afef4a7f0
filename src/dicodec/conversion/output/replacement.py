"""Keep the properties of a file that is replaced by another: owner, permissions, the old content.

The new file gets the owner, the permission bits and the extended attributes of the old one, among
them access control lists. With a backup the old file keeps its content under a second name, which
is there before the first one means the new file.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from dicodec.conversion.output.part_file import PartFile
from dicodec.errors import TargetExistsError

_OF_THE_CONTENT = frozenset({"security.ima", "security.evm", "security.capability"})
"""Extended attributes that the kernel derives from a file's content or revokes when it changes."""

_COMPARED_SIZE = 1 << 20


def take_over(new: Path, old: Path, known: os.stat_result) -> list[str]:
    """Give a new file the owner, permission bits and extended attributes of the old one.

    Args:
        new: the file that will replace the other.
        old: the file that will be replaced.
        known: its state.

    Returns:
        Losses, in words.

    Raises:
        OSError: the permission bits cannot be set.
    """
    notes = []
    created = new.stat()
    if created.st_uid != known.st_uid or created.st_gid != known.st_gid:
        try:
            os.chown(new, known.st_uid, known.st_gid)
        except PermissionError:
            with suppress(PermissionError):
                os.chown(new, -1, known.st_gid)
            notes.append("the owner of the file that is replaced could not be kept")
    new.chmod(stat.S_IMODE(known.st_mode))
    if lost := _copy_extended_attributes(old, new):
        notes.append(f"extended attributes could not be kept: {', '.join(lost)}")
    return notes


def _copy_extended_attributes(old: Path, new: Path) -> list[str]:
    """Copy extended attributes, and return the names of those that cannot be copied."""
    if not hasattr(os, "listxattr"):
        return []
    try:
        names = os.listxattr(old)
    except OSError:  # a file system without them
        return []
    lost = []
    for name in names:
        if name in _OF_THE_CONTENT:
            continue
        try:
            value = os.getxattr(old, name)
            if name not in os.listxattr(new) or os.getxattr(new, name) != value:
                os.setxattr(new, name, value)
        except OSError:
            lost.append(name)
    return lost


def make_backup_path(target: Path, suffix: str) -> Path:
    """Return the path at which a replaced file is kept."""
    return target.with_name(target.name + suffix)


def check_backup(target: Path, suffix: str) -> None:
    """Say before any work that a backup is in the way.

    Raises:
        TargetExistsError: another file has the backup's name.
    """
    backup = make_backup_path(target, suffix)
    if os.path.lexists(backup) and not _has_same_content(target, backup):
        raise TargetExistsError(
            "the backup exists, and is not overwritten",
            path=str(backup),
            hint="another suffix of `backup`, or move it away",
        )


def keep_backup(target: Path, suffix: str) -> None:
    """Give a file that is about to be replaced its second name.

    The file itself gets it if the file system has hard links, else a copy does. A backup that
    holds the same bytes already, as after a process was killed, is right.

    Raises:
        TargetExistsError: another file has the backup's name.
        OSError: the backup cannot be made.
    """
    backup = make_backup_path(target, suffix)
    try:
        os.link(target, backup)
    except FileExistsError:
        check_backup(target, suffix)
    except OSError:  # a file system without hard links, or a file of somebody else
        _copy(target, backup)
        check_backup(target, suffix)


def release_backup(target: Path, suffix: str) -> None:
    """Take the second name from a file that is not replaced after all; a copy stays."""
    backup = make_backup_path(target, suffix)
    with suppress(OSError):
        if backup.samefile(target):
            backup.unlink()


def _copy(target: Path, backup: Path) -> None:
    import shutil  # it takes milliseconds to load, and most file systems have hard links

    with PartFile(backup, 0o600) as part:
        shutil.copyfile(target, part.path)
        take_over(part.path, target, target.stat())
        shutil.copystat(target, part.path)
        os.fsync(part.descriptor)
        if not os.path.lexists(backup):
            part.path.rename(backup)


def _has_same_content(one: Path, two: Path) -> bool:
    try:
        if two.is_symlink() or not two.is_file() or not one.is_file():
            return False
        if one.samefile(two):
            return True
        if one.stat().st_size != two.stat().st_size:
            return False
        with one.open("rb") as first, two.open("rb") as second:
            while part := first.read(_COMPARED_SIZE):
                if part != second.read(_COMPARED_SIZE):
                    return False
    except OSError:
        return False
    return True
