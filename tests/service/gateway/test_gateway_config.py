"""The configuration of a gateway: what is refused, and where the error says it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicodec.errors import InvalidOptionError
from dicodec.service.gateway.config import DimseAddress, StowAddress
from dicodec.service.gateway.config_file import load_config, parse_config

RECEIVE = '[receive]\naet = "DICODEC"\nspool = "spool"\n'
ROUTE = '[[route]]\nto = ["P"]\n'
PEER = '[[peer]]\nname = "P"\nhost = "10.0.0.9"\naet = "PACS"\n'
WEB = '[[peer]]\nname = "P"\nkind = "stow"\n'


def test_defaults_are_safe(tmp_path: Path) -> None:
    config = parse_config(RECEIVE + ROUTE + PEER, tmp_path)
    receive, (peer,) = config.receive, config.peers.values()
    assert (receive.address, receive.port, receive.private) == ("127.0.0.1", 11112, False)
    assert receive.spool == str(tmp_path / "spool")
    assert peer.address == DimseAddress("10.0.0.9", 104, "PACS")
    assert peer.make_options().verify is True
    assert peer.make_options().lossy is False


def test_a_server_has_a_url(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    text = WEB + 'url = "https://pacs.example/dicom-web/"\ntoken_file = "token"\n'
    (peer,) = parse_config(RECEIVE + ROUTE + text, tmp_path).peers.values()
    assert peer.address == StowAddress("https://pacs.example/dicom-web", str(tmp_path / "token"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (RECEIVE + ROUTE, "has peers"),
        (RECEIVE + PEER, "has routes"),
        (ROUTE + PEER, "has no spool|has no aet"),
        (RECEIVE + ROUTE.replace("P", "Q") + PEER, "there is no peer 'Q'"),
        (RECEIVE + ROUTE + PEER + PEER, "two peers have the name 'P'"),
        (RECEIVE + 'address = "0.0.0.0"\n' + ROUTE + PEER, "open to everybody"),
        (RECEIVE + 'peers = {CT = "everywhere"}\n' + ROUTE + PEER, "not an address"),
        (RECEIVE + "prot = 104\n" + ROUTE + PEER, "has no key 'prot'"),
        (RECEIVE + "port = 70000\n" + ROUTE + PEER, "port is 70000"),
        (RECEIVE + 'reserve = "much"\n' + ROUTE + PEER, "reserve is 'much'"),
        (RECEIVE + 'reports = {CT = "10.0.0.5"}\n' + ROUTE + PEER, "reports is"),
        (RECEIVE + 'tls = {cert = "no.pem", key = "no.key"}\n' + ROUTE + PEER, "no such file"),
        (RECEIVE.replace("DICODEC", "A" * 17) + ROUTE + PEER, "1 to 16 characters"),
        (RECEIVE + ROUTE + "when.modalty = 'CT'\n" + PEER, "no condition 'modalty'"),
        (RECEIVE + ROUTE + 'policy = "no.toml"\n' + PEER, "policy cannot be read"),
        (RECEIVE + ROUTE + PEER + 'prefer = ["jpeg3000"]\n', "'jpeg3000' is not a transfer syntax"),
        (RECEIVE + ROUTE + PEER + 'prefer = ["jpeg"]\n', "loses information"),
        (RECEIVE + ROUTE + PEER + 'prefer = ["jpeg"]\noptions.quality = 90\nlossless_only = true\n',
         "lossless_only is set"),
        (RECEIVE + ROUTE + PEER + 'options.to = ["rle"]\n', "options has no to"),
        (RECEIVE + ROUTE + PEER + 'options.qualty = 9\n', "qualty"),
        (RECEIVE + ROUTE + PEER + 'url = "https://x"\n', "has no key 'url'"),
        (RECEIVE + ROUTE + PEER + 'kind = "pigeon"\n', "kind is 'pigeon'"),
        (RECEIVE + ROUTE + PEER.replace('"P"', '"../P"'), "letters, digits"),
        (RECEIVE + ROUTE + WEB + 'url = "ftp://x"\n', "url is 'ftp://x'"),
        (RECEIVE + ROUTE + WEB + 'url = "http://x"\ntoken_file = "t"\n', "could read the token"),
        ("[receive\n", "not TOML"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError) as caught:
        parse_config(text, tmp_path)
    assert any(word in str(caught.value) for word in words.split("|")), str(caught.value)


@pytest.mark.parametrize(
    ("peers", "title", "address", "taken"),
    [
        ('{CT1 = "10.0.0.5"}', "CT1", "10.0.0.5", True),
        ('{CT1 = "10.0.0.5"}', "CT1", "::ffff:10.0.0.5", True),
        ('{CT1 = "10.0.0.5"}', "CT1", "10.0.0.6", False),
        ('{CT1 = "10.0.0.5"}', "CT2", "10.0.0.5", False),
        ('{CT1 = ["10.0.1.0/24", "fd00::/8"]}', "CT1", "fd00::7", True),
        ('{CT1 = "10.0.0.5"}', "CT1", "nonsense", False),
        ('"any"', "WHO", "192.0.2.1", True),
    ],
)
def test_senders_are_known_by_title_and_address(
    peers: str, title: str, address: str, *, taken: bool, tmp_path: Path
) -> None:
    config = parse_config(f"{RECEIVE}peers = {peers}\n{ROUTE}{PEER}", tmp_path)
    assert config.receive.lets_send(title, address) is taken


def test_a_configuration_that_cannot_be_read_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError) as missing:
        load_config(str(tmp_path / "none.toml"))
    assert str(missing.value).count("none.toml") == 1
    assert "No such file or directory" in missing.value.message
    (tmp_path / "odd.toml").write_bytes(b"\xff")
    with pytest.raises(InvalidOptionError, match="not UTF-8"):
        load_config(str(tmp_path / "odd.toml"))
