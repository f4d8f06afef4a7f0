"""Send objects to a peer with C-STORE over an association, in bounded memory."""

from __future__ import annotations

import queue
import socket
from collections.abc import Sequence
from typing import Any

from pynetdicom import AE, _config, build_context, evt
from pynetdicom.association import Association

from dicodec.errors import PeerRefusedError, PeerUnavailableError
from dicodec.service.gateway.config import DimseAddress, Peer
from dicodec.service.gateway.sender import PeerDownError
from dicodec.service.gateway.tls import make_client_context

_VERIFICATION = "1.2.840.10008.1.1"

_MOST_CONTEXTS = 128
"""Presentation contexts of an association at most (PS3.8 9.3.2.2)."""

_PDUS_IN_FLIGHT = 16
"""PDUs that wait for the network at most: pynetdicom has no bound, and takes 0.4 GB for 1 GB."""

_CONNECT_SECONDS = 10.0

_ACCEPTED = (0x0000, 0xB000, 0xB006, 0xB007)
"""Success, and Success with a warning: the peer has the object (PS3.4 B.2.3)."""

type Context = tuple[str, str]
"""UIDs of a SOP class and of a transfer syntax."""


class DimseSender:
    """An association with a peer; see `Sender`.

    Args:
        peer: the peer.
        address: its address.
        title: our AE title.
    """

    def __init__(self, peer: Peer, address: DimseAddress, title: str) -> None:
        _config.STORE_SEND_CHUNKED_DATASET = True
        _config.LOG_HANDLER_LEVEL = "none"  # its lines have patients' names in them
        self._peer = peer
        self._address = address
        self._title = title
        self._association: Association | None = None
        self._proposed: dict[Context, None] = {}
        self._accepted: set[Context] = set()
        self.used = False

    @property
    def open(self) -> bool:
        """Whether there is an association."""
        return self._association is not None and self._association.is_established

    def negotiate(self, sop_class: str, syntaxes: Sequence[str]) -> set[str]:
        """Return the transfer syntaxes that the peer accepts for a SOP class: see `Sender`.

        A new association is opened unless the one that is there has proposed them all.
        """
        wanted = [(sop_class, syntax) for syntax in syntaxes]
        if not self.open or any(context not in self._proposed for context in wanted):
            others = [context for context in self._proposed if context not in wanted]
            room = _MOST_CONTEXTS - 1 - len(wanted)
            self.close()
            self._connect([*others[-room:], *wanted] if room > 0 else wanted)
        return {syntax for known, syntax in self._accepted if known == sop_class}

    def _connect(self, contexts: list[Context]) -> None:
        entity = AE(self._title)
        entity.connection_timeout = min(_CONNECT_SECONDS, self._peer.timeout)
        entity.acse_timeout = entity.dimse_timeout = self._peer.timeout
        entity.network_timeout = None  # an idle association is ours to end
        tls = make_client_context(self._peer.tls)
        name = (self._peer.tls and self._peer.tls.name) or self._address.host
        try:
            association = entity.associate(
                self._address.host,
                self._address.port,
                [build_context(_VERIFICATION), *(build_context(*context) for context in contexts)],
                self._address.aet,
                tls_args=None if tls is None else (tls, name),
                evt_handlers=[(evt.EVT_CONN_OPEN, set_socket, [self._peer.timeout])],
            )
        except OSError as cause:
            raise PeerDownError(f"the peer cannot be found: {cause}") from cause
        self.used = False
        self._proposed = dict.fromkeys(contexts)
        if not association.is_established:
            self._proposed = {}
            if not association.is_rejected and association.rejected_contexts:
                self._accepted = set()  # no context at all: pynetdicom has aborted
                return
            raise PeerDownError(describe_failure(association))
        association.dul.to_provider_queue = _BoundedQueue(association)
        self._association = association
        self._accepted = {
            (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context in association.accepted_contexts
        }

    def send(self, path: str) -> str:
        """Send an object with C-STORE: see `Sender`."""
        assert self._association is not None
        self.used = True
        try:
            answer: Any = self._association.send_c_store(path)
        except (ConnectionError, RuntimeError) as cause:
            self.close()
            raise PeerUnavailableError("the association broke while the object was sent") from cause
        if "Status" not in answer:
            self.close()
            raise PeerUnavailableError("the peer did not answer for the object")
        status = int(answer.Status)
        if status in _ACCEPTED:
            return f"status 0x{status:04X}" if status else ""
        words = str(getattr(answer, "ErrorComment", "") or "")[:64]
        text = f"status 0x{status:04X}" + (f": {words}" if words else "")
        if status >> 8 == 0xA7:
            raise PeerUnavailableError(f"the peer lacks resources, {text}")
        raise PeerRefusedError(f"the peer refuses the object, {text}")

    def echo(self) -> None:
        """Verify the peer with C-ECHO: see `Sender`."""
        if not self.open:
            self._connect([])
        assert self._association is not None
        answer: Any = self._association.send_c_echo()
        if "Status" not in answer or answer.Status != 0:
            raise PeerUnavailableError("the peer did not answer C-ECHO")

    def close(self) -> None:
        """Release the association, if there is one."""
        association, self._association = self._association, None
        self._accepted = set()
        if association is None:
            return
        if association.is_established:
            association.release()
        association.kill()


class _BoundedQueue(queue.Queue[Any]):
    """The way to the network, which takes a few PDUs and then has the sender wait."""

    def __init__(self, association: Association) -> None:
        super().__init__(_PDUS_IN_FLIGHT)
        self._association = association

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put a PDU behind the others.

        Raises:
            ConnectionError: the association ended, so nobody will send it.
        """
        while True:
            try:
                return super().put(item, block, timeout or 0.5)
            except queue.Full:
                if not self._association.dul.is_alive() or not self._association.is_established:
                    raise ConnectionError from None


def set_socket(event: evt.Event, timeout: float) -> None:
    """Have an association's socket send at once, and wait for some seconds at most."""
    transport: Any = event.assoc.dul.socket
    connection = transport.socket
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.settimeout(timeout)


def describe_failure(association: Association) -> str:
    """Return why an association was not established."""
    if association.is_rejected:
        answer = association.acceptor.primitive
        result = getattr(answer, "result_str", "")
        return f"the peer rejected the association: {result}, {getattr(answer, 'reason_str', '')}"
    if association.is_aborted:
        return "the peer cannot be connected to, or aborted the association"
    return "the peer did not answer the request for an association"
