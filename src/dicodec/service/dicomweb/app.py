"""The application: retrieve studies, series, instances, frames, pictures and metadata (PS3.18)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dicodec.errors import DicodecError
from dicodec.service.dicomweb.answers import answer_error, answer_refusal, answer_remote_error
from dicodec.service.dicomweb.frame_answers import FrameAnswers
from dicodec.service.dicomweb.instance_answers import InstanceAnswers
from dicodec.service.dicomweb.metadata_answers import MetadataAnswers
from dicodec.service.dicomweb.picture_answers import PictureAnswers
from dicodec.service.dicomweb.requested import read_target
from dicodec.service.dicomweb.retrieving import Retrieving
from dicodec.service.dicomweb.sources import InstanceSource
from dicodec.service.dicomweb.works import Works
from dicodec.service.web.disk_room import DiskRoom
from dicodec.service.web.error_answers import REASONS, Refusal
from dicodec.service.web.limits import ConcurrencyLimit, RateLimit

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

type _Answer = Callable[[Request], Awaitable[Response]]


class DicomWebApp:
    """DICOMweb over some source, as an ASGI application.

    Args:
        source: where instances come from; closed with the application.
        works: the pool.
        folder: folder for converted instances.
        room: says whether its disk has room for more.
        rate: bounds the requests of each client.
        places: bounds the requests that are worked for at once.
    """

    def __init__(
        self,
        source: InstanceSource,
        works: Works,
        folder: Path,
        room: DiskRoom,
        rate: RateLimit,
        places: ConcurrencyLimit,
    ) -> None:
        self._source = source
        self._rate = rate
        retrieving = Retrieving(source, works, places)
        self._instances = InstanceAnswers(retrieving, folder, room)
        self._frames = FrameAnswers(retrieving)
        self._pictures = PictureAnswers(retrieving)
        self._metadata = MetadataAnswers(retrieving, self._frames)
        self._app = Starlette(routes=self._make_routes())
        handlers: dict[Any, Any] = {
            Refusal: answer_refusal,
            DicodecError: answer_remote_error if source.other else answer_error,
            HTTPException: _answer_http,
        }
        for kind, handler in handlers.items():
            self._app.add_exception_handler(kind, handler)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    async def stop(self) -> None:
        """Close connections, before the event loop ends."""
        await self._source.stop()

    def _make_routes(self) -> list[Route]:
        study = "/studies/{study}"
        series = f"{study}/series/{{series}}"
        instance = f"{series}/instances/{{instance}}"
        frames = f"{instance}/frames/{{frames}}"
        routes: list[Route] = []

        def add(path: str, answer: _Answer, *methods: str) -> None:
            async def charge_and_answer(request: Request) -> Response:
                self._rate.spend(request.client.host if request.client else "")
                return await answer(request)

            routes.append(Route(path, charge_and_answer, methods=methods or ("GET",)))

        for level in (study, series, instance):
            add(f"{level}/metadata", self._metadata.send_metadata)
            add(f"{level}/rendered", self._pictures.send)
        add(f"{frames}/rendered", self._pictures.send)
        add(frames, self._frames.send)
        add(f"{instance}/pixeldata", self._frames.send)
        for word in ("bulkdata", "bulk"):  # the standard has no word; others' metadata have these
            add(f"{instance}/{word}/{{path:path}}", self._metadata.send_bulk)
        for path in ("/studies", "/series", "/instances", f"{study}/series",
                     f"{study}/instances", f"{series}/instances"):  # fmt: skip
            if path != "/studies":
                add(path, self._search)
        add("/studies", self._search_or_store, "GET", "POST")
        add(study, self._send_or_store, "GET", "POST")
        add(series, self._instances.send)
        add(instance, self._instances.send)
        return routes

    async def _search(self, request: Request) -> Response:
        level = request.url.path.rpartition("/")[2]
        return await self._source.search(request, read_target(request), level)

    async def _search_or_store(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._source.store(request, "")
        return await self._search(request)

    async def _send_or_store(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._source.store(request, read_target(request).study)
        return await self._instances.send(request)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = REASONS.get(error.status_code, "error")
    refusal = Refusal(
        error.status_code, str(error.detail).lower(), code=code, headers=error.headers
    )
    return await answer_refusal(request, refusal)
