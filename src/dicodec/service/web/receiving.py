"""Receive an uploaded file in pieces: the body of a request, or a part of a form."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.model.records import dataclass, field
from dicodec.service.web.error_answers import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

FILE_FIELD = "file"
"""Name of the form's part with the file."""

_PIECE = 1 << 20
"""Bytes that are written at once."""

_BOUNDARY_SIZE = 70
"""Characters of a form's boundary at most (RFC 2046, 5.1.1)."""

_FIELD_SIZE, _FIELDS = 64 << 10, 64
"""Size of a field of a form, and number of fields, at most."""


@dataclass(slots=True)
class Received:
    """A received file.

    Attributes:
        size: bytes of the file.
        name: file name that the client gave; empty if it gave none.
        fields: other fields of the form.
    """

    size: int = 0
    name: str = ""
    fields: dict[str, str] = field(default_factory=dict)


async def receive_file(
    request: Request,
    path: Path,
    limit: int,
    note_written: Callable[[int], None],
    *,
    sync: bool,
) -> Received:
    """Write the file in a request's body to a new file.

    Args:
        request: request whose body is the file, or a form with a part named "file".
        path: path of the new file. The caller removes it, even after an error.
        limit: bytes of the file at most.
        note_written: is told of bytes that are on the disk; may raise an error to end it.
        sync: whether the file has to survive a power cut.

    Raises:
        Refusal: the file is too large or empty, or the form cannot be read.
        WriteError: the file cannot be written.
    """
    received = Received()
    with translate_write_errors():
        out = path.open("xb", buffering=0)
    with out:
        kind, _, _ = request.headers.get("content-type", "").partition(";")
        if kind.strip().lower() == "multipart/form-data":
            form = _Form(request.headers["content-type"], received)
        else:
            form = None
        held = bytearray()
        body = 0
        async for chunk in request.stream():
            body += len(chunk)  # with what stands before, between and behind the parts of a form
            if form is None:
                held += chunk
                received.size += len(chunk)
            else:
                held += form.take(chunk)
            if received.size > limit or body > limit + _FIELDS * _FIELD_SIZE:
                raise _refuse_size(limit)
            if len(held) >= _PIECE:
                await asyncio.to_thread(_write, out, bytes(held))
                note_written(len(held))
                held.clear()
        if form is not None:
            form.finish()
        await asyncio.to_thread(_write, out, bytes(held), sync=sync)
        note_written(len(held))
    if not received.size:
        raise Refusal(400, "the file is empty", code="empty-file")
    return received


def read_stated_size(request: Request, limit: int) -> int | None:
    """Return the bytes that a request says its body has; None if it does not say.

    Raises:
        Refusal: the file would be too large, so no room has to be found for it.
    """
    stated = request.headers.get("content-length", "")
    if not stated.isdigit():
        return None
    if int(stated) > limit + _FIELDS * _FIELD_SIZE:
        raise _refuse_size(limit)
    return int(stated)


def _refuse_size(limit: int) -> Refusal:
    return Refusal(413, f"the file has more than {limit} bytes", headers={"Connection": "close"})


def _write(out: BinaryIO, data: bytes, *, sync: bool = False) -> None:
    with translate_write_errors():
        view = memoryview(data)
        while view:
            view = view[out.write(view) :]
        if sync:
            os.fsync(out.fileno())


class _Form:
    """Parses a form as its bytes arrive: one file, and short fields."""

    def __init__(self, content_type: str, received: Received) -> None:
        from python_multipart.multipart import MultipartParser, parse_options_header

        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise Refusal(400, "the form has no boundary")
        if len(boundary) > _BOUNDARY_SIZE:
            raise Refusal(400, f"the form's boundary has more than {_BOUNDARY_SIZE} characters")
        self._parse_options = parse_options_header
        self._received = received
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._name = ""
        self._field = bytearray()
        self._file = bytearray()
        self._files = 0
        self._over = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_part_data": self._take_part_data,
                "on_part_end": self._end_part,
                "on_header_field": self._take_header_field,
                "on_header_value": self._take_header_value,
                "on_header_end": self._end_header,
                "on_end": self._end,
            },
        )

    def take(self, chunk: bytes) -> bytes:
        """Parse some bytes of the form; return the bytes of the file among them."""
        from python_multipart.exceptions import FormParserError

        try:
            self._parser.write(chunk)
        except FormParserError as cause:
            raise Refusal(400, f"the form cannot be read: {cause}") from cause
        taken = bytes(self._file)
        self._file.clear()
        return taken

    def finish(self) -> None:
        """Check that the form was complete."""
        if not self._over:
            raise Refusal(400, "the form ends too early")
        if not self._files:
            raise Refusal(400, f'the form has no part named "{FILE_FIELD}"')

    def _begin_part(self) -> None:
        self._name = ""
        self._field.clear()

    def _take_header_field(self, data: bytes, start: int, end: int) -> None:
        self._append(self._header[0], data[start:end])

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._append(self._header[1], data[start:end])

    def _end_header(self) -> None:
        name, value = (bytes(part) for part in self._header)
        self._header = bytearray(), bytearray()
        if name.lower() != b"content-disposition":
            return
        _, options = self._parse_options(value)
        self._name = options.get(b"name", b"").decode(errors="replace")
        if self._name == FILE_FIELD:
            self._files += 1
            if self._files > 1:
                raise Refusal(400, "the form has more than one file")
            given = options.get(b"filename", b"").decode(errors="replace")
            self._received.name = given.replace("\\", "/").rpartition("/")[2][:255]

    def _take_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == FILE_FIELD:
            self._file += data[start:end]
            self._received.size += end - start
        else:
            self._append(self._field, data[start:end])

    def _end_part(self) -> None:
        if self._name and self._name != FILE_FIELD:
            if len(self._received.fields) >= _FIELDS:
                raise Refusal(400, "the form has too many fields")
            self._received.fields[self._name] = self._field.decode(errors="replace")

    def _end(self) -> None:
        self._over = True

    @staticmethod
    def _append(held: bytearray, more: bytes) -> None:
        held += more
        if len(held) > _FIELD_SIZE:
            raise Refusal(400, "a field of the form is too long")
