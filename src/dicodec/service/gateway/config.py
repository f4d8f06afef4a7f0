"""The configuration of a gateway: who may send, which routes, which peers."""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Mapping

from dicodec.batch.policy.options import OptionChanges
from dicodec.batch.policy.policy import Condition
from dicodec.model.records import dataclass, field
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.options import UNDECIDED, ConversionOptions

ANYBODY = "any"
"""Value of `peers` that lets every AE title and address send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """Files for TLS, as absolute paths in PEM.

    Attributes:
        cert, key: our certificate and its key; a receiver has them, a sender may.
        ca: certificates that the other side's must descend from; a receiver with it asks each
            sender for a certificate.
        name: name in the peer's certificate, if it is not the host.
    """

    cert: str | None = None
    key: str | None = None
    ca: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class DimseAddress:
    """The address of a peer on the DICOM network.

    Attributes:
        host, port, aet: host, TCP port and AE title.
        commit: seconds within which it has to commit to the storage of an object, or gets it
            again; None if its Success is enough.
    """

    host: str
    port: int
    aet: str
    commit: float | None = None

    def __str__(self) -> str:
        return f"{self.aet} at {self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveOptions:
    """Options of the receiver.

    Attributes:
        aet: our AE title, 1 to 16 characters.
        address: address to listen on.
        port: TCP port; 0 for any free one.
        spool: absolute path of the folder for objects that are not forwarded yet.
        processes: processes that receive.
        associations: associations at once, of all processes.
        reserve: bytes of the disk that stay free.
        private: whether to take objects of SOP classes that the standard does not have.
        peers: addresses or networks by AE titles of senders, which may have wildcards; None if
            everybody may send.
        tls: files for TLS; None for plain TCP.
        reports: where senders take answers about storage commitment, by their AE titles.
        keep: seconds that finished jobs are remembered: that long an object is not forwarded twice,
            and storage commitment says yes for it.
    """

    aet: str
    address: str = "127.0.0.1"
    port: int = 11112
    spool: str = ""
    processes: int = 2
    associations: int = 50
    reserve: int = 1 << 30
    private: bool = False
    peers: Mapping[str, tuple[str, ...]] | None = field(default_factory=dict)
    tls: TlsOptions | None = None
    reports: Mapping[str, DimseAddress] = field(default_factory=dict)
    keep: float = 30 * 86400.0

    def lets_send(self, title: str, address: str) -> bool:
        """Return whether a sender with an AE title may send from an address."""
        if self.peers is None:
            return True
        return any(
            fnmatch.fnmatchcase(title, pattern)
            and any(_is_within(address, network) for network in networks)
            for pattern, networks in self.peers.items()
        )


@dataclass(frozen=True, slots=True)
class Route:
    """A route: which objects go to which peers, by which policy.

    Attributes:
        senders: pattern of the sender's AE title.
        conditions: conditions on the object, as those of a policy's rule; all must hold.
        policy: name of a profile, or path of a policy; None for none.
        peers: names of the peers.
    """

    senders: str
    conditions: tuple[Condition, ...]
    policy: str | None
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StowAddress:
    """The address of a DICOMweb server that takes objects by STOW-RS (PS3.18 10.5).

    Attributes:
        url: base URL of its services, to which /studies is added.
        token_file: file with a bearer token; None for none.
    """

    url: str
    token_file: str | None = None

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A receiver of objects.

    Attributes:
        name: its name here, 1 to 32 letters, digits, hyphens and underscores.
        address: where it is.
        prefer: transfer syntaxes that it should get, the first preferred; empty if objects should
            stay as they are.
        changes: options of conversions for it.
        lossless_only: never offer a lossy transfer syntax, except for objects that are in one.
        associations: associations at once at most.
        linger: seconds that an idle association stays open.
        timeout: seconds that it may take to answer.
        tls: files for TLS; None for plain TCP.
    """

    name: str
    address: DimseAddress | StowAddress
    prefer: tuple[TransferSyntax, ...] = ()
    changes: OptionChanges | None = None
    lossless_only: bool = False
    associations: int = 2
    linger: float = 5.0
    timeout: float = 60.0
    tls: TlsOptions | None = None

    def make_options(self) -> ConversionOptions:
        """Return the options of conversions for it; `to` is undecided."""
        base = ConversionOptions(to=UNDECIDED, verify=True)
        return base if self.changes is None else self.changes.apply(base)


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """The configuration of a gateway.

    Attributes:
        receive: options of the receiver.
        routes: routes; an object goes to the peers of all that match.
        peers: peers by name.
    """

    receive: ReceiveOptions
    routes: tuple[Route, ...]
    peers: Mapping[str, Peer]


def _is_within(address: str, network: str) -> bool:
    if network == ANYBODY:
        return True
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found) in ipaddress.ip_network(network, strict=False)
