"""`dicodec serve --dicomweb`: the guard is around it, its limits hold; and images of a bucket."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from dicodec.errors import InvalidOptionError
from dicodec.service.web.cross_origin import AllowedOrigins, parse_origins
from helpers.dicomweb import find_path, make_store_request, split_parts
from helpers.made import make_file
from helpers.object_store import running_object_store
from helpers.service_process import RunningService, running

TOKEN = "0123456789abcdef0123456789abcdef"
FILE, SAMPLES = make_file(64, 64, bits_stored=12, frames=3)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("guarded")
    images = folder / "images"
    images.mkdir()
    (images / "one.dcm").write_bytes(FILE)
    # The data folder is below the images, as if somebody had not thought of it.
    settings = ("--host", "0.0.0.0", "--jobs", "1", "--dicomweb", str(images), "--rate", "6",
                "--upload-limit", "100K", "--data", str(images / "data"))  # fmt: skip
    with running(folder, *settings, token=TOKEN) as made:
        made.url = made.url.replace("0.0.0.0", "127.0.0.1")
        yield made


def test_only_who_has_the_token_is_served(guarded: RunningService) -> None:
    url = f"{guarded.url}dicom-web{find_path(FILE)}/frames/2"
    refused = httpx.get(url)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorized")
    wrong = httpx.get(url, headers={"authorization": f"Bearer {TOKEN[:-1]}x"})
    assert wrong.status_code == 401
    answer = httpx.get(url, headers={"authorization": f"Bearer {TOKEN}"})
    (part,) = split_parts(answer)
    np.testing.assert_array_equal(np.frombuffer(part.content, "<u2").reshape(64, 64), SAMPLES[1])
    assert part.location == url
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_is_stored_is_bounded_and_other_sites_store_nothing(guarded: RunningService) -> None:
    client, path = guarded.client, "/dicom-web/studies"
    small, _ = make_file(16, 16, seed=9)
    large, _ = make_file(300, 300, seed=8)
    assert client.post(path, **make_store_request(small)).status_code == 200
    assert client.post(path, **make_store_request(large)).status_code == 413
    request = make_store_request(small)
    request["headers"]["origin"] = "http://elsewhere.example"
    assert client.post(path, **request).status_code == 403
    assert client.get(f"/dicom-web{find_path(small)}/metadata").status_code == 200
    assert client.get(f"/dicom-web{find_path(large)}/metadata").status_code == 404


def test_uploads_to_the_service_are_no_images_of_the_folder(guarded: RunningService) -> None:
    content, _ = make_file(24, 24, seed=10)
    uploaded = guarded.client.post("/api/uploads?to=rle", content=content)
    guarded.ended(uploaded.json()["job"]["id"])
    assert guarded.client.get(f"/dicom-web{find_path(content)}").status_code == 404


def test_a_retrieval_costs_a_twentieth(guarded: RunningService) -> None:
    path = f"/dicom-web{find_path(FILE)}/frames/1"
    statuses = [guarded.client.get(path).status_code for _ in range(100)]
    assert statuses.count(429) > 0  # 20 at once, and 2 a second, are allowed
    assert statuses.count(200) + statuses.count(429) == 100


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("/no/such/folder", "no such folder"),
        (__file__, "is not a folder"),
        ("ftp://host/images", "not served from ftp://"),
        ("http://a:secret@b/", "password"),
        ("s3://", "names no bucket"),
    ],
)
def test_a_place_that_cannot_be_served_ends_the_command(
    tmp_path: Path, place: str, words: str
) -> None:
    serve = [sys.executable, "-m", "dicodec.cli.main", "serve", "--port", "0"]
    done = subprocess.run(
        [*serve, "--data", str(tmp_path), "--dicomweb", place],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert "secret" not in done.stderr
    assert not done.stdout  # no address, because nobody answers there
    assert '"serving"' not in done.stderr


def test_frames_of_a_bucket_are_read_by_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, samples = make_file(512, 512, frames=40, bits_stored=12, seed=11)
    with running_object_store(monkeypatch) as store:
        store.put("study/cine", content)
        store.put("study/notes.txt", b"no image")
        with running(tmp_path, "--jobs", "1", "--dicomweb", "s3://bucket/study/") as service:
            before = store.read_sent()
            path = f"/dicom-web{find_path(content)}"
            for frame in (30, 7):
                (part,) = split_parts(
                    service.client.get(f"{path}/frames/{frame}", headers={"accept": "*/*"})
                )
                found = np.frombuffer(part.content, "<u2").reshape(512, 512)
                np.testing.assert_array_equal(found, samples[frame - 1])
            assert store.read_sent() - before < len(content) // 4
            whole = service.client.get(
                path, headers={"accept": "application/dicom; transfer-syntax=*"}
            )
            assert whole.content == content
            assert (
                service.client.post("/dicom-web/studies", **make_store_request(FILE)).status_code
                == 501
            )


def test_pages_of_named_sites_may_read_and_store(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "one.dcm").write_bytes(FILE)
    viewer = "https://viewer.example"
    settings = ("--jobs", "1", "--dicomweb", str(images), "--cors", f"{viewer}/")
    with running(tmp_path, *settings, token=TOKEN) as service:
        path = f"/dicom-web{find_path(FILE)}/frames/2"
        ask = {
            "origin": viewer,
            "access-control-request-method": "GET",
            "access-control-request-headers": "accept, authorization",
        }
        # A browser asks before, without a token.
        allowed = httpx.options(f"{service.url}{path[1:]}", headers=ask)
        assert (allowed.status_code, allowed.content) == (204, b"")
        assert allowed.headers["access-control-allow-origin"] == viewer
        assert allowed.headers["access-control-allow-headers"] == "accept, authorization"
        assert "GET" in allowed.headers["access-control-allow-methods"]
        answer = service.client.get(path, headers={"origin": viewer})
        assert answer.headers["access-control-allow-origin"] == viewer
        assert "Origin" in answer.headers.get_list("vary", split_commas=True)
        assert "Accept" in answer.headers.get_list("vary", split_commas=True)
        refused = httpx.get(f"{service.url}{path[1:]}", headers={"origin": viewer})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == viewer  # so the page sees why
        request = make_store_request(make_file(16, 16, seed=21)[0])
        request["headers"]["origin"] = viewer
        stored = service.client.post("/dicom-web/studies", **request)
        assert stored.status_code == 200, stored.text
        # Nobody else may, and nothing else of the service is theirs.
        for other in ("https://viewer.example.evil.example", "http://viewer.example", "null"):
            found = httpx.options(f"{service.url}{path[1:]}", headers={**ask, "origin": other})
            assert "access-control-allow-origin" not in found.headers
            request["headers"]["origin"] = other
            assert service.client.post("/dicom-web/studies", **request).status_code == 403
        for own in ("/api/jobs", "/", "/dicom-web-not"):
            found = service.client.get(own, headers={"origin": viewer})
            assert "access-control-allow-origin" not in found.headers
        assert service.client.get("/api/jobs", headers={"origin": viewer}).status_code == 403


def test_origins_are_checked() -> None:
    assert parse_origins(["https://A.example/", "http://[::1]:3000"], token=False) == {
        "https://a.example",
        "http://[::1]:3000",
    }
    assert AllowedOrigins(parse_origins(["*"], token=True)).allow(b"https://any.example")
    for wrong in ("viewer.example", "https://viewer.example/path", "null", "file://", "*"):
        with pytest.raises(InvalidOptionError):
            parse_origins([wrong], token=False)
