"""Ask a peer to commit to the storage of the objects it got, and wait for its answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from pydicom.uid import generate_uid
from pynetdicom import AE, _config, build_context, evt
from pynetdicom.association import Association

from dicodec.errors import DicodecError, PeerRefusedError, PeerUnavailableError
from dicodec.model.records import dataclass
from dicodec.service.gateway.commitment import (
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    REQUEST,
    SYNTAXES,
    CommitmentAnswer,
    Reference,
    list_notes,
    make_request,
    read_note,
    remove_note,
    write_note,
)
from dicodec.service.gateway.config import DimseAddress, Peer
from dicodec.service.gateway.sender import PeerDownError
from dicodec.service.gateway.settling import Settled
from dicodec.service.gateway.spool import Spool
from dicodec.service.gateway.tls import make_client_context
from dicodec.service.jobs.execution_work import ConversionResult
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.tables import Job

_MOST_AT_ONCE = 100
_GATHER_SECONDS = 1.0
"""How long objects are gathered for one request."""

_AGAIN_SECONDS = 30.0
"""How long after a failure a peer is asked again."""


@dataclass(slots=True)
class _Sent:
    """An object that the peer got, and has not committed to.

    Attributes:
        since: when it was sent, by the clock of the one who asks.
        transaction: Transaction UID of the request; "" if the peer was not asked yet.
    """

    job: Job
    request: Request
    result: ConversionResult
    reference: Reference
    since: float
    transaction: str = ""


class CommitmentAsker:
    """Asks one peer; one thread calls `turn`, any may call the others.

    The list of sent objects is written before the peer is asked. After a crash it is asked again,
    and not sent again.

    Args:
        peer: the peer.
        address: its address.
        title: our AE title.
        spool: the spool.
        log: gets a line for each failure.
        clock: returns seconds that never go back.
    """

    def __init__(
        self,
        peer: Peer,
        address: DimseAddress,
        title: str,
        spool: Spool,
        log: Log,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        assert address.commit is not None
        _config.LOG_HANDLER_LEVEL = "none"  # its lines have patients' names in them
        self._peer = peer
        self._address = address
        self._patience = address.commit
        self._title = title
        self._folder = spool.commitments
        self._log = log
        self._clock = clock
        self._association: Association | None = None
        self._waiting: dict[str, _Sent] = {}
        self._asked: dict[str, Mapping[str, Reference]] = {}
        self._known: dict[str, Reference] = {}
        self._next_try = 0.0
        for transaction in [*list_notes(self._folder, "asked")]:
            note = read_note(self._folder, "asked", transaction)
            if note is not None and note["peer"] == peer.name:
                sent = {job: (one, two) for job, (one, two) in note["sent"].items()}
                self._known |= sent
                self._asked[transaction] = sent

    @property
    def busy(self) -> bool:
        """Whether the peer has not committed to everything."""
        return bool(self._waiting)

    def find_sent(self, job: str) -> Reference | None:
        """Return the note of a job's object sent before a crash; None if there is none."""
        return self._known.get(job)

    def add(
        self, job: Job, request: Request, result: ConversionResult, reference: Reference
    ) -> None:
        """Take note of an object that was sent."""
        self._waiting[job.id] = _Sent(job, request, result, reference, self._clock())

    def turn(self) -> list[Settled]:
        """Read answers, and ask for objects not asked for yet; return the jobs that have ended."""
        settled = {**self._read_clock(), **self._read_answers()}
        new = [
            sent
            for job, sent in [*self._waiting.items()]
            if not sent.transaction and job not in settled
        ]
        now = self._clock()
        if (
            new
            and now >= self._next_try
            and (len(new) >= _MOST_AT_ONCE or now - new[0].since > _GATHER_SECONDS)
        ):
            settled |= self._ask(new[:_MOST_AT_ONCE])
        self._forget(settled)
        if not self._waiting:
            self.close()
        return [*settled.values()]

    def _read_answers(self) -> dict[str, Settled]:
        settled: dict[str, Settled] = {}
        for transaction, jobs in self._asked.items():
            note = read_note(self._folder, "answer", transaction)
            if note is None:
                continue
            answer = CommitmentAnswer.from_json(note)
            for job in jobs:
                if (sent := self._waiting.get(job)) is not None:
                    settled[job] = sent.job, sent.request, _judge(sent, answer)
        return settled

    def _read_clock(self) -> dict[str, Settled]:
        error = f"the peer has not committed to the storage within {self._patience:g} s"
        return {
            job: (sent.job, sent.request, PeerUnavailableError(error))
            for job, sent in [*self._waiting.items()]
            if self._clock() - sent.since > self._patience
        }

    def _forget(self, settled: Mapping[str, Settled]) -> None:
        """Forget that objects were sent, in each transaction that has them, on the disk too.

        A note is removed with its last object: those of before a crash may not be claimed yet.

        Raises:
            OSError: a note cannot be written; nothing is forgotten, and `turn` settles them again.
        """
        left = {
            transaction: {job: jobs[job] for job in jobs if job not in settled}
            for transaction, jobs in self._asked.items()
            if not jobs.keys().isdisjoint(settled)
        }
        for transaction, jobs in left.items():
            if jobs:
                self._write_asked(transaction, jobs)
        for transaction, jobs in left.items():
            if jobs:
                self._asked[transaction] = jobs
                continue
            del self._asked[transaction]
            for kind in ("asked", "answer"):
                remove_note(self._folder, kind, transaction)
        for job in settled:
            self._waiting.pop(job, None)
            self._known.pop(job, None)

    def _ask(self, new: list[_Sent]) -> dict[str, Settled]:
        request = make_request([sent.reference for sent in new])
        transaction = str(request.TransactionUID)
        try:
            self._note_sent(transaction, new)
            association = self._open()
            answer: Any = association.send_n_action(
                request, REQUEST, PUSH_MODEL, PUSH_MODEL_INSTANCE
            )[0]
            if answer.get("Status") != 0:
                raise PeerUnavailableError(f"the peer's status is {answer.get('Status')}")
        except PeerRefusedError as error:
            return {sent.job.id: (sent.job, sent.request, error) for sent in new}
        except (DicodecError, OSError, RuntimeError, ValueError) as cause:
            self.close()
            self._next_try = self._clock() + _AGAIN_SECONDS
            self._log.write(
                "warning",
                "storage commitment cannot be asked for",
                peer=self._peer.name,
                message=str(cause),
            )
            return {}
        for sent in new:
            sent.transaction = transaction
        return {}

    def _open(self) -> Association:
        """Return the association for requests; the peer may answer on it.

        Raises:
            PeerDownError: the peer does not answer.
            PeerRefusedError: it does not know storage commitment.
        """
        if self._association is not None and self._association.is_established:
            return self._association
        entity = AE(self._title)
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = self._peer.timeout
        entity.network_timeout = None
        tls = make_client_context(self._peer.tls)
        name = (self._peer.tls and self._peer.tls.name) or self._address.host
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_CONN_OPEN, _set_socket, [self._peer.timeout]),
            (evt.EVT_N_EVENT_REPORT, take_answer, [self._folder]),
        ]
        try:
            association = entity.associate(
                self._address.host,
                self._address.port,
                [build_context(PUSH_MODEL, SYNTAXES)],
                self._address.aet,
                tls_args=None if tls is None else (tls, name),
                evt_handlers=handlers,
            )
        except OSError as cause:
            raise PeerDownError(f"the peer cannot be found: {cause}") from cause
        if not association.is_established:
            if not association.is_rejected and association.rejected_contexts:
                raise PeerRefusedError("the peer has the object, but no storage commitment")
            raise PeerDownError(_describe_failure(association))
        self._association = association
        return association

    def stop(self) -> None:
        """Note the objects sent and not asked for, and release the association."""
        new = [sent for sent in self._waiting.values() if not sent.transaction]
        if new:
            self._note_sent(str(generate_uid()), new)
        self.close()

    def _note_sent(self, transaction: str, new: list[_Sent]) -> None:
        jobs = {sent.job.id: sent.reference for sent in new}
        self._write_asked(transaction, jobs)
        self._asked[transaction] = jobs

    def _write_asked(self, transaction: str, jobs: Mapping[str, Reference]) -> None:
        note = {"peer": self._peer.name, "sent": jobs}
        write_note(self._folder, "asked", transaction, note)

    def close(self) -> None:
        """Release the association, if there is one."""
        association, self._association = self._association, None
        if association is not None:
            if association.is_established:
                association.release()
            association.kill()


def _judge(sent: _Sent, answer: CommitmentAnswer) -> ConversionResult | DicodecError:
    if sent.reference in answer.committed:
        report: Mapping[str, Any] = {**sent.result.report, "committed": True}
        return ConversionResult(report, None)
    reason = answer.failed.get(sent.reference)
    words = "the peer did not name the object in its answer"
    if reason is not None:
        words = f"the peer does not commit to the storage, reason 0x{reason:04X}"
    return PeerUnavailableError(words)


def take_answer(event: evt.Event, folder: Any) -> tuple[int, None]:
    """Keep the answer in an N-EVENT-REPORT; the status is Success only if it is on the disk."""
    try:
        answer = CommitmentAnswer.of(event.event_information)
        if read_note(folder, "asked", answer.transaction) is None:
            return 0x0112, None  # no such transaction
        write_note(folder, "answer", answer.transaction, answer.as_json())
    except (OSError, ValueError, AttributeError):
        return 0x0110, None
    return 0x0000, None


def _set_socket(event: evt.Event, timeout: float) -> None:
    """Have an association's socket send at once, and wait for some seconds at most."""
    transport: Any = event.assoc.dul.socket
    connection = transport.socket
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.settimeout(timeout)


def _describe_failure(association: Association) -> str:
    """Return why an association was not established."""
    if association.is_rejected:
        answer = association.acceptor.primitive
        result = getattr(answer, "result_str", "")
        return f"the peer rejected the association: {result}, {getattr(answer, 'reason_str', '')}"
    if association.is_aborted:
        return "the peer cannot be connected to, or aborted the association"
    return "the peer did not answer the request for an association"
