"""Trees and archives that somebody has built to stop a batch."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicodec.batch.sources.archives import list_members
from dicodec.batch.sources.folders import FoundFile, WalkOptions, walk
from dicodec.batch.sources.references import release
from dicodec.batch.sources.safe_names import make_safe_component
from dicodec.errors import DiskFullError, SourceUnavailableError
from helpers.made import make_file


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder that is removed by rm(1), because Python's own way may not be deep enough."""
    (tmp_path / "deep").mkdir()
    yield tmp_path / "deep"
    subprocess.run(["rm", "-rf", str(tmp_path / "deep")], check=True)


def dig(folder: Path, name: str, depth: int) -> None:
    """Make folders within folders, and a file in the last one; names too long for one call."""
    before = Path.cwd()
    os.chdir(folder)
    for _ in range(depth):
        Path(name).mkdir()
        os.chdir(name)
    Path("last.dcm").write_bytes(make_file(8, 8)[0])
    os.chdir(before)


@pytest.mark.parametrize("follow", [True, False])
def test_folders_deeper_than_calls_may_be(folder: Path, follow: bool) -> None:
    (folder / "a").mkdir()
    dig(folder / "a", "d", 1200)
    (folder / "b.dcm").write_bytes(b"x")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        found = [*walk(str(folder), WalkOptions(follow_links=follow))]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert [one.relative[-10:] for one in found if isinstance(one, FoundFile)] == [
        "d/last.dcm", "b.dcm",
    ]  # fmt: skip
    assert len(found) == 2


def test_a_path_that_is_too_long_is_one_error(folder: Path) -> None:
    (folder / "a").mkdir()
    dig(folder / "a", "d" * 100, 1200)
    (folder / "b.dcm").write_bytes(b"x")
    error, sound = walk(str(folder), WalkOptions())
    assert isinstance(error, SourceUnavailableError)
    assert "too long" in error.message
    assert isinstance(sound, FoundFile)
    subprocess.run(["rm", "-rf", str(folder / "a")], check=True)  # Python's own may be too shallow


def test_a_batch_of_a_deep_tree_goes_on(folder: Path) -> None:
    source = folder / "in"
    (source / "a").mkdir(parents=True)
    dig(source / "a", "d", 1100)
    (source / "b.dcm").write_bytes(make_file(8, 8)[0])
    command = [sys.executable, "-m", "dicodec.cli.main", "convert", str(source)]
    done = subprocess.run(
        [*command, "-o", str(folder / "out"), "--to", "rle", "--jobs", "1"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stderr.startswith("2 converted"), done.stderr[-500:]
    assert (folder / "out" / "b.dcm").exists()


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "many.tar.gz"
    (tmp_path / "a.dcm").write_bytes(make_file(256, 256)[0])
    with tarfile.open(path, "w:gz") as archive:
        for number in range(4):
            archive.add(tmp_path / "a.dcm", f"{number}.dcm")
    return path


def test_members_are_in_a_folder_of_this_process(packed: Path) -> None:
    members = [one for one in list_members(str(packed)) if not isinstance(one, Exception)]
    folders = {Path(one.spool or "").parent for one in members}
    assert len(members) == 4
    assert [one.name.startswith("dicodec-temp-") for one in folders] == [True]
    for one in members:
        release(one)
    assert not any(Path(one.spool or "").exists() for one in members)


@pytest.mark.parametrize("room", [1, 70_000])
def test_a_full_folder_for_temporary_files_is_named(packed: Path, room: int) -> None:
    """The disk is full when the first member is written, or in its midst."""
    program = (
        "import resource, signal, sys\n"
        "from dicodec.batch.sources.archives import list_members\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
        "try:\n    print([*list_members(sys.argv[1])])\n"
        "except Exception as error: print(getattr(error, 'code', repr(error)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(packed)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "disk-full", done.stderr


def test_a_member_that_cannot_be_made_is_a_full_disk(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> tuple[int, str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(DiskFullError, match="temporary"):
        [*list_members(str(packed))]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CON", "_CON"), ("con.dcm", "_con.dcm"), ("Nul", "_Nul"), ("COM1.a.b", "_COM1.a.b"),
        ("lpt9", "_lpt9"), ("aux .dcm", "_aux .dcm"), ("COM¹", "_COM¹"), ("CONIN$", "_CONIN$"),
        ("CONTRAST", "CONTRAST"), ("COM10", "COM10"), ("a.con", "a.con"), ("PRN_", "PRN_"),
        ("CON.", "CON_"), ("con ", "_con"),
    ],
)  # fmt: skip
def test_names_of_devices_are_none_of_files(text: str, name: str) -> None:
    assert make_safe_component(text) == name
