"""What needs no worker: sending requests to a broker, and dead letters back."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import batched

from dicodec.errors import TargetUnavailableError
from dicodec.service.brokers.broker import (
    Broker,
    BrokerUnavailableError,
    Consumption,
    Delivery,
    Outgoing,
    Place,
)
from dicodec.service.brokers.connecting import broker_at, without_credentials
from dicodec.service.jobs.messages import Request
from dicodec.service.worker import settlement

_BATCH = 200
_SILENCE = 6.0
"""Of who takes dead letters; some brokers have whoever comes wait for a part of it."""

_PATIENCE = 3.0
"""Seconds without a dead letter after which there are no more."""


def make_queues(url: str, how: Consumption) -> None:
    """Make the queues that are missing at a broker.

    Raises:
        InvalidOptionError: the URL names no broker, or its client is not installed.
        TargetUnavailableError: the broker cannot be reached.
    """
    asyncio.run(_make_queues(broker_at(url, replace(how, source=None))))


def send_requests(
    url: str, how: Consumption, requests: Iterable[Request], sent: Callable[[int], None]
) -> int:
    """Send requests to a broker; memory does not grow with them.

    Args:
        url: of the broker.
        how: names of its queues.
        requests: taken as they are sent.
        sent: is told how many the broker has, now and then.

    Returns:
        How many were sent; the broker has them all.

    Raises:
        InvalidOptionError: the URL names no broker, or its client is not installed.
        TargetUnavailableError: the broker cannot be reached, or was lost on the way.
    """
    return asyncio.run(_send_requests(broker_at(url, replace(how, source=None)), requests, sent))


def send_dead_back(url: str, how: Consumption, *, cause: str | None = None) -> tuple[int, int]:
    """Send dead letters back to be requests again; their history stays with them.

    Args:
        url: of the broker.
        how: names of its queues.
        cause: error code of those that are sent back; None for all.

    Returns:
        How many were sent back, and how many were left.

    Raises:
        InvalidOptionError: the URL names no broker, or its client is not installed.
        TargetUnavailableError: it cannot be reached, or was lost; what was sent back stays so.
    """
    dead = replace(
        how, source=Place.DEAD, group=f"{how.group}-dead", prefetch=_BATCH, silence=_SILENCE
    )
    return asyncio.run(_send_dead_back(broker_at(url, dead), cause))


async def _make_queues(broker: Broker) -> None:
    async with _opened(broker):
        pass


async def _send_requests(
    broker: Broker, requests: Iterable[Request], sent: Callable[[int], None]
) -> int:
    count = 0
    async with _opened(broker):
        for batch in batched(requests, _BATCH):
            await broker.send(
                [Outgoing(Place.REQUESTS, one.to_json().encode(), {}, one.id) for one in batch]
            )
            count += len(batch)
            sent(count)
    return count


async def _send_dead_back(broker: Broker, cause: str | None) -> tuple[int, int]:
    turn = secrets.token_hex(4)
    count = left = 0
    async with _opened(broker):
        while letters := await _letters(broker):
            seen = [one for one in letters if settlement.is_seen(one, turn)]
            fresh = [one for one in letters if not settlement.is_seen(one, turn)]
            wanted = [one for one in fresh if cause in {None, one.headers.get(settlement.ERROR)}]
            others = [one for one in fresh if one not in wanted]
            # Those that stay go behind the rest, marked, so that their coming round is the end.
            copies = [settlement.seen(one, turn) for one in others]
            await broker.send([settlement.sent_back(one) for one in wanted] + copies)
            await broker.acknowledge(fresh)
            count, left = count + len(wanted), left + len(others)
            if seen:
                await broker.give_back(seen)
                break
    return count, left


async def _letters(broker: Broker) -> list[Delivery]:
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE
    while loop.time() < until:
        if letters := await broker.fetch(_BATCH, 1.0):
            return letters
    return []


@asynccontextmanager
async def _opened(broker: Broker) -> AsyncIterator[None]:
    # What the clients would print of a connection that broke, the error that is raised says.
    silence = logging.NullHandler()
    logging.getLogger().addHandler(silence)
    try:
        await broker.open()
        try:
            yield
        finally:
            await broker.close()
    except BrokerUnavailableError as cause:
        raise TargetUnavailableError(
            f"the broker cannot be reached: {cause}", path=without_credentials(broker.url)
        ) from cause
    finally:
        logging.getLogger().removeHandler(silence)
