"""Events on NATS: published to whoever listens, with their headers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import nats

from dicodec.service.brokers.broker import BrokerOptions, Outgoing, Queue
from dicodec.service.brokers.connecting import make_broker
from helpers.brokers import running_broker

HEADERS = {"dicodec-event": "done", "traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}


def test_events_have_their_headers(tmp_path: Path) -> None:
    async def send_and_hear(url: str) -> tuple[bytes, dict[str, str] | None]:
        sender = make_broker(url, BrokerOptions())
        await sender.open()
        listener = await nats.connect(url)
        try:
            heard = await listener.subscribe(sender.names.events)
            await listener.flush()
            await sender.send([Outgoing(Queue.EVENTS, b"{}", HEADERS, "job")])
            message = await heard.next_msg(60)
        finally:
            await listener.close()
            await sender.close()
        return message.data, message.headers

    with running_broker("nats", tmp_path) as broker:
        assert asyncio.run(send_and_hear(broker.url)) == (b"{}", HEADERS)
