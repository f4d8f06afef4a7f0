"""What the operator says of the service: one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.store.store import LEASE_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """Settings of one service.

    Attributes:
        data: folder for the queue, uploads and results; only one service uses it.
        roots: folders that jobs by path may read from and write to.
        policies: files of policies by the names that requests have for them.
        token: that clients have to show; None for none.
        hosts: names that the service may be asked by; None for any.
        upload_limit: bytes of an uploaded file at most.
        rate: requests a minute that an address may have work done with; None for no bound.
        concurrent: uploads and conversions, and previews, at once.
        streams: clients that are sent events at once.
        reserve: bytes of the disk that stay free.
        keep_files: seconds that uploads and their results are kept.
        keep_jobs: seconds that jobs are remembered that are over.
        drain: seconds that conversions get to finish when the service ends.
        lease: seconds until the jobs of a service that was killed are taken up again.
        jobs: processes at most; None for one a core.
        timeout: seconds that one file may take; None for no bound.
        memory: bytes that one process may have resident; None for no bound.
        retries: when what failed is tried again.
        hide_paths: whether digests stand for paths in logs.
    """

    data: Path
    roots: tuple[str, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    hosts: frozenset[str] | None = None
    upload_limit: int = 16 << 30
    rate: int | None = 1200
    concurrent: int = 16
    streams: int = 64
    reserve: int = 256 << 20
    keep_files: float = 24 * 3600.0
    keep_jobs: float = 30 * 24 * 3600.0
    drain: float = 30.0
    lease: float = LEASE_SECONDS
    jobs: int | None = None
    timeout: float | None = 3600.0
    memory: int | None = None
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    hide_paths: bool = True
