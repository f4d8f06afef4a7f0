"""Offsets are committed only where everything before them is done."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dicodec.service.brokers.offsets import PartitionOffsets


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)))
def test_no_commit_covers_what_is_not_done(order: list[int], skipped: set[int]) -> None:
    known = PartitionOffsets()
    delivered = [offset for offset in range(12) if offset not in skipped]  # topics have gaps
    for offset in delivered:
        known.delivered(offset)
    done: set[int] = set()
    committed = 0
    for offset in order:
        known.done(offset)  # also of some that never came
        done.add(offset)
        behind = known.to_commit()
        if behind is not None:
            assert behind > committed
            committed = behind
        assert all(one in done for one in delivered if one < committed)
        undone = [one for one in delivered if one not in done]
        finished = [one for one in delivered if one < min(undone, default=12)]
        assert committed == (finished[-1] + 1 if finished else 0)


def test_what_comes_again_is_not_open_twice() -> None:
    known = PartitionOffsets()
    known.delivered(3)
    known.done(3)
    known.delivered(3)

    assert known.to_commit() == 4
    assert known.to_commit() is None
