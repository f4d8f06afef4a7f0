"""`dicodec worker`: requests from a broker, until a signal ends it."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from dicodec.cli.printing import SOME_FAILED, WRONG_USAGE, print_error
from dicodec.cli.service_options import existing_root, open_log, parse_execution, policies
from dicodec.errors import DicodecError, InvalidOptionError

URL_VARIABLE = "DICODEC_BROKER"

_PREFETCH_EACH = 32


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand and return the exit status."""
    try:
        url = broker_url(arguments.broker)
        _work(arguments, url)
    except InvalidOptionError as error:
        print_error(error)
        return WRONG_USAGE
    except DicodecError as error:
        print_error(error)
        return SOME_FAILED
    return 0


def broker_url(given: str | None) -> str:
    """Return the URL of the broker, from the command or the environment.

    Raises:
        InvalidOptionError: there is none.
    """
    url = given or os.environ.get(URL_VARIABLE)
    if not url:
        raise InvalidOptionError("no broker is given", hint=f"--broker URL, or {URL_VARIABLE}")
    return url


def _work(arguments: argparse.Namespace, url: str) -> None:
    from dicodec.conversion.frames.window import available_cores
    from dicodec.service.brokers.broker import BrokerOptions, QueueNames
    from dicodec.service.brokers.connecting import hide_credentials, make_broker
    from dicodec.service.jobs.confinement import AllowedRoots
    from dicodec.service.jobs.execution_work import JobOptions
    from dicodec.service.jobs.mapping import load_mapping
    from dicodec.service.jobs.messages import Request
    from dicodec.service.jobs.runtime import open_jobs
    from dicodec.service.worker.publishing import make_queues
    from dicodec.service.worker.running import run_worker
    from dicodec.service.worker.service import WorkerOptions

    jobs = arguments.jobs or available_cores()
    how = BrokerOptions(
        names=QueueNames(arguments.queue),
        prefetch=arguments.prefetch or _PREFETCH_EACH * jobs,
        silence=arguments.silence,
        partitions=arguments.partitions,
    )
    if arguments.prepare:
        make_queues(url, how)
        return
    both = [existing_root(name) for name in arguments.root]
    readable = [existing_root(name) for name in arguments.read_root]
    if not both:
        raise InvalidOptionError("no folder is given that results may go to", hint="--root FOLDER")
    values = {} if arguments.output is None else {"output": str(Path(arguments.output).absolute())}
    mapping = None if arguments.mapping is None else load_mapping(arguments.mapping, values)
    rules = JobOptions(
        roots=AllowedRoots.of([*both, *readable], both),
        policies=policies(arguments.policy),
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
    broker = make_broker(url, how)
    with open_jobs(arguments.store, rules, execution) as (store, executor):
        log.write("info", "working", broker=hide_credentials(url), queue=arguments.queue, jobs=jobs)
        run_worker(broker, store, executor, log, options, grace=execution.drain)
    log.write("info", "ended")
