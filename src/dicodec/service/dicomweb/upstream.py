"""Ask another DICOMweb server: the one that the operator has named, and no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from hashlib import blake2b
from urllib.parse import urlsplit

import httpx
from starlette.requests import Request

from dicodec.errors import InvalidOptionError
from dicodec.model.settings_files import read_settings
from dicodec.service.dicomweb.sources import Target
from dicodec.service.web.error_answers import Refusal

_TIMEOUT = httpx.Timeout(60.0, connect=10.0, pool=30.0)
_CONNECTIONS = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=5)
_PIECE = 1 << 16
_WORDS_PIECE = 256
SECONDS_A_PIECE = 60.0
"""Seconds in which a piece of an answer has to come, so that nobody holds a place for ever by a
byte a minute. For a piece of 256 kB, that is 4 kB/s."""

_USUAL_RATE = 50e6
_LEAST_MEASURED = 1 << 20
"""Bytes from which on the time that they took says how fast the server is."""

_SHOWN = 2048
"""Bytes of an error's body that are read to show what the other server says."""


class TooLargeError(Exception):
    """The other server sends more bytes than are wanted."""


class Upstream:
    """A DICOMweb server.

    Args:
        url: its base URL, `http://` or `https://`, without a password.
        token_file: file with a bearer token for it, which is read for each request; None to pass
            on the Authorization header of clients, if `passes`.
        passes: whether clients' Authorization headers are meant for it.

    Attributes:
        url: without a slash at the end.
        rate: bytes of whole instances a second that it sends, about.

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
        self.rate = _USUAL_RATE
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
                token = read_settings(self._token_file).decode("ascii").strip()
            except (OSError, UnicodeDecodeError):
                raise Refusal(
                    502, "the token for the upstream cannot be read", code="upstream-unavailable"
                ) from None
            return {"Authorization": f"Bearer {token}"}
        given = request.headers.get("authorization")
        return {"Authorization": given} if given and self._passes else {}

    @staticmethod
    def make_key(target: Target, headers: Mapping[str, str]) -> tuple[str, ...]:
        """Return what names an instance, and who may see it: others have to ask themselves."""
        who = blake2b(headers.get("Authorization", "").encode(), digest_size=16).hexdigest()
        return (who, target.study, target.series, target.instance)

    @staticmethod
    async def yield_up_to(answer: httpx.Response, most: int, piece: int) -> AsyncGenerator[bytes]:
        """Yield the body of an answer in pieces.

        Raises:
            TooLargeError: it has more than `most` bytes.
        """
        stated = answer.headers.get("content-length", "")
        if stated.isdecimal() and int(stated[:20]) > most:
            raise TooLargeError
        size = 0
        async with aclosing(yield_in_time(answer, piece)) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise TooLargeError
                yield chunk

    def note_rate(self, size: int, seconds: float) -> None:
        """Note how long whole instances of some bytes took."""
        if size >= _LEAST_MEASURED:
            self.rate += (size / max(seconds, 1e-3) - self.rate) / 2

    @staticmethod
    async def read_up_to(answer: httpx.Response, most: int) -> bytes | None:
        """Return the body of an answer; None if it has more than `most` bytes."""
        body = bytearray()
        try:
            async with aclosing(Upstream.yield_up_to(answer, most, _PIECE)) as pieces:
                async for piece in pieces:
                    body += piece
        except TooLargeError:
            return None
        return bytes(body)

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
        # What is compressed could have any size once it is not.
        plain = {**headers, "Accept-Encoding": "identity"}
        try:
            request = self._client.build_request(method, url, headers=plain, content=body)
            answer = await self._client.send(request, stream=True)
        except httpx.TransportError as cause:
            raise _refuse(cause) from cause
        try:
            coding = answer.headers.get("content-encoding", "identity").strip().lower()
            if coding not in {"", "identity"}:
                raise Refusal(
                    502, "the upstream compresses its answer, which was not asked for",
                    code="upstream-failed",
                )  # fmt: skip
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


async def yield_in_time(answer: httpx.Response, piece: int) -> AsyncGenerator[bytes]:
    """Yield the body of an answer in pieces, each of which has to come in SECONDS_A_PIECE.

    Raises:
        Refusal: one does not.
    """
    chunks = answer.aiter_bytes(piece)
    while True:
        try:
            async with asyncio.timeout(SECONDS_A_PIECE):
                chunk = await anext(chunks, b"")
        except TimeoutError:
            raise Refusal(504, "the upstream sends too slowly", code="upstream-timeout") from None
        if not chunk:
            return
        yield chunk


async def _read_words(answer: httpx.Response) -> str:
    """Return what an error's body says, in one short line."""
    body = b""
    with suppress(Refusal):  # what has come is enough
        async with aclosing(yield_in_time(answer, _WORDS_PIECE)) as pieces:
            async for piece in pieces:
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
