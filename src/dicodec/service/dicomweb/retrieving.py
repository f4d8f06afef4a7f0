"""Shared parts of all retrievals: the source, the pool, and how an answer begins."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

from starlette.requests import Request
from starlette.responses import Response

from dicodec.service.dicomweb.answers import Part, answer_parts, answer_pieces
from dicodec.service.dicomweb.requested import parse_frames, read_target
from dicodec.service.dicomweb.sources import FoundInstance, InstanceSource
from dicodec.service.dicomweb.work import InstanceFacts, describe_instance
from dicodec.service.dicomweb.works import Works
from dicodec.service.web.error_answers import Refusal
from dicodec.service.web.limits import ConcurrencyLimit


class Retrieving:
    """What all retrievals share.

    Args:
        source: where instances come from.
        works: the pool.
        places: bounds the requests that are worked for at once.
    """

    def __init__(self, source: InstanceSource, works: Works, places: ConcurrencyLimit) -> None:
        self.source = source
        self.works = works
        self._places = places

    @asynccontextmanager
    async def open_one(self, request: Request) -> AsyncGenerator[FoundInstance]:
        """Yield the instance of a request, which can be read until the end of the block."""
        async with aclosing(self.source.find(read_target(request), request)) as instances:
            async for found in instances:
                yield found
                return
        raise Refusal(404, "there is no such instance")

    async def answer(self, parts: AsyncGenerator[Part]) -> Response:
        """Return an answer once its first part is made, because that decides the status."""
        return answer_parts(await self._make_first(parts), parts)

    async def answer_json(self, pieces: AsyncGenerator[bytes], media_type: str) -> Response:
        """Return an answer in pieces once the first one is made."""
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

    async def list_frames(self, request: Request, found: FoundInstance) -> list[int]:
        """Return the frames of a request, from 0."""
        listed = request.path_params.get("frames")
        if listed is not None:
            return parse_frames(listed)
        facts: InstanceFacts = await self.works.carry_out(describe_instance, found.place)
        if not facts.frames:
            raise Refusal(404, "the instance has no frames", code="missing-frame")
        return list(range(facts.frames))
