"""What routes have in common: the service, the answers that all may give, files sent in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from dicodec.model.lines import json_line
from dicodec.service.jobs.store.tables import Job
from dicodec.service.web.error_answers import Refusal
from dicodec.service.web.schemas import ErrorAnswer
from dicodec.service.web.service import Service

DICOM = "application/dicom"

_PIECE = 1 << 20
_ABOUT = {
    400: "the request makes no sense",
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
    503: "busy, or ending",
    504: "it took too long",
    507: "no room is left on the disk",
}


class JsonAnswer(JSONResponse):
    """An answer in JSON, also where a file's name in it is no text."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json_line(content).encode()


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of other statuses than success; the guard's are among them."""
    every = {*statuses, 401, 403, 421}
    return {
        status: {"model": ErrorAnswer, "description": _ABOUT[status]} for status in sorted(every)
    }


def service_of(request: Request) -> Service:
    """Return the service of an application."""
    service: Service = request.app.state.service
    return service


def paying(request: Request) -> None:
    """Count a request that has work done.

    Raises:
        Refusal: the client has had its share.
    """
    service_of(request).rate.spend(request.client.host if request.client else "")


TheService = Annotated[Service, Depends(service_of)]


def found(job: Job | None) -> Job:
    """Return a job that is there.

    Raises:
        Refusal: it is not.
    """
    if job is None:
        raise Refusal(404, "there is no job of that id")
    return job


def sent(path: Path, name: str, headers: dict[str, str], *, remove: bool) -> StreamingResponse:
    """Return a response that sends a file in pieces.

    Args:
        path: of the file.
        name: that the client may save it under.
        headers: further ones.
        remove: whether its name goes at once; its bytes go when they are sent.

    Raises:
        Refusal: it is not there.
    """
    try:
        file = path.open("rb", buffering=0)
    except OSError as cause:
        raise Refusal(404, "the file is not there any more") from cause
    if remove:
        path.unlink()
    safe = "".join(one if one.isalnum() or one in "._-" else "_" for one in name if one.isascii())
    return StreamingResponse(
        _pieces(file),
        media_type=DICOM,
        headers={
            "Content-Length": str(file.seek(0, 2)),
            "Content-Disposition": f'attachment; filename="{safe or "result.dcm"}"',
            **headers,
        },
    )


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
