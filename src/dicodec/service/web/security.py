"""Guard the service: hosts, tokens, requests of other sites, and headers for browsers."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dicodec.service.web.cross_origin import NO_ORIGINS, AllowedOrigins
from dicodec.service.web.error_answers import Refusal
from dicodec.service.web.pace import PacedBody

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

_OPEN_PATHS = ("/", "/health/live", "/health/ready")
_OPEN_FOLDERS = ("/static/", "/downloads/")
"""Parts of the page; and downloads, whose addresses are known to those with the token alone."""
_HEALTH = "/health/"
_MOST_REQUESTS = 512
"""Requests at once; supervisors are answered even then, or they would end a service that works."""
_CLOSE = {"Connection": "close"}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_UPLOADS = ("/api/convert", "/api/frame", "/api/uploads")
_BODY_SIZE = 8 << 20
"""Bytes of a body that is not a file, at most."""

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DRAINED_SIZE, _DRAINED_SECONDS = 1 << 20, 2.0
"""Bytes and time in which the body of a refused request is read."""

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"content-security-policy", _POLICY),
]


class Guard:
    """ASGI middleware: checks hosts, tokens, other sites' requests and sizes; adds headers.

    Args:
        app: the application.
        token: bearer token of clients; None for none.
        hosts: names by which clients may address the service; None for any.
        uploads: paths of mounted applications, which bound the bodies that they take.
        origins: says which other sites' pages may use those.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        hosts: Iterable[str] | None,
        uploads: Iterable[str] = (),
        origins: AllowedOrigins = NO_ORIGINS,
    ) -> None:
        self._origins = origins
        self._app = app
        self._token = token.encode() if token is not None else None
        self._requests = 0
        self._uploads = tuple(f"{path}/" for path in uploads)
        self._hosts = None if hosts is None else frozenset(name.lower() for name in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                have = {name for name, _ in message["headers"]}
                added = [row for row in _HEADERS if row[0] not in have]
                if b"cache-control" not in have:
                    added.append((b"cache-control", b"no-store"))
                message["headers"] = [*message["headers"], *added]
            await send(message)

        health = scope["path"].startswith(_HEALTH)
        paced = PacedBody(receive)
        try:
            self._check(scope)
            if not health and self._requests >= _MOST_REQUESTS:
                raise Refusal(
                    503, "too many requests at once", headers={"Retry-After": "2", **_CLOSE}
                )
        except Refusal as refusal:
            await _refuse(refusal, receive, send_with_headers)
            return
        self._requests += 1
        try:
            await self._app(scope, paced.receive, send_with_headers)
        finally:
            self._requests -= 1

    def _check(self, scope: Scope) -> None:
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        host = headers.get("host", b"").decode("latin-1")
        # A site that points its own name at this address (DNS rebinding) has its own name here.
        if self._hosts is not None and _parse_host(host) not in self._hosts:
            raise Refusal(421, "this service is not known by that name", hint="--allowed-host")
        path, method = scope["path"], scope["method"]
        shared = path.startswith(self._uploads) and self._origins.allow(headers.get("origin", b""))
        if path.startswith("/api/") or (method not in _SAFE and not shared):
            _check_site(headers, host)
        if path not in _OPEN_PATHS and not path.startswith(_OPEN_FOLDERS):
            self._check_token(headers)
        if "transfer-encoding" in headers and "content-length" in headers:
            raise Refusal(
                400,
                "a request states its length once: Content-Length or Transfer-Encoding",
                headers={"Connection": "close"},
            )
        uploads = path in _UPLOADS or path.startswith(self._uploads)
        if method not in _SAFE and not uploads:
            _check_size(headers)

    def _check_token(self, headers: dict[str, bytes]) -> None:
        if self._token is None:
            return
        scheme, _, shown = headers.get("authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer" and hmac.compare_digest(shown.strip(), self._token):
            return
        raise Refusal(
            401,
            "a bearer token is needed",
            hint="Authorization: Bearer TOKEN",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _parse_host(host: str) -> str:
    """Return the name in a Host header, without the port, in lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _check_site(headers: dict[str, bytes], host: str) -> None:
    """Refuse requests that pages of other sites make a browser send."""
    site = headers.get("sec-fetch-site", b"none")
    origin = headers.get("origin", b"").decode("latin-1")
    if site in {b"cross-site", b"same-site"} or (origin and origin.partition("://")[2] != host):
        raise Refusal(403, "pages of other sites may not use this service")


def _check_size(headers: dict[str, bytes]) -> None:
    length = headers.get("content-length", b"")
    if not length and "transfer-encoding" in headers:
        raise Refusal(411, "a body that is not a file has to state its length")
    if length and (not length.isdigit() or int(length) > _BODY_SIZE):
        raise Refusal(413, f"a body that is not a file has at most {_BODY_SIZE} bytes")


async def _drain(receive: Receive) -> None:
    """Read a short body, because closing a connection with unread bytes may lose the answer."""
    left = _DRAINED_SIZE
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAINED_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return


async def _refuse(refusal: Refusal, receive: Receive, send: Send) -> None:
    await _drain(receive)
    body = json.dumps({"error": refusal.as_dict()}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    headers |= {name.lower(): value for name, value in refusal.headers.items()}
    if refusal.status in {411, 413}:
        headers["connection"] = "close"  # the rest of the body is not read
    await send(
        {
            "type": "http.response.start",
            "status": refusal.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})
