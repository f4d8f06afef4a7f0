"""`dicodec serve`: run the web service until a signal."""

from __future__ import annotations

import argparse
import ipaddress
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dicodec.cli.option_arguments import make_count_parser, make_seconds_parser, parse_size_argument
from dicodec.cli.packages import require_packages
from dicodec.cli.printing import print_address
from dicodec.cli.service_arguments import (
    add_execution_arguments,
    add_trace_argument,
    find_store,
    open_log,
    open_tracing,
    parse_execution,
    parse_policies,
    parse_root,
    read_token,
)
from dicodec.errors import InvalidOptionError

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.service.web.app import MountedApp
    from dicodec.service.web.service import Service


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add("--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen on (default 127.0.0.1: this machine only)")  # fmt: skip
    add("--port", type=make_count_parser(0, 65_535), default=8765, metavar="N",
        help="default 8765; 0 for any free one")  # fmt: skip
    add("--data", metavar="FOLDER",
        help="folder for queue, uploads and results (default ~/.local/state/dicodec)")  # fmt: skip
    add("--store", metavar="URL",
        help="job store that services and workers of several machines share: postgresql://USER@HOST/"
        "DATABASE; or set DICODEC_STORE (default: a file in the data folder)")  # fmt: skip
    add("--root", action="append", default=[], metavar="FOLDER",
        help="folder that jobs by path may read and write; may be repeated")  # fmt: skip
    add("--token-file", metavar="FILE",
        help="file with the token of clients; or set DICODEC_TOKEN")  # fmt: skip
    add("--allowed-host", action="append", default=[], metavar="NAME",
        help="name by which clients may address the service; may be repeated")  # fmt: skip
    add("--upload-limit", type=parse_size_argument, default=16 << 30, metavar="SIZE",
        help="largest uploaded file, such as 500M or 16G (default 16G)")  # fmt: skip
    add("--rate", type=make_count_parser(0, 1_000_000), default=1200, metavar="N",
        help="requests for work a minute from one address (default 1200; 0: any)")  # fmt: skip
    add("--concurrent", type=make_count_parser(1, 10_000), default=16, metavar="N",
        help="uploads and conversions at once (default 16)")  # fmt: skip
    add("--dicomweb", metavar="PLACE",
        help="serve the images of a folder, of s3://BUCKET/PREFIX/, or of another DICOMweb server, "
        "http://HOST/dicom-web, under /dicom-web in the forms that clients accept")  # fmt: skip
    add("--dicomweb-cache", type=parse_size_argument, default=4 << 30, metavar="SIZE",
        help="instances of that server that are kept for a while (default 4G)")  # fmt: skip
    add("--cors", action="append", default=[], metavar="ORIGIN",
        help="site whose pages may use /dicom-web, such as https://viewer.example; * for any, with "
        "a token; may be repeated")  # fmt: skip
    add("--upstream-token-file", metavar="FILE",
        help="file with a bearer token for that server")  # fmt: skip
    add("--keep", type=make_seconds_parser(0.001, "hours"), default=24, metavar="HOURS",
        help="hours that uploads and their results are kept (default 24)")  # fmt: skip
    add("--policy", action="append", default=[], metavar="[NAME=]FILE",
        help="policy that jobs may name, besides the profiles; may be repeated")  # fmt: skip
    add_execution_arguments(command)
    add_trace_argument(command)


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal, and return the exit status."""
    with require_packages("serve", "fastapi, uvicorn"):
        from dicodec.service.web.cross_origin import parse_origins
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
    options = ServiceOptions(
        data=_find_data_folder(arguments.data),
        store=find_store(arguments.store),
        roots=tuple(parse_root(name) for name in arguments.root),
        policies=parse_policies(arguments.policy),
        token=token,
        hosts=_find_hosts(arguments, local=local),
        origins=parse_origins(arguments.cors, token=token is not None),
        upload_limit=arguments.upload_limit,
        rate=arguments.rate or None,
        concurrent=arguments.concurrent,
        keep_files=arguments.keep * 3600,
        execution=parse_execution(arguments),
    )
    with listen(arguments.host, arguments.port) as listening:
        log = open_log(arguments)
        with (
            open_tracing(arguments, log) as tracing,
            closing(Service(options, log, tracing)) as service,
            _open_mounted(arguments, service) as mounted,
        ):
            host, port = listening.getsockname()[:2]

            def announce() -> None:
                print_address(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
                log.write("info", "serving", address=f"{host}:{port}", data=str(options.data))

            serve(service, listening, announce, mounted)
        log.write("info", "ended")
    return 0


@contextmanager
def _open_mounted(
    arguments: argparse.Namespace, service: Service
) -> Iterator[dict[str, MountedApp]]:
    """Yield the applications served beside the service, by path."""
    if arguments.dicomweb is None:
        yield {}
        return
    from dicodec.service.dicomweb.serving import DicomWebOptions, open_dicomweb

    with open_dicomweb(
        arguments.dicomweb,
        service.executor,
        service.options.data,
        options=DicomWebOptions(
            token_file=arguments.upstream_token_file,
            passes_authorization=service.options.token is None,
            cache=arguments.dicomweb_cache,
            upload_limit=service.options.upload_limit,
            rate=service.options.rate,
            concurrent=service.options.concurrent,
            reserve=service.options.reserve,
        ),
    ) as app:
        yield {"/dicom-web": app}


def _find_data_folder(named: str | None) -> Path:
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


def _find_hosts(arguments: argparse.Namespace, *, local: bool) -> frozenset[str] | None:
    """Return the names by which clients may address the service; None for any, with a token."""
    from dicodec.service.web.security import LOOPBACK_NAMES

    if not local and not arguments.allowed_host:
        return None
    return LOOPBACK_NAMES | {arguments.host.lower(), *map(str.lower, arguments.allowed_host)}
