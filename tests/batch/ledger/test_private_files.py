"""Files of our own: read by their owner only, and planted links are not followed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dicodec.batch.ledger.ledger import Ledger
from dicodec.errors import TargetUnavailableError
from dicodec.part10.beneath import follow_named, open_private
from dicodec.service.jobs.store.store import JobStore

SECRET = b"somebody's"


def make_ledger(path: Path) -> None:
    with Ledger(str(path), writing=True) as ledger:
        ledger.start("", "")


def make_store(path: Path) -> None:
    with JobStore(path) as store:
        store.check()


MAKERS = pytest.mark.parametrize("make", [make_ledger, make_store])


@MAKERS
def test_only_the_owner_reads_them(make: object, tmp_path: Path) -> None:
    assert callable(make)
    before = os.umask(0)
    try:
        for mode in (None, 0o666):
            path = tmp_path / f"file-{mode}"
            if mode is not None:
                make(path)
                path.chmod(mode)
            make(path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


@MAKERS
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal", "-lock"])
def test_planted_links_are_not_followed(make: object, suffix: str, tmp_path: Path) -> None:
    assert callable(make)
    victim = tmp_path / "victim"
    victim.write_bytes(SECRET)
    planted = tmp_path / f"file{suffix}"
    planted.symlink_to(victim)
    if make is make_store and suffix == "-lock":
        make(tmp_path / "file")  # it has no such file
    else:
        with pytest.raises(TargetUnavailableError):
            make(tmp_path / "file")
    assert victim.read_bytes() == SECRET
    planted.unlink()
    planted.symlink_to(tmp_path / "new")
    if make is not make_store or suffix != "-lock":
        with pytest.raises(TargetUnavailableError):
            make(tmp_path / "file")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_other_kinds_of_file_are_refused_at_once(kind: str, tmp_path: Path) -> None:
    if kind == "pipe":
        os.mkfifo(tmp_path / "file")
    else:
        (tmp_path / "file").mkdir()
    for make in (make_ledger, make_store):
        with pytest.raises(TargetUnavailableError):
            make(tmp_path / "file")
    with pytest.raises(OSError, match=r"."):
        open_private(tmp_path / "file")


def test_a_link_that_a_user_names_is_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert follow_named(str(tmp_path / "link")) == str(tmp_path / "real")
    assert follow_named(str(tmp_path / "plain")) == str(tmp_path / "plain")
    assert follow_named("") == ""
