"""`dicodec watch`: convert files that appear in a folder, until a signal."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path

from dicodec.cli.option_arguments import make_seconds_parser
from dicodec.cli.printing import SOME_FAILED
from dicodec.cli.service_arguments import (
    add_execution_arguments,
    add_request_arguments,
    add_trace_argument,
    find_store,
    open_log,
    open_tracing,
    parse_execution,
    parse_policies,
    parse_submit_options,
)
from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import InvalidOptionError, WriteError
from dicodec.model.platforms import find_ending_signals
from dicodec.part10.beneath import make_folders

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.service.jobs.watching import WatchOptions

QUEUE_NAME = ".dicodec-watch.sqlite"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add("folder", metavar="FOLDER", help="folder to watch, with all folders below")
    add("-o", "--output", required=True, metavar="OUTPUT", help="folder for the results")
    add_request_arguments(command)
    add("--done", metavar="FOLDER", help="folder for converted sources (default: they stay)")
    add("--failed", metavar="FOLDER", help="folder for failed sources (default: they stay)")
    add("--queue", metavar="FILE",
        help="file of the queue, or URL of one in PostgreSQL for this folder alone (default "
        "OUTPUT/.dicodec-watch.sqlite)")  # fmt: skip
    add("--interval", type=make_seconds_parser(0.01), default=2.0, metavar="S",
        help="seconds between two looks at the folder (default 2)")  # fmt: skip
    add("--settle", type=make_seconds_parser(), default=5.0, metavar="S",
        help="seconds without a change until a file is complete (default 5)")  # fmt: skip
    add("--once", action="store_true", help="convert the present files, and end")
    add_execution_arguments(command)
    add_trace_argument(command)


def run(arguments: argparse.Namespace) -> int:
    """Watch until a signal, and return the exit status: with --once, 1 if a file failed."""
    from dicodec.service.jobs.confinement import AllowedRoots
    from dicodec.service.jobs.execution_work import JobOptions
    from dicodec.service.jobs.runner import StoreRunner
    from dicodec.service.jobs.runtime import open_jobs
    from dicodec.service.jobs.store.tables import AttemptOutcome, Job, JobState
    from dicodec.service.jobs.watching import Watcher

    options = _parse_watch_options(arguments)
    requests = parse_submit_options(arguments, options.output)
    known = {} if arguments.policy is None else _find_policy(arguments.policy)
    try:
        with translate_write_errors():
            make_folders(options.output)
    except WriteError as error:
        error.with_location(path=arguments.output)
        raise
    stopping = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stopping.set())
        for number in (signal.SIGINT, *find_ending_signals())
    }
    log = open_log(arguments)
    execution = parse_execution(arguments)
    jobs = JobOptions(roots=AllowedRoots.of([options.folder], [options.output]), policies=known)
    place = find_store(arguments.queue, str(Path(options.output) / QUEUE_NAME)) or ""
    with (
        open_jobs(place, jobs, execution) as (store, executor),
        open_tracing(arguments, log) as tracing,
    ):
        failed = 0

        def observe(job: Job, outcome: AttemptOutcome, _: Mapping[str, Any]) -> None:
            nonlocal failed
            failed += outcome.state is JobState.DEAD
            watcher.add_outcome(job, outcome)

        runner = StoreRunner(store, executor, execution.retries, log, observe, tracing)
        watcher = Watcher(options, requests, store, log, runner.look)
        runner.start()
        log.write("info", "watching", folder=options.folder)
        try:
            watcher.watch(stopping, once=arguments.once)
        finally:
            runner.stop(execution.drain)
            watcher.move_over()
            for number, handler in before.items():
                signal.signal(number, handler)
    log.write("info", "ended")
    return SOME_FAILED if arguments.once and (failed or watcher.has_unlisted) else 0


def _parse_watch_options(arguments: argparse.Namespace) -> WatchOptions:
    from dicodec.service.jobs.watching import WatchOptions

    options = WatchOptions(
        folder=str(Path(arguments.folder).absolute()),
        output=str(Path(arguments.output).absolute()),
        done=_make_absolute(arguments.done),
        failed=_make_absolute(arguments.failed),
        interval=arguments.interval,
        settle=arguments.settle,
    )
    if not os.path.isdir(options.folder):  # noqa: PTH112 - it never raises
        raise InvalidOptionError("there is no such folder", path=arguments.folder)
    if os.path.realpath(options.output) == os.path.realpath(options.folder):
        raise InvalidOptionError("the results cannot go to the folder that is watched")
    return options


def _make_absolute(path: str | None) -> str | None:
    return None if path is None else str(Path(path).absolute())


def _find_policy(name: str) -> Mapping[str, str]:
    """Return the path of a policy by its name for requests; a profile needs none."""
    from dicodec.batch.policy.policy import list_profiles, load_policy

    if name in list_profiles():
        return {}
    load_policy(name)
    return {name: next(iter(parse_policies([name]).values()))}
