"""Locations of sources and results, which are paths of files or URLs of objects."""

from __future__ import annotations

import os

from dicodec.conversion.output.kept_originals import is_kept_original
from dicodec.errors import DicodecError
from dicodec.model.records import NamedTuple
from dicodec.model.source_names import is_object_url, parse_object_url

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.batch.sources.cloud import ObjectFacts


class FileVersion(NamedTuple):
    """Version of a file or object: it is the same if both numbers are.

    Attributes:
        size: bytes.
        modified: time of the last change of a file, in nanoseconds since 1970. For an object it is
            a digest of its etag if the store has etags.
    """

    size: int
    modified: int


def read_version(place: str) -> FileVersion | None:
    """Return the version of the file or object at a location; None if there is none."""
    if is_object_url(place):
        from dicodec.batch.sources.cloud import read_facts

        try:
            return derive_version(read_facts(parse_object_url(place)))
        except DicodecError:
            return None
    try:
        found = os.stat(place)  # noqa: PTH116 - a path object costs more than the call
    except OSError:
        return None
    return FileVersion(found.st_size, found.st_mtime_ns)


def derive_version(facts: ObjectFacts) -> FileVersion:
    """Return the version of an object from its properties."""
    if facts.etag is None:
        return FileVersion(facts.size, facts.modified)
    from hashlib import blake2s

    digest = blake2s(facts.etag.encode(), digest_size=7).digest()
    return FileVersion(facts.size, int.from_bytes(digest))


def is_there(place: str) -> bool:
    """Whether a location is taken, be it by a broken link.

    Raises:
        WriteError: a store does not tell.
    """
    if is_object_url(place):
        from dicodec.batch.sources.cloud import exists

        return exists(parse_object_url(place))
    return os.path.lexists(place)


def is_kept(place: str) -> bool:
    """Whether a file or object, or the file that a link leads to, is one that `--backup` kept.

    False if the list of kept originals cannot be read: nothing is replaced beside such a list.

    Raises:
        WriteError: a store does not tell.
    """
    if is_object_url(place):
        from dicodec.batch.sources.cloud import is_kept_object

        return is_kept_object(parse_object_url(place))
    try:
        return is_kept_original(os.path.realpath(place))
    except OSError:
        return False


def make_absolute(place: str) -> str:
    """Return the path of a file that does not depend on the current folder; a URL unchanged."""
    return place if is_object_url(place) else os.path.abspath(place)  # noqa: PTH100 - it is hot


def resolve_links(place: str) -> str:
    """Return the path of a file without symbolic links; a URL unchanged."""
    return place if is_object_url(place) else os.path.realpath(place)
