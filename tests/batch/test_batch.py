"""`dicodec convert` of folders, archives and long lists, as a program, with real processes."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dicodec import convert_bytes
from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LEDGER_NAME
from dicodec.cli.main import run
from helpers.archives import make_archive
from helpers.data_set_bytes import element
from helpers.made import IMAGE_KINDS, make_file
from helpers.patience import wait_for
from helpers.processes import find_grandchildren, runs
from helpers.real_files import real_files

CONTENT = IMAGE_KINDS["gray-16"].make()[0]
RESULT = convert_bytes(CONTENT, to="rle")
MANY = 100
SLOWLY = ("--rate-limit", f"{MANY * len(CONTENT) // 8}")
"""Takes eight seconds for MANY files, so that a signal finds some of them not begun."""
PROGRAM = [sys.executable, "-W", "error", "-m", "dicodec.cli.main"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is also the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def program(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, "convert", *arguments], capture_output=True, text=True,
                          check=False, timeout=120)  # fmt: skip


def quietly(*arguments: str | Path) -> int:
    try:
        return run(["convert", *map(str, arguments)])
    except SystemExit as end:
        return int(end.code or 0)


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files but the ledger; reading it would see its WAL come and go."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(LEDGER_NAME)
    }


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def entries(ledger: Path) -> list[dict[str, Any]]:
    """Return what a ledger says that does not depend on time and place."""
    with Ledger(str(ledger / LEDGER_NAME if ledger.is_dir() else ledger), writing=False) as opened:
        return [
            {"source": entry.source, "state": str(entry.state), "code": entry.error_code,
             "attempts": entry.attempts, "sizes": (entry.source_size, entry.target_size),
             "action": entry.action}
            for entry, _ in opened.read_entries()
        ]  # fmt: skip


def states(ledger: Path) -> dict[str, str]:
    return {
        Path(entry["source"]).name: f"{entry['state']} {entry['code'] or ''}".strip()
        for entry in entries(ledger)
    }


MIXED = {
    "a/1.dcm": CONTENT, "a/2": CONTENT, "b/c/d/3.dcm": CONTENT, "notes.txt": b"Dear doctor",
    "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(100), "empty.dcm": b"", "bad.dcm": CONTENT[:400],
    ".hidden.dcm": CONTENT, "zero.bin": bytes(5000), "right.dcm": RESULT,
}  # fmt: skip


def test_a_folder_becomes_a_folder(here: Path) -> None:
    write(here / "in", MIXED)

    done = program("in", "--to", "rle", "-o", "out")

    assert done.returncode == 1
    assert contents(here / "out") == {
        "a/1.dcm": RESULT, "a/2": RESULT, "b/c/d/3.dcm": RESULT, "right.dcm": RESULT,
    }  # fmt: skip
    assert contents(here / "in") == dict(sorted(MIXED.items()))
    first, *rest = done.stderr.splitlines()
    assert first.startswith("dicodec: in/bad.dcm: ")
    assert first.endswith("[truncated-file]")
    assert re.fullmatch(r"3 converted, 1 already right, 5 skipped, 1 failed in [\d.]+ s", rest[0])
    assert rest[1:5] == [
        "  skipped: 1 empty", "  skipped: 1 hidden", "  skipped: 3 not DICOM",
        "  failed: 1 truncated-file",
    ]  # fmt: skip
    assert rest[6] == f"  ledger: {here / 'out' / LEDGER_NAME}"
    assert done.stdout == ""
    assert states(here / "out") == {
        "1.dcm": "done", "2": "done", "3.dcm": "done", "right.dcm": "done",
        "bad.dcm": "failed truncated-file", "empty.dcm": "skipped empty-file",
        "notes.txt": "skipped not-dicom", "picture.png": "skipped not-dicom",
        "zero.bin": "skipped not-dicom",
    }  # fmt: skip


def test_results_order_and_ledger_do_not_depend_on_the_number_of_jobs(here: Path) -> None:
    files = {name: path.read_bytes() for name, path in sorted(real_files().items())}
    write(here / "in", {**MIXED, **{f"real/{name}": files[name] for name in [*files][::3]}})
    runs = [
        program("in", "--to", "explicit-le", "-o", "out", "--jobs", jobs, "--json")
        for jobs in ("1", "2")
        if not (here / "out").exists() or (here / "out").rename(here / "one")
    ]

    assert contents(here / "out") == contents(here / "one")
    assert entries(here / "out") == entries(here / "one")
    lines = [[json.loads(line) for line in one.stdout.splitlines()] for one in runs]
    for line in [*lines[0], *lines[1]]:
        line.pop("seconds", None)
        line.get("summary", {}).pop("seconds", None)
    assert lines[0] == lines[1]
    assert [set(line) & {"error", "skipped", "source", "summary"} for line in lines[0]].count(
        {"summary"}
    ) == 1
    assert lines[0][-1]["summary"]["converted"] > 5


def test_several_sources_have_folders_of_their_own(here: Path) -> None:
    write(here, {"one/x": CONTENT, "two/x": CONTENT, "three.dcm": CONTENT})
    assert quietly("one", "two/", "three.dcm", "--to", "rle", "-o", "out", "-q") == 0
    assert [*contents(here / "out")] == ["one/x", "three.dcm", "two/x"]

    write(here, {"sub/one/x": CONTENT})
    assert quietly("one", "sub/one", "--to", "rle", "-o", "other", "-q") == 2
    assert not (here / "other").exists()


def test_sources_may_share_a_name_if_it_is_not_that_of_a_result(here: Path) -> None:
    write(here, {"sub/one/x": CONTENT, "one/x": CONTENT, "one/y/1.dcm": CONTENT})
    layout = ("-o", "out", "--layout", "{PatientID}.dcm", "-q")
    for arguments in (
        ("one", "sub/one", "--dry-run"),
        ("one/x", "sub/one/x", "--jobs", "1", "--in-place", "-q"),
        ("one", "sub/one", "--in-place", "--set", "PatientID=1", "-q"),
    ):
        assert quietly(*arguments, "--to", "rle") == 0
    for name in ("one/x", "one/y/1.dcm", "sub/one/x"):
        assert pydicom.dcmread(here / name).PatientID == "1"
    write(here, {"sub/one/x": with_patient("2")})
    (here / "one/x").unlink()
    assert quietly("one", "sub/one", "--to", "explicit-le", *layout) == 0
    assert [*contents(here / "out")] == ["1.dcm", "2.dcm"]


@pytest.mark.parametrize("place", [("-o", "out"), ("--in-place",), ("--dry-run",)])
def test_a_source_that_is_named_twice_is_refused(place: tuple[str, ...], here: Path) -> None:
    write(here, {"one/x": CONTENT})
    for again in ("one/", "./one", str(here / "one")):
        done = program("one", again, "--to", "rle", *place)
        assert (done.returncode, "is named twice" in done.stderr) == (2, True)


@pytest.mark.parametrize("named", [
    ("in/sub", "in"), ("in", "in/sub"), ("in/sub/x", "in"), ("in", "in/sub/x"),
    ("in/sub/x", "in/sub", "in"), ("in/.hidden", "in"), ("in", "linked"), ("linked", "in/sub"),
    ("in/sub/x", "in/sub/other"), ("in", "in/.hidden/x", "in/sub/other"),
], ids=" ".join)  # fmt: skip
@pytest.mark.parametrize("shards", [1, 2])
def test_sources_that_overlap_are_converted_in_place_once(
    named: tuple[str, ...], shards: int, here: Path
) -> None:
    write(here, dict.fromkeys(("in/x", "in/sub/x", "in/sub/y", "in/.hidden/x"), CONTENT))
    (here / "in/sub/other").symlink_to("x")
    (here / "linked").symlink_to("in")
    (here / "in/hard").hardlink_to(here / "in/sub/y")

    for number in range(1, shards + 1):
        shard = ("--shard", f"{number}/{shards}") if shards > 1 else ()
        done = program(
            *named, "--in-place", "--to", "rle", "--json", "--jobs", "2", "--report", "log", *shard
        )
        assert done.returncode == 0, done.stdout
    ended = [json.loads(line) for line in (here / "log").read_text().splitlines()]
    places = [os.path.realpath(one["source"]) for one in ended if "source" in one]

    wanted = set[str]()
    for one in named:
        place = here / one
        files = place.rglob("*") if place.is_dir() else [place]
        wanted |= {
            os.path.realpath(file) for file in files
            if file.is_file() and not (file.name.startswith(".") or ".hidden" in
                                       file.relative_to(place).parts)
        }  # fmt: skip
    assert sorted(places) == sorted(wanted)
    for file in wanted:
        assert Path(file).read_bytes() == RESULT


def test_one_file_becomes_the_file_that_is_named(here: Path) -> None:
    write(here, {"a.dcm": CONTENT})
    (here / "out").mkdir()
    places = {"b.dcm": "b.dcm", "c": "c", f"{here}/d": "d", "out": "out/a.dcm", "new/": "new/a.dcm"}
    for output, place in places.items():
        assert quietly("a.dcm", "--to", "rle", "-o", output, "--jobs", "1", "-q") == 0
        assert (here / place).read_bytes() == RESULT
    assert len(contents(here)) == 1 + len(places)
    again = program("a.dcm", "--to", "rle", "-o", "b.dcm", "--digests")
    assert again.stderr.startswith(f"dicodec: {here / 'b.dcm'}: the target exists")
    missing = program("a.dcm", "--to", "rle", "-o", "no/b.dcm", "--jobs", "1")
    assert (missing.returncode, (here / "no").exists()) == (1, False)
    assert missing.stderr.startswith("dicodec: no/b.dcm: the target's folder does not exist")


def test_an_output_within_its_source_is_not_entered(here: Path) -> None:
    write(here, {"x": CONTENT})
    for _ in range(2):
        assert quietly(".", "--to", "rle", "-o", "out", "-q", "--overwrite") == 0
    assert [*contents(here)] == ["out/x", "x"]
    assert quietly(".", "--to", "rle", "-o", ".", "-q") == 2


def test_long_lists_of_files_are_a_batch_too(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{number}.dcm" for number in range(20)]
    write(here, dict.fromkeys(names, CONTENT) | {"7.dcm": b"nonsense"})
    assert quietly(*names, "--to", "rle", "-o", "out") == 1

    assert contents(here / "out") == dict.fromkeys(sorted({*names} - {"7.dcm"}), RESULT)
    errors = capsys.readouterr().err.splitlines()
    assert errors[0].startswith("dicodec: 7.dcm: not a DICOM file")  # it was named
    assert errors[1].startswith("19 converted, 0 already right, 0 skipped, 1 failed")


def test_dicomdir_is_left_alone_and_said_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = make_file(8, 8)[0].replace(
        element(0x00020002, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
        element(0x00020002, "UI", b"1.2.840.10008.1.3.10"),
    )
    write(here / "in", {"DICOMDIR": directory, "IM1": CONTENT})
    assert quietly("in", "--to", "rle", "-o", "out") == 0

    assert [*contents(here / "out")] == ["IM1"]
    assert "skipped: 1 DICOMDIR (an index of files" in capsys.readouterr().err


def test_in_place_by_verified_results(here: Path) -> None:
    write(here / "in", {"a/x": CONTENT, "b": RESULT, "text": b"text"})
    (here / "outside").write_bytes(CONTENT)
    (here / "in" / "link").symlink_to("../outside")
    assert quietly("in", "--to", "rle", "--in-place", "-q") == 0

    assert contents(here) == {
        "in/a/x": RESULT, "in/b": RESULT, "in/link": CONTENT, "in/text": b"text",
        "outside": CONTENT,
    }  # fmt: skip
    assert states(here / "in") == {"x": "done", "b": "left alone", "text": "skipped not-dicom"}


def test_existing_targets(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, {"in/x": CONTENT, "in/y": CONTENT, "out/x": b"precious"})
    assert quietly("in", "--to", "rle", "-o", "out") == 1
    assert f"{here}/out/x: the target exists; --overwrite replaces it" in capsys.readouterr().err
    assert quietly("in", "--to", "rle", "-o", "out", "--skip-existing") == 0
    assert "skipped: 2 the target exists" in capsys.readouterr().err
    assert contents(here / "out") == {"x": b"precious", "y": RESULT}

    assert quietly("in", "--to", "rle", "-o", "out", "--overwrite", "-q") == 0
    assert contents(here / "out") == {"x": RESULT, "y": RESULT}

    assert quietly("in/x", "--to", "rle", "-o", "out", "--skip-existing") == 0  # not a batch
    assert capsys.readouterr().err == "in/x: skipped: the target exists\n"


def test_a_dry_run_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, {"in/x": CONTENT, "in/y": b"text"})
    for more in ((), ("-o", "out"), ("-o", "out", "--layout", "{PatientID}")):
        assert quietly("in", "--to", "rle", "--dry-run", *more) == 0
        lines = capsys.readouterr().err.splitlines()
        assert lines[0].startswith("in/x: explicit-le -> rle, transcoded")
        assert lines[1] == "in/y: skipped: not DICOM"
        assert lines[2].startswith("1 would be converted, 0 already right, 1 skipped, 0 failed")
    assert quietly("in", "--to", "rle", "--dry-run", "--quiet") == 0
    assert capsys.readouterr().err.startswith("1 would be converted, ")
    assert [*contents(here)] == ["in/x", "in/y"]
    assert not (here / "out").exists()


def test_a_dry_run_looks_at_its_targets(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, {"in/x": CONTENT, "in/y": CONTENT, "out/x": b"precious", "file": b""})
    command = ("in", "--to", "rle", "-o", "out", "--dry-run", "--json")
    before = contents(here)

    assert quietly(*command) == 1
    x, y, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert (x["error"]["code"], x["error"]["path"]) == ("target-exists", str(here / "out" / "x"))
    assert y["target"] == str(here / "out" / "y")
    assert quietly(*command, "--skip-existing") == 0
    assert quietly(*command, "--overwrite") == 0
    assert quietly("in", "--to", "rle", "-o", "file/below", "--dry-run") == 1
    assert "[target-unavailable]" in capsys.readouterr().err
    assert quietly(*command, "--layout", "{PatientID}") == 1
    x, y, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert x["target"].startswith(str(here / "out"))
    assert y["error"]["message"].startswith("its result belongs at ")
    assert quietly("in", "--to", "rle", "--in-place", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["target"] == str(here / "in" / "x")
    assert contents(here) == before
    assert not list(here.rglob(f"{LEDGER_NAME}*"))


def test_a_dry_run_goes_on_with_an_earlier_run(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here, {"in/x": CONTENT})
    command = ("in", "--to", "rle", "-o", "out", "--resume")
    assert quietly(*command, "--dry-run", "--json") == 0
    assert quietly(*command, "-q") == 0
    write(here, {"in/y": CONTENT})
    capsys.readouterr()

    assert quietly(*command, "--dry-run", "--json") == 0
    y, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert (y["source"], summary["summary"]["done_before"]) == ("in/y", 1)
    assert states(here / "out") == {"x": "done"}
    assert contents(here / "out") == {"x": RESULT}


@pytest.mark.parametrize("arguments", [
    ("in",), ("in", "-o", "-"), ("in", "-o", "file"), ("in", "-", "-o", "out"),
    ("in", "-o", "out", "--layout", "../{PatientID}"), ("in", "-o", "out", "--jobs", "0"),
    ("x.zip", "--in-place"), ("in", "-o", "y.zip"), ("in", "-o", "y.dcm"), ("in", "-o", ""),
    ("", "-o", "out/"), ("", "--in-place"), ("in", "", "-o", "out"),
    ("file", "-o", "-", "--jobs", "1"), ("in", "--in-place", "--skip-existing"),
    ("in", "--in-place", "--layout", "{PatientID}"), ("in", "-o", "out", "--ledger", "file"),
])  # fmt: skip
def test_wrong_usage_does_nothing(
    arguments: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here, {"in/x": CONTENT, "file": b"precious"})
    make_archive(here / "x.zip", {"x": CONTENT})
    before = contents(here)
    assert quietly(*arguments, "--to", "rle") == 2
    assert contents(here) == before
    assert len(capsys.readouterr().err.splitlines()) == 1


# Layouts and archives.


def with_patient(patient: str) -> bytes:
    """Return a file with a PatientID that nobody could set: by its bytes."""
    marked = convert_bytes(CONTENT, to="explicit-le", set_attributes=(("PatientID", "MARK"),))
    old = element(0x00100020, "LO", b"MARK")
    assert marked.count(old) == 1
    value = patient.encode() + b" " * (len(patient) % 2)
    return marked.replace(old, element(0x00100020, "LO", value))


def test_a_layout_makes_places_of_attributes(here: Path) -> None:
    hostile = ["../../etc", "a/b", "nul\0byte", "x" * 5000, "..", "", "ok"]
    write(here / "in", {str(number): with_patient(text) for number, text in enumerate(hostile)})
    assert quietly("in", "--to", "rle", "-o", "out", "--layout", "{PatientID}/x.dcm", "-q") == 0

    found = {*contents(here / "out")}
    assert len(found) == len(hostile)
    assert {"_._.._etc/x.dcm", "a_b/x.dcm", "nul_byte/x.dcm", "__/x.dcm", "ok/x.dcm",
            "unknown/x.dcm"} <= found  # fmt: skip
    assert {path.name for path in here.iterdir()} == {"in", "out"}


def test_two_results_of_one_place_are_an_error_that_names_both(here: Path) -> None:
    write(here / "in", {"a": CONTENT, "b": CONTENT, "c/d": CONTENT, "e": b"text"})
    for jobs in ("1", "2"):
        done = program("in", "--to", "rle", "-o", f"out{jobs}", "--jobs", jobs,
                       "--layout", "{Modality}.dcm", "--overwrite")  # fmt: skip
        assert done.returncode == 1
        assert [*contents(here / f"out{jobs}").values()] == [RESULT]
        errors = [line for line in done.stderr.splitlines() if line.startswith("dicodec: ")]
        assert len(errors) == 2
        for line, source in zip(errors, ("b", "c/d"), strict=True):
            assert line.startswith(f"dicodec: in/{source}: its result belongs at ")
            assert f"as that of {here}/in/a" in line


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_members_of_archives_are_converted(name: str, here: Path) -> None:
    make_archive(here / name, {
        "a/1.dcm": CONTENT, "../../up.dcm": CONTENT, "/etc/abs.dcm": CONTENT, "notes.txt": b"text",
        "b\\2.dcm": CONTENT, "": CONTENT, "bad.dcm": CONTENT[:400], "./a/3.dcm": CONTENT,
    })  # fmt: skip
    done = program(name, "--to", "rle", "-o", "out", "--jobs", "2")

    assert done.returncode == 1
    found = contents(here / "out")
    assert {"_./_./up.dcm", "__/__/up.dcm"} & {*found}
    assert {"a/1.dcm", "a/3.dcm", "b/2.dcm", "etc/abs.dcm"} <= {*found}
    assert {*found.values()} == {RESULT}
    assert f"{name}!/bad.dcm: " in done.stderr
    assert "1 failed" in done.stderr
    assert {path.name for path in here.iterdir()} == {name, "out"}


def test_members_that_meet_are_errors(here: Path) -> None:
    with zipfile.ZipFile(here / "x.zip", "w") as archive:
        for name in ("a/b", "a\\b", "a//b"):
            archive.writestr(name, CONTENT)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a/b", CONTENT)
    done = program("x.zip", "--to", "rle", "-o", "out", "--overwrite")

    assert contents(here / "out") == {"a/b": RESULT}
    assert done.stderr.count("its result belongs at") == 2
    assert done.stderr.count("another one of this name comes before it") == 1


# Interruptions.


@pytest.fixture
def many(here: Path) -> Path:
    """A current folder with MANY files in `in`."""
    write(here / "in", {f"{number:03}/x.dcm": CONTENT for number in range(MANY)})
    return here


EXPECTED = {f"{number:03}/x.dcm": RESULT for number in range(MANY)}


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([*PROGRAM, "convert", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def results(folder: Path, content: bytes | None = None) -> int:
    """Return how many there are, or how many that have this content."""
    found = folder.glob("*/x.dcm")
    return sum(1 for path in found if content is None or path.read_bytes() == content)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_workers_cost_nothing_but_time(many: Path, jobs: str) -> None:
    chance = random.Random(7)
    with started("in", "--to", "rle", "-o", "out", "--jobs", jobs, *SLOWLY) as process:
        for goal in (1, 30, 60):
            wait_for(lambda goal=goal: results(many / "out") >= goal, 60)
            with suppress(ProcessLookupError, IndexError):  # it was at its end already
                os.kill(chance.choice([*find_grandchildren(process.pid)]), signal.SIGKILL)
        _, errors = process.communicate(timeout=100)

    # A file whose second attempt was hit too is reported; the others are done.
    failed = [entry for entry in entries(many / "out") if entry["state"] == "failed"]
    assert process.returncode == (1 if failed else 0), errors
    assert {entry["code"] for entry in failed} <= {"worker-crashed"}
    assert program("in", "--to", "rle", "-o", "out", "--resume").returncode == 0
    assert contents(many / "out") == EXPECTED


def test_killed_at_any_moment_it_can_be_resumed(many: Path) -> None:
    for goal in (0, 20, 60):
        before = results(many / "out")
        with started(
            "in", "--to", "rle", "-o", "out", "--jobs", "2", "--resume", *SLOWLY
        ) as process:
            wait_for(
                lambda goal=goal: (many / "out").exists() and results(many / "out") >= goal, 60
            )
            children = find_grandchildren(process.pid)
            process.kill()
            process.wait()
        wait_for(lambda children=children: not any(map(runs, children)))
        assert before <= results(many / "out") < MANY
        assert set(contents(many / "out").values()) <= {RESULT}  # whole, and no part left

    done = program("in", "--to", "rle", "-o", "out", "--resume")
    assert done.returncode == 0, done.stderr
    assert contents(many / "out") == EXPECTED
    assert {entry["state"] for entry in entries(many / "out")} == {"done"}
    again = program("in", "--to", "rle", "-o", "out", "--resume")
    assert f"done by an earlier run: {MANY}" in again.stderr


def test_killed_in_place_every_file_is_whole(many: Path) -> None:
    for goal in (1, 40):
        with started(
            "in", "--to", "rle", "--in-place", "--jobs", "2", "--resume", *SLOWLY
        ) as process:
            wait_for(lambda goal=goal: results(many / "in", RESULT) >= goal, 60)
            children = find_grandchildren(process.pid)
            process.kill()
            process.wait()
        wait_for(lambda children=children: not any(map(runs, children)))
        assert set(contents(many / "in").values()) == {CONTENT, RESULT}

    assert program("in", "--to", "rle", "--in-place", "--resume").returncode == 0
    assert contents(many / "in") == EXPECTED


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["INT", "TERM", "HUP"],
)
def test_interrupted_it_stops_cleanly_and_says_how_to_go_on(
    many: Path, number: signal.Signals, status: int
) -> None:
    with started("in", "--to", "rle", "-o", "out", "--jobs", "2", *SLOWLY) as process:
        wait_for(lambda: results(many / "out") >= 10)
        children = find_grandchildren(process.pid)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == status
    assert "the same command with --resume goes on from here" in errors
    assert "Traceback" not in errors
    assert not any(map(runs, children))
    assert 10 <= results(many / "out") < MANY
    assert set(contents(many / "out").values()) == {RESULT}
    assert {entry["state"] for entry in entries(many / "out")} <= {"done", "pending"}
    assert program("in", "--to", "rle", "-o", "out", "--resume", "-q").returncode == 0
    assert contents(many / "out") == EXPECTED


def test_interrupted_twice_it_does_not_wait(here: Path) -> None:
    os.mkfifo(here / "pipe")  # opening it for reading never ends
    write(here, {"a": CONTENT})
    with started("a", "pipe", "--to", "rle", "-o", "out", "--jobs", "1") as process:
        wait_for((here / "out" / "a").exists)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        _, errors = process.communicate(timeout=8)

    assert process.returncode == 130
    assert "listed, and not done: 1" in errors


# What a file can do to the batch.


def test_a_file_that_hangs_costs_itself(here: Path) -> None:
    os.mkfifo(here / "pipe")
    write(here, {"a": CONTENT, "z": CONTENT})
    done = program("a", "pipe", "z", "--to", "rle", "-o", "out", "--jobs", "1", "--timeout", "3")

    assert done.returncode == 1
    assert contents(here / "out") == {"a": RESULT, "z": RESULT}
    assert "dicodec: pipe: it took more than 3 s and was given up [timeout]" in done.stderr
    assert states(here / "out")["pipe"] == "failed timeout"


def test_a_file_that_takes_too_much_memory_costs_itself(here: Path) -> None:
    os.mkfifo(here / "pipe")  # a worker that waits has more than this all the same
    done = program("pipe", "--to", "rle", "-o", "out/", "--jobs", "1", "--memory", "2M")

    assert done.returncode == 1
    assert (
        "it took more than 2097152 bytes of memory and was given up [out-of-memory]" in done.stderr
    )
    assert entries(here / "out")[0]["attempts"] == 2


def test_a_file_that_cannot_be_read_costs_itself(here: Path) -> None:
    write(here / "in", {"a": CONTENT, "c/d": CONTENT})
    (here / "in" / "b").symlink_to("/proc/self/mem")  # reading it is an input/output error
    (here / "in" / "gone").symlink_to("nothing")
    done = program("in", "--to", "rle", "-o", "out", "--jobs", "1")

    assert done.returncode == 1
    assert "dicodec: in/b: " in done.stderr
    assert "dicodec: in/gone: cannot be listed: No such file or directory" in done.stderr
    assert states(here / "out") == {
        "a": "done", "b": "failed empty-file", "d": "done", "gone": "failed source-unavailable",
    }  # fmt: skip

    for name in ("b", "gone"):
        (here / "in" / name).unlink()
        write(here / "in", {name: CONTENT})
    assert quietly("in", "--to", "rle", "-o", "out", "--resume", "-q") == 0
    assert contents(here / "out") == dict.fromkeys(["a", "b", "c/d", "gone"], RESULT)


# Resuming.


def test_what_is_done_and_unchanged_is_left_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here / "in", {"a": CONTENT, "b": CONTENT, "bad": CONTENT[:400], "text": b"text"})
    command = ("in", "--to", "rle", "-o", "out", "--resume")
    assert quietly(*command) == 1
    before = {path: path.stat().st_mtime_ns for path in (here / "out").glob("[ab]")}
    capsys.readouterr()

    other = convert_bytes(CONTENT, to="explicit-le", set_attributes=(("PatientID", "NEW"),))
    write(here, {"in/b": other, "in/c": CONTENT})
    assert quietly(*command) == 1

    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("2 converted, 0 already right, 1 skipped, 0 failed in ")
    assert "  done by an earlier run: 1" in lines
    assert "  failed in an earlier run, for a cause that does not pass: 1" in lines
    assert (here / "out" / "a").stat().st_mtime_ns == before[here / "out" / "a"]
    assert (here / "out" / "b").read_bytes() == convert_bytes(other, to="rle")

    (here / "out" / "a").unlink()
    assert quietly(*command) == 1
    assert (here / "out" / "a").read_bytes() == RESULT


def test_other_options_replace_no_result(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here / "in", {"a": CONTENT})
    assert quietly("in", "--to", "rle", "-o", "out", "-q") == 0
    other = ("in", "--to", "jpeg-ls", "-o", "out", "-q", "--resume")
    for _ in range(2):  # a run that failed so does not make the result its own
        assert quietly(*other) == 1
        assert capsys.readouterr().err.endswith("[target-exists]\n")
        assert contents(here / "out") == {"a": RESULT}

    assert quietly(*other, "--overwrite") == 0
    assert contents(here / "out") == {"a": convert_bytes(CONTENT, to="jpeg-ls")}


def test_what_another_run_was_at_is_its_own(here: Path) -> None:
    write(here / "in", {"a": CONTENT})
    assert quietly("in", "--to", "rle", "-o", "out", "-q") == 0
    with Ledger(str(here / "out" / LEDGER_NAME), writing=True) as ledger:  # killed, just in time
        ledger.give_back([str(here / "in" / "a")])

    assert quietly("in", "--to", "jpeg-ls", "-o", "out", "-q", "--resume") == 1
    assert contents(here / "out") == {"a": RESULT}


def test_a_result_that_somebody_changed_is_not_replaced(here: Path) -> None:
    write(here / "in", {"a": CONTENT})
    assert quietly("in", "--to", "rle", "-o", "out", "-q") == 0
    write(here, {"out/a": b"precious", "in/a": CONTENT})

    assert quietly("in", "--to", "rle", "-o", "out", "-q", "--resume") == 1
    assert contents(here / "out") == {"a": b"precious"}


def test_in_place_what_is_done_is_left_out(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here / "in", {"a": CONTENT, "b": RESULT})
    for _ in range(2):
        assert quietly("in", "--to", "rle", "--in-place", "--resume") == 0
    assert "done by an earlier run: 2" in capsys.readouterr().err


def test_with_a_layout_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here / "in", {"a": CONTENT})
    for _ in range(2):
        assert quietly("in", "--to", "rle", "-o", "out", "--layout", "{Modality}", "--resume") == 0
    assert "done by an earlier run: 1" in capsys.readouterr().err


def test_another_process_at_the_same_ledger_is_refused(here: Path) -> None:
    write(here / "in", {"a": CONTENT})
    with Ledger(str(here / "ledger"), writing=True):
        done = program("in", "--to", "rle", "-o", "out", "--ledger", "ledger")
    assert done.returncode == 2
    assert "another process is using the ledger" in done.stderr
    assert contents(here / "out") == {}


# Reports.


def test_reports_and_digests(here: Path) -> None:
    import hashlib

    write(here / "in", {"a": CONTENT, "bad": CONTENT[:400], "text": b"text"})
    done = program("in", "--to", "rle", "-o", "out", "--report", "report", "--json", "--digests",
                   "--ledger", "ledger")  # fmt: skip
    assert done.stderr == ""
    assert (here / "report").read_text() == done.stdout
    a, bad, text, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert (a["source"], a["target"]) == ("in/a", str(here / "out" / "a"))
    assert bad["error"]["path"] == "in/bad"
    assert text == {"skipped": {"path": "in/text", "reason": "not-dicom"}}
    assert summary["summary"]["failed"] == {"truncated-file": 1}
    assert summary["summary"]["bytes_before"] == len(CONTENT)

    with Ledger("ledger", writing=False) as ledger:
        entry = ledger.find(str(here / "in" / "a"))
    assert entry is not None
    assert entry.source_digest == hashlib.sha256(CONTENT).hexdigest()
    assert entry.target_digest == hashlib.sha256(RESULT).hexdigest()


def test_names_that_are_no_text(here: Path) -> None:
    good, bad = os.fsdecode(b"caf\xe9"), os.fsdecode(b"caf\xe9 cut")
    write(here / "in", {good: CONTENT, bad: CONTENT[:400], "plain": CONTENT})
    command = ("in", "--to", "rle", "-o", "out", "--digests", "--report", "report")

    done = program(*command)

    assert (done.returncode, contents(here / "out")) == (1, {good: RESULT, "plain": RESULT})
    assert "[truncated-file]" in done.stderr.splitlines()[0]
    lines = [json.loads(line) for line in (here / "report").read_text("utf-8").splitlines()]
    assert [lines[0]["source"], lines[1]["error"]["path"]] == [f"in/{good}", f"in/{bad}"]
    again = program(*command, "--resume", "--json")
    assert json.loads(again.stdout)["summary"]["done_before"] == 2
    for form in ("text", "csv", "json"):
        shown = subprocess.run(
            [*PROGRAM, "jobs", "out", "export", "--format", form], capture_output=True, check=True
        ).stdout.decode("utf-8")
        assert len(shown.splitlines()) == 3 + (form == "csv")
    assert json.loads(shown.splitlines()[0])["report"]["target"] == str(here / "out" / good)
    program("in", "--to", "rle", "--in-place")
    assert contents(here / "in") == {good: RESULT, bad: CONTENT[:400], "plain": RESULT}


def test_one_file_takes_the_short_way(here: Path) -> None:
    write(here, {"a": CONTENT})
    script = (
        "import sys\nfrom dicodec.cli.main import run\n"
        "run(['convert', 'a', '--to', 'rle', '-o', 'b', '-q'])\n"
        "print([name for name in sys.modules if name.startswith('dicodec.batch')"
        " or name in ('sqlite3', 'rich', 'multiprocessing', 'zipfile', 'tarfile')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_a_terminal_shows_progress(many: Path) -> None:
    leader, follower = os.openpty()
    environment = {**os.environ, "COLUMNS": "150", "TERM": "xterm"}
    command = [*PROGRAM, "convert", "in", "--to", "rle", "-o", "out"]
    command += ["--rate-limit", f"{MANY * len(CONTENT)}"]  # for a second, so that much is shown
    with subprocess.Popen(command, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        with os.fdopen(leader, "rb", buffering=0) as terminal:
            try:
                while part := terminal.read(4096):
                    shown += part
            except OSError:  # the other end is closed
                pass
    assert process.returncode == 0
    text = shown.decode()
    assert re.search(rf"\d+ of {MANY} files, [\d.]+ [kM]?B", text)
    assert "files/s" in text
    assert f"{MANY} converted, 0 already right" in text
