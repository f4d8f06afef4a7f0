"""A batch: sources are listed, given to the pool in groups, and entered in the ledger."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.resume import options_digest
from dicodec.batch.ledger.summary import Summary
from dicodec.batch.ledger.tables import Begun, Ending, State
from dicodec.batch.ledger.unconverted import failure
from dicodec.batch.pool.pool import Job, Outcome, Pool, Progress, Returned
from dicodec.batch.pool.worker_process import WorkOfModule
from dicodec.batch.scheduling import Flight, Intake, Manner
from dicodec.batch.sources.folders import PassedOver
from dicodec.batch.sources.listing import Listed
from dicodec.batch.sources.references import release
from dicodec.batch.work_item import Item, Settings
from dicodec.errors import DicodecError

_GROUP_SECONDS, _GROUP_ITEMS, _GROUP_BYTES = 0.1, 64, 16 << 20
"""What a group should take at most; each source costs less the larger its group."""

BIG_FOR_EACH_JOB = 32 << 20
"""Bytes for each worker from which on a source gets the whole machine, with threads."""

PATIENCE = 10.0
"""Seconds that conversions get to finish after an interruption."""

_TELL_SECONDS = 0.5

_WORK = "dicodec.batch.conversion_work"
_NAME, _CONVERT = WorkOfModule(_WORK, "name_item"), WorkOfModule(_WORK, "convert_item")

type Tell = Callable[[State, str], None]
"""Is told of each source that ended, in the order of listing: its state, and JSON about it."""


class Batch:
    """One run over sources.

    Args:
        sources: as they are listed.
        settings: of each conversion.
        manner: of the whole.
        ledger: open for writing.
        pool: that does the work; the caller closes it.
        tell: see `Tell`.
        arguments: for the ledger, to be read by people.
    """

    def __init__(
        self,
        sources: Iterator[Listed | PassedOver | DicodecError],
        settings: Settings,
        manner: Manner,
        ledger: Ledger,
        pool: Pool,
        *,
        tell: Tell,
        arguments: str = "",
    ) -> None:
        self.summary = Summary(ledger=ledger.path)
        self._settings = settings
        self._output = manner.output or ""
        self._ledger = ledger
        self._pool = pool
        self._tell = tell
        digest = options_digest(settings)
        same = {run for run, options in ledger.options_of_runs().items() if options == digest}
        self._intake = Intake(sources, settings, manner, ledger, same, self.summary)
        ledger.start(digest, arguments)
        self._begun = 0
        self._told = 0
        self._told_at = self._started = time.monotonic()
        self._flights: dict[int, Flight] = {}
        self._naming: deque[dict[int, str | None]] = deque()
        # At first each source is a group; a few tell how long one takes.
        self._seconds_each = _GROUP_SECONDS

    def run(self, interruptions: Callable[[], int], beat: Callable[[Summary], None]) -> Summary:
        """Convert all sources.

        Args:
            interruptions: how many there were: after the first nothing more is begun, and what is
                being converted gets PATIENCE to finish; after the second it gets none.
            beat: called several times a second.
        """
        until: float | None = None
        while self._flights or not self._intake.over:
            if until is None and interruptions():
                until = time.monotonic() + PATIENCE
                self._stop()
            if until is not None and (interruptions() > 1 or time.monotonic() > until):
                self._pool.discard()
                for position in [*self._flights]:
                    self._give_back(position)
                break
            self._submit()
            self._hear(self._pool.wait(0.2 if self._pool.busy else 0))
            self._tell_of_ended()
            self.summary.seconds = time.monotonic() - self._started
            beat(self.summary)
        self._tell_of_ended(last=True)
        if not self.summary.interrupted:
            self._ledger.finish()
        return self.summary

    def _submit(self) -> None:
        # One job more than there are free workers waits, so that none is ever without.
        while not self._intake.over and self._pool.room > -1:
            count = int(_GROUP_SECONDS / max(self._seconds_each, 1e-6))
            flights = self._intake.group(max(1, min(count, _GROUP_ITEMS)), _GROUP_BYTES)
            if not flights:
                break
            self._begin(flights)
        self._convert_named()

    def _begin(self, flights: Sequence[Flight]) -> None:
        positions = range(self._begun, self._begun + len(flights))
        self._begun += len(flights)
        self._ledger.begin(
            [
                Begun(
                    flight.key,
                    flight.target,
                    position,
                    flight.reference.size if flight.reference else None,
                    flight.reference.modified if flight.reference else None,
                )
                for position, flight in zip(positions, flights, strict=True)
            ]
        )
        self._flights.update(zip(positions, flights, strict=True))
        if self._settings.layout is None:
            self._convert(list(positions))
            return
        working = [position for position in positions if not self._end_if_ended(position)]
        self._naming.append(dict.fromkeys(working))
        if working:
            self._pool.submit(self._job(_NAME, working))

    def _convert(self, positions: list[int]) -> None:
        working = [position for position in positions if not self._end_if_ended(position)]
        if working:
            self._pool.submit(self._job(_CONVERT, working))

    def _job(self, work: WorkOfModule, positions: list[int]) -> Job:
        flights = [self._flights[position] for position in positions]
        big = sum(flight.size for flight in flights) >= BIG_FOR_EACH_JOB * self._pool.jobs
        return Job(
            work,
            self._settings,
            [_item(flight) for flight in flights],
            [(work is _NAME, position) for position in positions],
            whole_machine=big and work is _CONVERT,
        )

    def _hear(self, events: Sequence[Outcome | Progress | Returned]) -> None:
        for event in events:
            naming, position = event.key
            match event:
                case Returned():
                    self._give_back(position)
                case Outcome(error=None, result=str(path)) if naming:
                    group = next(group for group in self._naming if position in group)
                    group[position] = path
                case Outcome(result=Ending() as ending):
                    self._end(position, replace(ending, attempts=event.attempts))
                case Outcome(error=DicodecError() as error):
                    flight = self._flights[position]
                    if error.path is None and flight.reference is not None:
                        error.path = flight.reference.name
                    self._end(position, failure(error, event.attempts))

    def _convert_named(self) -> None:
        """Convert what has its name, in the order of listing: which of two that meet has priority.

        That is why a group waits until all before it have their names.
        """
        while self._naming and all(self._naming[0].values()):
            named = self._naming.popleft()
            for position, path in named.items():
                flight = self._flights[position]
                self._intake.place(flight, os.path.join(self._output, path or ""))  # noqa: PTH118
                if flight.target is not None:
                    self._ledger.claim(flight.key, flight.target)
            self._convert([*named])

    def _end_if_ended(self, position: int) -> bool:
        ending = self._flights[position].ending
        if ending is not None:
            self._end(position, ending)
        return ending is not None

    def _end(self, position: int, ending: Ending) -> None:
        flight = self._taken(position)
        self._ledger.end(flight.key, ending)
        self.summary.count(ending)
        if ending.seconds is not None:
            self._seconds_each += 0.3 * (ending.seconds - self._seconds_each)

    def _give_back(self, position: int) -> None:
        self._ledger.give_back([self._taken(position).key])
        self.summary.given_back += 1

    def _taken(self, position: int) -> Flight:
        """Take a source out of all lists."""
        for group in self._naming:
            group.pop(position, None)
        flight = self._flights.pop(position)
        if flight.reference is not None:
            release(flight.reference)
        return flight

    def _stop(self) -> None:
        self.summary.interrupted = True
        self._intake.stop()
        self._hear(self._pool.stop())
        for group in [*self._naming]:
            for position, path in [*group.items()]:
                if path is not None:
                    self._give_back(position)

    def _tell_of_ended(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self._told_at < _TELL_SECONDS:
            return
        self._told_at = now
        self._ledger.flush()
        for position, entry, json in self._ledger.ended_from(self._told, past_pending=last):
            self._told = position + 1
            self._tell(entry.state, json)


def _item(flight: Flight) -> Item:
    assert flight.reference is not None
    ours = flight.target is not None and flight.target == flight.ours
    return Item(flight.reference, flight.target, overwrite=ours)
