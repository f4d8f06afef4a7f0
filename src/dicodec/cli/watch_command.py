"""`dicodec watch`: converts files that appear in a folder, until a signal ends it."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dicodec.cli.printing import SOME_FAILED, WRONG_USAGE, print_error
from dicodec.cli.service_options import open_log, parse_execution, policies, wish
from dicodec.conversion.output.write_errors import translated_writes
from dicodec.errors import DicodecError, InvalidOptionError, RequestError
from dicodec.service.ending_signals import find_ending_signals

QUEUE_NAME = ".dicodec-watch.sqlite"


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand and return the exit status: 1 where, with --once, some file failed."""
    try:
        return _watch(arguments)
    except (InvalidOptionError, RequestError) as error:
        print_error(error)
        return WRONG_USAGE
    except DicodecError as error:
        print_error(error)
        return SOME_FAILED


def _watch(arguments: argparse.Namespace) -> int:
    from dicodec.service.jobs.confinement import AllowedRoots
    from dicodec.service.jobs.execution_work import JobOptions
    from dicodec.service.jobs.runner import StoreRunner
    from dicodec.service.jobs.runtime import open_jobs
    from dicodec.service.jobs.store.tables import AttemptOutcome, Job, JobState
    from dicodec.service.jobs.watching import Watcher, WatchOptions

    rules = WatchOptions(
        folder=str(Path(arguments.folder).absolute()),
        output=str(Path(arguments.output).absolute()),
        done=_absolute(arguments.done),
        failed=_absolute(arguments.failed),
        interval=arguments.interval,
        settle=arguments.settle,
    )
    if not Path(rules.folder).is_dir():
        raise InvalidOptionError("there is no such folder", path=arguments.folder)
    if Path(rules.output).resolve() == Path(rules.folder).resolve():
        raise InvalidOptionError("the results cannot go to the folder that is watched")
    wanted = wish(arguments, rules.output)
    known = {} if arguments.policy is None else _policy(arguments.policy)
    with translated_writes():
        Path(rules.output).mkdir(parents=True, exist_ok=True)
    stopping = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stopping.set())
        for number in (signal.SIGINT, *find_ending_signals())
    }
    log = open_log(arguments)
    execution = parse_execution(arguments)
    jobs = JobOptions(roots=AllowedRoots.of([rules.folder], [rules.output]), policies=known)
    queue = arguments.queue or str(Path(rules.output) / QUEUE_NAME)
    with open_jobs(queue, jobs, execution) as (store, executor):
        failed = 0

        def observe(job: Job, ending: AttemptOutcome, _: Mapping[str, Any]) -> None:
            nonlocal failed
            failed += ending.state is JobState.DEAD
            watcher.add_outcome(job, ending)

        runner = StoreRunner(store, executor, execution.retries, log, observe)
        watcher = Watcher(rules, wanted, store, log, runner.look)
        runner.start()
        log.write("info", "watching", folder=rules.folder)
        try:
            watcher.watch(stopping, once=arguments.once)
        finally:
            runner.stop(execution.drain)
            watcher.move_over()
            for number, handler in before.items():
                signal.signal(number, handler)
    log.write("info", "ended")
    return SOME_FAILED if arguments.once and failed else 0


def _absolute(path: str | None) -> str | None:
    return None if path is None else str(Path(path).absolute())


def _policy(name: str) -> Mapping[str, str]:
    """Return the file of a policy by what requests call it; a profile needs none."""
    from dicodec.batch.policy.policy import list_profiles, load_policy

    if name in list_profiles():
        return {}
    load_policy(name)
    return {name: next(iter(policies([name]).values()))}
