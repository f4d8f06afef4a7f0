"""Many results as one ZIP file; uploads that are listed again; tickets that are worth one use."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import convert_bytes
from dicodec.part10.beneath import Beneath
from dicodec.service.web.tickets import Tickets
from dicodec.service.web.zip_stream import ZipEntry, choose_names, stream_zip
from helpers.made import make_file
from helpers.service_process import RunningService, running

FILE = make_file(48, 64)[0]
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder, "--jobs", "2", token=TOKEN) as made:
        yield made


def uploaded(service: RunningService, name: str = "a.dcm", **fields: str) -> str:
    answer = service.client.post(
        "/api/uploads", files={"file": (name, FILE)}, data={"to": "rle", **fields}
    )
    assert answer.status_code == 202, answer.text
    job: str = answer.json()["job"]["id"]
    service.ended(job)
    return job


def prepared(service: RunningService, files: Any) -> httpx.Response:
    return service.client.post("/api/downloads", json={"files": files})


@pytest.mark.parametrize("one", ['{"job":"\\ud800","name":"a"}', '{"job":"a","name":"\\ud800"}'])
def test_texts_that_are_none_are_refused(service: RunningService, one: str) -> None:
    answer = service.client.post("/api/downloads", content=f'{{"files":[{one}]}}')
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid-request")


def test_results_come_in_one_zip_without_a_token(service: RunningService) -> None:
    jobs = [uploaded(service) for _ in range(3)]
    (service.folder / "data" / "results" / f"{jobs[2]}.dcm").unlink()
    wanted = [{"job": one, "name": "../x/a.dcm"} for one in (*jobs, "nobody")]
    answer = prepared(service, wanted)
    assert answer.status_code == 201, answer.text
    url = service.url.rstrip("/") + answer.json()["url"]
    sent = httpx.get(url)  # no token
    assert sent.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(BytesIO(sent.content)) as packed:
        assert packed.testzip() is None
        assert packed.namelist() == ["x/a.dcm", "x/a-2.dcm", "missing.txt"]
        assert packed.read("x/a.dcm") == packed.read("x/a-2.dcm") == convert_bytes(FILE, to="rle")
        missing = packed.read("missing.txt").decode().splitlines()
    assert missing == [
        "x/a-3.dcm: the file is not there any more", "x/a-4.dcm: there is no job of that id",
    ]  # fmt: skip
    assert httpx.get(url).status_code == 404  # it was used
    assert httpx.get(url[:-1] + "?").status_code == 404


@pytest.mark.parametrize(
    "files",
    [[], "x", [1], [{"job": "a"}], [{"job": 1, "name": "b"}], [{"job": "a", "name": ""}],
     [{"job": "a", "name": "b", "more": 1}]],
)  # fmt: skip
def test_other_requests_are_refused(service: RunningService, files: Any) -> None:
    answer = prepared(service, files)
    assert answer.status_code == 400, answer.text


def test_downloads_are_prepared_with_the_token_alone(service: RunningService) -> None:
    answer = httpx.post(f"{service.url}api/downloads", json={"files": [{"job": "a", "name": "b"}]})
    assert answer.status_code == 401


def test_uploads_are_listed_again_by_tenant(service: RunningService) -> None:
    mine, theirs = uploaded(service, "mine.dcm"), uploaded(service, "theirs.dcm", tenant="b")
    (service.root / "a.dcm").write_bytes(FILE)
    fields = {"source": f"{service.root}/a.dcm", "target": f"{service.root}/out"}
    service.submit(to=["rle"], **fields)

    def listed(query: str = "") -> list[str]:
        answer = service.client.get(f"/api/uploads{query}").json()
        return [job["id"] for job in answer["jobs"]]

    assert listed()[0] == mine
    assert theirs not in listed()
    assert listed("?tenant=b") == [theirs]
    assert len(listed("?limit=1")) == 1
    assert httpx.get(f"{service.url}api/uploads").status_code == 401


def test_policies_are_listed_with_what_they_are_for(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('description = "For us"\n[[rule]]\nname = "all"\nto = "rle"\n')
    with running(tmp_path / "service", "--policy", f"mine={mine}") as service:
        answer = service.client.get("/api/policies").json()
    found = {one["name"]: one["description"] for one in answer}
    assert found["mine"] == "For us"
    assert {"archive", "web", "legacy", "fast-archive"} < found.keys()
    assert all(found.values())


@settings(max_examples=40)
@given(st.lists(st.text(max_size=20) | st.sampled_from(["a/b.dcm", "A/B.dcm", "missing.txt"])))
def test_names_in_a_zip_lead_nowhere_and_stand_once(names: list[str]) -> None:
    chosen = choose_names(names)
    assert len(chosen) == len(names)
    assert len({name.casefold() for name in chosen} | {"missing.txt"}) == len(names) + 1
    for name in chosen:
        parts = name.split("/")
        assert all(parts)
        assert not {"..", "."} & {*parts}
        assert "\\" not in name
        assert ":" not in name


def test_a_zip_takes_no_memory_of_its_files(tmp_path: Path) -> None:
    size = 40 << 20
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)
    entries = [ZipEntry(f"{number}", Beneath(str(tmp_path), "large")) for number in range(2)]
    pieces = [len(piece) for piece in stream_zip(entries)]
    assert max(pieces) < 1 << 21
    assert sum(pieces) > 2 * size


def test_a_ticket_is_worth_one_use_within_its_time() -> None:
    now = 0.0
    tickets: Tickets[int] = Tickets(lambda: now)
    first = tickets.issue(1)
    assert tickets.redeem(first) == 1
    assert tickets.redeem(first) is None
    late = tickets.issue(2)
    now = 61.0
    assert tickets.redeem(late) is None
    oldest = tickets.issue(3)
    for number in range(256):
        tickets.issue(number)
    assert tickets.redeem(oldest) is None
