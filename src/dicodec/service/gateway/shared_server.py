"""A server of pynetdicom's on a socket that several processes share."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from pynetdicom.transport import ThreadedAssociationServer

HANDSHAKE_SECONDS = 15.0
"""How long a connection may take until it is an association."""

IDLE_SECONDS = 300.0
"""Seconds without a word until an association is aborted."""


class SharedServer(ThreadedAssociationServer):
    """Takes associations on a listening socket.

    Args:
        *given, **named: as pynetdicom gives them.
        listening: the socket.
        tls: context of TLS; None for plain TCP.
    """

    daemon_threads = True

    def __init__(
        self, *given: Any, listening: socket.socket, tls: ssl.SSLContext | None, **named: Any
    ) -> None:
        self._listening = listening
        self._tls = tls
        super().__init__(*given, **named)

    def server_bind(self) -> None:
        """Take the socket that listens already, in place of a new one."""
        assert self.socket is not None
        self.socket.close()
        self.socket = self._listening
        self.socket.setblocking(False)  # another process may have taken the connection
        self.server_address = self.socket.getsockname()

    def server_activate(self) -> None:
        """Do nothing: it listens."""

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Take a connection; the TLS handshake is left to its own thread."""
        assert self.socket is not None
        connection, address = self.socket.accept()
        connection.settimeout(HANDSHAKE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, and run the association."""
        if self._tls is not None:
            request = self._tls.wrap_socket(request, server_side=True)
        request.settimeout(IDLE_SECONDS)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing: a failed handshake ends the connection, which the sender notices."""
