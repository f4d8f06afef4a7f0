"""`dicodec convert` of many files: folders, archives, long lists; and what it tells meanwhile."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Self

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LEDGER_NAME
from dicodec.batch.pool.pool import Pool
from dicodec.batch.run import Batch
from dicodec.batch.scheduling import BatchOptions
from dicodec.batch.sources.folders import FoundFile, WalkOptions, walk
from dicodec.batch.sources.listing import NamedSource, list_sources, parse_sources
from dicodec.batch.sources.locations import make_absolute
from dicodec.batch.work_item import WorkOptions
from dicodec.cli.convert.batch_output import BatchOutput, NoProgress
from dicodec.cli.convert.options import parse_options
from dicodec.cli.convert.output import ReportFile, show_error
from dicodec.cli.convert.targets import is_folder, make_folder
from dicodec.cli.printing import HUNG_UP, INTERRUPTED, SOME_FAILED, TERMINATED
from dicodec.errors import InvalidOptionError, TargetUnavailableError
from dicodec.model.archive_names import is_archive
from dicodec.model.object_url import is_object_url, parse_object_url
from dicodec.service.ending_signals import find_ending_signals

if TYPE_CHECKING:
    from dicodec.cli.convert.batch_progress import ShownProgress


def run_batch(arguments: argparse.Namespace, pool: Pool) -> int:
    """Run `dicodec convert` as a batch in a pool, and return the exit status.

    Raises:
        InvalidOptionError: the arguments have no meaning together.
        WriteError: the output folder or the ledger cannot be written.
    """
    settings = _settings(arguments)
    folder, result = _output(arguments)
    sources = _checked_sources(arguments, result)
    manner = _manner(arguments, sources, folder, named=result is not None)
    rules = WalkOptions(
        hidden=arguments.hidden,
        follow_links=not arguments.in_place,
        excluded=_excluded(manner.output),
        backup=arguments.backup,
    )
    entries = list_sources(sources, rules, settings.options.limits)
    known = _ledger(arguments, sources, manner)
    with (
        ReportFile(arguments.report) as reports,
        _Interruptions() as interruptions,
        Ledger("" if arguments.dry_run else known, writing=True) as ledger,
    ):
        if arguments.dry_run:
            ledger.take_over(known)
        output = BatchOutput(arguments, reports)
        with _progress(arguments, sources, rules) as progress:
            batch = Batch(
                entries, settings, manner, ledger, pool,
                report=output.teller(progress.print), arguments=shlex.join(sys.argv[1:]),
            )  # fmt: skip
            summary = batch.run(interruptions.count, progress.beat)
        output.finish(summary)
    if reports.error is not None:
        show_error(reports.error, arguments)
    if summary.interrupted:
        return interruptions.status
    return 0 if summary.all_well and reports.error is None else SOME_FAILED


def _settings(arguments: argparse.Namespace) -> WorkOptions:
    if arguments.layout is not None:
        from dicodec.batch.layout import parse_layout

        parse_layout(arguments.layout)
        if arguments.in_place:
            raise InvalidOptionError("--layout has no meaning in place")
    if arguments.policy is not None:
        from dicodec.batch.policy.policy import load_policy

        load_policy(arguments.policy)  # what is wrong with it is said once, and here
    return WorkOptions(
        options=parse_options(arguments),
        policy=arguments.policy,
        # A dry run need not have a place for results.
        layout=None if arguments.output is None else arguments.layout,
        in_place=arguments.in_place,
        dry_run=arguments.dry_run,
        digests=arguments.digests,
    )


def _checked_sources(arguments: argparse.Namespace, result: str | None) -> list[NamedSource]:
    if "-" in arguments.source:
        raise InvalidOptionError("standard input is no source for a batch")
    if arguments.in_place and any(is_archive(path) for path in arguments.source):
        raise InvalidOptionError("an archive cannot be converted in place")
    return parse_sources(arguments.source, result)


def _output(arguments: argparse.Namespace) -> tuple[str | None, str | None]:
    """Return the folder that results go to, and the name there of the one result that has one."""
    output: str | None = arguments.output
    if arguments.in_place or (output is None and arguments.dry_run):
        return None, None
    if output is None:
        raise InvalidOptionError("no place is given for the result", hint="-o OUTPUT or --in-place")
    if is_folder(output, arguments.source, layout=arguments.layout is not None):
        return (output.rstrip("/") if is_object_url(output) else output), None
    if output == "-":
        raise InvalidOptionError("a batch does not write to standard output")
    folder, _, name = output.rpartition("/")
    return folder or ("/" if output.startswith("/") else "."), name


def _manner(
    arguments: argparse.Namespace, sources: list[NamedSource], folder: str | None, *, named: bool
) -> BatchOptions:
    if folder is None:
        return BatchOptions(None, arguments.resume, arguments.skip_existing)
    if is_object_url(folder):
        parse_object_url(folder)
        return BatchOptions(folder, arguments.resume, arguments.skip_existing)
    if any(_same(root.path, folder) for root in sources):
        raise InvalidOptionError("OUTPUT is the source itself", hint="--in-place replaces it")
    if named and not os.path.isdir(folder):  # noqa: PTH112 - it raises nothing
        raise TargetUnavailableError("the target's folder does not exist", path=arguments.output)
    if not arguments.dry_run:
        make_folder(folder)
    return BatchOptions(make_absolute(folder), arguments.resume, arguments.skip_existing)


def _same(path: str, other: str) -> bool:
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)  # noqa: PTH110, PTH121


def _excluded(output: str | None) -> frozenset[tuple[int, int]]:
    if output is None or is_object_url(output) or not os.path.exists(output):  # noqa: PTH110
        return frozenset()
    found = Path(output).stat()
    return frozenset({(found.st_dev, found.st_ino)})


def _ledger(arguments: argparse.Namespace, sources: list[NamedSource], manner: BatchOptions) -> str:
    """Return the ledger's file; "" for none, in a dry run that goes on with no other run."""
    if arguments.dry_run and not arguments.resume:
        return ""
    if arguments.ledger is not None:
        return str(arguments.ledger)
    place = manner.output
    if place is None or is_object_url(place):
        first = sources[0].path
        if is_object_url(first):
            raise InvalidOptionError(
                "a ledger cannot be in object storage", hint="--ledger FILE says where it is"
            )
        place = first if os.path.isdir(first) else str(Path(first).parent)  # noqa: PTH112
    return str(Path(place) / LEDGER_NAME)


class _Interruptions:
    """Counts SIGINT and what ends programs while it is entered, in place of ending this one."""

    def __init__(self) -> None:
        self.status = INTERRUPTED
        self._count = 0

    def count(self) -> int:
        """Return how many there were."""
        return self._count

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._heard)
            for number in (signal.SIGINT, *find_ending_signals())
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._count += 1
        if number != signal.SIGINT:
            self.status = TERMINATED if number == signal.SIGTERM else HUNG_UP


@contextmanager
def _progress(
    arguments: argparse.Namespace, sources: list[NamedSource], rules: WalkOptions
) -> Iterator[NoProgress | ShownProgress]:
    if arguments.quiet or arguments.json or not sys.stderr.isatty():
        yield NoProgress()
        return
    from dicodec.cli.convert.batch_progress import ShownProgress

    progress = ShownProgress()
    stop = threading.Event()
    # Listing goes on only as files are converted, so that memory stays bounded; to know how many
    # there will be, they are counted beside.
    counter = threading.Thread(
        target=_count, args=(sources, rules, progress, stop), name="dicodec-count", daemon=True
    )
    counter.start()
    try:
        with progress:
            yield progress
    finally:
        stop.set()
        counter.join(1)


def _count(
    sources: list[NamedSource], rules: WalkOptions, progress: ShownProgress, stop: threading.Event
) -> None:
    files = size = 0
    for root in sources:
        if os.path.isdir(root.path):  # noqa: PTH112 - it raises nothing
            for entry in walk(root.path, rules):
                if stop.is_set():
                    return
                if isinstance(entry, FoundFile):
                    files, size = files + 1, size + entry.reference.size
        elif is_archive(root.path) or is_object_url(root.path):
            return  # how much there is, is known only once it has been read
        else:
            files += 1
    progress.total(files, size)
