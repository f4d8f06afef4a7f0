"""docs/archivist.md: every block of commands runs, in order, and the folder comes back."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from dicodec.cli.main import run
from helpers.real_files import shipped_file

PAGE = Path(__file__).parents[2] / "docs" / "archivist.md"
NAMES = ("CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "rtplan.dcm")


def test_its_commands_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    for name in NAMES:
        shutil.copy2(shipped_file(name), folder)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) >= 9
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "dicodec"
        assert run(arguments) == 0, command
    assert "4 restored, 0 refused" in capsys.readouterr().err
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()
             if not path.name.startswith(".dicodec-ledger")}  # fmt: skip
    assert after == before
    assert (tmp_path / "report.html").stat().st_size > 1000
