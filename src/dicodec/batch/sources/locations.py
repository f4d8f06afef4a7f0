"""Where sources and results are: paths of files, or URLs of objects; what a batch asks of both."""

from __future__ import annotations

import os
from hashlib import blake2s
from typing import TYPE_CHECKING, NamedTuple

from dicodec.errors import DicodecError
from dicodec.model.object_url import is_object_url, parse_object_url

if TYPE_CHECKING:
    from dicodec.batch.sources.cloud import ObjectFacts


class Standing(NamedTuple):
    """What tells whether something at a place is still the same.

    Attributes:
        size: bytes.
        modified: when a file was changed, in nanoseconds since 1970; of an object a number that is
            made of its etag, which changes with its content, where the store has etags.
    """

    size: int
    modified: int


def standing(place: str) -> Standing | None:
    """Return what is known of the file or object at a place; None where there is none."""
    if is_object_url(place):
        from dicodec.batch.sources.cloud import head

        try:
            return object_standing(head(parse_object_url(place)))
        except DicodecError:
            return None
    try:
        found = os.stat(place)  # noqa: PTH116 - a path object costs more than the call
    except OSError:
        return None
    return Standing(found.st_size, found.st_mtime_ns)


def object_standing(facts: ObjectFacts) -> Standing:
    """Return the same of an object that is known already."""
    if facts.etag is None:
        return Standing(facts.size, facts.modified)
    digest = blake2s(facts.etag.encode(), digest_size=7).digest()
    return Standing(facts.size, int.from_bytes(digest))


def is_there(place: str) -> bool:
    """Whether anything has the name, a link to nowhere too.

    Raises:
        WriteError: a store does not say.
    """
    if is_object_url(place):
        from dicodec.batch.sources.cloud import exists

        return exists(parse_object_url(place))
    return os.path.lexists(place)


def absolute(place: str) -> str:
    """Return a name that does not depend on the current folder."""
    return place if is_object_url(place) else os.path.abspath(place)  # noqa: PTH100 - it is hot


def real(place: str) -> str:
    """Return the name of the file itself where a place is a link to it."""
    return place if is_object_url(place) else os.path.realpath(place)
