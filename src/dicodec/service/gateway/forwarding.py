"""Forward one object: negotiate with the peer, convert as it accepts, send, mark as sent."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache

from dicodec.batch.policy.policy import Policy, load_policy
from dicodec.batch.pool.messages import WorkOfModule
from dicodec.errors import PeerUnavailableError
from dicodec.service.gateway.config import Peer
from dicodec.service.gateway.conversion import ConversionTask
from dicodec.service.gateway.offers import Offer, make_offer, read_reference
from dicodec.service.gateway.sender import PeerDownError, Sender, SyntaxRefusedError
from dicodec.service.gateway.spool import Spool
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.execution_work import ConversionResult
from dicodec.service.jobs.messages import Request

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.service.gateway.commitment import Reference

type NoteReference = Callable[[Reference], None]
"""Called with what a peer got."""

_CONVERT = WorkOfModule("dicodec.service.gateway.conversion", "convert_for_peer")


class Forwarder:
    """Forwards objects to one peer; any thread may call it, with a sender of its own.

    Args:
        peer: the peer.
        spool: the spool.
        executor: converts objects.
    """

    def __init__(self, peer: Peer, spool: Spool, executor: Executor) -> None:
        self._peer = peer
        self._spool = spool
        self._executor = executor

    def forward(
        self, request: Request, sender: Sender, note: NoteReference | None = None
    ) -> ConversionResult:
        """Bring an object to the peer.

        Args:
            request: the request of the delivery's job.
            sender: a way to the peer.
            note: told of each object sent, if its storage commitment is to be asked for; otherwise
                the object is marked as sent.

        Raises:
            PeerDownError: the peer takes nothing at the moment.
            DicodecError: the object cannot be delivered.
        """
        started = time.monotonic()
        path = str(self._spool.find_object(request.id))
        policy = None if request.policy is None else _load_policy(request.policy)
        offer = make_offer(path, self._peer, policy)
        size = os.stat(path).st_size  # noqa: PTH116 - it is hot
        while True:
            try:
                report, warning, seconds = self._send(request.id, path, offer, sender, note)
                break
            except SyntaxRefusedError:  # the sender does not offer it again
                continue
        total = time.monotonic() - started
        described: dict[str, Any] = {
            "action": "sent as it is",
            "source_syntax": offer.stored.name,
            "target_syntax": offer.stored.name,
            "source_size": size,
            "target_size": size,
            **(report or {}),
            "seconds": {**(report or {}).get("seconds", {}), "send": seconds, "total": total},
        }
        for name in ("source", "target"):
            described.pop(name, None)
        if warning:
            described["warnings"] = [*described.get("warnings", []), warning]
        return ConversionResult(described, None)

    def _send(
        self, job: str, path: str, offer: Offer, sender: Sender, note: NoteReference | None
    ) -> tuple[dict[str, Any] | None, str, float]:
        """Convert an object as the peer's acceptance asks, and send it.

        Returns:
            The report of the conversion, None if there was none, the peer's warning, and the
            seconds that sending took.
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
                self._negotiate(sender, offer)  # a conversion may outlast an association
            sent = path if report is None else str(result)
            began = time.monotonic()
            warning = self._send_file(sent, offer, sender)
            seconds = time.monotonic() - began
            if note is None:
                self._spool.mark_sent(job)
            else:
                note(read_reference(sent))
        finally:
            if choice.to:
                result.unlink(missing_ok=True)
        return report, warning, seconds

    def _send_file(self, sent: str, offer: Offer, sender: Sender) -> str:
        used = sender.used
        try:
            return sender.send(sent)
        except PeerUnavailableError as error:
            if not used or sender.open or isinstance(error, PeerDownError):
                raise
            self._negotiate(sender, offer)  # the peer had ended an idle one
            return sender.send(sent)

    def _negotiate(self, sender: Sender, offer: Offer) -> set[str]:
        return sender.negotiate(offer.sop_class, [syntax.uid for syntax in offer.order])

    def _convert(self, task: ConversionTask) -> dict[str, Any] | None:
        (future,) = self._executor.run(_CONVERT, None, [task], [None])
        report: dict[str, Any] | None = future.result()
        return report


@lru_cache(maxsize=64)
def _load_policy(name: str) -> Policy:
    return load_policy(name)
