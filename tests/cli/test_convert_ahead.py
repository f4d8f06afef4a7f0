"""The template of a batch's workers starts before the command loads what it needs itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dicodec.cli.convert.ahead import MANY, start_template
from dicodec.cli.main import run
from helpers.environment import without_options
from helpers.processes import find_children
from helpers.real_files import shipped_file

FORKS = """
import json, os, sys

def note():
    with open(sys.argv[1], "a") as out:
        print(json.dumps([os.getpid(), sorted(sys.modules)]), file=out)

def fork():
    note()
    return forks()

forks, os.fork = os.fork, fork
from dicodec.cli.main import run
status = run(sys.argv[2:])
note()
sys.exit(status)
"""


def looks_like_batch(*given: str) -> bool:
    """Whether a template is started for arguments of the command."""
    template = start_template(given)
    if template is None:
        return False
    template.close()
    return True


def test_a_folder_an_archive_and_many_files_start_the_template(tmp_path: Path) -> None:
    files = []
    for number in range(MANY + 1):
        (tmp_path / f"{number}.dcm").touch()
        files.append(str(tmp_path / f"{number}.dcm"))
    assert looks_like_batch("--to", "rle", str(tmp_path), "-o", "out")
    assert looks_like_batch("--to", "rle", "a.zip", "-o", "out")
    assert looks_like_batch("--to", "rle", *files, "-o", "out")


@pytest.mark.parametrize("option", ["-o", "--output"])
def test_a_single_file_starts_none(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not looks_like_batch("--to", "rle", str(shipped_file("CT_small.dcm")), "-q", option,
                                str(tmp_path))  # fmt: skip
    assert not looks_like_batch("--help")
    (tmp_path / "rle").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not looks_like_batch("--to", "rle", "a.dcm", option, "b.dcm")
    assert not looks_like_batch()


def test_template_and_command_load_nothing_twice(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.dcm").write_bytes(shipped_file("CT_small.dcm").read_bytes())
    records = tmp_path / "records"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKS, str(records), "convert", str(source), "--to",
         "implicit-le", "-q", "-o", str(tmp_path / "out")],
        check=True, env=without_options(),
    )  # fmt: skip
    found = [json.loads(line) for line in records.read_text().splitlines()]
    command, before = found[0]
    template = next(set(modules) for process, modules in found if process != command)
    assert "argparse" not in before
    assert "dicodec.conversion.attempt" in template
    assert "sqlite3" in found[-1][1]
    assert sorted(template.intersection(found[-1][1]) - {*before}) == []


def test_wrong_usage_of_a_batch_leaves_no_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, descriptors = find_children(), len([*Path("/proc/self/fd").iterdir()])
    assert run(["convert", str(tmp_path), "--to", "rle", "--no-such-option"]) == 2
    assert "no-such-option" in capsys.readouterr().err
    assert find_children() == before
    assert len([*Path("/proc/self/fd").iterdir()]) == descriptors
