"""Ask another DICOMweb server: the one that the operator has named, and no other."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from starlette.requests import Request

from dicodec.errors import InvalidOptionError
from dicodec.service.web.error_answers import Refusal

_TIMEOUT = httpx.Timeout(60.0, connect=10.0, pool=30.0)
_CONNECTIONS = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=5)
_SHOWN = 2048
"""Bytes of an error's body that are read to show what the other server says."""


class Upstream:
    """A DICOMweb server.

    Args:
        url: its base URL, `http://` or `https://`, without a password.
        token_file: file with a bearer token for it, which is read for each request; None to pass
            on the Authorization header of clients, if `passes`.
        passes: whether clients' Authorization headers are meant for it.

    Raises:
        InvalidOptionError: it is not such a URL.
    """

    def __init__(self, url: str, token_file: str | None, *, passes: bool) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise InvalidOptionError(f"{url!r} is not the base URL of a DICOMweb server")
        if parts.username is not None:
            raise InvalidOptionError(
                "a URL shows its password to others on the machine", hint="use a token's file"
            )
        self.url = url.rstrip("/")
        self._token_file = token_file
        self._passes = passes
        # Proxies and passwords of the environment are for other servers.
        self._client = httpx.AsyncClient(
            timeout=_TIMEOUT, limits=_CONNECTIONS, trust_env=False, follow_redirects=False
        )

    async def stop(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    def identify(self, request: Request) -> dict[str, str]:
        """Return the headers that say who asks.

        Raises:
            Refusal: the token cannot be read.
        """
        if self._token_file is not None:
            try:
                token = Path(self._token_file).read_text(encoding="ascii").strip()
            except (OSError, UnicodeDecodeError):
                raise Refusal(
                    502, "the token for the upstream cannot be read", code="upstream-unavailable"
                ) from None
            return {"Authorization": f"Bearer {token}"}
        given = request.headers.get("authorization")
        return {"Authorization": given} if given and self._passes else {}

    @asynccontextmanager
    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: str = "",
        body: AsyncIterator[bytes] | None = None,
    ) -> AsyncGenerator[httpx.Response]:
        """Send a request, and yield the answer, whose body is still to be read.

        Args:
            method: of HTTP.
            path: below the base URL; its components are UIDs and words of ours.
            headers: of the request.
            query: behind the question mark.
            body: of the request.

        Raises:
            Refusal: there is no answer, with the cause.
        """
        url = self.url + path + (f"?{query}" if query else "")
        try:
            request = self._client.build_request(method, url, headers=headers, content=body)
            answer = await self._client.send(request, stream=True)
        except httpx.TransportError as cause:
            raise _refuse(cause) from cause
        try:
            yield answer
        except httpx.TransportError as cause:
            raise _refuse(cause) from cause
        finally:
            await answer.aclose()


def _refuse(cause: httpx.TransportError) -> Refusal:
    if isinstance(cause, httpx.TimeoutException):
        return Refusal(
            504, f"the upstream does not answer in time ({type(cause).__name__})",
            code="upstream-timeout",
        )  # fmt: skip
    words = str(cause) or type(cause).__name__
    return Refusal(502, f"the upstream cannot be reached: {words}", code="upstream-unavailable")


async def check_answer(answer: httpx.Response) -> None:
    """Check that an answer is one of success.

    Raises:
        Refusal: it is not; what the client can do something about keeps its status.
    """
    status = answer.status_code
    if status in {200, 206}:
        return
    words = await _read_words(answer)
    if status == 404:
        raise Refusal(404, "the upstream has no such instance")
    if status in {401, 403}:
        headers = {}
        if challenge := answer.headers.get("www-authenticate"):
            headers["WWW-Authenticate"] = challenge
        raise Refusal(status, f"the upstream refuses: {status} {words}".rstrip(), headers=headers)
    if status in {429, 503}:
        headers = {"Retry-After": answer.headers.get("retry-after", "5")}
        raise Refusal(503, f"the upstream is busy: {status} {words}".rstrip(), headers=headers)
    if 300 <= status < 400:
        words = "a redirection, which is not followed"
    raise Refusal(502, f"the upstream answers {status} {words}".rstrip(), code="upstream-failed")


async def _read_words(answer: httpx.Response) -> str:
    """Return what an error's body says, in one short line."""
    body = b""
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > _SHOWN:
            break
    text = body.decode("utf-8", "replace")
    try:
        told = json.loads(text)
    except ValueError:
        told = {}
    if isinstance(told, dict):
        text = str(told.get("Details") or told.get("Message") or told.get("message") or text)
    return " ".join(text.split())[:200] if not text.lstrip().startswith("<") else ""
