"""Watching a folder: files that have appeared and are complete become jobs of a store.

The folder is listed again and again, as network mounts tell of nothing. A file is complete when its
size and time have not changed for a while and no process of this machine has it open for writing.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dicodec.batch.sources.folders import FoundFile, PassedOver, WalkOptions, walk
from dicodec.conversion.output.original import is_open_for_writing
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import Ending, Job, JobState
from dicodec.service.jobs.submission import Wish, new_job

UNFINISHED_SUFFIXES = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", "~")
"""How names end that programs give to files that they are still writing."""

ERROR_SUFFIX = ".error.json"
"""What is added to the name of a file that failed, for the file that says why."""

_BATCH = 500
_KEEP_SECONDS = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRules:
    """How a folder is watched.

    Attributes:
        folder: what is watched; absolute.
        output: where results go; absolute.
        done: where sources go that are done; None if they stay.
        failed: where sources go that failed, with a file that says why; None if they stay.
        interval: seconds between two looks.
        settle: seconds for which a file must not have changed.
    """

    folder: str
    output: str
    done: str | None = None
    failed: str | None = None
    interval: float = 2.0
    settle: float = 5.0


@dataclass(frozen=True, slots=True)
class _Sight:
    """How a file was when it was last seen, and since when it has been so."""

    size: int
    modified: int
    since: float


class Watcher:
    """Puts the files of a folder into a store, and takes away what is done with.

    Args:
        rules: how.
        wish: what is asked for of each file.
        store: that gets the jobs.
        log: of the service.
        look: is called when jobs were put.
    """

    def __init__(
        self, rules: WatchRules, wish: Wish, store: JobStore, log: Log, look: Callable[[], None]
    ) -> None:
        self._rules = rules
        self._wish = wish
        self._store = store
        self._log = log
        self._look = look
        self._settling: dict[str, _Sight] = {}
        self._known: set[int] = set()
        self._over: deque[tuple[Job, Ending]] = deque()
        self._unlisted: set[str | None] = set()
        apart = [folder for folder in (rules.output, rules.done, rules.failed) if folder]
        self._apart = apart

    def observe(self, job: Job, ending: Ending, report: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Take note of an attempt that ended; see StoreRunner."""
        if ending.state.over:
            self._over.append((job, ending))

    def watch(self, stopping: threading.Event, *, once: bool) -> None:
        """Look until somebody says that it is enough.

        Args:
            stopping: set when it is.
            once: end when all that is there was put, and has come to an end.
        """
        while not stopping.is_set():
            started = time.monotonic()
            self.scan()
            self.move_over()
            if once and not self._settling and self._all_over():
                self.move_over()
                return
            # Looking never takes more than half of the time.
            pause = max(self._rules.interval, time.monotonic() - started)
            if once:
                pause = min(pause, max(0.05, self._rules.settle / 4))
            stopping.wait(pause)

    def scan(self) -> int:
        """Put all files that are complete now; return how many were new."""
        seen: set[str] = set()
        added = 0
        batch: list[Request] = []
        for found in self._files():
            path = found.reference.path
            seen.add(path)
            if self._is_complete(found) and (request := self._request(found)) is not None:
                batch.append(request)
            if len(batch) == _BATCH:
                added += self._put(batch)
                batch = []
        added += self._put(batch)
        for gone in self._settling.keys() - seen:
            del self._settling[gone]
        if self._rules.done and self._rules.failed:  # else their files would be converted again
            self._store.remove_finished(time.time() - _KEEP_SECONDS)
        return added

    def _files(self) -> Iterator[FoundFile]:
        excluded = set()
        for folder in self._apart:
            with suppress(OSError):
                status = Path(folder).stat()
                excluded.add((status.st_dev, status.st_ino))
        unlisted = {}
        for entry in walk(self._rules.folder, WalkOptions(excluded=frozenset(excluded))):
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
            self._settling[reference.path] = _Sight(reference.size, reference.modified, now)
            return False
        return now - before.since >= self._rules.settle and not _is_being_written(reference.path)

    def _request(self, found: FoundFile) -> Request | None:
        """Return the request for a file; None where the store knows that it is done with."""
        reference = found.reference
        del self._settling[reference.path]
        self._known.add(hash((reference.path, reference.size, reference.modified)))
        version = reference.size, reference.modified
        request = self._wish.request(reference.path, found.relative, version)
        job = self._store.find(request.id)
        if job is not None and job.state.over:  # this process, or another, was ended in between
            self._over.append((job, _ending_of(job)))
            return None
        return request

    def _put(self, requests: list[Request]) -> int:
        if not requests:
            return 0
        added = self._store.put(new_job(request) for request in requests)
        self._look()
        return added

    def _all_over(self) -> bool:
        return not any(
            tally.state in {JobState.PENDING, JobState.RUNNING} for tally in self._store.tallies()
        )

    # What is done with.

    def move_over(self) -> None:
        """Move the sources of jobs that are over to where they belong."""
        while self._over:
            job, ending = self._over.popleft()
            folder = self._rules.done if ending.state is JobState.DONE else self._rules.failed
            source = Request.from_json(job.request).source
            if folder is None or ending.state is JobState.CANCELLED:
                continue
            try:
                moved = _moved(source, self._rules.folder, folder)
                if moved is not None and ending.state is JobState.DEAD:
                    Path(moved + ERROR_SUFFIX).write_text(_why(ending), encoding="utf-8")
            except OSError as cause:
                self._log.write(
                    "error", "cannot be moved", job=job.id, file=source, message=cause.strerror
                )


def _ending_of(job: Job) -> Ending:
    return Ending(
        id=job.id, state=job.state, event="", result=job.result or "{}", error_code=job.error_code
    )


def _why(ending: Ending) -> str:
    return json.dumps(json.loads(ending.result), indent=1) + "\n"


def _moved(source: str, folder: str, to: str) -> str | None:
    """Move a file, keeping its path below the folder; return its new path, None if it is gone."""
    wanted = os.path.join(to, os.path.relpath(source, folder))  # noqa: PTH118
    Path(wanted).parent.mkdir(parents=True, exist_ok=True)
    target, number = wanted, 1
    while os.path.lexists(target):
        number += 1
        target = f"{wanted}.{number}"
    try:
        shutil.move(source, target)
    except FileNotFoundError:
        return None
    return target


def _is_being_written(path: str) -> bool:
    """Whether a process of this machine has a file open for writing; False if that is unknown."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False  # the job will say what is wrong
    try:
        return is_open_for_writing(descriptor, Path(path).parent)
    finally:
        os.close(descriptor)
