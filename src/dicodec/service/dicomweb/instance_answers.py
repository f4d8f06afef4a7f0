"""Answer with whole instances (PS3.18 10.4.1.1.1)."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response

from dicodec.part10.beneath import Beneath, open_beneath
from dicodec.service.dicomweb.answers import Part, refuse_forms, refuse_media_types
from dicodec.service.dicomweb.media_types import DICOM, Representation, choose_instances
from dicodec.service.dicomweb.requested import read_accepted, read_target
from dicodec.service.dicomweb.retrieving import Retrieving
from dicodec.service.dicomweb.sources import FoundInstance, Target, find_base
from dicodec.service.dicomweb.work import (
    InstanceItem,
    NotAcceptable,
    Sent,
    convert_instance,
)
from dicodec.service.web.disk_room import DiskRoom

_PIECE = 1 << 20


class InstanceAnswers:
    """Answer with whole instances (PS3.18 10.4.1.1.1).

    Args:
        retrieving: what all retrievals share.
        folder: folder for converted instances.
        room: says whether its disk has room for more.
    """

    def __init__(self, retrieving: Retrieving, folder: Path, room: DiskRoom) -> None:
        self._retrieving = retrieving
        self._folder = folder
        self._room = room

    async def send(self, request: Request) -> Response:
        """Answer with the instances of a study or series, or with one."""
        target = read_target(request)
        forms = choose_instances(read_accepted(request), single=bool(target.instance))
        if not forms:
            raise refuse_media_types(f'{DICOM}, multipart/related; type="{DICOM}"')
        return await self._retrieving.answer(self._make_instances(target, forms, request))

    async def _make_instances(
        self, target: Target, forms: list[Representation], request: Request
    ) -> AsyncGenerator[Part]:
        async with aclosing(self._retrieving.source.find(target, request)) as instances:
            async for found in instances:
                yield await self._make_instance(found, forms, request)

    async def _make_instance(
        self, found: FoundInstance, forms: list[Representation], request: Request
    ) -> Part:
        self._room.check()
        path = self._folder / f"{uuid.uuid4().hex}.dcm"
        try:
            item = InstanceItem(found.place, forms, str(path))
            sent = await self._retrieving.works.carry_out_unless_gone(
                convert_instance, item, request
            )
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


def _open(path: Path) -> BinaryIO:
    return path.open("rb", buffering=0)


def _open_place(place: Beneath) -> BinaryIO:
    with open_beneath(place) as pinned:
        return open(pinned, "rb", buffering=0)  # noqa: PTH123 - a pinned file has its own path


async def _read_pieces(file: BinaryIO) -> AsyncGenerator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
