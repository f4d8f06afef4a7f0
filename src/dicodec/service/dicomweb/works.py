"""Have the pool work for requests: await its results, and abandon what nobody waits for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Any

from starlette.requests import Request

from dicodec.batch.pool.messages import Work
from dicodec.service.jobs.execution import Executor
from dicodec.service.web.error_answers import Refusal

_DISCONNECT_SECONDS = 0.5
_AHEAD = 3
"""Works of one answer that are begun at once."""


class Works:
    """The works of one application.

    Args:
        executor: its pool.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def carry_out(self, work: Work, item: Any) -> Any:
        """Do a short work, which goes on if nobody waits any more.

        Raises:
            DicodecError: it failed.
            Refusal: the program is ending.
        """
        return await self._wait(self._submit(work, item))

    async def carry_out_unless_gone(self, work: Work, item: Any, request: Request) -> Any:
        """Do a long work, which is abandoned if the client disconnects.

        Raises:
            DicodecError: it failed.
            Refusal: the program is ending, or the client has gone.
        """
        future = self._submit(work, item)
        waiting = asyncio.ensure_future(self._wait(future))
        try:
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=_DISCONNECT_SECONDS)
                if not waiting.done() and await request.is_disconnected():
                    raise Refusal(503, "the client has gone")
        except BaseException:
            self._executor.give_up(future)
            waiting.cancel()
            raise
        return waiting.result()

    async def carry_out_in_order(self, work: Work, items: Sequence[Any]) -> AsyncGenerator[Any]:
        """Do short works, some of them ahead, and yield their results in order; see `carry_out`.

        What was begun ahead goes on if nobody wants it any more.
        """
        waiting: deque[Future[Any]] = deque()
        left = iter(items)
        while True:
            for item in islice(left, _AHEAD - len(waiting)):
                waiting.append(self._submit(work, item))
            if not waiting:
                return
            yield await self._wait(waiting.popleft())

    def _submit(self, work: Work, item: Any) -> Future[Any]:
        return self._executor.run(work, None, [item], [None])[0]

    async def _wait(self, future: Future[Any]) -> Any:
        waiting = asyncio.wrap_future(future)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if waiting.cancelled():
                raise Refusal(503, "the service is ending", headers={"Retry-After": "5"}) from None
            raise
