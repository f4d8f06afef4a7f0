"""`dicodec jobs`: what a ledger knows, in three forms, also while it is being written."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LEDGER_NAME, FileOutcome, StartedFile, State
from dicodec.cli.main import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An output folder with a ledger of three files."""
    with Ledger(str(tmp_path / LEDGER_NAME), writing=True) as ledger:
        ledger.start("digest", "convert in")
        ledger.begin([StartedFile(f"/in/{name}", f"/out/{name}", at, 100, 7)
                      for at, name in enumerate("abc")])  # fmt: skip
        ledger.end("/in/b", FileOutcome(state=State.DONE, json='{"frames": 1}', target_size=40,
                                   action="transcoded"))  # fmt: skip
        failed = FileOutcome(
            state=State.FAILED, json="{}", error_code="disk-full", error_text="no room is left"
        )
        ledger.end("/in/a", failed)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run(["jobs", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_a_summary(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, folder)

    assert text.splitlines() == [
        "1 done, transcoded: 100 bytes -> 40 bytes", "1 failed, disk-full", "1 running",
    ]  # fmt: skip
    assert text == shown(capsys, folder / LEDGER_NAME, "summary")
    rows = json.loads(shown(capsys, folder, "--format", "json"))
    assert rows[1]["error_code"] == "disk-full"
    table = list(csv.DictReader(io.StringIO(shown(capsys, folder, "--format", "csv"))))
    assert [row["files"] for row in table] == ["1", "1", "1"]
    assert shown(capsys, folder, "--state", "failed") == "1 failed, disk-full\n"


@pytest.mark.parametrize(
    "arguments",
    [["out", "list", "--cause", "disk-full"], ["out", "--broker", "redis://h"],
     ["out", "--queue", "q"], ["retry", "list"], ["retry", "--state", "failed"],
     ["retry", "--format", "csv"]],
)  # fmt: skip
def test_arguments_without_a_meaning_are_refused(
    arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(folder) if word == "out" else word for word in arguments]
    assert run(["jobs", *words]) == 2
    assert "has no meaning" in capsys.readouterr().err


def test_a_line_a_file_in_the_order_of_listing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, folder, "list").splitlines() == [
        "failed: /in/a -> /out/a: no room is left [disk-full]",
        "done: /in/b -> /out/b",
        "running: /in/c -> /out/c",
    ]
    assert shown(capsys, folder, "list", "--state", "failed", "--state", "running").count("\n") == 2


def test_exports(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, folder, "export", "--format", "json").splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["source"] for entry in entries] == ["/in/a", "/in/b", "/in/c"]
    assert entries[1]["report"] == {"frames": 1}
    assert "report" not in entries[2]

    rows = list(csv.DictReader(io.StringIO(shown(capsys, folder, "export", "--format", "csv"))))
    assert [row["state"] for row in rows] == ["failed", "done", "running"]
    assert rows[1]["target_size"] == "40"
    assert rows[2]["target_size"] == ""


def test_a_ledger_can_be_read_while_it_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ledger(str(folder / LEDGER_NAME), writing=True) as ledger:
        ledger.start("", "")
        ledger.begin([StartedFile("/in/d", None, 0, 1, 1)])
        assert "running: /in/d" in shown(capsys, folder, "list")


def test_no_ledger_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("text" * 1000)
    for path in (tmp_path, tmp_path / "missing", tmp_path / "text"):
        assert run(["jobs", str(path)]) == 2
        assert capsys.readouterr().err.endswith("[invalid-option]\n")
