"""Give a source a path, for programs that read nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicodec.part10.source import ByteSource, read_chunks, write_spool


@contextmanager
def named_file(source: ByteSource, path: str | None) -> Iterator[str]:
    """Yield the path of a source; of a temporary copy if it has none.

    Raises:
        DiskFullError: the disk has no room for the copy.
        ReadError: the source cannot be read, or the copy not be written.
    """
    if path is not None:
        yield path
        return
    import tempfile  # most sources have a name, and it takes milliseconds to load

    with tempfile.TemporaryDirectory(prefix="dicodec-") as folder:
        copy = Path(folder) / "copy.dcm"
        with copy.open("wb") as file:
            for chunk in read_chunks(source, 0, source.size):
                write_spool(file, [chunk])
            write_spool(file, [], flush=True)
        yield str(copy)
