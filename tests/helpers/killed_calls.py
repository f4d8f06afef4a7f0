"""For programs that try what a kill -9 leaves behind: they end before a call that changes files.

Such a program runs with `killing_environment()`, imports `die_before` and forks for each number.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dicodec.conversion.output import exchange

CALLS = (
    "open", "close", "fsync", "link", "rename", "replace", "unlink", "chmod", "chown", "setxattr",
)  # fmt: skip


def killing_environment() -> dict[str, str]:
    """Return the environment of a program that imports this module."""
    places = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places)}


def die_before(number: int) -> None:
    """Let the number-th call, from 1, end this process as if it were killed just then."""
    count = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **settings: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **settings)

        return wrapper

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    exchange.exchange_names = counted(exchange.exchange_names)
