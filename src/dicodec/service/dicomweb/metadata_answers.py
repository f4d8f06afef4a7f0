"""Answer with metadata and bulk data (PS3.18 10.4.1.1.2, 10.4.1.1.5)."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response

from dicodec.service.dicomweb.answers import Part, refuse_media_types, yield_bytes
from dicodec.service.dicomweb.frame_answers import FrameAnswers
from dicodec.service.dicomweb.media_types import DICOM_JSON, OCTETS, Representation, accepts_json
from dicodec.service.dicomweb.metadata import BulkItem, MetadataItem, read_bulk, write_metadata
from dicodec.service.dicomweb.requested import read_accepted, read_target
from dicodec.service.dicomweb.retrieving import Retrieving
from dicodec.service.dicomweb.sources import Target, find_base
from dicodec.service.web.error_answers import Refusal

_BULK = re.compile(r"[0-9A-Fa-f]{8}(?:/[1-9][0-9]{0,8}/[0-9A-Fa-f]{8})*")
_BULK_PATH = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*(?:/[0-9A-Za-z][0-9A-Za-z._-]*)*")
_PIXEL_DATA = "7FE00010"


class MetadataAnswers:
    """Answer with metadata and bulk data (PS3.18 10.4.1.1.2, 10.4.1.1.5).

    Args:
        retrieving: what all retrievals share.
        frames: answers with Pixel Data, which are frames.
    """

    def __init__(self, retrieving: Retrieving, frames: FrameAnswers) -> None:
        self._retrieving = retrieving
        self._frames = frames

    async def send_metadata(self, request: Request) -> Response:
        """Answer with the metadata of all instances of a resource."""
        target = read_target(request)
        if (other := self._retrieving.source.other) is not None:
            return await other(request)
        media_type = accepts_json(read_accepted(request))
        if media_type is None:
            raise refuse_media_types(DICOM_JSON)
        return await self._retrieving.answer_json(self._make_metadata(target, request), media_type)

    async def _make_metadata(self, target: Target, request: Request) -> AsyncGenerator[bytes]:
        base = find_base(request)
        opening = b"["
        async with aclosing(self._retrieving.source.find(target, request)) as instances:
            async for found in instances:
                item = MetadataItem(found.place, f"{base}{found.target.path}")
                yield opening + await self._retrieving.works.carry_out(write_metadata, item)
                opening = b","
        yield b"]"

    async def send_bulk(self, request: Request) -> Response:
        """Answer with a value that metadata name."""
        path = request.path_params["path"]
        read_target(request)
        if (other := self._retrieving.source.other) is not None and _BULK_PATH.fullmatch(path):
            return await other(request)
        if not _BULK.fullmatch(path):
            raise Refusal(400, "bulk data are named by a tag, and by items and tags in them")
        if path.upper() == _PIXEL_DATA:
            return await self._frames.send(request)
        return await self._retrieving.answer(self._make_bulk(request, path))

    async def _make_bulk(self, request: Request, path: str) -> AsyncGenerator[Part]:
        form = next((one for one in read_accepted(request) if one.covers(OCTETS)), None)
        if form is None:
            raise refuse_media_types(OCTETS)
        numbers = [
            int(text, 10 if number % 2 else 16) for number, text in enumerate(path.split("/"))
        ]
        async with self._retrieving.open_one(request) as found:
            content = await self._retrieving.works.carry_out(
                read_bulk, BulkItem(found.place, numbers)
            )
            url = f"{find_base(request)}{found.target.path}/bulkdata/{path}"
            sent = Representation(OCTETS, form.multipart is not False)
            yield Part(sent, yield_bytes(content), len(content), url)
