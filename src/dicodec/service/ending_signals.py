"""Find the signals that end a program after a clean-up; Ctrl-C is not among them.

The module is apart because the command loads it at its start.
"""

from __future__ import annotations

import signal


def find_ending_signals() -> tuple[signal.Signals, ...]:
    """Return SIGTERM, and SIGHUP unless it is ignored, as it is under nohup."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return (signal.SIGTERM,)
    return (signal.SIGTERM, signal.SIGHUP)
