"""Streams as targets: every byte arrives, however few are taken at a time, or an error comes."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from collections.abc import Buffer, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from dicodec import convert, convert_bytes
from dicodec.errors import TargetUnavailableError, WriteError
from dicodec.part10 import stream_waiting
from helpers.made import IMAGE_KINDS

CONTENT = IMAGE_KINDS["gray-16"].make(rows=600, columns=512)[0]
"""More than a pipe or a socket holds."""
EXPECTED = convert_bytes(CONTENT, to="explicit-be")


class Raw(io.RawIOBase):
    """Takes as many bytes as the next answer says: a number, None for none now, or an error."""

    def __init__(self, *answers: int | Exception | None) -> None:
        self.written = b""
        self._answers = answers
        self._calls = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int | None:
        answer = self._answers[self._calls % len(self._answers)]
        self._calls += 1
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            return None
        part = bytes(data)[:answer]
        self.written += part
        return len(part)


class Bare:
    """Has `write` and nothing else, and does not say how much it took."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data


class ShortBuffer(io.BytesIO):
    """A buffer that takes few bytes at a time."""

    def write(self, data: Buffer, /) -> int:
        return super().write(bytes(data)[:1000])


def written(target: Any) -> Any:
    convert(CONTENT, cast("BinaryIO", target), to="explicit-be")
    return target


@pytest.mark.parametrize(
    "answers",
    [(1 << 30,), (50_000,), (1,) * 3 + (70_001,), (None, 65536), (0, 65536, None),
     (BlockingIOError(11, "full"), 65536), (BlockingIOError(11, "full", 0), 65536)],
)  # fmt: skip
def test_what_a_stream_says_it_took_is_heeded(answers: tuple[int | Exception | None, ...]) -> None:
    assert written(Raw(*answers)).written == EXPECTED


def test_a_buffer_over_a_stream_that_does_not_block_gets_all(tmp_path: Path) -> None:
    raw = Raw(None, 4096)
    with io.BufferedWriter(raw, 100_000) as target:
        written(target)
        assert raw.written == EXPECTED


def test_streams_with_little_more_than_write_will_do() -> None:
    assert written(Bare()).written == EXPECTED
    assert written(ShortBuffer()).getvalue() == EXPECTED


def received(descriptor: int) -> tuple[threading.Thread, list[bytes]]:
    """Read a descriptor slowly at first, in a thread."""
    content: list[bytes] = []

    def receive() -> None:
        time.sleep(0.2)
        while part := os.read(descriptor, 1 << 16):
            content.append(part)

    thread = threading.Thread(target=receive)
    thread.start()
    return thread, content


@pytest.mark.parametrize("buffering", [0, -1, 1 << 22])
@pytest.mark.parametrize("blocking", [True, False])
def test_a_pipe_gets_all(buffering: int, *, blocking: bool) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, blocking)
    thread, content = received(reading)
    with os.fdopen(writing, "wb", buffering=buffering) as target:
        written(target)
    thread.join()
    os.close(reading)
    assert b"".join(content) == EXPECTED


@pytest.mark.parametrize("timeout", [None, 0.0, 20.0])
@pytest.mark.parametrize("buffering", [0, -1])
def test_a_socket_gets_all(timeout: float | None, buffering: int) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(timeout)
    thread, content = received(theirs.fileno())
    with ours, ours.makefile("wb", buffering=buffering) as target:
        written(target)
    thread.join()
    theirs.close()
    assert b"".join(content) == EXPECTED


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_socket_that_times_out_is_an_error_of_writing(buffering: int) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(0.05)
    target = ours.makefile("wb", buffering=buffering)
    with ours, theirs:
        with pytest.raises(WriteError, match="timed out"):
            written(target)
        with suppress(TimeoutError):  # a buffer still holds some of it
            target.close()


@pytest.mark.parametrize("answer", [None, 0, BlockingIOError(11, "full")])
def test_a_stream_that_takes_nothing_is_given_up(
    answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_waiting, "_LONGEST_IDLE", 0.05)
    with pytest.raises(WriteError, match="took nothing"):
        written(Raw(answer))


@pytest.mark.parametrize("answer", [-1, len(EXPECTED) + 1, "all"])
def test_a_stream_that_says_nonsense_is_not_believed(answer: Any) -> None:
    class Boasting:
        def write(self, _: bytes) -> Any:
            return answer

    with pytest.raises(WriteError, match="says it took"):
        written(Boasting())


def closed(make: Callable[[], Any]) -> Any:
    stream = make()
    stream.close()
    return stream


@pytest.mark.parametrize("kind", ["BytesIO", "file", "raw", "for reading", "text", "nothing"])
def test_what_takes_no_bytes_is_said_before_the_source_is_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    with path.open("rb") as reading:
        target, message = {
            "BytesIO": (closed(io.BytesIO), "closed"),
            "file": (closed(lambda: path.open("r+b")), "closed"),
            "raw": (closed(lambda: Raw(1)), "closed"),
            "for reading": (reading, "not open for writing"),
            "text": (io.StringIO(), "not a path or a stream"),
            "nothing": (object(), "not a path or a stream"),
        }[kind]
        with pytest.raises(TargetUnavailableError, match=message):
            convert(tmp_path / "missing", cast("BinaryIO", target), to="rle")


def test_a_stream_that_is_closed_meanwhile_is_an_error_of_writing() -> None:
    class Closing(Raw):
        def write(self, _: Buffer, /) -> int | None:
            self.close()
            raise ValueError("I/O operation on closed file")

    with pytest.raises(WriteError, match="was closed"):
        written(Closing(1))
