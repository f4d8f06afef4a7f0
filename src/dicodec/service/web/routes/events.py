"""Route for the events of jobs, as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.responses import StreamingResponse

from dicodec.service.web.routes.shared import TheService, describe_refusals
from dicodec.service.web.service import Service

router = APIRouter(tags=["jobs"])

_LOOK_SECONDS = 0.25
"""How often the store is read for new events."""

_SIGN_SECONDS = 15.0
"""How often a heartbeat is sent, so that no proxy takes the connection for dead."""

_LARGEST = 2**62


@router.get(
    "/api/events",
    response_class=StreamingResponse,
    summary="Receive events",
    responses={
        200: {
            "description": "events; `id` is to be sent as Last-Event-ID after a break",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **describe_refusals(422, 503),
    },
)
async def stream_events(
    service: TheService,
    job: Annotated[str | None, Query(max_length=200, description="only of this job")] = None,
    limit: Annotated[
        int | None, Query(ge=0, le=100_000, description="end behind so many events")
    ] = None,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=_LARGEST, description="the last event that is known")
    ] = None,
) -> StreamingResponse:
    """Send events as they happen, from now on, or from the last one that the client has."""
    after = last_event_id
    if after is None:
        after = await asyncio.to_thread(service.store.find_last_event)
    service.streams.take()  # the last step, because only the response gives the place back
    return _Stream(service, _read_events(service, after, job, limit))


class _Stream(StreamingResponse):
    """A stream that releases its place, however it ends."""

    def __init__(self, service: Service, content: AsyncIterator[str]) -> None:
        super().__init__(content, media_type="text/event-stream")
        self._service = service

    async def __call__(self, *arguments: Any) -> None:
        try:
            await super().__call__(*arguments)
        finally:
            self._service.streams.leave()


async def _read_events(
    service: Service, after: int, wanted: str | None, limit: int | None
) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    signed = time.monotonic()
    left = limit
    while left != 0 and not service.is_closing():
        rows = await asyncio.to_thread(service.store.read_events, after)
        for number, job, json in rows:
            after = number
            if wanted not in {None, job} or left == 0:
                continue
            yield f"id: {number}\ndata: {json}\n\n"
            signed = time.monotonic()
            left = None if left is None else left - 1
        if not rows:
            if time.monotonic() - signed > _SIGN_SECONDS:
                signed = time.monotonic()
                yield ": here\n\n"
            await asyncio.sleep(_LOOK_SECONDS)
