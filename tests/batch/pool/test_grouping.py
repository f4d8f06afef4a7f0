"""How many files make a group: as many as take some time together, from the second one on."""

from __future__ import annotations

import pytest

from dicodec.batch.pool.grouping import Grouping


def test_the_first_file_says_how_many_make_a_group() -> None:
    grouping = Grouping(0.1, 64, 0.3)
    assert grouping.size == 1
    grouping.add_time(None)
    assert grouping.size == 1
    grouping.add_time(0.004)
    assert grouping.size == 25


@pytest.mark.parametrize(("seconds", "size"), [(0.0, 64), (0.2, 1), (0.004, 25)])
def test_groups_follow_the_newest_files(seconds: float, size: int) -> None:
    grouping = Grouping(0.1, 64, 0.3)
    grouping.add_time(0.01)
    for _ in range(40):
        grouping.add_time(seconds)
    assert abs(grouping.size - size) <= 1
