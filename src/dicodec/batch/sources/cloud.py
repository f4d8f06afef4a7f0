"""Object storage through obstore: listing, reading, uploading; errors come as ours.

Credentials, regions and endpoints are the business of the environment, as the tools of each
provider have them; nothing of them is kept, shown or written anywhere here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from dicodec.model.object_url import ObjectUrl

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# Timeouts are not set here: options of the client would take the place of the environment's.
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
"""Bytes of one part of an upload; four are on their way at once."""

_AT_ONCE = 16 << 20
"""Bytes up to which an object is uploaded in one request, which can be made conditional."""


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What is known of an object without reading it.

    Attributes:
        url: its name.
        size: bytes.
        modified: when it was written, in nanoseconds since 1970.
        etag: changes with its content; None where the store has none.
    """

    url: ObjectUrl
    size: int
    modified: int
    etag: str | None


def list_objects(prefix: ObjectUrl) -> Iterator[ObjectFacts]:
    """Yield all objects below a prefix, in the order of their keys, a page at a time.

    Raises:
        ReadError: they cannot be listed.
    """
    obstore = _obstore()
    with reading(prefix):
        pages = iter(obstore.list(_store(prefix), prefix.key.rstrip("/") or None, chunk_size=1000))
    while True:
        with reading(prefix):
            page = next(pages, None)
        if page is None:
            return
        for meta in page:
            if not str(meta["path"]).endswith("/"):  # what some tools leave to stand for a folder
                yield _facts(prefix, meta)


def head(url: ObjectUrl) -> ObjectFacts:
    """Return what is known of an object.

    Raises:
        SourceUnavailableError: it is not there, or may not be read.
        ReadError: the store does not answer as it should.
    """
    obstore = _obstore()
    with reading(url):
        return _facts(url, obstore.head(_store(url), url.key))


def exists(url: ObjectUrl) -> bool:
    """Whether an object is there.

    Raises:
        WriteError: the store does not say.
    """
    obstore = _obstore()
    with writing(url):
        try:
            obstore.head(_store(url), url.key)
        except FileNotFoundError:
            return False
    return True


def fetch(url: ObjectUrl, start: int, end: int, etag: str | None) -> tuple[ObjectFacts, bytes]:
    """Return a range of an object's bytes, which may end before `end`, and what is known of it.

    Args:
        url: the object.
        start: first byte; it must not lie behind the object's end.
        end: behind the last byte.
        etag: that the object must still have; None for any.

    Raises:
        SourceChangedError: it has another.
        SourceUnavailableError: it is not there, or may not be read.
        ReadError: the store does not answer as it should.
    """
    obstore = _obstore()
    options: dict[str, Any] = {"range": (start, end)}
    if etag is not None:
        options["if_match"] = etag
    with reading(url):
        result = obstore.get(_store(url), url.key, options=options)
        return _facts(url, result.meta), bytes(result.bytes())


def upload(file: Path, url: ObjectUrl, *, overwrite: bool, replaces: str | None = None) -> None:
    """Upload a file; the object appears whole or not at all.

    Objects of up to 16 MiB are sent in one request, on the condition that nothing is overwritten
    that must not be. Larger ones go in parts; whether something is there is asked before.

    Args:
        file: what is uploaded.
        url: the object.
        overwrite: whether an object that is there may be replaced.
        replaces: the etag of the object that is replaced; another one is not.

    Raises:
        TargetExistsError: an object is there and may not be replaced.
        SourceChangedError: the object to be replaced has changed.
        TargetUnavailableError: the bucket is missing or may not be written to.
        WriteError: the store does not answer as it should.
    """
    obstore = _obstore()
    size = file.stat().st_size
    settings: dict[str, Any] = {"chunk_size": PART_SIZE, "max_concurrency": 4}
    if replaces is not None:
        if head(url).etag != replaces:
            raise SourceChangedError("the object changed while it was read", path=str(url))
        if size <= _AT_ONCE:
            settings = {"mode": {"e_tag": replaces}}
    elif not overwrite:
        if exists(url):
            raise TargetExistsError(
                "the target exists", path=str(url), hint="--overwrite replaces it"
            )
        if size <= _AT_ONCE:
            settings = {"mode": "create"}
    with writing(url):
        obstore.put(_store(url), url.key, file, **settings)
        there = obstore.head(_store(url), url.key)["size"]
    if there != size:
        raise WriteError(f"the object has {there} bytes, not {size}", path=str(url))


def copy_object(url: ObjectUrl, suffix: str) -> None:
    """Keep an object under a second name, in the same bucket.

    Raises:
        TargetExistsError: an object has that name.
        WriteError: it cannot be copied.
    """
    second = ObjectUrl(url.scheme, url.bucket, url.key + suffix)
    if exists(second):
        raise TargetExistsError("the backup exists, and is not overwritten", path=str(second))
    obstore = _obstore()
    with writing(second):
        obstore.copy(_store(url), url.key, second.key)


@contextmanager
def reading(url: ObjectUrl) -> Iterator[None]:
    """Turn what obstore says while reading into our errors."""
    with _translated(url, SourceUnavailableError, ReadError):
        yield


@contextmanager
def writing(url: ObjectUrl) -> Iterator[None]:
    """Turn what obstore says while writing into our errors."""
    with _translated(url, TargetUnavailableError, WriteError):
        yield


@contextmanager
def _translated(
    url: ObjectUrl, unavailable: type[DicodecError], other: type[DicodecError]
) -> Iterator[None]:
    from obstore import exceptions

    where = str(url)
    try:
        yield
    except FileNotFoundError as error:
        raise unavailable("the object or its bucket does not exist", path=where) from error
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise unavailable(f"no permission: {_words(error)}", path=where, hint=_HINT) from error
    except exceptions.AlreadyExistsError as error:
        raise TargetExistsError("the target exists", path=where) from error
    except exceptions.PreconditionError as error:
        raise SourceChangedError("the object changed while it was read", path=where) from error
    except exceptions.BaseError as error:
        raise other(f"the store says: {_words(error)}", path=where) from error


_HINT = "credentials come from the environment; see docs/storage.md"


def _words(error: Exception) -> str:
    """Return the first line of an error, without what a URL may carry: signatures, tokens."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"\?\S+", "?...", lines[0])[:300]


def _obstore() -> Any:
    try:
        import obstore
    except ImportError as cause:
        raise InvalidOptionError(
            "object storage needs obstore, which is not installed",
            hint="pip install 'dicodec[cloud]'",
        ) from cause
    return obstore


def _store(url: ObjectUrl) -> ObjectStore:
    return _store_of(url.scheme, url.bucket)


@lru_cache(maxsize=16)
def _store_of(scheme: str, bucket: str) -> ObjectStore:
    from obstore import exceptions, store

    kinds: dict[str, Any] = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
    try:
        found: ObjectStore = kinds[scheme](bucket, retry_config=dict(_RETRIES))
    except exceptions.BaseError as error:
        raise InvalidOptionError(
            f"{scheme}://{bucket} cannot be used: {_words(error)}", hint=_HINT
        ) from error
    return found


def _facts(url: ObjectUrl, meta: Mapping[str, Any]) -> ObjectFacts:
    return ObjectFacts(
        ObjectUrl(url.scheme, url.bucket, str(meta["path"])),
        int(meta["size"]),
        int(meta["last_modified"].timestamp() * 1_000_000) * 1000,
        meta["e_tag"],
    )
