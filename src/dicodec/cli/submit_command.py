"""`dicodec submit`: puts each file that is named or found into a queue."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import batched
from typing import TYPE_CHECKING

from dicodec.cli.printing import SOME_FAILED, WRONG_USAGE, print_error
from dicodec.cli.service_options import needed, read_token, wish
from dicodec.errors import DicodecError, InvalidOptionError, RequestError, UnsupportedTargetError

if TYPE_CHECKING:
    from dicodec.service.jobs.messages import Request

_SERVER = "http://127.0.0.1:8765"
_BATCH = 500
_TELL_SECONDS = 0.5

type _Tell = Callable[[int, int], None]
"""Is told how many jobs were added, and how many were known."""


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand and return the exit status: 1 where something could not be listed."""
    try:
        from dicodec.batch.sources.locations import make_absolute

        wanted = wish(arguments, make_absolute(arguments.output))
        from dicodec.service.jobs.submission import make_requests

        return _submit(make_requests(arguments.source, wanted), arguments)
    except (InvalidOptionError, RequestError, UnsupportedTargetError) as error:
        print_error(error)
        return WRONG_USAGE
    except DicodecError as error:
        print_error(error)
        return SOME_FAILED


def _submit(found: Iterator[object], arguments: argparse.Namespace) -> int:
    from dicodec.batch.sources.folders import PassedOver
    from dicodec.service.jobs.messages import Request

    progress = _Progress(shown=sys.stderr.isatty() and not arguments.quiet)
    skipped: Counter[str] = Counter()
    failed = 0

    def requests() -> Iterator[Request]:
        nonlocal failed
        for one in found:
            if isinstance(one, Request):
                yield one
            elif isinstance(one, PassedOver):
                skipped[one.reason] += 1
            elif isinstance(one, DicodecError):
                failed += 1
                progress.clear()
                print_error(one)

    try:
        added, known = _sent(requests(), arguments, progress.tell)
    finally:
        progress.clear()
    if arguments.json:
        told = {"added": added, "known": known, "skipped": skipped, "failed": failed}
        print(json.dumps(told))
    elif not arguments.quiet:
        text = f"{added} jobs added, {known} known already"
        for reason, count in sorted(skipped.items()):
            text += f", {count} passed over ({reason})"
        print(text, file=sys.stderr)
    return SOME_FAILED if failed else 0


def _sent(
    requests: Iterator[Request], arguments: argparse.Namespace, tell: _Tell
) -> tuple[int, int]:
    """Put requests into the queue that was named; return how many were new, and how many not."""
    if arguments.broker is not None:
        with needed("worker", "the brokers' clients"):
            from dicodec.service.brokers.broker import BrokerOptions, QueueNames
            from dicodec.service.worker.publishing import send_requests

        names = QueueNames() if arguments.queue is None else QueueNames(arguments.queue)
        how = BrokerOptions(names=names)
        return send_requests(arguments.broker, how, requests, lambda count: tell(count, 0)), 0
    if arguments.queue is not None:
        if arguments.server is not None:
            raise InvalidOptionError("--queue is that of a broker, or a file; not of a server")
        from dicodec.service.jobs.store.store import JobStore
        from dicodec.service.jobs.submission import make_job

        with JobStore(arguments.queue) as store:
            return _put(requests, lambda some: store.put(map(make_job, some)), tell)
    from dicodec.service.jobs.submission_server import ServerClient

    with ServerClient(arguments.server or _SERVER, read_token(arguments.token_file)) as server:
        return _put(requests, server.put, tell)


def _put(
    requests: Iterator[Request], put: Callable[[Sequence[Request]], int], tell: _Tell
) -> tuple[int, int]:
    added = known = 0
    for batch in batched(requests, _BATCH):
        new = put(batch)
        added, known = added + new, known + len(batch) - new
        tell(added, known)
    return added, known


class _Progress:
    """One line on a terminal that is written anew."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._started = time.monotonic()
        self._told = 0.0

    def tell(self, added: int, known: int) -> None:
        """Show how many there are, now and then."""
        now = time.monotonic()
        if not self._shown or now - self._told < _TELL_SECONDS:
            return
        self._told = now
        rate = (added + known) / max(now - self._started, 1e-3)
        print(
            f"\r{added} jobs added, {known} known already, {rate:.0f} a second ",
            end="",
            file=sys.stderr,
            flush=True,
        )

    def clear(self) -> None:
        """Take the line away."""
        if self._told:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._told = 0.0
