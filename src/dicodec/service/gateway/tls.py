"""Make TLS contexts from the files of a configuration."""

from __future__ import annotations

import ssl

from dicodec.errors import InvalidOptionError
from dicodec.service.gateway.config import TlsOptions


def make_server_context(options: TlsOptions | None) -> ssl.SSLContext | None:
    """Return the context of a receiver; None for plain TCP.

    Raises:
        InvalidOptionError: a file cannot be used.
    """
    if options is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, options)
    if options.ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def make_client_context(options: TlsOptions | None) -> ssl.SSLContext | None:
    """Return the context of a sender, which checks the peer's certificate; None for plain TCP.

    Raises:
        InvalidOptionError: a file cannot be used.
    """
    if options is None:
        return None
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, options)
    return context


def _load(context: ssl.SSLContext, options: TlsOptions) -> None:
    try:
        if options.cert is not None:
            context.load_cert_chain(options.cert, options.key)
        if options.ca is not None:
            context.load_verify_locations(options.ca)
    except (OSError, ssl.SSLError) as cause:
        raise InvalidOptionError(
            f"the files for TLS cannot be used: {cause}", path=options.cert or options.ca
        ) from cause
