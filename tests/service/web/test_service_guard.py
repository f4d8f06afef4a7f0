"""Who may use the service: tokens, hosts, other sites, rates, places; and what leaves it."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from dicodec.service.web.error_answers import Refusal
from dicodec.service.web.limits import ConcurrencyLimit, RateLimit
from dicodec.service.web.server import listen
from helpers.made import make_file
from helpers.service_process import RunningService, running

TOKEN = "0123456789abcdef0123456789abcdef"
FILE = make_file(16, 16)[0]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("guarded")
    settings = ("--host", "0.0.0.0", "--jobs", "1")
    with running(folder, *settings, token=TOKEN) as made:
        made.url = made.url.replace("0.0.0.0", "127.0.0.1")
        yield made


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("local")
    with running(folder, "--jobs", "1", "--rate", "60", "--concurrent", "1") as made:
        yield made


def refused(*arguments: str, folder: Path) -> tuple[int, str]:
    slow = (  # a signal that follows the address at once ends it in order
        "import time; import uvicorn; from dicodec.cli import main; make = uvicorn.Server;"
        "uvicorn.Server = lambda config: (time.sleep(1), make(config))[1]; main.main()"
    )
    serve = [sys.executable, "-c", slow, "serve", "--port", "0"]
    done = subprocess.run(
        [*serve, "--data", str(folder), *arguments], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stderr


def test_others_are_not_served_without_a_token(tmp_path: Path) -> None:
    status, words = refused("--host", "0.0.0.0", folder=tmp_path / "data")
    assert status == 2
    assert "--token-file" in words
    assert not (tmp_path / "data").exists()
    short = tmp_path / "short"
    short.write_text("abc")
    status, words = refused("--token-file", str(short), folder=tmp_path / "data")
    assert (status, "16" in words) == (2, True)


def test_a_service_needs_no_standard_output(tmp_path: Path) -> None:
    """Its address is in the log, too; for results a closed output is an error."""
    slow = (  # a signal that follows the address at once ends it in order
        "import time; import uvicorn; from dicodec.cli import main; make = uvicorn.Server;"
        "uvicorn.Server = lambda config: (time.sleep(1), make(config))[1]; main.main()"
    )
    serve = [sys.executable, "-c", slow, "serve", "--port", "0"]
    words = shlex.join([*serve, "--data", str(tmp_path / "data")])
    with subprocess.Popen(["sh", "-c", f"exec {words} >&-"], stderr=subprocess.PIPE) as service:
        assert service.stderr is not None
        log = [json.loads(service.stderr.readline())["event"]]
        service.send_signal(signal.SIGTERM)
        log += [json.loads(line)["event"] for line in service.stderr]
    assert (service.returncode, log) == (0, ["serving", "ended"])


def test_a_folder_has_one_service(local: RunningService) -> None:
    status, words = refused(folder=local.folder / "data")
    assert (status, "another service" in words) == (2, True)


@pytest.mark.parametrize("path", ["/api/status", "/api/jobs", "/api/events", "/metrics",
                                  "/api/openapi.json", "/nothing"])  # fmt: skip
def test_everything_wants_the_token(guarded: RunningService, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = httpx.get(guarded.url.rstrip("/") + path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_the_token_opens(guarded: RunningService) -> None:
    assert guarded.client.get("/api/status").status_code == 200
    answer = guarded.client.post("/api/convert?to=rle", content=FILE)
    assert answer.status_code == 200
    for path in ("/", "/static/main.js", "/health/live", "/health/ready"):
        assert httpx.get(guarded.url.rstrip("/") + path).status_code == 200
    assert TOKEN not in guarded.log_path.read_text()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example"])
def test_another_name_for_this_address_is_refused(local: RunningService, host: str) -> None:
    for path in ("/", "/api/status", "/health/live"):
        answer = local.client.get(path, headers={"Host": host})
        assert answer.status_code in {400, 421}, answer.text


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_the_names_of_this_machine_are_taken(local: RunningService, host: str) -> None:
    assert local.client.get("/api/status", headers={"Host": host}).status_code == 200


def test_pages_of_other_sites_are_refused(local: RunningService) -> None:
    port = httpx.URL(local.url).port
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://localhost:{port}x"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        for method, path in (("POST", "/api/convert?to=rle"), ("GET", "/api/jobs")):
            answer = local.client.request(method, path, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    own = {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}
    assert local.client.get("/api/jobs", headers=own).status_code == 200


def test_answers_are_guarded_too(local: RunningService) -> None:
    for path in ("/", "/api/status", "/api/nothing", "/static/../app.py", "/static/main.js"):
        headers = local.client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "no-" in headers["Cache-Control"]
        assert "Access-Control-Allow-Origin" not in headers
        assert "Server" not in headers


def test_bodies_that_are_no_files_are_small(local: RunningService) -> None:
    def endless() -> Iterator[bytes]:
        yield b"{}"

    assert local.client.post("/api/jobs", content=endless()).status_code == 411
    with closing(HTTPConnection(httpx.URL(local.url).netloc.decode(), timeout=20)) as client:
        client.putrequest("POST", "/api/jobs")
        client.putheader("Content-Length", str(9 << 20))
        client.endheaders(b"{")
        assert client.getresponse().status == 413


def test_a_place_is_taken_by_an_upload_until_it_ends(local: RunningService) -> None:
    over = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield FILE[:100]
        over.wait(30)
        yield FILE[100:]

    first: list[httpx.Response] = []

    def send() -> None:
        with httpx.Client(base_url=local.url, timeout=60) as client:
            first.append(client.post("/api/convert?to=rle", content=slowly()))

    sender = threading.Thread(target=send)
    sender.start()
    local.wait(lambda: [*local.log_path.parent.rglob("*.in")])  # what arrives is written there
    answer = local.client.post("/api/convert?to=rle", content=FILE)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    over.set()
    sender.join(60)
    assert first[0].status_code == 200


def test_an_address_has_its_share(local: RunningService) -> None:
    answers = [local.client.post("/api/jobs/nothing/retry") for _ in range(30)]
    assert {answer.status_code for answer in answers} == {404, 429}
    # One a second is given back, so any of the last may be answered again.
    refused = [answer for answer in answers if answer.status_code == 429]
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert local.client.get("/api/status").status_code == 200, "looking costs nothing"


def test_answers_wait_for_no_acknowledgment() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_rates() -> None:
    now = 0.0
    limit = RateLimit(60, clock=lambda: now)
    for _ in range(10):
        limit.spend("a")
    with pytest.raises(Refusal) as refusal:
        limit.spend("a")
    assert refusal.value.status == 429
    limit.spend("b")
    now = 1.0
    limit.spend("a")
    with pytest.raises(Refusal):
        limit.spend("a")


def test_places() -> None:
    places = ConcurrencyLimit(1, "things")
    with places.hold():
        with pytest.raises(Refusal, match="too many things"):
            places.take()
        assert places.taken == 1
    assert places.taken == 0
