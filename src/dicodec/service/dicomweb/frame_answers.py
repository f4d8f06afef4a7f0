"""Answer with frames (PS3.18 10.4.1.1.6, 10.4.1.1.7)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response

from dicodec.errors import ReadError
from dicodec.service.dicomweb.answers import (
    Part,
    refuse_forms,
    refuse_media_types,
    yield_bytes,
)
from dicodec.service.dicomweb.media_types import OCTETS, choose_frames
from dicodec.service.dicomweb.requested import parse_frames, read_accepted, read_target
from dicodec.service.dicomweb.retrieving import Retrieving
from dicodec.service.dicomweb.sources import find_base
from dicodec.service.dicomweb.work import FrameItem, NotAcceptable, convert_frame
from dicodec.service.web.error_answers import Refusal


class FrameAnswers:
    """Answer with frames (PS3.18 10.4.1.1.6, 10.4.1.1.7).

    Args:
        retrieving: what all retrievals share.
    """

    def __init__(self, retrieving: Retrieving) -> None:
        self._retrieving = retrieving

    async def send(self, request: Request) -> Response:
        """Answer with the frames of an instance."""
        return await self._retrieving.answer(self._make_frames(request))

    async def _make_frames(self, request: Request) -> AsyncGenerator[Part]:
        if (part := await self._make_single(request)) is not None:
            yield part
            return
        accepted = read_accepted(request)
        async with self._retrieving.open_one(request) as found:
            frames = await self._retrieving.list_frames(request, found)
            forms = choose_frames(accepted, single=len(frames) == 1)
            if not forms:
                raise _refuse_frames()
            base = f"{find_base(request)}{found.target.path}/frames"
            items = [FrameItem(found.place, frame, forms) for frame in frames]
            made = self._retrieving.works.carry_out_in_order(convert_frame, items)
            left = iter(frames)
            async with aclosing(made) as all_sent:
                async for sent in all_sent:
                    if isinstance(sent, NotAcceptable):
                        raise refuse_forms(sent)
                    content, url = sent.content, f"{base}/{next(left) + 1}"
                    yield Part(sent.form, yield_bytes(content), len(content), url)

    async def _make_single(self, request: Request) -> Part | None:
        """Return the only frame of a request, if it can be had without its instance."""
        finder, listed = self._retrieving.source.frames, request.path_params.get("frames")
        if finder is None or listed is None or len(frames := parse_frames(listed)) != 1:
            return None
        forms = choose_frames(read_accepted(request), single=True)
        if not forms:
            raise _refuse_frames()
        target = read_target(request)
        async with finder.find_frame(target, frames[0], request) as place:
            if place is None:
                return None
            try:
                item = FrameItem(place, 0, forms)
                sent = await self._retrieving.works.carry_out(convert_frame, item)
            except ReadError:  # the whole instance has the number of the frame, and may be repaired
                return None
        if isinstance(sent, NotAcceptable):
            raise refuse_forms(sent)
        url = f"{find_base(request)}{target.path}/frames/{frames[0] + 1}"
        return Part(sent.form, yield_bytes(sent.content), len(sent.content), url)


def _refuse_frames() -> Refusal:
    return refuse_media_types(
        f'multipart/related; type="{OCTETS}", and others of images with transfer-syntax'
    )
