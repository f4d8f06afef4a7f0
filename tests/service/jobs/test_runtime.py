"""The memory that each process gets if the operator does not say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dicodec.service.jobs import runtime


@pytest.mark.parametrize(
    ("container", "jobs", "expected"),
    [("max\n", 4, 12 << 30), ("8589934592\n", 2, 3 << 30), ("8589934592\n", 100, 512 << 20)],
)
def test_memory_is_shared(
    container: str, jobs: int, expected: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(container)
    monkeypatch.setattr(runtime, "_CGROUP_LIMIT", limit)
    pages = {"SC_PHYS_PAGES": (64 << 30) // 4096, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    assert runtime.share_memory(jobs) == expected


def test_a_system_that_does_not_tell_sets_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown)
    assert runtime.share_memory(2) is None
