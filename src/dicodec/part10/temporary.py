"""Temporary folders that leave with their process, however that ends.

A process holds a lock on its folder, which ends with the process. So a folder that is not locked is
the leftover of a process that was killed, and the next process that makes one removes it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from functools import cache

from dicodec.model.platforms import FOLDER, NO_LINK, is_own, lock_file

_PREFIX = "dicodec-temp-"

_YOUNG_SECONDS = 60.0
"""Age of a folder that may not be locked yet."""


class TemporaryFolder(tempfile.TemporaryDirectory[str]):
    """A folder that only its owner may use, removed with all that is in it at the end of a block.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self) -> None:
        remove_leftovers()
        super().__init__(prefix=_PREFIX)
        self._lock = -1
        with suppress(OSError):  # without locks, or open folders, leftovers stay
            self._lock = os.open(self.name, os.O_RDONLY)
            lock_file(self._lock)

    def cleanup(self) -> None:
        """Remove the folder, and end its lock."""
        super().cleanup()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


@cache
def remove_leftovers() -> None:
    """Remove the folders that killed processes of this user left behind; once in a process."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and _is_left_over(entry):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_left_over(entry: os.DirEntry[str]) -> bool:
    try:
        found = entry.stat(follow_symlinks=False)
        if not is_own(found) or time.time() - found.st_mtime < _YOUNG_SECONDS:
            return False
        descriptor = os.open(entry.path, os.O_RDONLY | FOLDER | NO_LINK)
    except OSError:
        return False
    try:
        lock_file(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
