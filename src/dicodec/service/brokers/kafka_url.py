"""Parse kafka:// URLs into arguments of the client."""

from __future__ import annotations

import ssl
from urllib.parse import parse_qs, unquote, urlsplit

from dicodec.errors import InvalidOptionError

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_KNOWN = ("security_protocol", "sasl_mechanism", "ssl_cafile", "ssl_certfile", "ssl_keyfile")


def parse_kafka_url(url: str) -> dict[str, Any]:
    """Return the client's arguments for a URL.

    Args:
        url: such as kafka://USER:PASSWORD@HOST:PORT,HOST:PORT?security_protocol=SASL_SSL. The
            parameters have the names of Kafka's own configuration, with `_` for `.`.

    Raises:
        InvalidOptionError: a parameter is unknown.
    """
    parts = urlsplit(url)
    given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if unknown := sorted(set(given) - set(_KNOWN)):
        raise InvalidOptionError(
            f"a kafka:// URL has no parameter {unknown[0]}", hint=f"there are {', '.join(_KNOWN)}"
        )
    credentials, _, servers = parts.netloc.rpartition("@")
    arguments: dict[str, Any] = {
        "bootstrap_servers": [one if ":" in one else f"{one}:9092" for one in servers.split(",")],
        "security_protocol": given.get(
            "security_protocol", "SASL_PLAINTEXT" if credentials else "PLAINTEXT"
        ),
    }
    if credentials:
        user, _, password = credentials.partition(":")
        arguments |= {
            "sasl_mechanism": given.get("sasl_mechanism", "PLAIN"),
            "sasl_plain_username": unquote(user),
            "sasl_plain_password": unquote(password),
        }
    if arguments["security_protocol"].endswith("SSL"):
        context = ssl.create_default_context(cafile=given.get("ssl_cafile"))
        if "ssl_certfile" in given:
            context.load_cert_chain(given["ssl_certfile"], given.get("ssl_keyfile"))
        arguments["ssl_context"] = context
    return arguments
