"""Answers of DICOMweb: multipart payloads, errors as JSON, and the statuses of errors."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from dicodec.errors import DicodecError, ReadError
from dicodec.model.records import dataclass
from dicodec.service.dicomweb.media_types import Representation
from dicodec.service.dicomweb.work import NotAcceptable
from dicodec.service.web.error_answers import Refusal, find_status, hide_paths

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_STATUS = {
    "missing-frame": 404,
    "source-unavailable": 404,
    "source-changed": 409,
    "path-not-allowed": 403,
    "peer-unavailable": 502,
}
"""Statuses of errors that differ from those of conversions that a client sends a file for."""

_VARY = {"Vary": "Accept"}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a payload.

    Attributes:
        form: media type and transfer syntax; whether it is a part of several.
        body: its bytes, in pieces.
        size: bytes of the body.
        location: URL of what it is; "" for none.
    """

    form: Representation
    body: AsyncGenerator[bytes]
    size: int
    location: str = ""

    @property
    def content_type(self) -> str:
        """Value of its Content-Type (PS3.18 8.7.9)."""
        if not self.form.syntax:
            return self.form.media_type
        return f"{self.form.media_type}; transfer-syntax={self.form.syntax}"


async def yield_bytes(content: bytes) -> AsyncGenerator[bytes]:
    """Yield bytes as the body of a part."""
    yield content


def answer_parts(first: Part, rest: AsyncGenerator[Part]) -> Response:
    """Return an answer of one part, or of several in multipart/related (PS3.18 8.6.1.2).

    An error behind the first part breaks the connection, because a status was sent already; a
    client sees that the closing boundary is missing.

    Args:
        first: the first part, whose form says whether there may be several.
        rest: the other parts.
    """
    if not first.form.multipart:
        headers = {"Content-Length": str(first.size), **_VARY}
        if first.location:
            headers["Content-Location"] = first.location
        body = _write_single(first, rest)
        return _ClosingResponse(body, media_type=first.content_type, headers=headers)
    boundary = f"dicodec-{secrets.token_hex(16)}"
    content_type = f'multipart/related; type="{first.form.media_type}"; boundary={boundary}'
    body = _write_parts(boundary, first, rest)
    return _ClosingResponse(body, media_type=content_type, headers=_VARY)


def answer_pieces(first: bytes, rest: AsyncGenerator[bytes], media_type: str) -> Response:
    """Return an answer whose first piece is known, and decides its status."""

    async def write() -> AsyncGenerator[bytes]:
        yield first
        async with aclosing(rest):
            async for piece in rest:
                yield piece

    return _ClosingResponse(write(), media_type=media_type, headers=_VARY)


class _ClosingResponse(StreamingResponse):
    """An answer that releases what its body uses, whether all of it was sent or not."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        body = self.body_iterator
        assert isinstance(body, AsyncGenerator)
        async with aclosing(body):
            await super().__call__(scope, receive, send)


async def _write_single(part: Part, rest: AsyncGenerator[Part]) -> AsyncGenerator[bytes]:
    async with aclosing(rest), aclosing(part.body):
        async for piece in part.body:
            yield piece


async def _write_parts(
    boundary: str, first: Part, rest: AsyncGenerator[Part]
) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        async for piece in _write_part(boundary, first):
            yield piece
        async for part in rest:
            async for piece in _write_part(boundary, part):
                yield piece
    yield f"\r\n--{boundary}--\r\n".encode()


async def _write_part(boundary: str, part: Part) -> AsyncGenerator[bytes]:
    head = f"\r\n--{boundary}\r\nContent-Type: {part.content_type}\r\n"
    if part.location:
        head += f"Content-Location: {part.location}\r\n"
    head += f"Content-Length: {part.size}\r\n\r\n"
    async with aclosing(part.body):
        yield head.encode()
        async for piece in part.body:
            yield piece


def refuse_forms(found: NotAcceptable) -> Refusal:
    """Return the refusal of a request none of whose forms an image can be in."""
    reasons = "; ".join(found.reasons)
    return Refusal(
        406,
        f"no acceptable form holds the image exactly: {reasons or 'none is known'}",
        code="not-acceptable",
        hint=f"transfer-syntax=* accepts it as it is stored, in {found.stored}",
        headers=_VARY,
    )


def refuse_media_types(offered: str) -> Refusal:
    """Return the refusal of a request none of whose media types the resource has.

    Args:
        offered: the media types that it has, for people.
    """
    return Refusal(
        406,
        "no acceptable media type is one of this resource",
        code="not-acceptable",
        hint=f"it has {offered}",
        headers=_VARY,
    )


def _answer(status: int, error: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": error}, status_code=status, headers=headers)


async def answer_refusal(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Answer with a refusal."""
    assert isinstance(error, Refusal)
    return _answer(error.status, error.as_dict(), error.headers)


async def answer_error(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Answer with an error of reading or converting what is stored here."""
    assert isinstance(error, DicodecError)
    return _answer(find_error_status(error), hide_paths(error))


async def answer_remote_error(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Answer with an error of reading or converting what another server has sent."""
    assert isinstance(error, DicodecError)
    status = find_error_status(error)
    damaged = status == 500 and isinstance(error, ReadError)
    return _answer(502 if damaged else status, hide_paths(error))


def find_error_status(error: DicodecError) -> int:
    """Return the HTTP status for an error with an image that the client has not sent."""
    if (status := _STATUS.get(error.code)) is not None:
        return status
    return 500 if isinstance(error, ReadError) else find_status(error)
