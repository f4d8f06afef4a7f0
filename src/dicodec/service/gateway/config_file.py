"""Parse the configuration of a gateway, a TOML file."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from dicodec.batch.policy.conditions import check_keys, parse_named_size
from dicodec.batch.policy.options import OptionChanges, parse_options
from dicodec.batch.policy.policy import load_policy, parse_conditions
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.model.settings_files import read_settings
from dicodec.model.transfer_syntax import Loss, TransferSyntax, find_by_name
from dicodec.options import UNDECIDED
from dicodec.service.gateway.config import (
    ANYBODY,
    DimseAddress,
    GatewayConfig,
    Peer,
    ReceiveOptions,
    Route,
    StowAddress,
)
from dicodec.service.gateway.config_table import ConfigTable

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

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


def load_config(path: str) -> GatewayConfig:
    """Load the configuration in a file; its relative paths are those beside it.

    Raises:
        InvalidOptionError: it cannot be read; the error names the table and the key at fault.
    """
    try:
        text = read_settings(path).decode("utf-8")
    except OSError as cause:
        raise InvalidOptionError(
            f"the configuration cannot be read: {cause.strerror or cause}", path=path
        ) from cause
    except UnicodeDecodeError as cause:
        raise InvalidOptionError("the configuration is not UTF-8", path=path) from cause
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
    receive = _parse_receive(ConfigTable(given.get("receive", {}), "[receive]", folder))
    peers: dict[str, Peer] = {}
    for number, each in enumerate(_list_tables(given, "peer"), 1):
        peer = _parse_peer(ConfigTable(each, f"[[peer]] {number}", folder))
        if peer.name in peers:
            raise InvalidOptionError(f"two peers have the name {peer.name!r}")
        peers[peer.name] = peer
    routes = tuple(
        _parse_route(ConfigTable(each, f"[[route]] {number}", folder), peers)
        for number, each in enumerate(_list_tables(given, "route"), 1)
    )
    return GatewayConfig(receive, routes, peers)


def _list_tables(given: dict[str, Any], key: str) -> list[dict[str, Any]]:
    tables = given.get(key, [])
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise InvalidOptionError(f"a configuration has {key}s", hint=f"each begins with [[{key}]]")
    return tables


def _parse_receive(table: ConfigTable) -> ReceiveOptions:
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
        reserve=parse_named_size(reserve, f"{table.where}: reserve"),
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


def _parse_senders(table: ConfigTable) -> Mapping[str, tuple[str, ...]] | None:
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


def _parse_reports(table: ConfigTable) -> Mapping[str, DimseAddress]:
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


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _parse_route(table: ConfigTable, peers: Mapping[str, Peer]) -> Route:
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


def _parse_peer(table: ConfigTable) -> Peer:
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


def _parse_dimse(table: ConfigTable) -> DimseAddress:
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


def _parse_stow(table: ConfigTable) -> StowAddress:
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


def _find_syntax(text: str, table: ConfigTable) -> TransferSyntax:
    syntax = find_by_name(text)
    if syntax is None or not syntax.writes:
        raise InvalidOptionError(
            f"{table.where}: prefer: {text!r} is not a transfer syntax that can be written",
            hint="`dicodec syntaxes` lists them",
        )
    return syntax


def _parse_changes(table: ConfigTable) -> OptionChanges | None:
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


def _check_losses(peer: Peer, table: ConfigTable) -> None:
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
