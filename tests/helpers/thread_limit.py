"""A system that allows no more threads."""

from __future__ import annotations

import threading

import pytest


def limit_threads(monkeypatch: pytest.MonkeyPatch, allowed: int) -> None:
    """Have no more threads than some started beside those that run already."""
    start, most = threading.Thread.start, threading.active_count() + allowed

    def start_some(thread: threading.Thread) -> None:
        if threading.active_count() >= most:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
