"""The application: retrieve studies, series, instances, frames, pictures and metadata (PS3.18)."""

from __future__ import annotations

import asyncio
import os
import re
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dicodec.errors import DicodecError
from dicodec.part10.beneath import Beneath, open_beneath
from dicodec.service.dicomweb.accept import MediaRange, parse_accept
from dicodec.service.dicomweb.answers import (
    Part,
    answer_error,
    answer_parts,
    answer_pieces,
    answer_refusal,
    answer_remote_error,
    refuse_forms,
    refuse_media_types,
    yield_bytes,
)
from dicodec.service.dicomweb.media_types import (
    DICOM,
    DICOM_JSON,
    OCTETS,
    RENDERED,
    Representation,
    accepts_json,
    choose_frames,
    choose_instances,
    choose_rendered,
)
from dicodec.service.dicomweb.metadata import BulkItem, MetadataItem, read_bulk, write_metadata
from dicodec.service.dicomweb.render_parameters import RenderParameters, parse_parameters
from dicodec.service.dicomweb.rendering import RenderItem, render
from dicodec.service.dicomweb.sources import (
    FoundInstance,
    InstanceSource,
    Target,
    find_base,
    is_uid,
)
from dicodec.service.dicomweb.work import (
    FrameItem,
    InstanceFacts,
    InstanceItem,
    NotAcceptable,
    Sent,
    convert_frame,
    convert_instance,
    describe_instance,
)
from dicodec.service.dicomweb.works import Works
from dicodec.service.web.disk_room import DiskRoom
from dicodec.service.web.error_answers import REASONS, Refusal
from dicodec.service.web.limits import ConcurrencyLimit, RateLimit

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_MOST_FRAMES = 10_000
"""Numbers in a list of frames at most."""
_PIECE = 1 << 20
_NUMBERS = re.compile(r"[1-9][0-9]{0,8}(?:(?:,|%2C)[1-9][0-9]{0,8})*", re.IGNORECASE)
_BULK = re.compile(r"[0-9A-Fa-f]{8}(?:/[1-9][0-9]{0,8}/[0-9A-Fa-f]{8})*")
_BULK_PATH = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*(?:/[0-9A-Za-z][0-9A-Za-z._-]*)*")
_PIXEL_DATA = "7FE00010"


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
        self._works = works
        self._folder = folder
        self._room = room
        self._rate = rate
        self._places = places
        self._app = Starlette(routes=self._make_routes())
        handlers: dict[Any, Any] = {
            Refusal: answer_refusal,
            DicodecError: answer_remote_error if source.remote else answer_error,
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
            add(f"{level}/metadata", self._send_metadata)
            add(f"{level}/rendered", self._send_rendered)
        add(f"{frames}/rendered", self._send_rendered)
        add(frames, self._send_frames)
        add(f"{instance}/pixeldata", self._send_frames)
        for word in ("bulkdata", "bulk"):  # the standard has no word; others' metadata have these
            add(f"{instance}/{word}/{{path:path}}", self._send_bulk)
        for path in ("/studies", "/series", "/instances", f"{study}/series",
                     f"{study}/instances", f"{series}/instances"):  # fmt: skip
            if path != "/studies":
                add(path, self._search)
        add("/studies", self._search_or_store, "GET", "POST")
        add(study, self._send_or_store, "GET", "POST")
        add(series, self._send_instances)
        add(instance, self._send_instances)
        return routes

    async def _search(self, request: Request) -> Response:
        _read_target(request)
        return await self._source.pass_on(request)

    async def _search_or_store(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._source.store(request, "")
        return await self._source.pass_on(request)

    async def _send_or_store(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._source.store(request, _read_target(request).study)
        return await self._send_instances(request)

    # Instances.

    async def _send_instances(self, request: Request) -> Response:
        target = _read_target(request)
        forms = choose_instances(_read_accepted(request), single=bool(target.instance))
        if not forms:
            raise refuse_media_types(f'{DICOM}, multipart/related; type="{DICOM}"')
        return await self._answer(self._make_instances(target, forms, request))

    async def _make_instances(
        self, target: Target, forms: list[Representation], request: Request
    ) -> AsyncGenerator[Part]:
        async with aclosing(self._source.find(target, request)) as instances:
            async for found in instances:
                yield await self._make_instance(found, forms, request)

    async def _make_instance(
        self, found: FoundInstance, forms: list[Representation], request: Request
    ) -> Part:
        self._room.check()
        path = self._folder / f"{uuid.uuid4().hex}.dcm"
        try:
            item = InstanceItem(found.place, forms, str(path))
            sent = await self._works.carry_out_unless_gone(convert_instance, item, request)
            if isinstance(sent, NotAcceptable):
                raise refuse_forms(sent)
            assert isinstance(sent, Sent)
            if sent.converted:
                file = _open(path)
            else:
                assert isinstance(found.place.place, Beneath)
                file = _open_place(found.place.place)
        finally:
            path.unlink(missing_ok=True)  # what is open can be read all the same
        url = f"{find_base(request)}{found.target.path}"
        size = os.fstat(file.fileno()).st_size
        return Part(sent.form, _read_pieces(file), size, url)

    # Frames.

    async def _send_frames(self, request: Request) -> Response:
        return await self._answer(self._make_frames(request))

    async def _make_frames(self, request: Request) -> AsyncGenerator[Part]:
        accepted = _read_accepted(request)
        async with self._open_one(request) as found:
            frames = await self._list_frames(request, found)
            forms = choose_frames(accepted, single=len(frames) == 1)
            if not forms:
                raise refuse_media_types(
                    f'multipart/related; type="{OCTETS}", and others of images with transfer-syntax'
                )
            base = f"{find_base(request)}{found.target.path}/frames"
            items = [FrameItem(found.place, frame, forms) for frame in frames]
            made = self._works.carry_out_in_order(convert_frame, items)
            left = iter(frames)
            async with aclosing(made) as all_sent:
                async for sent in all_sent:
                    if isinstance(sent, NotAcceptable):
                        raise refuse_forms(sent)
                    content, url = sent.content, f"{base}/{next(left) + 1}"
                    yield Part(sent.form, yield_bytes(content), len(content), url)

    async def _list_frames(self, request: Request, found: FoundInstance) -> list[int]:
        """Return the frames of a request, from 0."""
        listed = request.path_params.get("frames")
        if listed is not None:
            return _parse_frames(listed)
        facts: InstanceFacts = await self._works.carry_out(describe_instance, found.place)
        if not facts.frames:
            raise Refusal(404, "the instance has no frames", code="missing-frame")
        return list(range(facts.frames))

    # Pictures.

    async def _send_rendered(self, request: Request) -> Response:
        parameters = parse_parameters(request.query_params)
        if _read_target(request).instance:
            return await self._answer(self._make_pictures_of_one(request, parameters))
        return await self._answer(self._make_pictures_of_all(request, parameters))

    async def _make_pictures_of_one(
        self, request: Request, parameters: RenderParameters
    ) -> AsyncGenerator[Part]:
        accepted = _read_accepted(request)
        async with self._open_one(request) as found:
            frames = await self._list_frames(request, found)
            forms = choose_rendered(accepted, single=len(frames) == 1)
            if not forms:
                raise _refuse_pictures()
            async for part in self._make_pictures(found, frames, forms[0], parameters, request):
                yield part

    async def _make_pictures_of_all(
        self, request: Request, parameters: RenderParameters
    ) -> AsyncGenerator[Part]:
        forms = choose_rendered(_read_accepted(request), single=False)
        form = next((one for one in forms if one.multipart), None)
        if form is None:
            raise _refuse_pictures()
        async with aclosing(self._source.find(_read_target(request), request)) as instances:
            async for found in instances:
                facts: InstanceFacts = await self._works.carry_out(describe_instance, found.place)
                frames = list(range(facts.frames))
                if frames:
                    pictures = self._make_pictures(found, frames, form, parameters, request)
                    async for part in pictures:
                        yield part

    async def _make_pictures(
        self,
        found: FoundInstance,
        frames: list[int],
        form: Representation,
        parameters: RenderParameters,
        request: Request,
    ) -> AsyncGenerator[Part]:
        base = f"{find_base(request)}{found.target.path}"
        if len(frames) > 1 and not form.multipart:
            if frames != list(range(frames[0], frames[-1] + 1)):
                raise refuse_media_types('multipart/related; type="image/gif" of frames with gaps')
            groups = [range(frames[0], frames[-1] + 1)]
        else:
            groups = [range(frame, frame + 1) for frame in frames]
        for group in groups:
            item = RenderItem(
                found.place, group, form.media_type, parameters.window, parameters.quality,
                parameters.viewport,
            )  # fmt: skip
            content = await self._works.carry_out_unless_gone(render, item, request)
            url = f"{base}/frames/{group[0] + 1}/rendered"
            yield Part(form, yield_bytes(content), len(content), url)

    # Metadata and bulk data.

    async def _send_metadata(self, request: Request) -> Response:
        target = _read_target(request)
        if self._source.remote:
            return await self._source.pass_on(request)
        media_type = accepts_json(_read_accepted(request))
        if media_type is None:
            raise refuse_media_types(DICOM_JSON)
        return await self._answer_json(self._make_metadata(target, request), media_type)

    async def _make_metadata(self, target: Target, request: Request) -> AsyncGenerator[bytes]:
        base = find_base(request)
        opening = b"["
        async with aclosing(self._source.find(target, request)) as instances:
            async for found in instances:
                item = MetadataItem(found.place, f"{base}{found.target.path}")
                yield opening + await self._works.carry_out(write_metadata, item)
                opening = b","
        yield b"]"

    async def _send_bulk(self, request: Request) -> Response:
        path = request.path_params["path"]
        _read_target(request)
        if self._source.remote and _BULK_PATH.fullmatch(path):
            return await self._source.pass_on(request)
        if not _BULK.fullmatch(path):
            raise Refusal(400, "bulk data are named by a tag, and by items and tags in them")
        if path.upper() == _PIXEL_DATA:
            return await self._send_frames(request)
        return await self._answer(self._make_bulk(request, path))

    async def _make_bulk(self, request: Request, path: str) -> AsyncGenerator[Part]:
        form = next((one for one in _read_accepted(request) if one.covers(OCTETS)), None)
        if form is None:
            raise refuse_media_types(OCTETS)
        numbers = [
            int(text, 10 if number % 2 else 16) for number, text in enumerate(path.split("/"))
        ]
        async with self._open_one(request) as found:
            content = await self._works.carry_out(read_bulk, BulkItem(found.place, numbers))
            url = f"{find_base(request)}{found.target.path}/bulkdata/{path}"
            sent = Representation(OCTETS, form.multipart is not False)
            yield Part(sent, yield_bytes(content), len(content), url)

    # Shared.

    @asynccontextmanager
    async def _open_one(self, request: Request) -> AsyncGenerator[FoundInstance]:
        """Yield the instance of a request, which can be read until the end of the block."""
        async with aclosing(self._source.find(_read_target(request), request)) as instances:
            async for found in instances:
                yield found
                return
        raise Refusal(404, "there is no such instance")

    async def _answer(self, parts: AsyncGenerator[Part]) -> Response:
        """Return an answer once its first part is made, because that decides the status."""
        return answer_parts(await self._make_first(parts), parts)

    async def _answer_json(self, pieces: AsyncGenerator[bytes], media_type: str) -> Response:
        return answer_pieces(await self._make_first(pieces), pieces, media_type)

    async def _make_first[Made](self, made: AsyncGenerator[Made]) -> Made:
        """Make the first part of an answer; those behind it wait for nothing but the pool."""
        try:
            async with self._places.hold_in_turn():
                async for first in made:
                    return first
            raise Refusal(404, "there are no frames", code="missing-frame")
        except BaseException:
            await made.aclose()
            raise


def _read_target(request: Request) -> Target:
    parameters = request.path_params
    uids = [parameters.get(name, "") for name in ("study", "series", "instance")]
    if not all(is_uid(uid) for uid in uids if uid):
        raise Refusal(400, "a UID has up to 64 digits and points")
    return Target(*uids)


def _read_accepted(request: Request) -> list[MediaRange]:
    header = ", ".join(request.headers.getlist("accept"))
    return parse_accept(header, request.query_params.get("accept"))


def _parse_frames(listed: str) -> list[int]:
    """Return the numbers of a list of frames, which counts from 1, from 0."""
    if not _NUMBERS.fullmatch(listed):
        raise Refusal(400, "frames are listed by their numbers, from 1, such as 1,2,5")
    numbers = [int(text) - 1 for text in listed.replace("%2C", ",").replace("%2c", ",").split(",")]
    if len(numbers) > _MOST_FRAMES:
        raise Refusal(400, f"more than {_MOST_FRAMES} frames are listed")
    return numbers


def _refuse_pictures() -> Refusal:
    offered = ", ".join(RENDERED)
    return refuse_media_types(
        f"{offered}; of several pictures multipart/related with one of them as its type"
    )


def _open(path: Path) -> BinaryIO:
    return path.open("rb", buffering=0)


def _open_place(place: Beneath) -> BinaryIO:
    with open_beneath(place) as pinned:
        return open(pinned, "rb", buffering=0)  # noqa: PTH123 - a pinned file has its own path


async def _read_pieces(file: BinaryIO) -> AsyncGenerator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = REASONS.get(error.status_code, "error")
    refusal = Refusal(
        error.status_code, str(error.detail).lower(), code=code, headers=error.headers
    )
    return await answer_refusal(request, refusal)
