"""Send objects to a peer with C-STORE over an association, in bounded memory."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from dicodec.errors import PeerRefusedError, PeerUnavailableError
from dicodec.model import tags
from dicodec.part10.file_meta import read_head
from dicodec.part10.source import OpenSource
from dicodec.service.gateway.association import Association, AssociationBrokenError
from dicodec.service.gateway.config import DimseAddress, Peer
from dicodec.service.gateway.pdus import ERROR_COMMENT, VERIFICATION, Context, read_status
from dicodec.service.gateway.tls import make_client_context

_VERIFICATION_CONTEXT = (VERIFICATION, "1.2.840.10008.1.2")

_MOST_CONTEXTS = 128
"""Presentation contexts of an association at most (PS3.8 9.3.2.2)."""

_CONNECT_SECONDS = 10.0

_LONGEST_COMMENT = 64

_ACCEPTED = (0x0000, 0xB000, 0xB006, 0xB007)
"""Success, and Success with a warning: the peer has the object (PS3.4 B.2.3)."""


class DimseSender:
    """An association with a peer; see `Sender`.

    Args:
        peer: the peer.
        address: its address.
        title: our AE title.
    """

    def __init__(self, peer: Peer, address: DimseAddress, title: str) -> None:
        self._peer = peer
        self._address = address
        self._title = title
        self._association: Association | None = None
        self._proposed: dict[Context, None] = {}
        self.used = False
        self.opening_since: float | None = None

    @property
    def open(self) -> bool:
        """Whether there is an association."""
        if self._association is not None and not self._association.open:
            self._association, self.used = None, False
        return self._association is not None

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
        assert self._association is not None
        return {syntax for known, syntax in self._association.accepted if known == sop_class}

    def _connect(self, contexts: list[Context]) -> None:
        tls = make_client_context(self._peer.tls)
        name = (self._peer.tls and self._peer.tls.name) or self._address.host
        self._proposed = {}
        self.opening_since = time.monotonic()
        try:
            self._association = Association(
                (self._address.host, self._address.port),
                calling=self._title,
                called=self._address.aet,
                contexts=[_VERIFICATION_CONTEXT, *contexts],
                connect_seconds=min(_CONNECT_SECONDS, self._peer.timeout),
                timeout=self._peer.timeout,
                tls=None if tls is None else (tls, name),
            )
        finally:
            self.opening_since = None
        self._proposed = dict.fromkeys(contexts)

    def send(self, path: str) -> str:
        """Send an object with C-STORE: see `Sender`."""
        association = self._association
        assert association is not None
        with OpenSource(path) as source:
            head = read_head(source)
        sop_class, instance, syntax = (
            head.read_text(tag)
            for tag in (
                tags.MEDIA_STORAGE_SOP_CLASS_UID,
                tags.MEDIA_STORAGE_SOP_INSTANCE_UID,
                tags.TRANSFER_SYNTAX_UID,
            )
        )
        context = association.accepted.get((sop_class, syntax))
        if context is None:
            raise PeerRefusedError("the peer does not accept the object's SOP class and syntax")
        self.used = True
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - it is hot
            size = os.fstat(file.fileno()).st_size - head.data_set_start
            file.seek(head.data_set_start)
            answer = association.store(context, sop_class, instance, file, size)
        status = read_status(answer)
        if status is None:
            self.close()
            raise AssociationBrokenError("the peer did not answer for the object")
        if status in _ACCEPTED:
            return f"status 0x{status:04X}" if status else ""
        words = answer.get(ERROR_COMMENT, b"")[:_LONGEST_COMMENT].decode("latin-1").strip("\0 ")
        text = f"status 0x{status:04X}" + (f": {words}" if words else "")
        if status >> 8 == 0xA7:
            raise PeerUnavailableError(f"the peer lacks resources, {text}")
        raise PeerRefusedError(f"the peer refuses the object, {text}")

    def echo(self) -> None:
        """Verify the peer with C-ECHO: see `Sender`."""
        if not self.open:
            self._connect([])
        assert self._association is not None
        context = self._association.accepted.get(_VERIFICATION_CONTEXT)
        if context is None or self._association.echo(context) != 0:
            raise PeerUnavailableError("the peer did not answer C-ECHO")

    def close(self) -> None:
        """Release the association, if there is one."""
        association, self._association, self.used = self._association, None, False
        if association is not None:
            association.release()
