"""The interface of senders, of which there is one for each way to a peer."""

from __future__ import annotations

from collections.abc import Sequence

from dicodec.errors import PeerRefusedError, PeerUnavailableError
from dicodec.model.records import Protocol


class PeerDownError(PeerUnavailableError):
    """A peer takes nothing at the moment: this is no fault of an object.

    Attributes:
        retry_after: seconds until it wants to be tried again; 0 if it does not say.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SyntaxRefusedError(PeerRefusedError):
    """A peer that cannot say so before refuses the transfer syntax of an object."""


class Sender(Protocol):
    """A way to a peer, opened when it is needed; one thread uses it.

    Attributes:
        used: whether it is open and something was sent since, so that the peer may have ended it.
        opening_since: since when it waits for the peer to open it, by `time.monotonic`; None if it
            does not.
    """

    used: bool
    opening_since: float | None

    @property
    def open(self) -> bool:
        """Whether it is open."""

    def negotiate(self, sop_class: str, syntaxes: Sequence[str]) -> set[str]:
        """Open it unless it is, and return which transfer syntaxes the peer accepts for a class.

        Raises:
            PeerDownError: the peer takes nothing at the moment.
        """

    def send(self, path: str) -> str:
        """Send an object in the transfer syntax that its file is in.

        Returns:
            The peer's warning; "" for none.

        Raises:
            PeerDownError: the peer takes nothing at the moment.
            PeerUnavailableError: this attempt failed, for a cause that may pass.
            SyntaxRefusedError: another transfer syntax may be taken.
            PeerRefusedError: the peer refuses the object.
        """

    def echo(self) -> None:
        """Ask whether the peer is there.

        Raises:
            PeerUnavailableError: it does not answer as it should.
        """

    def close(self) -> None:
        """Close it, if it is open."""
