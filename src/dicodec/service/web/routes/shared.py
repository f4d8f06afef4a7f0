"""Shared parts of the routes: the service, common answers, and files sent in pieces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, BinaryIO

from fastapi import Depends
from fastapi import Path as UrlPath
from pydantic import AfterValidator
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from dicodec.errors import RequestError, SourceUnavailableError
from dicodec.model.wording import dump_json_line
from dicodec.part10.beneath import Beneath, open_beneath, pin_target
from dicodec.service.jobs.messages import Request as JobRequest
from dicodec.service.jobs.store.tables import Job
from dicodec.service.web.error_answers import Refusal
from dicodec.service.web.job_paths import restore_slashes
from dicodec.service.web.schemas import ErrorAnswer
from dicodec.service.web.service import Service

DICOM = "application/dicom"

_PIECE = 1 << 20
_ABOUT = {
    400: "the request is not valid",
    401: "a bearer token is needed",
    403: "that path, or this site, is not allowed",
    404: "there is no such job, or no such file any more",
    409: "that is not possible in the state the job is in",
    411: "the length of the body is not stated",
    413: "too large",
    421: "the service is not known by that name",
    422: "the file cannot be converted, or a parameter has no meaning",
    429: "too many requests",
    500: "the conversion failed",
    503: "busy or ending, or the job store cannot be used",
    504: "it took too long",
    507: "no room is left on the disk",
}


class JsonAnswer(JSONResponse):
    """An answer in JSON, in which file names that are not text are escaped."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return dump_json_line(content).encode()


def describe_refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of error statuses, with those of guard and store."""
    every = {*statuses, 401, 403, 421, 503, 507}
    return {
        status: {"model": ErrorAnswer, "description": _ABOUT[status]} for status in sorted(every)
    }


def get_service(request: Request) -> Service:
    """Return the service of an application."""
    service: Service = request.app.state.service
    return service


def charge_client(request: Request) -> None:
    """Count a request for work.

    Raises:
        Refusal: the client sends too many requests.
    """
    get_service(request).rate.spend(request.client.host if request.client else "")


type JobId = Annotated[str, UrlPath(min_length=1, max_length=200), AfterValidator(restore_slashes)]
TheService = Annotated[Service, Depends(get_service)]


def require_job(job: Job | None) -> Job:
    """Return a job that exists.

    Raises:
        Refusal: there is no such job.
    """
    if job is None:
        raise Refusal(404, "there is no job of that id")
    return job


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the object that a body is, in JSON.

    Raises:
        RequestError: it is something else.
    """
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as cause:
        raise RequestError("the body is not JSON") from cause
    if not isinstance(given, dict):
        raise RequestError("the body is not a JSON object")
    return given


def find_place(service: Service, one: Job, which: str) -> Beneath:
    """Return the place of a job's source or result, beneath a folder that its job may use.

    Raises:
        Refusal: there is no such file at this service.
        PathNotAllowedError: the path leads out of the allowed folders by now.
    """
    request = JobRequest.from_json(one.request)
    if which == "result" and one.target is None:
        raise Refusal(409, f"the job is {one.state} and has no result")
    roots = service.job_options.choose_roots(request)
    if which == "result":
        location = roots.resolve_target(one.target or "")
    else:
        location = roots.resolve_source(request.source)
    if isinstance(location, str):
        raise Refusal(409, "the file is in object storage, not at this service", hint=location)
    try:
        with open_beneath(location):
            return location
    except SourceUnavailableError as cause:
        raise Refusal(404, "the file is not there any more") from cause


def send_file(
    place: Beneath, name: str, headers: dict[str, str], *, remove: bool
) -> StreamingResponse:
    """Return a response that sends a file in pieces.

    Args:
        place: place of the file.
        name: name under which the client may save it.
        headers: further headers.
        remove: whether to remove the file; its bytes are sent all the same.

    Raises:
        Refusal: the file does not exist.
    """
    try:
        with open_beneath(place) as pinned:
            file = open(pinned, "rb", buffering=0)  # noqa: SIM115, PTH123 - the response closes it
    except SourceUnavailableError as cause:
        raise Refusal(404, "the file is not there any more") from cause
    if remove:
        pin_target(place, makes_folders=False).unlink()
    safe = make_safe_name(name)
    return StreamingResponse(
        _read_pieces(file),
        media_type=DICOM,
        headers={
            "Content-Length": str(file.seek(0, 2)),
            "Content-Disposition": f'attachment; filename="{safe or "result.dcm"}"',
            **headers,
        },
    )


def make_safe_name(name: str) -> str:
    """Return a file's name without characters that mean something to a system or a header."""
    return "".join(one if one.isalnum() or one in "._-" else "_" for one in name if one.isascii())


async def _read_pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
