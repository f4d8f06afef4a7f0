"""Counts what a piece of work calls: a measure that is the same on every machine."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from unittest import mock

from dicodec.model import record_classes, tuple_classes

_STANDARD_LIBRARY = str(Path(os.__file__).parent)


def calls(work: Callable[[], object]) -> Counter[str]:
    """Count calls of Python's functions, and of functions in C by name, once caches are warm.

    "all" leaves out what the standard library calls within itself, because that is another number
    in each version of Python. Classes of records have their compiled methods, which come with the
    250th instance otherwise, in whatever test that is.
    """
    with (
        mock.patch.object(record_classes, "FEW", 0),
        mock.patch.object(tuple_classes, "FEW", 0),
    ):
        work()
        return _count(work)


def _count(work: Callable[[], object]) -> Counter[str]:
    found: Counter[str] = Counter()

    def count(frame: FrameType, event: str, called: object) -> None:
        if event == "call":
            caller = frame.f_back
            inside = caller is not None and _is_standard(caller.f_code.co_filename)
            found["all"] += not (inside and _is_standard(frame.f_code.co_filename))
        elif event == "c_call":
            found["all"] += not _is_standard(frame.f_code.co_filename)
            found[getattr(called, "__name__", "")] += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


@cache
def _is_standard(file: str) -> bool:
    own = file.startswith(_STANDARD_LIBRARY) and "site-packages" not in file
    return own or file.startswith("<frozen ")
