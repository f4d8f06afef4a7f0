"""Keep room on the disk: bytes that are promised to uploads count before they arrive."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicodec.errors import DiskFullError


class DiskRoom:
    """The room of the disk that a folder is on. Used from one thread.

    Args:
        folder: folder on the disk.
        reserve: bytes that stay free.
    """

    def __init__(self, folder: Path, reserve: int) -> None:
        self._folder = folder
        self._reserve = reserve
        self._promised = 0

    def check(self, size: int = 0) -> None:
        """Check that the disk has room for some bytes, beyond those that are promised.

        Raises:
            DiskFullError: it has no room.
        """
        free = shutil.disk_usage(self._folder).free
        if free - self._promised - size < self._reserve:
            raise DiskFullError("no room is left for files", path=os.fspath(self._folder))

    @contextmanager
    def promise(self, size: int) -> Iterator[Promise]:
        """Promise room to a file within the block.

        Raises:
            DiskFullError: there is no room.
        """
        self.check(size)
        promise = Promise(self, size)
        self._promised += size
        try:
            yield promise
        finally:
            self._promised -= promise.left

    def keep(self, promise: Promise, size: int) -> None:
        """Note that bytes of a promise are on the disk, and look at the room again.

        Raises:
            DiskFullError: others have filled the disk, or more bytes came than were promised.
        """
        kept = min(promise.left, size)
        promise.left -= kept
        self._promised -= kept
        free = shutil.disk_usage(self._folder).free
        if free - promise.left < self._reserve:
            raise DiskFullError("no room is left for files", path=os.fspath(self._folder))


class Promise:
    """Room that is promised to one file.

    Attributes:
        left: bytes that have not arrived yet.
    """

    def __init__(self, room: DiskRoom, size: int) -> None:
        self._room = room
        self.left = size

    def note_written(self, size: int) -> None:
        """Note that some bytes are on the disk.

        Raises:
            DiskFullError: no room is left for the others.
        """
        self._room.keep(self, size)
