"""`dicodec submit`: add a job to a queue for each file that is named or found."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import batched

from dicodec.cli.packages import require_packages
from dicodec.cli.printing import SOME_FAILED, print_error
from dicodec.cli.service_arguments import (
    add_request_arguments,
    find_store,
    parse_submit_options,
    read_token,
)
from dicodec.errors import DicodecError, InvalidOptionError

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.service.jobs.messages import Request

_SERVER = "http://127.0.0.1:8765"
_BATCH = 500
_SHOW_SECONDS = 0.5

type _Report = Callable[[int, int], None]
"""Called with the number of added jobs, and of known ones."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add("source", nargs="+", metavar="SOURCE", help="a file, a folder, or a prefix of a bucket")
    add("-o", "--output", required=True, metavar="OUTPUT",
        help="folder for the results, as the converting machine names it")  # fmt: skip
    add_request_arguments(command)
    queue = command.add_mutually_exclusive_group()
    queue.add_argument("--server", metavar="URL",
        help=f"a `dicodec serve` (default {_SERVER})")  # fmt: skip
    queue.add_argument("--broker", metavar="URL", help="kafka://, amqp://, nats:// or redis://")
    add("--queue", metavar="FILE|NAME",
        help="file of a queue on this machine, or URL of one in PostgreSQL; with --broker, name of "
        "its queue")  # fmt: skip
    add("--token-file", metavar="FILE", help="file with the server's token; or set DICODEC_TOKEN")
    add("--priority", type=int, default=0, metavar="0-9", help="9 is the most urgent (default 0)")
    add("--tenant", metavar="NAME", help="name of the tenant the jobs belong to")
    add("--trace", metavar="ID", help="id of the jobs in other systems")
    add("--json", action="store_true", help="print the numbers of jobs as JSON")
    add("-q", "--quiet", action="store_true", help="print errors only")


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status: 1 if a source could not be listed."""
    from dicodec.batch.sources.locations import make_absolute
    from dicodec.service.jobs.submission import make_requests

    options = parse_submit_options(arguments, make_absolute(arguments.output))
    return _submit(make_requests(arguments.source, options), arguments)


def _submit(found: Iterator[object], arguments: argparse.Namespace) -> int:
    from dicodec.batch.sources.folders import PassedOver
    from dicodec.service.jobs.messages import Request

    progress = _Progress(shown=sys.stderr.isatty() and not arguments.quiet)
    skipped: Counter[str] = Counter()
    failed = 0

    def make_requests() -> Iterator[Request]:
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
        added, known = _send(make_requests(), arguments, progress.show)
    finally:
        progress.clear()
    if arguments.json:
        numbers = {"added": added, "known": known, "skipped": skipped, "failed": failed}
        print(json.dumps(numbers))
    elif not arguments.quiet:
        text = f"{added} jobs added, {known} known already"
        for reason, count in sorted(skipped.items()):
            text += f", {count} passed over ({reason})"
        print(text, file=sys.stderr)
    return SOME_FAILED if failed else 0


def _send(
    requests: Iterator[Request], arguments: argparse.Namespace, report: _Report
) -> tuple[int, int]:
    """Send requests to the named queue; return the numbers of new and known ones."""
    if arguments.broker is not None:
        from dicodec.service.jobs.store.database import is_postgres

        with require_packages("worker", "the brokers' clients"):
            from dicodec.service.brokers.broker import BrokerOptions, QueueNames
            from dicodec.service.worker.publishing import send_requests

        if arguments.queue is not None and is_postgres(arguments.queue):
            raise InvalidOptionError(
                "--queue is a store in PostgreSQL, and there is a broker too",
                hint="leave out --broker, or unset DICODEC_BROKER",
            )
        names = QueueNames() if arguments.queue is None else QueueNames(arguments.queue)
        options = BrokerOptions(names=names)
        return send_requests(arguments.broker, options, requests, lambda count: report(count, 0)), 0
    if arguments.queue is not None:
        if arguments.server is not None:
            raise InvalidOptionError("--queue is that of a broker, or a file; not of a server")
        from dicodec.service.jobs.store.store import JobStore
        from dicodec.service.jobs.submission import make_job

        with JobStore(find_store(arguments.queue) or "") as store:
            return _put(requests, lambda some: store.put(map(make_job, some)), report)
    from dicodec.service.jobs.submission_server import ServerClient

    with ServerClient(arguments.server or _SERVER, read_token(arguments.token_file)) as server:
        return _put(requests, server.put, report)


def _put(
    requests: Iterator[Request], put: Callable[[Sequence[Request]], int], report: _Report
) -> tuple[int, int]:
    added = known = 0
    for batch in batched(requests, _BATCH):
        new = put(batch)
        added, known = added + new, known + len(batch) - new
        report(added, known)
    return added, known


class _Progress:
    """One line on a terminal, which is written again and again."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._started = time.monotonic()
        self._shown_at = 0.0

    def show(self, added: int, known: int) -> None:
        """Show the numbers of jobs, twice a second at most."""
        now = time.monotonic()
        if not self._shown or now - self._shown_at < _SHOW_SECONDS:
            return
        self._shown_at = now
        rate = (added + known) / max(now - self._started, 1e-3)
        print(
            f"\r{added} jobs added, {known} known already, {rate:.0f} a second ",
            end="",
            file=sys.stderr,
            flush=True,
        )

    def clear(self) -> None:
        """Remove the line."""
        if self._shown_at:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._shown_at = 0.0
