"""How a worker goes about its work, as its operator wants it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.retry_causes import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How a worker goes about it.

    Attributes:
        read: makes a request of a message's body; None for one that is not of interest.
        retries: when what failed is tried again.
        show_paths: whether events name files.
        all_events: whether beginnings and progress are told, too.
        alive_file: is touched with each sign of life; None for none.
    """

    read: Callable[[bytes], Request | None] = Request.from_json
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    show_paths: bool = False
    all_events: bool = True
    alive_file: str | None = None
