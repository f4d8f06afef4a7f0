"""Choose the sender of a peer by its address; only the packages that it needs are loaded."""

from __future__ import annotations

from dicodec.service.gateway.config import Peer, StowAddress
from dicodec.service.gateway.sender import Sender


def make_sender(peer: Peer, title: str) -> Sender:
    """Return a sender for a peer.

    Args:
        peer: the peer.
        title: our AE title.
    """
    if isinstance(peer.address, StowAddress):
        from dicodec.service.gateway.stow_sender import StowSender

        return StowSender(peer, peer.address)
    from dicodec.service.gateway.dimse_sender import DimseSender

    return DimseSender(peer, peer.address, title)
