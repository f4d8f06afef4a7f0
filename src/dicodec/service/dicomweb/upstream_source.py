"""Instances of another DICOMweb server: fetched as they are stored, converted here."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import httpx
from starlette.requests import Request
from starlette.responses import Response

from dicodec.part10.beneath import Beneath
from dicodec.service.dicomweb.answers import answer_pieces
from dicodec.service.dicomweb.instance_cache import InstanceCache
from dicodec.service.dicomweb.media_types import DICOM, DICOM_JSON
from dicodec.service.dicomweb.multipart_reader import (
    MultipartError,
    MultipartReader,
    read_content_type,
)
from dicodec.service.dicomweb.opened_files import InstancePlace
from dicodec.service.dicomweb.part_files import create, write_all, write_parts
from dicodec.service.dicomweb.sources import (
    FoundInstance,
    Target,
    find_base,
    is_uid,
    read_body,
)
from dicodec.service.dicomweb.upstream import (
    TooLargeError,
    Upstream,
    check_answer,
    yield_in_time,
)
from dicodec.service.dicomweb.upstream_frames import UpstreamFrames
from dicodec.service.dicomweb.work import InstanceFacts, describe_instance
from dicodec.service.dicomweb.works import Works
from dicodec.service.web.disk_room import DiskRoom
from dicodec.service.web.error_answers import Refusal

_AS_STORED = f'multipart/related; type="{DICOM}"; transfer-syntax=*'
_PIECE = 1 << 18
_PASSIVE = re.compile(
    r"(application/(dicom\+json|json|dicom\+xml|dicom|octet-stream)"
    r"|multipart/related|text/plain|image/[a-z0-9-]+|video/[a-z0-9-]+)", re.IGNORECASE
)  # fmt: skip
"""Media types of answers that are passed on: none that a browser would run as a page of ours."""

_TEXT = re.compile(r"json|xml", re.IGNORECASE)
_PASSED_ON = ("content-type", "warning", "retry-after", "www-authenticate")
"""Headers of an answer that are passed on; a length is not, because addresses are rewritten."""


class UpstreamSource:
    """The instances of another server.

    Args:
        upstream: the server.
        works: the pool.
        folder: folder for fetched instances, which nothing else uses.
        cache: bytes of them at most.
        room: says whether the disk has room for more.
        upload_limit: bytes of a request to store at most.
    """

    def __init__(
        self,
        upstream: Upstream,
        works: Works,
        folder: Path,
        cache: int,
        room: DiskRoom,
        upload_limit: int,
    ) -> None:
        self._upstream = upstream
        self._works = works
        self._folder = folder
        self._cache = InstanceCache(folder, cache)
        self._room = room
        self._upload_limit = upload_limit
        self.other = self._pass_on
        self.frames = UpstreamFrames(upstream, works, self._cache, folder, room, self._fetch_one)

    async def find(self, target: Target, request: Request) -> AsyncGenerator[FoundInstance]:
        """Yield the instances of a resource: see `InstanceSource`."""
        headers = self._upstream.identify(request)
        found = self._find_one if target.instance else self._find_all
        async with aclosing(found(target, headers)) as instances:
            async for one in instances:
                yield one

    async def _find_one(
        self, target: Target, headers: dict[str, str]
    ) -> AsyncGenerator[FoundInstance]:
        async def fetch(path: Path) -> None:
            try:
                await self._fetch_one(target, headers, path, self._upload_limit)
            except TooLargeError:
                raise _refuse_size(self._upload_limit) from None

        async with self._cache.use(self._upstream.make_key(target, headers), fetch) as file:
            yield FoundInstance(target, self._place(file.path, target.instance))

    async def _fetch_one(
        self, target: Target, headers: dict[str, str], path: Path, most: int
    ) -> None:
        """Write an instance to a path.

        Raises:
            TooLargeError: it has more bytes.
            Refusal, DicodecError: it cannot be had, or is another one.
        """
        began = time.monotonic()
        async with aclosing(self._fetch_parts(target, headers, path, most)) as fetched:
            paths = [one async for one in fetched]
        if not paths:
            raise Refusal(404, "the upstream has no such instance")
        self._upstream.note_rate(path.stat().st_size, time.monotonic() - began)
        await self._describe(path, target)  # what is not that instance is not kept

    async def _describe(self, path: Path, target: Target) -> Target:
        """Return the UIDs of a fetched instance.

        Raises:
            DicodecError: it cannot be read.
            Refusal: it is not of the resource that was asked for, or has no UIDs.
        """
        facts: InstanceFacts = await self._works.carry_out(describe_instance, self._place(path, ""))
        found = Target(facts.study, facts.series, facts.instance)
        pairs = (
            (found.study, target.study), (found.series, target.series),
            (found.instance, target.instance),
        )  # fmt: skip
        if all(is_uid(one) and wanted in {"", one} for one, wanted in pairs):
            return found
        raise Refusal(
            502, "the upstream sends another instance than was asked for", code="upstream-failed"
        )

    async def _find_all(
        self, target: Target, headers: dict[str, str]
    ) -> AsyncGenerator[FoundInstance]:
        # There is one of them on the disk at a time.
        async with aclosing(self._fetch_parts(target, headers, None, sys.maxsize)) as fetched:
            async for path in fetched:
                try:
                    named = await self._describe(path, target)
                    yield FoundInstance(named, self._place(path, named.instance))
                finally:
                    path.unlink(missing_ok=True)

    def _place(self, path: Path, instance: str) -> InstancePlace:
        return InstancePlace(Beneath(str(self._folder), path.name), "", instance)

    async def _fetch_parts(
        self, target: Target, headers: dict[str, str], only: Path | None, most: int
    ) -> AsyncGenerator[Path]:
        """Yield the path of each fetched instance; if `only` is given, that of the first one.

        Raises:
            TooLargeError: all of them have more than `most` bytes.
        """
        wanted = {**headers, "Accept": _AS_STORED}
        left = [only]

        def make_path() -> Path:
            if only is None:
                return self._cache.make_path()
            if (path := left.pop() if left else None) is None:
                raise MultipartError("it has several parts for one instance")
            return path

        async with self._upstream.ask("GET", target.path, wanted) as answer:
            await check_answer(answer)
            kind, _, boundary = read_content_type(answer.headers.get("content-type", ""))
            if kind == DICOM:
                path = only or self._cache.make_path()
                await self._write_all(answer, path, most)
                yield path
                return
            try:
                reader = MultipartReader(boundary)
                pieces = self._upstream.yield_up_to(answer, most, _PIECE)
                parts = write_parts(pieces, reader, make_path, self._room, synced=False)
                async with aclosing(parts) as written:
                    async for path in written:
                        yield path
            except MultipartError as error:
                raise Refusal(
                    502, f"the upstream's answer: {error}", code="upstream-failed"
                ) from error
            if not reader.over:
                raise Refusal(502, "the upstream's answer ends early", code="upstream-failed")

    async def _write_all(self, answer: httpx.Response, path: Path, most: int) -> None:
        with create(path) as out:
            async for chunk in self._upstream.yield_up_to(answer, most, _PIECE):
                self._room.check(len(chunk))
                await asyncio.to_thread(write_all, out, chunk)

    # What is the other server's own.

    async def search(self, request: Request, target: Target, level: str) -> Response:  # noqa: ARG002
        """Have the other server answer a search: see `InstanceSource`."""
        return await self._pass_on(request)

    async def _pass_on(self, request: Request) -> Response:
        headers = {**self._upstream.identify(request)}
        headers["Accept"] = request.headers.get("accept", DICOM_JSON)
        return await self._pass(request, headers, None)

    async def store(self, request: Request, study: str) -> Response:  # noqa: ARG002
        """Pass on the instances of a request: see `InstanceSource`."""
        headers = {**self._upstream.identify(request)}
        for name in ("Content-Type", "Content-Length", "Accept"):
            if (value := request.headers.get(name)) is not None:
                headers[name] = value
        return await self._pass(request, headers, read_body(request, self._upload_limit))

    async def _pass(
        self, request: Request, headers: dict[str, str], body: AsyncGenerator[bytes] | None
    ) -> Response:
        base = find_base(request)
        pieces = self._ask_and_read(request, headers, body)
        answer = await anext(pieces)
        assert isinstance(answer, httpx.Response)
        passed = {
            name: value for name in _PASSED_ON if (value := answer.headers.get(name)) is not None
        }
        kind = passed.pop("content-type", DICOM_JSON)
        rewritten = _rewrite(pieces, self._upstream.url, base, everywhere=bool(_TEXT.search(kind)))
        response = answer_pieces(b"", rewritten, kind)
        response.status_code = answer.status_code
        # A browser would run scripts in XML with the rights of our site.
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response.headers["X-Content-Type-Options"] = "nosniff"
        for name, value in passed.items():
            response.headers[name] = value
        return response

    async def _ask_and_read(
        self, request: Request, headers: dict[str, str], body: AsyncGenerator[bytes] | None
    ) -> AsyncGenerator[httpx.Response | bytes]:
        """Yield the answer, and then its body; a redirection or an error of the server is ours."""
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        query = request.scope["query_string"].decode("latin-1")
        async with self._upstream.ask(
            request.method, path, headers, query=query, body=body
        ) as answer:
            if 300 <= answer.status_code < 400 or answer.status_code >= 500:
                await check_answer(answer)
            await _check_kind(answer)
            yield answer
            async with aclosing(yield_in_time(answer, _PIECE)) as chunks:
                async for chunk in chunks:
                    yield chunk

    def find_problem(self) -> str:
        """Return nothing: whether the other server answers is known when it is asked."""
        return ""

    async def stop(self) -> None:
        """Close the connections."""
        await self._upstream.stop()

    def close(self) -> None:
        """Remove what was fetched."""
        self._cache.close()


async def _check_kind(answer: httpx.Response) -> None:
    """Check that an answer has a media type that can be passed on.

    Raises:
        Refusal: a browser might take it for a page of ours.
    """
    kind = answer.headers.get("content-type", DICOM_JSON).partition(";")[0].strip()
    if _PASSIVE.fullmatch(kind) or answer.status_code == 204:
        return
    status = answer.status_code
    if status < 400:
        raise Refusal(
            502, "the upstream answers with a media type that is not one of DICOMweb",
            code="upstream-failed",
        )  # fmt: skip
    raise Refusal(status, f"the upstream answers {status}")


async def _rewrite(
    pieces: AsyncGenerator[httpx.Response | bytes], theirs: str, ours: str, *, everywhere: bool
) -> AsyncGenerator[bytes]:
    """Yield an answer's body with our address in place of the other server's.

    Args:
        pieces: of the body.
        theirs: base URL of the other server.
        ours: base URL of this application.
        everywhere: whether it is text; else only in the header that names a part, because what
            looks like an address may be in a value.
    """
    before = b"" if everywhere else b"Content-Location: "
    old, new = before + theirs.encode(), before + ours.encode()
    held = b""
    async with aclosing(pieces):
        async for piece in pieces:
            assert isinstance(piece, bytes)
            held = (held + piece).replace(old, new)
            # An address may go on in the next piece.
            keep = len(old) - 1
            if len(held) > keep:
                yield held[: len(held) - keep]
                held = held[len(held) - keep :]
        yield held


def _refuse_size(most: int) -> Refusal:
    return Refusal(
        502, f"the upstream sends more than {most} bytes as one instance", code="upstream-failed"
    )
