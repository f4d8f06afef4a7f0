"""List, read and upload objects through obstore; its errors become ours.

Credentials, regions and endpoints come from the environment, as the tools of each provider expect
them. This module never keeps, prints or writes them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from dicodec.errors import (
    DicodecError,
    InvalidOptionError,
    ReadError,
    SourceChangedError,
    SourceUnavailableError,
    TargetExistsError,
    TargetUnavailableError,
    WriteError,
)
from dicodec.model.installation import describe_extra
from dicodec.model.records import dataclass
from dicodec.model.source_names import ObjectUrl

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from obstore.store import ObjectStore

# Timeouts are not set here, because options of the client override those of the environment.
_RETRIES: Mapping[str, Any] = {
    "max_retries": 6,
    "retry_timeout": timedelta(seconds=120),
    "backoff": {
        "init_backoff": timedelta(seconds=0.1),
        "max_backoff": timedelta(seconds=10),
        "base": 2,
    },
}

PART_SIZE = 8 << 20
"""Bytes of one part of an upload; four parts are sent at once."""

_PAGE_SIZE = 1000
"""Objects of one request for a list."""

KEPT_SUFFIX = ".dicodec-kept"
"""What the key of a kept original's mark ends in: an empty object beside it."""

_AT_ONCE = 16 << 20
"""Largest object that is uploaded in one request; only one request can be conditional."""

_HINT = "credentials come from the environment; see docs/storage.md"


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """Properties of an object that a store tells without its content.

    Attributes:
        url: URL of the object.
        size: bytes.
        modified: time of writing, in nanoseconds since 1970.
        etag: text that changes with the content; None if the store has none.
    """

    url: ObjectUrl
    size: int
    modified: int
    etag: str | None


def list_objects(prefix: ObjectUrl) -> Iterator[ObjectFacts]:
    """Yield all objects below a prefix, in the order of their keys, a page at a time.

    Raises:
        ReadError: the store cannot be listed.
    """
    obstore = _load_obstore()
    with translate_read_errors(prefix):
        key = prefix.key.rstrip("/") or None
        pages = iter(obstore.list(_open_store(prefix), key, chunk_size=_PAGE_SIZE))
    while True:
        with translate_read_errors(prefix):
            page = next(pages, None)
        if page is None:
            return
        for meta in page:
            if not str(meta["path"]).endswith("/"):  # some tools write such objects for folders
                yield _parse_facts(prefix, meta)


def tell_kept_apart(listed: Iterable[ObjectFacts]) -> Iterator[tuple[ObjectFacts, bool]]:
    """Yield objects, and whether each is an original that `--backup` kept; marks are left out.

    Args:
        listed: in the order of their keys. The mark of an object follows it, after keys that begin
            with its own; so only a few are held at a time.
    """
    held: deque[tuple[ObjectFacts, bytes]] = deque()
    marks: set[bytes] = set()
    for facts in listed:
        key = facts.url.key.encode()
        while held and held[0][1] < key:
            first, mark = held.popleft()
            yield first, mark in marks
            marks.discard(mark)
        if facts.url.key.endswith(KEPT_SUFFIX):
            marks.add(key)
        else:
            held.append((facts, key + KEPT_SUFFIX.encode()))
    for facts, mark in held:
        yield facts, mark in marks


def is_kept_object(url: ObjectUrl) -> bool:
    """Whether an object is an original that `--backup` kept.

    Raises:
        WriteError: the store does not answer as it should.
    """
    return exists(_make_mark(url))


def _make_mark(url: ObjectUrl) -> ObjectUrl:
    return ObjectUrl(url.scheme, url.bucket, url.key + KEPT_SUFFIX)


def read_facts(url: ObjectUrl) -> ObjectFacts:
    """Return the properties of an object.

    Raises:
        SourceUnavailableError: the object does not exist, or may not be read.
        ReadError: the store gives an unexpected answer.
    """
    obstore = _load_obstore()
    with translate_read_errors(url):
        return _parse_facts(url, obstore.head(_open_store(url), url.key))


def exists(url: ObjectUrl) -> bool:
    """Whether an object exists.

    Raises:
        WriteError: the store does not tell.
    """
    obstore = _load_obstore()
    with translate_write_errors(url):
        try:
            obstore.head(_open_store(url), url.key)
        except FileNotFoundError:
            return False
    return True


def fetch(url: ObjectUrl, start: int, end: int, etag: str | None) -> tuple[ObjectFacts, bytes]:
    """Return an object's properties and a range of its bytes, which may end before `end`.

    Args:
        url: URL of the object.
        start: offset of the first byte, less than the object's size.
        end: offset after the last byte.
        etag: required etag of the object; None for any.

    Raises:
        SourceChangedError: the object has another etag.
        SourceUnavailableError: the object does not exist, or may not be read.
        ReadError: the store gives an unexpected answer.
    """
    obstore = _load_obstore()
    options: dict[str, Any] = {"range": (start, end)}
    if etag is not None:
        options["if_match"] = etag
    with translate_read_errors(url):
        result = obstore.get(_open_store(url), url.key, options=options)
        return _parse_facts(url, result.meta), bytes(result.bytes())


def upload(file: Path, url: ObjectUrl, *, overwrite: bool, replaces: str | None = None) -> None:
    """Upload a file; the object appears whole or not at all.

    A file of up to 16 MiB is sent in one conditional request, which never overwrites an object by
    mistake. A larger file is sent in parts, after a check whether the object exists.

    Args:
        file: path of the file.
        url: URL of the object.
        overwrite: whether an existing object may be replaced.
        replaces: etag of the object that may be replaced; None for any.

    Raises:
        TargetExistsError: the object exists and may not be replaced.
        SourceChangedError: the object to replace has changed.
        TargetUnavailableError: the bucket is missing, or may not be written to.
        WriteError: the store gives an unexpected answer.
    """
    obstore = _load_obstore()
    size = file.stat().st_size
    settings: dict[str, Any] = {"chunk_size": PART_SIZE, "max_concurrency": 4}
    if replaces is not None:
        if read_facts(url).etag != replaces:
            raise SourceChangedError("the object changed while it was read", path=str(url))
        if size <= _AT_ONCE:
            settings = {"mode": {"e_tag": replaces}}
    elif not overwrite:
        if exists(url):
            raise TargetExistsError.at(str(url))
        if size <= _AT_ONCE:
            settings = {"mode": "create"}
    with translate_write_errors(url):
        obstore.put(_open_store(url), url.key, file, **settings)
        there = obstore.head(_open_store(url), url.key)["size"]
    if there != size:
        raise WriteError(f"the object has {there} bytes, not {size}", path=str(url))


def copy_object(url: ObjectUrl, suffix: str) -> None:
    """Copy an object to a second name, in the same bucket, and mark it there as kept.

    A copy that is there already, as after an upload that failed, is right.

    Args:
        url: URL of the object.
        suffix: text that is added to the object's key.

    Raises:
        TargetExistsError: the second name is taken, and not by a marked copy of the object.
        WriteError: the store cannot copy the object.
        ReadError: the object, or what has the second name, cannot be read.
    """
    second = ObjectUrl(url.scheme, url.bucket, url.key + suffix)
    if exists(second):
        if is_kept_object(second) and _have_same_content(url, second):
            return
        raise TargetExistsError("the backup exists, and is not overwritten", path=str(second))
    obstore = _load_obstore()
    with translate_write_errors(second):
        obstore.put(_open_store(url), _make_mark(second).key, b"")
        obstore.copy(_open_store(url), url.key, second.key)


def _have_same_content(one: ObjectUrl, two: ObjectUrl) -> bool:
    """Whether two objects hold the same bytes, which their etags do not tell in every store."""
    first, second = read_facts(one), read_facts(two)
    if first.size != second.size:
        return False
    for start in range(0, first.size, PART_SIZE):
        end = min(start + PART_SIZE, first.size)
        parts = [fetch(facts.url, start, end, facts.etag)[1] for facts in (first, second)]
        if parts[0] != parts[1]:
            return False
    return True


@contextmanager
def translate_read_errors(url: ObjectUrl) -> Iterator[None]:
    """Turn errors of obstore while reading into ours."""
    with _translate_errors(url, SourceUnavailableError, ReadError):
        yield


@contextmanager
def translate_write_errors(url: ObjectUrl) -> Iterator[None]:
    """Turn errors of obstore while writing into ours."""
    with _translate_errors(url, TargetUnavailableError, WriteError):
        yield


@contextmanager
def _translate_errors(
    url: ObjectUrl, unavailable: type[DicodecError], other: type[DicodecError]
) -> Iterator[None]:
    from obstore import exceptions

    where = str(url)
    try:
        yield
    except FileNotFoundError as error:
        raise unavailable("the object or its bucket does not exist", path=where) from error
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise unavailable(
            f"no permission: {_cut_first_line(error)}", path=where, hint=_HINT
        ) from error
    except exceptions.AlreadyExistsError as error:
        raise TargetExistsError.at(where) from error
    except exceptions.PreconditionError as error:
        raise SourceChangedError("the object changed while it was read", path=where) from error
    except exceptions.BaseError as error:
        raise other(f"the store says: {_cut_first_line(error)}", path=where) from error


def _cut_first_line(error: Exception) -> str:
    """Return the first line of an error, without queries of URLs, which may hold signatures."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"\?\S+", "?...", lines[0])[:300]


def _load_obstore() -> Any:
    try:
        import obstore
    except ImportError as cause:
        raise InvalidOptionError(
            "object storage needs obstore, which is not installed",
            hint=describe_extra("cloud"),
        ) from cause
    return obstore


def _open_store(url: ObjectUrl) -> ObjectStore:
    return _make_store(url.scheme, url.bucket)


@lru_cache(maxsize=16)
def _make_store(scheme: str, bucket: str) -> ObjectStore:
    from obstore import exceptions, store

    kinds: dict[str, Any] = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
    try:
        found: ObjectStore = kinds[scheme](bucket, retry_config=dict(_RETRIES))
    except exceptions.BaseError as error:
        raise InvalidOptionError(
            f"{scheme}://{bucket} cannot be used: {_cut_first_line(error)}", hint=_HINT
        ) from error
    return found


def _parse_facts(url: ObjectUrl, meta: Mapping[str, Any]) -> ObjectFacts:
    return ObjectFacts(
        ObjectUrl(url.scheme, url.bucket, str(meta["path"])),
        int(meta["size"]),
        int(meta["last_modified"].timestamp() * 1_000_000) * 1000,
        meta["e_tag"],
    )
