"""Run `dicodec convert` as a batch, for folders, archives and many files."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import State
from dicodec.batch.pacing import PaceOptions, Pacer, parse_window
from dicodec.batch.pool.pool import Pool
from dicodec.batch.run import Batch, ReportOutcome
from dicodec.batch.scheduling import BatchOptions
from dicodec.batch.sources.folders import FoundFile, WalkOptions, walk
from dicodec.batch.sources.listing import NamedSource, separate_sources
from dicodec.batch.sources.locations import make_absolute
from dicodec.batch.sources.shards import Shard
from dicodec.batch.work_item import WorkOptions
from dicodec.cli.convert.batch.report import BatchReport, NoProgress
from dicodec.cli.convert.batch.roots import share_roots
from dicodec.cli.convert.batch.sources import (
    find_ledger,
    list_batch,
    parse_named_sources,
    parse_shard_argument,
)
from dicodec.cli.convert.options import ESTIMATE_SECONDS, parse_options
from dicodec.cli.convert.output import ReportFile, report_failure
from dicodec.cli.convert.targets import is_folder, make_folder
from dicodec.cli.interruptions import Interruptions
from dicodec.cli.packages import require_packages
from dicodec.cli.printing import SOME_FAILED, STOPPED, print_line
from dicodec.errors import InvalidOptionError, TargetUnavailableError
from dicodec.model.option_table import EACH, NEVER
from dicodec.model.source_names import is_archive, is_object_url, parse_object_url
from dicodec.options import ConversionOptions

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import threading
    from typing import Any

    from dicodec.batch.cluster.cluster_pool import ClusterPool
    from dicodec.cli.convert.batch.progress import ProgressLine
    from dicodec.service.metrics.batch import BatchMetrics


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")
"""Characters that a shell takes as they are."""


def run_batch(arguments: argparse.Namespace, pool: Pool | ClusterPool) -> int:
    """Run `dicodec convert` as a batch in a pool, and return the exit status.

    Raises:
        InvalidOptionError: the arguments contradict each other.
        WriteError: the output folder or the ledger cannot be written.
    """
    work = _parse_work_options(arguments)
    folder, result = _find_output(arguments)
    shard = parse_shard_argument(arguments)
    sources = parse_named_sources(arguments, result)
    options = _parse_batch_options(arguments, folder, named=result is not None)
    pace = _parse_pace(arguments, options.output)
    manifest = _prepare_manifest(arguments, options.output)
    prepared_metrics = _prepare_metrics(arguments)
    # Only now, so that no folder is left behind by arguments that are refused.
    if folder is not None and not (arguments.dry_run or is_object_url(folder)):
        make_folder(folder, synced=arguments.durability != NEVER)
    walk_options = WalkOptions(
        hidden=arguments.hidden,
        follow_links=not arguments.in_place,
        excluded=_find_excluded(options.output),
        backup=arguments.backup,
        # A shell's glob names kept originals too; whoever names one alone means it.
        skips_named_backups=arguments.in_place
        and (arguments.files_from is not None or len(arguments.source) > 1),
    )
    if arguments.in_place:  # elsewhere, a file has a result for each source it is in
        sources, walk_options = separate_sources(sources, walk_options)
    entries = list_batch(arguments, sources, shard, walk_options, work.options.limits)
    known = find_ledger(arguments, sources, options.output, shard)
    with (
        share_roots(arguments, options.output, pool),
        ReportFile(arguments.report) as reports,
        prepared_metrics as metrics,
        Interruptions() as interruptions,
        Ledger("" if arguments.dry_run else known, writing=True) as ledger,
    ):
        if arguments.dry_run and known:
            ledger.take_over(known)
        shown = BatchReport(arguments, reports)
        with _show_progress(arguments, sources, walk_options, shard) as progress:
            report = _report_to_both(shown.make_reporter(progress.print), metrics)
            batch = Batch(
                entries, work, options, ledger, pool,
                report=report, arguments=_join(sys.argv[1:]), pacer=Pacer(pace),
            )  # fmt: skip
            summary = batch.run(interruptions.count, progress.show)
        pool.dismiss()
        if manifest is not None and not (summary.interrupted or summary.stopped):
            manifest(ledger)
        shown.finish(summary)
        status = 0 if summary.all_well and reports.error is None else SOME_FAILED
        if summary.stopped:
            status = status or STOPPED
        if summary.interrupted:
            status = interruptions.status
        if metrics is not None:
            metrics.finish(status)
    lost = [one.error for one in (reports, metrics) if one is not None and one.error is not None]
    for error in lost:
        report_failure(error, arguments)
    return SOME_FAILED if lost and not status else status


def _join(arguments: Sequence[str]) -> str:
    """Return arguments as a shell takes them; most need no quotes, which take 1 ms to load."""
    if all(one and _PLAIN.issuperset(one) for one in arguments):
        return " ".join(arguments)
    from shlex import join

    return join(arguments)


def _prepare_metrics(arguments: argparse.Namespace) -> AbstractContextManager[BatchMetrics | None]:
    """Return the metrics of a run, whose file is written once they are entered; None without one.

    Raises:
        InvalidOptionError: a package is missing.
    """
    if arguments.metrics_file is None or arguments.dry_run:  # nothing is converted
        return nullcontext()
    with require_packages("metrics", "the metrics of prometheus-client"):
        from dicodec.service.metrics.batch import BatchMetrics

    return BatchMetrics(arguments.metrics_file)


def _report_to_both(report: ReportOutcome, metrics: BatchMetrics | None) -> ReportOutcome:
    if metrics is None:
        return report

    def report_both(state: State, text: str) -> None:
        metrics.count(state, text)
        report(state, text)

    return report_both


def _parse_work_options(arguments: argparse.Namespace) -> WorkOptions:
    if arguments.layout is not None:
        from dicodec.batch.layout import parse_layout

        parse_layout(arguments.layout)
        if arguments.in_place:
            raise InvalidOptionError("--layout has no meaning in place")
    if arguments.policy is not None:
        from dicodec.batch.policy.policy import load_policy

        load_policy(arguments.policy)  # an error in it is reported once, here
    options = parse_options(arguments)
    return WorkOptions(
        options=options,
        policy=arguments.policy,
        # A dry run may have no output.
        layout=None if arguments.output is None else arguments.layout,
        in_place=arguments.in_place,
        dry_run=arguments.dry_run,
        digests=arguments.digests,
        proofs=arguments.manifest is not None,
        references=_may_renew_uids(options, arguments),
    )


def _may_renew_uids(options: ConversionOptions, arguments: argparse.Namespace) -> bool:
    """Whether results may be other images, with new SOP Instance UIDs."""
    lossy = options.lossy or options.rescale_to_8bit or options.salvage is not None
    settings = (options.quality, options.near, options.ratio, options.psnr)
    asked = lossy or any(setting is not None for setting in settings)
    return not options.keep_uid and (asked or arguments.policy is not None)


def _find_output(arguments: argparse.Namespace) -> tuple[str | None, str | None]:
    """Return the folder for results, and the name of the result if OUTPUT is that of one file."""
    output: str | None = arguments.output
    if arguments.in_place or (output is None and arguments.dry_run):
        return None, None
    if output is None:
        raise InvalidOptionError("no place is given for the result", hint="-o OUTPUT or --in-place")
    several = arguments.layout is not None or arguments.files_from is not None
    if is_folder(output, arguments.source, several=several):
        return (output.rstrip("/") if is_object_url(output) else output), None
    if output == "-":
        raise InvalidOptionError("a batch does not write to standard output")
    folder, _, name = output.rpartition("/")
    return folder or ("/" if output.startswith("/") else "."), name


def _parse_batch_options(
    arguments: argparse.Namespace, folder: str | None, *, named: bool
) -> BatchOptions:
    settings: dict[str, Any] = {
        name: getattr(arguments, name) for name in ("resume", "skip_existing", "map_references")
    }
    if arguments.dry_run and arguments.engine != "gdcm":
        seconds = arguments.estimate
        settings["estimate_seconds"] = ESTIMATE_SECONDS if seconds is None else seconds
    if folder is None:
        return BatchOptions(None, **settings)
    if is_object_url(folder):
        parse_object_url(folder)
        return BatchOptions(folder, **settings)
    if any(_is_same(path, folder) for path in arguments.source):
        raise InvalidOptionError("OUTPUT is the source itself", hint="--in-place replaces it")
    if named and not os.path.isdir(folder):  # noqa: PTH112 - it never raises
        raise TargetUnavailableError(
            "the target's folder does not exist", path=arguments.output, hint="make it first"
        )
    return BatchOptions(make_absolute(folder), **settings)


def _prepare_manifest(
    arguments: argparse.Namespace, output: str | None
) -> Callable[[Ledger], None] | None:
    """Return what writes the manifest of a run that has ended; None if there is to be none.

    Raises:
        InvalidOptionError: there is no key, or the results have no digests that last.
    """
    path: str | None = arguments.manifest
    if path is None:
        return None
    sources = [make_absolute(one) for one in arguments.source]
    _check_manifest(arguments, sources, output)
    with require_packages("audit", "the signatures of cryptography"):
        from dicodec.batch.proof.manifest import check_place, write_manifest
        from dicodec.batch.proof.signing import Signer

    signer = Signer(arguments.key)
    check_place(path)
    if output is not None:
        root = output
    else:
        folders = [one if os.path.isdir(one) else os.path.dirname(one) for one in sources]  # noqa: PTH112, PTH120
        root = os.path.commonpath(folders) if folders else os.getcwd()  # noqa: PTH109
    place = os.path.realpath(root)

    def write(ledger: Ledger) -> None:
        # Results in place are entered by their resolved paths.
        proved, unproved = write_manifest(path, place if output is None else root, ledger, signer)
        if not arguments.quiet and not arguments.json:
            print_line(f"the manifest {path} has {proved} files", sys.stderr)
        if unproved:
            print_line(
                f"dicodec: {unproved} results of earlier runs are not in the manifest, because "
                "those runs had no --manifest; without --resume they are converted anew",
                sys.stderr,
            )

    return write


def _check_manifest(
    arguments: argparse.Namespace, sources: Sequence[str], output: str | None
) -> None:
    """Check that the results of a run have digests that last, and that there is a key.

    Raises:
        InvalidOptionError: they have none, or there is none.
    """
    if arguments.dry_run:
        raise InvalidOptionError("--manifest has no meaning for --dry-run: nothing is written")
    if arguments.map_references:
        raise InvalidOptionError(
            "--map-references writes results once more, after their digests",
            hint="run it first, and then the same command with --manifest and without it",
        )
    if any(is_object_url(one) for one in (output or "", *(sources if output is None else ()))):
        raise InvalidOptionError("a manifest is of results in folders, not in object storage")
    if arguments.in_place and arguments.durability == EACH:
        raise InvalidOptionError(
            "with --durability file an original is gone before its frames have digests",
            hint="leave out --durability file",
        )
    if arguments.key is None:
        raise InvalidOptionError(
            "a manifest is signed with --key", hint="`dicodec audit --make-key FILE` makes one"
        )


def _parse_pace(arguments: argparse.Namespace, output: str | None) -> PaceOptions:
    if arguments.max_bytes is not None:
        if arguments.dry_run:
            raise InvalidOptionError("--max-bytes has no meaning for --dry-run: nothing is written")
        places = [*arguments.source, output or ""]
        if any(is_object_url(place) for place in places):
            raise InvalidOptionError("--max-bytes bounds results in folders, not in object storage")
    return PaceOptions(
        most_bytes=arguments.max_bytes,
        rate=arguments.rate_limit,
        window=None if arguments.between is None else parse_window(arguments.between),
        pause_file=arguments.pause_file,
    )


def _is_same(path: str, other: str) -> bool:
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)  # noqa: PTH110, PTH121


def _find_excluded(output: str | None) -> frozenset[tuple[int, int]]:
    if output is None or is_object_url(output) or not os.path.exists(output):  # noqa: PTH110
        return frozenset()
    found = os.stat(output)  # noqa: PTH116
    return frozenset({(found.st_dev, found.st_ino)})


@contextmanager
def _show_progress(
    arguments: argparse.Namespace, sources: list[NamedSource], options: WalkOptions, shard: Shard
) -> Iterator[NoProgress | ProgressLine]:
    if arguments.quiet or arguments.json or not sys.stderr.isatty():
        yield NoProgress()
        return
    import threading

    from dicodec.cli.convert.batch.progress import ProgressLine

    progress = ProgressLine()
    stop = threading.Event()
    # The batch lists files only as it converts them, so that memory stays bounded. A second thread
    # counts them for the progress.
    counter = threading.Thread(
        target=_count_files,
        args=(sources, options, shard, progress, stop),
        name="dicodec-count",
        daemon=True,
    )
    counter.start()
    try:
        with progress:
            yield progress
    finally:
        stop.set()
        counter.join(1)


def _count_files(
    sources: list[NamedSource],
    options: WalkOptions,
    shard: Shard,
    progress: ProgressLine,
    stop: threading.Event,
) -> None:
    if not sources:
        return  # a list says how many there are at its end only
    files = size = 0
    for root in sources:
        if os.path.isdir(root.path):  # noqa: PTH112 - it never raises
            for entry in walk(root.path, options):
                if stop.is_set():
                    return
                if isinstance(entry, FoundFile) and shard.takes(
                    os.path.join(root.prefix, entry.relative)  # noqa: PTH118 - it is hot
                ):
                    files, size = files + 1, size + entry.reference.size
        elif is_archive(root.path) or is_object_url(root.path):
            return  # the number of files is known only at the end
        else:
            files += shard.takes(root.path)
    progress.set_total(files, size)
