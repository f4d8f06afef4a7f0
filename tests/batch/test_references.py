"""References within a batch: told when they lead to old UIDs, and mapped if that is asked for."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pydicom
import pytest

from dicodec import compare, convert_bytes
from dicodec.cli.main import run
from dicodec.conversion.edits.references import find_references, map_references
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.encoding import EXPLICIT_LITTLE
from helpers.data_set_bytes import element, file_of, item, sequence
from helpers.made import Element, make_file

LOSSY = ["--to", "jpeg2000", "--lossy"]
ROOT = "2.25.77"


def uid(number: int) -> bytes:
    text = f"{ROOT}{number}".encode()
    return text + b"\0" * (len(text) % 2)


def reference(number: int) -> bytes:
    return item(element(0x00081150, "UI", b"1.2.840.10008.5.1.4.1.1.2\0") +
                element(0x00081155, "UI", uid(number)))  # fmt: skip


def image(number: int, *referred: int) -> bytes:
    extra: list[Element] = [(0x00080018, "UI", uid(number))]
    if referred:
        extra.append((0x00081140, "SQ", b"".join(map(reference, referred))))
    return make_file(16, 16, bits_stored=12, extra=extra)[0]


def presentation_state(number: int, *referred: int) -> bytes:
    """Return a data set without pixels, whose references lie one level deeper."""
    images = sequence(0x00081140, *map(reference, referred), undefined=True)
    return file_of(
        element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.11.1")
        + element(0x00080018, "UI", uid(number))
        + sequence(0x00081115, item(images + element(0x0020000E, "UI", b"1.2.9\0")))
    )


STUDY = {
    "ct0.dcm": image(1000), "ct1.dcm": image(1001, 1000), "ct2.dcm": image(1002, 1000, 5000),
    "pr.dcm": presentation_state(2000, 1000, 1001, 1002, 5000), "sr.dcm": image(3000),
}  # fmt: skip


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    for name, content in STUDY.items():
        (folder / name).write_bytes(content)
    return folder


def read(path: Path) -> pydicom.Dataset:
    return pydicom.dcmread(path, stop_before_pixels=True)


def referred(dataset: pydicom.Dataset) -> list[str]:
    """Return what a presentation state, or an image, refers to."""
    if "ReferencedSeriesSequence" in dataset:
        (dataset,) = dataset.ReferencedSeriesSequence
    return [str(one.ReferencedSOPInstanceUID) for one in dataset.ReferencedImageSequence]


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    *_, last = capsys.readouterr().out.splitlines()
    found: dict[str, int] = json.loads(last)["summary"]
    return found


def check_mapped(folder: Path) -> None:
    """Whatever is in the study refers to what is in the study; what is not there stays."""
    new = {name: str(read(folder / name).SOPInstanceUID) for name in STUDY}
    outside = uid(5000).rstrip(b"\0").decode()
    assert referred(read(folder / "ct1.dcm")) == [new["ct0.dcm"]]
    assert referred(read(folder / "ct2.dcm")) == [new["ct0.dcm"], outside]
    assert referred(read(folder / "pr.dcm")) == [
        new["ct0.dcm"], new["ct1.dcm"], new["ct2.dcm"], outside,
    ]  # fmt: skip
    for name in ("ct0.dcm", "ct1.dcm", "ct2.dcm"):  # what it was made of stays what it was
        old = pydicom.dcmread(io.BytesIO(STUDY[name])).SOPInstanceUID
        (source,) = read(folder / name).SourceImageSequence
        assert source.ReferencedSOPInstanceUID == old != new[name]
    assert new["pr.dcm"] == f"{ROOT}2000"


def test_results_that_refer_to_old_uids_are_counted(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", str(study), *LOSSY, "-o", str(tmp_path / "out")]) == 0

    text = capsys.readouterr().err
    assert "warning: 3 results refer to images that have new UIDs now" in text
    assert "--map-references" in text


@pytest.mark.parametrize("more", [[], ["--jobs", "1"], ["--layout", "{SOPClassUID}/{PatientID}"]])
def test_references_are_mapped(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    output = tmp_path / "out"
    if "--layout" in more:
        more = ["--layout", "{InstanceNumber}/{SOPInstanceUID}"]
    options = [*LOSSY, "-o", str(output), "--map-references", "--json", *more]

    assert run(["convert", str(study), *options]) == 0

    found = summary(capsys)
    assert (found["mapped_references"], found["stale_references"]) == (3, 0)
    if "--layout" not in more:
        check_mapped(output)


def test_references_are_mapped_in_place(study: Path) -> None:
    options = [*LOSSY, "--in-place", "--backup", ".orig", "--map-references"]
    assert run(["convert", str(study), *options]) == 0

    check_mapped(study)
    assert {name: (study / f"{name}.orig").read_bytes() for name in ("ct1.dcm", "ct2.dcm")} == {
        name: STUDY[name] for name in ("ct1.dcm", "ct2.dcm")
    }
    before = {path.name: path.read_bytes() for path in study.glob("*.dcm")}
    assert run(["convert", str(study), *options, "--resume"]) == 0
    assert {path.name: path.read_bytes() for path in study.glob("*.dcm")} == before


def test_references_are_mapped_by_a_later_run(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*LOSSY, "-o", str(tmp_path / "out"), "--json"]
    assert run(["convert", str(study), *options]) == 0
    assert summary(capsys)["stale_references"] == 3

    assert run(["convert", str(study), *options, "--resume", "--map-references"]) == 0
    found = summary(capsys)
    assert (found["converted"], found["mapped_references"]) == (0, 3)
    check_mapped(tmp_path / "out")

    assert run(["convert", str(study), *options, "--resume", "--map-references"]) == 0
    found = summary(capsys)
    assert (found["mapped_references"], found["stale_references"]) == (0, 0)


def test_members_of_an_archive_are_mapped(study: Path, tmp_path: Path) -> None:
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in STUDY.items():
            file.writestr(name, content)
    options = [*LOSSY, "-o", str(tmp_path / "out"), "--map-references"]
    assert run(["convert", str(archive), *options]) == 0
    check_mapped(tmp_path / "out")


@pytest.mark.parametrize(
    "options",
    [["--to", "rle"], [*LOSSY, "--keep-uid"], ["--to", "deflated", "--map-references"]],
)
def test_nothing_is_said_where_no_uid_is_new(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert run(["convert", str(study), *options, "-o", str(tmp_path / "out")]) == 0

    assert "refer" not in capsys.readouterr().err
    for name, content in STUDY.items():
        if "Referenced" in str(pydicom.dcmread(io.BytesIO(content))):
            before = pydicom.dcmread(io.BytesIO(content))
            assert referred(read(tmp_path / "out" / name)) == referred(before)


def test_a_source_that_fails_is_not_mapped_to(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study / "ct0.dcm").write_bytes(STUDY["ct0.dcm"][:-40])
    output = tmp_path / "out"
    options = [*LOSSY, "-o", str(output), "--map-references", "--json"]
    assert run(["convert", str(study), *options]) == 1

    assert summary(capsys)["mapped_references"] == 1  # the presentation state alone
    assert referred(read(output / "ct1.dcm")) == [f"{ROOT}1000"]
    assert referred(read(output / "pr.dcm"))[:2] == [
        f"{ROOT}1000", read(output / "ct1.dcm").SOPInstanceUID,
    ]  # fmt: skip


def test_one_uid_of_two_sources_is_not_guessed(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study / "again.dcm").write_bytes(image(1000))
    options = [*LOSSY, "-o", str(tmp_path / "out"), "--map-references", "--json"]
    assert run(["convert", str(study), *options]) == 0

    found = summary(capsys)
    assert found["stale_references"] == 3
    assert referred(read(tmp_path / "out" / "ct1.dcm")) == [f"{ROOT}1000"]


def test_a_policy_may_renew_uids_too(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nto = "jpeg2000"\nlossy = true\n')
    options = ["--policy", str(rules), "-o", str(tmp_path / "out"), "--map-references", "--json"]
    assert run(["convert", str(study), *options]) == 0
    assert summary(capsys)["mapped_references"] == 3
    check_mapped(tmp_path / "out")


def test_a_dry_run_counts_and_maps_nothing(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*LOSSY, "-o", str(tmp_path / "out"), "--map-references", "--json", "--dry-run"]
    assert run(["convert", str(study), *options]) == 0
    found = summary(capsys)
    assert (found["mapped_references"], found["stale_references"]) == (0, 3)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("encoding", ["explicit-le", "implicit-le", "explicit-be", "deflated"])
def test_references_are_found_at_any_depth_in_any_encoding(encoding: str) -> None:
    data = convert_bytes(STUDY["pr.dcm"], to=encoding)
    expected = {f"{ROOT}{number}" for number in (1000, 1001, 1002, 5000)}
    with open_dicom(data) as file:
        assert find_references(file.data_set) == expected
        edits = map_references(file.data_set, {f"{ROOT}1001": "1.2.3"}, EXPLICIT_LITTLE)
        assert [edit.tag for edit in edits] == [0x00081115]
        assert not map_references(file.data_set, {"1.2.4": "1.2.3"}, EXPLICIT_LITTLE)
        assert not map_references(file.data_set, {f"{ROOT}1001": f"{ROOT}2000"}, EXPLICIT_LITTLE)


def test_a_sequence_under_un_is_looked_into() -> None:
    inner = sequence(0x00081140, reference(1000), undefined=True, vr="UN")
    data = file_of(element(0x00080018, "UI", uid(1)) + inner)
    with open_dicom(data) as file:
        assert find_references(file.data_set) == {f"{ROOT}1000"}


def test_what_cannot_be_read_refers_to_nothing() -> None:
    broken = element(0x00081140, "SQ", b"\x08\0\x55\x11UI\x02\0  no items")
    with open_dicom(file_of(element(0x00080018, "UI", uid(1)) + broken)) as file:
        assert find_references(file.data_set) == frozenset()


def test_mapping_changes_nothing_else(study: Path, tmp_path: Path) -> None:
    for name in ("plain", "mapped"):
        more = ["--map-references"] if name == "mapped" else []
        options = [*LOSSY, "-o", str(tmp_path / name), *more]
        assert run(["convert", str(study), *options]) == 0

    paths = (tmp_path / "plain" / "ct1.dcm", tmp_path / "mapped" / "ct1.dcm")
    found = compare(*paths, allow=["SOPInstanceUID"])
    assert {change.keyword for change in found.unexpected} == {"ReferencedImageSequence"}
    assert found.pixels is not None
    assert found.pixels.equal
