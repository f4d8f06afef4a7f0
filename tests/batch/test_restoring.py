"""Originals that a batch replaced and kept are put back, and each refusal has its reason."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dicodec.batch import restoring
from dicodec.batch.ledger.tables import LEDGER_NAME
from dicodec.cli.main import run
from dicodec.conversion.output import kept_originals
from dicodec.conversion.output.kept_originals import LIST_NAME
from helpers.made import IMAGE_KINDS
from helpers.real_files import shipped_file

NAMES = ("a.dcm", "below/b.dcm", "below/ü\nc.dcm", "below/deeper/d.dcm", "mr.dcm")


def state(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Return content, mode, owner and times of all files but the ledger."""
    return {
        str(path.relative_to(folder)): (
            path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns, path.stat().st_uid,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(LEDGER_NAME)
    }  # fmt: skip


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    (folder / "below" / "deeper").mkdir(parents=True)
    kinds = ("gray-16", "gray-8", "gray-16")
    for number, name in enumerate(NAMES[:-1]):
        path = folder / name
        path.write_bytes(IMAGE_KINDS[kinds[number % 3]].make()[0])
        path.chmod(0o640 + number % 2)
        os.utime(path, ns=(1_500_000_000_000_000_000 + number, 1_400_000_000_123_456_789 + number))
    shutil.copy2(shipped_file("MR_small.dcm"), folder / NAMES[-1])
    (folder / "notes.txt").write_text("not DICOM")
    (folder / "rle.dcm").write_bytes(shipped_file("MR_small_RLE.dcm").read_bytes())
    return folder


def convert(archive: Path, *more: str) -> int:
    return run(["convert", str(archive), "--to", "rle", "--in-place", "-q", *more])


def restored(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = run(["restore", *arguments, "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return status, {
        **lines[-1]["summary"],
        "refusals": {
            Path(one["path"]).name: one["refusal"] for one in lines[:-1] if not one["done"]
        },
    }


def test_a_restored_folder_is_the_original(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(archive)
    assert convert(archive, "--backup", ".orig") == 0
    converted = state(archive)
    assert converted != before

    status, found = restored(capsys, str(archive), "--dry-run")
    assert (status, found["restored"], found["refused"]) == (0, len(NAMES), 0)
    assert state(archive) == converted

    status, found = restored(capsys, str(archive))
    assert (status, found["restored"], found["refused"]) == (0, len(NAMES), 0)
    assert state(archive) == before
    assert restored(capsys, str(archive))[1]["restored"] == 0  # and the ledger knows
    assert run(["jobs", str(archive), "--state", "restored"]) == 0
    assert f"{len(NAMES)} restored" in capsys.readouterr().out


def test_the_ledger_can_go_too(archive: Path) -> None:
    before = set(archive.rglob("*"))
    convert(archive, "--backup", "~")
    assert run(["restore", str(archive), "--forget"]) == 0
    assert set(archive.rglob("*")) == before


def test_what_is_restored_can_be_converted_again(archive: Path) -> None:
    convert(archive, "--backup", ".orig")
    first = state(archive)
    run(["restore", str(archive)])
    assert convert(archive, "--backup", ".orig", "--resume") == 0
    again = state(archive)
    assert again.keys() == first.keys()
    names = [name for name in first if Path(name).name != LIST_NAME]  # in another order
    assert [again[name][0] for name in names] == [first[name][0] for name in names]


def test_refusals_are_named_and_change_nothing(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(archive, "--backup", ".orig")
    (archive / "a.dcm.orig").unlink()
    kept = archive / "below" / "b.dcm.orig"
    kept.write_bytes(kept.read_bytes()[:-1] + b"\7")
    changed = archive / "below" / "deeper" / "d.dcm"
    changed.write_bytes(changed.read_bytes() + b"\0\0")
    before = state(archive)
    status, found = restored(capsys, str(archive))
    assert status == 1
    assert found["refusals"] == {
        "a.dcm": "not-kept", "b.dcm": "kept-changed", "d.dcm": "result-changed",
    }  # fmt: skip
    after = state(archive)
    for name in ("a.dcm", "below/b.dcm", "below/b.dcm.orig", "below/deeper/d.dcm", "rle.dcm"):
        assert after[name] == before[name]
    assert (archive / "below" / LIST_NAME).exists()
    status, found = restored(capsys, str(archive), "--overwrite")
    assert found["refusals"].keys() == {"a.dcm", "b.dcm"}
    assert not (archive / "below" / "deeper" / LIST_NAME).exists()


def test_a_result_of_which_only_the_time_changed_is_told_by_its_digest(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(archive)
    convert(archive, "--backup", ".orig", "--digests")
    changed = archive / "below" / "b.dcm"
    changed.write_bytes(changed.read_bytes()[:-1] + b"\7")
    os.utime(archive / "a.dcm")

    status, found = restored(capsys, str(archive))
    assert (status, found["restored"]) == (1, len(NAMES) - 1)
    assert found["refusals"] == {"b.dcm": "result-changed"}
    assert state(archive)["a.dcm"] == before["a.dcm"]


def test_without_a_digest_a_changed_time_is_called_that(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(archive, "--backup", ".orig")
    os.utime(archive / "a.dcm")

    assert restored(capsys, str(archive), "--dry-run")[1]["refusals"] == {"a.dcm": "time-changed"}
    assert run(["restore", str(archive)]) == 1
    assert "time has changed since the run" in capsys.readouterr().err
    assert run(["restore", str(archive), "--overwrite"]) == 0
    assert not (archive / "a.dcm.orig").exists()


def test_an_older_original_is_not_the_one_of_the_last_run(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(archive, "--backup", ".orig")
    assert run(["convert", str(archive), "--to", "deflated", "--in-place", "-q"]) == 0
    status, found = restored(capsys, str(archive))
    assert (status, found["restored"]) == (1, 0)
    assert set(found["refusals"].values()) == {"not-kept"}


def test_an_older_original_is_named_with_the_way_to_put_it_back(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("IM1", "IM10", "IM 2"):
        shutil.copy2(archive / "a.dcm", archive / name)
    convert(archive, "--backup", ".orig")
    assert run(["convert", str(archive), "--to", "deflated", "--in-place", "-q"]) == 0
    (archive / "mr.dcm.orig").write_bytes(b"changed")
    capsys.readouterr()

    assert run(["restore", str(archive), "-q"]) == 1

    told = {line.partition(": ")[2].partition(": ")[0]: line
            for line in capsys.readouterr().err.splitlines()}  # fmt: skip
    for name in ("IM1", "IM10"):
        path = str(archive / name)
        assert told[path].endswith(
            f"{path}.orig (an earlier run kept that original; `mv {path}.orig {path}` puts it "
            "back) [not-kept]"
        )
    assert f"`mv '{archive}/IM 2.orig' '{archive}/IM 2'`" in told[str(archive / "IM 2")]
    assert "earlier" not in told[str(archive / "mr.dcm")]


@pytest.mark.parametrize("deep", [False, True])
def test_a_folder_that_was_moved_with_its_ledger_is_restored(
    archive: Path, tmp_path: Path, deep: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if deep:  # no file of the ledger is in the ledger's own folder
        for name in ("a.dcm", "mr.dcm", "rle.dcm"):
            (archive / name).unlink()
    before = state(archive)
    convert(archive, "--backup", ".orig")
    moved = archive.rename(tmp_path / "moved")
    changed = moved / "below" / "b.dcm"
    changed.write_bytes(changed.read_bytes() + b"\0\0")

    status, found = restored(capsys, str(moved))
    assert (status, found["refusals"]) == (1, {"b.dcm": "result-changed"})
    assert restored(capsys, str(moved), "--overwrite")[0] == 0
    assert state(moved) == before
    assert not archive.exists()


def test_a_copy_of_a_folder_is_not_taken_for_the_folder(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(archive, "--backup", ".orig")
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    before = state(copy)

    assert restored(capsys, str(copy), "--dry-run")[1]["restored"] == len(NAMES)
    assert run(["restore", str(copy)]) == 0

    assert state(copy) == before


def test_the_folder_of_a_ledger_is_named_if_it_is_not_there(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(archive, "--backup", ".orig")
    (archive / LEDGER_NAME).rename(tmp_path / "ledger")
    archive.rename(tmp_path / "moved")

    assert run(["restore", str(tmp_path / "ledger")]) == 1
    told = capsys.readouterr().err
    assert f"the ledger speaks of the folder {archive}, which is not there" in told


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (["--to", "rle"], 0), (["--to", "rle", "--digests"], 0), (["--to", "jpeg", "--lossy"], 1),
        (["--to", "rle", "--limit", "elements=1"], 1),
    ],
)  # fmt: skip
def test_runs_that_change_nothing_do_not_matter(
    archive: Path, more: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (archive / "below" / "b.dcm").unlink()  # of 8 bits, so JPEG holds it
    before = state(archive)
    convert(archive, "--backup", ".orig")
    for _ in range(2):
        assert run(["convert", str(archive), *more, "--in-place", "-q"]) == status

    assert restored(capsys, str(archive))[1]["restored"] == len(NAMES) - 1
    assert state(archive) == before


def test_what_changed_before_such_a_run_is_not_given_up(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(archive, "--backup", ".orig")
    run(["convert", str(archive / "a.dcm"), "--to", "rle", "--set", "PatientID=7", "-q",
         "--in-place"])  # fmt: skip
    changed = (archive / "a.dcm").read_bytes()
    convert(archive)

    found = restored(capsys, str(archive))[1]
    assert found["restored"] == len(NAMES) - 1
    assert (archive / "a.dcm").read_bytes() == changed


def forget_outcomes(archive: Path) -> None:
    """Have the ledger as a run leaves it that is killed before it enters its outcomes."""
    with closing(sqlite3.connect(archive / LEDGER_NAME, autocommit=True)) as ledger:
        ledger.execute(
            "UPDATE file SET state = 'running', source_digest = NULL, target_size = NULL,"
            " target_modified = NULL WHERE state = 'done'"
        )


def test_replaced_files_that_a_killed_run_did_not_enter_are_named(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(archive)
    convert(archive, "--backup", ".orig")
    forget_outcomes(archive)
    converted = state(archive)

    status, found = restored(capsys, str(archive))
    assert (status, found["restored"]) == (1, 0)
    assert set(found["refusals"].values()) == {"unfinished"}
    assert len(found["refusals"]) == len(NAMES)
    assert state(archive) == converted

    assert restored(capsys, str(archive), "--overwrite")[0] == 0
    assert state(archive) == before


def test_a_resumed_run_enters_what_a_killed_one_has_replaced(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(archive)
    more = ("--backup", ".orig", "--set", "PatientID=7")
    convert(archive, *more)
    forget_outcomes(archive)
    converted = state(archive)

    convert(archive, *more, "--resume")
    assert state(archive) == converted, "results are not converted again"
    assert restored(capsys, str(archive))[1]["restored"] == len(NAMES) + 1  # that of RLE, too
    assert state(archive) == before


def test_an_original_that_was_kept_and_not_replaced_is_one_file_again(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(archive)
    convert(archive, "--backup", ".orig")
    forget_outcomes(archive)
    (archive / "a.dcm").unlink()
    os.link(archive / "a.dcm.orig", archive / "a.dcm")

    assert "a.dcm" not in restored(capsys, str(archive))[1]["refusals"]
    assert not (archive / "a.dcm.orig").exists()
    assert state(archive)["a.dcm"] == before["a.dcm"]


def test_a_result_that_is_gone_is_no_reason_to_refuse(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(archive)
    convert(archive, "--backup", ".orig")
    (archive / "a.dcm").unlink()
    assert restored(capsys, str(archive))[0] == 0
    assert state(archive) == before


def test_results_elsewhere_are_left_alone(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(["convert", str(archive), "--to", "rle", "-o", str(out), "-q", "--digests"])
    before = state(archive), state(out)
    assert run(["restore", str(out)]) == 0
    assert (state(archive), state(out)) == before


@pytest.mark.parametrize("moment", range(1, 8))
def test_it_goes_on_after_a_crash_at_any_step(
    archive: Path, moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(archive)
    convert(archive, "--backup", ".orig")
    steps = 0

    class Crash(BaseException):
        pass

    def count(call: Any) -> Any:
        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == moment:
                raise Crash
            return call(*arguments, **named)

        return counted

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "_TOGETHER", 2)
        patched.setattr(os, "replace", count(os.replace))
        patched.setattr(restoring, "remove_unused_list", count(kept_originals.remove_unused_list))
        with pytest.raises(Crash):
            run(["restore", str(archive)])
    assert run(["restore", str(archive)]) == 0
    assert state(archive) == before


def test_an_interruption_ends_it_between_files(archive: Path) -> None:
    before = state(archive)
    convert(archive, "--backup", ".orig")
    code = (
        "import os, signal, sys\n"
        "from dicodec.batch import restoring\n"
        "from dicodec.cli.main import run\n"
        "put = restoring._restore\n"
        "def interrupted(entry, **more):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return put(entry, **more)\n"
        "restoring._restore = interrupted\n"
        "sys.exit(run(['restore', sys.argv[1]]))\n"
    )
    child = subprocess.run([sys.executable, "-c", code, str(archive)], check=False)
    assert child.returncode == 128 + signal.SIGTERM
    assert state(archive) != before
    assert run(["restore", str(archive)]) == 0
    assert state(archive) == before


def test_without_a_ledger_the_originals_of_the_list_are_named(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"IM{number}" for number in range(12)]
    for name in names:
        shutil.copy2(archive / "a.dcm", archive / name)
    files = [str(archive / name) for name in names]
    in_place = ["--to", "rle", "--in-place", "--backup", ".orig", "-q"]
    assert run(["convert", *files, *in_place]) == 0
    before = state(archive)
    capsys.readouterr()

    assert run(["restore", str(archive)]) == 2

    told = capsys.readouterr().err
    assert "there is no ledger" in told
    assert f"{archive}/IM0.orig, {archive}/IM1.orig, {archive}/IM10.orig" in told
    assert "and 2 more" in told
    assert f"`mv {archive}/IM0.orig {archive}/IM0` puts it back" in told
    assert state(archive) == before
    assert not (archive / LEDGER_NAME).exists()

    for name in names:
        (archive / f"{name}.orig").replace(archive / name)
    assert run(["restore", str(archive)]) == 2
    assert "a batch makes one" in capsys.readouterr().err


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert run(["restore", str(tmp_path)]) == 2
    assert [*tmp_path.iterdir()] == []
