"""Read multipart/related as its bytes arrive: parts begin, have data, and end (RFC 2387)."""

from __future__ import annotations

from email.message import Message

from dicodec.model.records import dataclass, field

_BOUNDARY_SIZE = 70
"""Characters of a boundary at most (RFC 2046 5.1.1)."""

_HEADER_SIZE = 16 << 10
"""Bytes of the headers of one part at most."""


class MultipartError(Exception):
    """The bytes are not multipart/related; the message says why."""


@dataclass(frozen=True, slots=True)
class PartBegins:
    """A part begins.

    Attributes:
        headers: its headers, by their names in lower case.
    """

    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """Some bytes of the part that began last."""

    content: bytes


@dataclass(frozen=True, slots=True)
class PartEnds:
    """The part that began last is whole."""


type MultipartEvent = PartBegins | PartData | PartEnds


def read_content_type(header: str) -> tuple[str, str, str]:
    """Return the media type, and the parameters `type` and `boundary`, of a Content-Type."""
    message = Message()
    message["Content-Type"] = header
    inner, boundary = message.get_param("type", ""), message.get_param("boundary", "")
    return message.get_content_type(), str(inner).lower(), str(boundary)


def read_parameter(header: str, name: str) -> tuple[str, str]:
    """Return the media type of a Content-Type, and a parameter, "" if it has none."""
    message = Message()
    message["Content-Type"] = header
    return message.get_content_type(), str(message.get_param(name, ""))


@dataclass(slots=True)
class _Header:
    name: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)


class MultipartReader:
    """Parses a payload piece by piece.

    Args:
        boundary: of the payload.

    Raises:
        MultipartError: there is no boundary, or it is too long.
    """

    def __init__(self, boundary: str) -> None:
        from python_multipart.multipart import MultipartParser

        if not 0 < len(boundary) <= _BOUNDARY_SIZE:
            raise MultipartError(f"a boundary has 1 to {_BOUNDARY_SIZE} characters")
        self._events: list[MultipartEvent] = []
        self._headers: dict[str, str] = {}
        self._header = _Header()
        self._size = 0
        self.over = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._take_name,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._take_data,
                "on_part_end": lambda: self._events.append(PartEnds()),
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> list[MultipartEvent]:
        """Parse some bytes, and return what they bring.

        Raises:
            MultipartError: they are not multipart.
        """
        from python_multipart.exceptions import FormParserError

        try:
            self._parser.write(chunk)
        except FormParserError as cause:
            raise MultipartError(f"it is not multipart/related: {cause}") from cause
        events, self._events = self._events, []
        return events

    def _begin(self) -> None:
        self._headers, self._header, self._size = {}, _Header(), 0

    def _take_name(self, data: bytes, start: int, end: int) -> None:
        self._grow(end - start)
        self._header.name += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(end - start)
        self._header.value += data[start:end]

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > _HEADER_SIZE:
            raise MultipartError(f"the headers of a part have more than {_HEADER_SIZE} bytes")

    def _end_header(self) -> None:
        name = self._header.name.decode("latin-1").lower()
        self._headers[name] = self._header.value.decode("latin-1").strip()
        self._header = _Header()

    def _end_headers(self) -> None:
        self._events.append(PartBegins(self._headers))

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(PartData(bytes(data[start:end])))

    def _end(self) -> None:
        self.over = True
