"""Counts what a piece of work calls: a measure that is the same on every machine."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType


def calls(work: Callable[[], object]) -> Counter[str]:
    """Count calls of Python's functions, and of functions in C by name, once caches are warm."""
    work()
    found: Counter[str] = Counter()

    def count(_: FrameType, event: str, called: object) -> None:
        if event == "call":
            found["all"] += 1
        elif event == "c_call":
            found["all"] += 1
            found[getattr(called, "__name__", "")] += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found
