"""Single frames of another server's large instances: fetched alone, or not believed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import dicodec
from dicodec.dicomweb import DicomWeb
from dicodec.service.dicomweb import upstream, upstream_frames
from helpers.dicomweb import find_path, make_store_request, serving, split_parts
from helpers.made import make_file, uid_of
from helpers.orthanc import running_orthanc

FRAMES = 6
SYNTAXES = ("explicit-le", "rle", "jpeg-ls", "jpeg-lossless", "jpeg2000-lossless")
ANY = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


@cache
def make_instance(syntax: str, number: int = 1, kind: str = "gray") -> bytes:
    """Return an instance of FRAMES frames, with UIDs of its own."""
    color = kind == "color"
    samples, allocated, stored = (3, 8, 8) if color else (1, 16, 12)
    content, _ = make_file(
        48, 40, samples, bits_allocated=allocated, bits_stored=stored, frames=FRAMES,
        photometric="RGB" if color else "MONOCHROME2",
    )  # fmt: skip
    data_set = pydicom.dcmread(io.BytesIO(dicodec.convert_bytes(content, to=syntax)), force=True)
    data_set.PatientID = "frames"
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = "1.2.840.9", "1.2.840.9.1"
    data_set.SOPInstanceUID = f"1.2.840.9.1.{number}"
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    out = io.BytesIO()
    data_set.save_as(out)
    return out.getvalue()


@pytest.fixture(scope="module")
def always() -> Iterator[None]:
    """Have small instances count as large ones, and frames as quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upstream_frames, "LEAST_SIZE", 0)
        patch.setattr(upstream, "_USUAL_RATE", 1.0)
        patch.setattr(upstream, "_LEAST_MEASURED", 1 << 60)
        yield


@pytest.fixture(scope="module")
def orthanc(always: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc") / "data") as server:
        url = f"{server.url}/dicom-web"
        with httpx.Client(timeout=60) as client:
            for number, syntax in enumerate(SYNTAXES, 1):
                stored = make_store_request(make_instance(syntax, number))
                assert client.post(f"{url}/studies", **stored).status_code == 200
            stored = make_store_request(make_instance("rle", 99, "color"))
            assert client.post(f"{url}/studies", **stored).status_code == 200
        yield url


class Between:
    """A server that passes requests on, notes them, and may change the answers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.app = Starlette(routes=[Route("/base/{path:path}", self.reply)])

    async def reply(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/base")
        self.asked.append(path)
        headers = {"accept": request.headers["accept"]}
        async with httpx.AsyncClient(timeout=60) as client:
            answer = await client.get(self.url + path, headers=headers)
        kind = answer.headers.get("content-type")
        return Response(answer.content, answer.status_code, media_type=kind)


@pytest.mark.parametrize("wanted", ["explicit-le", "htj2k-lossless", "*"])
@pytest.mark.parametrize(("number", "syntax"), [*enumerate(SYNTAXES, 1)])
def test_a_frame_of_orthanc_is_fetched_alone(
    orthanc: str, number: int, syntax: str, wanted: str
) -> None:
    content = make_instance(syntax, number)
    path = find_path(content)
    between = Between(orthanc)
    uid = wanted if wanted == "*" else uid_of(wanted)
    with (
        serving(between.app) as theirs,
        serving(DicomWeb(f"{theirs}/base", jobs=1)) as ours,
        httpx.Client(base_url=ours, timeout=60) as client,
        dicodec.open_image(content) as image,
    ):
        for frame in (3, 0, 3):
            accept = f"multipart/related; type=application/octet-stream; transfer-syntax={uid}"
            answer = client.get(f"{path}/frames/{frame + 1}", headers={"accept": accept})
            (part,) = split_parts(answer)
            assert part.syntax == (uid_of(syntax) if wanted == "*" else uid)
            assert part.location.endswith(f"{path}/frames/{frame + 1}")
            if wanted == "*":
                assert part.content.rstrip(b"\0") == image.frame_bytes(frame).rstrip(b"\0")
            elif wanted == "explicit-le":
                assert part.content == image.read_frame(frame).astype("<u2").tobytes()
            else:
                one = dicodec.convert_bytes(content, to=wanted)
                with dicodec.open_image(one) as made:
                    assert part.content.rstrip(b"\0") == made.frame_bytes(frame).rstrip(b"\0")
        assert between.asked == [
            path, f"{path}/metadata", f"{path}/frames/4", f"{path}/frames/1"
        ]  # fmt: skip
        answer = client.get(f"{path}/frames/7", headers={"accept": ANY})
        assert answer.status_code == 404
        assert between.asked[-1] == path


def test_several_frames_and_colors_take_the_instance(orthanc: str) -> None:
    gray, color = make_instance("rle", 2), make_instance("rle", 99, "color")
    between = Between(orthanc)
    with (
        serving(between.app) as theirs,
        serving(DicomWeb(f"{theirs}/base", jobs=1)) as ours,
        httpx.Client(base_url=ours, timeout=60) as client,
    ):
        for content, listed, asked in (
            (color, "1", ["", "/metadata", ""]), (color, "2", []),
            (gray, "1,2", [""]), (gray, "3", []),
        ):  # fmt: skip
            between.asked.clear()
            path = find_path(content)
            parts = split_parts(client.get(f"{path}/frames/{listed}", headers={"accept": ANY}))
            with dicodec.open_image(content) as image:
                for part, number in zip(parts, listed.split(","), strict=True):
                    assert part.content == image.frame_bytes(int(number) - 1)
            assert between.asked == [path + one for one in asked]


# A server that lies.


class Lying:
    """A server of one instance, whose answers may be changed."""

    def __init__(self, syntax: str = "jpeg-ls") -> None:
        self.syntax = syntax
        self.content = make_instance(syntax)
        self.path = find_path(self.content)
        self.asked: list[str] = []
        self.metadata: Any = self.describe()
        self.metadata_answer: Response | None = None
        self.status = 200
        self.kind = f"application/octet-stream; transfer-syntax={uid_of(syntax)}"
        self.frame: bytes | None = None
        self.more = b""
        self.location = ""
        self.end = b"\r\n--x--\r\n"
        self.app = Starlette(routes=[Route("/{path:path}", self.reply)])

    def describe(self) -> dict[str, Any]:
        data_set = pydicom.dcmread(io.BytesIO(self.content), stop_before_pixels=True)
        return data_set.to_json_dict()

    async def reply(self, request: Request) -> Response:
        path = request.url.path
        self.asked.append(path.removeprefix(self.path))
        if path.endswith("/metadata"):
            return self.metadata_answer or Response(
                json.dumps([self.metadata]), media_type="application/dicom+json"
            )
        if "/frames/" not in path:
            body = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + self.content
            kind = 'multipart/related; type="application/dicom"; boundary=x'
            return Response(body + b"\r\n--x--\r\n", media_type=kind)
        with dicodec.open_image(self.content) as image:
            frame = image.frame_bytes(int(path.rpartition("/")[2]) - 1)
        if self.frame is not None:
            frame = self.frame
        head = f"--x\r\nContent-Type: {self.kind}\r\n{self.location}\r\n".encode()
        kind = 'multipart/related; type="application/octet-stream"; boundary=x'
        return Response(head + frame + self.more + self.end, self.status, media_type=kind)


def ask(server: Lying, *, frame: int = 3, accept: str = "", times: int = 1) -> httpx.Response:
    with (
        serving(server.app) as theirs,
        serving(DicomWeb(theirs, jobs=1)) as ours,
        httpx.Client(base_url=ours, timeout=60) as client,
    ):
        for _ in range(times):
            answer = client.get(f"{server.path}/frames/{frame}", headers={"accept": accept or ANY})
    return answer


def check_whole(server: Lying, **options: Any) -> None:
    """Check that a frame is right because the whole instance was taken."""
    accept = f"application/octet-stream; transfer-syntax={uid_of('explicit-le')}"
    answer = ask(server, accept=accept, **options)
    assert answer.status_code == 200, answer.text
    with dicodec.open_image(server.content) as image:
        assert answer.content == image.read_frame(2).astype("<u2").tobytes()
    assert server.asked[-1] == ""


def test_what_is_sound_is_believed(always: None) -> None:
    server = Lying()
    accept = f"application/octet-stream; transfer-syntax={uid_of('explicit-le')}"
    answer = ask(server, accept=accept)
    with dicodec.open_image(server.content) as image:
        assert answer.content == image.read_frame(2).astype("<u2").tobytes()
    assert server.asked == ["", "/metadata", "/frames/3"]


@pytest.mark.parametrize(
    ("tag", "value"),
    [("0020000D", ["1.2.3"]), ("0020000E", ["1.2.3"]), ("00080018", ["1.2.3"]),
     ("00280010", [47]), ("00280010", [1e400]), ("00280010", [-48]), ("00280010", ["48"]),
     ("00280010", [70000]), ("00280011", []), ("00280100", [8]), ("00280101", [10]),
     ("00280101", [16]), ("00280102", [15]), ("00280103", [2]),
     ("00280002", [3]), ("00280004", ["RGB"]), ("00280004", ["PALETTE COLOR"]),
     ("00280008", ["many"]), ("00280008", [1e999]), ("00280008", [2]), ("60000102", [12]),
     ("00083002", ["1.2.840.10008.1.2.5"]), ("00083002", 3), ("00080016", ["../x"])],
)  # fmt: skip
def test_metadata_that_do_not_fit_are_not_believed(always: None, tag: str, value: Any) -> None:
    server = Lying()
    server.metadata[tag] = {"vr": "US", "Value": value}
    check_whole(server)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"[1, 2]", b"[" * 200_000, b"\xff\xfe", b'[{"00280010": 5}]', b"[[]]",
     b"[" + b" " * (9 << 20) + b"]"],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_metadata_that_cannot_be_read_are_not_believed(always: None, body: bytes) -> None:
    server = Lying()
    server.metadata_answer = Response(body, media_type="application/dicom+json")
    check_whole(server)


@pytest.mark.parametrize(
    ("name", "value"),
    [("kind", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.5"),
     ("kind", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.90"),
     ("kind", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"),
     ("kind", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.2"),
     ("kind", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1.99"),
     ("kind", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.100"),
     ("kind", "application/octet-stream; transfer-syntax=1.2.3"),
     ("kind", "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.80"),
     ("kind", "image/jls"), ("kind", "application/octet-stream"), ("kind", "text/html"),
     ("kind", "application/octet-stream; transfer-syntax=*"),
     ("frame", b""), ("frame", bytes(5000)), ("frame", b"\xff\xd8\xff\xf7" + bytes(400)),
     ("frame", bytes(200_000)), ("end", b""), ("end", b"\r\n--x\r\nA: b\r\n\r\nmore\r\n--x--\r\n"),
     ("location", "Content-Location: http://h/studies/1/frames/4\r\n"),
     ("location", "Content-Length: 5\r\n"), ("location", "no colon\r\n"),
     ("status", 206), ("status", 404), ("status", 500), ("status", 406), ("status", 302)],
)  # fmt: skip
def test_parts_that_do_not_fit_are_not_believed(always: None, name: str, value: Any) -> None:
    server = Lying()
    setattr(server, name, value)
    check_whole(server)


def test_a_stream_of_another_image_is_not_believed(always: None) -> None:
    server = Lying()
    other, _ = make_file(48, 41, bits_stored=12)
    with dicodec.open_image(dicodec.convert_bytes(other, to="jpeg-ls")) as image:
        server.frame = image.frame_bytes(0)
    check_whole(server)


def test_a_stream_that_is_cut_off_is_not_believed(always: None) -> None:
    """Its headers fit, and it fails when it is decoded."""
    server = Lying("jpeg2000-lossless")
    with dicodec.open_image(server.content) as image:
        server.frame = image.frame_bytes(2)[:500]
    check_whole(server)


def test_native_samples_have_to_be_as_many_as_they_are(always: None) -> None:
    server = Lying("explicit-le")
    server.more = b"ab"
    check_whole(server)


def test_a_server_that_does_not_send_frames_is_asked_once(always: None) -> None:
    server = Lying()
    server.status = 406
    check_whole(server, times=3)
    assert server.asked == ["", "/metadata", "/frames/3", ""]


@pytest.mark.parametrize(
    ("seconds", "again", "later"),
    [(0.1, True, True), (2.1, True, True), (6.0, False, True), (11.0, False, False)],
)
def test_frames_that_take_as_long_as_the_instance_are_not_asked_for(
    always: None, seconds: float, again: bool, later: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instance of 10 s: one that is fetched in frames for as long is fetched whole then.

    A server whose first frame takes more than half as long is not asked for more of them.
    """
    monkeypatch.setattr(upstream, "_USUAL_RATE", 100.0)
    found: list[tuple[bool, bool]] = []

    def note(self: Any, known: Any, size: int, taken: float) -> None:
        assert (size > 1000, taken > 0) == (True, True)
        real(self, known, 1000, seconds)
        found.append((self._refused_until == 0, known.facts is not None))

    real = upstream_frames.UpstreamFrames._note_time
    monkeypatch.setattr(upstream_frames.UpstreamFrames, "_note_time", note)
    server = Lying()
    assert ask(server, times=2).status_code == 200
    assert found == [(again, later)]
    server = Lying()
    with (
        serving(server.app) as theirs,
        serving(DicomWeb(theirs, jobs=1)) as ours,
        httpx.Client(base_url=ours, timeout=60) as client,
    ):
        for frame in range(1, FRAMES + 1):
            path = f"{server.path}/frames/{frame}"
            assert client.get(path, headers={"accept": ANY}).status_code == 200
    asked = [one for one in server.asked if one.startswith("/frames/")]
    assert len(asked) == (min(FRAMES, int(10 / seconds) + 1) if again else 1)
    assert (server.asked[-1] == "") == (len(asked) < FRAMES)


@pytest.mark.parametrize(
    ("status", "told", "words"),
    [(401, 401, "refuses"), (403, 403, "refuses"), (429, 503, "busy"), (503, 503, "busy")],
)
def test_a_refusal_is_one(always: None, status: int, told: int, words: str) -> None:
    for where in ("frame", "metadata"):
        server = Lying()
        if where == "frame":
            server.status = status
        else:
            server.metadata_answer = Response(status_code=status)
        answer = ask(server)
        assert (answer.status_code, words in answer.json()["error"]["message"]) == (told, True)
        assert server.asked.count("") == 1


def test_small_instances_are_fetched_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_frames, "LEAST_SIZE", 16 << 20)
    server = Lying()
    answer = ask(server, times=2)
    assert answer.status_code == 200
    assert server.asked == [""]


def test_frames_are_kept_for_who_was_given_them(always: None) -> None:
    server = Lying()
    with (
        serving(server.app) as theirs,
        serving(DicomWeb(theirs, jobs=1)) as ours,
        httpx.Client(base_url=ours, timeout=60) as client,
    ):
        path = f"{server.path}/frames/1"
        for who in ("alice", "alice", "bob"):
            answer = client.get(path, headers={"accept": ANY, "authorization": f"Bearer {who}"})
            assert answer.status_code == 200
    assert server.asked == 2 * ["", "/metadata", "/frames/1"]


def test_the_folder_of_fetched_frames_is_emptied(always: None, tmp_path: Path) -> None:
    server = Lying()
    server.frame = bytes(500)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        ask(server)
        ask(Lying())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
