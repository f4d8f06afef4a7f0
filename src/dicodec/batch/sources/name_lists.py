"""Lists of sources: a file, or standard input, with a name a line, or with NUL between names."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dicodec.batch.sources.listing import NamedSource
from dicodec.batch.sources.locations import make_absolute
from dicodec.errors import InvalidOptionError
from dicodec.model.source_names import is_object_url

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO

_LONGEST = 1 << 16
"""Bytes of a name at most: it is read before anything is known of the list."""

_PARTS = 1 << 20


def read_names(place: str) -> Iterator[str]:
    """Yield the names of a list, in its order and in bounded memory.

    Args:
        place: path of the file, or "-" for standard input. Names are separated by NUL if its first
            megabyte has one (`find -print0`), else by line feeds; empty ones are passed over.

    Raises:
        InvalidOptionError: the list cannot be read, a name is longer than any system's, or a
            megabyte has none.
    """
    with _open(place) as file:
        try:
            part = file.read(_PARTS)
            separator = b"\0" if b"\0" in part else b"\n"
            rest = b""
            while part:
                *names, rest = (rest + part).split(separator)
                if len(part) == _PARTS and not rest and not any(names):  # it is a disk's image
                    raise InvalidOptionError("a megabyte of the list has no name", path=place)
                for name in names:
                    yield from _decode(name, separator)
                if len(rest) > _LONGEST:
                    raise InvalidOptionError("a name of the list is too long", path=place)
                part = file.read(_PARTS)
            yield from _decode(rest, separator)
        except OSError as cause:
            raise _make_error(place, cause) from cause


def _decode(name: bytes, separator: bytes) -> Iterator[str]:
    if separator == b"\n":
        name = name.removesuffix(b"\r")  # of a list from Windows
    if name:
        yield os.fsdecode(name)


@contextmanager
def _open(place: str) -> Iterator[BinaryIO]:
    if place == "-":
        if sys.stdin is None:
            raise InvalidOptionError("standard input is closed")
        yield sys.stdin.buffer
        return
    try:
        file = open(place, "rb")  # noqa: PTH123, SIM115 - closed below
    except OSError as cause:
        raise _make_error(place, cause) from cause
    with file:
        yield file


def _make_error(place: str, cause: OSError) -> InvalidOptionError:
    return InvalidOptionError(f"the list cannot be read: {cause.strerror}", path=place)


def parse_named(name: str, folder: str | None) -> NamedSource:
    """Return the source that a name of a list means.

    Its path is that of its result below the output, too; if it leads out of the folder, it is the
    absolute path, from the root on.

    Args:
        name: a path, or the URL of an object.
        folder: where relative paths start; None for the current folder.
    """
    if is_object_url(name):
        place = name.partition("://")[2].strip("/")
        return NamedSource(name, place, place, unsure=True)
    place = os.path.normpath(name)
    path = name if folder is None else os.path.join(folder, name)  # noqa: PTH118 - it is hot
    if place.startswith((os.sep, os.pardir)):
        place = make_absolute(path).lstrip(os.sep)
    return NamedSource(path, place, place, unsure=True)
