"""Routes for eyes: a frame of a job's source or result, and how far the two are apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from dicodec.images.decoded_frames import AUTO, WindowChoice
from dicodec.service.web.error_answers import Refusal
from dicodec.service.web.pair_measures import PairItem, measure_pair, render_difference
from dicodec.service.web.preview import PreviewItem, render_preview
from dicodec.service.web.routes.shared import (
    JobId,
    TheService,
    charge_client,
    describe_refusals,
    find_place,
    require_job,
)
from dicodec.service.web.schemas import PairMeasures
from dicodec.service.web.service import Service

router = APIRouter(prefix="/api/jobs", tags=["pictures"], dependencies=[Depends(charge_client)])

_FAR = 1e12
"""Bound of Window Center and Width, which keeps arithmetic finite."""

type _Side = Literal["source", "result"]
type _Frame = Annotated[int, Query(ge=0, le=2**31)]
type _Size = Annotated[int, Query(ge=16, le=2048, description="rows and columns at most")]

_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "a picture",
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    },
    **describe_refusals(404, 409, 422, 429, 500, 503, 504),
}


@router.get(
    "/{id}/preview/{which}",
    response_class=Response,
    summary="See a frame of a job's source or result",
    responses={**_PICTURE, **describe_refusals(400)},
)
async def send_preview(
    http: Request,
    service: TheService,
    id: JobId,  # noqa: A002 - its name in the URL
    which: _Side,
    frame: _Frame = 0,
    size: _Size = 512,
    center: Annotated[
        float | None, Query(ge=-_FAR, le=_FAR, description="Window Center; not without `width`")
    ] = None,
    width: Annotated[
        float | None, Query(gt=0, le=_FAR, description="Window Width; not without `center`")
    ] = None,
) -> Response:
    """Return a frame as a viewer shows it, as PNG; through another window than the file's."""
    job = require_job(service.store.find(id))
    if (center is None) != (width is None):
        raise Refusal(400, "a window has a center and a width")
    window: WindowChoice = AUTO if center is None or width is None else (center, width)
    place = await asyncio.to_thread(find_place, service, job, which)
    return await _send_picture(
        http, service, render_preview, PreviewItem(place, frame, size, window)
    )


@router.get(
    "/{id}/difference",
    response_class=Response,
    summary="See the difference of a frame of a job's source and result",
    responses=_PICTURE,
)
async def send_difference(
    http: Request,
    service: TheService,
    id: JobId,  # noqa: A002
    frame: _Frame = 0,
    size: _Size = 512,
) -> Response:
    """Return the errors of a frame as PNG, black if there are none, the largest one white."""
    item = await asyncio.to_thread(_find_pair, service, id, frame, size)
    return await _send_picture(http, service, render_difference, item)


@router.get(
    "/{id}/measures",
    response_model=PairMeasures,
    summary="Measure how far a job's result is from its source",
    responses=describe_refusals(404, 409, 422, 429, 500, 503, 504),
)
async def send_measures(
    http: Request,
    service: TheService,
    id: JobId,  # noqa: A002
    frame: Annotated[
        int | None,
        Query(ge=0, le=2**31, description="only this one; if absent, up to 64 spread evenly"),
    ] = None,
) -> dict[str, Any]:
    """Return errors and peak signal-to-noise ratio, and how frames of both are shown."""
    item = await asyncio.to_thread(_find_pair, service, id, frame, 512)
    measures: dict[str, Any] = await _run(http, service, measure_pair, item)
    return measures


def _find_pair(service: Service, job_id: str, frame: int | None, size: int) -> PairItem:
    job = require_job(service.store.find(job_id))
    places = [find_place(service, job, which) for which in ("result", "source")]
    return PairItem(places[1], places[0], frame, size)


async def _send_picture(
    http: Request, service: Service, work: Callable[..., bytes], item: PreviewItem | PairItem
) -> Response:
    picture: bytes = await _run(http, service, work, item)
    return Response(picture, media_type="image/png")


async def _run(
    http: Request, service: Service, work: Callable[..., Any], item: PreviewItem | PairItem
) -> Any:
    """Have a work done in a process of the pool, in its turn."""
    async with service.places.hold_in_turn():
        futures: Sequence[Any] = service.executor.run(work, None, [item], [None])
        return await service.wait_for(futures[0], http)
