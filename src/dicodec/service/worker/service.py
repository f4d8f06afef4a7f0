"""Run a worker: three loops take messages, settle ended jobs and send heartbeats."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from dicodec.batch.pool.grouping import count_files_for, share_evenly
from dicodec.errors import DicodecError, RequestError, WorkerCrashedError
from dicodec.model.records import dataclass, field, replace
from dicodec.part10.beneath import touch
from dicodec.service.brokers.broker import Broker, Delivery, Outgoing, Queue
from dicodec.service.brokers.connection import Connection
from dicodec.service.jobs.execution import Executor, make_grouping
from dicodec.service.jobs.execution_work import ConversionResult, Task
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.outcomes import describe_attempt, log_attempt, log_unknown_fields
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.store.store import BEATS_PER_LEASE, JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, Job
from dicodec.service.jobs.tracing import TRACEPARENT, Tracing
from dicodec.service.metrics.counting import Counting
from dicodec.service.worker import settlement
from dicodec.service.worker.delivered_job import DeliveredJob
from dicodec.service.worker.settlement import Settlement
from dicodec.service.worker.store_access import AsyncJobStore

_FETCH_SECONDS = 1.0
_AHEAD_SECONDS = 2.0
"""Seconds of work that is taken ahead, because brokers need a moment to deliver more."""

_GATHER_SECONDS = 0.05
"""How long outcomes are gathered, because each costs less the more there are."""

_EVENTS_HELD = 10_000
_TURN_SECONDS = 0.5
_EARLIEST_SENT = 1e9
"""Seconds since 1970 (in 2001): a message that says it is older has made its time up."""

_ENTER_SECONDS, _HURRIED_SECONDS = 10.0, 2.0
"""How long a worker that ends waits until the broker has the outcomes of its jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """Options of a worker.

    Attributes:
        read: turns the body of a message into a request; None for a message that is ignored.
        retries: rules for further attempts after a failure.
        show_paths: whether events have paths of files.
        all_events: whether to send events of acceptance, start and progress too.
        alive_file: path of a file that is touched with each heartbeat; None for none.
    """

    read: Callable[[bytes], Request | None] = Request.from_json
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    show_paths: bool = False
    all_events: bool = True
    alive_file: str | None = None


class WorkerService:
    """A worker at a broker.

    Args:
        broker: delivers the messages; the worker opens and closes it.
        store: the job store; the caller closes it.
        executor: carries out the jobs; the worker closes it.
        log: gets a line for each attempt.
        options: options of the worker.

    Attributes:
        metrics: counts attempts and dead letters; may be set until `run` is called.
        tracing: records attempts; may be set until `run` is called.
    """

    def __init__(
        self, broker: Broker, store: JobStore, executor: Executor, log: Log, options: WorkerOptions
    ) -> None:
        self.broker = broker
        self._connection = Connection(broker, log)
        scheme = broker.url.partition(":")[0]
        system = {"amqp": "rabbitmq", "rediss": "redis", "tls": "nats"}.get(scheme, scheme)
        self._queue_name = f"{system} {broker.names.requests}"
        self._store = AsyncJobStore(store, log)
        self._executor = executor
        self.log = log
        self._options = options
        self.metrics = Counting()
        self.tracing = Tracing()
        self._last_age: tuple[float, float] | None = None
        self._jobs: dict[str, DeliveredJob] = {}
        self._ended: deque[DeliveredJob] = deque()
        self._events: deque[Outgoing] = deque(maxlen=_EVENTS_HELD)
        self._progress: dict[str, tuple[int, int]] = {}
        self._grouping = make_grouping()
        self._stopping = asyncio.Event()
        self._news = asyncio.Event()
        self._room_made = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the broker is connected; any thread may ask."""
        return self._connection.up

    def measure_queue_age(self) -> float:
        """Return for how many seconds messages wait at the broker; any thread may ask.

        It is the age that the message which was taken last had then, and the time since, because
        the next one waits for room here. It is 0 if the broker had no message at last.
        """
        known = self._last_age
        return 0.0 if known is None else known[0] + time.monotonic() - known[1]

    def _note_age(self, deliveries: Sequence[Delivery]) -> None:
        known = [sent for one in deliveries if (sent := one.sent or 0) > _EARLIEST_SENT]
        age = max(0.0, time.time() - min(known)) if known else 0.0
        self._last_age = (age, time.monotonic()) if deliveries else None

    def stop(self) -> None:
        """Take no further messages."""
        self._stopping.set()
        self._room_made.set()

    async def run(self, grace: float, hurry: asyncio.Event) -> None:
        """Work until `stop` is called.

        Args:
            grace: seconds that jobs get to finish after that.
            hurry: set to abandon them at once.

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
            self.log.write("info", "stopping", jobs=len(self._jobs))
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
            self._store.close()
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
        while self._jobs and time.monotonic() < until:
            await asyncio.sleep(0.02)

    # Messages in.

    async def _take(self) -> None:
        while not self._stopping.is_set():
            room = self._count_room()
            if room > 0 and (room >= self._choose_group_size() or not self._jobs):
                deliveries = await self._connection.fetch(room, _FETCH_SECONDS)
                self._note_age(deliveries)
                if deliveries:
                    await self._begin(deliveries)
            else:
                self._room_made.clear()
                await self._room_made.wait()

    def _choose_group_size(self) -> int:
        share = self.broker.options.prefetch // (self._executor.jobs + 1)
        return max(1, min(self._grouping.size, share))

    def _count_room(self) -> int:
        jobs = self._executor.jobs
        wanted = max(
            count_files_for(jobs, self._choose_group_size()),
            jobs * self._grouping.count_files_in(_AHEAD_SECONDS),
        )
        return min(wanted, self.broker.options.prefetch) - len(self._jobs)

    async def _begin(self, deliveries: Sequence[Delivery]) -> None:
        new: dict[str, DeliveredJob] = {}
        for delivery in deliveries:
            try:
                request = self._options.read(delivery.body)
            except DicodecError as error:
                await self._refuse(delivery, error)
                continue
            except Exception as cause:  # a message may come from anybody
                await self._refuse(delivery, _make_unreadable(cause))
                continue
            if request is not None:
                request = request.go_on_with(delivery.headers.get(TRACEPARENT))
            if request is None:
                await self._settle(Settlement(), delivery)
            elif delivered := self._jobs.get(request.id) or new.get(request.id):
                if settlement.is_same_request(request, delivered.request.as_dict()):
                    delivered.deliveries.append(delivery)
                else:
                    await self._refuse(delivery, _make_other_request())
            else:
                new[request.id] = DeliveredJob(request, [delivery])
                log_unknown_fields(self.log, request)
        begun = []
        for delivered, (job, ours) in await self._enter_new([*new.values()]):
            if ours:
                delivered.job = job
                self._jobs[job.id] = delivered
                begun.append(delivered)
            else:
                for delivery in delivered.deliveries:
                    await self._settle_known(delivery, delivered.request, job)
        self._submit([delivered for delivered in begun if not self._cut_short(delivered)])

    async def _enter_new(
        self, new: Sequence[DeliveredJob]
    ) -> list[tuple[DeliveredJob, tuple[Job, bool]]]:
        """Enter requests in the store; those that it cannot hold are refused, one by one."""
        try:
            taken = await self._store.take([(one.request, one.anew) for one in new])
        except Exception as cause:  # a value that SQLite cannot hold, for example
            if len(new) > 1:
                return [row for one in new for row in await self._enter_new([one])]
            for delivery in new[0].deliveries:
                await self._refuse(delivery, _make_unreadable(cause))
            return []
        return [*zip(new, taken, strict=True)]

    def _submit(self, jobs: Sequence[DeliveredJob]) -> None:
        jobs = sorted(jobs, key=lambda one: -one.request.priority)
        size = share_evenly(len(jobs), self._executor.jobs, self._choose_group_size())
        for start in range(0, len(jobs), size):
            group = jobs[start : start + size]
            for delivered in group:
                span = self.tracing.begin_attempt(
                    delivered.request, delivered.attempt, self._queue_name
                )
                delivered.span = span
                delivered.request = delivered.request.go_on_with(span.traceparent)
            futures = self._executor.submit_group(
                [self._make_task(one) for one in group],
                [partial(self._hear_progress, one.request.id) for one in group],
            )
            for delivered, future in zip(group, futures, strict=True):
                delivered.future = future
                self._add_event(delivered, EventKind.ACCEPTED)
                self._add_event(delivered, EventKind.STARTED)
                future.add_done_callback(
                    partial(self._note_end, asyncio.get_running_loop(), delivered)
                )

    def _make_task(self, delivered: DeliveredJob) -> Task:
        assert delivered.job is not None
        fence = self._store.make_fence(delivered.job)
        return Task(delivered.request, delivered.began, fence)

    def _cut_short(self, delivered: DeliveredJob) -> bool:
        """Whether a job has ended too many workers, and so ends with an error."""
        count = delivered.cut_short
        if count <= settlement.CUT_SHORT:
            return False
        delivered.future = Future()
        delivered.future.set_exception(WorkerCrashedError(f"it was cut short {count} times"))
        self._ended.append(delivered)
        self._news.set()
        return True

    async def _refuse(self, delivery: Delivery, error: DicodecError) -> None:
        self.log.write("error", "not a request", code=error.code, message=error.message)
        await self._settle(
            settlement.settle_unreadable(delivery, error, self.broker.consumer), delivery
        )

    async def _settle_known(self, delivery: Delivery, request: Request, job: Job) -> None:
        if not settlement.is_same_request(request, json.loads(job.request)):
            await self._refuse(delivery, _make_other_request())
            return
        self.log.write("info", "known already", job=job.id, trace=job.trace, state=str(job.state))
        await self._settle(
            settlement.settle_known(delivery, job, self._store.lease, self.broker.consumer),
            delivery,
        )

    async def _settle(self, settled: Settlement, delivery: Delivery) -> None:
        await self._connection.deliver(settled.messages, [delivery])
        self._count_dead(settled.messages)

    def _count_dead(self, sent: Sequence[Outgoing]) -> None:
        for one in sent:
            if one.queue is Queue.DEAD:
                self.metrics.count_dead_letter(one.headers.get(settlement.ERROR, ""))

    # Outcomes.

    def _hear_progress(self, job: str, done: int, frames: int) -> None:
        self._progress[job] = done, frames

    def _note_end(
        self, loop: asyncio.AbstractEventLoop, delivered: DeliveredJob, _: Future[ConversionResult]
    ) -> None:
        """Take note, in the executor's thread, that a job has ended."""
        delivered.span.note_end()
        self._ended.append(delivered)
        loop.call_soon_threadsafe(self._news.set)

    async def _settle_all(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._news.clear()
            if self._executor.fault is not None:
                self.stop()
            await self._enter([self._ended.popleft() for _ in range(len(self._ended))])

    async def _enter(self, taken: Sequence[DeliveredJob]) -> None:
        """Enter the outcomes of jobs, send their events, and acknowledge their messages."""
        outcomes = {delivered.request.id: self._describe(delivered) for delivered in taken}
        known = [outcome for outcome in outcomes.values() if outcome is not None]
        lost = await self._store.end(
            known, [job for job, outcome in outcomes.items() if outcome is None]
        )
        copies: list[Outgoing] = [self._events.popleft() for _ in range(len(self._events))]
        done: list[Delivery] = []
        back: list[Delivery] = []
        for delivered in taken:
            outcome = outcomes[delivered.request.id]
            if outcome is None:
                delivered.span.end("given back", cause=None, report={})
                back += delivered.deliveries
                continue
            if (job := lost.get(delivered.request.id)) is not None:
                delivered.span.end("lost", cause=None, report={})
                copies += self._settle_lost(delivered, job).messages
                done += delivered.deliveries
                continue
            log_attempt(
                self.log,
                outcome,
                attempt=delivered.attempt,
                trace=delivered.request.trace_id,
                file=delivered.request.source,
            )
            self.metrics.count_attempt(outcome, delivered.report)
            delivered.span.end(
                str(outcome.state), cause=outcome.error_code, report=delivered.report
            )
            settled = settlement.settle_ended(delivered.latest, outcome, self.broker.consumer)
            # A message that cannot be acknowledged any more is delivered again.
            gone = not self.broker.remembers and delivered.latest.session != self.broker.session
            copies += settled.events if gone else settled.messages
            done += delivered.deliveries
        if copies or done or back:
            await self._connection.deliver(copies, done, back)
            self._count_dead(copies)
        late: list[Delivery] = []
        for delivered in taken:
            del self._jobs[delivered.request.id]
            self._progress.pop(delivered.request.id, None)
            late += [one for one in delivered.deliveries if one not in done and one not in back]
        self._room_made.set()
        if late:  # they came while the jobs were settled
            await self._begin(late)

    def _settle_lost(self, delivered: DeliveredJob, job: Job) -> Settlement:
        """Settle a job that another worker took while this one stood still: as that one did."""
        self.log.write("warning", "another worker has the job", job=job.id, state=str(job.state))
        latest, lease = delivered.latest, self._store.lease
        return settlement.settle_known(latest, job, lease, self.broker.consumer)

    def _describe(self, job: DeliveredJob) -> AttemptOutcome | None:
        """Describe how a job's attempt ended; None if it was returned without a result."""
        came = job.read_result(self._executor.fault)
        if came is None and not job.cancelling:
            return None
        outcome = describe_attempt(
            job.request,
            job.attempt,
            came,
            self._options.retries,
            show_paths=self._options.show_paths,
        )
        self._grouping.add_time(outcome.seconds)
        return replace(outcome, attempts=None if job.job is None else job.job.attempts)

    # Heartbeats.

    async def _beat(self) -> None:
        silence = min(self.broker.options.silence, self._store.lease) / BEATS_PER_LEASE
        last = 0.0
        while True:
            await asyncio.sleep(min(_TURN_SECONDS, silence))
            self._report_progress()
            if self._events or self._executor.fault is not None:
                self._news.set()
            if time.monotonic() - last < silence:
                continue
            last = time.monotonic()
            if self._jobs:
                for job in await self._store.beat():
                    self._give_up(job)
            every = [one for delivered in self._jobs.values() for one in delivered.deliveries]
            await self._connection.beat(every)
            if self._options.alive_file is not None:
                await self._show_life(self._options.alive_file)

    async def _show_life(self, path: str) -> None:
        try:
            await asyncio.to_thread(touch, path)
        except OSError as cause:
            self.log.write("error", "the alive file cannot be touched", message=cause.strerror)

    def _give_up(self, job: str) -> None:
        delivered = self._jobs.get(job)
        if delivered is not None and delivered.future is not None and not delivered.cancelling:
            delivered.cancelling = True
            self._executor.give_up(delivered.future)

    def _report_progress(self) -> None:
        for job in [*self._progress]:
            done, frames = self._progress.pop(job)
            if (delivered := self._jobs.get(job)) is not None and frames > 1:
                self._add_event(delivered, EventKind.PROGRESS, frames_done=done, frames=frames)

    def _add_event(self, delivered: DeliveredJob, kind: EventKind, **values: int) -> None:
        if self._options.all_events:
            event = Event.of(delivered.request, kind, attempt=delivered.attempt, **values)
            self._events.append(settlement.make_event_message(event))


def _make_other_request() -> RequestError:
    return RequestError("the id is that of another request")


def _make_unreadable(cause: Exception) -> RequestError:
    return RequestError(f"the message cannot be read as a request: {type(cause).__name__}")
