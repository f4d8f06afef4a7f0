"""Receive objects over DICOM: answer Success only when the object and its jobs are on the disk."""

from __future__ import annotations

import os
import socket
import socketserver
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pydicom import Dataset
from pynetdicom import AE, _config, build_context, evt
from pynetdicom.association import Association
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.transport import ThreadedAssociationServer

from dicodec.errors import DicodecError, DiskFullError
from dicodec.model.records import dataclass
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES
from dicodec.model.wording import describe_fault, leave_words_out
from dicodec.service.gateway.commitment import PUSH_MODEL, SYNTAXES
from dicodec.service.gateway.commitment_answering import CommitmentAnswerer
from dicodec.service.gateway.commitment_asking import take_answer
from dicodec.service.gateway.config import GatewayConfig
from dicodec.service.gateway.delivery import (
    make_accepted_event,
    make_delivery_job,
    name_job,
)
from dicodec.service.gateway.pdus import VERIFICATION
from dicodec.service.gateway.routing import Destination, find_destinations
from dicodec.service.gateway.shared_server import HANDSHAKE_SECONDS, IDLE_SECONDS, SharedServer
from dicodec.service.gateway.spool import Spool, digest_object
from dicodec.service.gateway.tls import make_server_context
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import JobState
from dicodec.service.jobs.tracing import Span, Tracing

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
NO_ROUTE = 0xC001
FAULT = 0xC002
"""Senders know the statuses of PS3.4 Table B.2-1 alone; others some take for Success."""

_LONGEST_COMMENT = 64

_REJECTED_FOR_NOW = 0x02
_REJECTED = 0x01
_BY_PROVIDER, _CONGESTION = 0x03, 0x01
_BY_USER, _CALLING_TITLE_UNKNOWN = 0x01, 0x03

_STORAGE_CLASSES = frozenset(str(one.abstract_syntax) for one in AllStoragePresentationContexts)
_SYNTAXES = frozenset(syntax.uid for syntax in TRANSFER_SYNTAXES)

_META_LENGTH_AT = 140
"""Offset of the value of File Meta Information Group Length."""


@dataclass(frozen=True, slots=True)
class _Received:
    """An object that was received whole.

    Attributes:
        path: its file, which has a file meta of known length.
        sender: AE title of the sender.
        sop_class: SOP Class UID.
        instance: SOP Instance UID.
        syntax: Transfer Syntax UID.
    """

    path: str
    sender: str
    sop_class: str
    instance: str
    syntax: str


class Receiver:
    """Takes objects from senders into a spool.

    Args:
        config: the configuration.
        spool: the spool.
        store: gets a job for each peer of an object.
        log: gets a line for each object that is refused.
        parts: folder for objects being received, in the spool.
        announce: is called when there are new jobs.
        tracing: records objects; None for nothing.
    """

    def __init__(
        self,
        config: GatewayConfig,
        spool: Spool,
        store: JobStore,
        log: Log,
        parts: Path,
        announce: Callable[[], None],
        tracing: Tracing | None = None,
    ) -> None:
        self._config = config
        self._spool = spool
        self._store = store
        self._log = log
        self._parts = parts
        self._announce = announce
        self._tracing = tracing
        self._began: WeakKeyDictionary[Association, int] = WeakKeyDictionary()
        self._server: ThreadedAssociationServer | None = None
        self._closing = False

    def start(self, listening: socket.socket) -> None:
        """Take associations on a listening socket, in threads, until `stop`."""
        _config.STORE_RECV_CHUNKED_DATASET = True
        _config.LOG_HANDLER_LEVEL = "none"  # its lines have patients' names in them
        _config.UNRESTRICTED_STORAGE_SERVICE = self._config.receive.private
        tempfile.tempdir = str(self._parts)  # there pynetdicom makes its files
        receive = self._config.receive
        entity = AE(receive.aet)
        entity.require_called_aet = True
        entity.maximum_associations = max(1, receive.associations // receive.processes)
        entity.network_timeout = IDLE_SECONDS
        entity.acse_timeout = HANDSHAKE_SECONDS
        entity.dimse_timeout = IDLE_SECONDS
        entity.add_supported_context(VERIFICATION)
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_REQUESTED, self._admit),
            (evt.EVT_C_STORE, self._store_object),
            (evt.EVT_C_ECHO, self._answer_echo),
            (evt.EVT_N_ACTION, CommitmentAnswerer(self._spool, self._store).take_request),
            (evt.EVT_N_EVENT_REPORT, take_answer, [self._spool.commitments]),
            (evt.EVT_CONN_CLOSE, _remove_part),
            (evt.EVT_ABORTED, _remove_part),
        ]
        if self._tracing is not None:
            handlers.append((evt.EVT_PDU_RECV, self._note_beginning))
        server_class: Any = partial(
            SharedServer, listening=listening, tls=make_server_context(receive.tls)
        )
        server: Any = entity.make_server(
            listening.getsockname()[:2], evt_handlers=handlers, server_class=server_class
        )
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()

    def stop(self, patience: float) -> None:
        """Take no further association, let those that are open end, and abort the rest."""
        self._closing = True
        server = self._server
        assert server is not None
        socketserver.BaseServer.shutdown(server)  # pynetdicom's ends the socket for all processes
        waiting = threading.Event()
        until = patience
        while until > 0 and server.active_associations:
            waiting.wait(0.05)
            until -= 0.05
        for association in server.active_associations:
            association.abort()

    # Associations.

    def _admit(self, event: evt.Event) -> None:
        """Refuse an association of a sender that may not send, or while there is no room."""
        association = event.assoc
        _support_proposed(association)
        title = association.requestor.primitive.calling_ae_title.strip()  # type: ignore[union-attr]
        address = association.requestor.address
        if not self._config.receive.lets_send(title, address):
            self._log.write("warning", "association refused", sender=title, address=address)
            _reject(association, _REJECTED, _BY_USER, _CALLING_TITLE_UNKNOWN)
            return
        try:
            self._spool.check_room(self._config.receive.reserve)
        except DiskFullError as error:
            self._log.write("error", "association refused", sender=title, message=error.message)
            _reject(association, _REJECTED_FOR_NOW, _BY_PROVIDER, _CONGESTION)

    # Objects.

    def _store_object(self, event: evt.Event) -> Dataset:
        request: Any = event.request
        request._dataset_file.flush()  # noqa: SLF001 - it has no other name
        received = _Received(
            path=str(event.dataset_path),
            sender=event.assoc.requestor.ae_title.strip(),
            sop_class=str(request.AffectedSOPClassUID),
            instance=str(request.AffectedSOPInstanceUID),
            syntax=str(event.context.transfer_syntax),
        )
        if self._tracing is None:
            return self._answer(received, Span())
        began = self._began.pop(event.assoc, None) or time.time_ns()
        span = self._tracing.begin_receiving(received.sender, began)
        answer = self._answer(received, span)
        span.end(
            "refused" if answer.Status else "safe",
            cause=f"0x{answer.Status:04X}" if answer.Status else None,
            report={},
        )
        return answer

    def _answer_echo(self, event: evt.Event) -> int:
        self._began.pop(event.assoc, None)
        return SUCCESS

    def _note_beginning(self, event: evt.Event) -> None:
        """Note when the first byte of an object comes."""
        if isinstance(event.pdu, P_DATA_TF):
            self._began.setdefault(event.assoc, time.time_ns())

    def _answer(self, received: _Received, span: Span) -> Dataset:
        try:
            self._spool.check_room(self._config.receive.reserve)
            return (
                _make_status(SUCCESS)
                if self._keep(received, span.traceparent)
                else self._refuse(received, NO_ROUTE, "no route matches the object")
            )
        except DicodecError as error:  # of the disk or the store: it may pass
            return self._refuse(received, OUT_OF_RESOURCES, error.message)
        except Exception as cause:  # the sender gets a status, and keeps the object
            return self._refuse(received, FAULT, leave_words_out(describe_fault(cause)))

    def _keep(self, received: _Received, traceparent: str | None) -> bool:
        """Make an object and its jobs safe; return False if no route matches it."""
        destinations = find_destinations(self._config, received.sender, received.path)
        if not destinations:
            return False
        with open(received.path, "rb") as file:  # noqa: PTH123 - it is hot
            file.seek(_META_LENGTH_AT)
            start = _META_LENGTH_AT + 4 + int.from_bytes(file.read(4), "little")
            digest = digest_object(
                file,
                start,
                instance=received.instance,
                syntax=received.syntax,
                spool=self._spool.id,
            )
        jobs = {name_job(digest, one.peer): one for one in destinations}
        made = self._spool.keep(received.path, jobs)
        added = self._store.put(
            make_delivery_job(
                self._spool,
                job,
                peer=one.peer,
                policy=one.policy,
                sop_class=received.sop_class,
                instance=received.instance,
                traceparent=traceparent,
            )
            for job, one in jobs.items()
        )
        if added < len(jobs):
            self._settle_known(jobs, made)
        if added:
            self._announce()
        return True

    def _settle_known(self, jobs: dict[str, Destination], made: list[str]) -> None:
        """Settle the jobs that may have been known: one that failed is due again."""
        for job in jobs:
            known = self._store.find(job)
            if known is None or not known.state.over:
                continue
            if known.state is JobState.DONE:
                if job in made:
                    self._spool.forget(job)
            else:
                self._store.retry(job, make_accepted_event(known))
                self._announce()

    def _refuse(self, received: _Received, status: int, message: str) -> Dataset:
        self._log.write(
            "error",
            "object refused",
            trace=received.instance,
            sender=received.sender,
            message=message,
        )
        return _make_status(status, message)


def _support_proposed(association: Association) -> None:
    """Support the proposed contexts that are known: the sender's order of syntaxes decides.

    pynetdicom goes by the acceptor's order, and copies all of its contexts for each association.
    """
    proposed: dict[str, list[str]] = {}
    for context in association.requestor.primitive.presentation_context_definition_list:  # type: ignore[union-attr]
        known = proposed.setdefault(str(context.abstract_syntax), [])
        known += [uid for uid in context.transfer_syntax if uid not in known]
    if PUSH_MODEL in proposed:
        commitment = build_context(PUSH_MODEL, SYNTAXES)
        commitment.scu_role = commitment.scp_role = True  # a peer brings its answer as an SCP
        association.acceptor.supported_contexts += [commitment]
    association.acceptor.supported_contexts += [
        build_context(uid, found)
        for uid, order in proposed.items()
        if uid in _STORAGE_CLASSES and (found := [one for one in order if one in _SYNTAXES])
    ]


def _reject(association: Association, result: int, source: int, reason: int) -> None:
    association.acse.send_reject(result, source, reason)
    evt.trigger(association, evt.EVT_REJECTED, {})
    association.kill()


def _make_status(status: int, comment: str = "") -> Dataset:
    answer = Dataset()
    answer.Status = status
    if comment:
        answer.ErrorComment = comment[:_LONGEST_COMMENT]
    return answer


def _remove_part(event: evt.Event) -> None:
    """Remove the file and descriptor of an association that ended within an object."""
    message = event.assoc.dimse.message
    file = getattr(message, "_data_set_file", None)
    if file is not None:
        with suppress(OSError, ValueError):
            file.close()
        with suppress(OSError):
            os.unlink(file.name)  # noqa: PTH108
