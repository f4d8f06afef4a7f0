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
        known.add(offset)
    done: set[int] = set()
    committed = 0
    for offset in order:
        known.acknowledge(offset)  # also of some that never came
        done.add(offset)
        behind = known.take_commit()
        if behind is not None:
            assert behind > committed
            committed = behind
        assert all(one in done for one in delivered if one < committed)
        undone = [one for one in delivered if one not in done]
        finished = [one for one in delivered if one < min(undone, default=12)]
        assert committed == (finished[-1] + 1 if finished else 0)


def test_what_comes_again_is_not_open_twice() -> None:
    known = PartitionOffsets()
    known.add(3)
    known.acknowledge(3)
    known.add(3)

    assert known.take_commit() == 4
    assert known.take_commit() is None
