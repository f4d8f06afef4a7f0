"""`dicodec convert`: each source to its target, one line of outcome or error for each."""

from __future__ import annotations

import argparse

from dicodec.cli.convert.targets import holds_many
from dicodec.cli.printing import SOME_FAILED, WRONG_USAGE
from dicodec.errors import DicodecError, InvalidOptionError, UnsupportedTargetError

_MANY = 16
"""Files named one by one up to which they are converted in this process, one after the other."""


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand and return the exit status."""
    # Each way loads what it needs: the workers of a batch start before the rest of it is there.
    if _is_batch(arguments):
        return _batch(arguments)
    from dicodec.cli.convert.files import convert_files

    return convert_files(arguments)


def _is_batch(arguments: argparse.Namespace) -> bool:
    sources: list[str] = arguments.source
    asked = (arguments.jobs, arguments.layout, arguments.ledger, arguments.memory)
    return (
        len(sources) > _MANY
        or arguments.resume
        or arguments.digests
        or any(setting is not None for setting in asked)
        or any(holds_many(path) for path in sources)
    )


def _batch(arguments: argparse.Namespace) -> int:
    from dicodec.cli.convert.batch_pool import batch_pool

    try:
        with batch_pool(arguments) as pool:
            from dicodec.cli.convert.batch import run_batch  # while the pool's workers start

            return run_batch(arguments, pool)
    except DicodecError as error:
        from dicodec.cli.convert.output import show_error

        show_error(error, arguments)
        wrong = isinstance(error, InvalidOptionError | UnsupportedTargetError)
        return WRONG_USAGE if wrong else SOME_FAILED
