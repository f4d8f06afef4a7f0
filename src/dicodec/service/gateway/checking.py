"""Explain a gateway's configuration: ask each peer, and say how each would get a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dicodec.batch.policy.policy import load_policy
from dicodec.errors import DicodecError
from dicodec.model.records import dataclass
from dicodec.model.transfer_syntax import find_by_uid
from dicodec.service.gateway.config import GatewayConfig, Peer
from dicodec.service.gateway.conversion import ConversionTask, plan_for_peer
from dicodec.service.gateway.offers import make_offer
from dicodec.service.gateway.routing import find_destinations
from dicodec.service.gateway.sender_choice import make_sender


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAnswer:
    """How a peer answers C-ECHO, or a server a request.

    Attributes:
        peer: its name.
        address: where it is, for people.
        error: why it does not; None if it does.
    """

    peer: str
    address: str
    error: DicodecError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The form in which a peer would get a file.

    Attributes:
        source: path of the file.
        peer: name of the peer; None if no route matches the file.
        policy: policy of the route; None for none.
        rule: rule of the policy that matches the file; None for none.
        stored: transfer syntax of the file.
        offered: transfer syntaxes that the peer is offered, the first preferred.
        accepted: those that it accepts.
        action: done to the file; "" if there is an error.
        target: transfer syntax that it gets; None if there is an error.
        error: why it gets nothing; None if it gets something.
    """

    source: str
    peer: str | None = None
    policy: str | None = None
    rule: str | None = None
    stored: str | None = None
    offered: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    action: str = ""
    target: str | None = None
    error: DicodecError | None = None


def ask_peers(config: GatewayConfig) -> Iterator[PeerAnswer]:
    """Yield the answer of each peer."""
    for peer in config.peers.values():
        address = str(peer.address)
        sender = make_sender(peer, config.receive.aet)
        try:
            sender.echo()
        except DicodecError as error:
            yield PeerAnswer(peer=peer.name, address=address, error=error)
        else:
            yield PeerAnswer(peer=peer.name, address=address)
        finally:
            sender.close()


def explain(config: GatewayConfig, path: str, sender: str) -> Iterator[Explanation]:
    """Yield the form in which each peer would get a file; nothing is sent.

    Each peer is asked, in an association, which transfer syntaxes it accepts.

    Args:
        config: the configuration.
        path: the file.
        sender: AE title that it would come from.
    """
    destinations = find_destinations(config, sender, path)
    if not destinations:
        yield Explanation(source=path)
    for one in destinations:
        yield _explain(config, path, config.peers[one.peer], one.policy)


def _explain(config: GatewayConfig, path: str, peer: Peer, policy: str | None) -> Explanation:
    known: dict[str, object] = {"source": path, "peer": peer.name, "policy": policy}
    sender = make_sender(peer, config.receive.aet)
    try:
        offer = make_offer(path, peer, None if policy is None else load_policy(policy))
        known |= {"rule": offer.rule, "stored": offer.stored.name}
        known["offered"] = tuple(syntax.name for syntax in offer.order)
        taken = sender.negotiate(offer.sop_class, [syntax.uid for syntax in offer.order])
        known["accepted"] = tuple(
            syntax.name for uid in taken if (syntax := find_by_uid(uid)) is not None
        )
        choice = offer.choose(taken)
        report: Mapping[str, object] | None = None
        if choice.to:
            task = ConversionTask(
                source=path,
                target="",
                options=offer.options,
                to=choice.to,
                otherwise=choice.otherwise,
                kept=choice.kept,
            )
            report = plan_for_peer(task)
        if report is None:
            known |= {"action": "sent as it is", "target": offer.stored.name}
        else:
            known |= {"action": report["action"], "target": report["target_syntax"]}
    except DicodecError as error:
        known["error"] = error
    finally:
        sender.close()
    return Explanation(**known)  # type: ignore[arg-type]
