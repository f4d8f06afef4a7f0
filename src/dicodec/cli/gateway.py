"""`dicodec gateway`: receive objects over DICOM, convert them, forward them to peers."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from dicodec.cli.packages import require_packages
from dicodec.cli.service_arguments import (
    add_execution_arguments,
    find_store,
    open_log,
    parse_execution,
)
from dicodec.service.ending_signals import find_ending_signals


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add("action", metavar="ACTION", choices=("run",), help="run: receive and forward")
    add("gateway", metavar="CONFIG", help="the configuration, a file in TOML")
    add("--store", metavar="URL",
        help="job store: postgresql://USER@HOST/DATABASE, or the path of a file (default: a file "
        "in the spool)")  # fmt: skip
    add_execution_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status."""
    return _ACTIONS[arguments.action](arguments)


def _run(arguments: argparse.Namespace) -> int:
    with require_packages("gateway", "pynetdicom, pydicom"):
        from dicodec.service.gateway.gateway import Gateway, GatewayOptions
    from dicodec.service.gateway.config import load_config

    config = load_config(arguments.gateway)
    options = GatewayOptions(
        path=str(Path(arguments.gateway).absolute()),
        store=find_store(arguments.store),
        execution=parse_execution(arguments),
    )
    ended = threading.Event()
    for number in (signal.SIGINT, *find_ending_signals()):
        signal.signal(number, lambda *_: ended.set())
    log = open_log(arguments)
    gateway = Gateway(config, options, log, lambda *_: None)

    def print_port() -> None:
        if gateway.wait_until_ready(_START_SECONDS):
            print(f"{config.receive.aet} on port {gateway.port}", flush=True)

    threading.Thread(target=print_port, daemon=True).start()
    gateway.run(ended)
    log.write("info", "ended")
    return 0


_START_SECONDS = 60.0

_ACTIONS = {"run": _run}
