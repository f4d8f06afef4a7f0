"""Shards and lists of sources: every source once, nothing lost, one ledger in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec import convert_bytes
from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LEDGER_NAME, LEDGER_NAMES
from dicodec.batch.sources.shards import Shard, parse_shard
from dicodec.cli.main import run
from dicodec.errors import InvalidOptionError
from helpers.made import IMAGE_KINDS
from helpers.patience import give_up_at

CONTENT = IMAGE_KINDS["gray-16"].make()[0]
RESULT = convert_bytes(CONTENT, to="rle")
PROGRAM = [sys.executable, "-m", "dicodec.cli.main", "convert"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def convert(*arguments: object) -> int:
    return run(["convert", *map(str, arguments), "--jobs", "1", "-q"])


def make_folder(folder: Path, count: int, content: bytes = CONTENT) -> None:
    for number in range(count):
        path = folder / f"{number % 3}" / f"{number:03}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(LEDGER_NAMES)
    }


def count_results(folder: Path) -> int:
    """Return how many results are in their places; part files come and go beside them."""
    return sum(not path.name.startswith(".") for path in folder.rglob("*.dcm"))


def rows(path: Path) -> dict[str, Any]:
    with Ledger(str(path), writing=False) as ledger:
        return {
            entry.source: (entry.target, str(entry.state), entry.error_code, entry.action,
                           entry.source_size, entry.target_size)
            for entry, _ in ledger.read_entries()
        }  # fmt: skip


@given(st.integers(1, 50), st.binary(max_size=40).map(os.fsdecode))
def test_a_name_belongs_to_one_shard(count: int, name: str) -> None:
    assert sum(Shard(number, count).takes(name) for number in range(1, count + 1)) == 1


def test_shards_are_of_like_sizes() -> None:
    names = [f"study/{number:06}.dcm" for number in range(20_000)]
    sizes = [sum(map(Shard(number, 8).takes, names)) for number in range(1, 9)]
    assert min(sizes) > 2_300
    assert max(sizes) < 2_700


def slurm(task: int, first: int, count: int) -> dict[str, str]:
    return {
        "SLURM_ARRAY_TASK_ID": str(task),
        "SLURM_ARRAY_TASK_MIN": str(first),
        "SLURM_ARRAY_TASK_COUNT": str(count),
    }


@pytest.mark.parametrize(
    ("text", "variables", "shard"),
    [
        ("2/8", {}, Shard(2, 8)),
        ("auto", slurm(0, 0, 4), Shard(1, 4)),
        ("auto", slurm(4, 1, 4), Shard(4, 4)),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "2", "AWS_BATCH_JOB_ARRAY_SIZE": "5"}, Shard(3, 5)),
        ("auto/6", {"JOB_COMPLETION_INDEX": "5"}, Shard(6, 6)),
        ("auto", {"BATCH_TASK_INDEX": "1", "BATCH_TASK_COUNT": "2"}, Shard(2, 2)),
        ("auto/3", {"CLOUD_RUN_TASK_INDEX": "0", "CLOUD_RUN_TASK_COUNT": "3"}, Shard(1, 3)),
    ],
)  # fmt: skip
def test_shards_are_read(text: str, variables: dict[str, str], shard: Shard) -> None:
    assert parse_shard(text, variables) == shard


@pytest.mark.parametrize(
    ("text", "variables", "word"),
    [
        ("0/8", {}, "shard 0 of 8"), ("9/8", {}, "shard 9 of 8"), ("1/0", {}, "shard 1 of 0"),
        ("1", {}, "--shard is '1'"), ("a/b", {}, "--shard is"), ("+1/2", {}, "--shard is"),
        ("auto", {}, "no variable"),
        ("auto", {"JOB_COMPLETION_INDEX": "5"}, "how many"),
        ("auto/5", {"JOB_COMPLETION_INDEX": "5"}, "not one of 5"),
        ("auto", {"JOB_COMPLETION_INDEX": "5", "BATCH_TASK_INDEX": "1"}, "BATCH_TASK_INDEX and"),
        # Task 3 of eight runs again, alone: it is not the whole.
        ("auto", slurm(3, 3, 1), "not one of 1"),
        ("auto/8", slurm(1, 1, 1), "array of 1"),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "x", "AWS_BATCH_JOB_ARRAY_SIZE": "5"}, "'x'"),
    ],
)  # fmt: skip
def test_what_is_no_shard_is_refused(text: str, variables: dict[str, str], word: str) -> None:
    with pytest.raises(InvalidOptionError) as caught:
        parse_shard(text, variables)
    assert word in str(caught.value)


def test_shards_and_their_merged_ledger_are_one_run(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folder(here / "in", 40)
    (here / "in" / "bad.dcm").write_bytes(CONTENT[:400])
    (here / "in" / "notes.txt").write_text("no image")
    assert convert("in", "--to", "rle", "-o", "whole") == 1

    # Another mount point of the same share: the shards are the same.
    (here / "mounted").symlink_to(here / "in")
    for number in range(1, 5):
        place = "in" if number % 2 else "mounted"
        convert(place, "--to", "rle", "-o", "out", "--shard", f"{number}/4")

    assert contents(here / "out") == contents(here / "whole")
    ledgers = sorted((here / "out").glob(f"{LEDGER_NAMES}*.sqlite"))
    assert [path.name for path in ledgers] == [
        f".dicodec-ledger.{number}-of-4.sqlite" for number in range(1, 5)
    ]
    assert all(rows(path) for path in ledgers), "the files are spread"
    capsys.readouterr()
    assert run(["jobs", "merge", "out"]) == 0
    merged = capsys.readouterr().out
    assert run(["jobs", "whole"]) == 0
    assert merged == capsys.readouterr().out
    whole = rows(here / "whole" / LEDGER_NAME)
    assert {
        source.replace("/mounted/", "/in/"): (target.replace("/out/", "/whole/"), *rest)
        for source, (target, *rest) in rows(here / "out" / LEDGER_NAME).items()
    } == whole


def test_a_merged_ledger_is_gone_on_with(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_folder(here / "in", 12)
    for number in (1, 2):
        assert convert("in", "--to", "rle", "-o", "out", "--shard", f"{number}/2") == 0
    assert run(["jobs", "merge", "out"]) == 0
    (here / "in" / "new.dcm").write_bytes(CONTENT)
    capsys.readouterr()

    assert run(["convert", "in", "--to", "rle", "-o", "out", "--resume", "--json"]) == 0

    summary = json.loads(capsys.readouterr().out.splitlines()[-1])["summary"]
    assert (summary["converted"], summary["done_before"]) == (1, 12)


def test_a_merge_tells_what_is_missing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_folder(here / "in", 12)
    assert convert("in", "--to", "rle", "-o", "out", "--shard", "2/3") == 0
    with Ledger(str(here / "out" / ".dicodec-ledger.1-of-3.sqlite"), writing=True) as ledger:
        ledger.start("digest", "killed")

    assert run(["jobs", "merge", "out", "-o", "all.sqlite"]) == 1

    told = capsys.readouterr().err.splitlines()
    assert told == [
        "dicodec: out/.dicodec-ledger.3-of-3.sqlite is not there",
        "dicodec: the run of out/.dicodec-ledger.1-of-3.sqlite has not ended: --resume ends it",
    ]
    assert run(["jobs", "merge", "out", "-o", "all.sqlite"]) == 2, "it is there already"


def test_the_newer_outcome_of_a_source_is_taken(here: Path) -> None:
    make_folder(here / "in", 6)
    (here / "in" / "bad.dcm").write_bytes(CONTENT[:400])
    convert("in", "--to", "rle", "-o", "out", "--shard", "1/1", "--ledger", "first.sqlite")
    (here / "in" / "bad.dcm").write_bytes(CONTENT)
    convert("in", "--to", "rle", "-o", "out", "--ledger", "second.sqlite", "--skip-existing")
    for order in (["first", "second"], ["second", "first"]):
        (here / "all.sqlite").unlink(missing_ok=True)
        paths = [f"{name}.sqlite" for name in order]
        assert run(["jobs", "merge", *paths, "-o", "all.sqlite"]) == 0
        merged = rows(here / "all.sqlite")
        assert merged == rows(here / "second.sqlite")
        with Ledger(str(here / "all.sqlite"), writing=False) as ledger:
            reports = {entry.source: text for entry, text in ledger.read_entries(reports=True)}
        assert all(reports.values())
        assert "rle" in str(reports[str(here / "in" / "bad.dcm")])


def test_collisions_of_targets_are_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dicodec.batch.ledger.tables import FileOutcome, StartedFile, State

    for number in (1, 2):
        with Ledger(f"{number}.sqlite", writing=True) as ledger:
            ledger.start("digest", "")
            ledger.begin([StartedFile(f"/in/{number}", "/out/same", 0, 1, 1)])
            ledger.end(f"/in/{number}", FileOutcome(state=State.DONE, json="{}"))
    assert run(["jobs", "merge", "1.sqlite", "2.sqlite", "-o", "all.sqlite"]) == 1
    assert "/out/same is the result of /in/1, /in/2" in capsys.readouterr().err


def test_shards_with_one_place_for_two_results(here: Path) -> None:
    make_folder(here / "in", 8)  # all with one SOP Instance UID
    codes = []
    for number in (1, 2):
        place = ["-o", "out", "--layout", "{SOPInstanceUID}.dcm", "--shard", f"{number}/2"]
        convert("in", "--to", "rle", *place)
        ledger = rows(here / "out" / f".dicodec-ledger.{number}-of-2.sqlite")
        codes += [row[2] for row in ledger.values()]
    assert sorted(map(str, codes)) == ["None", *7 * ["target-exists"]]
    assert convert("in", "--to", "rle", "-o", "out", "--layout", "{SOPInstanceUID}.dcm",
                   "--overwrite", "--shard", "1/2") == 2  # fmt: skip


def test_killed_shards_are_resumed(here: Path) -> None:
    make_folder(here / "in", 300)
    program = [
        sys.executable,
        "-m",
        "dicodec.cli.main",
        "convert",
        "in",
        "--to",
        "rle",
        "-o",
        "out",
    ]
    for number in (1, 2, 3):
        command = [*program, "--jobs", "1", "-q", "--shard", f"{number}/3"]
        child = subprocess.Popen(command, start_new_session=True)
        deadline = give_up_at(60)
        while count_results(here / "out") < 20 * number and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        subprocess.run([*command, "--resume"], check=True, timeout=120)
    assert contents(here / "out") == {
        str(path.relative_to(here / "in")): RESULT for path in (here / "in").rglob("*.dcm")
    }
    assert run(["jobs", "merge", "out"]) == 0
    assert {row[1] for row in rows(here / "out" / LEDGER_NAME).values()} == {"done"}


@pytest.mark.parametrize("separator", ["\n", "\0", "\r\n"])
def test_a_list_names_the_sources(here: Path, separator: str) -> None:
    make_folder(here / "in", 9)
    (here / "elsewhere.dcm").write_bytes(CONTENT)
    names = ["0/000.dcm", "./1/001.dcm", "", "2", "../elsewhere.dcm"]
    (here / "list").write_text(separator.join(names))

    assert convert("in", "--files-from", "list", "--to", "rle", "-o", "out") == 0

    outside = str(here / "elsewhere.dcm").lstrip("/")
    assert contents(here / "out") == dict.fromkeys(
        ["0/000.dcm", "1/001.dcm", "2/002.dcm", "2/005.dcm", "2/008.dcm", outside], RESULT
    )


def test_a_list_from_standard_input_in_shards(here: Path) -> None:
    make_folder(here / "in", 30)
    names = sorted(map(str, (here / "in").rglob("*.dcm")))
    for number in (1, 2):
        subprocess.run(
            [*PROGRAM, "--files-from", "-", "--to",
             "rle", "--in-place", "--shard", f"{number}/2", "--ledger", "here.sqlite", "-q"],
            input="\n".join(names), text=True, check=True, timeout=120,
        )  # fmt: skip
    assert contents(here / "in") == {name.removeprefix(f"{here}/in/"): RESULT for name in names}
    first, second = (rows(here / f"here.{number}-of-2.sqlite") for number in (1, 2))
    assert first.keys() | second.keys() == set(names)
    assert not first.keys() & second.keys()


@pytest.mark.parametrize("place", [
    ("--in-place",), ("--in-place", "--backup", ".orig"), ("-o", "out"), ("-o", "out", "--layout",
    "{InstanceNumber}.dcm"), ("--in-place", "--dry-run"), ("--dry-run",),
], ids=" ".join)  # fmt: skip
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_a_list_repeats_is_converted_once(
    place: tuple[str, ...], jobs: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folder(here / "in", 1)
    other = convert_bytes(CONTENT, to="explicit-le", set_attributes={"InstanceNumber": "7"})
    (here / "in/1").mkdir()
    (here / "in/1/001.dcm").write_bytes(other)
    names = ["0/000.dcm", "0/000.dcm", "./0/000.dcm", "0", "1/../0/000.dcm", "1", "1/001.dcm", "1"]
    if "--layout" not in place and "-o" not in place:
        names += [str(here / "in/1/001.dcm")]  # elsewhere, its result would have another place
    (here / "list").write_text("\n".join(names))
    arguments = ["in", "--files-from", "list", "--to", "rle", *place, "--jobs", jobs]

    assert run(["convert", *arguments, "--json"]) == 0

    *told, last = map(json.loads, capsys.readouterr().out.splitlines())
    converted = [one["source"] for one in told if "source" in one]
    assert converted == ["in/0/000.dcm", "in/1/001.dcm"]
    assert last["summary"]["skipped"] == {"repeated": len(names) - 2}
    skipped = [one["skipped"] for one in told if "skipped" in one]
    assert [one["path"] for one in skipped[:3]] == [
        "in/0/000.dcm", "in/./0/000.dcm", "in/0/000.dcm",
    ]  # fmt: skip
    assert convert(*arguments, "--resume") == 0


@pytest.mark.parametrize("names", [
    ("x", "link"), ("link", "x"), ("folder/x", "link"), ("x", "folder"), ("folder/link", "x"),
], ids=" ".join)  # fmt: skip
def test_a_list_may_name_a_file_by_links(
    names: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "in").mkdir()
    (here / "in/x").write_bytes(CONTENT)
    (here / "in/link").symlink_to("x")
    (here / "in/folder").symlink_to(".")
    (here / "list").write_text("\n".join(names))
    lossy = ["in", "--files-from", "list", "--to", "jpeg2000", "--ratio", "9", "--in-place"]

    def convert_both(*more: str) -> tuple[int, int, int]:
        assert run(["convert", *lossy, *more, "--json"]) == 0
        told = json.loads(capsys.readouterr().out.splitlines()[-1])["summary"]
        return told["converted"], told["already_right"], told["skipped"].get("repeated", 0)

    assert convert_both() == (1, 0, 1)
    result = (here / "in/x").read_bytes()
    (here / "list").write_text("\n".join(reversed(names)))
    assert convert_both("--resume")[:2] == (0, 0)
    assert (here / "in/x").read_bytes() == result
    (here / "in/x").write_bytes(CONTENT)
    assert convert_both("--resume") == (1, 0, 1)


def test_hard_links_of_a_list_are_files_of_their_own(here: Path) -> None:
    (here / "in").mkdir()
    (here / "in/x").write_bytes(CONTENT)
    (here / "in/y").hardlink_to(here / "in/x")
    (here / "list").write_text("x\ny\n")

    assert convert("in", "--files-from", "list", "--to", "rle", "--in-place") == 0

    assert contents(here / "in") == {"x": RESULT, "y": RESULT}


def test_a_repeat_whose_result_has_another_place_is_an_error(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folder(here / "in", 1)
    (here / "list").write_text(f"0/000.dcm\n{here}/in/0/000.dcm\n")

    assert convert("in", "--files-from", "list", "--to", "rle", "-o", "out") == 1

    assert contents(here / "out") == {"0/000.dcm": RESULT}
    assert f"its result belongs at {here}/out/0/000.dcm [target-exists]" in capsys.readouterr().err


def test_a_repeat_of_a_source_without_a_place_is_judged_by_its_own(here: Path) -> None:
    make_folder(here / "in", 1)
    absolute = str(here / "in/0/000.dcm")
    (here / "list").write_text(f"0/000.dcm\n0/000.dcm\n{absolute}\n")
    (here / "out/0").mkdir(parents=True)
    (here / "out/0/000.dcm").write_bytes(b"another's")

    arguments = ("in", "--files-from", "list", "--to", "rle", "-o", "out", "--skip-existing")
    assert convert(*arguments) == 0

    assert contents(here / "out") == {"0/000.dcm": b"another's", absolute[1:]: RESULT}
    codes = [row[1:3] for row in rows(here / "out" / LEDGER_NAME).values()]
    assert codes == [*2 * [("skipped", "target-exists")], ("done", None)]


def test_what_a_list_cannot_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_folder(here / "in", 3)
    (here / "list").write_text("0/000.dcm\nmissing.dcm\nstudy.zip\n")
    assert (
        run(["convert", "in", "--files-from", "list", "--to", "rle", "--in-place", "--json"]) == 1
    )
    *told, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert [one.get("error", {}).get("code") for one in told] == [
        None, "source-unavailable", "invalid-option",
    ]  # fmt: skip
    place = ["--to", "rle", "-o", "out"]
    assert convert("--files-from", "nowhere", *place) == 2
    assert convert(*place) == 2
    assert convert("in", "in/0", "--files-from", "list", *place) == 2
    assert convert("--files-from", "list", "--to", "rle", "--in-place") == 2
    (here / "list").write_bytes(bytes(b"a" * 200_000))
    assert convert("--files-from", "list", *place) == 2


def test_references_need_all_shards(here: Path) -> None:
    make_folder(here / "in", 3)
    assert convert("in", "--to", "jpeg", "--lossy", "-o", "out", "--map-references",
                   "--shard", "1/2") == 2  # fmt: skip
