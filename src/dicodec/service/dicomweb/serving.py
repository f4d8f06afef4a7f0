"""Open a source with all that it needs, for `dicodec serve` and for programs that mount it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dicodec.errors import InvalidOptionError
from dicodec.model.source_names import is_object_url
from dicodec.service.dicomweb.app import DicomWebApp
from dicodec.service.dicomweb.folder_source import FolderSource
from dicodec.service.dicomweb.sources import InstanceSource
from dicodec.service.dicomweb.works import Works
from dicodec.service.jobs.execution import Executor
from dicodec.service.web.limits import ConcurrencyLimit, RateLimit

_RETRIEVALS = 20
"""Retrievals that cost as much as one conversion of a file: viewers fetch frame by frame."""


@contextmanager
def open_dicomweb(
    place: str,
    executor: Executor,
    folder: Path | None = None,
    *,
    rate: int | None = None,
    concurrent: int = 16,
) -> Iterator[DicomWebApp]:
    """Yield the application over a source; everything is closed at the end.

    Args:
        place: path of a folder, URL of a prefix in a bucket, or of a DICOMweb server.
        executor: its pool.
        folder: folder for the index and for converted instances; None for a temporary one.
        rate: works a minute for one address; a retrieval is a twentieth of one. None for any.
        concurrent: requests that are worked for at once.

    Raises:
        InvalidOptionError: there is no such folder.
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
        source = _open_source(place, executor, folder)
        stack.callback(source.close)
        limit = RateLimit(None if rate is None else rate * _RETRIEVALS)
        yield DicomWebApp(
            source, Works(executor), spool, limit, ConcurrencyLimit(concurrent, "retrievals")
        )


def _open_source(place: str, executor: Executor, folder: Path) -> InstanceSource:
    if not is_object_url(place) and not os.path.isdir(place):  # noqa: PTH112 - it is a text
        raise InvalidOptionError("there is no such folder", path=place, hint="--dicomweb")
    return FolderSource(place, executor, folder)
