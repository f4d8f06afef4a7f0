"""The service's files: uploads in any form, results back, refusals, memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path

import httpx
import imagecodecs
import numpy as np
import pydicom
import pytest

from dicodec import ConversionOptions, convert_bytes
from dicodec.conversion.convert import convert_with
from dicodec.images.image import Image
from helpers.made import EXPLICIT_BE, make_file
from helpers.service_process import RunningService, running

FILE = make_file(48, 64)[0]
DICOM = {"Content-Type": "application/dicom"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder, "--jobs", "2", "--upload-limit", "600M") as made:
        yield made


def convert(
    service: RunningService, content: bytes = FILE, query: str = "to=rle"
) -> httpx.Response:
    return service.client.post(f"/api/convert?{query}", content=content, headers=DICOM)


def error_of(answer: httpx.Response) -> str:
    told = answer.json()
    assert set(told) == {"error"}
    assert {"code", "kind", "message"} <= set(told["error"])
    assert "Traceback" not in answer.text
    code: str = told["error"]["code"]
    return code


def test_a_body_comes_back_converted(service: RunningService) -> None:
    answer = convert(service)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/dicom"
    assert answer.content == convert_bytes(FILE, to="rle")
    report = json.loads(answer.headers["Dicodec-Report"])
    assert (report["action"], report["target_syntax"]) == ("transcoded", "rle")
    assert report["target_size"] == len(answer.content) == int(answer.headers["Content-Length"])
    assert not [*(service.folder / "data" / "spool").iterdir()]


def test_one_frame_comes_back_in_any_transfer_syntax(service: RunningService) -> None:
    content = convert_bytes(make_file(48, 64, frames=3)[0], to="rle")
    with Image(content) as image:
        samples, stored = image.read_frame(2), image.frame_bytes(2)

    def send(query: str) -> httpx.Response:
        return service.client.post(f"/api/frame?{query}", content=content, headers=DICOM)

    lossless = send("frame=2&to=jpeg-ls")
    assert lossless.status_code == 200, lossless.text
    kind = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.80"
    assert lossless.headers["Content-Type"] == kind
    assert np.array_equal(imagecodecs.jpegls_decode(lossless.content), samples)
    assert send("frame=2&to=rle").content == stored
    assert send("frame=2&to=explicit-le").content == samples.tobytes()
    near = imagecodecs.jpegls_decode(send("frame=2&to=jpeg-ls-near&near=3").content)
    assert 0 < np.abs(near.astype(int) - samples).max() <= 3
    for query, code in (
        ("frame=3&to=rle", "unsupported-source"), ("to=rle,jpeg-ls", "invalid-request"),
        ("policy=web", "invalid-request"), ("to=jpeg2000", "lossy-not-allowed"),
    ):  # fmt: skip
        assert error_of(send(query)) == code, query
    assert not [*(service.folder / "data" / "spool").iterdir()]


def test_a_form_comes_back_converted(service: RunningService) -> None:
    answer = service.client.post(
        "/api/convert",
        files={"file": ("fâce/../scan.dcm", FILE, "application/dicom")},
        data={"to": "jpeg2000-lossless", "verify": "true", "set_attributes": "PatientName=X"},
    )
    assert answer.status_code == 200, answer.text
    assert 'filename="scan.converted.dcm"' in answer.headers["Content-Disposition"]
    assert json.loads(answer.headers["Dicodec-Report"])["verified"] is True
    result = pydicom.dcmread(BytesIO(answer.content))
    assert (result.PatientName, result.file_meta.TransferSyntaxUID) == (
        "X",
        "1.2.840.10008.1.2.4.90",
    )


def test_a_request_takes_what_is_of_an_image(service: RunningService) -> None:
    whole = make_file(16, 16, frames=3)[0]
    damaged = whole[: -16 * 16 // 2]
    refused = convert(service, damaged)
    assert refused.status_code == 422
    hint = '"salvage": "fill" or "salvage": "drop" saves the frames that are whole'
    assert refused.json()["error"]["hint"] == hint
    answer = convert(service, damaged, "to=rle&salvage=fill")
    assert answer.status_code == 200, answer.text
    assert "1 of 3 frames" in json.loads(answer.headers["Dicodec-Report"])["salvaged"]
    for query, options in (
        ("to=rle&standardize=true", ConversionOptions.of("rle", standardize=True)),
        ("to=rle&charset=utf-8", ConversionOptions.of("rle", charset="utf-8")),
    ):
        out = BytesIO()
        convert_with(FILE, out, options)
        assert convert(service, FILE, query).content == out.getvalue()


def test_a_body_of_unknown_length_is_taken(service: RunningService) -> None:
    pieces = (FILE[start : start + 100] for start in range(0, len(FILE), 100))
    answer = service.client.post("/api/convert?to=rle", content=pieces, headers=DICOM)
    assert answer.content == convert_bytes(FILE, to="rle")


@pytest.mark.parametrize(
    ("content", "query", "status", "code"),
    [
        (b"", "to=rle", 400, "empty-file"),
        (b"hello", "to=rle", 422, "not-dicom"),
        (FILE[:1500], "to=rle", 422, "truncated-frame"),
        (FILE, "", 400, "invalid-request"),
        (FILE, "to=nothing", 400, "invalid-request"),
        (FILE, "to=rle&quality=1000", 400, "invalid-request"),
        (FILE, "to=rle&quality=x", 400, "invalid-request"),
        (FILE, "to=rle&set_attributes=Rows", 400, "invalid-request"),
        (FILE, "to=rle&workers=900", 400, "invalid-request"),
        (FILE, "to=rle&source=/etc/passwd", 400, "invalid-request"),
        (FILE, "policy=/etc/passwd", 400, "invalid-request"),
        (FILE, "to=jpeg-ls-near", 422, "lossy-not-allowed"),
        (FILE, "to=jpeg&lossy=true&photometric=YBR_FULL", 422, "unsupported-image"),
    ],
)
def test_what_cannot_be_done_is_said(
    service: RunningService, content: bytes, query: str, status: int, code: str
) -> None:
    for path in ("convert", "uploads") if status == 400 else ("convert",):
        answer = service.client.post(f"/api/{path}?{query}", content=content, headers=DICOM)
        assert (answer.status_code, error_of(answer)) == (status, code), answer.text
        assert str(service.folder) not in answer.text, "paths of the machine are its own business"
    assert not [*(service.folder / "data" / "spool").iterdir()]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "ends too early"),
        (b"--x\r\nno header at all", "ends too early|cannot be read"),
        (b"garbage", "cannot be read"),
        (b'--x\r\nContent-Disposition: form-data; name="to"\r\n\r\nrle\r\n--x--\r\n', "no part"),
        (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + FILE, "ends too early"),
        (b'--x\r\nContent-Disposition: form-data; name="to"\r\n\r\n' + b"r" * 70_000, "too long"),
        (b"--x\r\nContent-Disposition: " + b"r" * 70_000, "cannot be read"),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\na\r\n' * 2 + b"--x--\r\n",
            "more than one file",
        ),
    ],
)
def test_broken_forms_are_refused(service: RunningService, body: bytes, words: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = service.client.post("/api/convert?to=rle", content=body, headers=headers)
    assert answer.status_code == 400
    assert error_of(answer) == "invalid-request"
    assert any(word in answer.json()["error"]["message"] for word in words.split("|")), answer.text


def test_a_form_without_boundary_is_refused(service: RunningService) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    answer = service.client.post("/api/convert?to=rle", content=b"x", headers=headers)
    assert (answer.status_code, error_of(answer)) == (400, "invalid-request")


def test_an_upload_becomes_a_job_with_result_and_pictures(service: RunningService) -> None:
    answer = service.client.post(
        "/api/uploads?to=htj2k-lossless&trace_id=t1", files={"file": ("scan.dcm", FILE)}
    )
    assert answer.status_code == 202, answer.text
    job = service.ended(answer.json()["job"]["id"])
    assert (job["state"], job["source"], job["trace_id"]) == ("done", "scan.dcm", "t1")
    assert job["report"]["target_syntax"] == "htj2k-lossless"
    result = service.client.get(f"/api/jobs/{job['id']}/result")
    assert result.content == convert_bytes(FILE, to="htj2k-lossless")
    pictures = [
        service.client.get(f"/api/jobs/{job['id']}/preview/{which}?size=32")
        for which in ("source", "result")
    ]
    assert pictures[0].content[:8] == b"\x89PNG\r\n\x1a\n"
    assert pictures[0].content == pictures[1].content
    beyond = service.client.get(f"/api/jobs/{job['id']}/preview/source?frame=1")
    assert (beyond.status_code, error_of(beyond)) == (422, "unsupported-source")


def test_an_upload_that_fails_says_why(service: RunningService) -> None:
    answer = service.client.post("/api/uploads?to=rle", content=b"hello", headers=DICOM)
    job = service.ended(answer.json()["job"]["id"])
    assert (job["state"], job["error"]["code"], job["attempts"]) == ("dead", "not-dicom", 1)
    nothing = service.client.get(f"/api/jobs/{job['id']}/result")
    assert (nothing.status_code, error_of(nothing)) == (409, "conflict")


def test_an_upload_cannot_take_an_id_that_is_known(service: RunningService) -> None:
    ids = {
        service.client.post("/api/uploads?to=rle&id=same", content=FILE, headers=DICOM).json()[
            "job"
        ]["id"]
        for _ in range(2)
    }
    assert len(ids) == 2
    assert "same" not in ids


def resident(process: int) -> int:
    """Return the most memory that a process ever had resident, in bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(
        int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")
    )


def test_a_large_file_flows_through(service: RunningService, tmp_path: Path) -> None:
    """320 MB in and out, while the service stays small."""
    head, _ = make_file(1, 1, bits_allocated=8, bits_stored=8)
    side, frames = 4096, 20
    size = side * side * frames
    file, _ = make_file(side, 1, bits_allocated=8, bits_stored=8)
    file = _stretched(file, side, frames, size)
    convert(service, head)
    before = resident(service.process.pid)
    block = bytes(1 << 20)

    def pieces() -> Iterator[bytes]:
        yield file
        for _ in range(size >> 20):
            yield block

    got = 0
    with service.client.stream(
        "POST", "/api/convert?to=explicit-be", content=pieces(), headers=DICOM
    ) as answer:
        assert answer.status_code == 200, answer.read()
        start = b""
        for piece in answer.iter_bytes():
            got += len(piece)
            start = start or piece
    assert got > size
    assert EXPLICIT_BE.encode() in start[:500]
    assert resident(service.process.pid) - before < 48 << 20


def _stretched(file: bytes, side: int, frames: int, size: int) -> bytes:
    """Return the head of a file with other Columns and Number of Frames, up to Pixel Data."""
    columns = b"\x28\x00\x11\x00US\x02\x00"
    at = file.index(columns) + len(columns)
    file = file[:at] + side.to_bytes(2, "little") + file[at + 2 :]
    number = str(frames).encode().ljust(4)
    at = file.index(b"\x28\x00\x10\x00US")
    file = file[:at] + b"\x28\x00\x08\x00IS\x04\x00" + number + file[at:]
    at = file.index(b"\xe0\x7f\x10\x00")
    return file[: at + 8] + size.to_bytes(4, "little")


@pytest.mark.parametrize("size", [2 << 30, 1 << 60], ids=["fits the disk", "fits no disk"])
def test_too_large_is_refused_early(service: RunningService, size: int) -> None:
    with closing(HTTPConnection(httpx.URL(service.url).netloc.decode(), timeout=20)) as client:
        client.putrequest("POST", "/api/convert?to=rle")
        client.putheader("Content-Length", str(size))
        client.endheaders(b"the first bytes")
        answer = client.getresponse()
        assert answer.status == 413
        assert json.loads(answer.read())["error"]["code"] == "too-large"
