"""Arguments that `dicodec serve`, `watch`, `worker` and `submit` share, and their values."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dicodec.cli.option_arguments import (
    MOST_JOBS,
    make_count_parser,
    make_seconds_parser,
    parse_size_argument,
)
from dicodec.cli.packages import require_packages
from dicodec.errors import InvalidOptionError
from dicodec.model.environment import TOKEN_VARIABLE
from dicodec.model.option_table import OPTIONS, TO
from dicodec.model.settings_files import read_settings
from dicodec.model.source_names import is_object_url
from dicodec.part10.beneath import follow_named

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.service.jobs.logs import Log
    from dicodec.service.jobs.runtime import ExecutionOptions
    from dicodec.service.jobs.store.store import JobStore
    from dicodec.service.jobs.submission import SubmitOptions
    from dicodec.service.jobs.tracing import Tracing
    from dicodec.service.metrics.counting import Counting
    from dicodec.service.metrics.declarations import Metric
    from dicodec.service.metrics.recording import ReadGauge


QUEUE = "dicodec.requests"
"""Default name of the queue of requests, as `QueueNames` has it; that module loads slowly."""

_SHORTEST_TOKEN = 16


# Requests.


def add_request_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments that the requests for all files share."""
    add = command.add_argument
    add(TO.switch, metavar=TO.metavar, help=TO.help)
    add("--policy", metavar="P", help="name or file of a policy that decides for each file")
    add("--option", action="append", default=[], metavar="NAME=VALUE",
        help="option of the conversion, as in a request: quality=85; may be repeated")  # fmt: skip


def parse_submit_options(arguments: argparse.Namespace, output: str) -> SubmitOptions:
    """Return the options of requests, checked as far as they can be without a file.

    Raises:
        DicodecError: the options are invalid.
    """
    from dicodec.service.jobs.messages import Request
    from dicodec.service.jobs.submission import SubmitOptions

    fields: dict[str, Any] = {
        "id": "checked",
        "source": "/source",
        "target": "/target",
        "to": arguments.to.split(",") if arguments.to else [],
        "policy": arguments.policy,
        "options": dict(_parse_option(text) for text in arguments.option),
        "tenant": getattr(arguments, "tenant", None),
        "trace_id": getattr(arguments, "trace", None),
        "priority": getattr(arguments, "priority", 0),
    }
    return SubmitOptions(output=output, template=Request.from_fields(fields))


def _parse_option(text: str) -> tuple[str, Any]:
    """Parse NAME=VALUE; the value is JSON if it can be, otherwise text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidOptionError(f"--option takes NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


# Execution.


def add_execution_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments for carrying out jobs, and for the log."""
    add = command.add_argument
    add("--jobs", type=make_count_parser(1, MOST_JOBS), metavar="N",
        help="processes that convert (default: one a core)")  # fmt: skip
    add("--timeout", type=float, default=3600.0, metavar="S",
        help="seconds that one file may take (default 3600)")  # fmt: skip
    add("--memory", type=parse_size_argument, metavar="SIZE",
        help="memory that one process may take, such as 2G (default: three quarters of the "
        "machine's or container's, in equal parts, at least 512M)")  # fmt: skip
    add("--attempts", type=make_count_parser(1, 10_000), default=5, metavar="N",
        help="attempts at a file if its failure may pass (default 5)")  # fmt: skip
    add("--retry-after", type=make_seconds_parser(), default=5.0, metavar="S",
        help="seconds until the second attempt; later ones wait longer (default 5)")  # fmt: skip
    add("--lease", type=make_seconds_parser(0.1), default=15.0, metavar="S",
        help="seconds until a killed process's work is taken up again (default 15)")  # fmt: skip
    add("--drain", type=make_seconds_parser(), default=30.0, metavar="S",
        help="seconds that conversions get to finish on SIGTERM (default 30)")  # fmt: skip
    add(
        "--show-paths",
        action="store_true",
        help="have paths of files in logs, and in the events of a worker",
    )


def add_metrics_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments for metrics."""
    add = command.add_argument
    add("--metrics-port", type=make_count_parser(0, 65_535), metavar="N",
        help="serve metrics for Prometheus at this port; 0 for any free one")  # fmt: skip
    add("--metrics-host", default="127.0.0.1", metavar="ADDRESS",
        help="address for that (default 127.0.0.1: this machine only)")  # fmt: skip


@contextmanager
def open_metrics(
    arguments: argparse.Namespace,
    store: JobStore | None,
    log: Log,
    gauges: Mapping[Metric, ReadGauge],
) -> Iterator[Counting]:
    """Yield the counters of the metrics that the arguments ask for; they are served until the end.

    Args:
        arguments: of the command.
        store: its jobs are told of; None for none.
        log: the address is written there.
        gauges: are read whenever metrics are fetched.

    Raises:
        InvalidOptionError: they cannot be served.
    """
    if arguments.metrics_port is None:
        from dicodec.service.metrics.counting import Counting

        yield Counting()
        return
    with require_packages("metrics", "the metrics of prometheus-client"):
        from dicodec.service.metrics.listener import serve_metrics
        from dicodec.service.metrics.recording import Metrics

    metrics = Metrics(store, gauges)
    with serve_metrics(metrics, arguments.metrics_host, arguments.metrics_port) as url:
        log.write("info", "serving metrics", url=url)
        yield metrics


def add_trace_argument(command: argparse.ArgumentParser) -> None:
    """Declare the argument for traces."""
    command.add_argument("--traces", metavar="URL",
        help="send traces to a collector of OpenTelemetry, such as http://HOST:4318")  # fmt: skip


@contextmanager
def open_tracing(arguments: argparse.Namespace, log: Log) -> Iterator[Tracing]:
    """Yield the tracing that the arguments ask for; it is closed at the end.

    Raises:
        InvalidOptionError: it cannot be had.
    """
    from dicodec.service.jobs.tracing import Tracing

    tracing = Tracing()
    if arguments.traces is not None:
        with require_packages("otel", "OpenTelemetry's SDK and exporter"):
            from dicodec.service.jobs.otel_tracing import make_exporting_tracing
        tracing = make_exporting_tracing(arguments.traces, f"dicodec-{arguments.command}", log)
    try:
        yield tracing
    finally:
        tracing.close()


def parse_execution(arguments: argparse.Namespace) -> ExecutionOptions:
    """Return the options for carrying out jobs.

    Raises:
        InvalidOptionError: the timeout is none that a conversion takes.
    """
    from dicodec.service.jobs.retry_causes import RetryPolicy
    from dicodec.service.jobs.runtime import ExecutionOptions

    kind = OPTIONS["timeout"].kind
    if not kind.fits(arguments.timeout):
        raise InvalidOptionError(f"--timeout is {arguments.timeout:g}, and not {kind.wanted}")
    return ExecutionOptions(
        jobs=arguments.jobs,
        timeout=arguments.timeout,
        memory=arguments.memory,
        retries=RetryPolicy(attempts=arguments.attempts, first=arguments.retry_after),
        lease=arguments.lease,
        drain=arguments.drain,
    )


def open_log(arguments: argparse.Namespace, **fields: int) -> Log:
    """Return a log on standard error; each line has the fields."""
    from dicodec.service.jobs.logs import Log

    return Log(sys.stderr, hide_paths=not arguments.show_paths, fields=fields)


def parse_root(name: str) -> str:
    """Return a root as an absolute path of an existing folder, or a prefix of a bucket.

    Raises:
        InvalidOptionError: there is no such folder.
    """
    if is_object_url(name):
        return name
    if not os.path.isdir(name):  # noqa: PTH112 - it never raises
        raise InvalidOptionError("there is no such folder", path=name, hint="--root")
    return str(Path(name).absolute())


def parse_policies(given: Sequence[str]) -> Mapping[str, str]:
    """Return paths of policies by their names; each is given as NAME=FILE, or as FILE.

    Raises:
        InvalidOptionError: a policy cannot be read.
    """
    from dicodec.batch.policy.policy import load_policy

    found = {}
    for text in given:
        name, equals, file = text.partition("=")
        path = str(Path(file if equals else text).absolute())
        load_policy(path)
        found[name if equals else Path(text).stem] = path
    return found


# Connections.


def check_broker_url(given: str | None) -> str:
    """Return the URL of the broker.

    Raises:
        InvalidOptionError: none is given.
    """
    if not given:
        raise InvalidOptionError("no broker is given", hint="--broker URL, or DICODEC_BROKER")
    return given


def find_store(given: str | None, default: str | None = None) -> str | None:
    """Return the place of the job store: a URL of PostgreSQL, or the path of a file.

    Args:
        given: value of --store; None for the default.
        default: path of a file, or None.
    """
    from dicodec.service.jobs.store.database import is_postgres

    place = given or default
    return place if place is None or is_postgres(place) else follow_named(place)


def read_token(path: str | None) -> str | None:
    """Return the token in a file or in the environment; None if there is none.

    Raises:
        InvalidOptionError: the file cannot be read, or the token is too short or not ASCII.
    """
    if path is None:
        token = os.environ.get(TOKEN_VARIABLE)
        if token is None:
            return None
    else:
        try:
            token = read_settings(path).decode("utf-8")
        except (OSError, UnicodeDecodeError) as cause:
            raise InvalidOptionError(f"the token cannot be read: {cause}", path=path) from cause
    token = token.strip()
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or " " in token:
        raise InvalidOptionError(
            f"a token has {_SHORTEST_TOKEN} ASCII characters or more, and no space",
            hint="such as that of: openssl rand -hex 32",
        )
    return token
