"""Bounds for slow clients: a least rate for bodies, and a time for headers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from dicodec.service.web.error_answers import Refusal

if TYPE_CHECKING:
    from starlette.types import Message, Receive

HEADER_SECONDS = 10.0
"""Time from the first byte of a connection, or of its next request, to the end of the headers."""

IDLE_SECONDS = 20.0
"""Time for which not a byte of a body may arrive."""

GRACE_SECONDS, LEAST_RATE = 20.0, 4096
"""Bytes a second that a body has to arrive with on average, after some time. A modem has 5,000."""


class PacedBody:
    """Receives the body of one request, and refuses it if it comes too slowly.

    Otherwise a client that sends a byte now and then would hold a place as long as it likes.

    Args:
        receive: of the server.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._complete = False
        self._start: float | None = None
        self._size = 0

    async def receive(self) -> Message:
        """Return the next message of the server.

        Raises:
            Refusal: the body comes too slowly.
        """
        if self._complete:  # what follows is the end of the connection, whenever that is
            return await self._receive()
        if self._start is None:
            self._start = time.monotonic()  # it is asked for, so it had no reason to wait
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise _refuse() from None
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        seconds = time.monotonic() - self._start - GRACE_SECONDS
        if not self._complete and self._size < LEAST_RATE * seconds:
            raise _refuse()
        return message


def _refuse() -> Refusal:
    return Refusal(
        408, "the body arrives too slowly", code="too-slow", headers={"Connection": "close"}
    )


class PacedProtocol(H11Protocol):
    """A connection that is closed if the headers of a request do not come in time."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the time of the first request."""
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """Take some bytes, and start or stop the time for headers."""
        super().data_received(data)
        if self._is_between_requests():
            self._await_headers()
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _await_headers(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        if self._is_between_requests() and not self.transport.is_closing():
            self.transport.close()
