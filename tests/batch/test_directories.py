"""DICOMDIRs of a batch: how many records are untrue, and records that are set right."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.fileset import FileSet

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LEDGER_NAME
from dicodec.cli.main import run
from helpers.data_set_bytes import element, item, sequence
from helpers.directories import Record, make_directory, read_tree
from helpers.installed import program
from helpers.made import EXPLICIT_LE, make_file

RLE = "1.2.840.10008.1.2.5"
JPEG_2000 = "1.2.840.10008.1.2.4.91"
REAL = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"
NAMES = ("A/IM1", "A/IM2", "B/IM3")
INSTANCES = [f"2.25.7{number}" for number in range(len(NAMES))]


def make_file_set(folder: Path, *, keys: bytes = b"", stated: str = EXPLICIT_LE) -> Path:
    """Make a folder of images with a DICOMDIR that names them; return it."""
    records = []
    for number, (name, uid) in enumerate(zip(NAMES, INSTANCES, strict=True)):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        extra = [(0x00080018, "UI", uid.encode())]
        place.write_bytes(make_file(16, 16, bits_stored=12, extra=extra)[0])
        following = number + 1 if number + 1 < len(NAMES) else None
        facts = (name.replace("/", "\\"), uid, stated)
        records.append(Record("IMAGE", following=following, file=facts, keys=keys))
    (folder / "DICOMDIR").write_bytes(make_directory(records, roots=(0, len(NAMES) - 1)))
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_file_set(tmp_path / "study")


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    lines = capsys.readouterr().out.splitlines()
    found: dict[str, Any] = json.loads(lines[-1])["summary"]
    return found


def facts(folder: Path) -> list[tuple[str, str]]:
    """Return SOP Instance UID and transfer syntax of each record; each is that of its file."""
    directory = pydicom.dcmread(folder / "DICOMDIR")
    found = []
    for record in directory.DirectoryRecordSequence:
        image = pydicom.dcmread(folder.joinpath(*record.ReferencedFileID), stop_before_pixels=True)
        uids = record.ReferencedSOPInstanceUIDInFile, record.ReferencedTransferSyntaxUIDInFile
        assert uids == (image.SOPInstanceUID, image.file_meta.TransferSyntaxUID)
        found.append((str(uids[0]), str(uids[1])))
    return found


def test_records_that_are_not_true_are_counted(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (study / "DICOMDIR").read_bytes()
    out = tmp_path / "out"
    assert run(["convert", str(study), "--to", "rle", "-o", str(out), "--json"]) == 0
    found = summary(capsys)
    assert (found["warnings"], found["mapped_records"]) == ({"file-set": 3}, 0)
    assert not (out / "DICOMDIR").exists()
    assert run(["convert", str(study), "--to", "rle", "--in-place"]) == 0
    told = capsys.readouterr().err
    assert "warning: 3 results have another SOP Instance UID or Transfer Syntax UID than" in told
    assert "--map-references sets its records right" in told
    assert (study / "DICOMDIR").read_bytes() == before


@pytest.mark.parametrize(
    "arguments", [["--to", "rle"], ["--to", "jpeg2000", "--lossy"], ["--to", "implicit-le"]]
)
@pytest.mark.parametrize("in_place", [True, False])
def test_records_are_set_right(
    arguments: list[str],
    in_place: bool,
    study: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = (study / "DICOMDIR").read_bytes()
    tree = read_tree(before)
    out = study if in_place else tmp_path / "out"
    place = ["--in-place", "--backup", ".orig"] if in_place else ["-o", str(out)]
    command = ["convert", str(study), *arguments, *place, "--map-references", "--json"]
    assert run(command) == 0
    found = summary(capsys)
    assert found["mapped_records"] == 3
    assert "file-set" not in found["warnings"]
    stated = facts(out)
    assert read_tree((out / "DICOMDIR").read_bytes()) == tree
    renewed = "--lossy" in arguments
    assert [uid != old for (uid, _), old in zip(stated, INSTANCES, strict=True)] == [renewed] * 3
    if in_place:
        assert (study / "DICOMDIR.orig").read_bytes() == before
        with Ledger(str(study / LEDGER_NAME), writing=False) as ledger:
            entry = ledger.find(str(study / "DICOMDIR"))
        assert entry is not None
        assert entry.source_digest == hashlib.sha256(before).hexdigest()
    else:
        assert [uid for uid, _ in facts(study)] == INSTANCES
        # Again, with nothing left to do; the result of the earlier run gives way.
        assert run([*command, "--resume"]) == 0
        assert facts(out) == stated


@pytest.mark.parametrize("in_place", [True, False])
def test_a_directory_that_is_named_is_set_right_too(
    in_place: bool, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a shell names all that is in a folder."""
    sources = sorted(map(str, study.iterdir()))
    out = study if in_place else tmp_path / "out"
    place = ["--in-place"] if in_place else ["-o", f"{out}/"]
    arguments = ["--to", "rle", *place, "--map-references", "--json"]
    assert run(["convert", *sources, *arguments]) == 0
    assert summary(capsys)["mapped_records"] == 3
    facts(out)


def test_references_within_records_follow(tmp_path: Path) -> None:
    reference = item(element(0x00081155, "UI", INSTANCES[1].encode() + b"\0"))
    study = make_file_set(tmp_path / "study", keys=sequence(0x00081140, reference))
    out = tmp_path / "out"
    arguments = ["--to", "jpeg2000", "--lossy", "-o", str(out), "--map-references"]
    assert run(["convert", str(study), *arguments]) == 0
    new = facts(out)[1][0]
    for record in pydicom.dcmread(out / "DICOMDIR").DirectoryRecordSequence:
        assert record.ReferencedImageSequence[0].ReferencedSOPInstanceUID == new


def test_files_without_a_result_keep_their_records(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study / NAMES[0]).write_bytes(b"broken" * 40)
    out = tmp_path / "out"
    run(["convert", str(study), "--to", "rle", "-o", str(out), "--map-references", "--json"])
    found = summary(capsys)
    assert (found["mapped_records"], found["lost_records"]) == (2, 1)
    records = pydicom.dcmread(out / "DICOMDIR").DirectoryRecordSequence
    assert [one.ReferencedTransferSyntaxUIDInFile for one in records] == [EXPLICIT_LE, RLE, RLE]


def test_a_directory_that_is_true_already(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (study / "DICOMDIR").read_bytes()
    out = tmp_path / "out"
    arguments = ["--to", "explicit-le", "--map-references"]
    assert run(["convert", str(study), *arguments, "-o", str(out)]) == 0
    assert (out / "DICOMDIR").read_bytes() == before
    assert run(["convert", str(study), *arguments, "--in-place", "--json"]) == 0
    assert summary(capsys)["mapped_records"] == 0
    assert (study / "DICOMDIR").read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [["--set", "PatientName=X"], ["--remove", "PatientID"], ["--charset", "utf-8"],
     ["--layout", "{SOPInstanceUID}"], ["--dry-run"], ["--policy", "archive"]],
)  # fmt: skip
def test_records_that_copy_what_was_edited_are_not_set_right(
    arguments: list[str], study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    to = [] if "--policy" in arguments else ["--to", "rle"]
    command = ["convert", str(study), *to, "-o", str(out), "--map-references", *arguments]
    assert run(command) == 0
    assert not (out / "DICOMDIR").exists()


def test_another_directory_in_the_place_is_not_replaced(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["convert", str(study), "--to", "rle", "-o", str(out)]) == 0
    other = make_directory()
    (out / "DICOMDIR").write_bytes(other)
    arguments = ["--to", "rle", "-o", str(out), "--map-references", "--resume"]
    assert run(["convert", str(study), *arguments]) == 1
    assert "target-exists" in capsys.readouterr().err
    assert (out / "DICOMDIR").read_bytes() == other


def test_a_wrong_directory_stays_and_its_files_are_converted(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray((study / "DICOMDIR").read_bytes())
    start = content.index(b"\4\0\0\x12UL\4\0") + 8
    content[start : start + 4] = b"\1\0\0\0"
    (study / "DICOMDIR").write_bytes(content)
    arguments = ["--to", "rle", "--in-place", "--map-references"]
    assert run(["convert", str(study), *arguments]) == 1
    assert "no record begins there" in capsys.readouterr().err
    assert (study / "DICOMDIR").read_bytes() == content
    for name in NAMES:
        assert pydicom.dcmread(study / name).file_meta.TransferSyntaxUID == RLE


@pytest.mark.filterwarnings("ignore")
def test_a_real_file_set_is_read_by_pydicom_and_dcmtk(tmp_path: Path) -> None:
    others = shutil.ignore_patterns("DICOMDIR-*", "TINY*", "*.py", "*.txt")
    study = Path(shutil.copytree(REAL, tmp_path / "study", ignore=others))
    arguments = ["--to", "jpeg2000", "--lossy", "--in-place", "--map-references"]
    assert run(["convert", str(study), *arguments]) == 0
    found = FileSet(study / "DICOMDIR")
    images = [one.load() for one in found]
    assert [one.SOPInstanceUID for one in found] == [image.SOPInstanceUID for image in images]
    syntaxes = [str(image.file_meta.TransferSyntaxUID) for image in images]
    assert syntaxes.count(JPEG_2000) > 20
    found._stage[
        "t"
    ].cleanup()  # pydicom leaves its folder to the garbage collector, with a warning
    dumped = subprocess.run(
        [program("dcmdump"), "-q", "+P", "0004,1512", study / "DICOMDIR"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert dumped.stderr == ""
    assert dumped.stdout.count("=JPEG2000") == syntaxes.count(JPEG_2000)
