"""Choose the transfer syntaxes that a peer is offered for an object, and one that it accepts."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dicodec.batch.policy.policy import Policy
from dicodec.errors import PeerRefusedError, ReadError, UnknownTransferSyntaxError
from dicodec.model import tags
from dicodec.model.records import dataclass
from dicodec.model.transfer_syntax import (
    EXPLICIT_LE,
    IMPLICIT_LE,
    Loss,
    TransferSyntax,
    find_by_name,
    find_by_uid,
)
from dicodec.options import ConversionOptions
from dicodec.part10.file_meta import read_head
from dicodec.part10.source import OpenSource
from dicodec.repair.opening import open_tolerantly
from dicodec.service.gateway.config import Peer

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.service.gateway.commitment import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The transfer syntaxes that an object can be sent in, the first preferred.

    Attributes:
        sop_class: SOP Class UID.
        stored: the one that it is in.
        order: all of them.
        options: options of a conversion; `to` is not decided.
        edits: whether attributes change, so that the object cannot be sent as it is.
        rule: name of the policy's rule; None without a policy.
    """

    sop_class: str
    stored: TransferSyntax
    order: tuple[TransferSyntax, ...]
    options: ConversionOptions
    edits: bool = False
    rule: str | None = None

    def choose(self, accepted: Collection[str]) -> Choice:
        """Choose by the peer's acceptance.

        Args:
            accepted: UIDs of the transfer syntaxes that the peer accepts for the object's class.

        Raises:
            PeerRefusedError: it accepts none of those that the object can be in.
        """
        ranked = [syntax for syntax in self.order if syntax.uid in accepted]
        if not ranked:
            names = ", ".join(syntax.name for syntax in self.order)
            raise PeerRefusedError(f"the peer accepts none of {names} for this SOP class")
        at = ranked.index(self.stored) if self.stored in ranked else len(ranked)
        before, rest = _name(ranked[:at]), _name(ranked[at:])
        if not self.edits:
            return Choice(before, kept=self.stored in ranked)
        return Choice(before, otherwise=rest) if before else Choice(rest)


@dataclass(frozen=True, slots=True)
class Choice:
    """The fate of an object before it is sent.

    Attributes:
        to: transfer syntaxes to convert to, the first that holds the image; empty for none.
        otherwise: those to convert to if none of them does.
        kept: whether the object is sent as it is if none of them does.
    """

    to: tuple[str, ...]
    otherwise: tuple[str, ...] = ()
    kept: bool = False


def _name(syntaxes: Iterable[TransferSyntax]) -> tuple[str, ...]:
    return tuple(syntax.name for syntax in syntaxes if syntax.writes)


def make_offer(path: str, peer: Peer, policy: Policy | None) -> Offer:
    """Return the offer for an object: the policy's wish, then the peer's, then as it is stored.

    An object in one of the wanted transfer syntaxes stays as it is. Every peer is offered the
    native ones, too, because each has to take implicit VR little endian (PS3.5 10.1).

    Args:
        path: the object as a file.
        peer: the peer.
        policy: policy of the route; None for none.

    Raises:
        ReadError: the object cannot be read.
    """
    options = peer.make_options()
    try:
        with open_tolerantly(path, options.limits) as file:
            sop_class = file.head.read_text(tags.MEDIA_STORAGE_SOP_CLASS_UID)
            sop_class = sop_class or file.data_set.read_text(tags.SOP_CLASS_UID)
            stored = file.syntax
            choice = None if policy is None else policy.choose_for(file, options)
    except ReadError:
        if policy is not None or peer.changes is not None:  # its edits cannot be made
            raise
        return _offer_unread(path, options)
    wanted: tuple[TransferSyntax, ...] = peer.prefer
    if choice is not None:
        if choice.options is None:
            wanted = ()
        else:
            options = choice.options
            named = tuple(found for name in options.to if (found := find_by_name(name)))
            wanted = (*named, *peer.prefer)
    if stored in wanted:
        wanted = (stored, *(syntax for syntax in wanted if syntax != stored))
    order = dict.fromkeys((*wanted, stored, EXPLICIT_LE, IMPLICIT_LE))
    if peer.lossless_only:
        order = {
            syntax: None for syntax in order if syntax is stored or syntax.loss is not Loss.ALWAYS
        }
    return Offer(
        sop_class=sop_class,
        stored=stored,
        order=tuple(order),
        options=options,
        edits=_has_edits(options),
        rule=None if choice is None else choice.rule,
    )


def _offer_unread(path: str, options: ConversionOptions) -> Offer:
    """Return the offer for an object whose data set cannot be read: it can go as it is.

    Raises:
        ReadError: its file meta does not identify it.
    """
    with OpenSource(path) as source:
        head = read_head(source, options.limits)
    stored = find_by_uid(head.read_text(tags.TRANSFER_SYNTAX_UID))
    if stored is None:
        raise UnknownTransferSyntaxError("the file meta names no known transfer syntax", path=path)
    return Offer(
        sop_class=head.read_text(tags.MEDIA_STORAGE_SOP_CLASS_UID),
        stored=stored,
        order=(stored,),
        options=options,
    )


def read_reference(path: str) -> Reference:
    """Return the UIDs of an object's SOP class and SOP instance, by its file meta."""
    with OpenSource(path) as source:
        head = read_head(source)
    return (
        head.read_text(tags.MEDIA_STORAGE_SOP_CLASS_UID),
        head.read_text(tags.MEDIA_STORAGE_SOP_INSTANCE_UID),
    )


def _has_edits(options: ConversionOptions) -> bool:
    return bool(
        options.set_attributes
        or options.remove_attributes
        or options.standardize
        or options.charset
    )
