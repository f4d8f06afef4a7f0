"""The worker's loops: one takes messages, one settles what has ended, one gives signs of life."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from dicodec.errors import DicodecError, RequestError, WorkerCrashedError
from dicodec.service.brokers.broker import Broker, Delivery, Outgoing
from dicodec.service.brokers.connection import Connection
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.execution_work import Done, Task
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.outcomes import cancelled, failure, success
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import Ending, Job, JobState
from dicodec.service.worker import settlement
from dicodec.service.worker.jobs_in_hand import Flight
from dicodec.service.worker.options import Conduct
from dicodec.service.worker.settlement import Settlement
from dicodec.service.worker.store_access import JobBook

_FETCH_SECONDS = 1.0
_GROUP_SECONDS, _GROUP_JOBS = 0.2, 32
"""What a group should take at most; each job costs less the larger its group."""

_AHEAD_SECONDS = 2.0
"""Work that is taken ahead, as brokers need a moment for more, and some need several."""

_GATHER_SECONDS = 0.05
"""For which outcomes are gathered: each costs less the more there are."""

_EVENTS_HELD = 10_000
_TURN_SECONDS = 0.5
_BEATS = 4
"""Signs of life in the time after which a job is taken from one that gives none."""

_ENTER_SECONDS, _HURRIED_SECONDS = 10.0, 2.0
"""How long a worker that ends waits until the broker has heard what its jobs came to."""


class WorkerService:
    """A worker at a broker.

    Args:
        broker: where messages come from; opened and closed here.
        store: of jobs; closed by the caller.
        executor: that carries them out; closed here.
        log: that each attempt is written to.
        conduct: see Conduct.
    """

    def __init__(
        self, broker: Broker, store: JobStore, executor: Executor, log: Log, conduct: Conduct
    ) -> None:
        self._broker = broker
        self._connection = Connection(broker, log)
        self._book = JobBook(store, log)
        self._executor = executor
        self._log = log
        self._conduct = conduct
        self._flights: dict[str, Flight] = {}
        self._ended: deque[Flight] = deque()
        self._events: deque[Outgoing] = deque(maxlen=_EVENTS_HELD)
        self._progress: dict[str, tuple[int, int]] = {}
        self._seconds_each = _GROUP_SECONDS
        self._stopping = asyncio.Event()
        self._news = asyncio.Event()
        self._room_made = asyncio.Event()

    def stop(self) -> None:
        """Take nothing more."""
        self._stopping.set()
        self._room_made.set()

    async def run(self, grace: float, hurry: asyncio.Event) -> None:
        """Work until `stop` is called.

        Args:
            grace: seconds that jobs get to finish then.
            hurry: once it is set they get none.

        Raises:
            InternalError: processes cannot be started.
        """
        loops: list[asyncio.Task[None]] = [
            asyncio.create_task(one())
            for one in (self._connection.keep, self._take, self._settle_all, self._beat)
        ]
        stopping: asyncio.Task[bool] = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([*loops, stopping], return_when="FIRST_COMPLETED")
            self.stop()
            self._log.write("info", "stopping", jobs=len(self._flights))
            await self._drain(grace, hurry)
            for one in loops:
                if one.done():
                    one.result()
        finally:
            stopping.cancel()
            for one in loops:
                one.cancel()
            await asyncio.gather(*loops, stopping, return_exceptions=True)
            await self._connection.close()
            self._book.close()
        if self._executor.fault is not None:
            raise self._executor.fault

    async def _drain(self, grace: float, hurry: asyncio.Event) -> None:
        closing = asyncio.create_task(asyncio.to_thread(self._executor.close, grace))
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait([closing, hurried], return_when="FIRST_COMPLETED")
        if not closing.done():
            await asyncio.to_thread(self._executor.close, 0)
        await closing
        until = time.monotonic() + (_HURRIED_SECONDS if hurried.done() else _ENTER_SECONDS)
        hurried.cancel()
        while self._flights and time.monotonic() < until:
            await asyncio.sleep(0.02)

    # Messages in.

    async def _take(self) -> None:
        while not self._stopping.is_set():
            room = self._room()
            if room > 0 and (room >= self._group() or not self._flights):
                deliveries = await self._connection.fetch(room, _FETCH_SECONDS)
                if deliveries:
                    await self._begin(deliveries)
            else:
                self._room_made.clear()
                await self._room_made.wait()

    def _group(self) -> int:
        share = self._broker.how.prefetch // (self._executor.jobs + 1)
        count = int(_GROUP_SECONDS / max(self._seconds_each, 1e-6))
        return max(1, min(count, share, _GROUP_JOBS))

    def _room(self) -> int:
        # A group for each process, and one that waits, so that none is ever without.
        groups = (self._executor.jobs + 1) * self._group()
        ahead = self._executor.jobs * int(_AHEAD_SECONDS / max(self._seconds_each, 1e-6))
        return min(max(groups, ahead), self._broker.how.prefetch) - len(self._flights)

    async def _begin(self, deliveries: Sequence[Delivery]) -> None:
        new: dict[str, Flight] = {}
        for delivery in deliveries:
            try:
                request = self._conduct.read(delivery.body)
            except DicodecError as error:
                await self._refuse(delivery, error)
                continue
            if request is None:
                await self._settle(Settlement(), delivery)
            elif flight := self._flights.get(request.id) or new.get(request.id):
                flight.deliveries.append(delivery)
            else:
                new[request.id] = Flight(request, [delivery])
        taken = await self._book.take([(flight.request, flight.anew) for flight in new.values()])
        begun = []
        for flight, (job, ours) in zip(new.values(), taken, strict=True):
            if ours:
                flight.job = job
                self._flights[job.id] = flight
                begun.append(flight)
            else:
                for delivery in flight.deliveries:
                    await self._settle_known(delivery, flight.request, job)
        self._submit([flight for flight in begun if not self._cut_short(flight)])

    def _submit(self, flights: Sequence[Flight]) -> None:
        flights = sorted(flights, key=lambda one: -one.request.priority)
        size = max(1, min(self._group(), -(-len(flights) // self._executor.jobs)))
        for start in range(0, len(flights), size):
            group = flights[start : start + size]
            futures = self._executor.submit_group(
                [Task(one.request, one.began) for one in group],
                [partial(self._hear_progress, one.request.id) for one in group],
            )
            for flight, future in zip(group, futures, strict=True):
                flight.future = future
                self._tell(flight, EventKind.ACCEPTED)
                self._tell(flight, EventKind.STARTED)
                future.add_done_callback(partial(self._over, asyncio.get_running_loop(), flight))

    def _cut_short(self, flight: Flight) -> bool:
        """Whether a job has ended too many workers, and is over by that."""
        count = flight.cut_short
        if count <= settlement.CUT_SHORT:
            return False
        flight.future = Future()
        flight.future.set_exception(WorkerCrashedError(f"it was cut short {count} times"))
        self._ended.append(flight)
        self._news.set()
        return True

    async def _refuse(self, delivery: Delivery, error: DicodecError) -> None:
        self._log.write("error", "not a request", code=error.code, message=error.message)
        await self._settle(settlement.unreadable(delivery, error, self._broker.consumer), delivery)

    async def _settle_known(self, delivery: Delivery, request: Request, job: Job) -> None:
        if not settlement.same_request(request, job):
            await self._refuse(delivery, RequestError("the id is that of another request"))
            return
        self._log.write("info", "known already", job=job.id, trace=job.trace, state=str(job.state))
        await self._settle(
            settlement.known(delivery, job, self._book.lease, self._broker.consumer), delivery
        )

    async def _settle(self, settled: Settlement, delivery: Delivery) -> None:
        await self._connection.deliver(settled.messages, [delivery])

    # Outcomes.

    def _hear_progress(self, job: str, done: int, frames: int) -> None:
        self._progress[job] = done, frames

    def _over(self, loop: asyncio.AbstractEventLoop, flight: Flight, _: Future[Done]) -> None:
        """Hear, in the executor's thread, that a job has ended."""
        self._ended.append(flight)
        loop.call_soon_threadsafe(self._news.set)

    async def _settle_all(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._news.clear()
            if self._executor.fault is not None:
                self.stop()
            await self._enter([self._ended.popleft() for _ in range(len(self._ended))])

    async def _enter(self, taken: Sequence[Flight]) -> None:
        """Enter what jobs came to, tell it, and acknowledge what asked for them."""
        endings = {flight.request.id: self._ending(flight) for flight in taken}
        known = [ending for ending in endings.values() if ending is not None]
        await self._book.end(known, [job for job, ending in endings.items() if ending is None])
        copies: list[Outgoing] = [self._events.popleft() for _ in range(len(self._events))]
        done: list[Delivery] = []
        back: list[Delivery] = []
        for flight in taken:
            ending = endings[flight.request.id]
            if ending is None:
                back += flight.deliveries
                continue
            self._write(flight, ending)
            settled = settlement.ended(flight.latest, ending, self._broker.consumer)
            # What cannot be acknowledged any more comes again by itself.
            gone = not self._broker.remembers and flight.latest.session != self._broker.session
            copies += settled.events if gone else settled.messages
            done += flight.deliveries
        if copies or done or back:
            await self._connection.deliver(copies, done, back)
        late: list[Delivery] = []
        for flight in taken:
            del self._flights[flight.request.id]
            self._progress.pop(flight.request.id, None)
            late += [one for one in flight.deliveries if one not in done and one not in back]
        self._room_made.set()
        if late:  # they came while this was settled
            await self._begin(late)

    def _ending(self, flight: Flight) -> Ending | None:
        """Return how a job's attempt ends; None where it was returned undone."""
        outcome = flight.outcome(self._executor.fault)
        attempt, show = flight.attempt, self._conduct.show_paths
        if outcome is None:
            return cancelled(flight.request, attempt) if flight.cancelling else None
        if isinstance(outcome, DicodecError):
            retries = self._conduct.retries
            return failure(flight.request, attempt, outcome, retries, show_paths=show)
        ending = success(flight.request, attempt, outcome, show_paths=show)
        if ending.seconds is not None:
            self._seconds_each += 0.1 * (ending.seconds - self._seconds_each)
        return ending

    # Signs of life.

    async def _beat(self) -> None:
        silence = min(self._broker.how.silence, self._book.lease) / _BEATS
        told = 0.0
        while True:
            await asyncio.sleep(min(_TURN_SECONDS, silence))
            self._tell_progress()
            if self._events or self._executor.fault is not None:
                self._news.set()
            if time.monotonic() - told < silence:
                continue
            told = time.monotonic()
            if self._flights:
                for job in await self._book.beat():
                    self._give_up(job)
            every = [one for flight in self._flights.values() for one in flight.deliveries]
            await self._connection.beat(every)
            if self._conduct.alive_file is not None:
                await asyncio.to_thread(Path(self._conduct.alive_file).touch)

    def _give_up(self, job: str) -> None:
        flight = self._flights.get(job)
        if flight is not None and flight.future is not None and not flight.cancelling:
            flight.cancelling = True
            self._executor.give_up(flight.future)

    def _tell_progress(self) -> None:
        for job in [*self._progress]:
            done, frames = self._progress.pop(job)
            if (flight := self._flights.get(job)) is not None and frames > 1:
                self._tell(flight, EventKind.PROGRESS, frames_done=done, frames=frames)

    def _tell(self, flight: Flight, kind: EventKind, **values: int) -> None:
        if self._conduct.all_events:
            event = Event.of(flight.request, kind, attempt=flight.attempt, **values)
            self._events.append(settlement.told(event))

    def _write(self, flight: Flight, ending: Ending) -> None:
        levels = {JobState.PENDING: "warning", JobState.DEAD: "error"}
        self._log.write(
            levels.get(ending.state, "info"),
            "will be tried again" if ending.state is JobState.PENDING else str(ending.state),
            job=flight.request.id,
            trace=flight.request.trace_id,
            file=flight.request.source,
            attempt=flight.attempt,
            action=ending.action,
            code=ending.error_code,
            message=ending.error_text,
            seconds=ending.seconds,
        )
