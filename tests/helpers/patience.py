"""How long tests wait for another process before they take it for hanging."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_SLOWEST = 4
"""A busy or small machine takes this many times as long as the one where tests are written."""


def give_up_at(seconds: float) -> float:
    """Return the reading of the monotonic clock at which something hangs.

    Args:
        seconds: that it takes at most on a machine with nothing else to do.
    """
    return time.monotonic() + _SLOWEST * seconds


def wait_for(true: Callable[..., Any], seconds: float = 30.0, words: str = "") -> Any:
    """Return what a function returns once that is true.

    Args:
        true: the function, which is called again and again.
        seconds: as of `give_up_at`.
        words: what was waited for, for the message.
    """
    until = give_up_at(seconds)
    while time.monotonic() < until:
        if found := true():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s {words}")
