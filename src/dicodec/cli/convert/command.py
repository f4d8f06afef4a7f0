"""`dicodec convert`: convert each source to its target, as a batch or in this process."""

from __future__ import annotations

import argparse

from dicodec.cli.convert.ahead import MANY
from dicodec.cli.convert.arguments import add_arguments as add_arguments
from dicodec.cli.convert.targets import holds_many
from dicodec.cli.printing import find_status
from dicodec.cli.wrong_usage import WrongUsage
from dicodec.errors import DicodecError


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status.

    Raises:
        WrongUsage: there is nothing to convert.
    """
    if not arguments.source and arguments.files_from is None:
        raise WrongUsage("dicodec convert", "one of SOURCE and --files-from is required")
    # Each way imports its own modules: the workers of a batch start before the other modules load.
    if _is_batch(arguments):
        return _run_batch(arguments)
    from dicodec.cli.convert.files import convert_files

    return convert_files(arguments)


def _is_batch(arguments: argparse.Namespace) -> bool:
    sources: list[str] = arguments.source
    asked = (
        arguments.jobs, arguments.layout, arguments.ledger, arguments.memory,
        arguments.files_from, arguments.shard, arguments.metrics_file, arguments.executor,
        arguments.max_bytes, arguments.rate_limit, arguments.between, arguments.pause_file,
        arguments.manifest,
    )  # fmt: skip
    return (
        len(sources) > MANY
        or arguments.resume
        or arguments.digests
        or arguments.map_references
        or any(setting is not None for setting in asked)
        or any(holds_many(path) for path in sources)
    )


def _run_batch(arguments: argparse.Namespace) -> int:
    from dicodec.cli.convert.batch.pool import start_pool

    try:
        with start_pool(arguments) as pool:
            from dicodec.cli.convert.batch.run import run_batch  # while the workers start

            return run_batch(arguments, pool)
    except DicodecError as error:
        from dicodec.cli.convert.output import report_failure

        report_failure(error, arguments)
        return find_status(error)
