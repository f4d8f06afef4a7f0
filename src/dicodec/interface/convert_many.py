"""Convert many files in a pool of processes: the batch of `dicodec convert` as a call."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Unpack

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.summary import Summary
from dicodec.batch.ledger.tables import LEDGER_NAME, State
from dicodec.batch.pool.making import make_pool
from dicodec.batch.run import Batch
from dicodec.batch.scheduling import BatchOptions
from dicodec.batch.sources.folders import WalkOptions
from dicodec.batch.sources.listing import list_sources, parse_sources
from dicodec.batch.sources.locations import make_absolute
from dicodec.batch.work_item import WorkOptions
from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import InvalidOptionError
from dicodec.model.conversion_settings import ConversionSettings
from dicodec.model.records import NamedTuple, dataclass
from dicodec.model.source_names import is_object_url
from dicodec.options import ConversionOptions, Targets
from dicodec.rules.targets import check_quality

if TYPE_CHECKING:
    from typing import Any

_AHEAD = 1000
"""Results that wait for the caller at most."""

_WAIT_SECONDS = 0.1
_MOST_JOBS = 1024


class BatchResult(NamedTuple):
    """How one source of `convert_many` ended.

    Attributes:
        source: path, `archive!/member` or URL of the source.
        state: "done", "left alone" if it needed no conversion, "skipped", or "failed".
        report: of the conversion, as `ConversionReport.as_dict` has it; empty without one.
        error: code, message, path, and the frame, attribute, offset and hint if there are; or the
            reason why it was skipped. Empty if neither.
    """

    source: str
    state: str
    report: dict[str, Any]
    error: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """The numbers of a batch so far.

    Attributes:
        files: sources that have ended.
        failed, skipped: those that failed, and those that were skipped.
        bytes_before, bytes_after: sizes of the sources and results of all others.
        seconds: since the batch began.
    """

    files: int
    failed: int
    skipped: int
    bytes_before: int
    bytes_after: int
    seconds: float

    @classmethod
    def of(cls, summary: Summary) -> BatchProgress:
        """Return the numbers of a summary as they are now."""
        return cls(
            summary.files,
            summary.failed.total(),
            summary.skipped.total(),
            summary.bytes_before,
            summary.bytes_after,
            summary.seconds,
        )


def convert_many(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None,
    *,
    to: Targets,
    jobs: int | None = None,
    layout: str | None = None,
    policy: str | None = None,
    resume: bool = False,
    skip_existing: bool = False,
    progress: Callable[[BatchProgress], None] | None = None,
    **options: Unpack[ConversionSettings],
) -> Iterator[BatchResult]:
    """Convert files, folders and archives into a folder, by several processes.

        for result in dicodec.convert_many("study/", "out/", to="htj2k-lossless"):
            print(result.source, result.state, result.error.get("code"))

    The batch runs while you take results. If you stop, it stops: close the iterator, or leave the
    loop, and no part of a file is left. A file that fails, or crashes its process, fails alone.

    Args:
        sources: paths of files, folders (recursively) and archives, or URLs of objects.
        output: folder for the results, which is made, or URL of a prefix; None only plans. A
            ledger in the folder notes the finished files.
        to: acceptable transfer syntaxes, the first preferred.
        jobs: processes, 1 to 1024; None for one a core.
        layout: template of the results' paths; None for those of the sources.
        policy: name or path of a policy that decides for each source.
        resume: whether to leave out sources that the ledger has as done; they give no result.
        skip_existing: whether to skip a source whose result is there; otherwise that is an error.
        progress: called with the numbers so far, in your thread, while you wait for a result.
        **options: fields of ConversionOptions.

    Returns:
        The results, in the order of listing.

    Raises:
        InvalidOptionError: the arguments make no sense.
        WriteError: the folder or its ledger cannot be written.
    """
    settings = ConversionOptions.of(to, **options)
    check_quality(settings)
    if jobs is not None and not 1 <= jobs <= _MOST_JOBS:
        raise InvalidOptionError(f"`jobs` is {jobs}; it has to be from 1 to {_MOST_JOBS}")
    if layout is not None:
        from dicodec.batch.layout import parse_layout

        parse_layout(layout)
    if policy is not None:
        from dicodec.batch.policy.policy import load_policy

        load_policy(policy)
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    folder = None if output is None else _make_folder(os.fspath(output))
    run = _Run(
        [os.fspath(one) for one in given],
        WorkOptions(options=settings, policy=policy, layout=layout, dry_run=folder is None),
        BatchOptions(folder, resume=resume, skip_existing=skip_existing),
        jobs,
    )
    return run.yield_results(progress)


def _make_folder(output: str) -> str:
    if is_object_url(output):
        return output.rstrip("/")
    with translate_write_errors():
        os.makedirs(output, exist_ok=True)  # noqa: PTH103 - of a text
    return make_absolute(output)


class _Run:
    """A batch in a thread of its own, whose results are taken from a queue.

    Args:
        sources: paths and URLs.
        work: options that the conversions share.
        options: options of the batch.
        jobs: processes; None for one a core.
    """

    def __init__(
        self, sources: list[str], work: WorkOptions, options: BatchOptions, jobs: int | None
    ) -> None:
        self._work = work
        self._options = options
        self._jobs = jobs
        mirrored = options.output is not None and work.layout is None
        self._sources = parse_sources(sources, None, mirrored=mirrored)
        self._events: queue.Queue[BatchResult | BatchProgress | BaseException | None] = queue.Queue(
            _AHEAD
        )
        self._stopped = threading.Event()

    def yield_results(
        self, progress: Callable[[BatchProgress], None] | None
    ) -> Iterator[BatchResult]:
        thread = threading.Thread(target=self._run, name="dicodec-batch")
        thread.start()
        try:
            while (event := self._events.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                if isinstance(event, BatchResult):
                    yield event
                elif progress is not None:
                    progress(event)
        finally:
            self._stopped.set()
            thread.join()

    def _run(self) -> None:
        try:
            self._convert()
        except BaseException as error:
            self._put(error)
        self._put(None)

    def _convert(self) -> None:
        output = self._options.output
        limits = self._work.options.limits
        entries = list_sources(self._sources, WalkOptions(excluded=_find_place(output)), limits)
        ledger_place = ""
        if output is not None and not is_object_url(output):
            ledger_place = os.path.join(output, LEDGER_NAME)  # noqa: PTH118 - of a text
        with (
            make_pool(self._jobs, timeout=self._work.options.timeout) as pool,
            Ledger(ledger_place, writing=True) as ledger,
        ):
            batch = Batch(
                entries, self._work, self._options, ledger, pool,
                report=self._report, arguments="convert_many",
            )  # fmt: skip
            summary = batch.run(lambda: 2 * self._stopped.is_set(), self._show)
            self._put(BatchProgress.of(summary))

    def _report(self, state: State, text: str) -> None:
        fields = json.loads(text)
        problem = fields.get("error") or fields.get("skipped") or {}
        report = {} if problem else fields
        source = report.get("source") or problem.get("path") or ""
        self._put(BatchResult(source, str(state), report, problem))

    def _show(self, summary: Summary) -> None:
        if not self._events.full():
            self._put(BatchProgress.of(summary))

    def _put(self, event: BatchResult | BatchProgress | BaseException | None) -> None:
        """Wait until the caller has taken earlier results, unless it takes no more."""
        while not self._stopped.is_set():
            try:
                self._events.put(event, timeout=_WAIT_SECONDS)
            except queue.Full:
                continue
            return


def _find_place(output: str | None) -> frozenset[tuple[int, int]]:
    """Return device and number of the output folder, which is not a source."""
    if output is None or is_object_url(output):
        return frozenset()
    found = os.stat(output)  # noqa: PTH116 - of a text
    return frozenset({(found.st_dev, found.st_ino)})
