"""Temporary folders leave with their process, also if it is killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from dicodec.part10.temporary import TemporaryFolder, remove_leftovers

PROGRAM = """
import sys, time
from pathlib import Path
from dicodec.part10.temporary import TemporaryFolder
with TemporaryFolder() as folder:
    (Path(folder) / "member").write_bytes(b"a patient's")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    remove_leftovers.cache_clear()
    return tmp_path


def start(place: Path) -> tuple[subprocess.Popen[bytes], Path]:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(place)},
    )  # fmt: skip
    assert child.stdout is not None
    return child, Path(child.stdout.readline().decode().strip())


def make_old(folder: Path) -> None:
    os.utime(folder, (time.time() - 3600,) * 2)


def test_a_folder_is_the_owners_and_leaves_with_its_block(place: Path) -> None:
    with TemporaryFolder() as folder:
        assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
        (Path(folder) / "member").touch()
        assert [*place.iterdir()] == [Path(folder)]
    assert [*place.iterdir()] == []


def test_a_killed_process_leaves_nothing_for_long(place: Path) -> None:
    killed, left = start(place)
    living, used = start(place)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    make_old(left)
    make_old(used)
    fresh = place / "dicodec-temp-fresh"
    fresh.mkdir()
    other = place / "dicodec-other"
    other.mkdir()
    make_old(other)
    link = place / "dicodec-temp-link"
    link.symlink_to(other)
    (other / "kept").touch()
    make_old(other)
    with TemporaryFolder():
        assert not left.exists(), "whoever starts next removes it"
        assert (used / "member").exists(), "its process lives"
        assert fresh.exists(), "it may not be locked yet"
        assert (other / "kept").exists()
    living.communicate(b"", 30)
    killed.communicate()
    assert not used.exists()
