"""Keep encoded slashes in job ids: in the path of a URL they are %2F within a component."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SLASH = "\0"
"""Stands for a slash within a component; no id has this character."""


class EncodedSlashes:
    """ASGI middleware: routes get a component with encoded slashes as one component.

    Without it, servers decode %2F before routes split the path.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with a path that routes can split."""
        raw = scope.get("raw_path") or b""
        if b"%2f" in raw.lower():
            parts = raw.decode("latin-1").split("/")
            path = "/".join(unquote(part).replace("/", _SLASH) for part in parts)
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)


def restore_slashes(component: str) -> str:
    """Return a component of a path with its slashes."""
    return component.replace(_SLASH, "/")
