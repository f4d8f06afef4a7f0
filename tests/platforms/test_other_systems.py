"""The command without what macOS and Windows lack, and the module that knows about it."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dicodec
from dicodec.batch.pool.messages import WorkOfModule
from dicodec.batch.pool.pool import ItemGroup, ItemOutcome, ItemProgress, ItemReturned
from dicodec.batch.pool.thread_pool import ThreadPool
from dicodec.cli.main import run
from dicodec.errors import InvalidOptionError
from helpers import other_system
from helpers.environment import without_options
from helpers.real_files import shipped_file

PACKAGE = Path(dicodec.__path__[0])
SYSTEMS = ("macos", "windows")
NAMES = ("CT_small.dcm", "MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm", "rtplan.dcm")
OF_UNIX = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "msvcrt", "winreg"}


def call(system: str, *arguments: object, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", other_system.__file__, system, *map(str, arguments)],
        capture_output=True, text=True, check=False, env=without_options(),
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "in"
    (found / "below").mkdir(parents=True)
    for name in NAMES:
        shutil.copy2(shipped_file(name), found / "below")
    (found / "notes.txt").write_text("text")
    return found


def test_one_module_alone_imports_what_systems_lack() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.name == "platforms.py":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:  # of the module itself
            names = {name.name for name in node.names} if isinstance(node, ast.Import) else set()
            if isinstance(node, ast.ImportFrom):
                names = {node.module or ""}
            assert names.isdisjoint(OF_UNIX), path


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("to", ["rle", "jpeg2000-lossless", "implicit-le", "deflated", "jpeg-ls"])
def test_a_file_is_converted_to_the_same_bytes(system: str, to: str, tmp_path: Path) -> None:
    source = shipped_file("CT_small.dcm")
    call(system, "convert", source, "--to", to, "-o", tmp_path / "other.dcm", "--verify")
    assert run(["convert", str(source), "--to", to, "-o", str(tmp_path / "here.dcm")]) == 0
    assert (tmp_path / "other.dcm").read_bytes() == (tmp_path / "here.dcm").read_bytes()
    assert len([*tmp_path.iterdir()]) == 2


@pytest.mark.parametrize("system", SYSTEMS)
def test_files_are_described_compared_and_shown(system: str, tmp_path: Path) -> None:
    source = shipped_file("MR_small_RLE.dcm")
    assert "rle" in call(system, "inspect", source)
    call(system, "compare", source, source)
    call(system, "show", source, "-o", tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 500
    assert "jpeg-ls" in call(system, "syntaxes")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_folder_is_converted_by_threads(system: str, folder: Path, tmp_path: Path) -> None:
    other, here = tmp_path / "other", tmp_path / "here"
    told = call(system, "convert", folder, "--to", "rle", "-o", other, "--jobs", "2", "--digests")
    assert "2 converted, 2 already right, 1 skipped, 0 failed" in told
    assert run(["convert", str(folder), "--to", "rle", "-o", str(here), "-q"]) == 0
    for path in here.rglob("*.dcm"):
        assert (other / path.relative_to(here)).read_bytes() == path.read_bytes()
    told = call(system, "convert", folder, "--to", "rle", "-o", other, "--resume")
    assert "done by an earlier run: 4" in told
    assert "2 done, copied" in call(system, "jobs", other)
    assert "estimated" in call(system, "convert", folder, "--to", "jpeg-ls", "--dry-run")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_folder_in_place_and_back(system: str, folder: Path) -> None:
    def state() -> dict[Path, tuple[bytes, int]]:
        return {
            path: (path.read_bytes(), path.stat().st_mtime_ns)
            for path in folder.rglob("*")
            if path.is_file() and not path.name.startswith(".dicodec-ledger")
        }

    before = state()
    call(system, "convert", folder, "--to", "jpeg-ls", "--in-place", "--backup", ".orig")
    assert state() != before
    call(system, "restore", folder)
    assert state() == before


@pytest.mark.parametrize("system", SYSTEMS)
def test_bounds_that_need_processes_are_refused(system: str, folder: Path, tmp_path: Path) -> None:
    arguments = ("convert", folder, "--to", "rle", "-o", tmp_path / "out")
    assert "processes" in call(system, *arguments, "--memory", "1G", status=2)
    assert "processes" in call(system, *arguments, "--timeout", "9", status=2)


WORK = WorkOfModule("helpers.pool_work", "double")


def collect(pool: ThreadPool, count: int) -> list[object]:
    events: list[object] = []
    while sum(not isinstance(one, ItemProgress) for one in events) < count:
        events += pool.wait(5)
    return events


def test_threads_have_an_outcome_for_each_item() -> None:
    with ThreadPool(2) as pool:
        assert pool.room == 2
        pool.submit(ItemGroup(WORK, None, [1, 2, "bad"], ["a", "b", "c"]))
        events = collect(pool, 3)
        found = {one.key: one for one in events if isinstance(one, ItemOutcome)}
        assert {key: one.result for key, one in found.items()} == {"a": 2, "b": 4, "c": None}
        assert found["c"].error is not None
        while pool.busy:
            pool.wait(0.1)
        assert pool.room == 2


def test_what_has_not_begun_is_given_back() -> None:
    with ThreadPool(1) as pool:
        pool.submit(ItemGroup(WORK, None, [1] * 50, [*range(50)]))
        pool.submit(ItemGroup(WORK, None, [1], [50]))
        events = [*pool.stop(), *pool.discard()]
        assert not pool.busy
        assert sorted(one.key for one in events) == [*range(51)]
        assert any(isinstance(one, ItemReturned) for one in events)


def test_threads_have_no_bounds() -> None:
    with pytest.raises(InvalidOptionError):
        ThreadPool(1, timeout=1)
    with pytest.raises(InvalidOptionError):
        ThreadPool(1, memory=1)
