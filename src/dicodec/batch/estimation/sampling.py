"""Draw sources of a dry run, have them coded for a bounded time, and estimate their sum."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count
from random import Random

from dicodec.batch.estimation.strata import (
    CONFIDENCE,
    BatchEstimate,
    Measured,
    Stratum,
    find_usual_spread,
    sum_up,
)
from dicodec.batch.ledger.tables import FileOutcome, State
from dicodec.batch.pool.messages import WorkOfModule
from dicodec.batch.pool.pool import ItemGroup, ItemOutcome, Pool
from dicodec.batch.sources.references import SourceReference
from dicodec.batch.work_item import Item, WorkOptions
from dicodec.model.records import NamedTuple, dataclass, field
from dicodec.model.transfer_syntax import find_by_name
from dicodec.report import LEFT_ALONE, SizeEstimate

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.batch.cluster.cluster_pool import ClusterPool

_ESTIMATE = WorkOfModule("dicodec.batch.conversion_work", "estimate_item")

_KEPT = 256
"""Sources of a kind that are remembered, so that memory does not grow with the batch."""

_SMALL = 8
"""Sources of a kind up to which it is joined with kinds that differ in less."""

_FIRST = 4
"""Sources of each stratum that are coded before any stratum has more."""

_PRECISE = 0.02
"""Half of the interval, as a part of the sum, at which the estimate is good enough."""

_SEED = 22

_WAIT_SECONDS = 0.2


class _Drawn(NamedTuple):
    """A source that was drawn.

    Attributes:
        reference: the source.
        weight: bytes that the size of its result is measured by.
    """

    reference: SourceReference
    weight: int


@dataclass(slots=True)
class _Kind:
    """Sources of one kind, some of which are remembered: a random sample of all.

    Attributes:
        drawn: those that are remembered.
        files, weight: the number and the weight of all.
    """

    drawn: list[_Drawn] = field(default_factory=list)
    files: int = 0
    weight: int = 0


class SizeSampling:
    """Sources of a dry run by kind: rule, target, action, magnitude, source syntax, modality.

    Args:
        seconds: how long sources may be coded; those that are begun then are finished.
        clock: returns the time in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._random = Random(_SEED)  # noqa: S311 - it keeps no secret
        self._kinds: dict[tuple[str, ...], _Kind] = {}
        self._right = 0
        self._files = self._size = 0

    def add(self, reference: SourceReference, outcome: FileOutcome) -> None:
        """Add a source whose conversion has been planned."""
        size = outcome.source_size or 0
        if outcome.state not in {State.DONE, State.LEFT_ALONE}:
            return
        self._files += 1
        self._size += size
        if outcome.action in {"copied", LEFT_ALONE}:
            self._right += size
            return
        weight = _choose_weight(outcome, size)
        again = "" if reference.spool is None else "gone"
        *way, source, modality = outcome.kind
        key = (again, *way, str(weight.bit_length()), source, modality)
        kind = self._kinds.setdefault(key, _Kind())
        kind.files += 1
        kind.weight += weight
        if reference.spool is not None:
            return
        if len(kind.drawn) < _KEPT:
            kind.drawn.append(_Drawn(reference, weight))
        elif (place := self._random.randrange(kind.files)) < _KEPT:
            kind.drawn[place] = _Drawn(reference, weight)

    def run(
        self,
        pool: Pool | ClusterPool,
        work: WorkOptions,
        interruptions: Callable[[], int],
        show_progress: Callable[[], None],
    ) -> BatchEstimate | None:
        """Have sources coded until the estimate is good enough, or the time is over.

        Returns:
            The estimate; None if there is nothing to estimate, another engine converts the
            sources, or it was interrupted.
        """
        started = self._clock()
        strata = [_OpenStratum(kind, self._random) for kind in _join_small(self._kinds)]
        if not self._files:
            return None
        frames, failed, unknown = 0, 0, False
        in_work: dict[int, tuple[_OpenStratum, _Drawn]] = {}
        numbers = count()
        while True:
            over = self._clock() - started >= self._seconds or _is_precise(strata, self._right)
            while not over and pool.room > 0 and (chosen := _choose(strata)) is not None:
                number, drawn = next(numbers), chosen.draw()
                in_work[number] = chosen, drawn
                item = Item(drawn.reference, None)
                pool.submit(ItemGroup(_ESTIMATE, work, [item], [number]))
            if not in_work:
                break
            for event in pool.wait(_WAIT_SECONDS):
                if not isinstance(event, ItemOutcome):
                    continue
                stratum, drawn = in_work.pop(event.key)
                stratum.begun -= 1
                if event.error is not None:
                    failed += 1
                    stratum.measured.append(Measured(drawn.weight, 0.0, 0.0))
                elif not isinstance(estimate := event.result, SizeEstimate):
                    unknown = True
                else:
                    frames += estimate.frames
                    found = Measured(drawn.weight, estimate.size, estimate.deviation**2)
                    stratum.measured.append(found)
            if interruptions() or unknown:
                pool.discard()
                return None
            show_progress()
        return self._make_estimate(strata, frames, failed, self._clock() - started)

    def _make_estimate(
        self, strata: list[_OpenStratum], frames: int, failed: int, seconds: float
    ) -> BatchEstimate:
        total, low, high = sum_up(strata)
        return BatchEstimate(
            files=self._files,
            bytes_before=self._size,
            bytes_after=self._right + round(total),
            low=self._right + int(low),
            high=self._right + int(high + 0.999),
            confidence=CONFIDENCE,
            coded_files=sum(len(one.measured) for one in strata),
            coded_frames=frames,
            failed=failed,
            guessed_files=sum(one.files for one in strata if not one.measured),
            seconds=round(seconds, 3),
        )


class _OpenStratum(Stratum):
    """A stratum of which more sources can be coded."""

    __slots__ = ("_left", "begun")

    def __init__(self, kind: _Kind, random: Random) -> None:
        super().__init__(kind.files, kind.weight)
        self._left = [*kind.drawn]
        random.shuffle(self._left)
        self.begun = 0

    @property
    def open(self) -> bool:
        """Whether there are sources to draw."""
        return bool(self._left)

    def draw(self) -> _Drawn:
        """Return the next source."""
        self.begun += 1
        return self._left.pop()


def _choose_weight(outcome: FileOutcome, size: int) -> int:
    """Return the bytes that go best with those of the result.

    They are those that the source has, if both are compressed; otherwise those of native pixels,
    which a source with compressed ones does not have.
    """
    _, target, _, source, _ = outcome.kind
    names = (find_by_name(source), find_by_name(target))
    compressed = all(one is not None and one.encapsulated for one in names)
    return max(1, size if compressed else outcome.native_size)


def _join_small(kinds: dict[tuple[str, ...], _Kind]) -> Iterator[_Kind]:
    """Yield kinds, small ones joined: without modality, then source syntax, then magnitude.

    Magnitude goes last, because a few large sources may have most of the bytes.
    """
    for _ in range(3):
        joined: dict[tuple[str, ...], _Kind] = {}
        for key, kind in kinds.items():
            if kind.files > _SMALL:
                yield kind
                continue
            other = joined.setdefault(key[:-1], _Kind())
            other.drawn += kind.drawn
            other.files += kind.files
            other.weight += kind.weight
        kinds = joined
    yield from kinds.values()


def _is_precise(strata: list[_OpenStratum], right: int) -> bool:
    if any(one.open and len(one.measured) < _FIRST for one in strata):
        return False
    total, low, high = sum_up(strata)
    return high - low <= 2 * _PRECISE * (total + right)


def _choose(strata: list[_OpenStratum]) -> _OpenStratum | None:
    """Return the stratum of which one more source says most; None if all are coded."""
    able = [one for one in strata if one.open]
    if not able:
        return None
    fewest = [one for one in able if len(one.measured) + one.begun < _FIRST]
    if fewest:
        return max(fewest, key=lambda one: (-len(one.measured) - one.begun, one.weight))
    usual = find_usual_spread(strata)
    return max(able, key=lambda one: one.compute_variance(usual)[0] / (1 + one.begun))
