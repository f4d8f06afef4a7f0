"""How the service is: for its page, for Prometheus, and for whoever starts and stops it."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from dicodec.model.implementation import VERSION
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, Loss
from dicodec.service.web import metrics
from dicodec.service.web.routes.shared import TheService, refusals
from dicodec.service.web.schemas import Health, OptionAnswer, Status, SyntaxAnswer, option_answers
from dicodec.service.web.throughput import SLOT_SECONDS

router = APIRouter(tags=["service"])


@router.get("/api/status", response_model=Status, summary="How the service is",
            responses=refusals())  # fmt: skip
def status(service: TheService) -> dict[str, Any]:
    """Return jobs by state and cause, and what came to an end in the last minutes."""
    return {
        "version": VERSION,
        "uptime": time.time() - service.started,
        "workers": service.executor.jobs,
        "in_flight": service.executor.in_flight,
        "queue_age": service.store.queue_age(),
        "tallies": [
            {
                "state": one.state,
                "cause": one.cause,
                "jobs": one.jobs,
                "source_bytes": one.source_bytes,
                "target_bytes": one.target_bytes,
            }
            for one in service.store.tallies()
        ],
        "slot_seconds": SLOT_SECONDS,
        "slots": [
            {"done": slot.done, "failed": slot.failed, "bytes": slot.bytes}
            for slot in service.throughput.slots()
        ],
        "upload_limit": service.settings.upload_limit,
        "roots": list(service.settings.roots),
    }


@router.get("/api/syntaxes", response_model=list[SyntaxAnswer], summary="What can be asked for",
            responses=refusals())  # fmt: skip
def syntaxes() -> list[dict[str, Any]]:
    """Return the transfer syntaxes that are written."""
    return [
        {
            "name": syntax.name,
            "uid": syntax.uid,
            "title": syntax.title,
            "lossy": syntax.loss is Loss.ALWAYS,
        }
        for syntax in TRANSFER_SYNTAXES
        if syntax.writes
    ]


@router.get("/api/options", response_model=list[OptionAnswer], summary="How it can be asked for",
            responses=refusals())  # fmt: skip
def options() -> list[OptionAnswer]:
    """Return the options that a conversion of an uploaded file can have."""
    return option_answers()


@router.get(
    "/metrics",
    response_class=Response,
    summary="Numbers for Prometheus",
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "numbers"},
        **refusals(),
    },
)
def numbers(service: TheService) -> Response:
    """Return jobs by state and cause, bytes, seconds by stage, and the age of the queue."""
    return Response(service.metrics.text(), media_type=metrics.CONTENT_TYPE)


@router.get("/health/live", response_model=Health, summary="Whether the service lives",
            responses=refusals())  # fmt: skip
async def live() -> dict[str, Any]:
    """Answer."""
    return {"ready": True, "problems": {}}


@router.get(
    "/health/ready",
    response_model=Health,
    summary="Whether the service can work",
    responses={503: {"model": Health, "description": "it cannot"}, **refusals()},
)
def ready(service: TheService) -> Response:
    """Write to the store and to the disk, and look after the workers."""
    problems = service.problems()
    answer = {"ready": not problems, "problems": problems}
    return JSONResponse(answer, status_code=503 if problems else 200)
