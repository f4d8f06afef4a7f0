"""`dicodec watch`: converts files that appear in a folder, until a signal ends it."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dicodec.cli.printing import SOME_FAILED, WRONG_USAGE, print_error
from dicodec.cli.service_options import policies, retries, wish
from dicodec.conversion.output.write_errors import translated_writes
from dicodec.errors import DicodecError, InvalidOptionError, RequestError
from dicodec.service.ending_signals import ending_signals

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
    from dicodec.service.jobs.confinement import Roots
    from dicodec.service.jobs.execution import Executor
    from dicodec.service.jobs.execution_work import JobRules
    from dicodec.service.jobs.logs import Log
    from dicodec.service.jobs.runner import StoreRunner
    from dicodec.service.jobs.store.store import JobStore
    from dicodec.service.jobs.store.tables import Ending, Job, JobState
    from dicodec.service.jobs.watching import Watcher, WatchRules

    rules = WatchRules(
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
        for number in (signal.SIGINT, *ending_signals())
    }
    log = Log(sys.stderr, hide_paths=not arguments.show_paths)
    queue = arguments.queue or str(Path(rules.output) / QUEUE_NAME)
    with JobStore(queue, lease=arguments.lease) as store:
        failed = 0

        def observe(job: Job, ending: Ending, report: Mapping[str, Any]) -> None:
            nonlocal failed
            failed += ending.state is JobState.DEAD
            watcher.observe(job, ending, report)

        executor = Executor(
            JobRules(roots=Roots.of([rules.folder], [rules.output]), policies=known),
            jobs=arguments.jobs,
            timeout=arguments.timeout,
            memory=arguments.memory,
        )
        runner = StoreRunner(store, executor, retries(arguments), log, observe)
        watcher = Watcher(rules, wanted, store, log, runner.look)
        runner.start()
        log.write("info", "watching", folder=rules.folder)
        try:
            watcher.watch(stopping, once=arguments.once)
        finally:
            runner.stop(arguments.drain)
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
