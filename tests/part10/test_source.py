"""Sources: every form in which bytes may be given, and each way in which they may not be there."""

from __future__ import annotations

import array
import gzip
import io
import mmap
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pytest

from dicodec.errors import (
    DiskFullError,
    EmptyFileError,
    NotDicomError,
    ReadError,
    SourceUnavailableError,
)
from dicodec.model.platforms import read_at
from dicodec.part10 import source as source_module
from dicodec.part10 import stream_waiting
from dicodec.part10.dicom_file import Source, open_dicom
from dicodec.part10.source import BytesSource, FileSource, OpenSource, copy_range, read_chunks
from helpers.made import IMAGE_KINDS

CONTENT = IMAGE_KINDS["gray-12-in-16"].make(rows=8, columns=8)[0]


class NotSeekable(io.RawIOBase):
    """A stream such as a socket: no file behind it, and reads return what they like."""

    def __init__(self, content: bytes, at_most: int = 100) -> None:
        self._rest = content
        self._at_most = at_most

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = min(self._at_most, len(self._rest) if size < 0 else size)
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


class Minimal:
    """As little of a stream as one can get by with."""

    def __init__(self, content: bytes) -> None:
        self.read = io.BytesIO(content).read


@contextmanager
def as_path(content: bytes, folder: Path) -> Iterator[Source]:
    path = folder / "source.dcm"
    path.write_bytes(content)
    yield path


@contextmanager
def as_text_path(content: bytes, folder: Path) -> Iterator[Source]:
    with as_path(content, folder) as path:
        yield str(path)


@contextmanager
def as_open_file(content: bytes, folder: Path) -> Iterator[Source]:
    with as_path(content, folder) as path, cast("Path", path).open("rb") as file:
        yield file
        assert not file.closed


@contextmanager
def as_open_file_from_its_middle(content: bytes, folder: Path) -> Iterator[Source]:
    with as_path(b"before" + content, folder) as path, cast("Path", path).open("rb") as file:
        file.seek(6)
        yield file


@contextmanager
def as_gzip_stream(content: bytes, folder: Path) -> Iterator[Source]:
    path = folder / "source.dcm.gz"
    path.write_bytes(gzip.compress(content))
    with gzip.open(path) as file:
        yield cast("BinaryIO", file)


@contextmanager
def as_pipe(content: bytes, folder: Path) -> Iterator[Source]:
    reading, writing = os.pipe()
    writer = threading.Thread(target=write_and_close, args=(writing, content))
    writer.start()
    with os.fdopen(reading, "rb") as stream:
        yield stream
    writer.join()


@contextmanager
def as_pausing_pipe(content: bytes, folder: Path, buffering: int = -1) -> Iterator[Source]:
    """A pipe that does not block, and whose other end pauses before and between its bytes."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as stream:
            for part in (content[:300], content[300:301], content[301:]):
                time.sleep(0.05)
                stream.write(part)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb", buffering=buffering) as stream:
        yield stream
    writer.join()


@contextmanager
def as_raw_pausing_pipe(content: bytes, folder: Path) -> Iterator[Source]:
    with as_pausing_pipe(content, folder, buffering=0) as source:
        yield source


class Pausing(NotSeekable):
    """A stream that has nothing yet at every second call, and says so in one way or another."""

    def __init__(self, content: bytes, *, raises: bool = False) -> None:
        super().__init__(content)
        self._calls = 0
        self._raises = raises

    def read(self, size: int = -1) -> bytes:
        self._calls += 1
        if self._calls % 2 == 0:
            return super().read(size)
        if self._raises:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return cast("bytes", None)


def spread(content: bytes) -> memoryview:
    """Return a view whose bytes have gaps between them."""
    return memoryview(bytes(content[i // 2] if i % 2 == 0 else 7 for i in range(2 * len(content))))[
        ::2
    ]


def as_map(content: bytes) -> mmap.mmap | bytes:
    if not content:  # nothing cannot be mapped
        return content
    mapped = mmap.mmap(-1, len(content))
    mapped.write(content)
    mapped.seek(0)
    return mapped


@contextmanager
def as_named_pipe(content: bytes, folder: Path) -> Iterator[Source]:
    path = folder / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    yield path
    writer.join()


def write_and_close(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


@contextmanager
def as_link(content: bytes, folder: Path) -> Iterator[Source]:
    with as_path(content, folder) as path:
        link = folder / "link"
        link.symlink_to(cast("Path", path))
        yield link


def held(make: Callable[[bytes], Any]) -> Callable[[bytes, Path], Any]:
    @contextmanager
    def given(content: bytes, folder: Path) -> Iterator[Source]:
        yield make(content)

    return given


FORMS = {
    "path": as_path,
    "text path": as_text_path,
    "link": as_link,
    "open file": as_open_file,
    "open file from its middle": as_open_file_from_its_middle,
    "gzip stream": as_gzip_stream,
    "pipe": as_pipe,
    "named pipe": as_named_pipe,
    "bytes": held(bytes),
    "bytearray": held(bytearray),
    "memoryview": held(memoryview),
    "memoryview of words": held(lambda content: memoryview(content).cast("H")),
    "memoryview with gaps": held(spread),
    "memoryview backwards": held(lambda content: memoryview(content[::-1])[::-1]),
    "array": held(lambda content: array.array("H", content)),
    "NumPy bytes": held(lambda content: np.frombuffer(content, np.uint8)),
    "NumPy words": held(lambda content: np.frombuffer(content, ">u2").reshape(-1, 1)),
    "NumPy with gaps": held(lambda content: np.frombuffer(content, np.uint8).repeat(3)[::3]),
    "map": held(as_map),
    "BytesIO": held(io.BytesIO),
    "pausing pipe": as_pausing_pipe,
    "raw pausing pipe": as_raw_pausing_pipe,
    "pausing": held(Pausing),
    "pausing with errors": held(lambda content: Pausing(content, raises=True)),
    "not seekable": held(NotSeekable),
    "minimal": held(Minimal),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spool_size", [source_module.SPOOL_SIZE, 1000])
def test_every_form_of_source_is_read(
    form: str, spool_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "SPOOL_SIZE", spool_size)
    with FORMS[form](CONTENT, tmp_path) as given, open_dicom(given) as file:
        assert file.source.size == len(CONTENT)
        assert file.source.read(0, len(CONTENT) + 1) == CONTENT
        assert file.source.read(200, 10) == CONTENT[200:210]
        assert file.data_set.read_text(0x00080060) == "OT"


@pytest.mark.parametrize("form", FORMS)
def test_a_source_without_bytes_is_empty(form: str, tmp_path: Path) -> None:
    with (
        FORMS[form](b"", tmp_path) as given,
        pytest.raises(EmptyFileError, match="empty"),
        open_dicom(given),
    ):
        pass


def refusal(source: Source) -> ReadError:
    with pytest.raises(ReadError) as raised, open_dicom(source):
        pass
    return raised.value


def test_what_is_not_there_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    rows: dict[str | Path, str] = {
        tmp_path / "missing": "does not exist",
        tmp_path / "file" / "below": "does not exist",
        tmp_path: "folder",
        tmp_path / "loop": "loop of symbolic links",
        tmp_path / ("n" * 300): "too long a name",
        "with\0nul": "cannot be opened",
    }
    for path, message in rows.items():
        error = refusal(path)
        assert isinstance(error, SourceUnavailableError)
        assert message in error.message


WITHOUT_RIGHTS = """
import os, sys
from dicodec.errors import DicodecError
from dicodec.part10.dicom_file import open_dicom
if os.getuid() == 0:  # root may read everything; nobody may not
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    with open_dicom(sys.argv[1]): print("opened")
except DicodecError as error:
    print(error.code, error.message)
"""


@pytest.mark.parametrize(("mode", "answer"), [
    (0o644, "opened\n"),
    (0o000, "source-unavailable the source may not be read: no permission\n"),
])  # fmt: skip
def test_a_file_that_may_not_be_read_is_said_so(mode: int, answer: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "private.dcm"
        path.write_bytes(CONTENT)
        path.chmod(mode)
        run = subprocess.run(
            [sys.executable, "-c", WITHOUT_RIGHTS, path],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip

    assert run.stdout == answer


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "a PNG image"),
        (b"\xff\xd8\xff\xe0" + bytes(200), "a JPEG image"),
        (b"\xff\x4f\xff\x51" + bytes(200), "a JPEG 2000 codestream"),
        (b"%PDF-1.7\n" + bytes(200), "a PDF document"),
        (b"PK\3\4" + bytes(200), "a zip archive"),
        (gzip.compress(CONTENT), "a gzip file"),
        (b"II*\0" + bytes(200), "a TIFF image"),
        (b"Dear doctor,\nthe images are attached.\n" * 9, "text"),
        (b"x", "text"),
        ("Übermäßig größer\n".encode(), "text"),
        (b"{}", "text"),
        (bytes(5000), "no prefix DICM"),
        (b"\0", "no prefix DICM"),
        (bytes(128) + b"DICM", "no element"),
    ],
)
def test_what_is_no_dicom_file_is_named(content: bytes, message: str) -> None:
    error = refusal(content)

    assert isinstance(error, NotDicomError)
    assert message in error.message


def test_errors_of_a_stream_are_errors_of_reading() -> None:
    class Broken(io.RawIOBase):
        def read(self, *_: int) -> bytes:
            raise ConnectionResetError(104, "Connection reset by peer")

    assert "Connection reset" in refusal(cast("BinaryIO", Broken())).message


def test_a_stream_that_never_gives_anything_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Idle(io.RawIOBase):
        def read(self, *_: int) -> bytes:
            return cast("bytes", None)

    monkeypatch.setattr(stream_waiting, "_LONGEST_IDLE", 0.05)
    assert "gave nothing" in refusal(cast("BinaryIO", Idle())).message


def test_what_gives_no_bytes_is_said_so(tmp_path: Path) -> None:
    class Text:
        def read(self, *_: int) -> str:
            return "text"

    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    closed, released = io.BytesIO(CONTENT), memoryview(CONTENT)
    closed.close()
    released.release()
    with path.open("ab") as writing, path.open("rb") as file:
        file.close()
        rows: dict[str, object] = {
            "is a stream that is closed": closed,
            "is a stream that is closed ": file,
            "not open for reading": writing,
            "gives str": Text(),
            "of a memoryview cannot be read": released,
            "of a ndarray cannot be read": np.array(["2026"], "datetime64[D]"),
            "is not a path, a buffer or a binary stream": object(),
            "a StringIO is not": io.StringIO("text"),
        }
        for message, source in rows.items():
            assert message.strip() in refusal(cast("BinaryIO", source)).message


def test_a_stream_too_large_for_the_place_it_is_spooled_to_is_said_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The limit on the size of files makes the temporary file's disk as good as full.
    monkeypatch.setattr(source_module, "SPOOL_SIZE", 1000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DiskFullError, match="temporary"), OpenSource(io.BytesIO(bytes(10_000))):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_descriptor_that_was_closed_is_an_error_of_reading(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    file = path.open("rb", buffering=0)
    source = FileSource(file)
    source.close()

    with pytest.raises(ReadError, match="cannot read"):
        source.read(0, 4)


def test_a_file_that_shrinks_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    with OpenSource(path) as source:
        os.truncate(path, 50)
        with pytest.raises(ReadError, match="became shorter"):
            b"".join(read_chunks(source, 0, 100))


def test_chunks_cover_a_range_exactly() -> None:
    content = bytes(range(256))
    for size in (1, 7, 256, 1000):
        chunks = list(read_chunks(BytesSource(content), 3, 250, size))
        assert b"".join(chunks) == content[3:250]
        assert max(map(len, chunks)) <= size
    assert list(read_chunks(BytesSource(content), 9, 9)) == []


# Copies from file to file.


@pytest.mark.parametrize("end", [5000, 256_000, 2_560_000])
def test_files_are_copied_by_reading_and_writing(
    end: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sendfile", raising=False)  # it takes more
    content = bytes(range(256)) * 10_000
    (tmp_path / "source").write_bytes(content)
    with OpenSource(tmp_path / "source") as source, (tmp_path / "made").open("w+b") as made:
        made.write(b"head")
        copy_range(source, 3, end - 5, made)
        made.write(b"tail")
        made.seek(0)
        made.write(b"H")
    assert (tmp_path / "made").read_bytes() == b"Head" + content[3 : end - 5] + b"tail"


def test_a_small_part_asked_for_twice_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * (1 << 12))
    asked: list[tuple[int, int]] = []

    def note(descriptor: int, length: int, offset: int) -> bytes:
        asked.append((offset, length))
        return read_at(descriptor, length, offset)

    monkeypatch.setattr(source_module, "read_at", note)
    frame, other, large = (70_000, 200_000), (70_000, 100_000), (70_000, 600_000)

    with OpenSource(path) as source:
        for offset, length in (frame, frame, other, frame, large, large, frame):
            expected = (bytes(range(256)) * (1 << 12))[offset : offset + length]
            assert source.read(offset, length) == expected

    assert asked == [frame, other, frame, large, large]


def test_a_source_that_becomes_shorter_is_an_error_of_reading(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(200_000))
    with OpenSource(tmp_path / "source") as source, (tmp_path / "made").open("w+b") as made:
        os.truncate(tmp_path / "source", 150_000)
        with pytest.raises(ReadError, match="became shorter"):
            copy_range(source, 0, 200_000, made)


def test_a_full_disk_is_an_error_of_writing(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(200_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with OpenSource(tmp_path / "source") as source, (tmp_path / "made").open("w+b") as made:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
            copy_range(source, 0, 100_000, made)
            with pytest.raises(OSError, match="File too large"):
                copy_range(source, 100_000, 200_000, made)
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
