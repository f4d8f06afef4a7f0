"""Make the application: routes, errors as JSON, and the guard around all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from dicodec.errors import DicodecError, InternalError
from dicodec.model.implementation import VERSION
from dicodec.model.records import Protocol
from dicodec.model.wording import describe_fault, leave_words_out
from dicodec.service.web.cross_origin import AllowedOrigins, CrossOrigin
from dicodec.service.web.error_answers import REASONS, Refusal, find_status, hide_paths
from dicodec.service.web.job_paths import EncodedSlashes
from dicodec.service.web.routes import convert, downloads, events, jobs, page, pictures, state
from dicodec.service.web.routes.shared import JsonAnswer
from dicodec.service.web.security import Guard
from dicodec.service.web.service import Service

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


class MountedApp(Protocol):
    """An application beside the service's own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

    async def stop(self) -> None:
        """Close connections, before the event loop ends."""


NOTHING_MOUNTED: Mapping[str, MountedApp] = {}

_HOUSEKEEPING_SECONDS = 600.0
"""How often old files and jobs are removed."""

type _Handler = Callable[[Request, Exception], Awaitable[Response]]


def create_app(service: Service, mounted: Mapping[str, MountedApp] = NOTHING_MOUNTED) -> FastAPI:
    """Return the application of a service; it starts the service and closes it.

    Args:
        service: the service.
        mounted: further applications, by their paths; the guard is around them, too.
    """
    app = FastAPI(
        title="dicodec",
        version=VERSION,
        summary="Converts DICOM files from any transfer syntax to any other.",
        lifespan=_run_service,
        default_response_class=JsonAnswer,
        docs_url=None,  # these pages load files of other sites
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.service = service
    app.state.mounted = mounted
    for part in (convert, jobs, pictures, downloads, events, state, page):
        app.include_router(part.router)
    handlers: dict[Any, _Handler] = {
        Refusal: _answer_refusal,
        DicodecError: _answer_error,
        RequestValidationError: _answer_invalid,
        HTTPException: _answer_http,
        Exception: _answer_fault,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    for path, other in mounted.items():
        app.mount(path, other)
    app.add_middleware(EncodedSlashes)
    origins = AllowedOrigins(service.options.origins)
    app.add_middleware(
        Guard,
        token=service.options.token,
        hosts=service.options.hosts,
        uploads=tuple(mounted),
        origins=origins,
    )
    if service.options.origins:  # around the guard, because its refusals are read by pages, too
        app.add_middleware(CrossOrigin, origins=origins, paths=tuple(mounted))
    return app


@asynccontextmanager
async def _run_service(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    service.start()
    keeping = asyncio.create_task(_keep_house(service))
    yield
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    for other in app.state.mounted.values():
        await other.stop()
    await asyncio.to_thread(service.close)


async def _keep_house(service: Service) -> None:
    while True:
        try:
            removed = await asyncio.to_thread(service.remove_old_files)
        except Exception as cause:  # it is tried again, and the service goes on
            service.log.write(
                "error", "old files are not removed", message=leave_words_out(describe_fault(cause))
            )
        else:
            if removed:
                service.log.write("info", "old files removed", files=removed)
        await asyncio.sleep(_HOUSEKEEPING_SECONDS)


def _answer(status: int, error: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return JsonAnswer({"error": error}, status_code=status, headers=headers)


async def _answer_refusal(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, Refusal)
    return _answer(error.status, error.as_dict(), error.headers)


async def _answer_error(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, DicodecError)
    return _answer(find_status(error), hide_paths(error))


async def _answer_invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return _answer(422, Refusal(422, f"{where}: {first['msg']}").as_dict())


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = REASONS.get(error.status_code, "error")
    refusal = Refusal(error.status_code, str(error.detail).lower(), code=code)
    headers = dict(error.headers or {})
    if error.status_code == 405:  # the methods of a path can be in several routes
        headers["Allow"] = ", ".join(_find_methods(request))
    return _answer(error.status_code, refusal.as_dict(), headers)


def _find_methods(request: Request) -> list[str]:
    found: set[str] = set()
    for route in request.app.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found)


async def _answer_fault(request: Request, error: Exception) -> Response:
    service: Service = request.app.state.service
    service.log.write("error", "fault", path=request.url.path, kind=type(error).__name__)
    return _answer(500, InternalError("a fault in dicodec").as_dict())
