"""Watch a folder: make jobs of the files that appear in it, once they are complete.

The folder is listed again and again, because network mounts send no notifications. A file is
complete when its size and time have not changed for a while and no process of this machine has it
open for writing.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from dicodec.batch.sources.folders import FoundFile, PassedOver, WalkOptions, walk
from dicodec.conversion.output.original import is_open_for_writing
from dicodec.errors import DicodecError, PathNotAllowedError
from dicodec.model.platforms import BINARY, NO_WAIT
from dicodec.model.records import dataclass
from dicodec.part10.beneath import Beneath, make_folders, pin_target
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, Job, JobState
from dicodec.service.jobs.submission import SubmitOptions, make_job

UNFINISHED_SUFFIXES = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", "~")
"""Ends of the names that programs give to files while they write them."""

ERROR_SUFFIX = ".error.json"
"""Suffix of the file beside a failed file that has the error."""

_BATCH = 500
"""Jobs that are added at once."""

_KEEP_SECONDS = 30 * 24 * 3600.0
"""How long jobs are kept after their files were moved away."""

_SHORTEST_PAUSE = 0.05
_LOOKS_PER_SETTLE = 4
"""Looks at the folder while a file settles, with `once`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """Options for watching a folder.

    Attributes:
        folder: absolute path of the watched folder.
        output: absolute path of the folder for results.
        done: folder for converted sources; None if they stay.
        failed: folder for failed sources, each with a file that has its error; None if they stay.
        interval: seconds between two looks at the folder.
        settle: seconds without a change after which a file is complete.
    """

    folder: str
    output: str
    done: str | None = None
    failed: str | None = None
    interval: float = 2.0
    settle: float = 5.0


@dataclass(frozen=True, slots=True)
class _SeenVersion:
    """Version of a file at the last look, and the time since when it has had it."""

    size: int
    modified: int
    since: float


class Watcher:
    """Adds jobs for the files of a folder to a store, and moves the sources of ended jobs away.

    Args:
        options: options of watching.
        requests: options of the requests for the files.
        store: gets the jobs.
        log: gets a line for each problem.
        look: called when jobs were added.
    """

    def __init__(
        self,
        options: WatchOptions,
        requests: SubmitOptions,
        store: JobStore,
        log: Log,
        look: Callable[[], None],
    ) -> None:
        self._options = options
        self._requests = requests
        self._store = store
        self._log = log
        self._look = look
        self._settling: dict[str, _SeenVersion] = {}
        self._known: set[int] = set()
        self._over: deque[tuple[Job, AttemptOutcome]] = deque()
        self._unlisted: set[str | None] = set()
        self._apart = [
            folder for folder in (options.output, options.done, options.failed) if folder
        ]

    @property
    def has_unlisted(self) -> bool:
        """Whether a folder could not be listed at the last look, so that its files are unknown."""
        return bool(self._unlisted)

    def add_outcome(self, job: Job, outcome: AttemptOutcome) -> None:
        """Take note of an attempt that ended."""
        if outcome.state.over:
            self._over.append((job, outcome))

    def watch(self, stopping: threading.Event, *, once: bool) -> None:
        """Watch until `stopping` is set.

        Args:
            stopping: set to end the watch.
            once: whether to end when all present files have been converted.
        """
        while not stopping.is_set():
            started = time.monotonic()
            self.scan()
            self.move_over()
            if once and not self._settling and self._is_all_over():
                self.move_over()
                return
            # Looking never takes more than half of the time.
            pause = max(self._options.interval, time.monotonic() - started)
            if once:
                pause = min(pause, max(_SHORTEST_PAUSE, self._options.settle / _LOOKS_PER_SETTLE))
            stopping.wait(pause)

    def scan(self) -> int:
        """Add jobs for all complete files; return the number of new ones."""
        seen: set[str] = set()
        added = 0
        batch: list[Request] = []
        for found in self._find_files():
            path = found.reference.path
            seen.add(path)
            if self._is_complete(found) and (request := self._make_request(found)) is not None:
                batch.append(request)
            if len(batch) == _BATCH:
                added += self._put(batch)
                batch = []
        added += self._put(batch)
        for gone in self._settling.keys() - seen:
            del self._settling[gone]
        if (
            self._options.done and self._options.failed
        ):  # otherwise their files would be converted again
            self._store.remove_finished(time.time() - _KEEP_SECONDS)
        return added

    def _find_files(self) -> Iterator[FoundFile]:
        excluded = set()
        for folder in self._apart:
            with suppress(OSError):
                status = Path(folder).stat()
                excluded.add((status.st_dev, status.st_ino))
        unlisted = {}
        for entry in walk(self._options.folder, WalkOptions(excluded=frozenset(excluded))):
            if isinstance(entry, FoundFile):
                if not entry.reference.path.lower().endswith(UNFINISHED_SUFFIXES):
                    yield entry
            elif not isinstance(entry, PassedOver):
                unlisted[entry.path] = entry.message
        for path in unlisted.keys() - self._unlisted:
            self._log.write("warning", "cannot be listed", file=path, message=unlisted[path])
        self._unlisted = set(unlisted)

    def _is_complete(self, found: FoundFile) -> bool:
        reference = found.reference
        if hash((reference.path, reference.size, reference.modified)) in self._known:
            return False
        now = time.monotonic()
        before = self._settling.get(reference.path)
        same = before is not None and (before.size, before.modified) == (
            reference.size,
            reference.modified,
        )
        if before is None or not same:
            self._settling[reference.path] = _SeenVersion(reference.size, reference.modified, now)
            return False
        return now - before.since >= self._options.settle and not _is_being_written(reference.path)

    def _make_request(self, found: FoundFile) -> Request | None:
        """Return the request for a file; None if its job in the store is over."""
        reference = found.reference
        del self._settling[reference.path]
        self._known.add(hash((reference.path, reference.size, reference.modified)))
        version = reference.size, reference.modified
        request = self._requests.make_request(reference.path, found.relative, version)
        job = self._store.find(request.id)
        if (
            job is not None and job.state.over
        ):  # a process was ended between the job and the move of the file
            self._over.append((job, _read_outcome(job)))
            return None
        return request

    def _put(self, requests: list[Request]) -> int:
        if not requests:
            return 0
        added = self._store.put(make_job(request) for request in requests)
        self._look()
        return added

    def _is_all_over(self) -> bool:
        return not any(
            tally.state in {JobState.PENDING, JobState.RUNNING}
            for tally in self._store.read_tallies()
        )

    # After a job has ended.

    def move_over(self) -> None:
        """Move the sources of ended jobs to the folders `done` and `failed`."""
        while self._over:
            job, outcome = self._over.popleft()
            folder = self._options.done if outcome.state is JobState.DONE else self._options.failed
            source = Request.from_json(job.request).source
            if folder is None or outcome.state is JobState.CANCELLED:
                continue
            try:
                moved = _move(source, self._options.folder, folder)
                if moved is not None and outcome.state is JobState.DEAD:
                    _write_new(moved.with_name(moved.name + ERROR_SUFFIX), _format_error(outcome))
            except (OSError, DicodecError) as cause:
                text = cause.message if isinstance(cause, DicodecError) else cause.strerror
                self._log.write("error", "cannot be moved", job=job.id, file=source, message=text)


def _read_outcome(job: Job) -> AttemptOutcome:
    return AttemptOutcome(
        id=job.id, state=job.state, event="", result=job.result or "{}", error_code=job.error_code
    )


def _format_error(outcome: AttemptOutcome) -> str:
    return json.dumps(json.loads(outcome.result), indent=1) + "\n"


def _move(source: str, folder: str, to: str) -> Path | None:
    """Move a file, with its path below the folder, from its open folder to an open folder.

    Returns:
        Its new path; None if it is gone.

    Raises:
        PathNotAllowedError: a link leads out of the folder by now, or out of the other one.
        OSError: it cannot be moved.
    """
    place = Beneath.resolve(source, [os.path.realpath(folder)])
    if place is None:
        raise PathNotAllowedError("a symbolic link leads out of the watched folder")
    make_folders(to)
    try:
        origin = pin_target(place, makes_folders=False)
    except FileNotFoundError:
        return None
    wanted = pin_target(Beneath(to, os.path.relpath(source, folder)))
    target: Path = wanted
    number = 1
    while os.path.lexists(target):
        number += 1
        target = wanted.with_name(f"{wanted.name}.{number}")
    try:
        shutil.move(origin, target)
    except FileNotFoundError:
        return None
    return target


def _write_new(path: Path, text: str) -> None:
    """Write a new file; an entry of its name is removed first, and never followed."""
    path.unlink(missing_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)


def _is_being_written(path: str) -> bool:
    """Whether a process of this machine has a file open for writing; False if that is unknown."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_WAIT | BINARY)
    except OSError:
        return False  # the job will report it
    try:
        return is_open_for_writing(descriptor, Path(path).parent)
    finally:
        os.close(descriptor)
