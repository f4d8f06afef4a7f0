"""Results appear whole or not at all, and a failure leaves everything as it was."""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from dicodec import convert, convert_bytes
from dicodec.conversion.output.result_file import check_target, open_for_writing
from dicodec.errors import (
    CorruptFrameError,
    DicodecError,
    DiskFullError,
    TargetExistsError,
    TargetUnavailableError,
    WriteError,
)
from dicodec.part10.pixel_writer import EncapsulatedWriter
from helpers.made import IMAGE_KINDS
from helpers.outputs import create_output

CONTENT = IMAGE_KINDS["multi-frame"].make()[0]
EXPECTED = convert_bytes(CONTENT, to="rle")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.dcm"
    path.write_bytes(CONTENT)
    return path


@contextmanager
def everything_stays(folder: Path) -> Iterator[None]:
    """Whatever the block does, no file in the folder changes, appears or goes."""
    before = contents(folder)
    yield
    assert contents(folder) == before


def test_large_pieces_go_to_the_file_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "part"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR)
    with open_for_writing(descriptor) as out:
        out.write(b"head")
        out.write(bytes(100_000))
        assert path.stat().st_size == 100_004
        out.write(b"tail")
        assert path.stat().st_size == 100_004
    os.close(descriptor)
    assert path.read_bytes() == b"head" + bytes(100_000) + b"tail"


def test_a_new_target_appears_whole(source: Path) -> None:
    target = source.with_name("target.dcm")

    report = convert(source, target, to="rle")

    assert contents(source.parent) == {"source.dcm": CONTENT, "target.dcm": EXPECTED}
    assert report.target_size == len(EXPECTED)


def test_the_target_is_not_there_until_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with create_output(target, overwrite=False) as temporary:
        temporary.write_bytes(b"half")
        assert not target.exists()
        assert temporary.parent == target.parent
    assert contents(tmp_path) == {"target": b"half"}


def test_a_new_file_has_the_mode_of_new_files(source: Path) -> None:
    target = source.with_name("target.dcm")
    before = os.umask(0o027)
    try:
        convert(source, target, to="rle")
    finally:
        os.umask(before)

    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_a_file_that_is_replaced_keeps_its_mode_and_owner(source: Path, mode: int) -> None:
    source.chmod(mode)
    if os.getuid() == 0:
        os.chown(source, 1234, 2345)
    before = source.stat()

    convert(source, source, to="rle", overwrite=True)

    after = source.stat()
    assert source.read_bytes() == EXPECTED
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode, before.st_uid, before.st_gid,
    )  # fmt: skip


def test_a_target_that_is_there_stays_unless_overwriting_is_asked_for(source: Path) -> None:
    target = source.with_name("target.dcm")
    target.write_bytes(b"precious")

    with everything_stays(source.parent), pytest.raises(TargetExistsError) as raised:
        convert(source, target, to="rle")
    assert raised.value.path == str(target)

    convert(source, target, to="rle", overwrite=True)
    assert target.read_bytes() == EXPECTED


def test_a_target_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    target = tmp_path / "target"

    def meanwhile() -> None:
        with create_output(target, overwrite=False) as temporary:
            temporary.write_bytes(b"ours")
            target.write_bytes(b"theirs")

    with pytest.raises(TargetExistsError):
        meanwhile()
    assert contents(tmp_path) == {"target": b"theirs"}


def test_without_hard_links_too_results_appear_and_replace_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with create_output(tmp_path / "new", overwrite=False) as temporary:
        temporary.write_bytes(b"ours")
    with (
        pytest.raises(TargetExistsError),
        create_output(tmp_path / "late", overwrite=False) as temporary,
    ):
        (tmp_path / "late").write_bytes(b"theirs")
    assert contents(tmp_path) == {"new": b"ours", "late": b"theirs"}


def test_a_source_is_replaced_by_its_own_result_once_that_is_verified(source: Path) -> None:
    report = convert(source, source, to="rle", overwrite=True)

    assert contents(source.parent) == {"source.dcm": EXPECTED}
    assert report.verified


def test_a_source_that_fails_in_place_is_untouched(source: Path) -> None:
    source.write_bytes(CONTENT[:-100])

    with everything_stays(source.parent), pytest.raises(DicodecError):
        convert(source, source, to="rle", overwrite=True)


def test_a_failure_in_the_middle_leaves_nothing_behind(source: Path) -> None:
    broken = bytearray(EXPECTED)
    start = EXPECTED.rindex(b"\xfe\xff\x00\xe0") + 8  # the last frame's RLE header
    broken[start : start + 4] = b"\x63\0\0\0"
    source.write_bytes(broken)
    target = source.with_name("target.dcm")
    target.write_bytes(b"precious")

    with everything_stays(source.parent), pytest.raises(CorruptFrameError) as raised:
        convert(source, target, to="explicit-le", overwrite=True)

    assert (raised.value.frame, raised.value.path) == (4, str(source))


def test_a_fault_of_ours_leaves_nothing_behind(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dicodec.conversion import attempt

    def fault(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(attempt, "run_plan", fault)
    with everything_stays(source.parent), pytest.raises(ZeroDivisionError):
        convert(source, source.with_name("target.dcm"), to="rle")


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupted() -> None:
        with create_output(tmp_path / "target", overwrite=False) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert contents(tmp_path) == {}


def test_what_cannot_be_a_target_is_said_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    rows = {
        tmp_path: "the target is a folder",
        tmp_path / "missing" / "target": "folder does not exist",
        tmp_path / "file" / "target": "folder does not exist",
        tmp_path / ("n" * 256): "name is too long",
        tmp_path / "a\0b": "holds a NUL",
        tmp_path / "pipe": "a device or a pipe",
        tmp_path / "loop" / "target": "cannot write",
    }
    for target, message in rows.items():
        for overwrite in (False, True):
            with everything_stays(tmp_path), pytest.raises(WriteError, match=message) as raised:
                convert(CONTENT, target, to="rle", overwrite=overwrite)
            assert raised.value.path == str(target)
    for overwrite in (False, True):
        with pytest.raises(TargetUnavailableError, match="a device or a pipe"):
            check_target(Path("/dev/null"), overwrite=overwrite)


def test_a_link_to_nowhere_is_something_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")

    with pytest.raises(TargetExistsError):
        check_target(tmp_path / "link", overwrite=False)
    assert check_target(tmp_path / "link", overwrite=True) is None


@pytest.mark.parametrize("name", ["n" * 255, "胸部" * 42, "ü" * 127, "😀" * 63])
def test_names_may_be_as_long_as_names_may_be(tmp_path: Path, name: str) -> None:
    convert(CONTENT, tmp_path / name, to="rle")

    assert contents(tmp_path) == {name: EXPECTED}


AS_NOBODY = """
import os, sys
import dicodec
source, target, loading = sys.argv[1:]
dicodec.convert(source, loading, to="rle")  # loads the modules, which nobody may not read
if os.getuid() == 0:  # root may write everywhere; nobody may not
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    dicodec.convert(source, target, to="rle")
except dicodec.DicodecError as error:
    print(error.code, error.message)
"""


@pytest.mark.parametrize("mode", [0o555, 0o666])
def test_a_folder_that_may_not_be_written_to_is_said_so(mode: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        closed = folder / "closed"
        closed.mkdir()
        (folder / "source.dcm").write_bytes(CONTENT)
        closed.chmod(mode)
        run = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, folder / "source.dcm", closed / "target.dcm",
             folder / "loading.dcm"],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        closed.chmod(0o755)
        assert contents(closed) == {}

    assert run.stdout == "target-unavailable the target's folder may not be written to\n"


# A full disk: the size of files is limited in a child, which the kernel then refuses further bytes,
# and, where one may be mounted, a file system of a few pages is filled.

CONVERT = """
import json, resource, sys
import dicodec
for limit, source, target, syntax in json.loads(sys.argv[1]):
    if limit:
        dicodec.convert_bytes(open(source, "rb").read(), to=syntax)  # libraries are loaded
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        dicodec.convert(source, target, to=syntax, overwrite=source == target)
    except dicodec.DicodecError as error:
        print(error.code, error.path == target)
    else:
        print("done")
"""


def convert_in_child(*jobs: tuple[int, Path, Path, str]) -> set[str]:
    """Convert with a limit on the size of files, and return the codes of the errors."""
    rows = [(limit, str(source), str(target), syntax) for limit, source, target, syntax in jobs]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", CONVERT, json.dumps(rows)],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return set(run.stdout.splitlines())


def test_no_room_for_the_result_leaves_nothing_behind(source: Path) -> None:
    target = source.with_name("target.dcm")
    jobs = [
        (limit, source, place, syntax)
        for limit in (1, 8192, len(EXPECTED) - 1)
        for syntax in ("rle", "explicit-be")
        for place in (target, source)
    ]

    with everything_stays(source.parent):
        assert convert_in_child(*jobs) == {"disk-full True"}
    assert convert_in_child((len(EXPECTED), source, target, "rle")) == {"done"}


def test_no_room_for_a_large_result_leaves_nothing_behind(tmp_path: Path) -> None:
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    source.write_bytes(IMAGE_KINDS["gray-16"].make(rows=1500, columns=1500)[0])
    jobs = [(1_500_000, source, target, syntax) for syntax in ("rle", "explicit-be", "deflated")]

    with everything_stays(tmp_path):
        assert convert_in_child(*jobs) == {"disk-full True"}


def test_a_full_file_system_leaves_nothing_behind(tmp_path: Path, source: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "none", small], capture_output=True, check=False
    )
    if mount.returncode:  # not root, or a container: the kernel's limit on files has to do
        job = (16384, source, small / "target.dcm", "rle")
        assert convert_in_child(job) == {"disk-full True"}
        return
    try:
        (small / "other").write_bytes(bytes(8192))
        with everything_stays(small):
            for syntax in ("rle", "explicit-be", "deflated"):
                with pytest.raises(DiskFullError) as raised:
                    convert(source, small / "target.dcm", to=syntax)
                assert raised.value.path == str(small / "target.dcm")
    finally:
        subprocess.run(["umount", small], check=True)


def test_no_thread_outlives_a_failure(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(EncapsulatedWriter, "write", full)
    before = threading.enumerate()
    with everything_stays(source.parent), pytest.raises(DiskFullError) as raised:
        convert(source, source.with_name("target.dcm"), to="rle", workers=4)

    assert raised.value.__traceback__ is not None  # which holds on to everything that was there
    names = [thread.name for thread in threading.enumerate() if thread not in before]
    assert not [name for name in names if name.startswith("dicodec-frame")]


def test_what_fails_on_closing_is_an_error_of_writing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def write() -> None:
        with path.open("r+b") as part, open_for_writing(part.fileno()) as out:
            out.write(bytes(10_000))  # held in memory until the file is closed
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))

    try:
        with pytest.raises(DiskFullError):
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# Streams as targets.


class Stream(io.RawIOBase):
    """A target that cannot seek, and that fails after some bytes."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.written = b""
        self._room = room

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(cast("bytes", data))
        if len(self.written) + len(part) > self._room:
            raise BrokenPipeError(32, "Broken pipe")
        self.written += part
        return len(part)


def test_streams_get_the_whole_result_or_nothing() -> None:
    stream = Stream()
    convert(CONTENT, cast("BinaryIO", stream), to="rle")
    assert stream.written == EXPECTED

    stream = Stream()
    with pytest.raises(DicodecError):
        convert(CONTENT[:-10], cast("BinaryIO", stream), to="rle")
    assert stream.written == b""


def test_a_stream_that_fails_is_an_error_of_writing() -> None:
    with pytest.raises(WriteError, match="Broken pipe"):
        convert(CONTENT, cast("BinaryIO", Stream(room=100)), to="rle")


def test_buffers_that_hold_something_are_appended_to() -> None:
    out = io.BytesIO()
    out.write(b"before")

    convert(CONTENT, out, to="rle")

    assert out.getvalue() == b"before" + EXPECTED


def test_a_stream_may_be_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    received: list[bytes] = []

    def receive() -> None:
        with os.fdopen(reading, "rb") as stream:
            received.append(stream.read())

    reader = threading.Thread(target=receive)
    reader.start()
    with os.fdopen(writing, "wb") as stream:
        convert(CONTENT, stream, to="rle")
    reader.join()

    assert received == [EXPECTED]


@pytest.mark.parametrize("target", ["rle", "deflated", "explicit-be", "htj2k-lossless"])
@pytest.mark.parametrize("table", ["auto", "extended"])
def test_every_kind_of_target_gets_the_same_bytes(tmp_path: Path, target: str, table: str) -> None:
    expected = convert_bytes(CONTENT, to=target, offset_table=table)
    stream = Stream()

    convert(CONTENT, tmp_path / "file", to=target, offset_table=table)
    convert(CONTENT, cast("BinaryIO", stream), to=target, offset_table=table)

    assert (tmp_path / "file").read_bytes() == expected
    assert stream.written == expected


def test_a_target_unavailable_is_known_before_the_source_is_read(tmp_path: Path) -> None:
    with pytest.raises(TargetUnavailableError):
        convert(tmp_path / "missing", tmp_path, to="rle")


def test_what_is_written_is_on_its_way_to_the_disk_before_it_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[int, int]] = []

    def record(_: int, start: int, size: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_DONTNEED
        begun.append((start, size))

    monkeypatch.setattr(os, "posix_fadvise", record)
    parts = [bytes([number]) * (3 << 20) for number in range(7)]
    path = tmp_path / "target"
    path.touch()
    with path.open("r+b") as file, open_for_writing(file.fileno()) as out:
        for part in parts:
            out.write(part)
        out.seek(5)
        out.write(b"patched")

    assert path.read_bytes() == b"\0" * 5 + b"patched" + b"".join(parts)[12:]
    assert begun == [(0, 9 << 20), (9 << 20, 9 << 20)]


def test_nothing_hurries_to_the_disk_if_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda *given: begun.append(given))
    source = tmp_path / "source.dcm"
    source.write_bytes(IMAGE_KINDS["gray-16"].make(rows=2200, columns=2200)[0])
    for durability, hurries in (("none", False), ("batch", True)):
        convert(source, tmp_path / f"{durability}.dcm", to="implicit-le", durability=durability)
        assert bool(begun) is hurries
    assert (tmp_path / "none.dcm").read_bytes() == (tmp_path / "batch.dcm").read_bytes()


@pytest.mark.parametrize("there", [True, False])
def test_a_system_that_takes_no_advice_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EINVAL, "no advice")

    if there:
        monkeypatch.setattr(os, "posix_fadvise", refuse)
    else:
        monkeypatch.delattr(os, "posix_fadvise")
    path = tmp_path / "target"
    path.touch()
    with path.open("r+b") as part, open_for_writing(part.fileno()) as out:
        out.write(bytes(9 << 20))
    assert path.stat().st_size == 9 << 20


def test_a_part_file_that_somebody_removes_when_it_has_its_name_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = os.link

    def link_and_remove(part: Path, target: Path) -> None:
        linked(part, target)
        part.unlink()

    monkeypatch.setattr(os, "link", link_and_remove)
    with create_output(tmp_path / "result", overwrite=False) as temporary:
        temporary.write_bytes(b"new")

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"result": b"new"}
