"""Decide how many files make a group for one worker, and how many groups wait."""

from __future__ import annotations

_LEAST_SECONDS = 1e-6


class Grouping:
    """Sizes of groups, from the time that files took lately.

    A file costs less the larger its group, but a large group makes the other workers wait for its
    end. So a group gets as many files as take some time together. At first each file is a group;
    the first time counts in full, because the first file takes longer than the others.

    Args:
        seconds: time that a group should take.
        largest: files of a group at most.
        weight: share of the newest file in the mean time of files, 0 to 1.
    """

    def __init__(self, seconds: float, largest: int, weight: float) -> None:
        self._seconds = seconds
        self._largest = largest
        self._weight = weight
        self._seconds_each: float | None = None

    def add_time(self, seconds: float | None) -> None:
        """Take the time of one file into the mean; None is ignored."""
        if self._seconds_each is None:
            self._seconds_each = seconds
        elif seconds is not None:
            self._seconds_each += self._weight * (seconds - self._seconds_each)

    def count_files_in(self, seconds: float) -> int:
        """Return how many files one worker converts in some seconds."""
        each = self._seconds if self._seconds_each is None else self._seconds_each
        return int(seconds / max(each, _LEAST_SECONDS))

    @property
    def size(self) -> int:
        """Number of files of the next group."""
        return max(1, min(self.count_files_in(self._seconds), self._largest))


def count_files_for(workers: int, size: int) -> int:
    """Return how many files should be with the pool, waiting or in work.

    It is a group for each worker and one group that waits, so that no worker is ever idle.
    """
    return (workers + 1) * size


def share_evenly(files: int, workers: int, size: int) -> int:
    """Return the size of groups by which each worker gets some of the last files."""
    return max(1, min(size, -(-files // workers)))
