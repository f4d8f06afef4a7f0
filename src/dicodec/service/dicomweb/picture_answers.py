"""Answer with pictures, as a viewer shows them (PS3.18 10.4.1.1.3)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response

from dicodec.service.dicomweb.answers import Part, refuse_media_types, yield_bytes
from dicodec.service.dicomweb.media_types import RENDERED, Representation, choose_rendered
from dicodec.service.dicomweb.render_parameters import RenderParameters, parse_parameters
from dicodec.service.dicomweb.rendering import RenderItem, render
from dicodec.service.dicomweb.requested import read_accepted, read_target
from dicodec.service.dicomweb.retrieving import Retrieving
from dicodec.service.dicomweb.sources import FoundInstance, find_base
from dicodec.service.dicomweb.work import InstanceFacts, describe_instance
from dicodec.service.web.error_answers import Refusal


class PictureAnswers:
    """Answer with pictures, as a viewer shows them (PS3.18 10.4.1.1.3).

    Args:
        retrieving: what all retrievals share.
    """

    def __init__(self, retrieving: Retrieving) -> None:
        self._retrieving = retrieving

    async def send(self, request: Request) -> Response:
        """Answer with pictures of frames, or of all instances of a resource."""
        parameters = parse_parameters(request.query_params)
        if read_target(request).instance:
            return await self._retrieving.answer(self._make_pictures_of_one(request, parameters))
        return await self._retrieving.answer(self._make_pictures_of_all(request, parameters))

    async def _make_pictures_of_one(
        self, request: Request, parameters: RenderParameters
    ) -> AsyncGenerator[Part]:
        accepted = read_accepted(request)
        async with self._retrieving.open_one(request) as found:
            frames = await self._retrieving.list_frames(request, found)
            forms = choose_rendered(accepted, single=len(frames) == 1)
            if not forms:
                raise _refuse_pictures()
            async for part in self._make_pictures(found, frames, forms[0], parameters, request):
                yield part

    async def _make_pictures_of_all(
        self, request: Request, parameters: RenderParameters
    ) -> AsyncGenerator[Part]:
        forms = choose_rendered(read_accepted(request), single=False)
        form = next((one for one in forms if one.multipart), None)
        if form is None:
            raise _refuse_pictures()
        async with aclosing(
            self._retrieving.source.find(read_target(request), request)
        ) as instances:
            async for found in instances:
                facts: InstanceFacts = await self._retrieving.works.carry_out(
                    describe_instance, found.place
                )
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
            content = await self._retrieving.works.carry_out_unless_gone(render, item, request)
            url = f"{base}/frames/{group[0] + 1}/rendered"
            yield Part(form, yield_bytes(content), len(content), url)


def _refuse_pictures() -> Refusal:
    offered = ", ".join(RENDERED)
    return refuse_media_types(
        f"{offered}; of several pictures multipart/related with one of them as its type"
    )
