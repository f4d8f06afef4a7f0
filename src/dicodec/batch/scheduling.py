"""Schedule the sources of a batch: convert, skip or refuse each one, and form groups of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.resume import (
    LOST,
    EarlierState,
    find_earlier_state,
    find_replaced,
)
from dicodec.batch.ledger.summary import Summary
from dicodec.batch.ledger.tables import FileOutcome, LedgerEntry, State
from dicodec.batch.sources.folders import PassedOver
from dicodec.batch.sources.listing import ListedSource
from dicodec.batch.sources.locations import is_there, make_absolute, read_version, resolve_links
from dicodec.batch.sources.references import SourceReference, release
from dicodec.batch.work_item import WorkOptions
from dicodec.errors import DicodecError, TargetExistsError
from dicodec.model.records import dataclass

REPEATED = "repeated"
"""Reason for skipping a source that is a file of the same run already, by this or another name."""

_TURN_SECONDS = 0.1
"""How long listing may keep the caller from other work."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Options of a batch itself.

    Attributes:
        output: folder for the results; None if they replace their sources, and for a dry run
            without one.
        resume: whether to leave out sources that the ledger has as done.
        skip_existing: whether to skip a source whose target exists; otherwise that is an error.
        map_references: whether references between results follow new SOP Instance UIDs.
        estimate_seconds: of a dry run, how long sources are coded to estimate the bytes of all
            results; 0 to estimate nothing.
    """

    output: str | None = None
    resume: bool = False
    skip_existing: bool = False
    map_references: bool = False
    estimate_seconds: float = 0


@dataclass(slots=True)
class BatchSource:
    """A source from its listing to its end.

    Attributes:
        key: its name in the ledger.
        reference: the source; None if it could not be listed.
        unsure: whether another source may have the same target.
        ours: target that an earlier run with the same options wrote, so it may be replaced.
        target: path of its result, once that is known to be free or ours.
        outcome: set if the source ends without any work.
    """

    key: str
    reference: SourceReference | None
    unsure: bool = False
    ours: str | None = None
    target: str | None = None
    outcome: FileOutcome | None = None

    @property
    def size(self) -> int:
        """Bytes of the source; 0 if it ends without any work."""
        return self.reference.size if self.reference and not self.outcome else 0


class Scheduler:
    """Takes sources as they are listed, and leaves out those that are done.

    Args:
        listing: the sources in the order of listing.
        work: options that the conversions share.
        options: options of the batch.
        ledger: open for writing; its run has not started yet.
        same_options: numbers of earlier runs with the same options.
        summary: counts the sources that need no work.
    """

    def __init__(
        self,
        listing: Iterator[ListedSource | PassedOver | DicodecError],
        work: WorkOptions,
        options: BatchOptions,
        ledger: Ledger,
        same_options: set[int],
        summary: Summary,
    ) -> None:
        self._listing = listing
        self._work = work
        self._options = options
        self._ledger = ledger
        self._same_options = same_options
        self._summary = summary
        self._held: BatchSource | None = None
        # The group that is being formed, which is not in the ledger yet: by key, and by target.
        self._not_started: dict[str, BatchSource] = {}
        self._not_started_targets: dict[str, BatchSource] = {}
        self._repeats = 0
        self.over = False

    def stop(self) -> None:
        """List nothing more."""
        self.over = True
        if self._held is not None and self._held.reference is not None:
            release(self._held.reference)
        self._held = None

    def take_group(self, items: int, size: int) -> list[BatchSource]:
        """Return the next sources, in order: a small group, or one large source alone.

        Args:
            items: sources at most.
            size: bytes at most, unless one source alone has more.

        Returns:
            Fewer sources, or none, if no more are there or listing takes long.
        """
        until = time.monotonic() + _TURN_SECONDS
        group: list[BatchSource] = []
        total = 0
        self._not_started.clear()
        self._not_started_targets.clear()
        while len(group) < items and time.monotonic() < until:
            source = self._held or self._take_next()
            self._held = None
            if source is None:
                if self.over:
                    break
                continue
            self._not_started[source.key] = source
            if source.target is not None:
                self._not_started_targets[source.target] = source
            if group and total + source.size > size:
                self._held = source
                break
            group.append(source)
            total += source.size
        return group

    def assign_target(self, source: BatchSource, target: str) -> None:
        """Give a source its target, or an outcome if it cannot have the target."""
        assert source.reference is not None
        name = source.reference.name
        other = self._find_other(source, target) if source.unsure else None
        if other is not None:
            source.outcome = FileOutcome.of_error(
                TargetExistsError(f"its result belongs at {target}, as that of {other}", path=name)
            )
        elif self._work.options.overwrite or target == source.ours or not is_there(target):
            source.target = target
        elif self._options.skip_existing:
            source.outcome = FileOutcome.of_skipped(name, TargetExistsError.code)
        else:
            hint = "`overwrite=True` replaces it, --skip-existing passes over it"
            source.outcome = FileOutcome.of_error(TargetExistsError.at(target, hint=hint))

    def _find_other(self, source: BatchSource, target: str) -> str | None:
        """Return the key of another source with the same target."""
        waiting = self._not_started_targets.get(target)
        if waiting is not None and waiting.key != source.key:
            return waiting.key
        entry = self._ledger.find_by_target(target, source.key)
        return None if entry is None else entry.source

    def _take_next(self) -> BatchSource | None:
        """Return the next source that has to be converted; None if it is skipped or done."""
        listed = next(self._listing, None)
        if listed is None:
            self.over = True
            return None
        if isinstance(listed, PassedOver):
            self._summary.skipped[listed.reason] += 1
            return None
        if isinstance(listed, DicodecError):
            key = make_absolute(listed.path or "")
            return BatchSource(key, None, outcome=FileOutcome.of_error(listed))
        return self._consider(listed)

    def _consider(self, listed: ListedSource) -> BatchSource | None:
        reference = listed.reference
        source = BatchSource(reference.key, reference, listed.unsure or bool(self._work.layout))
        target = self._find_target(listed)
        may_be_known = self._options.resume or listed.unsure or reference.named
        entry = self._ledger.find(source.key) if may_be_known else None
        if may_be_known and self._is_started(source.key):
            return self._take_second(source, reference, target)
        if self._work.in_place and target is not None and (listed.unsure or reference.named):
            other = self._ledger.find_by_target(target, source.key)  # under another name
            started = other is not None and other.run == self._ledger.run
            if started or target in self._not_started_targets:
                source.outcome = FileOutcome.of_skipped(reference.name, REPEATED)
                return source
            if entry is None or entry.error_code == REPEATED:
                entry = other
        if entry is not None and self._options.resume:
            same = entry.run in self._same_options
            state = find_earlier_state(entry, reference, target, same_options=same)
            if state in {EarlierState.ENDED, EarlierState.FAILED}:
                self._count_earlier(entry, state)
                release(reference)
                return None
            if same and self._work.in_place and self._enter_replaced(entry):
                release(reference)
                return None
            if same and _is_ours(entry, state):
                source.ours = entry.target
        if target is not None and not self._work.in_place:
            self.assign_target(source, target)
        else:
            source.target = target
        return source

    def _find_target(self, listed: ListedSource) -> str | None:
        if self._work.in_place:
            return resolve_links(listed.reference.path)
        if self._work.layout is not None or self._options.output is None:
            return None
        return os.path.join(self._options.output, listed.relative)  # noqa: PTH118 - it is hot

    def _take_second(
        self, source: BatchSource, reference: SourceReference, target: str | None
    ) -> BatchSource:
        """Return the second source of a name, under a key of its own, as skipped or refused.

        It is refused if it is another one, as the second member of that name in an archive is, or
        if its result has another place, where nothing would be. If the first one was not given its
        place, the second one is judged by its own.
        """
        self._repeats += 1
        number = self._repeats + 1
        while self._is_started(f"{source.key}#{number}"):
            number += 1
        second = BatchSource(f"{source.key}#{number}", reference, source.unsure)
        first = self._find_target_of(source.key)
        name = reference.name
        if reference.member is not None:
            text = "another one of this name comes before it"
            second.outcome = FileOutcome.of_error(TargetExistsError(text, path=name))
        elif target is None or target == first:
            second.outcome = FileOutcome.of_skipped(name, REPEATED)
        elif first is None:
            self.assign_target(second, target)
        else:
            text = f"it was listed before, and its result belongs at {first}"
            second.outcome = FileOutcome.of_error(TargetExistsError(text, path=name))
        return second

    def _find_target_of(self, key: str) -> str | None:
        """Return the target of a source of this run; None if it is not known."""
        if (waiting := self._not_started.get(key)) is not None:
            return waiting.target
        entry = self._ledger.find(key)
        return None if entry is None else entry.target

    def _is_started(self, key: str) -> bool:
        entry = self._ledger.find(key)
        return key in self._not_started or (entry is not None and entry.run == self._ledger.run)

    def _enter_replaced(self, entry: LedgerEntry) -> bool:
        """Enter the outcome of a source that a killed run has replaced; whether it has."""
        if self._work.proofs:  # they are made of the source again
            return False
        outcome = find_replaced(entry)
        if outcome is None:
            return False
        self._ledger.end(entry.source, outcome)
        self._summary.done_before += 1
        return True

    def _count_earlier(self, entry: LedgerEntry, state: EarlierState) -> None:
        if state is EarlierState.FAILED:
            self._summary.failed_before += 1
        elif entry.state is State.SKIPPED:
            self._summary.skipped[entry.error_code or ""] += 1
        else:
            self._summary.done_before += 1


def _is_ours(entry: LedgerEntry, state: EarlierState) -> bool:
    """Whether a run with the same options put the file at an entry's target there.

    The result of a run with other options is not replaced, because somebody asked for it.
    """
    if state is EarlierState.BEGUN or entry.error_code in LOST:
        return True
    if entry.state is not State.DONE or entry.target is None:
        return False
    return read_version(entry.target) == (entry.target_size, entry.target_modified)
