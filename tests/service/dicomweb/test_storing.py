"""Store instances in a folder: each whole or not at all, and told of in the answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest

from dicodec.dicomweb import DicomWeb
from helpers.dicomweb import find_path, make_store_request, serving, split_parts
from helpers.made import make_file
from helpers.real_files import shipped_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stored")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    with serving(DicomWeb(folder, jobs=1)) as url, httpx.Client(base_url=url, timeout=60) as made:
        yield made


def list_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_instances_are_stored_and_can_be_retrieved(client: httpx.Client, folder: Path) -> None:
    first, second = (shipped_file(name) for name in ("CT_small.dcm", "JPEG2000.dcm"))
    request = make_store_request(first.read_bytes(), second.read_bytes())
    answer = client.post("/studies", **request)
    assert answer.status_code == 200, answer.text
    told = answer.json()["00081199"]["Value"]
    assert "00081198" not in answer.json()
    for one, source in zip(told, (first, second), strict=True):
        data_set = pydicom.dcmread(source)
        assert one["00081155"]["Value"] == [data_set.SOPInstanceUID]
        assert one["00081150"]["Value"] == [data_set.SOPClassUID]
        (url,) = one["00081190"]["Value"]
        assert url.endswith(find_path(source))
        kept = client.get(url, headers={"accept": "application/dicom; transfer-syntax=*"})
        assert kept.content == source.read_bytes()
        name = f"{data_set.StudyInstanceUID}/{data_set.SeriesInstanceUID}"
        assert f"{name}/{data_set.SOPInstanceUID}.dcm" in list_files(folder)
    again = client.post("/studies", **request)
    assert again.status_code == 200


def test_failures_are_told_for_each_instance(client: httpx.Client, folder: Path) -> None:
    stored = shipped_file("CT_small.dcm").read_bytes()
    other = stored.replace(b"CompressedSamples^CT1", b"CompressedSamples^CT2")
    assert other != stored
    client.post("/studies", **make_store_request(stored))
    before = list_files(folder)
    answer = client.post("/studies", **make_store_request(other, b"no image", stored))
    assert answer.status_code == 202
    told = answer.json()
    assert [one["00081197"]["Value"] for one in told["00081198"]["Value"]] == [[0x0111]]
    assert [one["00081197"]["Value"] for one in told["0008119A"]["Value"]] == [[0xC000]]
    assert len(told["00081199"]["Value"]) == 1
    answer = client.post("/studies/1.2.3", **make_store_request(stored))
    assert answer.status_code == 409
    assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xC409]
    assert list_files(folder) == before


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"headers": {"content-type": "application/dicom"}}, 415),
        (make_store_request(b"<x/>", kind="application/dicom+xml"), 415),
        ({"content": b"--bb\r\nContent-Type: application/dicom\r\n\r\nabc"}, 400),
        ({"content": b"nothing of the kind"}, 400),
        ({"content": b"--bb--\r\n"}, 400),
        ({"headers": {"content-type": "multipart/related; type=application/dicom"}}, 400),
        ({"headers": {"content-type": f"multipart/related; boundary={'b' * 71}"}}, 400),
    ],
)
def test_what_is_no_store_request_is_refused(
    client: httpx.Client, folder: Path, change: dict[str, object], status: int
) -> None:
    before = list_files(folder)
    answer = client.post("/studies", **{**make_store_request(make_file(4, 4)[0]), **change})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    assert list_files(folder) == before


def test_a_uid_is_no_way_out_of_the_folder(client: httpx.Client, folder: Path) -> None:
    for uid in ("../../away", "..", ".hidden", "a/b"):
        source = shipped_file("CT_small.dcm")
        study = pydicom.dcmread(source).StudyInstanceUID.encode()
        content = source.read_bytes().replace(study, uid.encode().ljust(len(study), b"\0"))
        answer = client.post("/studies", **make_store_request(content))
        assert answer.status_code == 409, uid
    assert {path.name for path in folder.parent.iterdir()} >= {folder.name}
    assert not (folder.parent / "away").exists()


def test_a_client_that_goes_leaves_nothing(client: httpx.Client, folder: Path) -> None:
    before = list_files(folder)

    def body() -> Iterator[bytes]:
        yield b"--bb\r\nContent-Type: application/dicom\r\n\r\n" + bytes(100_000)
        raise ConnectionAbortedError

    headers = {"content-type": "multipart/related; type=application/dicom; boundary=bb"}
    with pytest.raises(ConnectionAbortedError):
        client.post("/studies", content=body(), headers=headers)
    assert client.get("/studies/1.2.3.4").status_code == 404  # it has noticed by now
    assert list_files(folder) == before


def test_frames_of_a_stored_instance_are_there_at_once(client: httpx.Client) -> None:
    content, samples = make_file(8, 8, bits_allocated=8, bits_stored=8, seed=7)
    assert client.post("/studies", **make_store_request(content)).status_code == 200
    (part,) = split_parts(client.get(f"{find_path(content)}/frames/1"))
    assert part.content == samples.tobytes()
