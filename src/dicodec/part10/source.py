"""Sources of bytes: a file or a buffer, read at any offset, by any thread."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from collections.abc import Buffer, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from dicodec.errors import (
    DiskFullError,
    EmptyFileError,
    ReadError,
    SourceChangedError,
    SourceUnavailableError,
)
from dicodec.model.platforms import read_at
from dicodec.model.records import Protocol
from dicodec.part10.beneath import PinnedFile
from dicodec.part10.stream_waiting import StreamWaiting

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, BinaryIO, TypeGuard

    from _typeshed import StrPath

COPY_SIZE = 1 << 20
"""Bytes copied at a time."""

HEAD_SIZE = 1 << 16
"""Bytes at a file's start that are kept once any of them was read."""

_KEPT_SIZE = 1 << 18
"""Bytes read last that are kept: a compressed frame, but no piece of what is copied."""

SPOOL_SIZE = 16 << 20
"""Bytes of a stream that are held in memory before it goes to a temporary file."""


class ByteSource(Protocol):
    """Random access to bytes that do not change; safe to use from several threads."""

    @property
    def size(self) -> int:
        """Number of bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end of the source."""


class Sink(Protocol):
    """Takes bytes in order."""

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take all of the bytes."""


_CAST_FORMATS = frozenset("cbB?hHiIlLqQnNfd")
"""Formats that memoryview can cast: native numbers of the struct module."""


class BytesSource:
    """A buffer as a source; slices are copied, so the buffer may be any that is not changed.

    Args:
        buffer: bytes, or an object that gives bytes: an array of any items and shape, in C order.
            It is copied if its bytes are not contiguous.

    Attributes:
        size: bytes.
        raw: the buffer, which kernels read.
    """

    def __init__(self, buffer: Buffer) -> None:
        view = memoryview(buffer)
        # Views of a file's bytes are cast, which copies nothing; NumPy's formats cannot all be.
        plain = view.c_contiguous and view.nbytes and view.format in _CAST_FORMATS
        self.raw = self._view = view.cast("B") if plain else memoryview(view.tobytes())
        self.size = len(self._view)

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        return bytes(self._view[offset : offset + length])

    def close(self) -> None:
        """Do nothing: the buffer is the caller's."""


class FileSource:
    """An open file as a source. Reads name their offset, so threads do not disturb each other.

    Its first bytes, which hold most of the header, are read once and kept, and so is what was read
    last if it is small: the stream of a file's only frame is asked for to describe it, and then to
    decode it.

    Attributes:
        size: bytes.
        status: the operating system's record of the file when it was opened.
        raw: its descriptor, which kernels read at offsets; None on Windows.
    """

    def __init__(self, file: BinaryIO | PinnedFile, *, owned: bool = True) -> None:
        self._file = file
        if isinstance(file, PinnedFile):
            self._descriptor, self.status = file.descriptor, file.status
        else:
            self._descriptor = file.fileno()
            self.status = os.fstat(self._descriptor)
        self.raw = self._descriptor if hasattr(os, "pread") else None
        self._owned = owned
        self.size = self.status.st_size
        self._head = b""
        self._last = (0, 0, b"")  # offset, length asked for, bytes; replaced as one, for threads

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`.

        Raises:
            ReadError: the operating system could not read.
        """
        end = offset + length
        head = self._head
        if end <= len(head) or len(head) == self.size:
            return head[offset:end]
        if end <= HEAD_SIZE:
            self._head = head = self._read(0, min(HEAD_SIZE, self.size))
            return head[offset:end]
        kept_offset, kept_length, kept = self._last
        if offset == kept_offset and length == kept_length:
            return kept
        data = self._read(offset, min(length, max(0, self.size - offset)))
        if length <= _KEPT_SIZE:
            self._last = offset, length, data
        return data

    def _read(self, offset: int, length: int) -> bytes:
        try:
            data = read_at(self._descriptor, length, offset)
            while len(data) < length and (more := self._read_more(data, offset, length)):
                data += more
        except OSError as cause:
            raise ReadError(f"cannot read: {cause.strerror}", offset=offset) from cause
        return data

    def _read_more(self, data: bytes, offset: int, length: int) -> bytes:
        # One call of the operating system returns at most 2 GiB, and may return less.
        return read_at(self._descriptor, length - len(data), offset + len(data))

    def check_unchanged(self) -> None:
        """Check that everything read so far is of one state of the file.

        Raises:
            SourceChangedError: the file was written to since it was opened.
        """
        now = os.fstat(self._descriptor)
        if (now.st_size, now.st_mtime_ns) != (self.size, self.status.st_mtime_ns):
            raise SourceChangedError("the source changed while it was read")

    def close(self) -> None:
        """Close the file if this source opened it."""
        if self._owned and not isinstance(self._file, PinnedFile):
            self._file.close()


class OpenSource:
    """A context manager that opens a source of any kind.

    Args:
        source: a path, a buffer, a binary stream, or an object with random access of its own, which
            is used as it is and closed by its owner. A stream without a file behind it is spooled:
            in memory up to SPOOL_SIZE bytes, beyond that in a temporary file. A stream that
            does not block is waited for.
        check: looks at the first SPOOL_SIZE bytes of a stream that is longer, before the others are
            read, and raises an error if they are not worth it. A device such as /dev/zero never
            ends.

    Raises on entry:
        SourceUnavailableError: not there, a folder, not a regular file, no permission, or a
            stream that is closed or not for reading.
        EmptyFileError: no bytes.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Buffer | BinaryIO | ByteSource,
        check: Callable[[ByteSource], object] | None = None,
    ) -> None:
        self._given = source
        self._check = check
        self._opened: BytesSource | FileSource | None = None

    def __enter__(self) -> ByteSource:
        given = self._given
        if isinstance(given, bytes | bytearray | memoryview):
            self._opened = _wrap_buffer(given)
        elif isinstance(given, PinnedFile):
            self._opened = FileSource(given, owned=False)
        elif isinstance(given, str | os.PathLike):
            file = _open_path(os.fspath(given))
            if _is_regular(file):
                self._opened = FileSource(file)
            else:  # a named pipe or a device
                with file:
                    self._opened = _spool(file, self._check)
        elif is_byte_source(given):
            if given.size == 0:
                raise EmptyFileError("the source is empty")
            return given
        elif isinstance(given, io.TextIOBase):
            raise _make_unusable_error(given)
        elif not callable(getattr(given, "read", None)):
            if not isinstance(given, Buffer):
                raise _make_unusable_error(given)
            self._opened = _wrap_buffer(given)
        else:
            stream: Any = given
            _check_readable(stream)
            regular = _is_regular(stream)
            self._opened = (
                FileSource(stream, owned=False) if regular else _spool(stream, self._check)
            )
        if self._opened.size == 0:
            self._opened.close()
            raise EmptyFileError("the source is empty")
        return self._opened

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            self._opened.close()


def gives_bytes_once(path: StrPath) -> bool:
    """Return whether a path is that of a pipe or a device, which cannot be opened again."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - of paths of any kind
    except (OSError, ValueError):  # opening it will say so
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def is_byte_source(given: object) -> TypeGuard[ByteSource]:
    """Return whether an object has random access of its own; streams have a position, too."""
    random = hasattr(given, "read") and hasattr(given, "size")
    return random and not hasattr(given, "tell")


def _make_unusable_error(given: object) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"a {type(given).__name__} is not a path, a buffer or a binary stream"
    )


def _wrap_buffer(given: Buffer) -> BytesSource:
    try:
        return BytesSource(given)
    except (BufferError, NotImplementedError, TypeError, ValueError) as cause:
        # A view that was released, an array of objects or of types that no buffer can name.
        raise SourceUnavailableError(
            f"the bytes of a {type(given).__name__} cannot be read: {cause}"
        ) from cause


def _check_readable(stream: BinaryIO) -> None:
    """Raise SourceUnavailableError if a stream is closed, or not for reading."""
    if getattr(stream, "closed", False) is True:
        raise SourceUnavailableError("the source is a stream that is closed")
    file = getattr(stream, "raw", stream)
    if isinstance(file, io.FileIO) and not file.readable():
        raise SourceUnavailableError("the source is a stream that is not open for reading")


_UNAVAILABLE = {
    errno.ENOENT: "does not exist",
    errno.EISDIR: "is a folder, not a file",
    errno.EACCES: "may not be read: no permission",
    errno.EPERM: "may not be read: no permission",
    errno.ENOTDIR: "does not exist",
    errno.ELOOP: "is a loop of symbolic links",
    errno.ENAMETOOLONG: "has too long a name",
}


def _open_path(path: str) -> BinaryIO:
    try:
        return open(path, "rb", buffering=0)  # noqa: PTH123 - the source closes it
    except OSError as cause:
        folder = os.path.isdir(path)  # noqa: PTH112 - of any permission
        number = errno.EISDIR if folder else cause.errno or 0
        text = _UNAVAILABLE.get(number, f"cannot be opened: {cause.strerror}")
        raise SourceUnavailableError(f"the source {text}") from cause
    except ValueError as cause:  # a NUL
        raise SourceUnavailableError(f"the source cannot be opened: {cause}") from cause


def _is_regular(stream: BinaryIO) -> bool:
    """Return whether a stream reads a regular file from its start, with nothing in between."""
    raw = getattr(stream, "raw", stream)
    if not isinstance(raw, io.FileIO):  # gzip streams too have the descriptor of a file
        return False
    try:
        return stat.S_ISREG(os.fstat(raw.fileno()).st_mode) and stream.tell() == 0
    except OSError:
        return False


def _spool(
    stream: BinaryIO, check: Callable[[ByteSource], object] | None
) -> BytesSource | FileSource:
    first = b"".join(_read_parts(stream, SPOOL_SIZE))
    if len(first) < SPOOL_SIZE:
        return BytesSource(first)
    if check is not None:
        check(BytesSource(first))
    import tempfile  # most sources are files, and it takes milliseconds to load

    spool = tempfile.TemporaryFile(prefix="dicodec-")  # noqa: SIM115 - the source closes it
    try:
        write_spool(spool, [first])
        for part in _read_parts(stream):
            write_spool(spool, [part])
        write_spool(spool, [], flush=True)
    except BaseException:
        abandon(spool)
        raise
    return FileSource(spool)


def _read_parts(stream: BinaryIO, limit: int = sys.maxsize) -> Iterator[bytes]:
    """Yield the bytes of a stream, up to about a limit; wait if it has none yet."""
    missing = limit
    waiting: StreamWaiting | None = None
    try:
        while missing > 0:
            part = _read_part(stream, min(missing, COPY_SIZE))
            if part is None:
                waiting = waiting or StreamWaiting(stream, writing=False)
                waiting.wait()
                continue
            if not part:
                return
            if waiting is not None:
                waiting.note_progress()
            yield part
            missing -= len(part)
    except OSError as cause:
        raise ReadError(f"cannot read the stream: {cause.strerror or cause}") from cause


def _read_part(stream: BinaryIO, size: int) -> bytes | None:
    """Return the next bytes of a stream; b"" at its end, None if it has none yet.

    Raises:
        ReadError: it gives an object that is not bytes.
        OSError: see `read`.
    """
    try:
        part: object = stream.read(size)
    except BlockingIOError:  # as BufferedReader does if it has nothing at all
        return None
    if part is None or isinstance(part, bytes):
        return part
    if isinstance(part, bytearray | memoryview):
        return bytes(part)
    raise ReadError(f"cannot read the stream: it gives {type(part).__name__}, not bytes")


def write_spool(spool: BinaryIO, parts: Iterable[bytes], *, flush: bool = False) -> None:
    """Write to a temporary file that stands for a stream without random access.

    Raises:
        DiskFullError: its disk is full.
        ReadError: the operating system could not write it.
    """
    with translate_spool_errors():
        for part in parts:
            view = memoryview(part)
            while view:  # a file without a buffer may take less than it is given
                view = view[spool.write(view) :]
        if flush:
            spool.flush()


@contextmanager
def translate_spool_errors() -> Iterator[None]:
    """Turn the operating system's errors of a temporary file into ours; see `write_spool`."""
    try:
        yield
    except OSError as cause:
        if cause.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            import tempfile

            raise DiskFullError(
                "no room is left for a temporary file", hint=f"it is in {tempfile.gettempdir()}"
            ) from cause
        raise ReadError(f"cannot write a temporary file: {cause.strerror}") from cause


def abandon(spool: BinaryIO) -> None:
    """Close a temporary file that is no longer needed, even if its disk is full."""
    with suppress(OSError):
        spool.close()


def read_chunks(source: ByteSource, start: int, end: int, size: int = COPY_SIZE) -> Iterator[bytes]:
    """Yield the bytes from `start` to `end`, at most `size` at a time.

    Raises:
        ReadError: the source ends before `end`.
    """
    while start < end:
        chunk = source.read(start, min(size, end - start))
        if not chunk:
            raise ReadError("the source became shorter while it was read", offset=start)
        yield chunk
        start += len(chunk)


def digest_parts(parts: Iterable[bytes]) -> str:
    """Return the SHA-256 of parts that follow each other, in hexadecimal."""
    from hashlib import sha256  # it takes milliseconds to load

    digest = sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def copy_range(source: ByteSource, start: int, end: int, sink: Sink) -> None:
    """Append the bytes from `start` to `end` to a sink.

    They are read and written: where the places in two files differ within a page, as they do if a
    header grows or shrinks, sendfile(2) takes 1.4 to 1.9 times the CPU time of that (Linux 6.18).

    Raises:
        ReadError: the source ends before `end`, or cannot be read.
        OSError: as the sink has it.
    """
    for chunk in read_chunks(source, start, end):
        sink.write(chunk)


@contextmanager
def provide_path(source: ByteSource, path: str | None) -> Iterator[str]:
    """Yield the path of a source; of a temporary copy if it has none, or that of a pipe.

    Raises:
        DiskFullError: the disk has no room for the copy.
        ReadError: the source cannot be read, or the copy not be written.
    """
    if path is not None and not gives_bytes_once(path):
        yield path
        return
    # Most sources have a name, and it takes milliseconds to load.
    from dicodec.part10.temporary import TemporaryFolder

    with TemporaryFolder() as folder:
        copy = Path(folder) / "copy.dcm"
        with copy.open("wb") as file:
            for chunk in read_chunks(source, 0, source.size):
                write_spool(file, [chunk])
            write_spool(file, [], flush=True)
        yield str(copy)
