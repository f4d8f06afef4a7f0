"""Keep the index in step with its folder or bucket: list it, and look into what is new."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import takewhile

from dicodec.batch.pool.messages import WorkContext
from dicodec.batch.sources.folders import FoundFile, WalkOptions, walk
from dicodec.errors import DicodecError, ReadError
from dicodec.model import tags
from dicodec.model.records import NamedTuple, dataclass
from dicodec.model.source_names import is_object_url, parse_object_url
from dicodec.model.transfer_syntax import EXPLICIT_LE, find_by_uid
from dicodec.model.wording import describe_fault
from dicodec.part10.beneath import Beneath, open_beneath
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import Source
from dicodec.part10.elements import Walker
from dicodec.part10.encoding import DataSetEncoding
from dicodec.part10.file_meta import find_encoding, read_head
from dicodec.part10.source import ByteSource, OpenSource
from dicodec.repair.opening import open_tolerantly
from dicodec.service.dicomweb.index import FileRow, InstanceIndex
from dicodec.service.dicomweb.searched_attributes import (
    LAST,
    SearchedAttributes,
    read_searched,
)
from dicodec.service.jobs.execution import Executor

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_GROUP = 64
"""Files that a worker looks into, one after the other."""

_PAGE = 1024
"""Files that are compared with the index at once."""

_INTERVAL = 60.0
"""Seconds between the end of a scan and the next one, if nobody asks for one."""

_SHORTEST_PAUSE, _PAUSE_SHARE = 0.1, 3.0
"""Seconds from one scan to the next that is asked for, at least; and times the last one took."""

_UIDS = (tags.SOP_INSTANCE_UID, tags.STUDY_INSTANCE_UID, tags.SERIES_INSTANCE_UID)
_FIRST_ELEMENT = 16


class IdentifiedFile(NamedTuple):
    """The UIDs of a file, all empty if it is not an instance, and what searches want to know."""

    study: str = ""
    series: str = ""
    instance: str = ""
    attributes: SearchedAttributes = SearchedAttributes()


def identify_file(settings: None, item: Beneath | str, context: WorkContext) -> IdentifiedFile:  # noqa: ARG001
    """Return the UIDs of a file; a work of the pool."""
    with suppress(DicodecError):
        if isinstance(item, Beneath):
            with open_beneath(item) as pinned:
                return _identify(pinned)
        from dicodec.batch.sources.cloud_source import open_object

        with open_object(parse_object_url(item)) as opened:
            return _identify(opened)
    return IdentifiedFile()


def _identify(source: Source) -> IdentifiedFile:
    with suppress(DicodecError), OpenSource(source) as opened:
        found = _read_start(opened)
        if found.study and found.series and found.instance:
            return found
    with open_tolerantly(source) as file:  # deflated, or not as it should be
        return _read_data_set(file.data_set, file.syntax.uid)


def _read_data_set(data_set: DataSet, syntax: str) -> IdentifiedFile:
    instance, study, series = (data_set.read_text(tag) for tag in _UIDS)
    return IdentifiedFile(study, series, instance, read_searched(data_set, syntax))


def _read_start(source: ByteSource) -> IdentifiedFile:
    """Read what is at the start of a data set; nothing behind it is read."""
    head = read_head(source)
    stated = head.read_text(tags.TRANSFER_SYNTAX_UID)
    syntax = find_by_uid(stated) or EXPLICIT_LE
    if syntax.deflated:
        return IdentifiedFile()
    start = head.data_set_start
    encoding = find_encoding(source.read(start, _FIRST_ELEMENT), DataSetEncoding.of(syntax))
    spans = Walker(source).walk_elements(start, source.size, encoding)
    elements = [*takewhile(lambda span: span.tag <= LAST, spans)]
    return _read_data_set(DataSet(source, encoding, elements), stated)


@dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    version: str


class Scanner:
    """Scans a folder or bucket in a thread of its own, now and then, and when it is asked to.

    Args:
        place: path of the folder, or URL of a prefix.
        index: gets what is found.
        executor: looks into files.
        excluded: device and number of folders that are passed over.

    Attributes:
        fault: why the last scan failed; "" if it did not.
        scans: number of scans that have ended.
        took: seconds that the last one took.
    """

    def __init__(
        self,
        place: str,
        index: InstanceIndex,
        executor: Executor,
        excluded: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        self._place = place
        self._index = index
        self._executor = executor
        self._options = WalkOptions(follow_links=False, excluded=excluded)
        self._changed = threading.Condition()
        self._asked, self._begun = 1, 0
        self._stopping = False
        self.fault = ""
        self.scans = 0
        self.took = 0.0
        self._scan = index.find_last_scan()
        self._thread = threading.Thread(target=self._run, name="dicodec-scan", daemon=True)
        self._thread.start()

    def refresh(self, seconds: float) -> bool:
        """Wait for a scan that begins now or later; return whether one has ended in time."""
        until = time.monotonic() + seconds
        with self._changed:
            needed = self._begun + 1
            self._asked = max(self._asked, needed)
            self._changed.notify_all()
            return self._changed.wait_for(
                lambda: self.scans >= needed or self._stopping, max(0.0, until - time.monotonic())
            )

    def enter(self, stored: Sequence[tuple[str, str]]) -> None:
        """Enter files that were put into the folder just now.

        Args:
            stored: name and version of each.
        """
        if not stored:
            return
        listed = [_Listed(*one) for one in stored]
        rows = self._look_into(listed, self._identify_group(listed))
        self._index.put(rows, self._scan + 1)  # a scan that runs may have passed their names

    def close(self) -> None:
        """End the scan that runs, and begin no other."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while self._wait_for_turn(pause):
            started = time.monotonic()
            try:
                self._look()
                self.fault = ""
            except DicodecError as error:
                self.fault = error.message
            except Exception as cause:  # the thread has to live; it looks again later
                self.fault = describe_fault(cause)
            with self._changed:
                self.took = time.monotonic() - started
                self.scans = self._begun
                self._changed.notify_all()
            # The first one looks into all files, a second one into none.
            took = self.took if self.scans > 1 else 0
            pause = max(_SHORTEST_PAUSE, _PAUSE_SHARE * took)

    def _wait_for_turn(self, pause: float) -> bool:
        """Wait until a scan is due or asked for; return False if there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, pause)
            self._changed.wait_for(
                lambda: self._stopping or self._asked > self._begun, max(0.0, _INTERVAL - pause)
            )
            self._begun += 1
            self._asked = max(self._asked, self._begun)
            return not self._stopping

    def _look(self) -> None:
        self._scan += 1
        page: list[_Listed] = []
        whole = True
        for entry in self._list():
            if self._stopping:
                return
            if entry is None:
                whole = False
                continue
            page.append(entry)
            if len(page) == _PAGE:
                self._compare(page)
                page = []
        self._compare(page)
        if whole and not self._stopping:  # what cannot be listed now may be there all the same
            self._index.remove_others(self._scan)

    def _list(self) -> Iterator[_Listed | None]:
        """Yield all files; None for a folder that cannot be listed."""
        if is_object_url(self._place):
            from dicodec.batch.sources.cloud import list_objects

            for facts in list_objects(parse_object_url(self._place)):
                version = facts.etag or f"{facts.size} {facts.modified}"
                yield _Listed(str(facts.url), version)
            return
        if not os.path.isdir(self._place):  # noqa: PTH112 - it is a text
            raise ReadError("the folder is not there", path=self._place)
        for entry in walk(self._place, self._options):
            if isinstance(entry, FoundFile):
                version = f"{entry.reference.size} {entry.reference.modified}"
                yield _Listed(entry.relative, version)
            elif isinstance(entry, DicodecError):
                yield None

    def _compare(self, page: list[_Listed]) -> None:
        known = self._index.find_known([one.name for one in page])
        self._index.keep(
            [one.name for one in page if known.get(one.name) == one.version], self._scan
        )
        new = [one for one in page if known.get(one.name) != one.version]
        groups = [new[start : start + _GROUP] for start in range(0, len(new), _GROUP)]
        waiting = [(group, self._identify_group(group)) for group in groups]
        for group, futures in waiting:
            self._index.put(self._look_into(group, futures), self._scan)

    def _look_into(self, group: Sequence[_Listed], futures: Sequence[Future[Any]]) -> list[FileRow]:
        rows: list[FileRow] = []
        for one, future in zip(group, futures, strict=True):
            with suppress(DicodecError):  # a file that a worker could not look into: next time
                rows.append(FileRow(one.name, one.version, *_wait(future)))
        return rows

    def _identify_group(self, group: list[_Listed]) -> list[Future[Any]]:
        items = [locate(self._place, one.name) for one in group]
        return self._executor.run(identify_file, None, items, [None] * len(items))


def locate(place: str, name: str) -> Beneath | str:
    """Return the place of a file of the index.

    Args:
        place: path of the folder, or URL of the prefix.
        name: of the file, as the index has it.
    """
    return name if is_object_url(place) else Beneath(place, name)


def _wait(future: Future[Any]) -> IdentifiedFile:
    from concurrent.futures import CancelledError

    try:
        found: IdentifiedFile = future.result()
    except CancelledError:
        raise ReadError("the program is ending") from None
    return found
