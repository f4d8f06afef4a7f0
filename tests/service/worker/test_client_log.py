"""What the brokers' clients say comes into the worker's log, without a flood."""

from __future__ import annotations

import io
import json
import logging
import time

import pytest

from dicodec.service.jobs.logs import Log
from dicodec.service.worker.client_log import ClientLog


def test_what_a_client_repeats_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    out = io.StringIO()
    clients = ClientLog(Log(out), "kafka://me:sec%2Fret@host:1")

    def say(text: str, level: int = logging.WARNING) -> None:
        clients.handle(logging.LogRecord("client", level, __file__, 1, text, None, None))

    for _ in range(50):
        say("no answer from kafka://me:sec%2Fret@host:1")
        say("no leader", logging.ERROR)
    now += 61
    say("no leader", logging.ERROR)
    for number in range(1000):
        say(f"partition {number % 250}")

    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(one["level"], one["message"], one.get("omitted")) for one in lines[:3]] == [
        ("warning", "no answer from ***", None),
        ("error", "no leader", None),
        ("error", "no leader", 49),
    ]
    assert lines[3]["message"] == "partition 0"
    say("user me has the password sec/ret")
    assert "has the password ***" in out.getvalue()
    assert "sec" not in out.getvalue()
