"""Map results: references and DICOMDIRs follow the new UIDs and transfer syntaxes of a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count, islice

from dicodec.batch.directories import DirectoryUpdate, plan_directory_updates
from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.summary import Summary
from dicodec.batch.ledger.tables import FileOutcome
from dicodec.batch.pacing import Pacer
from dicodec.batch.pool.messages import WorkOfModule
from dicodec.batch.pool.pool import ItemGroup, ItemOutcome, Pool
from dicodec.batch.scheduling import BatchOptions
from dicodec.batch.sources.locations import read_version
from dicodec.batch.sources.references import SourceReference
from dicodec.batch.work_item import Item, WorkOptions
from dicodec.model.records import NamedTuple
from dicodec.model.source_names import is_object_url
from dicodec.options import edits_attributes
from dicodec.report import WarningKind

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.batch.cluster.cluster_pool import ClusterPool
    from dicodec.batch.run import ReportOutcome

_WORK = "dicodec.batch.result_mapping_work"
_MAP_REFERENCES = WorkOfModule(_WORK, "map_references")
_MAP_RECORDS = WorkOfModule(_WORK, "map_records")
_CLEAN_UP = WorkOfModule("dicodec.batch.conversion_work", "clean_up_item")

_GROUP_ITEMS = 64
_WAIT_SECONDS = 0.2


class _Uids(NamedTuple):
    """A result whose references change: its id in the ledger, and new UIDs by old ones."""

    number: int
    uids: dict[str, str]


class ResultMapping:
    """Changes results of a batch once all its sources are converted.

    Args:
        work: options that the conversions shared.
        options: options of the batch.
        ledger: of the batch, open for writing.
        pool: that of the conversions.
        pacer: says when files may be started.
        summary: counts what is mapped.
        report: called for each result that cannot be changed.
        interruptions: returns the number of interruptions; the first one ends all work.
        show_progress: called several times a second.
    """

    def __init__(
        self,
        work: WorkOptions,
        options: BatchOptions,
        ledger: Ledger,
        pool: Pool | ClusterPool,
        pacer: Pacer,
        summary: Summary,
        *,
        report: ReportOutcome,
        interruptions: Callable[[], int],
        show_progress: Callable[[Summary], None],
    ) -> None:
        self._work = work
        self._options = options
        self._ledger = ledger
        self._pool = pool
        self._pacer = pacer
        self._summary = summary
        self._report = report
        self._interruptions = interruptions
        self._show_progress = show_progress
        self._root = None if is_object_url(options.output) else options.output

    def map_references(self) -> None:
        """Have references between results follow new SOP Instance UIDs."""

        def list_items() -> Iterator[tuple[_Uids, Item]]:
            for number, _, target, uids in self._ledger.references.read_stale():
                reference = SourceReference(target, 0, 0, named=True)
                item = Item(reference, target, root=self._root, uids=tuple(uids.items()))
                yield _Uids(number, uids), item

        def enter(key: _Uids, version: Any) -> None:
            self._ledger.references.enter_mapped(key.number, version, key.uids)
            self._summary.mapped_references += 1

        self._carry_out(_MAP_REFERENCES, list_items(), enter)

    def map_directories(self) -> None:
        """Have DICOMDIRs state the UIDs and transfer syntaxes of results.

        They stay as they are if results have other names than their sources, or if attributes were
        edited that records copy.
        """
        if not self._may_map_directories():
            return
        summary = self._summary

        def list_items() -> Iterator[tuple[DirectoryUpdate, Item]]:
            limits, earlier = self._work.options.limits, self._options.resume
            for update in plan_directory_updates(self._ledger, limits, earlier=earlier):
                item = Item(
                    SourceReference(update.source, 0, 0, named=True),
                    update.target,
                    root=self._root,
                    uids=update.uids,
                    records=update.records,
                )
                yield update, item

        def enter(update: DirectoryUpdate, replaced: Any) -> None:
            if replaced:
                version = read_version(update.target)
                self._ledger.enter_replaced(update.source, replaced, version)
            summary.warnings -= Counter({WarningKind.FILE_SET: len(update.records)})
            summary.mapped_records += len(update.records)
            summary.lost_records += update.lost

        self._carry_out(_MAP_RECORDS, list_items(), enter)

    def _may_map_directories(self) -> bool:
        work, options = self._work, self._work.options
        renamed = work.layout is not None or is_object_url(self._options.output)
        return not (renamed or work.policy or edits_attributes(options))

    def _carry_out[Key](
        self,
        work: WorkOfModule,
        items: Iterator[tuple[Key, Item]],
        enter: Callable[[Key, Any], None],
    ) -> None:
        """Have work done on results, and enter its outcomes."""
        in_work: dict[int, Key] = {}
        numbers = count()
        over = False
        while in_work or not over:
            if self._interruptions():
                self._summary.interrupted = True
                self._pool.discard()
                return
            while not over and self._pool.room >= 0 and self._may_start():
                group = [*islice(items, _GROUP_ITEMS)]
                over = len(group) < _GROUP_ITEMS
                if not group:
                    break
                keys = [next(numbers) for _ in group]
                in_work |= {number: key for number, (key, _) in zip(keys, group, strict=True)}
                found = [item for _, item in group]
                self._pool.submit(ItemGroup(work, self._work, found, keys, clean_up=_CLEAN_UP))
            waits = self._pool.busy or self._summary.waiting
            for event in self._pool.wait(_WAIT_SECONDS if waits else 0):
                if not isinstance(event, ItemOutcome):
                    continue
                key = in_work.pop(event.key)
                if event.error is None:
                    enter(key, event.result)
                else:
                    outcome = FileOutcome.of_error(event.error, event.attempts)
                    self._summary.count(outcome)
                    self._report(outcome.state, outcome.json)
            self._show_progress(self._summary)

    def _may_start(self) -> bool:
        self._summary.waiting = self._pacer.find_hold()
        return not self._summary.waiting
