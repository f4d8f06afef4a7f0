"""The lock of a ledger: one process writes it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from dicodec.errors import InvalidOptionError, TargetUnavailableError
from dicodec.model.platforms import NoLocksError, lock_file
from dicodec.part10.beneath import open_private

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import IO


class LedgerLock:
    """A file beside a ledger that keeps other writers out until this one is released or ends.

    Args:
        path: of the ledger.

    Raises:
        InvalidOptionError: another process writes the ledger.
        TargetUnavailableError: no file can be made or locked there.
    """

    def __init__(self, path: str) -> None:
        self._file = _lock(path)

    def release(self) -> None:
        """Let another process write, and remove the file."""
        with suppress(OSError):
            Path(self._file.name).unlink()
        self._file.close()


def _lock(path: str) -> IO[bytes]:
    """Keep other writers out until the returned file is closed, or this process ends."""
    name = Path(f"{path}-lock")
    while True:
        try:
            lock = open_private(name)
        except OSError as cause:
            raise TargetUnavailableError(
                f"the ledger cannot be made: {cause.strerror}", path=path, hint="--ledger FILE"
            ) from cause
        try:
            with suppress(NoLocksError):  # nobody can be kept out then
                lock_file(lock.fileno())
            if os.path.samestat(os.fstat(lock.fileno()), name.stat()):
                return lock
        except BlockingIOError as cause:
            lock.close()
            raise InvalidOptionError(
                "another process is using the ledger", path=path, hint="--ledger names another one"
            ) from cause
        except FileNotFoundError:
            pass  # whoever had it before has removed it meanwhile
        except OSError as cause:
            lock.close()
            raise TargetUnavailableError(
                f"the ledger cannot be locked: {cause.strerror}", path=path, hint="--ledger FILE"
            ) from cause
        lock.close()
