"""Run a batch: list sources, convert them in a pool, enter their outcomes in the ledger."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.resume import digest_options
from dicodec.batch.ledger.summary import Summary
from dicodec.batch.ledger.tables import FileOutcome, StartedFile, State
from dicodec.batch.pacing import PaceOptions, Pacer
from dicodec.batch.pool.grouping import Grouping
from dicodec.batch.pool.messages import WorkOfModule
from dicodec.batch.pool.pool import ItemGroup, ItemOutcome, ItemReturned, Pool, PoolEvent
from dicodec.batch.scheduling import BatchOptions, BatchSource, Scheduler
from dicodec.batch.sources.folders import PassedOver
from dicodec.batch.sources.listing import ListedSource
from dicodec.batch.sources.locations import resolve_links
from dicodec.batch.sources.references import release
from dicodec.batch.work_item import Item, WorkOptions
from dicodec.errors import DicodecError, OutputLimitError
from dicodec.model.records import replace
from dicodec.model.source_names import is_object_url

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.batch.cluster.cluster_pool import ClusterPool
    from dicodec.batch.estimation.sampling import SizeSampling
    from dicodec.batch.result_mapping import ResultMapping

_GROUP_SECONDS, _GROUP_ITEMS, _GROUP_BYTES = 0.1, 64, 16 << 20
"""Time, sources and bytes of a group at most."""

_NEWEST_WEIGHT = 0.3
"""Share of the newest source in the mean time that a source takes."""

BIG_FOR_EACH_WORKER = 32 << 20
"""Bytes for each worker from which on a source gets the whole machine, with threads."""

PATIENCE = 10.0
"""Seconds that conversions get to finish after an interruption."""

_WAIT_SECONDS = 0.2
_REPORT_SECONDS = 0.5
"""How often ended sources are reported."""

_WORK = "dicodec.batch.conversion_work"
_NAME, _CONVERT = WorkOfModule(_WORK, "name_item"), WorkOfModule(_WORK, "convert_item")
_CLEAN_UP = WorkOfModule(_WORK, "clean_up_item")

type ReportOutcome = Callable[[State, str], None]
"""Called for each source that ended, in the order of listing: its state, and its JSON."""


class Batch:
    """One run over sources.

    Args:
        sources: the sources in the order of listing.
        work: options that the conversions share.
        options: options of the batch itself.
        ledger: open for writing.
        pool: converts the sources; the caller closes it.
        report: see `ReportOutcome`.
        arguments: command line for the ledger, for people.
        pacer: says when files may be started; None for always.
    """

    def __init__(
        self,
        sources: Iterator[ListedSource | PassedOver | DicodecError],
        work: WorkOptions,
        options: BatchOptions,
        ledger: Ledger,
        pool: Pool | ClusterPool,
        *,
        report: ReportOutcome,
        arguments: str = "",
        pacer: Pacer | None = None,
    ) -> None:
        self.summary = Summary(ledger=ledger.path)
        self._work = work
        self._output = options.output or ""
        self._root = None if is_object_url(options.output) else options.output
        self._options = options
        self._pacer = Pacer(PaceOptions()) if pacer is None else pacer
        self._postponed: deque[int] = deque()
        self._ledger = ledger
        self._pool = pool
        self._report = report
        digest = digest_options(work)
        same = {run for run, other in ledger.read_run_options().items() if other == digest}
        self._scheduler = Scheduler(sources, work, options, ledger, same, self.summary)
        ledger.start(digest, arguments)
        if work.references:
            ledger.references.keep()
        if work.proofs and not work.dry_run:
            ledger.proofs.keep()
        self._sampling: SizeSampling | None = None
        if options.estimate_seconds:
            from dicodec.batch.estimation.sampling import SizeSampling

            self._sampling = SizeSampling(options.estimate_seconds)
        self._started_sources = 0
        self._reported = 0
        self._reported_at = self._started = time.monotonic()
        self._in_work: dict[int, BatchSource] = {}
        self._naming: deque[dict[int, str | None]] = deque()
        self._grouping = Grouping(_GROUP_SECONDS, _GROUP_ITEMS, _NEWEST_WEIGHT)

    def run(
        self, interruptions: Callable[[], int], show_progress: Callable[[Summary], None]
    ) -> Summary:
        """Convert all sources.

        Args:
            interruptions: returns the number of interruptions: after the first one no conversion
                starts, and those that run get PATIENCE to finish; after the second they get none.
            show_progress: called several times a second.
        """
        until: float | None = None
        while self._in_work or not self._scheduler.over:
            if until is None and interruptions():
                until = time.monotonic() + PATIENCE
                self._stop()
            if until is not None and (interruptions() > 1 or time.monotonic() > until):
                self._pool.discard()
                for position in [*self._in_work]:
                    self._give_back(position)
                break
            self._submit()
            waits = self._pool.busy or self.summary.waiting
            self._handle(self._pool.wait(_WAIT_SECONDS if waits else 0))
            self._report_ended()
            self.summary.seconds = time.monotonic() - self._started
            show_progress(self.summary)
        self._report_ended(last=True)
        if self.summary.stopped:
            return self.summary
        if self._sampling is not None and not self.summary.interrupted:
            self.summary.estimate = self._sampling.run(
                self._pool, self._work, interruptions, lambda: show_progress(self.summary)
            )
        mapping = self._make_mapping(interruptions, show_progress)
        if self._work.references and not self.summary.interrupted:
            if mapping is not None:
                mapping.map_references()
            self.summary.stale_references = self._ledger.references.count_stale()
        if mapping is not None and not self.summary.interrupted:
            mapping.map_directories()
        if self._work.layout is not None:
            self.summary.case_collisions = self._ledger.count_case_collisions()
        if not self.summary.interrupted:
            self._ledger.finish()
        return self.summary

    def _make_mapping(
        self, interruptions: Callable[[], int], show_progress: Callable[[Summary], None]
    ) -> ResultMapping | None:
        """Return the mapping of results; None if the caller has not asked for it."""
        if not self._options.map_references or self._work.dry_run:
            return None
        from dicodec.batch.result_mapping import ResultMapping

        return ResultMapping(
            self._work,
            self._options,
            self._ledger,
            self._pool,
            self._pacer,
            self.summary,
            report=self._report,
            interruptions=interruptions,
            show_progress=show_progress,
        )

    def _submit(self) -> None:
        # One group waits; see `count_files_for`.
        while not self._scheduler.over and self._pool.room >= 0 and self._may_start():
            size = self._pacer.bound_group(_GROUP_BYTES)
            sources = self._scheduler.take_group(self._grouping.size, size)
            if not sources:
                break
            self._pacer.begin(sum(source.size for source in sources))
            self._start(sources)
        self._convert_named()
        if self._postponed and not self._pool.busy and self._may_start(postponed=True):
            position = self._postponed.popleft()
            most = self._pacer.reserve_all(position)
            self._pool.submit(self._make_group(_CONVERT, [position], [most]))

    def _may_start(self, *, postponed: bool = False) -> bool:
        self.summary.waiting = self._pacer.find_hold()
        return not self.summary.waiting and (postponed or not self._postponed)

    def _start(self, sources: Sequence[BatchSource]) -> None:
        positions = range(self._started_sources, self._started_sources + len(sources))
        self._started_sources += len(sources)
        self._ledger.begin(
            [
                StartedFile(
                    source.key,
                    source.target,
                    position,
                    source.reference.size if source.reference else None,
                    source.reference.modified if source.reference else None,
                )
                for position, source in zip(positions, sources, strict=True)
            ]
        )
        self._in_work.update(zip(positions, sources, strict=True))
        if self._work.layout is None:
            self._convert(list(positions))
            return
        working = [position for position in positions if not self._end_if_over(position)]
        self._naming.append(dict.fromkeys(working))
        if working:
            self._pool.submit(self._make_group(_NAME, working))

    def _convert(self, positions: list[int]) -> None:
        working = [position for position in positions if not self._end_if_over(position)]
        most: list[int | None] = [None] * len(working)
        if self._pacer.bounds_results:
            most = [
                self._pacer.reserve(position, self._in_work[position].size) for position in working
            ]
            pairs = [*zip(working, most, strict=True)]
            self._postponed += [position for position, room in pairs if room is None]
            working = [position for position, room in pairs if room is not None]
            most = [room for room in most if room is not None]
        if working:
            self._pool.submit(self._make_group(_CONVERT, working, most))

    def _make_group(
        self, work: WorkOfModule, positions: list[int], most: Sequence[int | None] = ()
    ) -> ItemGroup:
        sources = [self._in_work[position] for position in positions]
        big = sum(source.size for source in sources) >= BIG_FOR_EACH_WORKER * self._pool.jobs
        return ItemGroup(
            work,
            self._work,
            [
                self._make_item(source, room)
                for source, room in zip(sources, most or [None] * len(sources), strict=True)
            ],
            [(work is _NAME, position) for position in positions],
            whole_machine=big and work is _CONVERT,
            clean_up=_CLEAN_UP if work is _CONVERT else None,
        )

    def _make_item(self, source: BatchSource, most: int | None) -> Item:
        assert source.reference is not None
        ours = source.target is not None and source.target == source.ours
        root = self._root
        if self._work.in_place and source.reference.root is not None:
            root = resolve_links(source.reference.root)
        return Item(source.reference, source.target, overwrite=ours, root=root, most=most)

    def _handle(self, events: Sequence[PoolEvent]) -> None:
        for event in events:
            naming, position = event.key
            match event:
                case ItemReturned():
                    self._give_back(position)
                case ItemOutcome(error=None, result=str(path)) if naming:
                    group = next(group for group in self._naming if position in group)
                    group[position] = path
                case ItemOutcome(result=FileOutcome() as outcome):
                    if event.attempts != outcome.attempts:
                        outcome = replace(outcome, attempts=event.attempts)
                    self._end(position, outcome)
                case ItemOutcome(error=OutputLimitError()):
                    if self._pacer.release(position):
                        self._give_back(position)
                        self._stop_at_bound()
                    else:
                        self._postponed.append(position)
                case ItemOutcome(error=DicodecError() as error):
                    source = self._in_work[position]
                    if source.reference is not None:
                        error.with_location(path=source.reference.name)
                    self._end(position, FileOutcome.of_error(error, event.attempts))

    def _convert_named(self) -> None:
        """Convert sources that have their target, in the order of listing.

        A group waits until all groups before it have their targets, because of two sources with
        the same target the first one in the order of listing gets it.
        """
        while self._naming and all(self._naming[0].values()):
            named = self._naming.popleft()
            for position, path in named.items():
                source = self._in_work[position]
                target = os.path.join(self._output, path or "")  # noqa: PTH118 - it is hot
                self._scheduler.assign_target(source, target)
                if source.target is not None:
                    self._ledger.claim(source.key, source.target)
            self._convert([*named])

    def _end_if_over(self, position: int) -> bool:
        outcome = self._in_work[position].outcome
        if outcome is not None:
            self._end(position, outcome)
        return outcome is not None

    def _end(self, position: int, outcome: FileOutcome) -> None:
        source = self._remove(position)
        if self._sampling is not None and source.reference is not None:
            self._sampling.add(source.reference, outcome)
        new = outcome.state is State.DONE
        self._pacer.release(position, (outcome.target_size or 0) if new else 0)
        self._ledger.end(source.key, outcome)
        self.summary.count(outcome)
        self._grouping.add_time(outcome.seconds)

    def _give_back(self, position: int) -> None:
        self._pacer.release(position)
        self._ledger.give_back([self._remove(position).key])
        self.summary.given_back += 1

    def _remove(self, position: int) -> BatchSource:
        """Remove a source from all lists, and return it."""
        for group in self._naming:
            group.pop(position, None)
        source = self._in_work.pop(position)
        if source.reference is not None:
            release(source.reference)
        return source

    def _stop_at_bound(self) -> None:
        """Stop, because a result does not fit although it had all the room."""
        self._stop()
        self.summary.interrupted, self.summary.stopped = False, True

    def _stop(self) -> None:
        self.summary.interrupted = True
        while self._postponed:
            self._give_back(self._postponed.popleft())
        self._scheduler.stop()
        self._handle(self._pool.stop())
        for group in [*self._naming]:
            for position, path in [*group.items()]:
                if path is not None:
                    self._give_back(position)

    def _report_ended(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self._reported_at < _REPORT_SECONDS:
            return
        self._reported_at = now
        self._ledger.flush()
        ended = self._ledger.read_ended(self._reported, past_pending=last)
        for position, _, state, json in ended:
            self._reported = position + 1
            self._report(state, json)
