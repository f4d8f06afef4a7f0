"""The spool: objects that are safe, one name for each peer that they go to.

An object that goes to three peers has three names and is there once. A name goes when its peer has
the object, and the object with its last name, so nobody has to know of the others.

    spool/parts         objects being received, in a folder for each process that receives
    spool/objects       JOB.dcm: the object of a job; JOB.sent: its peer has it
    spool/results       converted objects that are being sent
    spool/commitments   requests for storage commitment, and answers
    spool/strays        objects without a job; nobody was told that they are safe
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import DiskFullError, InvalidOptionError, TargetUnavailableError
from dicodec.model.platforms import NoLocksError, lock_file
from dicodec.part10.beneath import make_folders, open_private, sync_names

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO

STORE_NAME = "gateway.sqlite"
"""Name of the job store's file in the spool."""

SUFFIX = ".dcm"
_SENT = ".sent"
_FOLDERS = ("parts", "objects", "results", "commitments", "strays")
_OWNER_ONLY = 0o700
_CHUNK = 1 << 20


class Spool:
    """The folder of a gateway; its folders are made if they are missing.

    Args:
        path: the folder.

    Attributes:
        parts, objects, results, commitments, strays: its folders.
        id: its name in a job store that several gateways share.

    Raises:
        WriteError: it cannot be made.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.parts, self.objects, self.results, self.commitments, self.strays = (
            self.path / name for name in _FOLDERS
        )
        with translate_write_errors():
            make_folders(self.path, _OWNER_ONLY)
            for name in _FOLDERS:
                make_folders(self.path / name, _OWNER_ONLY)
            self.id = self._name()

    def _name(self) -> str:
        with open_private(self.path / "id") as file:
            name = file.read().decode("ascii")
            if not name:
                name = uuid.uuid4().hex
                file.write(name.encode())
                os.fsync(file.fileno())
        return name

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Have the spool alone within the block.

        Raises:
            InvalidOptionError: another gateway has it.
            TargetUnavailableError: its file system has no locks.
        """
        with open_private(self.path / "lock") as file:
            try:
                lock_file(file.fileno())
            except NoLocksError as cause:
                raise TargetUnavailableError(
                    "the spool's file system has no locks",
                    path=str(self.path),
                    hint="a spool on a local disk",
                ) from cause
            except BlockingIOError as cause:
                raise InvalidOptionError(
                    "another gateway has this spool", path=str(self.path)
                ) from cause
            with open_private(self.path / "receivers") as receivers:
                # Those of a gateway that was killed are about to end, and may be writing here.
                lock_file(receivers.fileno(), waits=True)
            yield

    @contextmanager
    def receive(self, number: int) -> Iterator[Path]:
        """Yield the folder for a process's objects; nobody cleans the spool within the block.

        Args:
            number: number of the process.
        """
        with open_private(self.path / "receivers") as file:
            lock_file(file.fileno(), shared=True, waits=True)
            folder = self.parts / str(number)
            with translate_write_errors():
                make_folders(folder, _OWNER_ONLY)
            for path in folder.iterdir():  # of a process that was killed
                path.unlink(missing_ok=True)
            yield folder

    def name_home(self, peer: str) -> str:
        """Return the home of a peer's jobs: only this spool's gateway may claim them."""
        return f"{self.id}:{peer}"

    def find_object(self, job: str) -> Path:
        """Return the path of a job's object."""
        return self.objects / f"{job}{SUFFIX}"

    def find_result(self, job: str) -> Path:
        """Return the path of a job's converted object."""
        return self.results / f"{job}{SUFFIX}"

    def check_room(self, reserve: int) -> None:
        """Check that the disk has room beyond the reserve.

        Raises:
            DiskFullError: it has none.
        """
        found = os.statvfs(self.path)
        if found.f_bavail * found.f_frsize < reserve:
            raise DiskFullError("no room is left for objects", path=str(self.path))

    def keep(self, part: str | os.PathLike[str], jobs: Iterable[str]) -> list[str]:
        """Make a received object safe under the names of its jobs.

        Args:
            part: the object, in the folder for parts; the caller removes that name.
            jobs: ids of the jobs.

        Returns:
            The jobs whose names were not there before. All are on the disk when this returns.
        """
        with open(part, "rb", buffering=0) as file:  # noqa: PTH123 - it is hot
            os.fsync(file.fileno())
        made = []
        for job in jobs:
            with suppress(FileExistsError):
                os.link(part, self.find_object(job))
                made.append(job)
        sync_names(self.objects)
        return made

    def mark_sent(self, job: str) -> None:
        """Mark the object of a job as sent, so that it is not sent again if we are killed now.

        The mark is a name, because a new name stays when a process ends, and waits for no disk.
        """
        with suppress(OSError):  # such as a full disk: it is sent again at worst
            os.rename(self.find_object(job), self._find_sent(job))  # noqa: PTH104 - it is hot

    def is_sent(self, job: str) -> bool:
        """Return whether the object of a job is marked as sent."""
        return self._find_sent(job).exists()

    def holds(self, job: str) -> bool:
        """Return whether the object of a job is here."""
        return self.find_object(job).is_file() or self.is_sent(job)

    def _find_sent(self, job: str) -> Path:
        return self.objects / f"{job}{_SENT}"

    def forget(self, job: str) -> None:
        """Remove the object of a job, because its peer has it."""
        for path in (self.find_object(job), self._find_sent(job)):
            path.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove objects received in part, and results, which are made again."""
        for folder in (*self.parts.iterdir(), self.results):
            for path in folder.iterdir():
                path.unlink(missing_ok=True)

    def list_jobs(self) -> Iterator[str]:
        """Yield the ids of the jobs that objects are there for."""
        for entry in os.scandir(self.objects):
            job, dot, suffix = entry.name.rpartition(".")
            if dot + suffix in {SUFFIX, _SENT}:
                yield job

    def set_apart(self, job: str) -> None:
        """Move an object without a job to the strays."""
        for path in (self.find_object(job), self._find_sent(job)):
            with suppress(FileNotFoundError):
                path.rename(self.strays / f"{job}{SUFFIX}")


def digest_object(file: BinaryIO, start: int, *, instance: str, syntax: str, spool: str) -> str:
    """Return the digest of an object, by which it is known when it is sent again.

    Args:
        file: the file.
        start: offset of the data set in it.
        instance: SOP Instance UID.
        syntax: Transfer Syntax UID.
        spool: id of the spool.
    """
    digest = blake2b(f"{spool}\0{instance}\0{syntax}\0".encode(), digest_size=16)
    file.seek(start)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
