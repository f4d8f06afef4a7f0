"""The estimate of a sum from strata: exact if all is coded, and true to its confidence if not."""

from __future__ import annotations

import math
from random import Random

import pytest

from dicodec.batch.estimation.strata import Measured, Stratum, find_quantile, sum_up


def make_stratum(random: Random, files: int, drawn: int, ratio: float) -> tuple[Stratum, float]:
    """Return a stratum of which some sources are measured, and the true sum of all results."""
    weights = [random.randrange(100, 200) for _ in range(files)]
    results = [weight * ratio * random.uniform(0.7, 1.3) for weight in weights]
    pairs = random.sample([*zip(weights, results, strict=True)], drawn)
    measured = [Measured(weight, after, 0.0) for weight, after in pairs]
    return Stratum(files, sum(weights), measured), sum(results)


def test_what_is_coded_as_a_whole_has_no_interval() -> None:
    stratum, real = make_stratum(Random(1), 20, 20, 0.4)
    assert sum_up([stratum]) == pytest.approx((real, real, real))


@pytest.mark.parametrize("drawn", [4, 10, 30])
def test_the_interval_holds_the_sum_as_often_as_it_says(drawn: int) -> None:
    random, held = Random(drawn), 0
    for _ in range(400):
        made = [make_stratum(random, 60, drawn, ratio) for ratio in (0.2, 0.5, 0.9)]
        real = sum(one for _, one in made)
        total, low, high = sum_up([one for one, _ in made])
        assert low <= total <= high
        held += low <= real <= high
    assert 0.92 <= held / 400 <= 0.995


def test_frames_that_were_not_coded_widen_the_interval() -> None:
    one = Stratum(1, 100, [Measured(100, 40.0, 9.0)])
    total, low, high = sum_up([one])
    assert total == 40
    assert high - total == pytest.approx(1.96 * 3, rel=0.01)
    assert total - low == pytest.approx(high - total)


def test_kinds_without_a_coded_source_may_be_anything_up_to_twice_the_mean() -> None:
    known = Stratum(2, 100, [Measured(50, 20.0, 0.0), Measured(50, 20.0, 0.0)])
    total, low, high = sum_up([known, Stratum(3, 300)])
    assert total == 40 + 120
    assert low == 40
    assert high == 160 + 120


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (math.inf, 1.960)],
)
def test_quantiles_are_those_of_the_tables(freedom: float, quantile: float) -> None:
    assert find_quantile(0.975, freedom) == pytest.approx(quantile, rel=0.003)
    assert find_quantile(0.975, freedom + 0.5) <= quantile
