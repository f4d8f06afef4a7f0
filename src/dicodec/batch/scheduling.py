"""Between listing and the pool: what is to be done with each source, and which go together."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.resume import LOST, Known, known
from dicodec.batch.ledger.summary import Summary
from dicodec.batch.ledger.tables import Ending, Entry, State
from dicodec.batch.ledger.unconverted import failure, skipped
from dicodec.batch.sources.folders import PassedOver
from dicodec.batch.sources.listing import Listed
from dicodec.batch.sources.locations import absolute, is_there, real, standing
from dicodec.batch.sources.references import SourceReference, release
from dicodec.batch.work_item import Settings
from dicodec.errors import DicodecError, TargetExistsError

_TURN_SECONDS = 0.1
"""How long listing may keep the caller from anything else."""

_EXISTS = "target-exists"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a batch goes about its sources.

    Attributes:
        output: folder that results go to; None in place, and in a dry run that has none.
        resume: leave alone what the ledger says is done.
        skip_existing: pass over a source whose target is there; it is an error else.
    """

    output: str | None = None
    resume: bool = False
    skip_existing: bool = False


@dataclass(slots=True)
class Flight:
    """A source between listing and its end.

    Attributes:
        key: its name in the ledger.
        reference: to it; None for what could not be listed.
        unsure: whether another source may have the same target.
        ours: a target that an earlier run with the same options wrote, so it may be replaced.
        target: where its result goes, once that is known to be free or ours.
        ending: set where it ends without any work.
    """

    key: str
    reference: SourceReference | None
    unsure: bool = False
    ours: str | None = None
    target: str | None = None
    ending: Ending | None = None

    @property
    def size(self) -> int:
        """Bytes of the source, 0 where it ends without any work."""
        return self.reference.size if self.reference and not self.ending else 0


class Intake:
    """Takes sources as they are listed, and leaves out what is done already.

    Args:
        sources: as they are listed.
        settings, manner: of the batch.
        ledger: open for writing, its run not started yet.
        same_options: numbers of earlier runs that had the same options.
        summary: what needs no work is counted there.
    """

    def __init__(
        self,
        sources: Iterator[Listed | PassedOver | DicodecError],
        settings: Settings,
        manner: Manner,
        ledger: Ledger,
        same_options: set[int],
        summary: Summary,
    ) -> None:
        self._sources = sources
        self._settings = settings
        self._manner = manner
        self._ledger = ledger
        self._same_options = same_options
        self._summary = summary
        self._held: Flight | None = None
        self._not_begun: dict[str, Flight] = {}  # by key, and by target: the ledger has them not
        self.over = False

    def stop(self) -> None:
        """List nothing more."""
        self.over = True
        if self._held is not None and self._held.reference is not None:
            release(self._held.reference)
        self._held = None

    def group(self, items: int, size: int) -> list[Flight]:
        """Return the next sources, in order: a group that is not too large, or a large one alone.

        Args:
            items: sources at most.
            size: bytes at most, unless one source alone has more.

        Returns:
            Fewer, or none, where nothing more is there or listing takes long.
        """
        until = time.monotonic() + _TURN_SECONDS
        group: list[Flight] = []
        total = 0
        self._not_begun.clear()
        while len(group) < items and time.monotonic() < until:
            flight = self._held or self._next()
            self._held = None
            if flight is None:
                if self.over:
                    break
                continue
            self._not_begun[flight.key] = flight
            if flight.target is not None:
                self._not_begun[flight.target] = flight
            if group and total + flight.size > size:
                self._held = flight
                break
            group.append(flight)
            total += flight.size
        return group

    def place(self, flight: Flight, target: str) -> None:
        """Give a source its target, or the ending that it has where it cannot have it."""
        assert flight.reference is not None
        name = flight.reference.name
        other = self._other(flight, target) if flight.unsure else None
        if other is not None:
            flight.ending = failure(
                TargetExistsError(f"its result belongs at {target}, as that of {other}", path=name)
            )
        elif self._settings.options.overwrite or target == flight.ours or not is_there(target):
            flight.target = target
        elif self._manner.skip_existing:
            flight.ending = skipped(name, _EXISTS)
        else:
            flight.ending = failure(
                TargetExistsError(
                    "the target exists",
                    path=target,
                    hint="--overwrite replaces it, --skip-existing passes over it",
                )
            )

    def _other(self, flight: Flight, target: str) -> str | None:
        waiting = self._not_begun.get(target)
        if waiting is not None and waiting.key != flight.key:
            return waiting.key
        return self._ledger.source_of(target, flight.key)

    def _may_write(self, flight: Flight, target: str) -> bool:
        if self._settings.options.overwrite or target == flight.ours:
            return True
        return not is_there(target)

    def _next(self) -> Flight | None:
        """Return the next source that something is to be done with; None where nothing is."""
        listed = next(self._sources, None)
        if listed is None:
            self.over = True
            return None
        if isinstance(listed, PassedOver):
            self._summary.skipped[listed.reason] += 1
            return None
        if isinstance(listed, DicodecError):
            return Flight(absolute(listed.path or ""), None, ending=failure(listed))
        return self._considered(listed)

    def _considered(self, listed: Listed) -> Flight | None:
        reference = listed.reference
        flight = Flight(reference.key, reference, listed.unsure or bool(self._settings.layout))
        target = self._target(listed)
        may_be_known = self._manner.resume or listed.unsure or reference.named
        entry = self._ledger.find(flight.key) if may_be_known else None
        if may_be_known and self._is_begun(flight.key):
            return self._second(flight, reference)
        if entry is not None and self._manner.resume:
            same = entry.run in self._same_options
            what = known(entry, reference, target, same_options=same)
            if what in {Known.ENDED, Known.FAILED}:
                self._count_known(entry, what)
                release(reference)
                return None
            if same and _is_ours(entry, what):
                flight.ours = entry.target
        if target is not None and not self._settings.in_place:
            self.place(flight, target)
        else:
            flight.target = target
        return flight

    def _target(self, listed: Listed) -> str | None:
        if self._settings.in_place:
            return real(listed.reference.path)
        if self._settings.layout is not None or self._manner.output is None:
            return None
        return os.path.join(self._manner.output, listed.relative)  # noqa: PTH118 - it is hot

    def _second(self, flight: Flight, reference: SourceReference) -> Flight:
        """Return what becomes of a source that has the name of another one in this run."""
        number = 2
        while self._is_begun(f"{flight.key}#{number}"):
            number += 1
        error = TargetExistsError("another one of this name comes before it", path=reference.name)
        return Flight(f"{flight.key}#{number}", reference, ending=failure(error))

    def _is_begun(self, key: str) -> bool:
        entry = self._ledger.find(key)
        return key in self._not_begun or (entry is not None and entry.run == self._ledger.run)

    def _count_known(self, entry: Entry, what: Known) -> None:
        if what is Known.FAILED:
            self._summary.failed_before += 1
        elif entry.state is State.SKIPPED:
            self._summary.skipped[entry.error_code or ""] += 1
        else:
            self._summary.done_before += 1


def _is_ours(entry: Entry, what: Known) -> bool:
    """Whether what is at an entry's target was put there by a run that had the same options.

    What a run with other options put there is somebody's result: it was asked for.
    """
    if what is Known.BEGUN or entry.error_code in LOST:
        return True
    if entry.state is not State.DONE or entry.target is None:
        return False
    return standing(entry.target) == (entry.target_size, entry.target_modified)
