"""Streams of events: whoever gets none takes nobody's place."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from dicodec.errors import TargetUnavailableError
from dicodec.service.jobs.logs import Log
from dicodec.service.web.app import create_app
from dicodec.service.web.options import ServiceOptions
from dicodec.service.web.service import Service


def test_a_listener_that_is_refused_gives_its_place_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(ServiceOptions(data=tmp_path / "data", streams=2), Log(None))

    def fail() -> int:
        raise TargetUnavailableError("the job store cannot be used")

    async def listen() -> list[int]:
        transport = httpx.ASGITransport(create_app(service), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            statuses = []
            with monkeypatch.context() as patched:
                patched.setattr(service.store, "find_last_event", fail)
                for _ in range(3):
                    answer = await client.get("/api/events", params={"limit": 0})
                    statuses.append(answer.status_code)
            answer = await client.get("/api/events", params={"limit": 0})
            return [*statuses, answer.status_code]

    try:
        assert asyncio.run(listen()) == [503, 503, 503, 200]
        assert service.streams.taken == 0
    finally:
        service.close()
