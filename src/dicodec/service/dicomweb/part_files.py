"""Write each part of a multipart payload to a file of its own, as the bytes arrive."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.service.dicomweb.multipart_reader import MultipartReader, PartBegins, PartData
from dicodec.service.web.disk_room import DiskRoom

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


async def write_parts(
    chunks: AsyncIterator[bytes],
    reader: MultipartReader,
    make_path: Callable[[], Path],
    room: DiskRoom,
    *,
    synced: bool,
) -> AsyncGenerator[Path]:
    """Yield the path of each part once it is whole; what is not whole is removed.

    Args:
        chunks: the payload.
        reader: parses it.
        make_path: returns the path of a new file.
        room: says whether the disk has room for more.
        synced: whether the bytes are on the disk before the path is yielded.

    Raises:
        MultipartError: the payload is not multipart.
        WriteError: a file cannot be written.
    """
    path, out = Path(), None
    try:
        async for chunk in chunks:
            room.check(len(chunk))
            for event in reader.feed(chunk):
                if isinstance(event, PartBegins):
                    path = make_path()
                    out = create(path)
                elif out is None:
                    continue
                elif isinstance(event, PartData):
                    await asyncio.to_thread(write_all, out, event.content)
                else:
                    await asyncio.to_thread(_close, out, synced=synced)
                    out = None
                    yield path
    finally:
        if out is not None:
            out.close()
            path.unlink(missing_ok=True)


def create(path: Path) -> BinaryIO:
    """Return a new file that is open for writing.

    Raises:
        WriteError: it cannot be made, or is there.
    """
    with translate_write_errors():
        return path.open("xb", buffering=0)


def write_all(out: BinaryIO, content: bytes) -> None:
    """Write all bytes.

    Raises:
        WriteError: they cannot be written.
    """
    with translate_write_errors():
        view = memoryview(content)
        while view:
            view = view[out.write(view) :]


def _close(out: BinaryIO, *, synced: bool) -> None:
    with translate_write_errors(), out:
        if synced:
            os.fsync(out.fileno())
