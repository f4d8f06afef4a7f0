"""`dicodec worker`: requests from a broker, until a signal ends it."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from dicodec.cli.printing import SOME_FAILED, WRONG_USAGE, print_error
from dicodec.cli.service_options import existing_root, policies, retries
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
    from dicodec.service.brokers.broker import Consumption, Names
    from dicodec.service.brokers.connecting import broker_at, without_credentials
    from dicodec.service.jobs.confinement import Roots
    from dicodec.service.jobs.execution import Executor
    from dicodec.service.jobs.execution_work import JobRules
    from dicodec.service.jobs.logs import Log
    from dicodec.service.jobs.mapping import load_mapping
    from dicodec.service.jobs.messages import Request
    from dicodec.service.jobs.store.store import JobStore
    from dicodec.service.worker.options import Conduct
    from dicodec.service.worker.publishing import make_queues
    from dicodec.service.worker.running import run_worker

    jobs = arguments.jobs or available_cores()
    how = Consumption(
        names=Names(arguments.queue),
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
    rules = JobRules(
        roots=Roots.of([*both, *readable], both),
        policies=policies(arguments.policy),
        copy_kept=mapping is None or mapping.copy_kept,
    )
    read = Request.from_json if mapping is None else mapping.read

    def read_for_several(body: bytes) -> Request | None:
        request = read(body)
        if request is None:
            return None
        return replace(request, options={"overwrite": True, **request.options})

    conduct = Conduct(
        read=read_for_several if arguments.overwrite else read,
        retries=retries(arguments),
        show_paths=arguments.show_paths,
        all_events=arguments.events == "all",
        alive_file=arguments.alive_file,
    )
    log = Log(sys.stderr, hide_paths=not arguments.show_paths, fields={"worker": os.getpid()})
    broker = broker_at(url, how)
    with JobStore(arguments.store, lease=arguments.lease) as store:
        executor = Executor(rules, jobs=jobs, timeout=arguments.timeout, memory=arguments.memory)
        with executor:
            log.write(
                "info", "working", broker=without_credentials(url), queue=arguments.queue, jobs=jobs
            )
            run_worker(broker, store, executor, log, conduct, grace=arguments.drain)
    log.write("info", "ended")
