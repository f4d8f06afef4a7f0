"""A lane: the deliveries to one peer, apart from all others, so that a dead peer stops nobody."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress

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
from dicodec.service.gateway.forwarding import Forwarder
from dicodec.service.gateway.sender import PeerDownError, Sender
from dicodec.service.gateway.sender_choice import make_sender
from dicodec.service.gateway.settling import ReportDelivery, Settler
from dicodec.service.gateway.spool import Spool
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.execution_work import ConversionResult
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.store.store import BEATS_PER_LEASE, JobStore
from dicodec.service.jobs.store.tables import Job
from dicodec.service.jobs.tracing import Tracing

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.service.gateway.commitment import Reference
    from dicodec.service.gateway.commitment_asking import CommitmentAsker

_PAUSE_SECONDS = 1.0
"""How long a lane waits after an error of the store, which may pass."""

_ASKING_SECONDS = 0.2
"""How often a lane looks for answers about storage commitment."""

_ENTERING_SECONDS = 0.2
"""How often a lane looks whether leases are to be renewed, or threads have ended."""

_CLAIMED_FOR_EACH = 4
"""Jobs that are taken at once for each association, because taking them is a transaction."""

_GATHER_SECONDS = 0.05
"""How long jobs are gathered if fewer were there than could be taken, for the same cause."""

_LONGEST_TURN_SECONDS = 60.0
"""How long an association at most is not tried again that the peer has turned away."""

_PATIENCE_SECONDS = 1.0
"""How long the peer may let an association wait until those that are idle make room for it."""

_SENT_BEFORE = ConversionResult({"action": "sent before"}, None)
"""Outcome of a delivery that was entered by nobody, because the gateway was killed."""


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
        tracing: records attempts.

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
        tracing: Tracing | None = None,
    ) -> None:
        self.peer = peer
        self.state = LaneState()
        self._title = title
        self._spool = spool
        self._store = store
        self._retries = retries
        self._log = log
        self._tracing = tracing or Tracing()
        self._forwarder = Forwarder(peer, spool, executor)
        self._settler = Settler(peer.name, spool, store, retries, log, report)
        self._claimed: deque[Job] = deque()
        self._not_given_back: deque[Job] = deque()
        self._claiming = threading.Lock()
        self._claim_after = 0.0
        self._stopping = threading.Event()
        self._wake = threading.Condition()
        self._senders: list[Sender] = []
        self._delivered_at = 0.0
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
        if self.state.failures and time.time() < self.state.next_try:
            return  # they wait for the peer
        if time.monotonic() < self._claim_after:
            return  # they are about to look
        with self._wake:
            self._wake.notify_all()

    def ask_to_stop(self) -> None:
        """Take no further job; deliveries that run go on."""
        self._stopping.set()
        with self._wake:
            self._wake.notify_all()

    def stop(self, until: float) -> None:
        """Wait for deliveries that run, and enter their outcomes.

        Args:
            until: time, by `time.monotonic`, after which they are abandoned.
        """
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._settler.wake()
        self._keeper.join(max(1.0, until - time.monotonic()))
        with suppress(DicodecError):
            self._settler.enter()

    # Taking jobs.

    def _work(self) -> None:
        sender = make_sender(self.peer, self._title)
        self._senders.append(sender)
        while not self._stopping.is_set():
            try:
                self._deliver_jobs(sender)
            except Exception as cause:  # it may pass, and no other thread would take over
                self._log_fault(cause)
                self._stopping.wait(_PAUSE_SECONDS)

    def _deliver_jobs(self, sender: Sender) -> None:
        """Deliver jobs until this lane stops; a job is given back if an error is raised."""
        idle_since = time.monotonic()
        turned_away = 0
        try:
            while not self._stopping.is_set():
                job = self._take()
                if job is not None:
                    try:
                        turned_away = 0 if self._deliver(job, sender) else turned_away + 1
                    except BaseException:
                        self._give_back(job)
                        raise
                    if turned_away:
                        pause = self._retries.delay(turned_away)
                        self._stopping.wait(min(pause, _LONGEST_TURN_SECONDS))
                    idle_since = time.monotonic()
                    continue
                if sender.open and self._may_close(time.monotonic() - idle_since):
                    sender.close()
                gathering = self._claim_after - time.monotonic()
                with self._wake:
                    self._wake.wait(gathering if gathering > 0 else self._store.poll_seconds)
        finally:
            sender.close()

    def _may_close(self, idle: float) -> bool:
        """Return whether an idle association ends: in time, or for one that the peer lets wait."""
        if idle > self.peer.linger:
            return True
        began = time.monotonic() - _PATIENCE_SECONDS
        return any((since := one.opening_since) and since < began for one in self._senders)

    def _take(self) -> Job | None:
        """Return a job to deliver; None if there is none, or the peer is not to be tried now."""
        with self._claiming:
            down = self.state.failures > 0
            if down and time.time() < self.state.next_try:
                return None
            try:
                if not self._claimed:
                    now = time.monotonic()
                    if now < self._claim_after:
                        return None
                    count = 1 if down else self.peer.associations * _CLAIMED_FOR_EACH
                    self._claimed.extend(self._store.claim(count))
                    if 0 < len(self._claimed) < count:
                        self._claim_after = now + _GATHER_SECONDS
            except DicodecError as error:
                self._log_fault(error)
                time.sleep(_PAUSE_SECONDS)
                return None
            if not self._claimed:
                return None
            if down:  # one association tries; the others wait for what comes of it
                self.state = replace(self.state, next_try=time.time() + self.peer.timeout)
            return self._claimed.popleft()

    # Delivering.

    def _deliver(self, job: Job, sender: Sender) -> bool:
        """Bring an object to the peer; return False if the peer takes no further association."""
        began = time.monotonic()
        request = Request(id=job.id, source=job.source)
        came: ConversionResult | DicodecError
        try:
            request = Request.from_json(job.request)
            self._settler.hold_span(
                job.id,
                self._tracing.begin_delivery(request, job.attempts, self.peer.name),
            )
            if self._spool.is_sent(job.id):
                came = _SENT_BEFORE
            elif job.attempts > self._retries.attempts:
                raise WorkerCrashedError(f"it was cut short {job.attempts - 1} times")
            elif self._asker is not None:
                self._deliver_to_commit(job, request, sender, self._asker)
                return True
            else:
                came = self._forwarder.forward(request, sender)
                self._note_answer(None)
        except PeerDownError as error:
            self._settler.drop_span(job.id)
            turned_away = not error.retry_after and self._is_served(began, sender)
            if not turned_away:
                self._note_failure(error)
            self._give_back(job)
            return not turned_away
        except DicodecError as error:
            came = error
            self._note_answer(error)
        except Exception as cause:  # it is this job's, and the lane goes on
            came = InternalError(describe_fault(cause))
        self._settler.add([(job, request, came)])
        return True

    def _is_served(self, since: float, sender: Sender) -> bool:
        """Return whether the peer takes objects over other associations: then it is not down."""
        if not isinstance(self.peer.address, DimseAddress):
            return False  # a server takes as many connections as there are
        return self._delivered_at > since or any(
            one.used for one in self._senders if one is not sender
        )

    def _deliver_to_commit(
        self, job: Job, request: Request, sender: Sender, asker: CommitmentAsker
    ) -> None:
        """Bring an object to a peer that is to commit to its storage, which ends the delivery."""
        references: list[Reference] = []
        if (sent := asker.find_sent(job.id)) is not None:
            came = _SENT_BEFORE  # the gateway was killed while it waited for the commitment
            references.append(sent)
        else:
            came = self._forwarder.forward(request, sender, references.append)
            self._note_answer(None)
        asker.add(job, request, came, references[-1])

    def _ask(self, asker: CommitmentAsker) -> None:
        """Ask the peer to commit to the storage of the objects it got, until this lane stops."""
        while not self._stopping.is_set():
            try:
                self._settler.add(asker.turn())
            except Exception as cause:  # such as a full disk: it may pass
                self._log.write("error", "storage commitment", message=describe_fault(cause))
            self._stopping.wait(_ASKING_SECONDS)
        asker.stop()

    # The peer's state.

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
        if error is None:
            self._delivered_at = time.monotonic()
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
        except DicodecError as error:
            self._not_given_back.extend(jobs)  # with the next heartbeat, which renews their leases
            self._log_fault(error)

    # Ending.

    def _keep(self) -> None:
        """Renew the leases of jobs, and enter outcomes, until all threads have ended."""
        beat = time.monotonic()
        while any(thread.is_alive() for thread in self._threads) or self._settler.busy:
            self._settler.wait(_ENTERING_SECONDS)
            try:
                if time.monotonic() - beat > self._store.lease / BEATS_PER_LEASE:
                    beat = time.monotonic()
                    count = len(self._not_given_back)
                    self._give_back(*[self._not_given_back.popleft() for _ in range(count)])
                    self._store.renew_leases()
                self._settler.enter()
            except Exception as cause:  # they are entered when the store can be written again
                self._log_fault(cause)
                time.sleep(_PAUSE_SECONDS)
                self._settler.wake()
            if self._stopping.is_set() and not self._settler.busy:
                with self._claiming:
                    self._give_back(*self._claimed)
                    self._claimed.clear()

    def _log_fault(self, cause: Exception) -> None:
        """Log why this lane stands still; it goes on when that has passed."""
        event, text = "objects cannot be delivered", describe_fault(cause)
        if isinstance(cause, DicodecError):
            event, text = "the job store cannot be used", cause.message
        self._log.write("error", event, peer=self.peer.name, message=leave_words_out(text))


def _make_asker(peer: Peer, title: str, spool: Spool, log: Log) -> CommitmentAsker | None:
    address = peer.address
    if not isinstance(address, DimseAddress) or address.commit is None:
        return None
    from dicodec.service.gateway.commitment_asking import CommitmentAsker

    return CommitmentAsker(peer, address, title, spool, log)
