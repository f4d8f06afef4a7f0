"""Roots: a machine that sees other files than the driver is told apart, also by an empty folder."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicodec.batch.cluster.roots import Root, check_again, check_machine, keep_probes
from dicodec.batch.sources.folders import FoundFile, WalkOptions, walk
from dicodec.errors import SourceUnavailableError, TargetUnavailableError, WriteError


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A share with a source and a folder for results."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a.dcm").write_bytes(b"a source")
    (tmp_path / "out").mkdir()
    return tmp_path


def elsewhere(share: Path) -> None:
    """Make the places what they are where the share is not mounted: empty folders."""
    for name in ("in", "out"):
        shutil.rmtree(share / name)
        (share / name).mkdir()


@pytest.fixture
def roots(share: Path) -> Iterator[list[Root]]:
    with keep_probes([str(share / "in")], [str(share / "out")]) as kept:
        yield pickle.loads(pickle.dumps(kept))


def test_a_machine_with_the_same_files_may_work(share: Path, roots: list[Root]) -> None:
    check_machine(roots)
    check_again(roots)
    assert [root.written for root in roots] == [True, False]
    assert len([*(share / "out").iterdir()]) == 1


def test_an_empty_place_of_a_share_is_not_the_share(share: Path, roots: list[Root]) -> None:
    elsewhere(share)
    for check in (check_machine, check_again):
        with pytest.raises(TargetUnavailableError, match="does not see the same there") as caught:
            check(roots)
        assert caught.value.path == str(share / "out")
        assert "\n" not in str(caught.value)
        with pytest.raises(SourceUnavailableError, match="does not see the same there"):
            check(roots[1:])


def test_a_folder_with_other_files_is_another(share: Path, roots: list[Root]) -> None:
    (share / "in" / "deep" / "a.dcm").write_bytes(b"another")
    with pytest.raises(SourceUnavailableError):
        check_machine(roots)


def test_a_source_that_its_owner_removes_stops_nothing(share: Path, roots: list[Root]) -> None:
    (share / "in" / "b.dcm").write_bytes(b"left")
    (share / "in" / "deep" / "a.dcm").unlink()
    check_again(roots)


def test_the_probe_goes_at_the_end_and_no_walk_sees_it(share: Path) -> None:
    with keep_probes([str(share / "in")], [str(share / "in")]) as roots:
        assert len(roots) == 1
        check_machine(roots)
        found = list(walk(str(share / "in"), WalkOptions(hidden=True)))
        assert [one.relative for one in found if isinstance(one, FoundFile)] == ["deep/a.dcm"]
        assert len(found) == 1
    assert [path.name for path in (share / "in").iterdir()] == ["deep"]


def test_a_killed_driver_leaves_a_probe_that_the_next_one_replaces(share: Path) -> None:
    left = share / "out" / ".dicodec-probe.dicodec-part"
    left.write_bytes(b"of the killed one")
    with keep_probes([], [str(share / "out")]) as roots:
        assert [root.known for root in roots] == [str(left)]
        with keep_probes([], [str(share / "out")]) as others:  # of another batch at the same time
            assert others[0].known != str(left)
            check_machine([*roots, *others])
    assert [*(share / "out").iterdir()] == []


def test_a_machine_that_cannot_write_is_told(share: Path, roots: list[Root]) -> None:
    if os.geteuid() == 0:
        (probe,) = (share / "out").iterdir()
        roots = [Root("/proc", written=True, known=roots[0].known, digest=roots[0].digest)]
        assert probe.exists()
    else:
        (share / "out").chmod(0o500)
    with pytest.raises(TargetUnavailableError, match="cannot write there"):
        check_machine(roots)


def test_a_folder_without_files_has_to_be_there(share: Path) -> None:
    (share / "empty").mkdir()
    with keep_probes([str(share / "empty"), str(share / "no-such")], []) as roots:
        assert [root.path for root in roots] == [str(share / "empty")]
        check_machine(roots)
        (share / "empty").rmdir()
        with pytest.raises(SourceUnavailableError):
            check_machine(roots)


def test_a_probe_that_cannot_be_written_is_an_error_of_the_driver(share: Path) -> None:
    with pytest.raises(WriteError), keep_probes([], [str(share / "no-such")]):
        pass
