"""Send requests to a broker, and send dead letters back, without a worker."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import batched

from dicodec.errors import TargetUnavailableError
from dicodec.model.records import replace
from dicodec.service.brokers.broker import (
    Broker,
    BrokerOptions,
    BrokerUnavailableError,
    Delivery,
    Outgoing,
    Queue,
)
from dicodec.service.brokers.connecting import hide_credentials, make_broker
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.tracing import TRACEPARENT
from dicodec.service.worker import settlement

_BATCH = 200
"""Messages that are sent or fetched at once."""

_SILENCE = 6.0
"""Silence of a consumer of dead letters; some brokers make it wait for a part of that."""

_PATIENCE = 3.0
"""Seconds without a dead letter after which there are no more."""


def make_queues(url: str, options: BrokerOptions) -> None:
    """Make the missing queues of a broker.

    Raises:
        InvalidOptionError: the URL names no broker, or its client is not installed.
        TargetUnavailableError: the broker cannot be reached.
    """
    asyncio.run(_make_queues(make_broker(url, replace(options, source=None))))


def send_requests(
    url: str, options: BrokerOptions, requests: Iterable[Request], report: Callable[[int], None]
) -> int:
    """Send requests to a broker; memory does not grow with them.

    Args:
        url: URL of the broker.
        options: names of its queues.
        requests: the requests; they are read as they are sent.
        report: called now and then with the number of sent requests.

    Returns:
        Number of sent requests; the broker has them all.

    Raises:
        InvalidOptionError: the URL names no broker, or its client is not installed.
        TargetUnavailableError: the broker cannot be reached, or was lost on the way.
    """
    return asyncio.run(
        _send_requests(make_broker(url, replace(options, source=None)), requests, report)
    )


def send_dead_back(
    url: str, options: BrokerOptions, *, cause: str | None = None
) -> tuple[int, int]:
    """Send dead letters back as requests; they keep their history.

    Args:
        url: URL of the broker.
        options: names of its queues.
        cause: error code of the letters to send back; None for all.

    Returns:
        Numbers of letters that were sent back, and that were left.

    Raises:
        InvalidOptionError: the URL names no broker, or its client is not installed.
        TargetUnavailableError: the broker cannot be reached, or the connection was lost on the
            way; letters sent back before that stay so.
    """
    dead = replace(
        options, source=Queue.DEAD, group=f"{options.group}-dead", prefetch=_BATCH, silence=_SILENCE
    )
    return asyncio.run(_send_dead_back(make_broker(url, dead), cause))


async def _make_queues(broker: Broker) -> None:
    async with _open(broker):
        pass


async def _send_requests(
    broker: Broker, requests: Iterable[Request], report: Callable[[int], None]
) -> int:
    count = 0
    async with _open(broker):
        for batch in batched(requests, _BATCH):
            await broker.send([_make_message(one) for one in batch])
            count += len(batch)
            report(count)
    return count


def _make_message(request: Request) -> Outgoing:
    headers = {} if request.parent is None else {TRACEPARENT: request.parent}
    return Outgoing(Queue.REQUESTS, request.to_json().encode(), headers, request.id)


async def _send_dead_back(broker: Broker, cause: str | None) -> tuple[int, int]:
    turn = secrets.token_hex(4)
    count = left = 0
    async with _open(broker):
        while letters := await _fetch_letters(broker):
            seen = [one for one in letters if settlement.is_seen(one, turn)]
            fresh = [one for one in letters if not settlement.is_seen(one, turn)]
            wanted = [one for one in fresh if cause in {None, one.headers.get(settlement.ERROR)}]
            others = [one for one in fresh if one not in wanted]
            # Letters that stay go to the end of the queue, marked; the first marked one ends this,
            # and so does one that a worker has buried again meanwhile.
            copies = [settlement.mark_seen(one, turn) for one in others]
            await broker.send([settlement.make_request_again(one, turn) for one in wanted] + copies)
            await broker.acknowledge(fresh)
            count, left = count + len(wanted), left + len(others)
            if seen:
                await broker.give_back(seen)
                break
    return count, left


async def _fetch_letters(broker: Broker) -> list[Delivery]:
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE
    while loop.time() < until:
        if letters := await broker.fetch(_BATCH, 1.0):
            return letters
    return []


@asynccontextmanager
async def _open(broker: Broker) -> AsyncIterator[None]:
    # The raised error says all that the clients would print about a broken connection.
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
            f"the broker cannot be reached: {cause}", path=hide_credentials(broker.url)
        ) from cause
    finally:
        logging.getLogger().removeHandler(silence)
