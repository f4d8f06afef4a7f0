"""Instances of a folder or bucket: found by an index, and read where they are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from itertools import islice
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from dicodec.model.source_names import is_object_url, parse_object_url
from dicodec.service.dicomweb.answers import answer_pieces, refuse_media_types
from dicodec.service.dicomweb.index import FileRow, InstanceIndex
from dicodec.service.dicomweb.media_types import DICOM_JSON, accepts_json
from dicodec.service.dicomweb.opened_files import InstancePlace
from dicodec.service.dicomweb.query import parse_query
from dicodec.service.dicomweb.requested import read_accepted
from dicodec.service.dicomweb.scanning import Scanner, locate
from dicodec.service.dicomweb.searching import Search
from dicodec.service.dicomweb.sources import FoundInstance, Target, find_base
from dicodec.service.dicomweb.storing import FolderStore
from dicodec.service.dicomweb.works import Works
from dicodec.service.jobs.execution import Executor
from dicodec.service.web.disk_room import DiskRoom
from dicodec.service.web.error_answers import Refusal

_INDEX_NAME = "dicomweb-index.sqlite"

_RESERVE = 256 << 20
"""Bytes of the disk that stay free."""

_PATIENCE = 10.0
"""Seconds that a request for something unknown waits for the folder to be looked at again."""

_QUICK = 1.0
"""Seconds that a scan takes at most whose end a search waits for."""

_MOST_WARNINGS = 8
_PAGE = 100
"""Results that are sent at once."""


class FolderSource:
    """The instances of a folder or bucket.

    Args:
        place: path of the folder, or URL of a prefix.
        executor: looks into files.
        works: the pool.
        folder: our own folder, for the index; it is not looked into.
        upload_limit: bytes of a request to store at most.

    Raises:
        TargetUnavailableError: the index cannot be used.
    """

    other = None
    frames = None

    def __init__(
        self, place: str, executor: Executor, works: Works, folder: Path, upload_limit: int
    ) -> None:
        cloud = is_object_url(place)
        self._place = str(parse_object_url(place)) if cloud else os.path.realpath(place)
        self._index = InstanceIndex(folder / _INDEX_NAME, self._place)
        found = folder.stat()
        excluded = frozenset({(found.st_dev, found.st_ino)})
        self._store: FolderStore | None = None
        if not cloud:
            room = DiskRoom(Path(self._place), _RESERVE)
            self._store = FolderStore(self._place, works, room, upload_limit)
        self._scanner = Scanner(self._place, self._index, executor, excluded)

    async def find(self, target: Target, request: Request) -> AsyncGenerator[FoundInstance]:  # noqa: ARG002
        """Yield the instances of a resource: see `InstanceSource`."""
        rows = await self._find_rows(target)
        for row in rows:
            yield FoundInstance(
                Target(row.study, row.series, row.instance),
                InstancePlace(locate(self._place, row.name), row.version, row.instance),
            )

    async def _find_rows(self, target: Target) -> list[FileRow]:
        wanted = (target.study, target.series, target.instance)
        rows = await asyncio.to_thread(self._index.find, *wanted)
        if rows:
            return rows
        await asyncio.to_thread(self._scanner.refresh, _PATIENCE)
        rows = await asyncio.to_thread(self._index.find, *wanted)
        if rows:
            return rows
        self._refuse_unknown()
        raise Refusal(404, f"there is nothing at {target.path}")

    def _refuse_unknown(self) -> None:
        """Say that what was not found may be there all the same, if that is so.

        Raises:
            Refusal: it may be.
        """
        if self._scanner.fault:
            raise Refusal(
                503, f"the images cannot be listed: {self._scanner.fault}",
                code="source-unavailable", headers={"Retry-After": "5"},
            )  # fmt: skip
        if not self._scanner.scans:
            raise Refusal(
                503, "the images are still being looked through, and this is not among those found",
                headers={"Retry-After": "10"},
            )  # fmt: skip

    async def search(self, request: Request, target: Target, level: str) -> Response:
        """Answer a search from the index: see `InstanceSource`."""
        media_type = accepts_json(read_accepted(request))
        if media_type is None:
            raise refuse_media_types(DICOM_JSON)
        query = parse_query(request.query_params.multi_items(), level)
        warnings = [*query.warnings]
        # Changes are waited for if that is short; of a large folder they come with the next scan.
        quick = self._scanner.scans and self._scanner.took < _QUICK
        if quick or not self._scanner.scans:
            await asyncio.to_thread(self._scanner.refresh, _QUICK if quick else _PATIENCE)
        if not self._scanner.scans:
            warnings.append("The images are still being looked through; there may be more.")
        found = Search(self._index, target, level, query, find_base(request)).find()
        first = await asyncio.to_thread(next, found, None)
        headers = {"Cache-Control": "no-cache"}
        if warnings:
            told = (f'299 dicodec "{one}"' for one in warnings[:_MOST_WARNINGS])
            headers["Warning"] = ", ".join(told)
        if first is None:
            self._refuse_unknown()
            return Response(status_code=204, headers=headers)
        response = answer_pieces(b"[" + first, _write_list(found), media_type)
        response.headers.update(headers)
        return response

    async def store(self, request: Request, study: str) -> Response:
        """Store the instances in a request's body: see `InstanceSource`."""
        if self._store is None:
            raise Refusal(501, "nothing is stored in a bucket", code="not-implemented")
        stored = await self._store.store(request, study)
        await asyncio.to_thread(self._scanner.enter, stored.files)
        return stored.answer(find_base(request), study)

    def find_problem(self) -> str:
        """Return why instances cannot be had: see `InstanceSource`."""
        return self._scanner.fault

    async def stop(self) -> None:
        """Do nothing: there are no connections."""

    def close(self) -> None:
        """End the scan, and close the index."""
        self._scanner.close()
        self._index.close()


async def _write_list(found: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the results behind the first one, some at a time, and the end of the list."""
    while page := await asyncio.to_thread(lambda: [*islice(found, _PAGE)]):
        yield b"".join(b"," + one for one in page)
    yield b"]"
