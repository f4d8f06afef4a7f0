"""Logs whose stream cannot be written: lines are lost and counted, the work goes on."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path

import pytest

from dicodec.errors import DiskFullError
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.runner import StoreRunner
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import NewJob
from helpers.memory_broker import HoldingExecutor
from helpers.patience import wait_for


class FullStream(io.StringIO):
    """A stream on a disk without room, until it gets some."""

    full = True

    def write(self, text: str) -> int:
        """Write a text, if there is room."""
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_lines_that_cannot_be_written_are_counted() -> None:
    out = FullStream()
    log = Log(out)
    log.write("info", "one")
    log.write("info", "two")
    out.full = False
    log.write("info", "three")
    log.write("info", "four")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line.get("lost_lines")) for line in lines] == [
        ("three", 2),
        ("four", None),
    ]


def test_jobs_are_carried_out_after_the_disk_of_store_and_log_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, executor = FullStream(), HoldingExecutor()
    with JobStore(tmp_path / "store") as store:

        def fail(_: int) -> None:
            raise DiskFullError("no room")

        monkeypatch.setattr(store, "claim", fail)
        runner = StoreRunner(store, executor, RetryPolicy(), Log(out), lambda *_: None)
        runner.start()
        wait_for(lambda: runner.fault)
        monkeypatch.undo()
        request = '{"id": "one", "source": "/in/a", "target": "/out/a", "to": "rle"}'
        store.put([NewJob(id="one", request=request, source="/in/a")])
        wait_for(lambda: executor.futures)
        out.full = False
        executor.futures[0].cancel()
        runner.stop(0)
