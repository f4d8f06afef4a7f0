"""How long tests wait for another process before they take it for hanging."""

from __future__ import annotations

import time

_SLOWEST = 4
"""A busy or small machine takes this many times as long as the one where tests are written."""


def give_up_at(seconds: float) -> float:
    """Return the reading of the monotonic clock at which something hangs.

    Args:
        seconds: that it takes at most on a machine with nothing else to do.
    """
    return time.monotonic() + _SLOWEST * seconds
