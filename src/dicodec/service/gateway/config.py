"""Parse the configuration of a gateway, a TOML file: who may send, which routes, which peers."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from dicodec.batch.policy.conditions import check_keys, parse_size
from dicodec.batch.policy.options import OptionChanges, parse_options
from dicodec.batch.policy.policy import Condition, load_policy, parse_conditions
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.model.records import dataclass, field
from dicodec.model.transfer_syntax import Loss, TransferSyntax, find_by_name
from dicodec.options import UNDECIDED, ConversionOptions

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

ANYBODY = "any"
"""Value of `peers` that lets every AE title and address send."""

_LONGEST_TITLE = 16
_COMMIT_SECONDS = 3600.0
"""Seconds that a peer has for storage commitment by default."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_RECEIVE_KEYS = (
    "aet", "address", "port", "spool", "processes", "associations", "reserve", "private", "peers",
    "tls", "keep", "reports",
)  # fmt: skip
_ROUTE_KEYS = ("from", "when", "policy", "to")
_ADDRESS_KEYS = {
    "dimse": ("host", "port", "aet", "commit"),
    "stow": ("url", "token_file"),
}
"""Keys of an address, by kind of the peer."""

_PEER_KEYS = (
    "name", "kind", "prefer", "lossless_only", "options", "associations",
    "linger", "timeout", "tls",
)  # fmt: skip
_TLS_KEYS = ("cert", "key", "ca", "name")


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
        commit: seconds within which it has to commit to the storage of what it got, or gets it
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


def load_config(path: str) -> GatewayConfig:
    """Load the configuration in a file; its relative paths are those beside it.

    Raises:
        InvalidOptionError: it cannot be read; the error names the table and the key at fault.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise InvalidOptionError(f"the configuration cannot be read: {cause}", path=path) from cause
    try:
        return parse_config(text, Path(path).absolute().parent)
    except InvalidOptionError as error:
        error.with_location(path=path)
        raise


def parse_config(text: str, folder: Path) -> GatewayConfig:
    """Parse a configuration in TOML.

    Args:
        text: the configuration.
        folder: folder that relative paths start from.

    Raises:
        InvalidOptionError: a key is missing or unknown, or a value has no meaning.
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise InvalidOptionError(f"the configuration is not TOML: {cause}") from cause
    check_keys(given, ("receive", "route", "peer"), "a configuration has no table")
    receive = _parse_receive(_Table(given.get("receive", {}), "[receive]", folder))
    peers: dict[str, Peer] = {}
    for number, each in enumerate(_list_tables(given, "peer"), 1):
        peer = _parse_peer(_Table(each, f"[[peer]] {number}", folder))
        if peer.name in peers:
            raise InvalidOptionError(f"two peers have the name {peer.name!r}")
        peers[peer.name] = peer
    routes = tuple(
        _parse_route(_Table(each, f"[[route]] {number}", folder), peers)
        for number, each in enumerate(_list_tables(given, "route"), 1)
    )
    return GatewayConfig(receive, routes, peers)


def _list_tables(given: dict[str, Any], key: str) -> list[dict[str, Any]]:
    tables = given.get(key, [])
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise InvalidOptionError(f"a configuration has {key}s", hint=f"each begins with [[{key}]]")
    return tables


class _Table:
    """A table of the configuration; its getters check types and name the key in errors."""

    def __init__(self, given: Any, where: str, folder: Path) -> None:
        if not isinstance(given, dict):
            raise InvalidOptionError(f"{where} is a table")
        self.given = given
        self.where = where
        self._folder = folder

    def check_keys(self, known: tuple[str, ...]) -> None:
        check_keys(self.given, known, f"{self.where} has no key")

    def read_text(self, key: str, default: str | None = None) -> str:
        value = self.given.get(key, default)
        if value is None:
            raise InvalidOptionError(f"{self.where} has no {key}")
        if not isinstance(value, str) or not value:
            raise self._refuse(key, "text")
        return value

    def read_title(self, key: str, default: str | None = None) -> str:
        title = self.read_text(key, default).strip()
        if not 0 < len(title) <= _LONGEST_TITLE or not title.isascii() or "\\" in title:
            raise self._refuse(key, f"an AE title has 1 to {_LONGEST_TITLE} characters of ASCII")
        return title

    def read_number(self, key: str, default: float | None, lowest: float, highest: float) -> float:
        value = self.given.get(key, default)
        if value is None:
            raise InvalidOptionError(f"{self.where} has no {key}")
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not lowest <= value <= highest
        ):
            raise self._refuse(key, f"{lowest:g} to {highest:g}")
        return value

    def read_count(self, key: str, default: int | None, lowest: int, highest: int) -> int:
        value = self.read_number(key, default, lowest, highest)
        if not isinstance(value, int):
            raise self._refuse(key, "a whole number")
        return value

    def read_flag(self, key: str) -> bool:
        value = self.given.get(key, False)
        if not isinstance(value, bool):
            raise self._refuse(key, "true or false")
        return value

    def read_texts(self, key: str) -> tuple[str, ...]:
        value = self.given.get(key, [])
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
            raise self._refuse(key, "a list of texts")
        return tuple(texts)

    def read_path(self, key: str, *, exists: bool = False) -> str:
        path = self._folder / self.read_text(key)
        if exists and not path.is_file():
            raise InvalidOptionError(f"{self.where}: {key}: there is no such file", path=str(path))
        return str(path)

    def read_tls(self, *, receives: bool) -> TlsOptions | None:
        if "tls" not in self.given:
            return None
        table = _Table(self.given["tls"], f"{self.where} tls", self._folder)
        table.check_keys(_TLS_KEYS)
        files = {
            key: table.read_path(key, exists=True)
            for key in ("cert", "key", "ca")
            if key in table.given
        }
        if receives or "cert" in files or "key" in files:
            for key in ("cert", "key"):
                table.read_text(key)
        name = table.read_text("name") if "name" in table.given else None
        return TlsOptions(**files, name=name)

    def _refuse(self, key: str, wanted: str) -> InvalidOptionError:
        return InvalidOptionError(f"{self.where}: {key} is {self.given.get(key)!r}; it is {wanted}")


def _parse_receive(table: _Table) -> ReceiveOptions:
    table.check_keys(_RECEIVE_KEYS)
    reserve = table.read_text("reserve", "1 GB")
    address = table.read_text("address", "127.0.0.1")
    options = ReceiveOptions(
        aet=table.read_title("aet"),
        address=address,
        port=table.read_count("port", 11112, 0, 65535),
        spool=table.read_path("spool"),
        processes=table.read_count("processes", 2, 1, 64),
        associations=table.read_count("associations", 50, 1, 10_000),
        reserve=parse_size(reserve, f"{table.where}: reserve"),
        private=table.read_flag("private"),
        peers=_parse_senders(table),
        tls=table.read_tls(receives=True),
        reports=_parse_reports(table),
        keep=table.read_number("keep", 30, 0, 36_500) * 86400,
    )
    if not options.peers and options.peers is not None and not _is_loopback(address):
        raise InvalidOptionError(
            f"[receive]: without peers {address} would be open to everybody who can reach it",
            hint=f'peers = {{CT1 = "10.0.0.5"}}, or peers = "{ANYBODY}"',
        )
    return options if options.peers else _open_to_all(options)


def _open_to_all(options: ReceiveOptions) -> ReceiveOptions:
    from dicodec.model.records import replace

    return replace(options, peers=None)


def _parse_senders(table: _Table) -> Mapping[str, tuple[str, ...]] | None:
    given = table.given.get("peers", {})
    if given == ANYBODY:
        return None
    if not isinstance(given, dict):
        raise InvalidOptionError(
            f"{table.where}: peers is {given!r}",
            hint=f'a table of addresses by AE titles, such as {{CT1 = "10.0.0.5"}}, or "{ANYBODY}"',
        )
    found = {}
    for title, networks in given.items():
        listed = [networks] if isinstance(networks, str) else networks
        if not isinstance(listed, list):
            raise InvalidOptionError(f"{table.where}: peers.{title} is {networks!r}")
        for network in listed:
            _check_network(network, f"{table.where}: peers.{title}")
        found[title] = tuple(listed)
    return found


def _parse_reports(table: _Table) -> Mapping[str, DimseAddress]:
    given = table.given.get("reports", {})
    found = {}
    for title, text in given.items() if isinstance(given, dict) else [("", given)]:
        host, _, port = str(text).rpartition(":")
        if not title or not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise InvalidOptionError(
                f"{table.where}: reports is {given!r}", hint='such as {CT1 = "10.0.0.5:104"}'
            )
        found[title] = DimseAddress(host.strip("[]"), int(port), title)
    return found


def _check_network(network: Any, where: str) -> None:
    if network == ANYBODY:
        return
    try:
        ipaddress.ip_network(network, strict=False)
    except ValueError as cause:
        raise InvalidOptionError(
            f"{where}: {network!r} is not an address or a network",
            hint=f'such as 10.0.0.5, 10.0.0.0/24 or "{ANYBODY}"',
        ) from cause


def _is_within(address: str, network: str) -> bool:
    if network == ANYBODY:
        return True
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found) in ipaddress.ip_network(network, strict=False)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _parse_route(table: _Table, peers: Mapping[str, Peer]) -> Route:
    table.check_keys(_ROUTE_KEYS)
    names = table.read_texts("to")
    if not names:
        raise InvalidOptionError(f"{table.where} has no to", hint='such as to = ["PACS"]')
    for name in names:
        if name not in peers:
            raise InvalidOptionError(
                f"{table.where}: to: there is no peer {name!r}",
                hint=f"there are {', '.join(peers)}",
            )
    policy = table.read_text("policy") if "policy" in table.given else None
    try:
        conditions = parse_conditions(table.given.get("when", {}))
        if policy is not None:
            if policy.endswith(".toml"):
                policy = table.read_path("policy")
            load_policy(policy)
    except DicodecError as error:
        error.with_context(table.where)
        raise
    return Route(table.read_text("from", "*"), conditions, policy, names)


def _parse_peer(table: _Table) -> Peer:
    kind = table.read_text("kind", "dimse")
    if kind not in _ADDRESS_KEYS:
        raise InvalidOptionError(
            f"{table.where}: kind is {kind!r}", hint=f"there are {', '.join(_ADDRESS_KEYS)}"
        )
    table.check_keys((*_PEER_KEYS, *_ADDRESS_KEYS[kind]))
    name = table.read_text("name")
    if not _NAME.fullmatch(name):
        raise InvalidOptionError(
            f"{table.where}: name is {name!r}",
            hint="1 to 32 letters, digits, hyphens and underscores",
        )
    prefer = tuple(_find_syntax(text, table) for text in table.read_texts("prefer"))
    lossless_only = table.read_flag("lossless_only")
    changes = _parse_changes(table)
    peer = Peer(
        name=name,
        address=_parse_dimse(table) if kind == "dimse" else _parse_stow(table),
        prefer=prefer,
        changes=changes,
        lossless_only=lossless_only,
        associations=table.read_count("associations", 2, 1, 64),
        linger=table.read_number("linger", 5, 0, 3600),
        timeout=table.read_number("timeout", 60, 1, 86_400),
        tls=table.read_tls(receives=False),
    )
    _check_losses(peer, table)
    return peer


def _parse_dimse(table: _Table) -> DimseAddress:
    commit = table.given.get("commit", False)
    seconds = (
        table.read_number("commit", None, 1, 30 * 86_400)
        if commit not in {True, False}
        else (_COMMIT_SECONDS if commit else None)
    )
    return DimseAddress(
        host=table.read_text("host"),
        port=table.read_count("port", 104, 1, 65535),
        aet=table.read_title("aet"),
        commit=seconds,
    )


def _parse_stow(table: _Table) -> StowAddress:
    url = table.read_text("url").rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        raise InvalidOptionError(
            f"{table.where}: url is {url!r}", hint="such as https://pacs.example/dicom-web"
        )
    if "token_file" not in table.given:
        return StowAddress(url)
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidOptionError(
            f"{table.where}: over http everybody on the way could read the token", hint="https://"
        )
    return StowAddress(url, table.read_path("token_file", exists=True))


def _find_syntax(text: str, table: _Table) -> TransferSyntax:
    syntax = find_by_name(text)
    if syntax is None or not syntax.writes:
        raise InvalidOptionError(
            f"{table.where}: prefer: {text!r} is not a transfer syntax that can be written",
            hint="`dicodec syntaxes` lists them",
        )
    return syntax


def _parse_changes(table: _Table) -> OptionChanges | None:
    given = table.given.get("options", {})
    if not given:
        return None
    if not isinstance(given, dict):
        raise InvalidOptionError(f"{table.where}: options is a table", hint="options.quality = 90")
    for key in ("to", "keep"):
        if key in given:
            raise InvalidOptionError(f"{table.where}: options has no {key}", hint="prefer")
    try:
        changes = parse_options({**given, "to": [*UNDECIDED]})
    except InvalidOptionError as error:
        error.with_context(f"{table.where}: options")
        raise
    assert changes is not None
    return changes


def _check_losses(peer: Peer, table: _Table) -> None:
    """Refuse a preferred syntax that every conversion to would be refused.

    Raises:
        InvalidOptionError: it loses information, and nobody has allowed that.
    """
    options = peer.make_options()
    allowed = options.lossy or any(
        getattr(options, name) is not None for name in ("quality", "near", "ratio", "psnr")
    )
    for syntax in peer.prefer:
        if syntax.loss is not Loss.ALWAYS:
            continue
        if peer.lossless_only:
            raise InvalidOptionError(
                f"{table.where}: prefer has {syntax.name}, which is lossy, and lossless_only is set"
            )
        if not allowed:
            raise InvalidOptionError(
                f"{table.where}: prefer has {syntax.name}, which loses information",
                hint="options.lossy = true, or options.quality = 90, allows it",
            )
