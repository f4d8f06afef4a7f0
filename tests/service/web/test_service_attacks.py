"""Requests and signals that are to stop a service, or to make it take what it should not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from helpers.made import make_file
from helpers.processes import find_children
from helpers.service_process import RunningService, running

FILE = make_file(16, 16)[0]
TOKEN = "a-token-of-many-letters"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder, "--jobs", "1", "--upload-limit", "1M", token=TOKEN) as started:
        yield started


def send(service: RunningService, *parts: bytes) -> bytes:
    """Send bytes, and return the answer's; the connection may be closed before all are sent."""
    url = urlsplit(service.url)
    assert url.hostname is not None
    with socket.create_connection((url.hostname, url.port or 80), timeout=30) as connection:
        answer = b""
        try:
            for part in parts:
                connection.sendall(part)
            while b"\r\n\r\n" not in answer and (more := connection.recv(65536)):
                answer += more
        except ConnectionError:
            while more := connection.recv(65536):
                answer += more
        return answer


def head(path: str, *lines: str) -> bytes:
    first = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {TOKEN}"]
    return "\r\n".join([*first, *lines, "", ""]).encode()


def form(boundary: str) -> bytes:
    start = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return start.encode() + FILE + f"\r\n--{boundary}--\r\n".encode()


def test_a_broken_form_leaves_no_line_of_another_kind_in_the_log(service: RunningService) -> None:
    """A parser's own warning went to standard error, where each line is an object in JSON."""
    broken = form("b").replace(b"form-data; ", b"form-data; \r\r", 1)
    answer = service.client.post(
        "/api/convert", params={"to": "rle"}, content=broken.replace(b"Content-D", b"Content\rD"),
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )  # fmt: skip
    assert answer.status_code == 400, answer.text
    assert "cannot be read" in answer.json()["error"]["message"]
    assert all(line["event"] for line in service.log())


@pytest.mark.parametrize(("size", "status"), [(70, 200), (71, 400), (30_000, 400)])
def test_a_long_boundary_is_refused(service: RunningService, size: int, status: int) -> None:
    boundary = "b" * size
    answer = service.client.post(
        "/api/convert", params={"to": "rle"}, content=form(boundary),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )  # fmt: skip
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"]["code"] == "invalid-request"


def test_a_length_is_stated_once(service: RunningService) -> None:
    for path in ("/api/convert?to=rle", "/api/uploads?to=rle", "/api/jobs"):
        lines = ("Content-Length: 5", "Transfer-Encoding: chunked")
        answer = send(service, head(path, *lines), b"0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400"), answer
    answer = send(service, head("/api/jobs", "Content-Length: 5", "Content-Length: 6"), b"{}")
    assert answer.startswith(b"HTTP/1.1 400"), answer


@pytest.mark.parametrize("where", ["before", "behind"])
def test_what_is_beside_the_file_is_bounded(service: RunningService, where: str) -> None:
    junk = b"j" * (1 << 20)
    sent = form("b")

    def parts() -> Iterator[bytes]:
        if where == "behind":
            yield sent
        for _ in range(40):
            yield junk
        if where == "before":
            yield b"\r\n" + sent

    def chunked() -> Iterator[bytes]:
        for part in parts():
            yield f"{len(part):x}\r\n".encode() + part + b"\r\n"

    lines = ("Content-Type: multipart/form-data; boundary=b", "Transfer-Encoding: chunked")
    answer = send(service, head("/api/convert?to=rle", *lines), *chunked())
    assert answer.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400")), answer[:200]
    assert [*(service.folder / "data" / "spool").iterdir()] == []


def test_a_body_over_the_limit_is_refused_and_nothing_stays(service: RunningService) -> None:
    stated = send(service, head("/api/convert?to=rle", f"Content-Length: {8 << 20}"))
    assert stated.startswith(b"HTTP/1.1 413")
    huge = send(service, head("/api/jobs", f"Content-Length: {1 << 40}"))
    assert huge.startswith(b"HTTP/1.1 413")
    odd = send(service, head("/api/convert?to=rle", "Content-Length: 9" + "9" * 5000))
    assert odd.startswith(b"HTTP/1.1 4")
    assert [*(service.folder / "data" / "spool").iterdir()] == []
    assert service.client.post("/api/convert?to=rle", content=FILE).status_code == 200


def test_children_do_not_have_the_token(service: RunningService) -> None:
    children = find_children(service.process.pid)
    assert children
    for child in children:
        assert TOKEN.encode() not in Path(f"/proc/{child}/environ").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_the_start_is_not_swallowed(tmp_path: Path, number: signal.Signals) -> None:
    # The first one comes before the server runs, when the service has its threads already.
    slow = (
        "import time; import uvicorn; from dicodec.cli import main; run = uvicorn.Server.run;"
        "uvicorn.Server.run = lambda *given, **more: (time.sleep(2), run(*given, **more));"
        "main.main()"
    )
    for turn in range(4):
        command = ["-c", slow] if turn == 0 else ["-m", "dicodec.cli.main"]
        process = subprocess.Popen(
            [sys.executable, *command, "serve", "--port", "0", "--jobs", "1",
             "--data", str(tmp_path / f"data{turn}")],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"http://")
        time.sleep(turn * 0.02)
        process.send_signal(number)
        try:
            process.wait(30)
        finally:
            process.kill()
            process.communicate()
