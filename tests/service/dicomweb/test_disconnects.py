"""Clients that go: what was begun for them ends, and others are served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from dicodec.service.dicomweb.answers import Part, answer_parts
from dicodec.service.dicomweb.media_types import Representation
from dicodec.service.dicomweb.works import Works
from dicodec.service.web.error_answers import Refusal

FORM = Representation("image/jls", multipart=True, syntax="1.2.840.10008.1.2.4.80")


class NeverDone:
    """An executor whose works do not end by themselves."""

    def __init__(self) -> None:
        self.given_up: list[Future[Any]] = []

    def run(self, *_: object) -> list[Future[Any]]:
        return [Future()]

    def give_up(self, future: Future[Any]) -> None:
        self.given_up.append(future)


def make_request(messages: list[dict[str, Any]]) -> Request:
    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.sleep(60)
        raise AssertionError

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    return Request(scope, receive)


def test_a_conversion_for_nobody_is_abandoned() -> None:
    executor = NeverDone()
    works = Works(executor)  # type: ignore[arg-type]
    request = make_request([{"type": "http.disconnect"}])

    async def trial() -> None:
        with pytest.raises(Refusal, match="has gone"):
            await works.carry_out_unless_gone(len, "item", request)  # type: ignore[arg-type]

    asyncio.run(asyncio.wait_for(trial(), 30))
    assert len(executor.given_up) == 1


@pytest.mark.parametrize("after", [0, 1])
def test_an_answer_that_is_cut_off_releases_what_it_uses(after: int) -> None:
    closed: list[str] = []

    async def body(name: str) -> AsyncGenerator[bytes]:
        try:
            for _ in range(3):
                yield b"x" * 10
        finally:
            closed.append(name)

    async def rest() -> AsyncGenerator[Part]:
        try:
            yield Part(FORM, body("second"), 30)
        finally:
            closed.append("rest")

    sent = 0

    async def send(message: dict[str, Any]) -> None:
        nonlocal sent
        sent += 1
        if sent > after + 1:
            raise OSError("the client has gone")

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        raise AssertionError

    async def trial() -> None:
        rest_of = rest()
        await anext(rest_of)
        response = answer_parts(Part(FORM, body("first"), 30), rest_of)
        scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
        with pytest.raises(ClientDisconnect):
            await response(scope, receive, send)  # type: ignore[arg-type]

    asyncio.run(asyncio.wait_for(trial(), 30))
    assert "rest" in closed
