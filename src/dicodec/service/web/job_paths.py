"""Slashes within one component of a path: in a URL they are %2F, and part of a job's id."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SLASH = "\0"
"""Stands for one; no id has it."""


class SlashesWithin:
    """ASGI middleware: routes see a component with slashes in it as one.

    Servers decode %2F before the path is split, so that its components could not be told any more.

    Args:
        app: what finds routes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its path as routes can split it."""
        raw = scope.get("raw_path") or b""
        if b"%2f" in raw.lower():
            parts = raw.decode("latin-1").split("/")
            path = "/".join(unquote(part).replace("/", _SLASH) for part in parts)
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)


def slashes_back(component: str) -> str:
    """Return a component of a path with its slashes."""
    return component.replace(_SLASH, "/")
