"""`dicodec worker`: carry out requests from a broker, until a signal."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dicodec.cli.service_arguments import (
    QUEUE,
    add_execution_arguments,
    find_broker_url,
    open_log,
    parse_execution,
    parse_policies,
    parse_root,
)
from dicodec.errors import InvalidOptionError
from dicodec.model.environment import BROKER_VARIABLE
from dicodec.model.records import replace
from dicodec.part10.beneath import follow_named

_PREFETCH_EACH = 32
"""Messages taken ahead for each process."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add("--broker", metavar="URL",
        help=f"kafka://, amqp://, nats:// or redis://; or set {BROKER_VARIABLE}")  # fmt: skip
    add("--queue", default=QUEUE, metavar="NAME",
        help=f"queue of requests; others are named after it (default {QUEUE})")  # fmt: skip
    add("--root", action="append", default=[], metavar="FOLDER",
        help="folder that requests may read and write; may be repeated")  # fmt: skip
    add("--read-root", action="append", default=[], metavar="FOLDER",
        help="folder that requests may only read; may be repeated")  # fmt: skip
    add("--store", default="dicodec-jobs.sqlite", metavar="FILE",
        help="job store, which the workers of a machine share"
        " (default dicodec-jobs.sqlite)")  # fmt: skip
    add("--policy", action="append", default=[], metavar="[NAME=]FILE",
        help="policy that requests may name, besides the profiles; may be repeated")  # fmt: skip
    add("--mapping", metavar="M",
        help="mapping of messages of another system: storage-event, or a file")  # fmt: skip
    add("--output", metavar="FOLDER", help="folder for the results, if the mapping needs one")
    add("--overwrite", action="store_true",
        help="replace existing results unless a request forbids it; for workers of several"
        " machines, which share no store")  # fmt: skip
    add("--prefetch", type=int, metavar="N",
        help=f"messages taken ahead at most (default: {_PREFETCH_EACH} a process)")  # fmt: skip
    add("--silence", type=float, default=30.0, metavar="S",
        help="seconds without a heartbeat until the messages of a worker go to another one"
        " (default 30)")  # fmt: skip
    add("--partitions", type=int, default=12, metavar="N",
        help="partitions of Kafka's topic of requests, if it is made (default 12)")  # fmt: skip
    add("--events", default="all", choices=("all", "outcomes"),
        help="events to send: all (default), or outcomes, without starts and progress")  # fmt: skip
    add("--prepare", action="store_true", help="only make the missing queues, and end")
    add("--alive-file", metavar="FILE", help="file that is touched while the worker is well")
    add_execution_arguments(command)


def run(arguments: argparse.Namespace) -> int:
    """Work until a signal, and return the exit status."""
    from dicodec.conversion.frames.window import count_cores
    from dicodec.service.brokers.broker import BrokerOptions, QueueNames
    from dicodec.service.brokers.connecting import hide_credentials, make_broker
    from dicodec.service.jobs.confinement import AllowedRoots
    from dicodec.service.jobs.execution_work import JobOptions
    from dicodec.service.jobs.mapping import load_mapping
    from dicodec.service.jobs.messages import Request
    from dicodec.service.jobs.runtime import open_jobs
    from dicodec.service.worker.publishing import make_queues
    from dicodec.service.worker.running import run_worker
    from dicodec.service.worker.service import WorkerOptions, WorkerService

    url = find_broker_url(arguments.broker)
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
    both = [parse_root(name) for name in arguments.root]
    readable = [parse_root(name) for name in arguments.read_root]
    if not both:
        raise InvalidOptionError("no folder is given that results may go to", hint="--root FOLDER")
    values = {} if arguments.output is None else {"output": str(Path(arguments.output).absolute())}
    mapping = None if arguments.mapping is None else load_mapping(arguments.mapping, values)
    job_options = JobOptions(
        roots=AllowedRoots.of([*both, *readable], both),
        policies=parse_policies(arguments.policy),
        copy_kept=mapping is None or mapping.copy_kept,
    )
    read = Request.from_json if mapping is None else mapping.read

    def read_for_several(body: bytes) -> Request | None:
        request = read(body)
        if request is None:
            return None
        return replace(request, options={"overwrite": True, **request.options})

    execution = parse_execution(arguments)
    options = WorkerOptions(
        read=read_for_several if arguments.overwrite else read,
        retries=execution.retries,
        show_paths=arguments.show_paths,
        all_events=arguments.events == "all",
        alive_file=arguments.alive_file,
    )
    log = open_log(arguments, worker=os.getpid())
    broker = make_broker(url, broker_options)
    with open_jobs(follow_named(arguments.store), job_options, execution) as (store, executor):
        log.write("info", "working", broker=hide_credentials(url), queue=arguments.queue, jobs=jobs)
        service = WorkerService(broker, store, executor, log, options)
        run_worker(service, grace=execution.drain)
    log.write("info", "ended")
    return 0
