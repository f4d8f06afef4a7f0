"""The page and what it is made of, from the package."""

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
async def page() -> Response:
    """Return the page."""
    return _file("index.html")


@router.get("/static/{name}")
async def part(name: str) -> Response:
    """Return a part of the page."""
    if name not in _FILES:
        raise Refusal(404, "there is no such file")
    return _file(name)


def _file(name: str) -> Response:
    path = _FOLDER / name
    # Checked with the service each time, which answers that it is unchanged.
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(path, media_type=_KINDS[path.suffix], headers=headers)
