"""Answer senders that ask for storage commitment: yes only for objects here, or delivered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association

from dicodec.errors import DicodecError
from dicodec.service.gateway.commitment import (
    ALL_COMMITTED,
    CLASS_CONFLICT,
    NO_SUCH_OBJECT,
    PROCESSING_FAILURE,
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    REQUEST,
    SOME_FAILED,
    SYNTAXES,
    CommitmentAnswer,
    Reference,
    list_notes,
    read_note,
    read_reference,
    remove_note,
    write_note,
)
from dicodec.service.gateway.config import DimseAddress, GatewayConfig
from dicodec.service.gateway.delivery import read_sop_class
from dicodec.service.gateway.spool import Spool
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import Job, JobState

_NO_SUCH_ACTION = 0x0123
_INVALID = 0x0115

_SAME_ASSOCIATION_SECONDS = 0.2
"""How long after the response the answer follows on the same association."""

_OTHER_PROCESS_SECONDS = 10.0
"""How long an answer is left to the process that took the request."""

_PAUSES = (10.0, 30.0, 60.0, 300.0)
_GIVE_UP_SECONDS = 86_400.0


class CommitmentAnswerer:
    """The side of a receiving process: takes requests, and answers on their association.

    Args:
        spool: the spool.
        store: the job store.
    """

    def __init__(self, spool: Spool, store: JobStore) -> None:
        self._spool = spool
        self._store = store

    def take_request(self, event: evt.Event) -> tuple[int, None]:
        """Answer an N-ACTION, and have the N-EVENT-REPORT follow."""
        try:
            if event.action_type != REQUEST:
                return _NO_SUCH_ACTION, None
            given = event.action_information
            references = [read_reference(item) for item in given.ReferencedSOPSequence]
            answer = judge_references(self._store, self._spool, given.TransactionUID, references)
            note = {**answer.as_json(), "title": event.assoc.requestor.ae_title.strip(),
                    "asked": time.time()}  # fmt: skip
            write_note(self._spool.commitments, "report", answer.transaction, note)
        except (AttributeError, ValueError):
            return _INVALID, None
        except (OSError, DicodecError):
            return PROCESSING_FAILURE, None
        threading.Thread(target=self._answer, args=(event.assoc, answer), daemon=True).start()
        return 0x0000, None

    def _answer(self, association: Association, answer: CommitmentAnswer) -> None:
        time.sleep(_SAME_ASSOCIATION_SECONDS)
        with suppress(RuntimeError, ValueError, ConnectionError):
            if association.is_established and _report(association, answer):
                remove_note(self._spool.commitments, "report", answer.transaction)


def judge_references(
    store: JobStore, spool: Spool, transaction: str, references: list[Reference]
) -> CommitmentAnswer:
    """Return the answer about some objects.

    An object is safe if no delivery of it has failed, and each of them is done or has it in the
    spool.
    """
    jobs: dict[str, list[Job]] = {}
    for job in store.find_traces([instance for _, instance in references]):
        if job.source == str(spool.find_object(job.id)):  # others may share the store
            jobs.setdefault(job.trace or "", []).append(job)
    failed: dict[Reference, int] = {}
    for reference in references:
        sop_class, instance = reference
        found = jobs.get(instance, [])
        if not found:
            failed[reference] = NO_SUCH_OBJECT
        elif any(read_sop_class(json.loads(job.request)) != sop_class for job in found):
            failed[reference] = CLASS_CONFLICT
        elif not all(_is_safe(job, spool) for job in found):
            failed[reference] = PROCESSING_FAILURE
    committed = tuple(reference for reference in references if reference not in failed)
    return CommitmentAnswer(str(transaction), committed, failed)


def _is_safe(job: Job, spool: Spool) -> bool:
    if job.state is JobState.DONE:
        return True
    return not job.state.over and spool.holds(job.id)


def _report(association: Association, answer: CommitmentAnswer) -> bool:
    """Send an answer; return whether the sender has it."""
    status: Any = association.send_n_event_report(
        answer.make_data_set(),
        SOME_FAILED if answer.failed else ALL_COMMITTED,
        PUSH_MODEL,
        PUSH_MODEL_INSTANCE,
    )[0]
    return "Status" in status


class CommitmentReporter:
    """The gateway's side: brings answers to senders that have ended their association.

    Args:
        config: the configuration.
        spool: the spool.
        log: gets a line for each answer that cannot be brought.
    """

    def __init__(self, config: GatewayConfig, spool: Spool, log: Log) -> None:
        self._config = config
        self._folder = spool.commitments
        self._log = log
        self._tries: dict[str, tuple[int, float]] = {}

    def turn(self) -> None:
        """Try to bring all answers that are due."""
        for transaction in [*list_notes(self._folder, "report")]:
            note = read_note(self._folder, "report", transaction)
            if note is not None and self._is_due(transaction, note):
                self._bring(transaction, note)

    def _is_due(self, transaction: str, note: Mapping[str, Any]) -> bool:
        count, last = self._tries.get(transaction, (0, 0.0))
        if count:
            return time.time() - last > _PAUSES[min(count, len(_PAUSES)) - 1]
        return time.time() - float(note["asked"]) > self._find_pause(str(note["title"]))

    def _find_pause(self, title: str) -> float:
        return _OTHER_PROCESS_SECONDS if self._find_address(title) is None else 2.0

    def _find_address(self, title: str) -> DimseAddress | None:
        """Return where a sender takes answers; None if it is not configured."""
        if (known := self._config.receive.reports.get(title)) is not None:
            return known
        for peer in self._config.peers.values():
            if isinstance(peer.address, DimseAddress) and peer.address.aet == title:
                return peer.address
        return None

    def _bring(self, transaction: str, note: Mapping[str, Any]) -> None:
        title = str(note["title"])
        address = self._find_address(title)
        message = "its address is not configured, see `reports`"
        if address is not None:
            message = self._send(address, CommitmentAnswer.from_json(note))
        if not message:
            remove_note(self._folder, "report", transaction)
            self._tries.pop(transaction, None)
            return
        count, _ = self._tries.get(transaction, (0, 0.0))
        self._tries[transaction] = count + 1, time.time()
        gone = time.time() - float(note["asked"]) > _GIVE_UP_SECONDS
        if count == 0 or gone:
            self._log.write(
                "error" if gone else "warning",
                "storage commitment not answered",
                trace=transaction,
                sender=title,
                message=message,
            )
        if gone:
            remove_note(self._folder, "report", transaction)
            self._tries.pop(transaction, None)

    def _send(self, address: DimseAddress, answer: CommitmentAnswer) -> str:
        """Bring one answer; return why it failed, or ""."""
        entity = AE(self._config.receive.aet)
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = 30.0
        try:
            association = entity.associate(
                address.host,
                address.port,
                [build_context(PUSH_MODEL, SYNTAXES)],
                address.aet,
                ext_neg=[build_role(PUSH_MODEL, scp_role=True)],
            )
        except OSError as cause:
            return f"it cannot be found: {cause}"
        if not association.is_established:
            return "it does not take the association"
        try:
            return "" if _report(association, answer) else "it does not answer"
        except (RuntimeError, ValueError) as cause:
            return str(cause)
        finally:
            if association.is_established:
                association.release()
            association.kill()
