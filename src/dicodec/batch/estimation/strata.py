"""Strata of sources that are compressed alike, and the sum of their results from some of them.

The ratio of sizes, result to source, is measured in each stratum (W. G. Cochran, Sampling
Techniques, 3rd edition: 6.10 the separate ratio estimate, 10.4 sampling in two stages, 5.4
degrees of freedom). Nothing is assumed of strata whose sources were all coded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist

from dicodec.model.records import dataclass, field

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

CONFIDENCE = 0.95
"""Probability with which the interval holds the sum."""

_FEW = 8
"""Sources of a stratum from which its spread is believed, even if it is smaller than elsewhere."""

_UNKNOWN_SPREAD = 1.0
"""Standard deviation of ratios, as a part of their mean, if no stratum says more."""

_LEAST_SPREAD = 0.02
"""The same, if the drawn sources are alike."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A source whose result has been coded, whole or in part.

    Attributes:
        weight: bytes that the size of the result is measured by.
        after: bytes of the result; 0 if it cannot be converted.
        variance: of `after`, as some of its frames were coded.
    """

    weight: int
    after: float
    variance: float


@dataclass(slots=True)
class Stratum:
    """Sources that are compressed alike.

    Attributes:
        files, weight: their number, and the sum of their weights; see `Measured`.
        measured: those that were drawn at random and coded.
    """

    files: int = 0
    weight: int = 0
    measured: list[Measured] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Bytes of the results to the weight of the sources, as measured; 0 if none was."""
        weight = sum(one.weight for one in self.measured)
        return sum(one.after for one in self.measured) / weight if weight else 0.0

    @property
    def spread(self) -> float | None:
        """Standard deviation of results about the ratio, to their mean; None if unknown."""
        count = len(self.measured)
        mean = sum(one.after for one in self.measured) / count if count else 0
        if count < 2 or not mean:
            return None
        ratio = self.ratio
        squares = sum((one.after - ratio * one.weight) ** 2 for one in self.measured)
        return math.sqrt(squares / (count - 1)) / mean

    def compute_variance(self, usual: float) -> tuple[float, float]:
        """Return the variance of the sum of results: between sources, and within them.

        Args:
            usual: spread of other strata, for one of which few sources were coded.
        """
        count = len(self.measured)
        if not count:
            return 0.0, 0.0
        within = self.files / count * sum(one.variance for one in self.measured)
        if count == self.files:
            return 0.0, within
        mean = self.ratio * self.weight / self.files
        spread = self.spread
        if spread is None:
            spread = max(usual, _UNKNOWN_SPREAD)
        elif count < _FEW:
            spread = max(usual, spread)
        spread = max(spread, _LEAST_SPREAD)
        between = self.files * (self.files - count) / count * (spread * mean) ** 2
        return between, within


@dataclass(frozen=True, slots=True)
class BatchEstimate:
    """How many bytes the results of a batch would have.

    Attributes:
        files: sources that would be converted, or are right already.
        bytes_before: their bytes.
        bytes_after: bytes of all results.
        low, high: the interval that holds the bytes of all results with this confidence.
        confidence: of the interval, as a part of 1.
        coded_files: sources that were coded, whole or in part.
        coded_frames: frames that were.
        failed: those of the coded sources that cannot be converted.
        guessed_files: sources of kinds of which none was coded; they are taken for the mean of all,
            and the interval leaves room for twice as much, or nothing.
        seconds: the time that it took.
    """

    files: int
    bytes_before: int
    bytes_after: int
    low: int
    high: int
    confidence: float
    coded_files: int
    coded_frames: int
    failed: int
    guessed_files: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as values that JSON can hold."""
        return {name: getattr(self, name) for name in self.__slots__}


def find_usual_spread(strata: Iterable[Stratum]) -> float:
    """Return the spread of a stratum of which little is known, from those of which more is."""
    known = [(len(one.measured) - 1, one.spread) for one in strata if one.spread is not None]
    weight = sum(count for count, _ in known)
    if weight < _FEW:
        return _UNKNOWN_SPREAD
    return math.sqrt(sum(count * spread**2 for count, spread in known) / weight)


def sum_up(strata: Sequence[Stratum]) -> tuple[float, float, float]:
    """Return the sum of all results, and the interval for it.

    Strata without a coded source have the ratio of all others, and may be twice as large, or
    nothing.
    """
    known = [one for one in strata if one.measured]
    usual = find_usual_spread(known)
    total = sum(one.ratio * one.weight for one in known)
    between = [one.compute_variance(usual) for one in known]
    variance = sum(sum(parts) for parts in between)
    squares = sum(
        parts[0] ** 2 / max(1, len(one.measured) - 1)
        for one, parts in zip(known, between, strict=True)
    )
    freedom = sum(parts[0] for parts in between) ** 2 / squares if squares else math.inf
    half = find_quantile((1 + CONFIDENCE) / 2, max(freedom, 1.0)) * math.sqrt(variance)
    weight = sum(one.weight for one in known)
    others = sum(one.weight for one in strata if not one.measured)
    guessed = total / weight * others if weight else float(others)
    half = math.hypot(half, guessed)
    certain = sum(item.after for one in known for item in one.measured if not item.variance)
    total += guessed
    return total, max(total - half, min(certain, total)), total + half


def find_quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t distribution.

    Exact for one and two degrees of freedom, else by the expansion about the normal distribution
    (Abramowitz and Stegun, 26.7.5), which is within 0.2 % from three degrees on at 97.5 %.
    """
    if freedom < 2:
        one = math.tan(math.pi * (probability - 0.5))
        two = _find_quantile_of_two(probability)
        return one + (two - one) * (freedom - 1)
    if freedom < 3:
        two, three = _find_quantile_of_two(probability), _expand(probability, 3)
        return two + (three - two) * (freedom - 2)
    return _expand(probability, freedom)


def _find_quantile_of_two(probability: float) -> float:
    doubled = 2 * probability - 1
    return doubled * math.sqrt(2 / (1 - doubled**2))


def _expand(probability: float, freedom: float) -> float:
    x = NormalDist().inv_cdf(probability)
    if math.isinf(freedom):
        return x
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + sum(term / freedom ** (power + 1) for power, term in enumerate(terms))
