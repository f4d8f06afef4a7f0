"""`dicodec serve`: the service, until a signal ends it."""

from __future__ import annotations

import argparse
import ipaddress
import os
from pathlib import Path

from dicodec.cli.printing import SOME_FAILED, WRONG_USAGE, print_error
from dicodec.cli.service_options import (
    existing_root,
    needed,
    open_log,
    parse_execution,
    policies,
    read_token,
)
from dicodec.errors import DicodecError, InvalidOptionError


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand and return the exit status."""
    try:
        with needed("serve", "fastapi, uvicorn"):
            from dicodec.service.web.options import ServiceOptions
            from dicodec.service.web.server import listen, serve
            from dicodec.service.web.service import Service

        token = read_token(arguments.token_file)
        local = _is_loopback(arguments.host)
        if token is None and not local:
            raise InvalidOptionError(
                f"without a token {arguments.host} would be open to everybody who can reach it",
                hint="--token-file FILE, or --host 127.0.0.1",
            )
        settings = ServiceOptions(
            data=_data_folder(arguments.data),
            roots=tuple(existing_root(name) for name in arguments.root),
            policies=policies(arguments.policy),
            token=token,
            hosts=_hosts(arguments, local=local),
            upload_limit=arguments.upload_limit,
            rate=arguments.rate or None,
            concurrent=arguments.concurrent,
            keep_files=arguments.keep * 3600,
            execution=parse_execution(arguments),
        )
        listening = listen(arguments.host, arguments.port)
        with listening:
            log = open_log(arguments)
            service = Service(settings, log)
            host, port = listening.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(f"http://{shown}:{port}/", flush=True)
            log.write("info", "serving", address=f"{host}:{port}", data=str(settings.data))
            serve(service, listening)
            log.write("info", "ended")
    except InvalidOptionError as error:
        print_error(error)
        return WRONG_USAGE
    except DicodecError as error:
        print_error(error)
        return SOME_FAILED
    return 0


def _data_folder(named: str | None) -> Path:
    if named is not None:
        return Path(named).absolute()
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "dicodec"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hosts(arguments: argparse.Namespace, *, local: bool) -> frozenset[str] | None:
    """Return the names that the service may be asked by; None for any, where a token guards it."""
    from dicodec.service.web.security import LOOPBACK_NAMES

    if not local and not arguments.allowed_host:
        return None
    return LOOPBACK_NAMES | {arguments.host.lower(), *map(str.lower, arguments.allowed_host)}
