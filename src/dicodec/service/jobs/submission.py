"""Make jobs: one for a request, or one for each DICOM file that is named or found in folders."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from dicodec.batch.sources.folders import PassedOver, WalkOptions
from dicodec.batch.sources.listing import ListedSource, NamedSource, list_sources, parse_sources
from dicodec.batch.sources.locations import make_absolute
from dicodec.batch.sources.recognition import SNIFFED, find_skip_reason
from dicodec.errors import DicodecError
from dicodec.model.limits import DEFAULT_LIMITS
from dicodec.model.records import dataclass, replace
from dicodec.model.source_names import is_object_url
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.store.tables import NewJob

ARCHIVE_MEMBER = "archive-member"
"""Reason for skipping a member of an archive, because a job names a file."""


_IN_THE_ID = ("source", "target", "to", "policy", "options", "tenant", "trace_id", "priority")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOptions:
    """Options that the requests for many files share.

    Attributes:
        output: absolute path of the folder for results, which mirrors the folders of the sources.
        template: request for all files, but for its id, source and target.
    """

    output: str
    template: Request

    def make_request(self, source: str, relative: str, version: tuple[int, int]) -> Request:
        """Return the request for a file.

        Args:
            source: absolute path of the file.
            relative: path of its result below the output folder.
            version: size and time of the last change of the file. They are part of the job's id,
                so that a file is converted again only if it has changed.
        """
        target = os.path.join(self.output, relative)  # noqa: PTH118 - it is hot
        request = replace(self.template, source=source, target=target)
        told = {name: getattr(request, name) for name in _IN_THE_ID}
        told["options"] = dict(request.options)
        digest = blake2b(json.dumps([told, version], sort_keys=True).encode(), digest_size=16)
        return replace(request, id=digest.hexdigest())


def make_requests(
    sources: Iterable[str], options: SubmitOptions
) -> Iterator[Request | PassedOver | DicodecError]:
    """Yield a request for each DICOM file that is named or found; memory does not grow with them.

    All objects below a prefix of a bucket are requested, without a look at their content. Skipped
    files and errors of listing are yielded too.

    Args:
        sources: paths and URLs of files and folders.
        options: options of the requests.

    Raises:
        InvalidOptionError: two sources would have the same path in the output.
    """
    found = [
        NamedSource(make_absolute(root.path), root.prefix) for root in parse_sources([*sources])
    ]
    for one in list_sources(found, WalkOptions(), DEFAULT_LIMITS):
        if not isinstance(one, ListedSource):
            yield one
            continue
        reference = one.reference
        if reference.member is not None:
            yield PassedOver(reference.name, ARCHIVE_MEMBER)
        elif reason := _find_skip_reason(reference.path):
            yield PassedOver(reference.path, reason)
        else:
            version = reference.size, reference.modified
            yield options.make_request(reference.path, one.relative, version)


def _find_skip_reason(path: str) -> str | None:
    if is_object_url(path):  # a request for each object would take longer than all else
        return None
    try:
        with Path(path).open("rb", buffering=0) as file:
            return find_skip_reason(file.read(SNIFFED))
    except OSError:
        return None  # the job will report it, and may be tried again


def make_job(request: Request, *, shown_as: str | None = None, home: str | None = None) -> NewJob:
    """Return the new job for a request.

    Args:
        request: the request.
        shown_as: name of the source for people; None for its path.
        home: see `NewJob`.
    """
    return NewJob(
        id=request.id,
        request=request.to_json(),
        source=shown_as or request.source,
        tenant=request.tenant,
        trace=request.trace_id,
        home=home,
        priority=request.priority,
        event=Event.of(request, EventKind.ACCEPTED).to_json(),
    )
