"""STOW-RS: to Orthanc, and to a server that answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from dicodec.errors import DicodecError, PeerRefusedError, PeerUnavailableError
from dicodec.service.gateway.config import Peer, StowAddress
from dicodec.service.gateway.sender import PeerDownError, SyntaxRefusedError
from dicodec.service.gateway.stow_sender import StowSender
from helpers.dicom_network import SHIPPED, RunningGateway, send
from helpers.orthanc import running_orthanc

CT_FILE = SHIPPED / "CT_small.dcm"
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, J2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"
INSTANCE = str(dcmread(CT_FILE, stop_before_pixels=True).SOPInstanceUID)


class ScriptedServer:
    """An HTTP server that takes objects and answers by a script: (status, body, headers)."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any, dict[str, str]]] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.connections = 0
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                script.connections += 1

            def do_POST(self) -> None:
                script.headers.append({name.lower(): text for name, text in self.headers.items()})
                script.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                status, body, headers = script.answers.pop(0) if script.answers else (200, {}, {})
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, text in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *given: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/dicom-web"

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    made = ScriptedServer()
    yield made
    made.close()


def make_sender(server: ScriptedServer, token: Path | None = None) -> StowSender:
    """Return a sender with an open connection."""
    address = StowAddress(server.url, None if token is None else str(token))
    sender = StowSender(Peer(name="WEB", address=address, timeout=10.0), address)
    sender.negotiate(CT, [EXPLICIT])
    return sender


def describe(sequence: str, reason: int, instance: str = INSTANCE) -> dict[str, Any]:
    """Return an answer that names an object in one of its sequences."""
    tag = "00081196" if sequence == "00081199" else "00081197"
    item = {
        "00081155": {"vr": "UI", "Value": [instance]},
        tag: {"vr": "US", "Value": [reason]},
    }
    return {sequence: {"vr": "SQ", "Value": [item]}}


def test_an_object_is_one_part_of_its_very_bytes(server: ScriptedServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret-of-sixteen\n")
    sender = make_sender(server, token)
    assert [sender.send(str(CT_FILE)), sender.send(str(CT_FILE))] == ["", ""]
    headers = server.headers[0]
    kind, _, boundary = headers["content-type"].partition("; boundary=")
    assert kind == 'multipart/related; type="application/dicom"'
    assert server.bodies[0] == (
        f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        + CT_FILE.read_bytes()
        + f"\r\n--{boundary}--\r\n".encode()
    )
    assert headers["authorization"] == "Bearer secret-of-sixteen"
    assert headers["accept"] == "application/dicom+json"
    assert server.connections == 1
    sender.close()


FAILED, WARNED = "00081198", "00081199"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (202, describe(FAILED, 0xA700), PeerUnavailableError),
        (202, describe(FAILED, 0x0110), PeerUnavailableError),
        (202, describe(FAILED, 0x0122), PeerRefusedError),
        (200, describe(FAILED, 0xC000), PeerRefusedError),
        (409, describe(FAILED, 0xA900), PeerRefusedError),
        (409, {}, PeerRefusedError),
        (409, describe(FAILED, 0xC122), SyntaxRefusedError),
        (415, {}, SyntaxRefusedError),
        (413, {}, PeerRefusedError),
        (400, {}, PeerRefusedError),
        (500, {}, PeerUnavailableError),
        (401, {}, PeerDownError),
        (404, {}, PeerDownError),
        (301, {}, PeerDownError),
        (503, {}, PeerDownError),
    ],
)
def test_each_refusal_has_its_kind(
    server: ScriptedServer, status: int, body: Any, error: type[DicodecError]
) -> None:
    server.answers = [(status, body, {})]
    sender = make_sender(server)
    with pytest.raises(DicodecError) as caught:
        sender.send(str(CT_FILE))
    assert type(caught.value) is error
    sender.close()


def test_warnings_and_failures_of_others_are_no_failures(server: ScriptedServer) -> None:
    server.answers = [
        (202, describe(WARNED, 0xB000), {}),
        (202, describe(FAILED, 0xC000, "1.2.3"), {}),
    ]
    sender = make_sender(server)
    assert sender.send(str(CT_FILE)) == "status 202, reason 0xB000"
    assert sender.send(str(CT_FILE)) == ""
    sender.close()


@pytest.mark.parametrize("text", ["7", "Fri, 01 Jan 2100 00:00:00 GMT", "soon"])
def test_the_pause_that_the_server_asks_for_is_kept(server: ScriptedServer, text: str) -> None:
    server.answers = [(503, {}, {"Retry-After": text})]
    sender = make_sender(server)
    with pytest.raises(PeerDownError) as caught:
        sender.send(str(CT_FILE))
    pause = caught.value.retry_after
    assert pause == {"7": 7.0, "soon": 0.0}.get(text, pause)
    assert text in {"7", "soon"} or pause > 1e9
    sender.close()


def test_a_refused_transfer_syntax_is_not_offered_again(server: ScriptedServer) -> None:
    server.answers = [(409, describe(FAILED, 0xC122), {})]
    sender = make_sender(server)
    with pytest.raises(SyntaxRefusedError):
        sender.send(str(CT_FILE))
    assert sender.negotiate(CT, [EXPLICIT, J2K]) == {J2K}
    assert sender.negotiate("1.2.3", [EXPLICIT]) == {EXPLICIT}
    sender.close()


def test_a_connection_that_ended_is_made_anew(server: ScriptedServer) -> None:
    sender = make_sender(server)
    server.answers = [(200, {}, {"Connection": "close"})]
    sender.send(str(CT_FILE))
    assert not sender.open
    sender.negotiate(CT, [EXPLICIT])
    assert sender.send(str(CT_FILE)) == ""
    sender.close()


CONFIG = """
[receive]
aet = "DICODEC"
port = 0
spool = "spool"
processes = 1

[[route]]
to = ["WEB", "NET", "PICKY"]

[[peer]]
name = "WEB"
kind = "stow"
url = "{url}"
prefer = ["jpeg2000-lossless"]

[[peer]]
name = "PICKY"
kind = "stow"
url = "{picky}"
prefer = ["jpeg2000-lossless"]
associations = 1

[[peer]]
name = "NET"
host = "127.0.0.1"
port = {port}
aet = "ORTHANC"
prefer = ["jpeg-ls"]
"""


def test_servers_get_objects_over_the_web_and_the_network(
    tmp_path: Path, server: ScriptedServer
) -> None:
    server.answers = [(409, describe(FAILED, 0xC122), {})]
    options: dict[str, Any] = {"OverwriteInstances": False}
    with (
        running_orthanc(tmp_path / "web", **options) as web,
        running_orthanc(tmp_path / "net", **options) as net,
    ):
        config = CONFIG.format(url=f"{web.url}/dicom-web", port=net.port, picky=server.url)
        with RunningGateway(tmp_path / "gateway", config, "--jobs", "1") as gateway:
            for path in (CT_FILE, SHIPPED / "SC_rgb_rle_2frame.dcm"):
                assert send(gateway.port, path).returncode == 0
            gateway.wait_until_empty(60)
            assert not gateway.events("dead"), gateway.log_path.read_text()
        for orthanc, syntax in ((web, J2K), (net, "1.2.840.10008.1.2.4.80")):
            instances = orthanc.list_instances()
            assert len(instances) == 2
            for instance in instances:
                result = dcmread(BytesIO(orthanc.read_file(instance)))
                assert result.file_meta.TransferSyntaxUID == syntax
                sources = (dcmread(CT_FILE), dcmread(SHIPPED / "SC_rgb_rle_2frame.dcm"))
                (source,) = (one for one in sources if one.SOPInstanceUID == result.SOPInstanceUID)
                assert np.array_equal(result.pixel_array, source.pixel_array)
    sent = [J2K.encode() in body[:2000] for body in server.bodies]
    assert sent == [True, False, True]  # the CT image again, because JPEG 2000 was refused for it
