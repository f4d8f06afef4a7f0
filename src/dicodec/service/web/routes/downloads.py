"""Routes for many results as one ZIP file."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi import Path as UrlPath
from starlette.requests import Request
from starlette.responses import StreamingResponse

from dicodec.errors import DicodecError, RequestError
from dicodec.service.jobs.request_fields import is_text
from dicodec.service.web.error_answers import Refusal
from dicodec.service.web.routes.shared import (
    TheService,
    charge_client,
    describe_refusals,
    find_place,
    parse_object,
    require_job,
)
from dicodec.service.web.schemas import Download
from dicodec.service.web.service import Service
from dicodec.service.web.zip_stream import ZipEntry, choose_names, stream_zip

router = APIRouter(tags=["files"])

MOST_FILES = 10_000
"""Files of one ZIP file at most."""

_ZIP = "application/zip"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MOST_FILES,
                            "items": {
                                "type": "object",
                                "properties": {
                                    "job": {"type": "string", "minLength": 1, "maxLength": 200},
                                    "name": {"type": "string", "minLength": 1, "maxLength": 2000},
                                },
                                "required": ["job", "name"],
                                "additionalProperties": False,
                            },
                        }
                    },
                    "required": ["files"],
                    "additionalProperties": False,
                }
            }
        },
    }
}


@router.post(
    "/api/downloads",
    status_code=201,
    response_model=Download,
    summary="Ask for several results as one ZIP file",
    openapi_extra=_BODY,
    responses=describe_refusals(400, 411, 413, 429),
    dependencies=[Depends(charge_client)],
)
async def prepare_download(http: Request, service: TheService) -> dict[str, str]:
    """Return an address that sends the ZIP file once, within a minute, without a token.

    `name` is the name of a result in it, with "/" between folders. If two are alike, one is
    changed.
    """
    files = _parse_files(parse_object(await http.body()))
    entries = await asyncio.to_thread(_find_entries, service, files)
    return {"url": f"/downloads/{service.tickets.issue(entries)}"}


@router.get(
    "/downloads/{ticket}",
    response_class=StreamingResponse,
    summary="Get several results as one ZIP file",
    responses={
        200: {
            "description": "the results; `missing.txt` names those that are gone",
            "content": {_ZIP: {"schema": {"type": "string", "format": "binary"}}},
        },
        **describe_refusals(404, 422),
    },
)
def send_download(
    service: TheService, ticket: Annotated[str, UrlPath(min_length=1, max_length=100)]
) -> StreamingResponse:
    """Send the ZIP file of a ticket, made on the way."""
    entries = service.tickets.redeem(ticket)
    if entries is None:
        raise Refusal(404, "the download has been made, or was asked for too long ago")
    return StreamingResponse(
        stream_zip(entries),
        media_type=_ZIP,
        headers={"Content-Disposition": 'attachment; filename="dicodec.zip"'},
    )


def _parse_files(given: dict[str, Any]) -> list[tuple[str, str]]:
    files = given.get("files")
    if set(given) != {"files"} or not isinstance(files, list) or not 0 < len(files) <= MOST_FILES:
        raise RequestError(f'an object with "files", a list of 1 to {MOST_FILES}, is expected')
    return [_parse_file(one) for one in files]


def _parse_file(one: Any) -> tuple[str, str]:
    if not isinstance(one, dict) or set(one) != {"job", "name"}:
        raise RequestError('a file has a "job" and a "name"')
    job, name = one["job"], one["name"]
    if not is_text(job, 200) or not is_text(name, 2000):
        raise RequestError("job and name are texts of 1 to 200 and 1 to 2000 characters")
    return job, name


def _find_entries(service: Service, files: list[tuple[str, str]]) -> list[ZipEntry]:
    names = choose_names([name for _, name in files])
    return [_find_entry(service, job, name) for (job, _), name in zip(files, names, strict=True)]


def _find_entry(service: Service, job: str, name: str) -> ZipEntry:
    try:
        return ZipEntry(name, find_place(service, require_job(service.store.find(job)), "result"))
    except (Refusal, DicodecError) as error:
        return ZipEntry(name, error.message)
