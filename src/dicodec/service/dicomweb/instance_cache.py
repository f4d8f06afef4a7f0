"""Instances of another server on our disk: those used last, up to a number of bytes."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from pathlib import Path

from dicodec.model.records import dataclass

_LASTS = 300.0
"""Seconds for which an instance is kept: it may be removed, or somebody may lose a right to it."""


@dataclass(slots=True)
class CachedFile:
    """A file in the cache.

    Attributes:
        path: of the file.
        size: its bytes.
        until: when it is fetched anew, by time.monotonic().
        users: requests that use it now.
        dropped: whether it goes with its last user.
    """

    path: Path
    size: int
    until: float
    users: int = 0
    dropped: bool = False


class InstanceCache:
    """Files by a key each. Used from one thread, that of the event loop.

    Args:
        folder: folder for the files, which nothing else uses.
        most: bytes of all files at most, besides those in use.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._files: OrderedDict[Hashable, CachedFile] = OrderedDict()
        self._fetching: dict[Hashable, asyncio.Lock] = {}

    def holds(self, key: Hashable) -> bool:
        """Whether a file is there, and need not be fetched."""
        return self._find(key) is not None

    def make_path(self) -> Path:
        """Return the path of a new file."""
        return self._folder / f"{uuid.uuid4().hex}.fetched"

    @asynccontextmanager
    async def use(
        self, key: Hashable, fetch: Callable[[Path], Awaitable[None]]
    ) -> AsyncGenerator[CachedFile]:
        """Yield a file, which is there until the end of the block.

        Args:
            key: names the file, and who may have it.
            fetch: writes it to a path, if it is not there; those who want it meanwhile wait.
        """
        lock = self._fetching.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                file = self._find(key)
                if file is None:
                    path = self.make_path()
                    try:
                        await fetch(path)
                    except BaseException:
                        path.unlink(missing_ok=True)
                        raise
                    file = self.put(key, path)
                file.users += 1
        finally:
            if not lock.locked():
                self._fetching.pop(key, None)
        try:
            yield file
        finally:
            self._release(file)

    def put(self, key: Hashable, path: Path) -> CachedFile:
        """Take over a file; an older one of the same key goes."""
        if (old := self._files.pop(key, None)) is not None:
            self._drop(old)
        file = CachedFile(path, os.stat(path).st_size, time.monotonic() + _LASTS)  # noqa: PTH116
        self._files[key] = file
        self._shrink(file)
        return file

    def _find(self, key: Hashable) -> CachedFile | None:
        file = self._files.get(key)
        if file is None:
            return None
        if file.until < time.monotonic():
            del self._files[key]
            self._drop(file)
            return None
        self._files.move_to_end(key)
        return file

    def _shrink(self, kept: CachedFile) -> None:
        size = sum(file.size for file in self._files.values())
        for key, file in list(self._files.items()):
            if size <= self._most:
                return
            if file is not kept and not file.users:
                size -= file.size
                del self._files[key]
                self._drop(file)

    def _release(self, file: CachedFile) -> None:
        file.users -= 1
        if file.dropped:
            self._drop(file)

    def _drop(self, file: CachedFile) -> None:
        file.dropped = True
        if not file.users:
            file.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove all files."""
        for file in self._files.values():
            file.path.unlink(missing_ok=True)
        self._files.clear()
