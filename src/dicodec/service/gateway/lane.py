"""A lane: the deliveries to one peer, apart from all others, so that a dead peer stops nobody."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache

from dicodec.batch.policy.policy import Policy, load_policy
from dicodec.batch.pool.messages import WorkOfModule
from dicodec.errors import (
    DicodecError,
    InternalError,
    PeerRefusedError,
    PeerUnavailableError,
    WorkerCrashedError,
)
from dicodec.model.records import dataclass, replace
from dicodec.model.wording import describe_fault, leave_words_out
from dicodec.service.gateway.config import DimseAddress, Peer
from dicodec.service.gateway.conversion import ConversionTask
from dicodec.service.gateway.offers import Offer, make_offer, read_reference
from dicodec.service.gateway.sender import (
    PeerDownError,
    Sender,
    SyntaxRefusedError,
)
from dicodec.service.gateway.sender_choice import make_sender
from dicodec.service.gateway.spool import Spool
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.execution_work import ConversionResult
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.outcomes import describe_attempt, log_attempt
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.store.store import BEATS_PER_LEASE, JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, Job, JobState

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.service.gateway.commitment_asking import CommitmentAsker

    type Reference = tuple[str, str]

_CONVERT = WorkOfModule("dicodec.service.gateway.conversion", "convert_for_peer")

_PAUSE_SECONDS = 1.0
"""How long a lane waits after an error of the store, which may pass."""

_ASKING_SECONDS = 0.2
"""How often a lane looks for answers about storage commitment."""

_MOST_DONE_AT_ONCE = 256

type ReportDelivery = Callable[[str, AttemptOutcome, Mapping[str, Any]], None]
"""Called for each attempt that ended: the peer's name, the outcome, and the report."""


@dataclass(frozen=True, slots=True)
class LaneState:
    """Whether a peer can be reached.

    Attributes:
        failures: failed associations in a row; 0 if it can.
        cause: why not; "" if it can.
        since: since when, in seconds since 1970.
        next_try: when it is tried again, in seconds since 1970.
    """

    failures: int = 0
    cause: str = ""
    since: float = 0.0
    next_try: float = 0.0


class Lane:
    """The threads that bring objects to one peer.

    Args:
        peer: the peer.
        title: our AE title.
        spool: the spool.
        store: its job store, which claims this peer's jobs alone; the caller closes it.
        executor: converts objects.
        retries: rules for further attempts after a failure.
        log: gets a line for each attempt.
        report: see `ReportDelivery`.

    Attributes:
        state: whether the peer can be reached.
    """

    def __init__(
        self,
        peer: Peer,
        title: str,
        spool: Spool,
        store: JobStore,
        executor: Executor,
        retries: RetryPolicy,
        log: Log,
        report: ReportDelivery,
    ) -> None:
        self.peer = peer
        self.state = LaneState()
        self._title = title
        self._spool = spool
        self._store = store
        self._executor = executor
        self._retries = retries
        self._log = log
        self._report = report
        self._claimed: deque[Job] = deque()
        self._ended: deque[tuple[Job, Request, ConversionResult | DicodecError]] = deque()
        self._claiming = threading.Lock()
        self._has_ended = threading.Event()
        self._stopping = threading.Event()
        self._wake = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"dicodec-{peer.name}-{number}", daemon=True)
            for number in range(peer.associations)
        ]
        self._asker = _make_asker(peer, title, spool, log)
        if self._asker is not None:
            self._threads.append(
                threading.Thread(target=self._ask, args=(self._asker,), daemon=True)
            )
        self._keeper = threading.Thread(target=self._keep, name=f"dicodec-{peer.name}", daemon=True)

    def start(self) -> None:
        """Start the threads; jobs of a process that was killed are due again."""
        self._store.reclaim()
        self._store.listen(self.look)
        for thread in (*self._threads, self._keeper):
            thread.start()

    def look(self) -> None:
        """Look for jobs now, because some were added."""
        with self._wake:
            self._wake.notify_all()

    def ask_to_stop(self) -> None:
        """Take no further job; deliveries that run go on."""
        self._stopping.set()
        self.look()

    def stop(self, until: float) -> None:
        """Wait for deliveries that run, and enter their outcomes.

        Args:
            until: time, by `time.monotonic`, after which they are abandoned.
        """
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._has_ended.set()
        self._keeper.join(max(1.0, until - time.monotonic()))
        with suppress(DicodecError):
            self._enter_ended()

    # Taking jobs.

    def _work(self) -> None:
        sender = make_sender(self.peer, self._title)
        idle_since = time.monotonic()
        try:
            while not self._stopping.is_set():
                job = self._take()
                if job is not None:
                    self._deliver(job, sender)
                    idle_since = time.monotonic()
                    continue
                if sender.open and time.monotonic() - idle_since > self.peer.linger:
                    sender.close()
                with self._wake:
                    self._wake.wait(self._store.poll_seconds)
        finally:
            sender.close()

    def _take(self) -> Job | None:
        """Return a job to deliver; None if there is none, or the peer is not to be tried now."""
        with self._claiming:
            down = self.state.failures > 0
            if down and time.time() < self.state.next_try:
                return None
            try:
                if not self._claimed:
                    self._claimed.extend(self._store.claim(1 if down else self.peer.associations))
            except DicodecError as error:
                self._log_store_error(error)
                time.sleep(_PAUSE_SECONDS)
                return None
            if not self._claimed:
                return None
            if down:  # one association tries; the others wait for what comes of it
                self.state = replace(self.state, next_try=time.time() + self.peer.timeout)
            return self._claimed.popleft()

    # Delivering.

    def _deliver(self, job: Job, sender: Sender) -> None:
        request = Request(id=job.id, source=job.source)
        came: ConversionResult | DicodecError
        try:
            request = Request.from_json(job.request)
            if job.attempts > self._retries.attempts:
                raise WorkerCrashedError(f"it was cut short {job.attempts - 1} times")
            asker = self._asker
            reference = None if asker is None else asker.find_sent(job.id)
            if reference is None:
                came, reference = self._forward(job, request, sender)
                self._note_answer(None)
            else:  # the gateway was killed while it waited for the peer's storage commitment
                came = ConversionResult({"action": "sent before"}, None)
            if asker is not None:
                asker.add(job, request, came, reference)
                return
        except PeerDownError as error:
            self._note_failure(error)
            self._give_back(job)
            return
        except DicodecError as error:
            came = error
            self._note_answer(error)
        except Exception as cause:
            came = InternalError(describe_fault(cause))
        self._ended.append((job, request, came))
        self._has_ended.set()

    def _forward(
        self, job: Job, request: Request, sender: Sender
    ) -> tuple[ConversionResult, Reference]:
        """Bring an object to the peer, and return what it got.

        Raises:
            PeerDownError: the peer does not take associations.
            DicodecError: the object cannot be delivered.
        """
        started = time.monotonic()
        path = str(self._spool.find_object(job.id))
        policy = None if request.policy is None else _load_policy(request.policy)
        offer = make_offer(path, self.peer, policy)
        while True:
            try:
                report, warning, reference = self._send(job.id, path, offer, sender)
                break
            except SyntaxRefusedError:  # the sender does not offer it again
                continue
        size = os.stat(path).st_size  # noqa: PTH116 - it is hot
        described: dict[str, Any] = {
            "action": "sent as it is",
            "source_syntax": offer.stored.name,
            "target_syntax": offer.stored.name,
            "source_size": size,
            "target_size": size,
            **(report or {}),
            "seconds": {**(report or {}).get("seconds", {}), "total": time.monotonic() - started},
        }
        for name in ("source", "target"):
            described.pop(name, None)
        if warning:
            described["warnings"] = [*described.get("warnings", []), warning]
        return ConversionResult(described, None), reference

    def _send(
        self, job: str, path: str, offer: Offer, sender: Sender
    ) -> tuple[dict[str, Any] | None, str, Reference]:
        """Convert an object as the peer's acceptance asks, and send it.

        Returns:
            The report of the conversion, None if there was none, the peer's warning, and the UIDs
            of what it got.
        """
        choice = offer.choose(self._negotiate(sender, offer))
        result = self._spool.find_result(job)
        report = None
        try:
            if choice.to:
                report = self._convert(
                    ConversionTask(
                        source=path,
                        target=str(result),
                        options=offer.options,
                        to=choice.to,
                        otherwise=choice.otherwise,
                        kept=choice.kept,
                    )
                )
            sent = path if report is None else str(result)
            used, reference = sender.used, read_reference(sent)
            try:
                self._negotiate(sender, offer)
                return report, sender.send(sent), reference
            except PeerUnavailableError as error:
                if not used or sender.open or isinstance(error, PeerDownError):
                    raise
                self._negotiate(sender, offer)  # the peer had ended an idle one
                return report, sender.send(sent), reference
        finally:
            if choice.to:
                result.unlink(missing_ok=True)

    def _negotiate(self, sender: Sender, offer: Offer) -> set[str]:
        return sender.negotiate(offer.sop_class, [syntax.uid for syntax in offer.order])

    def _convert(self, task: ConversionTask) -> dict[str, Any] | None:
        (future,) = self._executor.run(_CONVERT, None, [task], [None])
        report: dict[str, Any] | None = future.result()
        return report

    def _ask(self, asker: CommitmentAsker) -> None:
        """Ask the peer to commit to the storage of what it got, until this lane stops."""
        while not self._stopping.is_set():
            try:
                settled = asker.turn()
            except Exception as cause:  # such as a full disk: it may pass
                self._log.write("error", "storage commitment", message=describe_fault(cause))
                settled = []
            self._ended.extend(settled)
            if settled:
                self._has_ended.set()
            self._stopping.wait(_ASKING_SECONDS)
        asker.stop()

    # Ending.

    def _note_failure(self, error: PeerDownError) -> None:
        """Leave the peer alone for a while, because it takes no associations."""
        with self._claiming:
            now = time.time()
            failures = self.state.failures + 1
            pause = max(self._retries.delay(failures), error.retry_after)
            self.state = LaneState(failures, error.message, self.state.since or now, now + pause)
            self._give_back(*self._claimed)
            self._claimed.clear()
        self._log.write(
            "warning",
            "peer is down",
            peer=self.peer.name,
            message=error.message,
            retry_after=round(pause, 1),
        )

    def _note_answer(self, error: DicodecError | None) -> None:
        """Note that the peer answered, if it was down; another job may try it if it was not asked.

        Args:
            error: why the object was not delivered; None if it was.
        """
        with self._claiming:
            if not self.state.failures:
                return
            asked = error is None or isinstance(error, PeerRefusedError | PeerUnavailableError)
            self.state = LaneState() if asked else replace(self.state, next_try=0.0)
        if asked:
            self._log.write("info", "peer answers again", peer=self.peer.name)
        self.look()

    def _give_back(self, *jobs: Job) -> None:
        try:
            if jobs:
                self._store.give_back(job.id for job in jobs)
        except DicodecError as error:  # their leases end
            self._log_store_error(error)

    def _keep(self) -> None:
        """Renew the leases of jobs, and enter outcomes, until all threads have ended."""
        beat = time.monotonic()
        while any(thread.is_alive() for thread in self._threads) or self._ended:
            self._has_ended.wait(0.2)
            self._has_ended.clear()
            try:
                if time.monotonic() - beat > self._store.lease / BEATS_PER_LEASE:
                    beat = time.monotonic()
                    self._store.renew_leases()
                self._enter_ended()
            except DicodecError as error:  # they are entered when the store can be written again
                self._log_store_error(error)
                time.sleep(_PAUSE_SECONDS)
                self._has_ended.set()
            if self._stopping.is_set() and not self._ended:
                with self._claiming:
                    self._give_back(*self._claimed)
                    self._claimed.clear()

    def _enter_ended(self) -> None:
        taken = [*self._ended][:_MOST_DONE_AT_ONCE]
        if not taken:
            return
        outcomes = [
            replace(
                describe_attempt(request, job.attempts, came, self._retries, show_paths=False),
                attempts=job.attempts,
            )
            for job, request, came in taken
        ]
        lost: set[str] = set()
        self._store.finish(outcomes, lost=lost, durable=True)
        for (job, _, came), outcome in zip(taken, outcomes, strict=True):
            self._ended.popleft()
            if outcome.id in lost:
                self._log.write("warning", "another process has the job", job=outcome.id)
                continue
            if outcome.state is JobState.DONE:
                self._spool.forget(job.id)
            report = came.report if isinstance(came, ConversionResult) else {}
            log_attempt(self._log, outcome, attempt=job.attempts, trace=job.trace, file=job.source)
            self._report(self.peer.name, outcome, report)

    def _log_store_error(self, error: DicodecError) -> None:
        self._log.write(
            "error", "the job store cannot be used", message=leave_words_out(error.message)
        )


def _make_asker(peer: Peer, title: str, spool: Spool, log: Log) -> CommitmentAsker | None:
    address = peer.address
    if not isinstance(address, DimseAddress) or address.commit is None:
        return None
    from dicodec.service.gateway.commitment_asking import CommitmentAsker

    return CommitmentAsker(peer, address, title, spool, log)


@lru_cache(maxsize=64)
def _load_policy(name: str) -> Policy:
    return load_policy(name)
