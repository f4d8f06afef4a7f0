"""A proxy before another server: Orthanc, and one of ours that fails in every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import pydicom
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

import dicodec
from dicodec.dicomweb import DicomWeb
from dicodec.errors import InvalidOptionError
from dicodec.model.transfer_syntax import find_by_name
from helpers.dicomweb import find_path, make_store_request, serving, split_parts
from helpers.orthanc import running_orthanc
from helpers.real_files import shipped_file

NAMES = ("CT_small.dcm", "JPEG2000.dcm", "SC_rgb_small_odd.dcm", "rtplan.dcm")
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
MULTIPART = 'multipart/related; type="application/dicom"; boundary=x'
CT = shipped_file("CT_small.dcm")


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, str]]:
    """Return a client of a proxy before an Orthanc, and the URL of that."""
    with running_orthanc(tmp_path_factory.mktemp("orthanc") / "data") as server:
        url = f"{server.url}/dicom-web"
        with (
            serving(DicomWeb(url, jobs=1)) as ours,
            httpx.Client(base_url=ours, timeout=60) as made,
        ):
            for name in NAMES:
                request = make_store_request(shipped_file(name).read_bytes())
                answer = made.post("/studies", **request)
                assert answer.status_code == 200, answer.text
            yield made, url


@pytest.mark.parametrize("name", NAMES[:3])
@pytest.mark.parametrize("syntax", ["explicit-le", "rle", "jpeg-ls", "htj2k-lossless", "deflated"])
def test_instances_and_frames_are_exact(
    orthanc: tuple[httpx.Client, str], name: str, syntax: str
) -> None:
    client, _ = orthanc
    source = shipped_file(name)
    row = find_by_name(syntax)
    assert row is not None
    uid = row.uid
    answer = client.get(
        find_path(source), headers={"accept": f"application/dicom; transfer-syntax={uid}"}
    )
    assert answer.status_code == 200, answer.text
    with dicodec.open_image(answer.content) as ours, dicodec.open_image(source) as theirs:
        assert ours.transfer_syntax.uid == uid
        np.testing.assert_array_equal(ours.read_frame(0), theirs.read_frame(0))
    (part,) = split_parts(
        client.get(
            f"{find_path(source)}/frames/1",
            headers={
                "accept": f"multipart/related; type=application/octet-stream; transfer-syntax={uid}"
            },
        )
    )
    assert part.syntax == uid
    with dicodec.open_image(answer.content) as ours:
        assert part.content.rstrip(b"\0") == ours.frame_bytes(0).rstrip(b"\0")


def test_a_study_is_sent_in_parts(orthanc: tuple[httpx.Client, str]) -> None:
    client, _ = orthanc
    for name in NAMES:
        source = shipped_file(name)
        study = find_path(source).partition("/series")[0]
        parts = split_parts(client.get(study, headers={"accept": AS_STORED}))
        assert find_path(source) in {find_path(part.content) for part in parts}


def test_searches_and_metadata_are_passed_on_with_our_address(
    orthanc: tuple[httpx.Client, str],
) -> None:
    client, url = orthanc
    found = client.get("/studies?PatientName=Compressed*", headers={"accept": "application/json"})
    theirs = httpx.get(f"{url}/studies?PatientName=Compressed*")
    assert len(found.json()) == len(theirs.json()) > 0
    assert url not in found.text
    assert str(client.base_url).rstrip("/") in found.text
    path = find_path(CT)
    metadata = client.get(f"{path}/metadata", headers={"accept": "application/dicom+json"})
    assert url not in metadata.text
    (one,) = metadata.json()
    bulk = client.get(one["00431029"]["BulkDataURI"])
    assert split_parts_of_others(bulk) == pydicom.dcmread(CT)[0x00431029].value
    series = client.get(f"{path.partition('/series')[0]}/series").json()
    assert series[0]["0020000D"]["Value"] == [pydicom.dcmread(CT).StudyInstanceUID]


def split_parts_of_others(answer: httpx.Response) -> bytes:
    """Return the content of the first part, of an answer in another form than ours."""
    _, _, rest = answer.content.partition(b"\r\n\r\n")
    return rest.rpartition(b"\r\n--")[0]


def test_what_is_not_there_is_told(orthanc: tuple[httpx.Client, str]) -> None:
    client, _ = orthanc
    assert client.get("/studies/1.2.3").status_code == 404
    assert client.get(f"{find_path(CT)}/frames/2").status_code == 404
    assert (
        client.get(f"{find_path(CT)}/frames/1", headers={"accept": "text/html"}).status_code == 406
    )


# A server that fails.


class Asked(NamedTuple):
    path: str
    headers: dict[str, str]


class Failing:
    """A server that answers as its caller says, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer = Response(status_code=500)
        self.app = Starlette(
            routes=[Route("/base/{path:path}", self.reply, methods=["GET", "POST"])]
        )

    async def reply(self, request: Request) -> Response:
        self.asked.append(Asked(request.url.path, dict(request.headers)))
        answer: Response = self.answer
        return answer


@pytest.fixture(scope="module")
def failing() -> Iterator[tuple[Failing, httpx.Client]]:
    server = Failing()
    with (
        serving(server.app) as url,
        serving(DicomWeb(f"{url}/base/", jobs=1)) as ours,
        httpx.Client(base_url=ours, timeout=60) as client,
    ):
        yield server, client


def make_parts(*contents: bytes, end: bytes = b"--x--\r\n") -> Response:
    body = b"".join(
        b"--x\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in contents
    )
    return Response(
        body + end, media_type='multipart/related; type="application/dicom"; boundary=x'
    )


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (Response(status_code=500, content=b'{"Message": "broken"}'), 502, "500 broken"),
        (Response(status_code=503, headers={"retry-after": "7"}), 503, "busy"),
        (Response(status_code=404), 404, "no such instance"),
        (Response(status_code=403), 403, "refuses"),
        (
            Response(status_code=302, headers={"location": "http://127.0.0.1:1/"}),
            502,
            "redirection",
        ),
        (Response(b"<html>", media_type="text/html"), 502, "boundary"),
        (make_parts(), 404, "no such instance"),
        (make_parts(b"abc", end=b""), 502, "ends early"),
        (make_parts(b"abc" * 100), 502, "not a DICOM file"),
    ],
    ids=lambda one: str(one)[:30],
)
def test_failures_of_the_upstream_are_told_with_their_cause(
    failing: tuple[Failing, httpx.Client], answer: Response, status: int, words: str
) -> None:
    server, client = failing
    server.answer = answer
    got = client.get("/studies/1/series/2/instances/3/frames/1")
    assert (got.status_code, words in got.json()["error"]["message"]) == (status, True), got.text
    if status == 503:
        assert got.headers["retry-after"] == "7"


def test_a_connection_that_breaks_within_an_instance_is_a_bad_gateway(
    failing: tuple[Failing, httpx.Client],
) -> None:
    async def body() -> AsyncGenerator[bytes]:
        yield b"--x\r\nContent-Type: application/dicom\r\n\r\n" + bytes(1000)
        await asyncio.sleep(0.05)
        raise ConnectionResetError

    server, client = failing
    server.answer = StreamingResponse(body(), media_type=MULTIPART)
    got = client.get("/studies/1/series/2/instances/3")
    assert got.status_code == 502
    assert "cannot be reached" in got.json()["error"]["message"]


def test_rights_are_the_upstreams(failing: tuple[Failing, httpx.Client]) -> None:
    server, client = failing
    server.answer = make_parts(CT.read_bytes())
    path = f"{find_path(CT)}/frames/1"
    server.asked.clear()
    alice = {"authorization": "Bearer alice", "cookie": "secret=1"}
    for _ in range(2):
        assert client.get(path, headers=alice).status_code == 200
    assert len(server.asked) == 1  # kept for the same person
    assert server.asked[0].headers["authorization"] == "Bearer alice"
    assert "cookie" not in server.asked[0].headers
    assert server.asked[0].path == f"/base{find_path(CT)}"
    server.answer = Response(status_code=401, headers={"www-authenticate": "Basic realm=x"})
    refused = client.get(path, headers={"authorization": "Bearer bob"})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Basic realm=x")
    assert client.get(path).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/studies/../x/series", "/studies/..%2f..%2fx/series", "/studies/%2e%2e/series",
     "/studies/1/series/2/instances/3/bulk/../../../x", "/studies/a%00b/series",
     "/studies/@127.0.0.1/series"],
)  # fmt: skip
def test_no_path_leads_out_of_the_base(failing: tuple[Failing, httpx.Client], path: str) -> None:
    server, client = failing
    server.answer = Response(b"[]", media_type="application/json")
    server.asked.clear()
    url = httpx.URL(str(client.base_url)).copy_with(raw_path=path.encode())
    answer = client.get(url)
    assert answer.status_code in {400, 404}
    assert not server.asked


@pytest.mark.parametrize(
    "url", ["http://user:secret@pacs/dicom-web", "http://", "http:///x", "https://pacs/?x=1"]
)
def test_a_url_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(InvalidOptionError) as caught, DicomWeb(url, jobs=1) as app:
        asyncio.run(app.__call__({"type": "http"}, None, None))  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


def test_an_upstream_that_is_away_is_a_bad_gateway() -> None:
    with (
        serving(DicomWeb("http://127.0.0.1:1/dicom-web", jobs=1)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        for path in ("/studies", "/studies/1.2", "/studies/1/series/2/instances/3/frames/1"):
            answer = client.get(path)
            assert answer.status_code == 502
            assert answer.json()["error"]["code"] == "upstream-unavailable"
        stored = client.post("/studies", **make_store_request(CT.read_bytes()))
        assert stored.status_code == 502


def test_the_cache_on_the_disk_is_bounded(
    failing: tuple[Failing, httpx.Client], tmp_path: Path
) -> None:
    from dicodec.service.dicomweb.instance_cache import InstanceCache

    async def trial() -> None:
        cache = InstanceCache(tmp_path, 250)

        async def fetch(path: Path) -> None:
            path.write_bytes(bytes(100))

        async with cache.use("used", fetch) as used:
            for number in range(9):
                async with cache.use(number, fetch):
                    pass
            assert used.path.exists()
            assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 300
        cache.close()
        assert not [*tmp_path.iterdir()]

    asyncio.run(trial())
