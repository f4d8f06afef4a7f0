"""Names that are empty, too long, or lead in a circle; files that are not ours."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.made import make_file


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dicodec", *arguments],
        capture_output=True, text=True, timeout=120, cwd=folder,
    )  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "a.dcm").write_bytes(make_file(8, 8)[0])
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["watch", "", "-o", "out", "--to", "rle", "--once"], "FOLDER"),
        (["watch", "in", "-o", "", "--to", "rle", "--once"], "-o/--output"),
        (["submit", "", "-o", "out", "--to", "rle", "--queue", "q"], "SOURCE"),
        (["submit", "a.dcm", "", "-o", "out", "--to", "rle", "--queue", "q"], "SOURCE"),
        (["restore", ""], "LEDGER"),
        (["jobs", ""], "LEDGER"),
        (["convert", ".", "-o", "out/", "--to", "rle", "--ledger", ""], "--ledger"),
        (["convert", "a.dcm", "-o", "b.dcm", "--to", "rle", "--config="], "--config"),
        (["convert", "a.dcm", "-o", "b.dcm", "--to", "rle", "--report", ""], "--report"),
        (["worker", "--broker", "memory:", "--root", ""], "--root"),
        (["serve", "--root", ""], "--root"),
        (["convert", "", "-o", "b.dcm", "--to", "rle"], "SOURCE"),
    ],
)  # fmt: skip
def test_an_empty_argument_is_wrong_usage(here: Path, arguments: list[str], name: str) -> None:
    done = run(here, *arguments)
    assert done.returncode == 2, done.stderr
    assert f"error: {name} is empty" in done.stderr
    assert sorted(one.name for one in here.iterdir()) == ["a.dcm"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["jobs", "{}"], ["restore", "{}"], ["show", "{}", "-o", "a.png"], ["inspect", "{}"],
        ["watch", "{}", "-o", "out", "--to", "rle", "--once"], ["audit", "{}", "."],
        ["convert", ".", "--to", "rle", "-o", "out/", "--ledger", "{}"],
        ["convert", "a.dcm", "--to", "rle", "-o", "{}"],
        ["convert", "a.dcm", "--to", "rle", "-o", "b.dcm", "--report", "{}"],
        ["convert", "a.dcm", "--to", "rle", "-o", "b.dcm", "--config", "{}"],
        ["convert", "a.dcm", "--policy", "{}.toml", "-o", "b.dcm"],
        ["serve", "--root", "{}"], ["serve", "--data", "{}"], ["gateway", "check", "{}"],
        ["submit", "{}", "-o", "out", "--to", "rle", "--queue", "q"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["x" * 300, "loop"])
def test_the_error_is_about_the_file(here: Path, arguments: list[str], name: str) -> None:
    (here / "loop").symlink_to("loop")
    (here / "loop.toml").symlink_to("loop.toml")
    done = run(here, *(one.format(name) for one in arguments))
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    assert "standard output" not in done.stderr
    assert name in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a folder that is in use cannot go")
@pytest.mark.parametrize(
    "arguments",
    [
        ["convert", ".", "--to", "rle", "-o", "out/"], ["watch", ".", "-o", "out", "--to", "rle"],
        ["jobs", "merge", ".", "-o", "x"], ["submit", ".", "-o", "o", "--to", "rle"],
        ["serve", "--root", "."],
    ],
)  # fmt: skip
def test_a_current_folder_that_is_gone_is_said(here: Path, arguments: list[str]) -> None:
    gone = here / "gone"
    gone.mkdir()
    command = [sys.executable, "-m", "dicodec", *arguments]
    script = "import os, sys\nos.rmdir(os.getcwd())\nos.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", script, *command],
        capture_output=True, text=True, timeout=120, cwd=gone,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    assert "standard output" not in done.stderr
    assert done.stderr.startswith("dicodec")


@pytest.mark.parametrize("arguments", [["--help"], ["--version", "-v"], ["convert", "--help"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_is_no_fault(arguments: list[str], unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "dicodec", *arguments],
        stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    os.close(writing)
    assert done.stderr == ""


@pytest.mark.skipif(os.name != "posix", reason="modes")
@pytest.mark.parametrize("content", [b"notes of mine\n", b"{}", bytes(5000)])
@pytest.mark.parametrize(
    "arguments",
    [
        ["convert", ".", "--to", "rle", "-o", "out/", "--ledger", "mine"],
        ["submit", "a.dcm", "-o", "out", "--to", "rle", "--queue", "mine"],
    ],
)
def test_a_file_that_is_not_ours_keeps_its_mode(
    here: Path, arguments: list[str], content: bytes
) -> None:
    mine = here / "mine"
    mine.write_bytes(content)
    mine.chmod(0o644)
    assert run(here, *arguments).returncode == 2
    assert mine.read_bytes() == content
    assert stat.S_IMODE(mine.stat().st_mode) == 0o644


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_a_ledger_of_ours_becomes_private(here: Path) -> None:
    assert run(here, "convert", ".", "--to", "rle", "-o", "out/").returncode == 0
    ledger = here / "out" / ".dicodec-ledger.sqlite"
    ledger.chmod(0o644)
    shutil.copy(here / "a.dcm", here / "b.dcm")
    assert run(here, "convert", ".", "--to", "rle", "-o", "out/", "--resume").returncode == 0
    assert stat.S_IMODE(ledger.stat().st_mode) == 0o600
