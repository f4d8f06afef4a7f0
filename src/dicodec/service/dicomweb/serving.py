"""Open a source with all that it needs, for `dicodec serve` and for programs that mount it."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dicodec.errors import InvalidOptionError
from dicodec.model.records import dataclass
from dicodec.model.source_names import SCHEMES, is_object_url
from dicodec.service.dicomweb.app import DicomWebApp
from dicodec.service.dicomweb.folder_source import FolderSource
from dicodec.service.dicomweb.sources import InstanceSource
from dicodec.service.dicomweb.upstream import Upstream
from dicodec.service.dicomweb.upstream_source import UpstreamSource
from dicodec.service.dicomweb.works import Works
from dicodec.service.jobs.execution import Executor
from dicodec.service.web.disk_room import DiskRoom
from dicodec.service.web.limits import ConcurrencyLimit, RateLimit

_RETRIEVALS = 20
"""Retrievals that cost as much as one conversion of a file: viewers fetch frame by frame."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomWebOptions:
    """Options of serving images.

    Attributes:
        token_file: file with a bearer token for the other server; None for none.
        passes_authorization: whether the clients' own Authorization is meant for that server.
        cache: bytes of instances of another server that are kept for a while, at most.
        upload_limit: bytes of a request to store at most.
        rate: works a minute for one address; a retrieval is a twentieth of one. None for any.
        concurrent: requests that are worked for at once.
        reserve: bytes of the disk that stay free.
    """

    token_file: str | None = None
    passes_authorization: bool = True
    cache: int = 4 << 30
    upload_limit: int = 16 << 30
    rate: int | None = None
    concurrent: int = 16
    reserve: int = 256 << 20


DEFAULT_OPTIONS = DicomWebOptions()


@contextmanager
def open_dicomweb(
    place: str,
    executor: Executor,
    folder: Path | None = None,
    *,
    options: DicomWebOptions = DEFAULT_OPTIONS,
) -> Iterator[DicomWebApp]:
    """Yield the application over a source; everything is closed at the end.

    Args:
        place: path of a folder, URL of a prefix in a bucket, or of a DICOMweb server.
        executor: its pool.
        folder: folder for the index and for converted instances; None for a temporary one.
        options: options.

    Raises:
        InvalidOptionError: there is no such folder, or the URL is not one of these.
        TargetUnavailableError: the index cannot be used.
    """
    with ExitStack() as stack:
        if folder is None:
            made = stack.enter_context(tempfile.TemporaryDirectory(prefix="dicodec-dicomweb-"))
            folder = Path(made)
        spool = folder / "dicomweb"
        spool.mkdir(mode=0o700, exist_ok=True)
        for left in spool.iterdir():  # of a service that was killed
            left.unlink()
        works = Works(executor)
        room = DiskRoom(spool, options.reserve)
        source: InstanceSource
        if place.lower().startswith(("http://", "https://")):
            upstream = Upstream(place, options.token_file, passes=options.passes_authorization)
            source = UpstreamSource(
                upstream, works, spool, options.cache, room, options.upload_limit
            )
        elif is_object_url(place) or os.path.isdir(place):  # noqa: PTH112 - it is a text
            source = FolderSource(place, executor, works, folder, options.upload_limit)
        else:
            raise _refuse(place)
        stack.callback(source.close)
        rate = None if options.rate is None else options.rate * _RETRIEVALS
        places = ConcurrencyLimit(options.concurrent, "retrievals")
        yield DicomWebApp(source, works, spool, room, RateLimit(rate), places)


def _refuse(place: str) -> InvalidOptionError:
    """Return the error for what is neither a folder, nor a prefix, nor a server."""
    scheme, separator, _ = place.partition("://")
    if separator and _SCHEME.fullmatch(scheme):
        known = ", ".join(f"{one}://" for one in ("http", "https", *SCHEMES))
        return InvalidOptionError(
            f"images are not served from {scheme}://", hint=f"--dicomweb takes a folder, or {known}"
        )
    if os.path.exists(place):  # noqa: PTH110 - it is a text
        return InvalidOptionError("it is not a folder", path=place, hint="--dicomweb")
    return InvalidOptionError("there is no such folder", path=place, hint="--dicomweb")
