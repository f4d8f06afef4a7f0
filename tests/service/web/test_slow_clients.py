"""Slow clients, many clients, and a disk that fills: each attack is made."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from dicodec.errors import DiskFullError
from dicodec.service.web import limits, pace
from dicodec.service.web.disk_room import DiskRoom
from dicodec.service.web.error_answers import Refusal
from dicodec.service.web.limits import ConcurrencyLimit
from dicodec.service.web.pace import PacedBody, PacedProtocol
from dicodec.service.web.security import Guard
from helpers.patience import give_up_at


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", b"0")]})  # fmt: skip
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A server whose clients have half a second for their headers."""
    monkeypatch.setattr(pace, "HEADER_SECONDS", 0.5)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(_answer, http=PacedProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield listening.getsockname()
    server.should_exit = True
    thread.join(30)
    listening.close()


@pytest.mark.parametrize("start", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_headers_have_a_time(address: tuple[str, int], start: bytes) -> None:
    """A client sends a byte of its headers now and then (slowloris)."""
    with closing(socket.create_connection(address, 30)) as client:
        client.sendall(start)
        until = give_up_at(30)
        closed = False
        client.settimeout(0.1)
        while not closed and time.monotonic() < until:
            try:
                client.sendall(b"X" if start else b"")
                closed = client.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True
        assert closed


def test_a_request_in_time_is_answered_and_the_next_one_has_its_time(
    address: tuple[str, int],
) -> None:
    with closing(socket.create_connection(address, 30)) as client:
        for _ in range(2):
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
            time.sleep(0.8)  # longer than headers may take: this is the body
            client.sendall(b"abcd")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        client.sendall(b"GET")
        assert client.recv(1000) == b""


def _receive_slowly(chunks: list[bytes], seconds: float) -> Any:
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(seconds)
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    return receive


async def _take_all(body: PacedBody) -> int:
    size, message = 0, {"more_body": True}
    while message.get("more_body"):
        message = dict(await body.receive())
        size += len(message["body"])  # type: ignore[arg-type]
    return size


def test_bodies_have_a_least_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "GRACE_SECONDS", 0.1)
    slow = PacedBody(_receive_slowly([b"a"] * 100, 0.02))
    with pytest.raises(Refusal, match="too slowly") as refusal:
        asyncio.run(_take_all(slow))
    assert refusal.value.status == 408
    fast = PacedBody(_receive_slowly([bytes(4096)] * 20, 0.02))
    assert asyncio.run(_take_all(fast)) == 20 * 4096


def test_bodies_that_stop_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "IDLE_SECONDS", 0.1)
    with pytest.raises(Refusal, match="too slowly"):
        asyncio.run(_take_all(PacedBody(_receive_slowly([b"a", b"b"], 5))))


def test_a_place_comes_in_turn() -> None:
    async def run() -> list[int]:
        places, order = ConcurrencyLimit(2, "things"), list[int]()

        async def work(number: int) -> None:
            async with places.hold_in_turn():
                assert places.taken <= 2
                await asyncio.sleep(0.001)
                order.append(number)

        await asyncio.gather(*map(work, range(50)))
        assert places.taken == 0
        return order

    assert asyncio.run(run()) == list(range(50))


def test_waiting_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_WAITING_SECONDS", 0.05)
    monkeypatch.setattr(limits, "_MOST_WAITING", 1)

    async def run() -> None:
        places = ConcurrencyLimit(1, "things")

        async def wait() -> None:
            async with places.hold_in_turn():
                raise AssertionError("there was no place")

        places.take()
        first = asyncio.create_task(wait())
        await asyncio.sleep(0)
        with pytest.raises(Refusal, match="too many things"):  # one waits already
            await wait()
        with pytest.raises(Refusal, match="too many things"):  # its time is over
            await first
        gone = asyncio.create_task(wait())
        await asyncio.sleep(0)
        gone.cancel()  # the client has left
        await asyncio.gather(gone, return_exceptions=True)
        places.leave()
        assert places.taken == 0
        async with places.hold_in_turn():
            assert places.taken == 1

    asyncio.run(run())


def test_health_is_answered_before_limits() -> None:
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def run() -> None:
        over = asyncio.Event()

        async def wait(scope: Any, receive: Any, send: Any) -> None:
            if not scope["path"].startswith("/health/"):
                await over.wait()
            await _answer(scope, receive, send)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        guard = Guard(wait, token=None, hosts=None)

        async def ask(path: str) -> None:
            scope = {"type": "http", "path": path, "method": "GET", "headers": []}
            await guard(scope, receive, send)

        busy = [asyncio.create_task(ask("/api/status")) for _ in range(512)]
        await asyncio.sleep(0)
        await ask("/api/status")
        await ask("/health/live")
        assert statuses == [503, 200]
        over.set()
        await asyncio.gather(*busy)
        await ask("/api/status")
        assert statuses[2:] == [200] * 513

    asyncio.run(run())


def test_promised_room_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    free = 1000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    room = DiskRoom(tmp_path, reserve=100)
    with room.promise(500) as first:
        with pytest.raises(DiskFullError), room.promise(500):
            pass
        with room.promise(400) as second:
            free -= 300
            first.note_written(300)
            assert (first.left, second.left) == (200, 400)
            with pytest.raises(DiskFullError):
                room.check(101)
            free -= 400  # another program fills the disk
            with pytest.raises(DiskFullError):
                second.note_written(100)
    free = 1000
    with room.promise(900):
        pass


def test_the_reserve_is_looked_at_while_bytes_come(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A body that does not state its length is promised little, and may be long."""
    free = 1000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    room = DiskRoom(tmp_path, reserve=100)
    with room.promise(10) as promise:
        for _ in range(4):
            free -= 200
            promise.note_written(200)
        free -= 200
        with pytest.raises(DiskFullError):
            promise.note_written(200)
