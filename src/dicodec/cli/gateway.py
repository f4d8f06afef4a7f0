"""`dicodec gateway`: receive objects over DICOM, convert them, forward them to peers."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from dicodec.cli.packages import require_packages
from dicodec.cli.printing import SOME_FAILED, print_address, print_line
from dicodec.cli.service_arguments import (
    add_execution_arguments,
    add_metrics_arguments,
    add_trace_argument,
    find_store,
    open_log,
    open_metrics,
    open_tracing,
    parse_execution,
)
from dicodec.errors import InvalidOptionError
from dicodec.model.platforms import find_ending_signals
from dicodec.model.wording import dump_json_line

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.service.gateway.checking import Explanation, PeerAnswer
    from dicodec.service.jobs.store.store import JobStore
    from dicodec.service.jobs.store.tables import Job

_START_SECONDS = 60.0
"""How long the receiver may take until it listens."""

_DEAD_AT_ONCE = 500
"""Jobs that are read from the store at once."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add("action", metavar="ACTION", choices=tuple(_ACTIONS),
        help="run: receive and forward; check: ask each peer, and explain what it would get of "
        "files; dead: list failed deliveries; retry: try them again")  # fmt: skip
    add("gateway", metavar="CONFIG", help="the configuration, a file in TOML")
    add("file", nargs="*", default=[], metavar="FILE", help="files to explain")
    add("--sender", default="SENDER", metavar="TITLE",
        help="AE title that the files would come from (default SENDER)")  # fmt: skip
    add("--peer", metavar="NAME", help="only deliveries to this peer")
    add("--cause", metavar="CODE", help="only deliveries that failed with this error code")
    add_metrics_arguments(command)
    add_trace_argument(command)
    add("--json", action="store_true", help="one JSON object a line")
    add("--store", metavar="URL",
        help="job store: postgresql://USER@HOST/DATABASE, or the path of a file (default: a file "
        "in the spool)")  # fmt: skip
    add_execution_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status."""
    if arguments.file and arguments.action != "check":
        raise InvalidOptionError(f"FILE has no meaning for {arguments.action}")
    with require_packages("gateway", "pynetdicom, pydicom"):
        import pynetdicom  # noqa: F401
    return _ACTIONS[arguments.action](arguments)


def _run(arguments: argparse.Namespace) -> int:
    from dicodec.service.gateway.config_file import load_config
    from dicodec.service.gateway.gateway import Gateway, GatewayOptions
    from dicodec.service.metrics.declarations import PEER_DELIVERIES, PEER_UP

    config = load_config(arguments.gateway)
    options = GatewayOptions(
        path=str(Path(arguments.gateway).absolute()),
        store=find_store(arguments.store),
        traces=arguments.traces,
        execution=parse_execution(arguments),
    )
    ended = threading.Event()
    for number in (signal.SIGINT, *find_ending_signals()):
        signal.signal(number, lambda *_: ended.set())
    log = open_log(arguments)
    with ExitStack() as stack:
        tracing = stack.enter_context(open_tracing(arguments, log))
        gateway = Gateway(
            config,
            options,
            log,
            lambda _, outcome, report: metrics.count_attempt(outcome, report),
            tracing,
        )

        def print_port() -> None:
            if gateway.wait_until_ready(_START_SECONDS):
                print_address(f"{config.receive.aet} on port {gateway.port}")

        threading.Thread(target=print_port, daemon=True).start()
        gauges = {PEER_UP: gateway.read_peers, PEER_DELIVERIES: gateway.count_deliveries}
        metrics = stack.enter_context(open_metrics(arguments, None, log, gauges))
        gateway.run(ended)
    log.write("info", "ended")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    """Ask each peer, explain each file, and return 1 if a peer or a way is missing."""
    from dicodec.service.gateway.checking import ask_peers, explain
    from dicodec.service.gateway.config_file import load_config

    config = load_config(arguments.gateway)
    failed = False
    for answer in ask_peers(config):
        failed |= answer.error is not None
        _print(arguments, answer, f"{answer.peer}: {answer.address}, " + (
            "answers" if answer.error is None else f"does not answer: {answer.error.message}"
        ))  # fmt: skip
    for path in arguments.file:
        for one in explain(config, path, arguments.sender):
            failed |= not one.action
            _print(arguments, one, *_format_explanation(one, arguments.sender))
    return SOME_FAILED if failed else 0


def _print(arguments: argparse.Namespace, value: PeerAnswer | Explanation, *lines: str) -> None:
    if not arguments.json:
        for line in lines:
            print_line(line, sys.stdout)
        return
    fields = {name: getattr(value, name) for name in value.__slots__}
    if value.error is not None:
        fields["error"] = value.error.as_dict()
    print(dump_json_line({name: field for name, field in fields.items() if field is not None}))


def _format_explanation(one: Explanation, sender: str) -> list[str]:
    if one.peer is None:
        return [f"{one.source}: no route takes it from {sender}, so it would be refused"]
    lines = [f"{one.source}: to {one.peer}" + (f", by {one.policy}" if one.policy else "")]
    if one.rule is not None:
        lines.append(f"  rule: {one.rule}")
    if one.offered:
        lines.append(f"  offered: {', '.join(one.offered)}")
        taken = [name for name in one.offered if name in one.accepted]
        lines.append(f"  accepted: {', '.join(taken) or 'none of them'}")
    if one.error is not None:
        lines.append(f"  error: {one.error.message} [{one.error.code}]")
    elif one.target == one.stored:
        lines.append(f"  {one.action}, in {one.target}")
    else:
        lines.append(f"  {one.action}: {one.stored} -> {one.target}")
    return lines


def _list_dead(arguments: argparse.Namespace) -> int:
    """Print the deliveries that failed for good."""
    with _open_store(arguments) as store:
        for job in _find_dead(store, arguments):
            if arguments.json:
                names = ("id", "tenant", "trace", "attempts", "error_code", "error_text", "source")
                print(dump_json_line({name: getattr(job, name) for name in names}))
            else:
                print_line(
                    f"{job.trace}: to {job.tenant}: {job.error_text} [{job.error_code}]",
                    sys.stdout,
                )
    return 0


def _retry(arguments: argparse.Namespace) -> int:
    """Make the deliveries due again that failed for good."""
    from dicodec.service.gateway.delivery import make_accepted_event

    count = 0
    with _open_store(arguments) as store:
        for job in [*_find_dead(store, arguments)]:
            store.retry(job.id, make_accepted_event(job))
            count += 1
    print(f"{count} tried again", file=sys.stderr)
    return 0


def _open_store(arguments: argparse.Namespace) -> JobStore:
    from dicodec.service.gateway.config_file import load_config
    from dicodec.service.gateway.spool import STORE_NAME
    from dicodec.service.jobs.store.store import JobStore

    spool = Path(load_config(arguments.gateway).receive.spool)
    place = find_store(arguments.store)
    if place is None and not (spool / STORE_NAME).exists():
        raise InvalidOptionError("no gateway has run with this spool", path=str(spool))
    return JobStore(place or spool / STORE_NAME)


def _find_dead(store: JobStore, arguments: argparse.Namespace) -> Iterator[Job]:
    from dicodec.service.gateway.config_file import load_config
    from dicodec.service.gateway.spool import Spool
    from dicodec.service.jobs.store.tables import JobFilter, JobState

    objects = str(Spool(load_config(arguments.gateway).receive.spool).objects)
    before: int | None = None
    while True:
        wanted = JobFilter(
            state=JobState.DEAD, cause=arguments.cause, tenant=arguments.peer, before=before
        )
        jobs = store.list_jobs(wanted, _DEAD_AT_ONCE)
        for job in jobs:
            if job.source.startswith(f"{objects}/"):  # others may share the store
                yield job
        if len(jobs) < _DEAD_AT_ONCE:
            return
        before = jobs[-1].number


_ACTIONS = {"run": _run, "check": _check, "dead": _list_dead, "retry": _retry}
