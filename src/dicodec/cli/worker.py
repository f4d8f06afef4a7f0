"""`dicodec worker`: carry out requests from a broker, until a signal."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from dicodec.cli.option_arguments import make_count_parser, make_seconds_parser
from dicodec.cli.service_arguments import (
    QUEUE,
    add_execution_arguments,
    add_metrics_arguments,
    add_trace_argument,
    check_broker_url,
    find_store,
    open_log,
    open_metrics,
    open_tracing,
    parse_execution,
    parse_policies,
    parse_root,
)
from dicodec.errors import InvalidOptionError
from dicodec.model.records import replace

if TYPE_CHECKING:
    from dicodec.service.jobs.confinement import AllowedRoots
    from dicodec.service.jobs.mapping import MessageMapping
    from dicodec.service.jobs.messages import Request

_NO_BROKER = "postgres"
_STORE_NAME = "dicodec-jobs.sqlite"
_PREFETCH_EACH = 32
"""Messages taken ahead for each process."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add("--broker", metavar="URL",
        help="kafka://, amqp://, nats:// or redis://, or postgres for none: jobs come from the "
        "store; or set DICODEC_BROKER")  # fmt: skip
    add("--queue", default=QUEUE, metavar="NAME",
        help=f"queue of requests; others are named after it (default {QUEUE})")  # fmt: skip
    add("--root", action="append", default=[], metavar="FOLDER",
        help="folder that requests may read and write; may be repeated")  # fmt: skip
    add("--read-root", action="append", default=[], metavar="FOLDER",
        help="folder that requests may only read; may be repeated")  # fmt: skip
    add("--store", metavar="FILE|URL",
        help="job store: a file that the workers of a machine share (default dicodec-jobs.sqlite)"
        ", or postgresql://USER@HOST/DATABASE for all; or set DICODEC_STORE")  # fmt: skip
    add("--policy", action="append", default=[], metavar="[NAME=]FILE",
        help="policy that requests may name, besides the profiles; may be repeated")  # fmt: skip
    add("--mapping", metavar="M",
        help="mapping of messages of another system: storage-event, or a file")  # fmt: skip
    add("--output", metavar="FOLDER", help="folder for the results, if the mapping needs one")
    add("--overwrite", action="store_true",
        help="replace existing results unless a request forbids it; for workers of several"
        " machines, which share no store")  # fmt: skip
    add("--prefetch", type=make_count_parser(1, 65_535), metavar="N",
        help=f"messages taken ahead at most (default: {_PREFETCH_EACH} a process)")  # fmt: skip
    add("--silence", type=make_seconds_parser(1), default=30.0, metavar="S",
        help="seconds without a heartbeat until the messages of a worker go to another one"
        " (default 30)")  # fmt: skip
    add("--partitions", type=make_count_parser(1, 100_000), default=12, metavar="N",
        help="partitions of Kafka's topic of requests, if it is made (default 12)")  # fmt: skip
    add("--events", default="all", choices=("all", "outcomes"),
        help="events to send: all (default), or outcomes, without starts and progress")  # fmt: skip
    add("--prepare", action="store_true", help="only make the missing queues, and end")
    add("--alive-file", metavar="FILE", help="file that is touched while the worker is well")
    add_metrics_arguments(command)
    add_execution_arguments(command)
    add_trace_argument(command)


def run(arguments: argparse.Namespace) -> int:
    """Work until a signal, and return the exit status."""
    from dicodec.conversion.frames.window import count_cores
    from dicodec.service.brokers.broker import BrokerOptions, QueueNames
    from dicodec.service.brokers.connecting import hide_credentials, make_broker
    from dicodec.service.jobs.execution_work import JobOptions
    from dicodec.service.jobs.mapping import load_mapping
    from dicodec.service.jobs.runtime import open_jobs
    from dicodec.service.metrics.declarations import BROKER_UP, QUEUE_AGE
    from dicodec.service.worker.publishing import make_queues
    from dicodec.service.worker.running import run_worker
    from dicodec.service.worker.service import WorkerOptions, WorkerService

    url = check_broker_url(arguments.broker)
    if url == _NO_BROKER:
        return _work_without_broker(arguments)
    jobs = arguments.jobs or count_cores()
    broker_options = BrokerOptions(
        names=QueueNames(arguments.queue),
        prefetch=arguments.prefetch or _PREFETCH_EACH * jobs,
        silence=arguments.silence,
        partitions=arguments.partitions,
    )
    if arguments.prepare:
        make_queues(url, broker_options)
        return 0
    roots = _parse_roots(arguments)
    values = {} if arguments.output is None else {"output": str(Path(arguments.output).absolute())}
    mapping = None if arguments.mapping is None else load_mapping(arguments.mapping, values)
    job_options = JobOptions(
        roots=roots,
        policies=parse_policies(arguments.policy),
        copy_kept=mapping is None or mapping.copy_kept,
    )
    execution = parse_execution(arguments)
    options = WorkerOptions(
        read=_make_reader(mapping, overwrites=arguments.overwrite),
        retries=execution.retries,
        show_paths=arguments.show_paths,
        all_events=arguments.events == "all",
        alive_file=arguments.alive_file,
    )
    log = open_log(arguments, worker=os.getpid())
    broker = make_broker(url, broker_options)
    place = find_store(arguments.store, _STORE_NAME) or ""
    with open_jobs(place, job_options, execution) as (store, executor), ExitStack() as closing:
        log.write("info", "working", broker=hide_credentials(url), queue=arguments.queue, jobs=jobs)
        service = WorkerService(broker, store, executor, log, options)
        gauges = {BROKER_UP: lambda: service.connected, QUEUE_AGE: service.measure_queue_age}
        service.metrics = closing.enter_context(open_metrics(arguments, store, log, gauges))
        service.tracing = closing.enter_context(open_tracing(arguments, log))
        run_worker(service, grace=execution.drain)
    log.write("info", "ended")
    return 0


def _make_reader(
    mapping: MessageMapping | None, *, overwrites: bool
) -> Callable[[bytes], Request | None]:
    """Return the function that makes requests of messages.

    Args:
        mapping: turns messages of another system into requests; None if they are requests.
        overwrites: whether requests that do not say otherwise replace results.
    """
    from dicodec.service.jobs.messages import Request

    read = Request.from_json if mapping is None else mapping.read

    def read_to_overwrite(body: bytes) -> Request | None:
        request = read(body)
        if request is None:
            return None
        return replace(request, options={"overwrite": True, **request.options})

    return read_to_overwrite if overwrites else read


def _parse_roots(arguments: argparse.Namespace) -> AllowedRoots:
    """Return the folders that jobs may use.

    Raises:
        InvalidOptionError: one is missing, or there is none for results.
    """
    from dicodec.service.jobs.confinement import AllowedRoots

    both = [parse_root(name) for name in arguments.root]
    readable = [parse_root(name) for name in arguments.read_root]
    if not both:
        raise InvalidOptionError("no folder is given that results may go to", hint="--root FOLDER")
    return AllowedRoots.of([*both, *readable], both)


def _work_without_broker(arguments: argparse.Namespace) -> int:
    """Take jobs straight from a store in PostgreSQL, which `submit` and `serve` put there."""
    from dicodec.service.jobs.execution_work import JobOptions
    from dicodec.service.jobs.runtime import open_jobs
    from dicodec.service.jobs.store.database import is_postgres
    from dicodec.service.worker.store_worker import run_store_worker

    refused = ("mapping", "output", "overwrite", "prefetch", "prepare")
    if given := [name for name in refused if getattr(arguments, name)]:
        raise InvalidOptionError(f"--{given[0]} is about messages of a broker, and there is none")
    place = find_store(arguments.store) or ""
    if not is_postgres(place):
        raise InvalidOptionError(
            "--broker postgres takes jobs from a store in PostgreSQL",
            hint="--store postgresql://USER@HOST/DATABASE",
        )
    options = JobOptions(roots=_parse_roots(arguments), policies=parse_policies(arguments.policy))
    execution = parse_execution(arguments)
    log = open_log(arguments, worker=os.getpid())
    with open_jobs(place, options, execution) as (store, executor), ExitStack() as closing:
        metrics = closing.enter_context(open_metrics(arguments, store, log, {}))
        tracing = closing.enter_context(open_tracing(arguments, log))
        run_store_worker(store, executor, execution, log, metrics, tracing, arguments.alive_file)
    return 0
