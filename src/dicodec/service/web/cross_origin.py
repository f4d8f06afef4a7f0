"""Let pages of other sites use mounted applications, if the operator says so (CORS)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dicodec.errors import InvalidOptionError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ANY = "*"
_ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::[0-9]{1,5})?")
_NAMES = re.compile(rb"[0-9A-Za-z,_ -]{1,1000}")
"""Names of headers in a list."""

_METHODS = b"GET, HEAD, POST"
_EXPOSED = b"Content-Location, Content-Range, Retry-After, Warning"
"""Headers of answers that pages read, besides those that they always may."""

_SECONDS = b"7200"
"""How long a browser need not ask again."""


class AllowedOrigins:
    """The sites whose pages may use mounted applications.

    Args:
        origins: their origins; "*" for any.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)

    def allow(self, origin: bytes) -> bool:
        """Return whether pages of an origin may; none if the request names none."""
        return bool(origin) and (
            _ANY in self._origins or origin.decode("latin-1").lower() in self._origins
        )


NO_ORIGINS = AllowedOrigins(())


def parse_origins(origins: Iterable[str], *, token: bool) -> frozenset[str]:
    """Return origins in the form in which browsers send them.

    Args:
        origins: as the operator has written them.
        token: whether clients have to show a token.

    Raises:
        InvalidOptionError: one is not an origin, or any page could use a service without a token.
    """
    found = set()
    for origin in origins:
        plain = origin.lower().removesuffix("/")
        if plain != _ANY and not _ORIGIN.fullmatch(plain):
            raise InvalidOptionError(
                f"{origin!r} is not an origin", hint="--cors https://viewer.example, without a path"
            )
        if plain == _ANY and not token:
            raise InvalidOptionError(
                "without a token, any page that somebody opens could read the images",
                hint="--token-file FILE, or name the origins",
            )
        found.add(plain)
    return frozenset(found)


class CrossOrigin:
    """ASGI middleware: answers the questions of browsers, and adds what they ask for.

    Args:
        app: the application.
        origins: says whose pages may use it.
        paths: paths of mounted applications; all others are none of other sites' business.
    """

    def __init__(self, app: ASGIApp, *, origins: AllowedOrigins, paths: Iterable[str]) -> None:
        self._app = app
        self._origins = origins
        self._paths = tuple(f"{path}/" for path in paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer a question before one."""
        if scope["type"] != "http" or not scope["path"].startswith(self._paths):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"")
        added = [(b"vary", b"Origin")]
        if self._origins.allow(origin):
            added.append((b"access-control-allow-origin", origin))
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                added += _answer_question(headers)
                await send({"type": "http.response.start", "status": 204, "headers": added})
                await send({"type": "http.response.body", "body": b""})
                return
            added.append((b"access-control-expose-headers", _EXPOSED))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _answer_question(headers: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return what says which requests a page may send (Fetch 3.3, preflight requests)."""
    found = [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-max-age", _SECONDS),
    ]
    names = headers.get(b"access-control-request-headers", b"")
    if _NAMES.fullmatch(names):
        found.append((b"access-control-allow-headers", names))
    if headers.get(b"access-control-request-private-network") == b"true":
        found.append((b"access-control-allow-private-network", b"true"))
    return found
