"""Options of a service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dicodec.model.records import dataclass, field
from dicodec.service.jobs.runtime import ExecutionOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """The operator's options of one service.

    Attributes:
        data: folder for the queue, uploads and results; only one service may use it.
        store: URL of the job store that several services share; None for one in `data`.
        roots: folders that jobs by path may read from and write to.
        policies: paths of policy files by the names for requests.
        token: bearer token of clients; None for none.
        hosts: names by which clients may address the service; None for any.
        origins: other sites whose pages may use mounted applications; "*" for any.
        upload_limit: bytes of an uploaded file at most.
        rate: requests for work a minute from one address; None for no bound.
        concurrent: uploads, conversions and previews at once.
        streams: clients that receive events at once.
        reserve: bytes of the disk that stay free.
        keep_files: seconds until uploads and their results are removed.
        keep_jobs: seconds until ended jobs are removed.
        execution: options for carrying out jobs.
    """

    data: Path
    store: str | None = None
    roots: tuple[str, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    hosts: frozenset[str] | None = None
    origins: frozenset[str] = frozenset()
    upload_limit: int = 16 << 30
    rate: int | None = 1200
    concurrent: int = 16
    streams: int = 64
    reserve: int = 256 << 20
    keep_files: float = 24 * 3600.0
    keep_jobs: float = 30 * 24 * 3600.0
    execution: ExecutionOptions = field(default_factory=ExecutionOptions)
