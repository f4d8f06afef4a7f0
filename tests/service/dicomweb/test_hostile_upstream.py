"""An upstream, and clients, that mean harm: each answer is an error with a bound and a cause."""

from __future__ import annotations

import gzip
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pydicom
import pytest

from dicodec.dicomweb import DicomWeb
from dicodec.service.dicomweb import serving as serving_module
from dicodec.service.dicomweb import upstream
from helpers.dicomweb import find_path, make_store_request, serving
from helpers.real_files import shipped_file

CT = shipped_file("CT_small.dcm").read_bytes()
PATH = find_path(CT)
STUDY = PATH.partition("/series")[0]
DICOM_JSON = "application/dicom+json"
MULTIPART = 'multipart/related; type="application/dicom"; boundary=x'
PART = b"--x\r\nContent-Type: application/dicom\r\n\r\n"
END = b"\r\n--x--\r\n"

type Reply = Callable[[socket.socket], None]


class Raw:
    """A server that sends any bytes, whatever it is asked; it notes what that was."""

    def __init__(self, reply: Reply | bytes) -> None:
        self.reply = reply
        self.asked: list[bytes] = []
        self.stopped = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request and (piece := connection.recv(65536)):
                request += piece
            self.asked.append(request)
            if callable(self.reply):
                self.reply(connection)
            else:
                connection.sendall(self.reply)

    def close(self) -> None:
        self.stopped.set()
        self._socket.close()


def answer(
    body: bytes, kind: str = MULTIPART, status: str = "200 OK", more: str = "", length: bool = True
) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Connection: close\r\n"
    if length:
        head += f"Content-Length: {len(body)}\r\n"
    return head.encode("latin-1") + b"\r\n" + body


@contextmanager
def proxy(reply: Reply | bytes) -> Iterator[tuple[httpx.Client, Raw]]:
    server = Raw(reply)
    try:
        with (
            serving(DicomWeb(server.url, jobs=1)) as ours,
            httpx.Client(base_url=ours, timeout=60) as client,
        ):
            yield client, server
    finally:
        server.close()


def ask(reply: Reply | bytes, path: str = PATH) -> httpx.Response:
    with proxy(reply) as (client, _):
        return client.get(path, headers={"accept": "*/*"})


def check_refused(got: httpx.Response, words: str, status: int = 502) -> None:
    message = got.json()["error"]["message"]
    assert (got.status_code, words in message) == (status, True), (got.status_code, message)


def change(**values: str) -> bytes:
    data_set = pydicom.dcmread(io.BytesIO(CT))
    out = io.BytesIO()
    with pydicom.config.disable_value_validation():
        for name, value in values.items():
            setattr(data_set, name, value)
        data_set.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("1.2")
        data_set.save_as(out)
    return out.getvalue()


# What cannot be an answer.


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "ends early"),
        (b"junk" * 1000, "not multipart"),
        (b"--y\r\n\r\n" + CT + b"\r\n--y--\r\n", "not multipart"),
        (b"--x\r\nA" + bytes(40_000), "not multipart"),
        (b"--x\r\n" + b"A: " + b"b" * 40_000 + b"\r\n\r\n", "header"),
        (b"--x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n", "header"),
        (b"--x\r\nno colon\r\n\r\n", "not multipart"),
        (PART + CT, "ends early"),
        (PART + CT + b"\r\n--x\r\n", "ends early"),
        (PART + CT + b"\r\n" + PART + CT + END, "several parts"),
        (PART + CT + b"\r\n" + PART + b"junk" + END, "several parts"),
        (PART + b"\r\n" + PART * 10, "several parts"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_malformed_payloads(body: bytes, words: str) -> None:
    check_refused(ask(answer(body)), words)


@pytest.mark.parametrize("boundary", ["", "b" * 71, "\xff", '"', "a b"])
def test_boundaries_that_cannot_be(boundary: str) -> None:
    kind = f"multipart/related; boundary={boundary}"
    got = ask(answer(PART + CT + END, kind))
    assert (got.status_code, got.json()["error"]["code"]) == (502, "upstream-failed")


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9000\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 9\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999999999999\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c: d\r\nA b: c\r\n",
        "HTTP/1.1 200 OK\r\nA: " + "b" * 200_000 + "\r\n",
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n",
        "HTTP/1.1 999 Odd\r\n",
        "nothing like HTTP\r\n",
    ],
    ids=lambda head: head[:60],
)
@pytest.mark.parametrize("path", [PATH, "/studies", f"{PATH}/frames/1"])
def test_heads_and_lengths_that_cannot_be(head: str, path: str) -> None:
    kind = f"Content-Type: {MULTIPART}\r\n" if path != "/studies" else ""
    reply = head.encode() + f"{kind}Connection: close\r\n\r\n".encode() + PART + CT[:500]
    with proxy(reply) as (client, _):
        try:
            got = client.get(path, headers={"accept": "*/*"})
        except httpx.RemoteProtocolError:  # the status was sent, and what follows ended early
            assert path == "/studies"
            return
    assert got.status_code == 502, got.text


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x, gzip"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/frames/1", f"{PATH}/metadata", "/studies"])
def test_what_is_compressed_is_not_inflated(path: str, coding: str) -> None:
    bomb = gzip.compress(bytes(50 << 20))
    got = ask(answer(bomb, DICOM_JSON, more=f"Content-Encoding: {coding}\r\n"), path)
    check_refused(got, "compresses")


# What has no end.


def test_an_instance_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        serving_module, "DEFAULT_OPTIONS", serving_module.DicomWebOptions(upload_limit=3 << 20)
    )
    monkeypatch.setattr(
        "dicodec.dicomweb.DicomWebOptions",
        lambda **options: serving_module.DicomWebOptions(upload_limit=3 << 20, **options),
    )
    sent = []

    def reply(connection: socket.socket) -> None:
        connection.sendall(answer(PART, length=False))
        while True:
            connection.sendall(bytes(1 << 20))
            sent.append(1)

    check_refused(ask(reply), "more than 3145728 bytes")
    assert len(sent) < 64


@pytest.mark.parametrize("path", [PATH, f"{PATH}/frames/1", f"{PATH}/metadata", STUDY])
@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Broken"])
def test_a_body_that_drips_is_given_up(
    path: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "SECONDS_A_PIECE", 0.5)

    def reply(connection: socket.socket) -> None:
        connection.sendall(answer(PART, status=status, length=False))
        while not server.stopped.wait(0.05):
            connection.sendall(b"-")

    with proxy(reply) as (client, server):
        if path.endswith("/metadata") and not status.startswith("5"):
            with pytest.raises(httpx.RemoteProtocolError):
                client.get(path)  # its status has been passed on
            return
        got = client.get(path, headers={"accept": "*/*"})
    if status.startswith("200"):
        check_refused(got, "too slowly", 504)
    else:
        assert got.status_code == {"404": 404, "500": 502}[status[:3]]


# What is another than was asked for.


@pytest.mark.parametrize("name", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/frames/1", f"{PATH}/rendered"])
def test_another_instance_is_not_passed_off_as_the_one(path: str, name: str) -> None:
    other = change(**{name: "1.2.3"})
    check_refused(ask(answer(PART + other + END), path), "another instance")


@pytest.mark.parametrize(
    "values",
    [{"StudyInstanceUID": "1.2.3"}, {"SOPInstanceUID": "1\r\nX-Evil: 1"},
     {"SOPInstanceUID": "../../x"}, {"SeriesInstanceUID": "1\r\n\r\n--y"}, {"SOPInstanceUID": ""}],
    ids=repr,
)  # fmt: skip
def test_a_study_has_its_own_instances_only(values: dict[str, str]) -> None:
    got = ask(answer(PART + change(**values) + END), STUDY)
    check_refused(got, "another instance")
    assert "Evil" not in got.text


def test_a_study_of_many_parts_is_sent() -> None:
    body = b"\r\n".join([PART + CT] * 200) + END
    got = ask(answer(body), STUDY)
    assert got.status_code == 200
    assert got.content.count(b"Content-Type: application/dicom") == 200


# Where the other server would like to have us, or the client.


@pytest.mark.parametrize("path", [PATH, f"{PATH}/frames/1", f"{PATH}/metadata", "/studies"])
def test_redirections_are_not_followed(path: str) -> None:
    inner = Raw(answer(b"[]", DICOM_JSON))
    try:
        got = ask(answer(b"", status="302 Found", more=f"Location: {inner.url}/x\r\n"), path)
        check_refused(got, "redirection")
        assert not inner.asked
    finally:
        inner.close()


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "text/html; charset=utf-8",
        "image/svg+xml",
        "application/xml",
        "text/javascript",
        "a\tb",
    ],
)
@pytest.mark.parametrize("status", ["200 OK", "400 Bad"])
def test_pages_of_the_other_server_are_not_ours(kind: str, status: str) -> None:
    """A browser would run them with the rights of our site."""
    for path in ("/studies", f"{PATH}/metadata", f"{PATH}/bulk/00431029"):
        got = ask(answer(b"<script>alert(1)</script>", kind, status), path)
        assert got.headers["content-type"] == "application/json"
        assert got.status_code == (502 if status.startswith("200") else 400)
        assert "<script" not in got.text


def test_xml_is_passed_on_and_runs_no_scripts() -> None:
    """Other servers answer requests to store in XML if nothing else is asked for."""
    script = b"<script xmlns='http://www.w3.org/1999/xhtml'>alert(1)</script>"
    with proxy(answer(script, "application/dicom+xml")) as (client, _):
        got = client.post("/studies", **make_store_request(CT))
    assert (got.status_code, got.content) == (200, script)
    assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert got.headers["x-content-type-options"] == "nosniff"


def test_headers_of_the_other_server_are_not_passed_on() -> None:
    more = "Set-Cookie: a=b\r\nAccess-Control-Allow-Origin: *\r\nLink: <x>\r\nWarning: 299 x y\r\n"
    got = ask(answer(b"[]", DICOM_JSON, more=more), "/studies")
    assert got.headers["warning"] == "299 x y"
    assert not {"set-cookie", "access-control-allow-origin", "link"} & {*got.headers}


def test_bulk_data_are_not_rewritten() -> None:
    """Samples that happen to be the server's address stay what they are; its headers do not."""

    def reply(connection: socket.socket) -> None:
        value = server.url.encode() + b" in a value"
        head = f"--x\r\nContent-Location: {server.url}/a\r\n\r\n".encode()
        kind = 'multipart/related; type="application/octet-stream"; boundary=x'
        connection.sendall(answer(head + value + END, kind))

    with proxy(reply) as (client, server):
        got = client.get(f"{PATH}/bulk/00431029")
        assert got.content == (
            f"--x\r\nContent-Location: {str(client.base_url).rstrip('/')}/a\r\n\r\n".encode()
            + server.url.encode() + b" in a value" + END
        )  # fmt: skip


# Clients.


@pytest.mark.parametrize(
    "head",
    ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
     "Content-Length: 5\r\nContent-Length: 9\r\n",
     "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "Content-Length: +5\r\n"],
)  # fmt: skip
def test_no_request_is_smuggled(head: str) -> None:
    with proxy(answer(b"{}", DICOM_JSON)) as (client, server):
        with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as raw:
            raw.settimeout(60)
            raw.sendall(
                f"POST /studies HTTP/1.1\r\nHost: a\r\nContent-Type: {MULTIPART}\r\n{head}"
                "Connection: close\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
                "GET /studies?smuggled HTTP/1.1\r\nHost: a\r\n\r\n".encode()
            )
            while raw.recv(65536):
                pass
        assert not any(b"smuggled" in one.split(b"\r\n")[0] for one in server.asked)


@pytest.mark.parametrize(
    ("query", "status"),
    [("PatientName=" + "*a" * 600, 400), ("PatientID=" + "x" * 1100, 400),
     ("PatientName=" + "*a" * 400, 204), ("StudyDate=-", 200), ("StudyDate=x-y", 204),
     ("StudyDate=%00", 204), ("limit=-1", 400), ("limit=%D9%A3", 400), ("limit=1e3", 400),
     ("offset=99999999999", 400), ("limit=0", 204), ("includefield=" + "0" * 5000, 200),
     ("&".join("PatientID=x" for _ in range(600)), 400), ("00100010.00100010.00100010=x", 400),
     ("StudyInstanceUID=" + ",".join(["1.2"] * 501), 400), ("NumberOfFrames=nan", 400),
     ("PatientName=%ff%fe", 204), ("%00=1", 200), ("=", 200), ("PatientName=%0d%0aX:1", 204)],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_searches_that_make_no_sense_are_answered(
    folder: httpx.Client, query: str, status: int
) -> None:
    got = folder.get(f"/studies?{query}")
    assert got.status_code == status, got.text
    assert "\n" not in got.headers.get("warning", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    path = tmp_path_factory.mktemp("images")
    (path / "ct.dcm").write_bytes(CT)
    with (
        serving(DicomWeb(path, jobs=1)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def test_a_stored_request_is_passed_on_as_it_is() -> None:
    with proxy(answer(json.dumps({}).encode(), DICOM_JSON)) as (client, server):
        made: Any = make_store_request(CT)
        assert client.post("/studies", **made).status_code == 200
        assert len(server.asked) == 1
