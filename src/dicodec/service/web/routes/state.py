"""Routes for the state of the service: for its page, for Prometheus, and for supervisors."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from dicodec.model.implementation import VERSION
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, Loss
from dicodec.service.metrics.recording import CONTENT_TYPE
from dicodec.service.web.routes.shared import TheService, describe_refusals
from dicodec.service.web.schemas import (
    Health,
    OptionAnswer,
    PolicyAnswer,
    Status,
    SyntaxAnswer,
    make_option_answers,
)
from dicodec.service.web.throughput import SLOT_SECONDS

router = APIRouter(tags=["service"])


@router.get("/api/status", response_model=Status, summary="Show the state of the service",
            responses=describe_refusals())  # fmt: skip
def show_status(service: TheService) -> dict[str, Any]:
    """Return jobs by state and cause, and the jobs that ended in the last minutes."""
    return {
        "version": VERSION,
        "uptime": time.time() - service.started,
        "workers": service.executor.jobs,
        "in_flight": service.executor.unfinished,
        "queue_age": service.store.measure_queue_age(),
        "tallies": [
            {
                "state": one.state,
                "cause": one.cause,
                "jobs": one.jobs,
                "source_bytes": one.source_bytes,
                "target_bytes": one.target_bytes,
            }
            for one in service.store.read_tallies()
        ],
        "slot_seconds": SLOT_SECONDS,
        "slots": [
            {"done": slot.done, "failed": slot.failed, "bytes": slot.bytes}
            for slot in service.throughput.read_slots()
        ],
        "upload_limit": service.options.upload_limit,
        "roots": list(service.options.roots),
    }


@router.get("/api/syntaxes", response_model=list[SyntaxAnswer],
            summary="List the transfer syntaxes that can be written",
            responses=describe_refusals())  # fmt: skip
def list_syntaxes() -> list[dict[str, Any]]:
    """Return the transfer syntaxes that dicodec writes."""
    return [
        {
            "name": syntax.name,
            "uid": syntax.uid,
            "title": syntax.title,
            "lossy": syntax.loss is not Loss.NEVER,
        }
        for syntax in TRANSFER_SYNTAXES
        if syntax.writes
    ]


@router.get("/api/policies", response_model=list[PolicyAnswer],
            summary="List the policies that a request can name",
            responses=describe_refusals())  # fmt: skip
def list_policies(service: TheService) -> list[dict[str, str]]:
    """Return the profiles, and the policies of this service."""
    return [
        {"name": name, "description": text}
        for name, text in service.job_options.describe_policies().items()
    ]


@router.get("/api/options", response_model=list[OptionAnswer],
            summary="List the options of a conversion",
            responses=describe_refusals())  # fmt: skip
def list_options() -> list[OptionAnswer]:
    """Return the options that a conversion of an uploaded file can have."""
    return make_option_answers()


@router.get(
    "/metrics",
    response_class=Response,
    summary="Numbers for Prometheus",
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "numbers"},
        **describe_refusals(),
    },
)
def show_metrics(service: TheService) -> Response:
    """Return jobs by state and cause, bytes, seconds by stage, and the age of the queue."""
    return Response(service.metrics.format_text(), media_type=CONTENT_TYPE)


@router.get("/health/live", response_model=Health, summary="Whether the service lives",
            responses=describe_refusals())  # fmt: skip
async def answer_live() -> dict[str, Any]:
    """Answer that the service runs."""
    return {"ready": True, "problems": {}}


@router.get(
    "/health/ready",
    response_model=Health,
    summary="Whether the service can work",
    responses={503: {"model": Health, "description": "it cannot"}, **describe_refusals()},
)
def check_ready(service: TheService) -> Response:
    """Check that the store and the disk can be written and that jobs are carried out."""
    problems = service.find_problems()
    answer = {"ready": not problems, "problems": problems}
    return JSONResponse(answer, status_code=503 if problems else 200)
