"""Results that take their places together: the order of what is asked of the system, and errors."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dicodec.conversion.output import exchange
from dicodec.conversion.output.kept_originals import LIST_NAME
from dicodec.conversion.output.original import read_original
from dicodec.conversion.output.placement import Placement
from dicodec.errors import DicodecError, SourceChangedError, TargetExistsError, WriteError
from helpers.killed_calls import killing_environment
from helpers.outputs import create_output

CALLS = ("fsync", "link", "replace", "rename", "unlink")


def write(
    placement: Placement,
    target: Path,
    text: str = "new",
    *,
    overwrite: bool = False,
    backup: str | None = None,
) -> None:
    original = read_original(target) if overwrite else None
    with create_output(
        target, overwrite=overwrite, backup=backup, original=original, placement=placement
    ) as part:
        part.write_text(text)


def contents(folder: Path) -> dict[str, str]:
    """Return all files but the list of kept originals."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file())
    return {path.name: path.read_text() for path in files if path.name != LIST_NAME}


def codes(errors: list[DicodecError | None]) -> list[str]:
    return [error.code if error else "" for error in errors]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that calls of the system are appended to: "fsync a", "replace a"."""
    made: list[str] = []

    def recorded(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **settings: Any) -> Any:
            first = arguments[-1]  # what a file is renamed or linked to
            path = Path(f"/proc/self/fd/{first}").readlink() if name == "fsync" else Path(first)
            made.append(f"{name} {path.name.removeprefix('.').removesuffix('.dicodec-part')}")
            return call(*arguments, **settings)

        return wrapper

    for name in CALLS:
        monkeypatch.setattr(os, name, recorded(name, getattr(os, name)))
    exchanged = recorded("exchange", exchange.exchange_names)
    monkeypatch.setattr(exchange, "exchange_names", exchanged)
    return made


def test_all_are_synced_before_any_is_renamed_and_each_folder_is_once(
    tmp_path: Path, calls: list[str]
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    with Placement() as placement:
        for target in (one / "a", one / "b", two / "c"):
            write(placement, target)
        assert contents(one) == {".a.dicodec-part": "new", ".b.dicodec-part": "new"}
        assert calls == []
        assert placement.place() == [None, None, None]
        assert len(placement) == 0

    assert calls == [
        "fsync a", "fsync b", "fsync c",
        "link a", "unlink a", "link b", "unlink b", "link c", "unlink c",
        "fsync one", "fsync two",
    ]  # fmt: skip
    assert contents(one) == {"a": "new", "b": "new"}
    assert contents(two) == {"c": "new"}


def test_backups_are_on_the_disk_before_the_originals_go(tmp_path: Path, calls: list[str]) -> None:
    for name in "ab":
        (tmp_path / name).write_text("old")
    with Placement() as placement:
        for name in "ab":
            write(placement, tmp_path / name, overwrite=True, backup=".orig")
        assert placement.place() == [None, None]

    folder = f"fsync {tmp_path.name}"
    assert calls == [
        "fsync a", "fsync b", "fsync dicodec-kept", "link a.orig", "link b.orig", folder,
        "exchange a", "unlink a", "exchange b", "unlink b", folder,
    ]  # fmt: skip
    assert contents(tmp_path) == {"a": "new", "a.orig": "old", "b": "new", "b.orig": "old"}


def test_one_that_cannot_be_synced_is_not_renamed_and_disturbs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / name).write_text("old")
    sync = os.fsync

    def fail(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == ".b.dicodec-part":
            raise OSError(errno.EIO, "Input/output error")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with Placement() as placement:
        for name in "abc":
            write(placement, tmp_path / name, overwrite=True)
        errors = placement.place()

    assert codes(errors) == ["", "write-error", ""]
    assert errors[1] is not None
    assert errors[1].path == str(tmp_path / "b")
    assert contents(tmp_path) == {"a": "new", "b": "old", "c": "new"}


def test_a_full_disk_is_found_when_results_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with Placement() as placement:
        write(placement, tmp_path / "a")
        write(placement, tmp_path / "b")
        assert codes(placement.place()) == ["disk-full", "disk-full"]
    assert contents(tmp_path) == {}


def test_what_happened_to_a_target_meanwhile_is_its_own_error(tmp_path: Path) -> None:
    (tmp_path / "changed").write_text("old")
    with Placement() as placement:
        write(placement, tmp_path / "taken")
        write(placement, tmp_path / "free")
        write(placement, tmp_path / "changed", overwrite=True)
        (tmp_path / "taken").write_text("of another")
        (tmp_path / "changed").write_text("written to")
        taken, free, changed = placement.place()

    assert isinstance(taken, TargetExistsError)
    assert free is None
    assert isinstance(changed, SourceChangedError)
    assert contents(tmp_path) == {"changed": "written to", "free": "new", "taken": "of another"}


def test_a_backup_that_cannot_be_made_keeps_its_original_only(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text("old")
    with Placement() as placement:
        for name in "ab":
            write(placement, tmp_path / name, overwrite=True, backup=".orig")
        (tmp_path / "a.orig").write_text("of another")
        assert codes(placement.place()) == ["target-exists", ""]

    assert contents(tmp_path) == {"a": "old", "a.orig": "of another", "b": "new", "b.orig": "old"}


def test_a_folder_that_cannot_be_synced_is_an_error_of_all_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    sync = os.fsync

    def fail(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink() == one:
            raise OSError(errno.EIO, "Input/output error")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with Placement() as placement:
        for target in (one / "a", two / "b", one / "c"):
            write(placement, target)
        assert codes(placement.place()) == ["write-error", "", "write-error"]


def test_what_waits_at_the_end_is_removed(tmp_path: Path) -> None:
    descriptors = len([*Path("/proc/self/fd").iterdir()])
    with Placement() as placement:
        for name in "abc":
            write(placement, tmp_path / name)
        placement.give_up(1)
        assert [*contents(tmp_path)] == [".a.dicodec-part"]
    assert contents(tmp_path) == {}
    assert len([*Path("/proc/self/fd").iterdir()]) == descriptors


def test_what_failed_before_it_was_written_never_waits(tmp_path: Path) -> None:
    with Placement() as placement:
        with (
            pytest.raises(WriteError),
            create_output(tmp_path / "a", overwrite=False, placement=placement),
        ):
            raise WriteError("broken")
        assert len(placement) == 0
        assert placement.place() == []
    assert contents(tmp_path) == {}


# Killed. A child replaces three files together and ends, as by kill -9, before the n-th call of the
# system. Each of them is the old one or the new one then, whole, and the next run leaves no trace.

KILLED = """
import json, os, sys
from pathlib import Path
from dicodec.conversion.output.original import read_original
from helpers.outputs import create_output
from dicodec.conversion.output.placement import Placement
from helpers.killed_calls import die_before

folder = Path(sys.argv[1])
targets = [folder / name for name in ("a", "b", "c")]

def begin():
    for left in folder.iterdir():
        left.unlink()
    for target in targets:
        target.write_text("old")

def convert():
    with Placement() as placement:
        for target in targets:
            with create_output(target, overwrite=True, backup=".orig", placement=placement,
                               original=read_original(target)) as part:
                part.write_text("new")
        assert placement.place() == [None, None, None]

seen = set()
for number in range(1, 1000):
    begin()
    pid = os.fork()
    if not pid:
        die_before(number)
        convert()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    texts = [target.read_text() for target in targets]
    assert set(texts) <= {"old", "new"}, texts
    for target, text in zip(targets, texts):
        kept = target.with_name(target.name + ".orig")
        assert text == "old" or kept.read_text() == "old"
    seen.add("".join(text[0] for text in texts))
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0 and texts == ["new"] * 3
        break
    for target in targets:  # begun anew, as after a kill
        if target.read_text() == "new":
            target.with_name(target.name + ".orig").unlink()
    convert()
    left = {path.name for path in folder.iterdir() if path.name != ".dicodec-kept"}
    assert left == {"a", "b", "c", "a.orig", "b.orig", "c.orig"}, left
print(json.dumps(sorted(seen)))
"""


def test_killed_at_any_call_each_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env=killing_environment(),
    )

    assert (run.stderr, run.returncode) == ("", 0)
    assert json.loads(run.stdout) == ["nnn", "nno", "noo", "ooo"]
