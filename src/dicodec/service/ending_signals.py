"""Find the signals that end a program after a clean-up; Ctrl-C is not among them.

The module is apart because the command loads it at its start.
"""

from __future__ import annotations

from dicodec.model.platforms import find_ending_signals as find_ending_signals
