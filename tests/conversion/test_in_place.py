"""Files replaced in place: what they keep, what is kept of them, and what a kill leaves."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dicodec import convert, convert_bytes
from dicodec.cli.main import run
from dicodec.conversion.output import exchange
from dicodec.conversion.output.kept_originals import LIST_NAME
from dicodec.conversion.output.part_file import (
    PART_SUFFIX,
    PartFile,
    is_part_file,
    make_part_name,
    remove_leftover,
)
from dicodec.conversion.output.replacement import take_over
from dicodec.errors import (
    InvalidOptionError,
    SourceChangedError,
    TargetExistsError,
    WriteError,
)
from dicodec.report import ConversionReport
from helpers.killed_calls import killing_environment
from helpers.made import IMAGE_KINDS
from helpers.outputs import create_output

CONTENT = IMAGE_KINDS["multi-frame"].make()[0]
EXPECTED = convert_bytes(CONTENT, to="rle")


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files but the list of kept originals."""
    files = (path for path in folder.iterdir() if path.is_file())
    return {path.name: path.read_bytes() for path in files if path.name != LIST_NAME}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.dcm"
    path.write_bytes(CONTENT)
    return path


def in_place(path: Path, backup: str | None = None) -> ConversionReport:
    return convert(path, path, to="rle", overwrite=True, backup=backup)


# What stays.


def test_extended_attributes_stay(source: Path) -> None:
    os.setxattr(source, "user.dicodec.test", b"kept \0\xff")

    report = in_place(source)

    assert source.read_bytes() == EXPECTED
    assert os.getxattr(source, "user.dicodec.test") == b"kept \0\xff"
    assert report.warnings == []


def test_attributes_that_cannot_be_kept_are_named(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.setxattr(source, "user.dicodec.test", b"x")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(os, "setxattr", refuse)

    assert in_place(source).warnings == ["extended attributes could not be kept: user.dicodec.test"]
    assert source.read_bytes() == EXPECTED


def test_an_owner_that_cannot_be_kept_is_told(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    known = os.stat_result([*source.stat()[:4], 4321, 4321, *source.stat()[6:]])
    monkeypatch.setattr(os, "chown", refuse)
    notes: list[str] = []
    with (
        pytest.MonkeyPatch.context() as patch,
        create_output(source, overwrite=True, notes=notes) as part,
    ):
        patch.setattr(
            "dicodec.conversion.output.result_file.take_over",
            lambda new, old, _: take_over(new, old, known),
        )
        part.write_bytes(b"new")

    assert notes == ["the owner of the file that is replaced could not be kept"]


def test_nobody_else_may_read_a_part_of_what_they_may_not_read(source: Path) -> None:
    source.chmod(0o640)
    with create_output(source, overwrite=True) as part:
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
    assert stat.S_IMODE(source.stat().st_mode) == 0o640


def test_a_symbolic_link_stays_and_its_file_is_replaced(source: Path) -> None:
    folder = source.parent / "links"
    folder.mkdir()
    link = folder / "link.dcm"
    link.symlink_to(source)
    (folder / "second.dcm").symlink_to("link.dcm")

    in_place(folder / "second.dcm", ".orig")

    assert link.is_symlink()
    assert (folder / "second.dcm").readlink() == Path("link.dcm")
    assert contents(source.parent) == {"source.dcm": EXPECTED, "source.dcm.orig": CONTENT}


def test_other_names_of_a_file_keep_the_original_and_that_is_told(source: Path) -> None:
    other = source.with_name("other.dcm")
    os.link(source, other)

    report = in_place(source)

    assert contents(source.parent) == {"source.dcm": EXPECTED, "other.dcm": CONTENT}
    assert report.warnings == ["the file has 1 other name(s) (hard links), which keep the original"]


# The backup.


def test_the_original_is_kept_under_its_second_name(source: Path) -> None:
    source.chmod(0o640)
    before = source.stat()

    in_place(source, ".orig")

    kept = source.with_name("source.dcm.orig")
    assert contents(source.parent) == {"source.dcm": EXPECTED, kept.name: CONTENT}
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert source.stat().st_ino != before.st_ino


def test_a_target_that_is_overwritten_is_kept_too(source: Path) -> None:
    target = source.with_name("target.dcm")
    convert(source, target, to="rle", overwrite=True, backup="~")
    assert contents(source.parent) == {"source.dcm": CONTENT, "target.dcm": EXPECTED}

    target.write_bytes(b"older")
    convert(source, target, to="rle", overwrite=True, backup="~")
    assert contents(source.parent) == {
        "source.dcm": CONTENT, "target.dcm": EXPECTED, "target.dcm~": b"older",
    }  # fmt: skip


def test_a_backup_that_is_there_is_never_overwritten(source: Path) -> None:
    kept = source.with_name("source.dcm.orig")
    kept.write_bytes(b"precious")

    with pytest.raises(TargetExistsError, match="backup exists") as raised:
        in_place(source, ".orig")
    assert raised.value.path == str(kept)
    assert contents(source.parent) == {"source.dcm": CONTENT, kept.name: b"precious"}

    kept.unlink()
    kept.symlink_to(source)  # leads to the same bytes now, and to others later
    with pytest.raises(TargetExistsError):
        in_place(source, ".orig")


def test_a_backup_that_appears_meanwhile_stays(source: Path) -> None:
    def meanwhile() -> None:
        with create_output(source, overwrite=True, backup=".orig") as part:
            part.write_bytes(EXPECTED)
            source.with_name("source.dcm.orig").write_bytes(b"theirs")

    with pytest.raises(TargetExistsError):
        meanwhile()
    assert contents(source.parent) == {"source.dcm": CONTENT, "source.dcm.orig": b"theirs"}


def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


def test_without_hard_links_a_copy_is_kept(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_links(monkeypatch)
    source.chmod(0o604)
    before = source.stat()

    in_place(source, ".orig")

    kept = source.with_name("source.dcm.orig")
    assert contents(source.parent) == {"source.dcm": EXPECTED, kept.name: CONTENT}
    assert (kept.stat().st_mode, kept.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)

    other = source.with_name("other.dcm")
    other.write_bytes(CONTENT)
    other.with_name("other.dcm.orig").write_bytes(CONTENT)  # as a killed process leaves it
    in_place(other, ".orig")
    assert other.read_bytes() == EXPECTED


@pytest.mark.parametrize("suffix", ["", "/../x", "a\0b"])
def test_a_suffix_that_makes_no_name_is_refused(source: Path, suffix: str) -> None:
    with pytest.raises(InvalidOptionError, match=r"not a suffix|`backup` is"):
        in_place(source, suffix)


def test_the_command_keeps_a_backup(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["convert", str(source), "--to", "rle", "--in-place", "--backup", ".orig"]

    assert run(arguments) == 0

    assert "verified" in capsys.readouterr().err
    assert contents(source.parent) == {"source.dcm": EXPECTED, "source.dcm.orig": CONTENT}
    assert run(arguments) == 0  # right already
    assert "left alone" in capsys.readouterr().err


# A source that changes while it is read.


def later(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Change something once frames are converted, before the result is put in its place."""
    from dicodec.conversion import attempt
    from dicodec.conversion.frames.pipeline import run_plan

    def run_and_change(*arguments: object) -> object:
        result = run_plan(*arguments)  # type: ignore[arg-type]
        change()
        return result

    monkeypatch.setattr(attempt, "run_plan", run_and_change)


@pytest.mark.parametrize("place", ["in place", "elsewhere"])
def test_a_source_that_is_written_to_is_an_error(
    source: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    target = source if place == "in place" else source.with_name("target.dcm")
    later(monkeypatch, lambda: source.write_bytes(CONTENT + b"more"))

    with pytest.raises(SourceChangedError) as raised:
        convert(source, target, to="rle", overwrite=True)

    assert (raised.value.code, raised.value.path) == ("source-changed", str(source))
    assert contents(source.parent) == {"source.dcm": CONTENT + b"more"}


def test_a_source_that_is_replaced_is_not_replaced_by_us(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = source.with_name("newer.dcm")
    newer.write_bytes(b"newer")
    later(monkeypatch, lambda: newer.replace(source))

    with pytest.raises(SourceChangedError):
        in_place(source)

    assert contents(source.parent) == {"source.dcm": b"newer"}


def test_a_source_that_is_removed_stays_removed(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch, source.unlink)

    with pytest.raises(SourceChangedError, match="removed"):
        in_place(source)

    assert contents(source.parent) == {}


def test_a_target_that_cannot_be_renamed_over_is_said_so(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(exchange, "exchange_names", busy)  # as for a file that is a mount point

    with pytest.raises(WriteError, match="mount point"):
        in_place(source)
    assert contents(source.parent) == {"source.dcm": CONTENT}


# Part files.


def test_the_name_of_a_part_file_says_what_it_is() -> None:
    assert make_part_name("a.dcm") == f".a.dcm{PART_SUFFIX}"
    for name in ("n" * 255, "胸部" * 42, "\udcff" * 200):
        assert len(os.fsencode(make_part_name(name))) <= 255
        assert is_part_file(make_part_name(name))
    assert make_part_name("n" * 254 + "a") != make_part_name("n" * 254 + "b")
    assert not is_part_file("a.dcm")


def test_a_leftover_is_removed_by_the_next_that_writes_the_target(source: Path) -> None:
    source.with_name(make_part_name("source.dcm")).write_bytes(b"left by a process that was killed")

    in_place(source)

    assert contents(source.parent) == {"source.dcm": EXPECTED}


def test_a_part_file_in_the_works_is_not_taken_for_a_leftover(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with PartFile(target, 0o600) as one:
        first = one.path
        first.write_bytes(b"first")
        assert not remove_leftover(first)
        with PartFile(target, 0o600) as other:
            assert other.path != first
            assert is_part_file(other.path.name)
        assert first.read_bytes() == b"first"
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_interrupted_just_when_it_was_made_a_part_file_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    opened = os.open

    def open_and_interrupt(path: Path, flags: int, *mode: int) -> int:
        descriptor = opened(path, flags, *mode)
        if flags & os.O_CREAT:
            os.close(descriptor)
            raise interruption
        return descriptor

    monkeypatch.setattr(os, "open", open_and_interrupt)
    with pytest.raises(interruption), PartFile(tmp_path / "a", 0o600):
        pass

    assert not [*tmp_path.iterdir()]


def test_a_part_file_that_was_renamed_is_no_longer_ours_to_remove(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with PartFile(target, 0o600) as part:
        path = part.path
        path.rename(target)
        path.write_bytes(b"of another process")
    assert contents(tmp_path) == {"target": b"", path.name: b"of another process"}
    assert remove_leftover(path)
    assert remove_leftover(path)  # gone is gone


def test_what_is_no_part_file_stays(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    link, pipe = tmp_path / make_part_name("a"), tmp_path / make_part_name("b")
    link.symlink_to(precious)
    os.mkfifo(pipe)

    assert not remove_leftover(link)
    assert not remove_leftover(pipe)
    with PartFile(tmp_path / "a", 0o600) as part:
        assert part.path != link
    assert precious.read_bytes() == b"precious"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_will_do(
    source: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "no locks")

    monkeypatch.setattr("fcntl.flock", refuse)

    in_place(source)

    assert contents(source.parent) == {"source.dcm": EXPECTED}


def test_a_source_that_cannot_be_locked_stays(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock

    def refuse(descriptor: int, kind: int) -> None:
        if kind & fcntl.LOCK_SH:  # of the original
            raise OSError(errno.EIO, "broken")
        flock(descriptor, kind)

    monkeypatch.setattr("fcntl.flock", refuse)

    with pytest.raises(WriteError, match="broken"):
        in_place(source)
    assert contents(source.parent) == {"source.dcm": CONTENT}


# Killed. The program below forks children that convert in place. Before the n-th call of the
# operating system that changes a file, or at a random moment, a child ends as by kill -9. After
# every one, the original or the whole result is there, and the next conversion leaves no trace.

KILLED = '''
import json, os, random, signal, sys, time
from pathlib import Path
import dicodec
from helpers.killed_calls import die_before

folder, content, expected, backup, mode = json.loads(sys.argv[1])
content, expected = Path(content).read_bytes(), Path(expected).read_bytes()
path = Path(folder) / "source.dcm"
kept = Path(folder) / f"source.dcm{backup}"

def convert():
    return dicodec.convert(path, path, to="rle", overwrite=True, backup=backup, workers=1)

def begin():
    for left in Path(folder).iterdir():
        left.unlink()
    path.write_bytes(content)

def child(number=None):
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        if number is not None:
            die_before(number)
        convert()
        status = 0
    finally:
        os._exit(status)

def judge():
    """Return what is there after a kill; anything else than old or new is a loss."""
    found = path.read_bytes()
    assert found in (content, expected), "neither"
    names = {each.name for each in Path(folder).iterdir()} - {".dicodec-kept"}
    assert names <= {"source.dcm", kept.name, ".source.dcm.dicodec-part",
                     f".{kept.name}.dicodec-part"}, names
    if found == expected and backup:
        assert kept.read_bytes() == content, "no backup"
    if kept.exists():
        assert kept.read_bytes() == content, "a backup of something else"
    return "new" if found == expected else "old"

def resume():
    convert()
    assert path.read_bytes() == expected
    left = {each.name for each in Path(folder).iterdir()} - {".dicodec-kept"}
    assert left <= {"source.dcm", kept.name}, left

def without_links(*arguments, **settings):
    raise PermissionError(1, "Operation not permitted")

if mode == "copy":
    os.link = without_links
begin(); convert()  # libraries are loaded
outcomes = {"old": 0, "new": 0}
if mode in ("calls", "copy"):
    for number in range(1, 1000):
        begin()
        _, status = os.waitpid(child(number), 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            break
        outcomes[judge()] += 1
        resume()
else:
    begin(); started = time.perf_counter(); os.waitpid(child(), 0)
    longest = (time.perf_counter() - started) * 1.1
    chance = random.Random(7)
    for _ in range(50):
        begin()
        pid = child()
        time.sleep(chance.uniform(0, longest))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        outcomes[judge()] += 1
        resume()
print(json.dumps(outcomes))
'''


@pytest.mark.parametrize(
    ("mode", "backup"),
    [("calls", None), ("calls", ".orig"), ("copy", ".orig"), ("moments", ".orig")],
)
def test_killed_at_any_moment_the_original_or_the_result_is_there(
    tmp_path: Path, mode: str, backup: str | None
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    content, expected = tmp_path / "content", tmp_path / "expected"
    content.write_bytes(CONTENT)
    expected.write_bytes(EXPECTED)
    request = json.dumps([str(folder), str(content), str(expected), backup, mode])

    run = subprocess.run(
        [sys.executable, "-c", KILLED, request],
        capture_output=True,
        text=True,
        check=False,
        env=killing_environment(),
    )

    assert (run.stderr, run.returncode) == ("", 0)
    outcomes = json.loads(run.stdout)
    assert outcomes["old"] >= 4
    assert mode == "moments" or outcomes["new"] >= 2


def test_backups_are_not_converted_themselves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.dcm").write_bytes(CONTENT)
    arguments = ["convert", str(folder), "--in-place", "--jobs", "1", "--backup", ".orig"]
    expected = {"a.dcm": convert_bytes(CONTENT, to="jpeg-ls"), "a.dcm.orig": CONTENT}

    assert run([*arguments, "--to", "jpeg-ls"]) == 0
    assert run([*arguments, "--to", "jpeg-ls"]) == 0

    assert "originals kept by --backup" in capsys.readouterr().err
    kept = {path.name: path.read_bytes() for path in folder.glob("a.dcm*")}
    assert kept == expected
