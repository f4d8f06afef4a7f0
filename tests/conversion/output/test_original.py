"""What writers do to a file while it is converted in place: noticed, and what they wrote is kept.

They write the same number of bytes and set the times back, so that size and times tell nothing.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dicodec import convert, convert_bytes
from dicodec.conversion import attempt
from dicodec.conversion.output import exchange, original
from dicodec.conversion.output.kept_originals import LIST_NAME
from dicodec.conversion.output.original import is_open_for_writing
from dicodec.conversion.verification import frames as verification
from dicodec.errors import SourceChangedError
from dicodec.report import LEFT_ALONE
from helpers.made import IMAGE_KINDS

CONTENT = IMAGE_KINDS["multi-frame"].make()[0]
NEWER = CONTENT[:-20] + b"what somebody wrote "
EXPECTED = convert_bytes(CONTENT, to="rle")

type Change = Callable[[Path], None]


def write_and_set_back(path: Path) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        file.write(NEWER)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_by_rename(path: Path) -> None:
    before = path.stat()
    newer = path.with_name("newer")
    newer.write_bytes(NEWER)
    os.utime(newer, ns=(before.st_atime_ns, before.st_mtime_ns))
    newer.replace(path)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.iterdir() if path.name != LIST_NAME)
    return {path.name: path.read_bytes() for path in files}


def before(patch: pytest.MonkeyPatch, place: object, name: str, act: Callable[[], None]) -> None:
    """Do something just before a function is called for the first time."""
    call = getattr(place, name)

    def wrapper(*arguments: object, **settings: object) -> object:
        nonlocal act
        act()
        act = lambda: None  # noqa: E731
        return call(*arguments, **settings)

    patch.setattr(place, name, wrapper)


def no_exchange(*_: object) -> bool:
    return False


def no_link(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.dcm"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(params=["exchange", "links", "neither"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the file system can do."""
    if request.param != "exchange":
        monkeypatch.setattr(exchange, "exchange_names", no_exchange)
    if request.param == "neither":
        monkeypatch.setattr(os, "link", no_link)
    return str(request.param)


def check_refused(source: Path, backup: str | None) -> None:
    with pytest.raises(SourceChangedError) as raised:
        convert(source, source, to="rle", overwrite=True, backup=backup)
    assert raised.value.path == str(source)


@pytest.mark.parametrize("backup", [None, ".orig"])
@pytest.mark.parametrize("change", [write_and_set_back, replace_by_rename])
@pytest.mark.parametrize("moment", ["plan_conversion", "run_plan", "verify_result"])
def test_what_is_written_while_the_source_is_converted_stays(
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    ways: str,
    moment: str,
    change: Change,
    backup: str | None,
) -> None:
    place = verification if moment == "verify_result" else attempt
    before(monkeypatch, place, moment, lambda: change(source))

    check_refused(source, backup)

    assert contents(source.parent).pop("source.dcm") == NEWER
    if ways != "neither" and change is write_and_set_back:
        assert [*contents(source.parent)] == ["source.dcm"]


@pytest.mark.parametrize("change", [write_and_set_back, replace_by_rename])
def test_what_is_written_at_the_last_moment_stays(
    source: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    """After all that was compared before, and before the result has the name."""
    before(monkeypatch, exchange, "exchange_names", lambda: change(source))

    check_refused(source, None)

    assert contents(source.parent) == {"source.dcm": NEWER}


def test_without_an_exchange_of_names_a_link_keeps_what_is_written_at_the_last_moment(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "exchange_names", no_exchange)
    before(monkeypatch, Path, "replace", lambda: write_and_set_back(source))

    check_refused(source, None)

    assert contents(source.parent) == {"source.dcm": NEWER}


@pytest.mark.parametrize("closes", [True, False])
def test_memory_that_was_mapped_before_counts_too(
    source: Path, monkeypatch: pytest.MonkeyPatch, closes: bool
) -> None:
    """Its pages are dirty already, so that no time of the file changes when it is written to."""
    file = source.open("r+b")
    with mmap.mmap(file.fileno(), 0) as memory:
        memory[-1:] = memory[-1:]
        if closes:
            file.close()

        def write() -> None:
            memory[: len(NEWER)] = NEWER

        before(monkeypatch, attempt, "run_plan", write)
        check_refused(source, None)
    file.close()

    assert contents(source.parent) == {"source.dcm": NEWER}


def test_a_writer_that_has_written_nothing_yet_is_waited_for(source: Path) -> None:
    with source.open("r+b") as file:
        with pytest.raises(SourceChangedError, match="open for writing") as raised:
            convert(source, source, to="rle", overwrite=True)
        assert raised.value.hint
        file.write(NEWER)
    assert contents(source.parent) == {"source.dcm": NEWER}

    source.write_bytes(CONTENT)
    convert(source, source, to="rle", overwrite=True)
    assert contents(source.parent) == {"source.dcm": EXPECTED}


def test_a_writer_that_locks_what_it_writes_is_heeded(source: Path) -> None:
    import fcntl

    with source.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(SourceChangedError, match="locked"):
            convert(source, source, to="rle", overwrite=True)
    assert contents(source.parent) == {"source.dcm": CONTENT}


def test_what_changes_no_content_is_no_change(
    source: Path, monkeypatch: pytest.MonkeyPatch, ways: str
) -> None:
    """Other names and permissions, as a program makes them that backs up files."""
    other = source.parent / "other"

    def snapshot() -> None:
        source.chmod(0o640)
        if ways != "neither":
            os.link(source, other)

    before(monkeypatch, attempt, "run_plan", snapshot)

    convert(source, source, to="rle", overwrite=True)

    assert source.read_bytes() == EXPECTED
    assert ways == "neither" or other.read_bytes() == CONTENT


def test_where_no_leases_are_given_nobody_is_taken_for_a_writer(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS refuses them as if there were one."""
    with source.open("r+b") as writer, source.open("rb") as reader:
        assert is_open_for_writing(reader.fileno(), source.parent)
        monkeypatch.setattr(original, "refuses_lease", lambda _: True)
        assert not is_open_for_writing(reader.fileno(), source.parent)
        assert writer.writable()
    assert contents(source.parent) == {"source.dcm": CONTENT}


def test_a_stream_of_the_target_is_in_place_too(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before(monkeypatch, attempt, "run_plan", lambda: write_and_set_back(source))
    with source.open("rb") as stream, pytest.raises(SourceChangedError):
        convert(stream, source, to="rle", overwrite=True)
    assert contents(source.parent) == {"source.dcm": NEWER}

    source.write_bytes(CONTENT)
    with source.open("rb") as stream:
        assert convert(stream, source, to="rle", overwrite=True).verified


def test_a_file_that_is_right_already_is_not_read_as_a_whole(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(source, source, to="rle", overwrite=True)
    monkeypatch.setattr(original, "digest_open_file", lambda _: pytest.fail("read"))

    report = convert(source, source, to="rle", overwrite=True)

    assert (report.action, report.target, report.replaced_digest) == (LEFT_ALONE, str(source), "")
    assert not report.dry_run
