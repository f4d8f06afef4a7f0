"""Start the worker processes of a batch; apart so that they start before other modules load."""

from __future__ import annotations

import argparse

from dicodec.batch.pool.messages import Preparation
from dicodec.batch.pool.pool import Pool
from dicodec.errors import InvalidOptionError

_AHEAD = 4
"""Workers that start before the number of sources is known."""


def start_pool(arguments: argparse.Namespace) -> Pool:
    """Return a pool for the arguments, whose workers already import their modules.

    Raises:
        InvalidOptionError: --jobs is out of range.
    """
    if arguments.jobs is not None and not 1 <= arguments.jobs <= 1024:
        raise InvalidOptionError(
            f"--jobs is {arguments.jobs}; it has to be a whole number from 1 to 1024"
        )
    pool = Pool(
        arguments.jobs,
        timeout=arguments.timeout,
        memory=arguments.memory,
        preparation=Preparation(
            "dicodec.batch.preparation",
            "prepare_conversions",
            (tuple((arguments.to or "").split(",")), tuple(arguments.source[:1])),
        ),
        forks=True,
    )
    pool.start(_AHEAD)
    return pool
