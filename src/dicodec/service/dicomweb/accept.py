"""Parse what a client accepts: the Accept header, and the `accept` parameter (PS3.18 8.7)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dicodec.model.records import dataclass
from dicodec.service.web.error_answers import Refusal

_PARAMETER = re.compile(
    r'\s*(?:;\s*)?(?P<name>[^\s;=,"]+)\s*=\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s;,"]*)\s*'
)
"""A parameter of a media type. Clients send `type=image/jls` without quotes, too, though a slash
needs them (RFC 9110 5.6.2)."""

_EMPTY = re.compile(r";\s*(?=[;,]|$)")
"""A semicolon without a parameter, which is allowed (RFC 9110 5.6.6)."""

_RANGE = re.compile(r"\s*(?P<type>[^\s;,=/]+/[^\s;,=/]+|\*)\s*")
_LONGEST, _MOST = 8192, 64
"""Characters of what is accepted, and media ranges in it, at most."""

MULTIPART = "multipart/related"


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One media type that a client accepts.

    Attributes:
        media_type: in lower case, such as "image/jls"; of a part, if `multipart`. It may end in
            "/*".
        multipart: whether it is of the parts of multipart/related; None if either will do.
        syntax: the `transfer-syntax` parameter: a UID, "*" for any, or "" if there is none.
        weight: `q`, 0 to 1.
    """

    media_type: str
    multipart: bool | None
    syntax: str = ""
    weight: float = 1.0

    def covers(self, media_type: str) -> bool:
        """Return whether a media type is in this range."""
        kind, _, sub = self.media_type.partition("/")
        return self.media_type in {"*/*", media_type} or (
            sub == "*" and media_type.startswith(f"{kind}/")
        )

    @property
    def wildcard(self) -> bool:
        """Whether it is a range of several media types."""
        return self.media_type.endswith("/*")


def parse_accept(header: str | None, parameter: str | None = None) -> list[MediaRange]:
    """Return what a client accepts, the most wanted first (PS3.18 8.7.8.1).

    Media types of the `accept` parameter go before those of the header.

    Args:
        header: value of the Accept header; None or blank for anything.
        parameter: value of the `accept` parameter of the URL; None if there is none.

    Raises:
        Refusal: either cannot be parsed.
    """
    first = _parse(parameter) if parameter else []
    second = _parse(header) if header and header.strip() else [MediaRange("*/*", None)]
    return [*_order(first), *_order(second)]


def _order(ranges: list[MediaRange]) -> Iterator[MediaRange]:
    """Yield ranges by falling weight, those of several media types last among equals."""
    wanted = [one for one in ranges if one.weight > 0]
    yield from sorted(wanted, key=lambda one: (-one.weight, one.wildcard))


def _parse(text: str) -> list[MediaRange]:
    if len(text) > _LONGEST:
        raise Refusal(400, f"what is accepted has more than {_LONGEST} characters")
    found: list[MediaRange] = []
    position = 0
    while position < len(text):
        if text[position] in ", \t":
            position += 1
            continue
        match = _RANGE.match(text, position)
        if match is None:
            raise _refuse(text[position:])
        position = match.end()
        parameters: dict[str, str] = {}
        while position < len(text) and text[position] == ";":
            if empty := _EMPTY.match(text, position):
                position = empty.end()
                continue
            match_parameter = _PARAMETER.match(text, position)
            if match_parameter is None:
                raise _refuse(text[position:])
            position = match_parameter.end()
            name = match_parameter["name"].lower()
            if name in parameters:
                raise Refusal(400, f"the media type {match['type']} has {name} more than once")
            parameters[name] = _unquote(match_parameter["value"])
        if position < len(text) and text[position] != ",":
            raise _refuse(text[position:])
        found.append(_make_range(match["type"].lower(), parameters))
        if len(found) > _MOST:
            raise Refusal(400, f"more than {_MOST} media types are accepted")
    return found


def _make_range(media_type: str, parameters: dict[str, str]) -> MediaRange:
    if media_type == "*":  # what some HTTP libraries of Java send
        media_type = "*/*"
    multipart: bool | None = False
    if media_type == MULTIPART:
        multipart, media_type = True, parameters.get("type", "*/*").lower()
        if media_type.count("/") != 1:
            raise Refusal(400, f"the type of {MULTIPART} is not a media type: {media_type!r}")
    elif media_type == "multipart/*":
        multipart, media_type = True, "*/*"
    elif media_type == "*/*":
        multipart = None
    return MediaRange(
        media_type,
        multipart,
        parameters.get("transfer-syntax", ""),
        _parse_weight(parameters.get("q", "1")),
    )


def _parse_weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1
    if not 0 <= weight <= 1:
        raise Refusal(400, f"a weight is a number from 0 to 1, not q={text}")
    return weight


def _unquote(value: str) -> str:
    if value.startswith('"'):
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _refuse(rest: str) -> Refusal:
    return Refusal(400, f"what is accepted cannot be understood from {rest[:40]!r} on")
