"""Routes for jobs: add, list, show, cancel and retry them, and get their results."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from dicodec.errors import RequestError
from dicodec.service.jobs.execution_work import choose_target
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.store.tables import Job, JobFilter, JobState
from dicodec.service.jobs.submission import make_job
from dicodec.service.jobs.tracing import TRACEPARENT
from dicodec.service.web.error_answers import Refusal
from dicodec.service.web.routes.shared import (
    DICOM,
    JobId,
    TheService,
    charge_client,
    describe_refusals,
    find_place,
    parse_object,
    require_job,
    send_file,
)
from dicodec.service.web.schemas import (
    Accepted,
    JobDetails,
    JobList,
    ManyAccepted,
    Retried,
    make_job_answer,
    make_job_details,
    make_request_schema,
)
from dicodec.service.web.service import Service

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

MOST_AT_ONCE = 1000
"""Jobs in one request."""


def _describe_body(schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "",
    status_code=202,
    response_model=Accepted,
    summary="Put a job into the queue",
    openapi_extra=_describe_body(make_request_schema()),
    responses=describe_refusals(400, 411, 413, 429, 500, 507),
    dependencies=[Depends(charge_client)],
)
async def submit(http: HttpRequest, service: TheService, response: Response) -> dict[str, Any]:
    """Add one job to the queue, by the paths of source and result on the service's machine."""
    given = parse_object(await http.body())
    request = await asyncio.to_thread(_parse_job, given, service)
    request = request.go_on_with(None if request.parent else http.headers.get(TRACEPARENT))
    job, new = await asyncio.to_thread(service.put, request)
    response.headers["Location"] = f"/api/jobs/{quote(job.id, safe='')}"
    return {"job": make_job_answer(job), "new": new}


@router.post(
    "/batch",
    status_code=202,
    response_model=ManyAccepted,
    summary="Put many jobs into the queue",
    openapi_extra=_describe_body(
        {
            "type": "object",
            "properties": {
                "jobs": {"type": "array", "items": make_request_schema(), "maxItems": MOST_AT_ONCE}
            },
            "required": ["jobs"],
            "additionalProperties": False,
        }
    ),
    responses=describe_refusals(400, 411, 413, 429, 500, 507),
    dependencies=[Depends(charge_client)],
)
async def submit_many(http: HttpRequest, service: TheService) -> dict[str, int]:
    """Add up to a thousand jobs to the queue: all, or none if one is wrong."""
    given = parse_object(await http.body())
    many = given.get("jobs")
    if set(given) != {"jobs"} or not isinstance(many, list) or len(many) > MOST_AT_ONCE:
        raise Refusal(400, f'an object with "jobs", a list of {MOST_AT_ONCE} at most, is expected')
    added = await asyncio.to_thread(_put_many, many, service, http.headers.get(TRACEPARENT))
    service.runner.look()
    return {"added": added, "known": len(many) - added}


def _put_many(many: list[Any], service: Service, traceparent: str | None) -> int:
    requests = (_parse_job(one, service) for one in many)
    return service.store.put(
        [make_job(one if one.parent else one.go_on_with(traceparent)) for one in requests]
    )


def _parse_job(given: Any, service: Service) -> Request:
    if not isinstance(given, dict):
        raise RequestError("a job is an object")
    request = Request.from_fields({"id": uuid.uuid4().hex, **given})
    service.job_options.roots.resolve_source(request.source)
    service.job_options.roots.resolve_target(choose_target(request))
    if request.policy is not None:
        service.job_options.find_policy(request.policy)
    return request


@router.get("", response_model=JobList, summary="List jobs", responses=describe_refusals(422))
def list_jobs(
    service: TheService,
    state: JobState | None = None,
    cause: Annotated[str | None, Query(max_length=100)] = None,
    tenant: Annotated[str | None, Query(max_length=200)] = None,
    text: Annotated[
        str | None, Query(max_length=500, description="part of the source's path, or an id")
    ] = None,
    before: Annotated[
        int | None, Query(ge=1, le=2**62, description="`next` of the page before")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """List jobs, the latest first, in pages."""
    wanted = JobFilter(state=state, cause=cause, tenant=tenant, text=text or None, before=before)
    page = service.store.list_jobs(wanted, limit)
    more = page[-1].number if len(page) == limit else None
    return {"jobs": [make_job_answer(job) for job in page], "next": more}


@router.post(
    "/retry",
    response_model=Retried,
    summary="Try dead jobs again",
    responses=describe_refusals(422, 429),
    dependencies=[Depends(charge_client)],
)
def retry_dead(
    service: TheService,
    cause: Annotated[
        str | None, Query(max_length=100, description="only those of this error code")
    ] = None,
) -> dict[str, int]:
    """Make all dead jobs due again, or those of one cause."""
    count = service.store.retry_dead(cause)
    service.runner.look()
    return {"jobs": count}


@router.get(
    "/{id}",
    response_model=JobDetails,
    summary="Look at a job",
    responses=describe_refusals(404, 422),
)
def show_job(service: TheService, id: JobId) -> dict[str, Any]:  # noqa: A002 - its name in the URL
    """Return a job with its request, its report or error, and its failed attempts."""
    return make_job_details(require_job(service.store.find(id)))


@router.post(
    "/{id}/cancel",
    status_code=202,
    response_model=JobDetails,
    summary="Cancel a job",
    responses=describe_refusals(404, 409, 422, 429),
    dependencies=[Depends(charge_client)],
)
def cancel(service: TheService, id: JobId) -> dict[str, Any]:  # noqa: A002
    """Cancel a waiting job, or abandon a running one soon."""
    before = require_job(service.store.find(id))
    if before.state.over:
        raise Refusal(409, f"the job is {before.state} already")
    after = service.store.cancel(id, _make_event(before, EventKind.CANCELLED))
    service.runner.look()
    return make_job_details(require_job(after))


@router.post(
    "/{id}/retry",
    status_code=202,
    response_model=JobDetails,
    summary="Try a job again",
    responses=describe_refusals(404, 409, 422, 429),
    dependencies=[Depends(charge_client)],
)
def retry(service: TheService, id: JobId) -> dict[str, Any]:  # noqa: A002
    """Make a dead or cancelled job due again."""
    before = require_job(service.store.find(id))
    if before.state not in {JobState.DEAD, JobState.CANCELLED}:
        raise Refusal(409, f"the job is {before.state}, neither dead nor cancelled")
    after = service.store.retry(id, _make_event(before, EventKind.ACCEPTED))
    service.runner.look()
    return make_job_details(require_job(after))


@router.get(
    "/{id}/result",
    response_class=StreamingResponse,
    summary="Get a job's result",
    responses={
        200: {
            "description": "the result",
            "content": {DICOM: {"schema": {"type": "string", "format": "binary"}}},
        },
        **describe_refusals(404, 409, 422),
    },
)
def send_result(service: TheService, id: JobId) -> Response:  # noqa: A002
    """Return the result of a job."""
    one = require_job(service.store.find(id))
    place = find_place(service, one, "result")
    return send_file(place, Path(one.source).name, {}, remove=False)


def _make_event(one: Job, kind: EventKind) -> str:
    return Event(
        kind=kind, job=one.id, attempt=one.attempts, tenant=one.tenant, trace_id=one.trace
    ).to_json()
