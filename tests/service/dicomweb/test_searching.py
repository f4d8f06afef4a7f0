"""Searches of a folder: what viewers ask, matching to the letter of PS3.4, pages, and changes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest

from dicodec.dicomweb import DicomWeb
from dicodec.model import similar_names
from dicodec.service.dicomweb.index import FileRow, InstanceIndex
from dicodec.service.dicomweb.listing import list_instances, list_series, list_studies
from dicodec.service.dicomweb.matching import Condition, match_wildcards
from dicodec.service.dicomweb.query import parse_query
from helpers.dicomweb import make_store_request, serving
from helpers.made import make_file

JSON = {"accept": "application/dicom+json"}
STUDIES = (
    ("1.2.1", "20240105", "101500", "Müller^Anna", "A-17", "CT", "Thorax"),
    ("1.2.2", "20240220", "0830", "Yamada^Tarou=山田^太郎", "B*2", "MR", "Head"),
    ("1.2.3", "20231231", "235959.5", "Smith^John", "a-17", "CT", "Head and neck"),
)
OHIF = "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060"


def make_instance(study: int, series: int, number: int) -> bytes:
    """Return an instance of one of the studies."""
    uid, day, time, name, patient, modality, words = STUDIES[study]
    content, _ = make_file(8, 8)
    data_set = pydicom.dcmread(io.BytesIO(content))
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = uid, f"{uid}.{series}"
    data_set.SOPInstanceUID = f"{uid}.{series}.{number}"
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    data_set.StudyDate, data_set.StudyTime, data_set.PatientName = day, time, name
    data_set.PatientID, data_set.StudyDescription = patient, words
    data_set.Modality = modality if series == 1 else "SR"
    data_set.SeriesNumber, data_set.InstanceNumber = series, number
    data_set.SeriesDescription = f"series {series}"
    step = pydicom.Dataset()
    step.ScheduledProcedureStepID = f"STEP{study}"
    data_set.RequestAttributesSequence = [step]
    out = io.BytesIO()
    data_set.save_as(out)
    return out.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("searched")
    for study in range(3):
        for series in (1, 2):
            for number in range(1, 2 + (series == 1)):
                name = made / f"{study}-{series}-{number}.dcm"
                name.write_bytes(make_instance(study, series, number))
    (made / "again.dcm").write_bytes(make_instance(0, 1, 1))
    (made / "notes.txt").write_text("no image")
    return made


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    with (
        serving(DicomWeb(folder, jobs=1)) as url,
        httpx.Client(base_url=url, timeout=60, headers=JSON) as made,
    ):
        yield made


def read(answer: httpx.Response) -> list[dict[str, Any]]:
    if answer.status_code == 204:
        assert not answer.content
        return []
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    found: list[dict[str, Any]] = answer.json()
    return found


def find_uids(client: httpx.Client, path: str, tag: str = "0020000D") -> list[str]:
    return [one[tag]["Value"][0] for one in read(client.get(path))]


def test_the_list_of_studies_that_ohif_shows(client: httpx.Client) -> None:
    found = read(client.get(f"/studies?{OHIF}"))
    # The latest first, because a viewer shows the first page.
    assert [one["0020000D"]["Value"] for one in found] == [["1.2.2"], ["1.2.1"], ["1.2.3"]]
    yamada, muller, _ = found
    assert muller["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Müller^Anna"}]}
    assert yamada["00100010"]["Value"] == [
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}
    ]
    assert muller["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert muller["00201206"]["Value"] == [2]
    assert muller["00201208"]["Value"] == [3]  # one of four files holds the same instance
    assert muller["00081030"]["Value"] == ["Thorax"]
    assert muller["00081190"]["Value"] == [f"{client.base_url}/studies/1.2.1"]
    assert muller["00080005"]["Value"] == ["ISO_IR 192"]


@pytest.mark.parametrize(
    ("query", "studies"),
    [
        ("PatientName=*m%C3%BCller*&00100020=*A-17*", "1"),
        ("AccessionNumber=*x*", ""),
        ("ModalitiesInStudy=MR,US", "2"),
        ("ModalitiesInStudy=MR&ModalitiesInStudy=CT", "213"),
        ("StudyDescription=*Head*", "23"),
        ("StudyDate=20240101-20241231", "21"),
        ("StudyInstanceUID=1.2.1%5C1.2.3", "13"),
        ("StudyInstanceUID=1.2.1,1.2.2", "21"),
    ],
)
def test_the_filters_of_ohif(client: httpx.Client, query: str, studies: str) -> None:
    found = find_uids(client, f"/studies?{query}&{OHIF}")
    assert found == [f"1.2.{number}" for number in studies]


def test_what_ohif_asks_of_a_study_and_of_a_series(client: httpx.Client) -> None:
    one, two = read(client.get("/studies/1.2.1/series?includefield=0008103E%2C00080021"))
    assert (one["0020000E"]["Value"], two["0020000E"]["Value"]) == (["1.2.1.1"], ["1.2.1.2"])
    assert one["0008103E"]["Value"] == ["series 1"]
    assert one["00201209"]["Value"] == [2]
    assert one["00080060"]["Value"] == ["CT"]
    assert "00100010" not in one  # the study is in the URL
    instances = read(client.get("/studies/1.2.1/series/1.2.1.1/instances"))
    assert [two["00080018"]["Value"] for two in instances] == [["1.2.1.1.1"], ["1.2.1.1.2"]]
    assert instances[1]["00200013"]["Value"] == [2]
    assert instances[1]["00280010"] == {"vr": "US", "Value": [8]}
    assert instances[1]["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
    url = instances[1]["00081190"]["Value"][0]
    (metadata,) = client.get(f"{url}/metadata").json()
    assert metadata["00080018"] == instances[1]["00080018"]
    assert client.get(f"{url}/frames/1", headers={"accept": "*/*"}).status_code == 200
    assert len(client.get("/studies/1.2.1/series/1.2.1.1/metadata").json()) == 2


@pytest.mark.parametrize(
    ("query", "studies"),
    [
        ("", "213"),
        ("PatientID=", "213"),
        ("PatientID=a-17", "3"),  # of names alone the case does not matter
        ("PatientID=?-17", "13"),
        ("PatientID=B*2", "2"),
        ("PatientName=smith^john", "3"),
        ("PatientName=smith", ""),
        ("PatientName=%E5%B1%B1%E7%94%B0*", "2"),
        ("00100010=SMITH*", "3"),
        ("StudyDate=20240105", "1"),
        ("StudyDate=-20240105", "13"),
        ("StudyDate=20240106-", "2"),
        ("StudyDate=2024", "21"),  # a year is no date of the standard, and means all of it
        ("StudyTime=083000-1015", "21"),
        ("StudyTime=2359-", "3"),
        ("StudyDate=20231231-20240105&StudyTime=2300-", "3"),
        ("NumberOfStudyRelatedInstances=3&PatientID=a-17", "3"),
        ("NumberOfStudyRelatedSeries=9", ""),
        ("limit=1", "2"),
        ("limit=1&offset=2", "3"),
        ("offset=3", ""),
        ("limit=0", ""),
    ],
)
def test_matching_and_pages(client: httpx.Client, query: str, studies: str) -> None:
    assert find_uids(client, f"/studies?{query}") == [f"1.2.{number}" for number in studies]


def test_searches_below_all_studies_show_what_is_not_in_the_url(client: httpx.Client) -> None:
    found = read(client.get("/series?Modality=CT"))
    assert [one["0020000E"]["Value"][0] for one in found] == ["1.2.1.1", "1.2.3.1"]
    assert found[0]["00100020"]["Value"] == ["A-17"]
    path = "/instances?SOPInstanceUID=1.2.3.1.2"
    (one,) = read(client.get(path))
    assert (one["0008103E"]["Value"], one["00100020"]["Value"]) == (["series 1"], ["a-17"])
    assert find_uids(client, "/series?SeriesInstanceUID=1.2.2.2") == ["1.2.2"]
    assert find_uids(client, "/series?00400275.00400009=STEP1", "0020000E") == [
        "1.2.2.1", "1.2.2.2"
    ]  # fmt: skip
    assert len(read(client.get("/studies/1.2.2/instances"))) == 3
    (shown,) = read(client.get("/studies/1.2.2/series?SeriesNumber=01&includefield=PatientID"))
    assert shown["00100020"]["Value"] == ["B*2"]
    assert "00100010" not in shown
    (all_shown,) = read(client.get("/studies/1.2.2/series?SeriesNumber=1&includefield=all"))
    assert all_shown["00100010"]["Value"]
    assert client.get("/studies/9.9/series").status_code == 204


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/studies?limit=x", 400),
        ("/studies?offset=-1", 400),
        ("/studies?fuzzymatching=maybe", 400),
        ("/studies?PatientMotherBirthName=x", 400),  # not ignored: others' images would be shown
        ("/studies?Modality=CT", 400),
        ("/studies?PatientName.PatientID=1", 400),
        ("/studies?00400275.00400009.00080100=1", 400),
        ("/studies/..%2f/series", 404),
        ("/studies?StudyInstanceUID=" + ",".join(["1"] * 501), 400),
    ],
)
def test_a_search_that_cannot_be_done_is_refused(
    client: httpx.Client, path: str, status: int
) -> None:
    assert client.get(path).status_code == status


def test_what_is_not_done_as_asked_is_told_in_a_header(client: httpx.Client) -> None:
    for query, words in (
        ("fuzzymatching=true", "fuzzymatching parameter is not supported"),
        ("orderby=x%22%0d%0aSet-Cookie:1&x%22y=1", "orderby"),
        ("includefield=00081080", "00081080"),
    ):
        answer = client.get(f"/studies?{query}")
        assert len(read(answer)) == 3
        assert words in answer.headers["warning"]
        assert answer.headers["warning"].startswith("299 ")
    assert "warning" not in client.get(f"/studies?{OHIF}").headers
    assert client.get("/studies", headers={"accept": "text/html"}).status_code == 406
    plain = client.get("/studies", headers={"accept": "application/json"})
    assert plain.headers["content-type"] == "application/json"


def test_names_that_there_are_not_cost_no_search_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Finding what was meant takes milliseconds, and a URL has room for a thousand names."""
    monkeypatch.setattr(similar_names, "suggest", lambda *_, **__: pytest.fail("searched"))
    names = ",".join(f"x{n}" for n in range(1000))
    query = parse_query([("includefield", names), ("PatientNmae", "x")], "studies")
    assert len(query.warnings) == 1001
    assert parse_query([("includefield", "all,00080060")], "studies").fields is None


def test_changes_of_the_folder_are_found(tmp_path: Path) -> None:
    one = tmp_path / "one.dcm"
    one.write_bytes(make_instance(0, 1, 1))
    with serving(DicomWeb(tmp_path, jobs=1)) as url, httpx.Client(base_url=url, timeout=60) as made:
        made.headers.update(JSON)
        assert find_uids(made, "/studies") == ["1.2.1"]
        (tmp_path / "two.dcm").write_bytes(make_instance(1, 1, 1))
        assert find_uids(made, "/studies") == ["1.2.2", "1.2.1"]
        one.write_bytes(make_instance(2, 2, 1))
        assert find_uids(made, "/studies") == ["1.2.2", "1.2.3"]
        request = make_store_request(make_instance(0, 2, 1))
        assert made.post("/studies", **request).status_code == 200
        assert find_uids(made, "/series?PatientID=A-17", "0020000E") == ["1.2.1.2"]
        one.unlink()
        assert find_uids(made, "/studies") == ["1.2.2", "1.2.1"]


def test_files_that_are_not_as_they_should_be_are_searched(tmp_path: Path) -> None:
    for number, syntax in enumerate(("1.2.840.10008.1.2", "1.2.840.10008.1.2.2", DEFLATED)):
        content, _ = make_file(8, 8, transfer_syntax=syntax)
        data_set = pydicom.dcmread(io.BytesIO(content))
        data_set.StudyInstanceUID = f"1.5.{number}"
        data_set.StudyDate = f"2020010{number + 1}"
        data_set.save_as(tmp_path / f"{number}.dcm")
    broken = bytearray(make_instance(0, 1, 1))
    (tmp_path / "cut.dcm").write_bytes(broken[:300])
    (tmp_path / "empty.dcm").write_bytes(b"")
    long = pydicom.dcmread(io.BytesIO(make_instance(1, 1, 1)))
    long.add_new(0x00081030, "LT", "x" * 5000)
    long.save_as(tmp_path / "long.dcm", enforce_file_format=True)
    with serving(DicomWeb(tmp_path, jobs=1)) as url, httpx.Client(base_url=url, timeout=60) as made:
        found = read(made.get("/studies"))
        assert [one["0020000D"]["Value"][0] for one in found] == [
            "1.2.2",
            "1.5.2",
            "1.5.1",
            "1.5.0",
        ]
        assert "00081030" not in found[0]


DEFLATED = "1.2.840.10008.1.2.1.99"


def test_many_rows_are_listed_a_page_at_a_time() -> None:
    index = InstanceIndex("", "/nowhere")
    rows = [FileRow(f"{n}", "v", f"1.{n % 1100:05}", "1.7", f"1.9.{n:05}") for n in range(2300)]
    rows += [FileRow(f"s{n}", "v", "2.1", f"2.{n:05}", "3") for n in range(600)]
    rows += [FileRow(f"i{n}", "v", "2.2", "2.2", f"3.{n:05}") for n in range(1200)]
    index.put(rows, 1)
    studies = [one.study for one in list_studies(index, {})]
    assert studies == [*(f"1.{n:05}" for n in range(1100)), "2.1", "2.2"]
    assert [one.series for one in list_series(index, "2.1")] == [f"2.{n:05}" for n in range(600)]
    assert [one.instance for one in list_instances(index, "2.2", "2.2")] == [
        f"3.{n:05}" for n in range(1200)
    ]
    index.remove_others(2)
    assert [*list_studies(index, {})] == []
    index.close()


def test_an_index_of_an_older_form_is_made_anew(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "index"
    old = sqlite3.connect(path)
    old.executescript(
        "CREATE TABLE files (name BLOB PRIMARY KEY, version, study, series, instance, scan);"
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT);"
        "INSERT INTO files VALUES ('a', 'v', '1', '2', '3', 1);"
        "INSERT INTO facts VALUES ('format', '1'), ('of', '/images');"
    )
    old.close()
    index = InstanceIndex(path, "/images")
    assert index.count() == 0
    index.put([FileRow("a", "v", "1", "2", "3")], 1)
    index.close()
    again = InstanceIndex(path, "/images")
    assert [one.study for one in list_studies(again, {})] == ["1"]
    again.close()


def test_patterns_match_as_the_standard_says_in_bounded_time() -> None:
    assert match_wildcards("Head and neck", "*d*n?ck")
    assert match_wildcards("", "**")
    assert not match_wildcards("abc", "a?")
    assert not match_wildcards("a" * 2000, "*a" * 500 + "b")
    assert not match_wildcards("[x]", "[?")
    assert Condition((0x00200013,), ["7"]).holds({"00200013": {"vr": "IS", "Value": [7]}})
    assert not Condition((0x00200013,), ["7"]).holds({"00200013": {"vr": "IS"}})
    assert Condition((0x00080008,), ["AXIAL"]).holds(
        {"00080008": {"vr": "CS", "Value": ["ORIGINAL", None, "AXIAL"]}}
    )
