"""Routes for the page and its parts, which are files of the package."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from dicodec.service.web.error_answers import Refusal

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).parent.parent / "static"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FILES = frozenset(path.name for path in _FOLDER.iterdir() if path.suffix in _KINDS)


@router.get("/")
async def send_page() -> Response:
    """Return the page."""
    return _send("index.html")


@router.get("/static/{name}")
async def send_part(name: str) -> Response:
    """Return a part of the page."""
    if name not in _FILES:
        raise Refusal(404, "there is no such file")
    return _send(name)


def _send(name: str) -> Response:
    path = _FOLDER / name
    # The browser checks each time whether the file has changed.
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(path, media_type=_KINDS[path.suffix], headers=headers)
