"""Routes for files: convert one at once, or upload one as a job."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from dicodec.errors import DicodecError, RequestError
from dicodec.model.transfer_syntax import find_by_name
from dicodec.part10.beneath import Beneath, sync_names
from dicodec.service.jobs.execution_work import Task
from dicodec.service.jobs.tracing import TRACEPARENT, parse_traceparent
from dicodec.service.web.frame_encoding import FrameItem, encode_chosen_frame
from dicodec.service.web.receiving import FILE_FIELD, Received, read_stated_size, receive_file
from dicodec.service.web.request_parameters import parse_request
from dicodec.service.web.routes.shared import (
    DICOM,
    TheService,
    charge_client,
    describe_refusals,
    send_file,
)
from dicodec.service.web.schemas import (
    Accepted,
    UploadList,
    make_job_answer,
    make_option_parameters,
)
from dicodec.service.web.service import Service

router = APIRouter(tags=["files"], dependencies=[Depends(charge_client)])

_REPORTED = ("action", "source_syntax", "target_syntax", "source_size", "target_size", "frames",
         "lossy", "verified", "compression_ratio")  # fmt: skip
_LOWEST_ROOM = 1 << 20
"""Bytes of room on the disk that a file of unknown size needs."""

_STREAM = "application/octet-stream"

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            DICOM: {"schema": {"type": "string", "format": "binary", "minLength": 1}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {FILE_FIELD: {"type": "string", "format": "binary"}},
                    "required": [FILE_FIELD],
                    "additionalProperties": False,
                }
            },
        },
    },
    "parameters": make_option_parameters(),
}


@router.post(
    "/api/convert",
    summary="Convert a file and get the result",
    openapi_extra=_BODY,
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "the result; the header Dicodec-Report has a short report",
            "content": {DICOM: {"schema": {"type": "string", "format": "binary"}}},
        },
        **describe_refusals(400, 409, 413, 422, 429, 500, 503, 504, 507),
    },
)
async def convert(http: Request, service: TheService) -> Response:
    """Take a file as the body, or as the part "file" of a form, and answer with the result.

    The options are in the parameters, or in further fields of the form.
    """
    name = uuid.uuid4().hex
    source, target = service.spool / f"{name}.in", service.spool / f"{name}.out"
    span = service.tracing.begin_call("POST /api/convert", http.headers.get(TRACEPARENT))
    async with service.places.hold_in_turn():
        try:
            received = await _receive(http, service, source, sync=False)
            request = parse_request(
                _list_parameters(http, received), job=name, source=source, target=str(target)
            )
            done = await service.wait_for(service.executor.submit(Task(request)), http)
        except DicodecError as error:
            span.end("failed", cause=error.code, report={})
            service.metrics.count_failure(error.code)
            service.throughput.count(failed=True, size=0)
            service.log.write("warning", "not converted", job=name, code=error.code)
            target.unlink(missing_ok=True)
            raise
        except BaseException:
            span.end("abandoned", cause=None, report={})
            target.unlink(missing_ok=True)
            raise
        finally:
            source.unlink(missing_ok=True)
    span.end("succeeded", cause=None, report=done.report)
    service.metrics.count_conversion(done.report)
    service.throughput.count(failed=False, size=received.size)
    service.log.write("info", "converted", job=name, action=done.report.get("action"))
    summary = {key: done.report[key] for key in _REPORTED if done.report.get(key) is not None}
    if done.report.get("salvaged"):
        summary["salvaged"] = done.report["salvaged"]
    summary["warnings"] = len(done.report.get("warnings", ()))
    headers = {"Dicodec-Report": json.dumps(summary)}
    if traceparent := span.traceparent or parse_traceparent(http.headers.get(TRACEPARENT)):
        headers[TRACEPARENT] = traceparent
    place = Beneath(os.fspath(service.spool), target.name)
    return send_file(place, _name_result(received.name), headers, remove=True)


@router.post(
    "/api/frame",
    summary="Get one frame of a file in any transfer syntax",
    openapi_extra=_BODY,
    response_class=Response,
    responses={
        200: {
            "description": "the frame's stream, or its samples, little endian",
            "content": {_STREAM: {"schema": {"type": "string", "format": "binary"}}},
        },
        **describe_refusals(400, 413, 422, 429, 500, 503, 504, 507),
    },
)
async def convert_frame(
    http: Request,
    service: TheService,
    frame: Annotated[int, Query(ge=0, le=2**31, description="its number, from 0")] = 0,
) -> Response:
    """Take a file as `/api/convert` does, and answer with one frame; no other is decoded.

    `to` is one transfer syntax. A stream that is in it already is sent as it is stored.
    """
    name = uuid.uuid4().hex
    source = service.spool / f"{name}.in"
    async with service.places.hold_in_turn():
        try:
            received = await _receive(http, service, source, sync=False)
            given = [one for one in _list_parameters(http, received) if one[0] != "frame"]
            request = parse_request(given, job=name, source=source, target=str(source))
            if len(request.to) != 1 or request.policy is not None:
                raise RequestError("a frame has one transfer syntax", field="to")
            syntax = find_by_name(request.to[0])
            assert syntax is not None, "it was checked"
            place = Beneath(os.fspath(service.spool), source.name)
            item = FrameItem(place, frame, syntax.uid, request.options)
            futures: Sequence[Any] = service.executor.run(encode_chosen_frame, None, [item], [None])
            stream: bytes = await service.wait_for(futures[0], http)
        finally:
            source.unlink(missing_ok=True)
    return Response(stream, media_type=f"{_STREAM}; transfer-syntax={syntax.uid}")


@router.post(
    "/api/uploads",
    status_code=202,
    response_model=Accepted,
    summary="Upload a file as a job",
    openapi_extra=_BODY,
    responses=describe_refusals(400, 409, 413, 422, 429, 500, 503, 507),
)
async def upload(http: Request, service: TheService, response: Response) -> dict[str, Any]:
    """Take a file as `/api/convert` does, and add a job to the queue; files are kept a while."""
    name = uuid.uuid4().hex
    spooled = service.spool / f"{name}.in"
    async with service.places.hold_in_turn():
        try:
            received = await _receive(http, service, spooled, sync=True)
            given = [(key, value) for key, value in _list_parameters(http, received) if key != "id"]
            source, target = service.uploads / f"{name}.dcm", service.results / f"{name}.dcm"
            request = parse_request(given, job=name, source=source, target=str(target))
            request = request.go_on_with(None if request.parent else http.headers.get(TRACEPARENT))
            if request.policy is not None:
                service.job_options.find_policy(request.policy)
            spooled.rename(source)
            await asyncio.to_thread(sync_names, service.uploads)
        finally:
            spooled.unlink(missing_ok=True)
    shown = received.name or "upload"
    job, new = await asyncio.to_thread(service.put, request, shown_as=shown)
    response.headers["Location"] = f"/api/jobs/{job.id}"
    return {"job": make_job_answer(job), "new": new}


@router.get(
    "/api/uploads",
    response_model=UploadList,
    summary="List the jobs of uploaded files",
    responses=describe_refusals(422, 429),
)
def list_uploads(
    service: TheService,
    tenant: Annotated[
        str | None, Query(max_length=200, description="if absent, jobs that belong to no tenant")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """List the jobs of uploaded files that this service still keeps, the latest first."""
    return {"jobs": [make_job_answer(job) for job in service.list_uploads(tenant, limit)]}


async def _receive(http: Request, service: Service, path: Path, *, sync: bool) -> Received:
    limit = service.options.upload_limit
    stated = read_stated_size(http, limit)
    with service.room.promise(_LOWEST_ROOM if stated is None else stated) as promise:
        return await receive_file(http, path, limit, promise.note_written, sync=sync)


def _list_parameters(http: Request, received: Received) -> list[tuple[str, str]]:
    return [*http.query_params.multi_items(), *received.fields.items()]


def _name_result(name: str) -> str:
    stem = name.removesuffix(".dcm").removesuffix(".DCM")
    return f"{stem or 'result'}.converted.dcm"
